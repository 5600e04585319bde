"""A training run: a model is trained on samples as a `TrainingRun` says."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from osmn.config import ModelConfig
from osmn.errors import InputError, in_short
from osmn.files import sealed_json
from osmn.files.atomic import named_write_errors, replacing
from osmn.files.overlap import refuse_inputs_inside_outputs
from osmn.inputs.click_samples import ClickPipeline
from osmn.inputs.pipeline import Pipeline
from osmn.inputs.sources import Source
from osmn.models import checkpoint_files, tensorflow_model
from osmn.models.memory import check_images
from osmn.networks import replicas
from osmn.training import loop
from osmn.training.click_feedback import ClickTrainer
from osmn.training.options import TrainingOptions, TrainingRun, Validation
from osmn.training.predicted_masks import OwnMasks
from osmn.training.trainer import Trainer
from osmn.training.validator import Validator

OPTIONS = "options.json"  # In the folder of the checkpoints: the options that they were trained with.
# A run may go on at another rate, and for more steps; the seed of dropout is the seed.
FREE = ("learning_rate", "lr_schedule", "warmup_iters", "training_iters", "dropout_seed")


def train(
    run: TrainingRun, model: tensorflow_model.Model, sources: Sequence[Source], final: bool = False
) -> tensorflow_model.Model:
    """Train a model; return it as the model to test, see `tensorflow_model.trained`.

    Args:
        run: `TrainingRun`.
        model: `Model`, from `tensorflow_model.new_for_training`.
        sources: of the samples.
        final: nothing trains the model further; see `loop.train`.

    Raises:
        InputError: if options contradict each other, if the machine lacks the memory, or if checkpoints to be deleted
            belong to the model that the training starts from; and as `loop.train` raises it.
    """
    made = run.pipeline
    clicks = model.config.kind.clicks
    make_pipeline = ClickPipeline if clicks else Pipeline
    batches = make_pipeline(sources, model.network.config, made, replicas.distribute).batches
    followed = "--own_masks" if made.own_masks else "--unroll" if made.unroll > 1 else ""
    if followed and model.config.no_spatial_modulator:
        raise InputError(
            f"{followed} does nothing for a network without spatial modulator (--no_spatial_modulator);"
            " leave one of them out"
        )
    if run.training.restart_training:
        folder = Path(run.model_save_path)
        folders = folder, folder / checkpoint_files.BEST
        deleted = [prefix for each in folders for prefix in checkpoint_files.list_checkpoints(each)]
        refuse_inputs_inside_outputs(
            model.files, [file for prefix in deleted for file in checkpoint_files.model_files(prefix)]
        )
    check_images(model.config, made.im_size, made.batch_size)
    kept = {**run.identity_options, "precision": model.precision}
    keep_options(run.model_save_path, kept, run.training, run.change)
    validator = _validator(model.config, run.validation)
    own_masks = OwnMasks(made.own_masks, made.seed, made.augmentation, made.damaged_masks) if followed else None
    make_trainer = ClickTrainer if clicks else Trainer
    trainer = make_trainer(model.network, run.trainer, own_masks)
    loop.train(trainer, batches, run.training, run.model_save_path, final, validator)
    return tensorflow_model.trained(model, run.model_save_path)


def keep_options(
    folder: Path | str, options: Mapping[str, Any], training: TrainingOptions, change: Collection[str] = ()
) -> None:
    """Write the options of a training beside its checkpoints in `folder`.

    Args:
        folder: of the checkpoints.
        options: {name: value} of what changes the trained weights; those in `FREE` are left out.
        training: how long it trains, and whether it begins anew.
        change: names of options that may differ from those of the checkpoints that the training goes on from.

    Raises:
        InputError: if these checkpoints were trained with other options, which it names.
    """
    folder = Path(folder)
    path = folder / OPTIONS
    now: dict[str, Any] = sealed_json.from_json(
        sealed_json.to_json({name: value for name, value in options.items() if name not in FREE})
    )
    unknown = [name for name in change if name not in now]
    if unknown:
        raise InputError(f"--change {unknown[0]} is none of the options that are kept: {', '.join(sorted(now))}")
    newest = None if training.restart_training else checkpoint_files.newest_checkpoint(folder)
    if newest and checkpoint_files.step_of(newest) >= training.training_iters:
        return  # There is nothing to train.
    if newest and path.is_file():
        try:
            before = sealed_json.from_json(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise InputError(f"{path} cannot be read ({in_short(error)}); remove it to train on without it") from None
        differing = [name for name in now if name in before and before[name] != now[name] and name not in change]
        if differing:
            was = ", ".join(f"{name} {before[name]} instead of {now[name]}" for name in differing)
            raise InputError(
                f"{folder} has been trained with {was}; give --change {' '.join(differing)} to go on all the same, or"
                " another --model_save_path"
            )
    if replicas.is_chief():
        with named_write_errors(path), replacing(path) as temporary:
            temporary.write_text(sealed_json.to_json(now), encoding="utf-8")


def _validator(config: ModelConfig, validation: Validation | None) -> Validator | None:
    """Return the `Validator` of a `Validation`, whose folder and split have been chosen; None for no validation."""
    if validation is None:
        return None
    if validation.validate_path is None or validation.validate_split is None:
        raise ValueError("a validation needs validate_path and validate_split")
    version, split = validation.validate_split
    return Validator(config, validation.validate_path, version, split)
