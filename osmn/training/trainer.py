"""A network in training: a step, and the state that a checkpoint keeps."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from osmn.errors import InputError
from osmn.inputs import samples
from osmn.inputs.clips import ClipSample
from osmn.models import checkpoints
from osmn.networks import Osmn, devices, replicas
from osmn.training.losses import FUNCTIONS, logit_offset
from osmn.training.optimizer import Adam, Average
from osmn.training.options import TrainerOptions
from osmn.training.predicted_masks import OwnMasks

# A batch of any size for tf.function: a single graph, so that a resumed run rounds as an uninterrupted run does.
BATCH = samples.Sample(*(tf.TensorSpec((None, *shape)) for shape in samples.SHAPES))
FIRST_LOSS_SCALE = 2.0**10  # float16 only
LOSS_SCALE_GROWTH_STEPS = 2000
AS_PUBLISHED = TrainerOptions()


class Losses(NamedTuple):
    """A step's losses, scalars: the loss of the segmentation (a sum over pixels) and the L2 term."""

    segmentation: tf.Tensor
    l2: tf.Tensor


class Trainer:
    """A network in training: its variables, the optimizer's, and the step counter.

    Args:
        network: an `Osmn` with float32 variables.
        options: `TrainerOptions`.
        own_masks: `predicted_masks.OwnMasks`, for spatial guides of the network's own masks; None: no such guides.
            Samples of several frames need it.
    """

    def __init__(
        self, network: Osmn, options: TrainerOptions = AS_PUBLISHED, own_masks: OwnMasks | None = None
    ) -> None:
        if options.fix_seg:
            network.freeze_segmentation()
        self.network = network
        self.step = tf.Variable(0, dtype=tf.int64, trainable=False)
        self._dropout_seed = options.dropout_seed
        self._execution = devices.choose_execution(training=True, fixed_statistics=options.fix_bn)
        named = network.tf1_variables()
        self._trained = {n: v.value for n, v in named.items() if v.trainable}
        self._decays = {n: network.l2_weight(n) for n in named if network.l2_weight(n)}
        self._constant_l2: float = sum(network.l2_weight(n) * np.sum(v**2) / 2 for n, v in network.constants().items())
        self._model = {n: v.value for n, v in named.items()}
        self._optimizer = Adam(self._trained)
        self._average = None if options.ema is None else Average(self._model, options.ema)
        self._loss, self._loss_name, self._own_masks = FUNCTIONS[options.loss], options.loss, own_masks
        self._steps: dict[tuple[tf.TensorSpec, ...], Callable[..., tuple[Losses, tf.Tensor]]] = {}
        self._scaled = network.compute_dtype == "float16"
        self._scale = {"loss_scale": tf.Variable(FIRST_LOSS_SCALE), "loss_scale_steps": tf.Variable(0, dtype=tf.int64)}

    @property
    def is_traced(self) -> bool:
        """Whether a step has been made, so that further steps with such batches need no preparation."""
        return bool(self._steps)

    def gradients(self, batch: samples.Sample) -> tuple[Losses, tf.Tensor, list[tf.Tensor]]:
        """Return (Losses, logits, gradients of their sum) for a `Sample` batch; the gradients in `trained` order."""
        seed = None
        if self._dropout_seed is not None:
            seed = tf.cast(tf.stack([tf.constant(self._dropout_seed, tf.int64), self.step]), tf.int32)
        execution = dataclasses.replace(self._execution, dropout_seed=seed, part=replicas.part())
        variables = list(self._trained.values())
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(variables)
            logits = self.network(batch.guide, batch.spatial, batch.image, execution=execution)
            loss = self._loss(logits, batch.label)
            scaled = loss * self._scale["loss_scale"] if self._scaled else loss
        gradients = tape.gradient(scaled, variables)
        gradients = replicas.total(
            [tf.zeros_like(v) if g is None else g for v, g in zip(variables, gradients, strict=True)]
        )
        if self._scaled:
            gradients = [g / self._scale["loss_scale"] for g in gradients]
        # The gradient of the L2 term, added here: the tape would make two more passes over every kernel.
        gradients = [
            g if name not in self._decays else self._decays[name] * variable + g
            for (name, variable), g in zip(self._trained.items(), gradients, strict=True)
        ]
        return Losses(replicas.total(loss), self.l2()), logits, gradients

    def _after_own_masks(self, batch: ClipSample) -> samples.Sample:
        """Return the last frames of clips, with the guides of the masks by which the network has come to them."""
        own = self._own_masks
        if own is None:
            raise ValueError("clips need OwnMasks")
        # As in testing, see `_with_own_masks`; no gradient goes through the frames.
        execution = dataclasses.replace(self._execution, training=False)
        offset = logit_offset(self._loss_name, batch.label)
        gammas, spatial = self.network.gammas(batch.guide, execution), batch.spatial
        first = replicas.position() * tf.shape(spatial)[0]
        count = batch.earlier.shape[1]
        for frame in range(count):
            masks = self.network.segment(batch.earlier[:, frame], spatial, gammas, execution)[..., 0] > offset
            if own.damaged and frame == count - 1:
                masks = own.with_damage(masks, batch.other[..., 0] > 0.5, self.step, first)
            spatial = own.next_guides(masks, self.network.config, self.step, first, frame)
        return samples.Sample(batch.guide, spatial, batch.image, batch.label)

    def _with_own_masks(self, batch: samples.Sample | ClipSample) -> samples.Sample:
        """Return a batch with some spatial guides of the network's own masks."""
        if isinstance(batch, ClipSample):
            return self._after_own_masks(batch)
        if self._own_masks is None:
            return batch
        # As in testing. The masks get about the true size, which the masks of a calibrated model have in testing.
        execution = dataclasses.replace(self._execution, training=False)
        logits = self.network(batch.guide, batch.spatial, batch.image, execution=execution)
        masks = logits[..., 0] > logit_offset(self._loss_name, batch.label)
        first = replicas.position() * tf.shape(masks)[0]
        config = self.network.config
        return batch._replace(spatial=self._own_masks.spatial_guides(masks, batch.spatial, config, self.step, first))

    def l2(self) -> tf.Tensor:
        """Return the L2 term: the sum over convolution kernels, constant ones too, of `weight * sum(w^2) / 2`."""
        terms = [weight * tf.nn.l2_loss(self._model[name]) for name, weight in self._decays.items()]
        # Not add_n: its order, and its rounding, varies.
        return tf.reduce_sum(tf.stack(terms)) + self._constant_l2

    def train_step(
        self, batch: samples.Sample | ClipSample, rate: tf.Tensor, spec: samples.Sample | ClipSample = BATCH
    ) -> tuple[Losses, tf.Tensor]:
        """Update the network by one batch; return its `Losses` and logits (of the first replica) before the update.

        Args:
            batch: `Sample`, or `clips.ClipSample`, of (B, ...) tensors.
            rate: the learning rate, a scalar tensor.
            spec: the `tf.TensorSpec`s of batches for tf.function: all batches that they describe share a graph.
        """
        if tuple(spec) not in self._steps:
            self._steps[tuple(spec)] = tf.function(self._step, input_signature=[spec, tf.TensorSpec([])])
        return self._steps[tuple(spec)](batch, rate)

    def _step(self, batch: samples.Sample | ClipSample, rate: tf.Tensor) -> tuple[Losses, tf.Tensor]:
        losses, logits = tf.distribute.get_strategy().run(self._replica_step, (batch, rate))
        return Losses(*map(replicas.first, losses)), replicas.first(logits)

    def _replica_step(self, batch: samples.Sample | ClipSample, rate: tf.Tensor) -> tuple[Losses, tf.Tensor]:
        losses, logits, gradients = self.gradients(self._with_own_masks(batch))
        if self._scaled:
            self._apply_if_finite(gradients, rate)
        else:
            self._optimizer.apply(gradients, rate)
        replicas.assign(self.step, self.step + 1)
        if self._average is not None:
            self._average.update(self.step)
        return losses, logits

    def _apply_if_finite(self, gradients: Sequence[tf.Tensor], rate: tf.Tensor) -> None:
        """Skip a step whose float16 gradients overflow and halve the loss scale; double it after many other steps."""
        scale, good_steps = self._scale["loss_scale"], self._scale["loss_scale_steps"]
        if tf.reduce_all([tf.reduce_all(tf.math.is_finite(g)) for g in gradients]):
            self._optimizer.apply(gradients, rate)
            grow = good_steps + 1 >= LOSS_SCALE_GROWTH_STEPS
            replicas.assign(scale, tf.where(grow, scale * 2, scale))
            replicas.assign(good_steps, tf.where(grow, tf.zeros_like(good_steps), good_steps + 1))
        else:
            replicas.assign(scale, tf.maximum(scale / 2, 1.0))
            replicas.assign(good_steps, tf.zeros_like(good_steps))

    def weights(self) -> dict[str, np.ndarray]:
        """Return the network's weights, {TF1 name: array}, for `reset`."""
        return {name: variable.numpy() for name, variable in self._model.items()}

    def reset(self, weights: Mapping[str, np.ndarray]) -> None:
        """Start anew from `weights`, at step 0 and with a fresh optimizer. Nothing is traced again."""
        for name, variable in self._model.items():
            variable.assign(weights[name])
        self._optimizer.reset()
        if self._average is not None:
            self._average.reset()
        self._scale["loss_scale"].assign(FIRST_LOSS_SCALE)
        self._scale["loss_scale_steps"].assign(0)
        self.step.assign(0)

    def state(self) -> dict[str, tf.Variable]:
        """Return {TF1 name: variable} of everything that a resumed run needs."""
        state = self._model | self._optimizer.state() | {"global_step": self.step}
        if self._average is not None:
            state |= self._average.state()
        return state | self._scale if self._scaled else state

    def use_average(self) -> None:
        """Give the network the average of its weights for testing, if an average is kept; training ends with it."""
        if self._average is not None:
            for name, average in self._average.averages.items():
                self._model[name].assign(average)

    def save(self, folder: Path | str, max_to_keep: int, finished: bool = False) -> None:
        """Write `<folder>/osmn.ckpt-<step>`.

        A `finished` checkpoint lacks the optimizer's state, two thirds of the size, and has the average of the weights,
        if an average is kept, in place of the weights. Raises InputError, and writes nothing, if a value is not finite.
        """
        state = self.finished_weights() | {"global_step": self.step} if finished else self.state()
        # Tensors, not arrays: they share the variables' memory, and copying 2 GB takes longer than writing them.
        values = {name: tf.convert_to_tensor(variable) for name, variable in state.items()} | self.network.constants()
        broken = [name for name, value in values.items() if not np.all(np.isfinite(value))]
        if broken:
            raise InputError(f"{broken[0]} is not finite after step {int(self.step)}; lower --learning_rate")
        checkpoints.save_training_checkpoint(folder, int(self.step.numpy()), values, self.network.config, max_to_keep)

    def finished_weights(self) -> dict[str, tf.Variable]:
        """Return {TF1 name: variable} of the weights to test with: the averages, if averages are kept."""
        return self._model if self._average is None else self._average.averages

    def restore(self, path: Path | str, finished: bool = False) -> None:
        """Continue from a checkpoint of `save` (or of the published program).

        A `finished` checkpoint gives only the weights and the step. Where the checkpoint has no average of the weights,
        the average starts from its weights.
        """
        state = self._model | {"global_step": self.step} if finished else self.state()
        begun = self._average if self._average is not None and not checkpoints.has_average(path) else None
        if begun is not None:
            state = {name: v for name, v in state.items() if name not in begun.state()}
        values = checkpoints.load_training_state(path, {name: tuple(v.shape) for name, v in state.items()})
        for name, variable in state.items():
            variable.assign(values[name])
        if begun is not None:
            begun.reset()
