"""Reports of a running training: its losses at the progress bar, and TensorBoard's summaries."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import tensorflow as tf

from osmn.config import ModelConfig
from osmn.inputs.clips import ClipSample
from osmn.inputs.samples import Sample
from osmn.models import checkpoints

if TYPE_CHECKING:  # `trainer` imports more than this module needs, and bars are made in osmn/progress.py alone.
    import tqdm

    from osmn.training.trainer import Losses


def report(bar: tqdm.tqdm, losses: Losses, rate: float, images: int) -> None:
    """Show a step's losses, its learning rate and the speed at the progress bar; a step has so many `images`."""
    loss, l2 = float(losses.segmentation), float(losses.l2)
    speed = (bar.format_dict["rate"] or 0) * images
    bar.set_postfix_str(f"loss {loss:.1f} L2 {l2:.3f} rate {rate:g} {speed:.1f} images/s")


class Summaries:
    """TensorBoard's summaries in the folder of the checkpoints: scalars, and with a `ModelConfig` also pictures.

    The pictures show inputs that were made by that `ModelConfig`.
    """

    def __init__(self, folder: Path | str, config: ModelConfig | None = None) -> None:
        self._folder, self._config = folder, config
        with checkpoints.tensorflow_write_errors(folder):
            self._writer = tf.summary.create_file_writer(str(folder))

    def write(self, step: int, losses: Losses, rate: float, batch: Sample | ClipSample, logits: tf.Tensor) -> None:
        """Write a step's losses and, if pictures are wanted, its first sample and prediction; InputError if it fails.

        `batch` has (B, ...) tensors; `logits` are (B, H, W, 1).
        """
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

    def write_scalars(self, step: int, scalars: Mapping[str, float | tf.Tensor]) -> None:
        """Write {tag: number} of a step; InputError if that fails."""
        with checkpoints.tensorflow_write_errors(self._folder), self._writer.as_default(step):
            for tag, value in scalars.items():
                tf.summary.scalar(tag, value)

    def __enter__(self) -> Summaries:
        return self

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        if error is None:
            with checkpoints.tensorflow_write_errors(self._folder):
                self._writer.flush()  # `close` alone does not report a failure.
        with contextlib.suppress(tf.errors.OpError):
            self._writer.close()
