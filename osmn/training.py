"""Training: the loss, the optimizer, one step, and the loop with its checkpoints."""

import contextlib
import dataclasses
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from tqdm import tqdm

from osmn import checkpoints, devices, replicas
from osmn.errors import InputError

BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-8  # Adam, as published
FIRST_LOSS_SCALE = 2.0**10  # float16 only
LOSS_SCALE_GROWTH_STEPS = 2000


class Losses(NamedTuple):
    """A step's losses: the class-balanced cross-entropy (a sum over pixels) and the L2 term."""

    segmentation: tf.Tensor
    l2: tf.Tensor


def class_balanced_loss(logits, labels):
    """Return the class-balanced sigmoid cross-entropy of (B, H, W, 1) logits, *summed* over all pixels, as released.

    Of a batch split over replicas this is one replica's part, with the counts of the whole batch. `labels` are positive
    above 0.5. The cross-entropy of positives is weighted by the batch's share of negatives, and the other way round.
    """
    positive = tf.cast(labels > 0.5, tf.float32)
    total = tf.cast(tf.size(labels) * replicas.count(), tf.float32)
    positives = replicas.total(tf.reduce_sum(positive))
    weights = tf.where(labels > 0.5, (total - positives) / total, positives / total)
    return tf.reduce_sum(weights * tf.nn.sigmoid_cross_entropy_with_logits(positive, logits))


class Adam:
    """Adam in TF1's form, with TF1's fused kernel: `w -= lr_t m / (sqrt(v) + epsilon)`, its state under TF1 names."""

    def __init__(self, variables):
        """Make the slots of `variables`, {TF1 name: variable}."""
        self.variables = variables
        self.slots = {
            f"{name}/{slot}": tf.Variable(tf.zeros(variable.shape), trainable=False)
            for name, variable in variables.items()
            for slot in checkpoints.ADAM_SLOTS
        }
        self.powers = {"beta1_power": tf.Variable(BETA_1), "beta2_power": tf.Variable(BETA_2)}

    def state(self):
        """Return {TF1 name: variable} of everything that a checkpoint needs."""
        return self.slots | self.powers

    def apply(self, gradients, learning_rate):
        """Update the variables; `gradients` is in their order."""
        power_1, power_2 = self.powers.values()
        for (name, variable), gradient in zip(self.variables.items(), gradients, strict=True):
            first, second = (self.slots[f"{name}/{slot}"] for slot in checkpoints.ADAM_SLOTS)
            tf.raw_ops.ResourceApplyAdam(
                var=variable.handle,
                m=first.handle,
                v=second.handle,
                beta1_power=power_1,
                beta2_power=power_2,
                lr=learning_rate,
                beta1=BETA_1,
                beta2=BETA_2,
                epsilon=EPSILON,
                grad=gradient,
            )
        replicas.assign(power_1, power_1 * BETA_1)
        replicas.assign(power_2, power_2 * BETA_2)


class Trainer:
    """A network in training: its variables, the optimizer's, and the step counter.

    Args:
      network: an `Osmn` with float32 variables.
      dropout_seed: integer; a step's dropout is a function of it and of the step. None: no dropout.
    """

    def __init__(self, network, dropout_seed=0):
        self.network = network
        self.step = tf.Variable(0, dtype=tf.int64, trainable=False)
        self._dropout_seed = dropout_seed
        self._execution = devices.choose_execution(training=True)
        named = network.tf1_variables()
        self._trained = {n: v.value for n, v in named.items() if v.trainable}
        self._decays = {n: network.l2_weight(n) for n in named if network.l2_weight(n)}
        self._constant_l2 = sum(network.l2_weight(n) * np.sum(v**2) / 2 for n, v in network.constants().items())
        self._model = {n: v.value for n, v in named.items()}
        self._optimizer = Adam(self._trained)
        self._scaled = network.compute_dtype == "float16"
        self._scale = {"loss_scale": tf.Variable(FIRST_LOSS_SCALE), "loss_scale_steps": tf.Variable(0, dtype=tf.int64)}

    def gradients(self, batch):
        """Return (Losses, logits, gradients of their sum) for a `Sample` batch; the gradients in `trained` order."""
        seed = None
        if self._dropout_seed is not None:
            seed = tf.cast(tf.stack([tf.constant(self._dropout_seed, tf.int64), self.step]), tf.int32)
        execution = dataclasses.replace(self._execution, dropout_seed=seed, part=replicas.part())
        variables = list(self._trained.values())
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(variables)
            logits = self.network(batch.guide, batch.spatial, batch.image, execution=execution)
            loss = class_balanced_loss(logits, batch.label)
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

    def l2(self):
        """Return the L2 term: the sum over convolution kernels, constant ones too, of `weight * sum(w^2) / 2`."""
        return tf.add_n([d * tf.nn.l2_loss(self._model[n]) for n, d in self._decays.items()]) + self._constant_l2

    @tf.function(reduce_retracing=True)
    def train_step(self, batch, learning_rate):
        """Update the network by one batch; return its `Losses` and logits (of the first replica) before the update."""
        losses, logits = tf.distribute.get_strategy().run(self._replica_step, (batch, learning_rate))
        return Losses(*map(replicas.first, losses)), replicas.first(logits)

    def _replica_step(self, batch, learning_rate):
        losses, logits, gradients = self.gradients(batch)
        if self._scaled:
            self._apply_if_finite(gradients, learning_rate)
        else:
            self._optimizer.apply(gradients, learning_rate)
        replicas.assign(self.step, self.step + 1)
        return losses, logits

    def _apply_if_finite(self, gradients, learning_rate):
        """Skip a step whose float16 gradients overflow and halve the loss scale; double it after many that did not."""
        scale, good_steps = self._scale["loss_scale"], self._scale["loss_scale_steps"]
        if tf.reduce_all([tf.reduce_all(tf.math.is_finite(g)) for g in gradients]):
            self._optimizer.apply(gradients, learning_rate)
            grow = good_steps + 1 >= LOSS_SCALE_GROWTH_STEPS
            replicas.assign(scale, tf.where(grow, scale * 2, scale))
            replicas.assign(good_steps, tf.where(grow, tf.zeros_like(good_steps), good_steps + 1))
        else:
            replicas.assign(scale, tf.maximum(scale / 2, 1.0))
            replicas.assign(good_steps, tf.zeros_like(good_steps))

    def weights(self):
        """Return the network's weights, {TF1 name: array}, for `reset`."""
        return {name: variable.numpy() for name, variable in self._model.items()}

    def reset(self, weights):
        """Start anew from `weights`: step 0, a fresh optimizer. Nothing is traced again."""
        for name, variable in self._model.items():
            variable.assign(weights[name])
        for variable in self._optimizer.slots.values():
            variable.assign(tf.zeros_like(variable))
        for variable, value in zip(self._optimizer.powers.values(), (BETA_1, BETA_2), strict=True):
            variable.assign(value)
        self._scale["loss_scale"].assign(FIRST_LOSS_SCALE)
        self._scale["loss_scale_steps"].assign(0)
        self.step.assign(0)

    def state(self):
        """Return {TF1 name: variable} of all that a resumed run needs."""
        state = self._model | self._optimizer.state() | {"global_step": self.step}
        return state | self._scale if self._scaled else state

    def save(self, folder, max_to_keep, finished=False):
        """Write `<folder>/osmn.ckpt-<step>`; if `finished`, without the optimizer's state, two thirds of the size."""
        state = self._finished_state() if finished else self.state()
        # Tensors, not arrays: they share the variables' memory, and copying 2 GB takes longer than writing them.
        values = {name: tf.convert_to_tensor(variable) for name, variable in state.items()} | self.network.constants()
        checkpoints.save_training_checkpoint(folder, int(self.step.numpy()), values, max_to_keep)

    def _finished_state(self):
        return self._model | {"global_step": self.step}

    def restore(self, path, finished=False):
        """Continue from a checkpoint of `save` (or of the published program); a `finished` one gives only weights."""
        state = self._finished_state() if finished else self.state()
        values = checkpoints.load_training_state(path, {name: tuple(v.shape) for name, v in state.items()})
        for name, variable in state.items():
            variable.assign(values[name])


def train(trainer, make_batches, args, folder=None, final=False):
    """Train until `args.training_iters`, resuming from `args.model_save_path` unless `args.restart_training`.

    Args:
      trainer: a Trainer with its initial weights.
      make_batches: (first step, last step) -> iterator over `Sample` batches, a pure function of the step.
      args: the options of `osmn.args.add_training_options`.
      folder: of the checkpoints; `args.model_save_path` by default.
      final: nothing trains the model further: its last checkpoint has no optimizer's state.

    The cases: (1) `--restart_training`, or a final model of fewer steps than are asked for: the folder's checkpoints
    are deleted, step 0; (2) a checkpoint is there: its step, weights and optimizer, but the learning rate asked for
    now; (3) none: step 0.
    """
    folder = Path(folder or args.model_save_path)
    newest = checkpoints.newest_checkpoint(folder)
    anew = args.restart_training  # Then the checkpoint is not even read: it may be damaged.
    finished = final and newest is not None and not anew and not checkpoints.has_optimizer_state(newest)
    if finished and checkpoints.step_of(newest) < args.training_iters:
        print(f"{newest} is a finished model: trained anew to have {args.training_iters} steps")
        anew = True
    chief = replicas.is_chief()
    if newest is not None and anew:
        if chief:
            checkpoints.delete_checkpoints(folder)
    elif newest is not None:
        trainer.restore(newest, finished)
        print(f"resumed from {newest}")
    first = int(trainer.step.numpy())
    if first >= args.training_iters:
        print(f"{newest} has {first} steps already; --training_iters {args.training_iters} asks for no more")
        return
    rate = tf.constant(args.learning_rate)
    bar = tqdm(total=args.training_iters, initial=first, unit="step", dynamic_ncols=True, disable=not chief)
    with bar, Summaries(folder, args) if chief else contextlib.nullcontext() as summaries:
        for step, batch in enumerate(make_batches(first, args.training_iters), first + 1):
            losses, logits = trainer.train_step(batch, rate)
            bar.update()
            last = step == args.training_iters
            shown, saved = (last or step % period == 0 for period in (args.display_iters, args.save_iters))
            if shown or saved:
                require_finite(step, losses)
            if shown and chief:
                report(bar, losses, args)
                summaries.write(step, losses, type(batch)(*map(replicas.first, batch)), logits)
            if saved and chief:
                trainer.save(folder, args.max_to_keep, finished=final and last)
    replicas.wait_for_all()


def require_finite(step, losses):
    """Raise InputError if the loss is not a number: nothing may be saved over good checkpoints then."""
    loss = float(losses.segmentation)
    if not np.isfinite(loss):
        raise InputError(f"the loss is {loss} at step {step}; lower --learning_rate")


def report(bar, losses, args):
    """Show a step's losses and the speed at the progress bar."""
    loss, l2 = float(losses.segmentation), float(losses.l2)
    speed = (bar.format_dict["rate"] or 0) * args.batch_size
    bar.set_postfix_str(f"loss {loss:.1f} L2 {l2:.3f} rate {args.learning_rate:g} {speed:.1f} images/s")


class Summaries:
    """TensorBoard's scalars, and with `--use_image_summary` pictures, in the folder of the checkpoints."""

    def __init__(self, folder, args):
        self._writer = tf.summary.create_file_writer(str(folder))
        self._args = args

    def write(self, step, losses, batch, logits):
        """Write one step's losses and, if asked for, its first sample and prediction."""
        with self._writer.as_default(step):
            tf.summary.scalar("loss/segmentation", losses.segmentation)
            tf.summary.scalar("loss/l2", losses.l2)
            tf.summary.scalar("learning_rate", self._args.learning_rate)
            if self._args.use_image_summary:
                mean, scale = tf.constant(self._args.mean_value), self._args.scale_value
                for name, image in (("guide", batch.guide), ("image", batch.image)):
                    tf.summary.image(name, (image[:1, ..., ::-1] / scale + mean[::-1]) / 255)
                for name, image in (("spatial_guide", batch.spatial), ("label", batch.label)):
                    tf.summary.image(name, image[:1])
                tf.summary.image("prediction", tf.sigmoid(logits[:1]))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._writer.close()
