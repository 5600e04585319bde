"""A training run: how a model is trained, on which samples, and where its checkpoints are."""

import dataclasses
from pathlib import Path

from osmn.errors import InputError
from osmn.files.overlap import refuse_inputs_inside_outputs
from osmn.inference.memory import check_images
from osmn.inputs.pipeline import Pipeline, PipelineOptions
from osmn.models import checkpoint_files, tensorflow_model
from osmn.training.loop import TrainingOptions, train
from osmn.training.predicted_masks import OwnMasks
from osmn.training.trainer import Trainer
from osmn.training.validator import Validator

UNIMPORTANT = (
    "save_iters",
    "validate_iters",
    "max_to_keep",
    "display_iters",
    "use_image_summary",
    "restart_training",
    "num_loader",
)


@dataclasses.dataclass(frozen=True)
class TrainingRun:
    """All options of a training run.

    Attributes:
        trainer: {argument: value} of `trainer.Trainer`.
        training: `loop.TrainingOptions`.
        pipeline: `pipeline.PipelineOptions`.
        model_save_path: folder of the checkpoints.
        validation: (DAVIS folder, version, split) of the videos for `training.validate_iters`; None for none.
    """

    trainer: dict
    training: TrainingOptions
    pipeline: PipelineOptions
    model_save_path: str
    validation: tuple | None = None

    def train(self, model, sources, final=False):
        """Train a `Model`, from `new_for_training`, on a list of `Source`s; return it as the one to test.

        `final`: nothing trains it further; see `loop.train`.
        """
        batches = Pipeline(sources, model.network.config, self.pipeline).batches
        if self.pipeline.own_masks and model.config.no_spatial_modulator:
            raise InputError(
                "--own_masks does nothing for a network without spatial modulator (--no_spatial_modulator);"
                " leave one of them out"
            )
        if self.training.restart_training:
            folder = Path(self.model_save_path)
            folders = folder, folder / checkpoint_files.BEST
            deleted = [prefix for each in folders for prefix in checkpoint_files.list_checkpoints(each)]
            refuse_inputs_inside_outputs(
                model.files, [file for prefix in deleted for file in checkpoint_files.model_files(prefix)]
            )
        check_images(model.config, self.pipeline.im_size, self.pipeline.batch_size)
        validator = Validator(model.config, *self.validation) if self.validation else None
        made = self.pipeline
        own_masks = OwnMasks(made.own_masks, made.seed, made.augmentation) if made.own_masks else None
        trainer = Trainer(model.network, **self.trainer, own_masks=own_masks)
        train(trainer, batches, self.training, self.model_save_path, final, validator)
        return tensorflow_model.trained(model, self.model_save_path)

    def that_change_results(self):
        """Return {option: value} of the options that change the trained weights."""
        options = self.trainer | dataclasses.asdict(self.training) | dataclasses.asdict(self.pipeline)
        options |= options.pop("augmentation")
        return {name: value for name, value in options.items() if name not in UNIMPORTANT}
