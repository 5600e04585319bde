"""Training of the boundary net: a step, its loop, and the file of weights that the training ends with."""

import functools
import logging
import zlib
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from osmn.errors import InputError
from osmn.files import locks
from osmn.models import boundary_weights, checkpoint_files, checkpoints
from osmn.networks import boundaries
from osmn.networks.backend import keras
from osmn.parallel import read_ahead
from osmn.progress import progress_bar
from osmn.training.boundary_samples import SIDE, Sample, View, batch
from osmn.training.loop import require_finite
from osmn.training.optimizer import Adam
from osmn.training.options import TrainingOptions
from osmn.training.run import keep_options
from osmn.training.tensorboard import Summaries
from osmn.training.trainer import Losses

WEIGHTS = "boundaries.npz"  # In the folder of the checkpoints, when the training has ended.

logger = logging.getLogger(__name__)


class BoundaryTrainer:
    """A boundary net in training: its variables, the optimizer's, and the step counter.

    Args:
        seed: of the initial weights.
    """

    def __init__(self, seed: int) -> None:
        self.network = boundaries.build()
        self.step = tf.Variable(0, dtype=tf.int64, trainable=False)
        self._weights = {variable.path: variable.value for variable in self.network.trainable_variables}
        for name, variable in self._weights.items():
            if name.endswith("/kernel") and not name.startswith("score/"):  # The net adds nothing at first.
                number = zlib.crc32(f"{seed}/{name}".encode())
                variable.assign(keras.initializers.GlorotUniform(seed=number)(variable.shape))
        self._optimizer = Adam(self._weights)
        windows = tf.TensorSpec((None, SIDE, SIDE))
        spec = Sample(tf.TensorSpec((None, SIDE, SIDE, 3)), windows, windows)
        self.train_step = tf.function(self._step, input_signature=[spec, tf.TensorSpec([])])

    def _step(self, drawn: Sample, rate: tf.Tensor) -> tf.Tensor:
        """Update the network by a `Sample` of (B, ...) tensors at a learning rate; return the loss before that."""
        variables = list(self._weights.values())
        with tf.GradientTape() as tape:
            found = loss(self.network(boundaries.inputs_of(drawn.image, drawn.logits)), drawn.truth)
        self._optimizer.apply(tape.gradient(found, variables), rate)
        self.step.assign_add(1)
        return found

    def state(self) -> dict[str, tf.Variable]:
        """Return {name: variable} of everything that a resumed run needs."""
        return self._weights | self._optimizer.state() | {"global_step": self.step}

    def weights(self) -> dict[str, np.ndarray]:
        """Return the network's weights, {name: array}, as `models.boundary_weights` has them."""
        return {name: variable.numpy() for name, variable in self._weights.items()}

    def save(self, folder: Path | str, max_to_keep: int) -> None:
        """Write `<folder>/osmn.ckpt-<step>`; InputError, and nothing is written, if a value is not finite."""
        values = {name: variable.numpy() for name, variable in self.state().items()}
        broken = [name for name, value in values.items() if not np.all(np.isfinite(value))]
        if broken:
            raise InputError(f"{broken[0]} is not finite after step {int(self.step)}; lower --learning_rate")
        checkpoints.save_training_checkpoint(folder, int(self.step), values, None, max_to_keep)

    def restore(self, path: Path | str) -> None:
        """Continue from a checkpoint of `save`; InputError names one that is damaged or of another network."""
        state = self.state()
        if not checkpoints.CheckpointReader(path).shapes.keys() >= state.keys():
            raise InputError(f"{path} is of another network, no boundary net; give another --model_save_path")
        values = checkpoints.load_training_state(path, {name: tuple(v.shape) for name, v in state.items()})
        for name, variable in state.items():
            variable.assign(values[name])


def loss(logits: tf.Tensor, truth: tf.Tensor) -> tf.Tensor:
    """Return the loss of logits (B, H, W) for the truth, 0 to 1: the mean over images of two terms.

    They are twice the mean cross-entropy of the image's pixels, and the soft Jaccard distance `1 - (I + 1) / (U + 1)`.
    """
    probabilities = tf.sigmoid(logits)
    both = tf.reduce_sum(probabilities * truth, [1, 2])
    either = tf.reduce_sum(probabilities + truth, [1, 2]) - both
    cross_entropy = tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(truth, logits))
    return 2 * cross_entropy + tf.reduce_mean(1 - (both + 1) / (either + 1))


def train(
    views: Sequence[View],
    options: TrainingOptions,
    batch_size: int,
    seed: int,
    folder: Path | str,
    change: Collection[str] = (),
) -> Path:
    """Train a boundary net until `options.training_iters`; return the path of the file of its weights.

    A training that was stopped goes on from its newest checkpoint in the folder, to the same weights.

    Args:
        views: what it learns from, see `boundary_samples.read`.
        options: `TrainingOptions`.
        batch_size: windows in a step.
        seed: of the initial weights and of the samples.
        folder: of the checkpoints, TensorBoard's summaries and the weights.
        change: see `run.keep_options`.

    Raises:
        InputError: if the folder cannot be written, if another run is writing into it, if its checkpoints were trained
            with other options or are none of a boundary net, or if the loss is not finite.
    """
    folder = Path(folder)
    with locks.writing(folder):
        checkpoints.remove_parts(folder)
        keep_options(folder, {"batch_size": batch_size, "seed": seed}, options, change)
        trainer = BoundaryTrainer(seed)
        newest = checkpoint_files.newest_checkpoint(folder)
        if newest is not None and options.restart_training:
            checkpoints.delete_checkpoints(folder)
            (folder / WEIGHTS).unlink(missing_ok=True)
        elif newest is not None:
            trainer.restore(newest)
            logger.info(f"resumed from {newest}")
        if int(trainer.step) < options.training_iters:
            _train_steps(trainer, functools.partial(batch, views, seed, size=batch_size), options, folder)
        elif newest is not None:
            logger.info(f"--training_iters {options.training_iters}: {newest} has {int(trainer.step)} steps already")
        boundary_weights.save(folder / WEIGHTS, trainer.weights())
    return folder / WEIGHTS


def _train_steps(
    trainer: BoundaryTrainer, make_batch: Callable[[int], Sample], options: TrainingOptions, folder: Path
) -> None:
    """Train to the last step, with reports, summaries and checkpoints; `make_batch` is given the steps, from 0."""
    first, last = int(trainer.step), options.training_iters
    bar = progress_bar(total=last, initial=first, prepared_after=1, unit="step")
    with bar, Summaries(folder) as summaries:
        losses = []
        for step, drawn in enumerate(read_ahead(make_batch, range(first, last)), first + 1):
            rate = options.rate(step - 1)
            losses.append(trainer.train_step(drawn, tf.constant(rate)))
            bar.update()
            shown, saved = (step == last or step % n == 0 for n in (options.display_iters, options.save_iters))
            if shown or saved:
                require_finite(step, Losses(losses[-1], tf.constant(0.0)))
            if shown:
                mean = float(tf.reduce_mean(losses))
                losses.clear()
                logger.info(f"step {step}: loss {mean:.4f}, rate {rate:.2g}")
                summaries.write_scalars(step, {"loss/segmentation": mean, "learning_rate": rate})
            if saved:
                trainer.save(folder, options.max_to_keep)
