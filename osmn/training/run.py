"""A training run: a model is trained on samples as its `TrainingRun` says."""

from pathlib import Path

from osmn.errors import InputError
from osmn.files.overlap import refuse_inputs_inside_outputs
from osmn.inference.memory import check_images
from osmn.inputs.pipeline import Pipeline
from osmn.models import checkpoint_files, tensorflow_model
from osmn.training import loop
from osmn.training.predicted_masks import OwnMasks
from osmn.training.trainer import Trainer
from osmn.training.validator import Validator


def train(run, model, sources, final=False):
    """Train a model; return it as the one to test.

    Args:
        run: `TrainingRun`.
        model: `Model`, from `tensorflow_model.new_for_training`.
        sources: list of `Source`.
        final: nothing trains the model further; see `loop.train`.
    """
    made = run.pipeline
    batches = Pipeline(sources, model.network.config, made).batches
    if made.own_masks and model.config.no_spatial_modulator:
        raise InputError(
            "--own_masks does nothing for a network without spatial modulator (--no_spatial_modulator);"
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
    videos = run.validation
    validator = Validator(model.config, videos.validate_path, *videos.validate_split) if videos else None
    own_masks = OwnMasks(made.own_masks, made.seed, made.augmentation) if made.own_masks else None
    trainer = Trainer(model.network, run.trainer, own_masks)
    loop.train(trainer, batches, run.training, run.model_save_path, final, validator)
    return tensorflow_model.trained(model, run.model_save_path)
