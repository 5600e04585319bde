"""The loop of a training, with its checkpoints, reports and validations."""

import contextlib
import logging
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import tensorflow as tf

from osmn.errors import InputError
from osmn.files import locks
from osmn.inputs.clips import ClipSample
from osmn.inputs.samples import Sample
from osmn.models import checkpoint_files, checkpoints
from osmn.networks import replicas
from osmn.progress import progress_bar
from osmn.training.options import TrainingOptions
from osmn.training.tensorboard import Summaries, report
from osmn.training.trainer import BATCH, Losses, Trainer
from osmn.training.validator import Validator

logger = logging.getLogger(__name__)


def train(
    trainer: Trainer,
    make_batches: Callable[[int, int], Iterable[Sample | ClipSample]],
    options: TrainingOptions,
    folder: Path | str,
    final: bool = False,
    validator: Validator | None = None,
) -> None:
    """Train until `options.training_iters`, resuming from the newest checkpoint in `folder`.

    At the end the network has the average of its weights, if the trainer keeps an average.

    Args:
        trainer: a Trainer with its initial weights.
        make_batches: (first step, last step) -> iterable of `Sample` batches, a pure function of the step, such as
            `pipeline.Pipeline.batches`.
        options: `TrainingOptions`.
        folder: of the checkpoints and TensorBoard's summaries.
        final: nothing trains the model further: its last checkpoint has no optimizer's state.
        validator: a `validator.Validator`, asked at each `validate_iters`-th step and at the last; None: no validation.

    The training starts as follows:

    1. `restart_training`, or a final model of fewer steps than are asked for: the folder's checkpoints are deleted; the
       training starts at step 0.
    2. There is a checkpoint: the training takes its step, weights and optimizer, but the learning rate asked for now.
    3. There is no checkpoint: the training starts at step 0.

    Raises:
        InputError: if the folder cannot be written, or if another run is writing into it.
    """
    if not replicas.is_chief():
        _train(trainer, make_batches, options, Path(folder), final, validator)
        return
    with locks.writing(folder):
        checkpoints.remove_parts(folder)
        _train(trainer, make_batches, options, Path(folder), final, validator)


def _train(
    trainer: Trainer,
    make_batches: Callable[[int, int], Iterable[Sample | ClipSample]],
    options: TrainingOptions,
    folder: Path,
    final: bool,
    validator: Validator | None,
) -> None:
    newest = checkpoint_files.newest_checkpoint(folder)
    anew = options.restart_training  # Then the checkpoint is not even read: it may be damaged.
    finished = False
    if final and newest is not None and not anew and not checkpoints.has_optimizer_state(newest):
        finished = checkpoint_files.step_of(newest) >= options.training_iters
        if not finished:
            logger.info(f"{newest} is a finished model: trained anew to have {options.training_iters} steps")
            anew = True
    if newest is not None and anew:
        if replicas.is_chief():
            for place in (folder, folder / checkpoint_files.BEST):
                checkpoints.delete_checkpoints(place)
    elif newest is not None:
        trainer.restore(newest, finished)
        logger.info(f"resumed from {newest}")
    first = int(trainer.step.numpy())
    if first < options.training_iters:
        _train_steps(trainer, make_batches(first, options.training_iters), first, options, folder, final, validator)
    elif first:
        logger.info(
            f"{newest} has {first} steps already, and {options.training_iters} are asked for: it stays as it is"
        )
    else:
        logger.info(f"--training_iters {options.training_iters}: no training, the weights stay as they are")
    if not finished:
        trainer.use_average()


def _train_steps(
    trainer: Trainer,
    batches: Iterable[Sample | ClipSample],
    first: int,
    options: TrainingOptions,
    folder: Path,
    final: bool,
    validator: Validator | None,
) -> None:
    """Train on the batches of the steps from `first` on, with reports, summaries, validations and checkpoints."""
    chief, last = replicas.is_chief(), options.training_iters
    spec = getattr(batches, "element_spec", BATCH)
    untraced = None if trainer.is_traced else 1
    bar = progress_bar(total=last, initial=first, prepared_after=untraced, unit="step", disable=not chief)
    pictured = trainer.network.config if options.use_image_summary else None
    with bar, Summaries(folder, pictured) if chief else contextlib.nullcontext() as summaries:
        for step, batch in enumerate(batches, first + 1):
            rate = options.rate(step - 1)
            losses, logits = trainer.train_step(batch, tf.constant(rate), spec)
            bar.update()
            intervals = options.display_iters, options.save_iters, options.validate_iters if validator else 0
            shown, saved, validated = (n > 0 and (step == last or step % n == 0) for n in intervals)
            if shown or saved or validated:
                require_finite(step, losses)
            if shown and summaries is not None:
                report(bar, losses, rate, logits.shape[0] * replicas.count())
                summaries.write(step, losses, rate, type(batch)(*map(replicas.first, batch)), logits)
            if validated and validator is not None and summaries is not None:
                # Before the checkpoint: a run that goes on from the checkpoint does not validate this step again.
                figures = validator.validate(trainer, folder)
                summaries.write_scalars(step, {f"validation/{name}": value for name, value in figures.items()})
                bar.write(f"step {step}: " + ", ".join(f"{name} {value:.3f}" for name, value in figures.items()))
            if saved and chief:
                trainer.save(folder, options.max_to_keep, finished=final and step == last)
    replicas.wait_for_all()


def require_finite(step: int, losses: Losses) -> None:
    """Raise InputError if the loss is not finite, before anything is saved over good checkpoints."""
    loss = float(losses.segmentation)
    if not np.isfinite(loss):
        raise InputError(f"the loss is {loss} at step {step}; lower --learning_rate")
