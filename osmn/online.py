"""Online fine-tuning: each object's own network, trained on its reference frame, segments its video."""

import dataclasses
from pathlib import Path

from tqdm import tqdm

from osmn import files, manifest, models, pipeline, results, segmenting, training
from osmn.data.types import reference_example, shard_of


@dataclasses.dataclass(frozen=True)
class FinetuningOptions:
    """How each object's network is trained.

    Attributes:
        trainer: {argument: value} of `training.Trainer`.
        training: `training.TrainingOptions`.
        pipeline: `pipeline.PipelineOptions`.
        augmentation: `samples.Augmentation`.
        model_save_path: folder of the objects' checkpoints, `<video>[/<id>]/osmn.ckpt-<step>`.
    """

    trainer: dict
    training: training.TrainingOptions
    pipeline: pipeline.PipelineOptions
    augmentation: tuple
    model_save_path: str

    def that_change_results(self):
        """Return {option: value} of the options that change the trained weights."""
        ...


def finetune_and_segment(model, videos, options, testing, origin):
    """Finetune a model on each object of the shard's share of `videos`, and write the object's results.

    Every object starts from the weights that the model has now, restored in memory: one network, traced once. An
    interrupted run goes on with the first unfinished object; so that objects can be merged then, their probabilities
    are kept on disk until the video's last object is done.

    Args:
        model: `models.Model`, from `models.begin`.
        videos: list of `Video`.
        options: FinetuningOptions.
        testing: `segmenting.TestingOptions`.
        origin: {option: value} of where the videos come from.
    """
