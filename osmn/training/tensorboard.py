"""What a training tells while it runs: its losses at the progress bar, and TensorBoard's summaries."""

import contextlib

import tensorflow as tf

from osmn.models import checkpoints


def report(bar, losses, rate, images):
    """Show a step's losses, its learning rate and the speed (of `images` a step) at the progress bar."""
    loss, l2 = float(losses.segmentation), float(losses.l2)
    speed = (bar.format_dict["rate"] or 0) * images
    bar.set_postfix_str(f"loss {loss:.1f} L2 {l2:.3f} rate {rate:g} {speed:.1f} images/s")


class Summaries:
    """TensorBoard's scalars, in the folder of the checkpoints; with a `ModelConfig` also pictures, of its inputs."""

    def __init__(self, folder, config=None):
        self._folder, self._config = folder, config
        with checkpoints.tensorflow_write_errors(folder):
            self._writer = tf.summary.create_file_writer(str(folder))

    def write(self, step, losses, rate, batch, logits):
        """Write one step's losses and, if asked for, its first sample and prediction; InputError if that fails."""
        self.write_scalars(
            step, {"loss/segmentation": losses.segmentation, "loss/l2": losses.l2, "learning_rate": rate}
        )
        if self._config is not None:
            with checkpoints.tensorflow_write_errors(self._folder), self._writer.as_default(step):
                mean, scale = tf.constant(self._config.mean_value), self._config.scale_value
                for name, image in (("guide", batch.guide), ("image", batch.image)):
                    tf.summary.image(name, (image[:1, ..., ::-1] / scale + mean[::-1]) / 255)
                for name, image in (("spatial_guide", batch.spatial), ("label", batch.label)):
                    tf.summary.image(name, image[:1])
                tf.summary.image("prediction", tf.sigmoid(logits[:1]))

    def write_scalars(self, step, scalars):
        """Write {tag: number} of one step; InputError if that fails."""
        with checkpoints.tensorflow_write_errors(self._folder), self._writer.as_default(step):
            for tag, value in scalars.items():
                tf.summary.scalar(tag, value)

    def __enter__(self):
        return self

    def __exit__(self, error, *_):
        if error is None:
            with checkpoints.tensorflow_write_errors(self._folder):
                self._writer.flush()  # Closing alone does not tell of a failure.
        with contextlib.suppress(tf.errors.OpError):
            self._writer.close()
