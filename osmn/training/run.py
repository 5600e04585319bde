"""A training run: a model is trained on samples as a `TrainingRun` says."""

from collections.abc import Sequence
from pathlib import Path

from osmn.config import ModelConfig
from osmn.errors import InputError
from osmn.files.overlap import refuse_inputs_inside_outputs
from osmn.inputs.click_samples import ClickPipeline
from osmn.inputs.pipeline import Pipeline
from osmn.inputs.sources import Source
from osmn.models import checkpoint_files, tensorflow_model
from osmn.models.memory import check_images
from osmn.networks import replicas
from osmn.training import loop
from osmn.training.click_feedback import ClickTrainer
from osmn.training.options import TrainingRun, Validation
from osmn.training.predicted_masks import OwnMasks
from osmn.training.trainer import Trainer
from osmn.training.validator import Validator


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
    validator = _validator(model.config, run.validation)
    own_masks = OwnMasks(made.own_masks, made.seed, made.augmentation, made.damaged_masks) if followed else None
    make_trainer = ClickTrainer if clicks else Trainer
    trainer = make_trainer(model.network, run.trainer, own_masks)
    loop.train(trainer, batches, run.training, run.model_save_path, final, validator)
    return tensorflow_model.trained(model, run.model_save_path)


def _validator(config: ModelConfig, validation: Validation | None) -> Validator | None:
    """Return the `Validator` of a `Validation`, whose folder and split have been chosen; None for no validation."""
    if validation is None:
        return None
    if validation.validate_path is None or validation.validate_split is None:
        raise ValueError("a validation needs validate_path and validate_split")
    version, split = validation.validate_split
    return Validator(config, validation.validate_path, version, split)
