"""Options of training. Nothing here imports TensorFlow."""

import dataclasses
from dataclasses import field
from typing import Any

from osmn.errors import InputError, argument
from osmn.inputs.options import PipelineOptions
from osmn.options import below_one, davis_split, identity, non_negative, option, positive
from osmn.training.schedule import SCHEDULES, learning_rate

LOSSES = ("balanced", "jaccard", "focal")


@dataclasses.dataclass(frozen=True)
class TrainerOptions:
    """What a step computes, with the names and published defaults of the command line.

    Attributes:
        dropout_seed: integer; a step's dropout is a function of it and of the step. None: no dropout.
        loss: one of `LOSSES`.
        fix_bn: batch norm normalizes by its moving statistics.
        fix_seg: of the segmentation net only the last layer is trained.
        ema: decay, 0 to below 1, of the average of the weights that is kept beside the weights; None for no average.
    """

    dropout_seed: int | None = 0
    loss: str = field(
        default="balanced",
        metadata=option("balanced: as published; jaccard: masks nearer to the true size; focal: edges", choices=LOSSES),
    )
    fix_bn: bool = field(default=False, metadata=option("batch norm always uses its moving statistics"))
    fix_seg: bool = field(default=False, metadata=option("freeze the segmentation net but its last layer"))
    ema: float | None = field(
        default=None,
        metadata=option(
            "keep an average of the weights, for testing and export (try 0.998)", below_one, metavar="DECAY"
        ),
    )


@dataclasses.dataclass(frozen=True)
class TrainingOptions:
    """How long a run trains, how fast, and what it saves, with the names and defaults of the command line.

    Attributes:
        training_iters: steps in all, including those before the run was resumed.
        learning_rate: of Adam.
        lr_schedule: one of `schedule.SCHEDULES`.
        warmup_iters: steps over which the rate rises to `learning_rate`.
        save_iters: steps between checkpoints.
        validate_iters: steps between validations; 0 for none.
        max_to_keep: checkpoints kept.
        display_iters: steps between reports of the loss.
        use_image_summary: write samples and predictions to TensorBoard.
        restart_training: ignore the checkpoints in the folder.
    """

    training_iters: int = field(default=200000, metadata=option("steps in all, resumed ones too", non_negative(int)))
    learning_rate: float = field(default=1e-5, metadata=option("of Adam; the loss is a sum of pixels", positive(float)))
    lr_schedule: str = field(
        default="constant",
        metadata=option("constant: as published; cosine: the rate falls to 0 at --training_iters", choices=SCHEDULES),
    )
    warmup_iters: int = field(
        default=0, metadata=option("steps over which the rate rises to --learning_rate", non_negative(int))
    )
    save_iters: int = field(
        default=1000, metadata=option("steps between checkpoints", positive(int), changes_results=False)
    )
    validate_iters: int = field(
        default=0,
        metadata=option(
            "steps between validations: J, area and gain to TensorBoard, the best checkpoint by J to "
            "MODEL_SAVE_PATH/best; 0: none",
            non_negative(int),
            changes_results=False,
        ),
    )
    max_to_keep: int = field(default=2, metadata=option("checkpoints kept", positive(int), changes_results=False))
    display_iters: int = field(
        default=20, metadata=option("steps between reports of the loss", positive(int), changes_results=False)
    )
    use_image_summary: bool = field(
        default=False, metadata=option("write samples and predictions to TensorBoard", changes_results=False)
    )
    restart_training: bool = field(
        default=False, metadata=option("ignore the checkpoints in --model_save_path", changes_results=False)
    )

    def rate(self, step: int) -> float:
        """Return the learning rate of step `step`, from 0."""
        return learning_rate(step, self.learning_rate, self.lr_schedule, self.warmup_iters, self.training_iters)


@dataclasses.dataclass(frozen=True)
class Validation:
    """The annotated videos that are segmented during training: a split of a DAVIS folder.

    Attributes:
        validate_path: the folder; None for a folder that the script chooses.
        validate_split: (version, split): `ImageSets/<version>/<split>.txt` of the folder; None for no validation.
    """

    validate_path: str | None = field(default=None, metadata=option("DAVIS folder of the videos"))
    validate_split: tuple[int, str] | None = field(
        default=None,
        metadata=option("ImageSets/VERSION/SPLIT.txt of that folder", davis_split, metavar="VERSION/SPLIT"),
    )


@dataclasses.dataclass(frozen=True)
class BoundaryData:
    """What the boundary net learns from.

    Attributes:
        videos: (folder of frames, folder of masks, folder of results with score files) of each dataset, as
            `data.folders` reads them.
        list: of each dataset a text file with the names of the videos; empty for all that have masks.
    """

    videos: tuple[list[str], ...] = field(
        default=(),
        metadata=option(
            "folders of frames, of masks (doc/datasets.md) and of results with score files (--save_score) of videos;"
            " several times for several datasets",
            nargs=3,
            metavar=("FRAMES", "MASKS", "SCORES"),
            repeated=True,
        ),
    )
    list: tuple[str, ...] = field(
        default=(),
        metadata=option(
            "text file with the names of the videos of --videos (default: all that have masks); once for each --videos",
            metavar="FILE",
            repeated=True,
        ),
    )

    def __post_init__(self) -> None:
        if self.list and len(self.list) != len(self.videos):
            raise InputError(
                f"{argument('list')} is given for {len(self.list)} of {len(self.videos)} {argument('videos')}; give one"
                " for each, in their order"
            )


@dataclasses.dataclass(frozen=True)
class RehearsalOptions:
    """Which training videos are mixed into online fine-tuning, so that a model keeps what it knows.

    Attributes:
        rehearsal_share: of all samples, 0 to below 1.
        rehearsal_path: DAVIS folder of the videos; None for a folder that the script chooses.
        rehearsal_split: (version, split) of that folder; None for a split that the script chooses.
    """

    rehearsal_share: float = field(
        default=0.0,
        metadata=option(
            "of samples from training videos, so that the model keeps what it knows; 0: none, as published (try 0.75)",
            below_one,
            metavar="SHARE",
        ),
    )
    rehearsal_path: str | None = field(
        default=None, metadata=option("DAVIS folder of the videos; DATA_PATH where not given")
    )
    rehearsal_split: tuple[int, str] | None = field(
        default=None,
        metadata=option(
            "ImageSets/VERSION/SPLIT.txt of that folder; DATA_VERSION/train where not given",
            davis_split,
            metavar="VERSION/SPLIT",
        ),
    )


@dataclasses.dataclass(frozen=True)
class TrainingRun:
    """All options of a training run.

    Attributes:
        training: `TrainingOptions`.
        pipeline: `PipelineOptions`.
        model_save_path: folder of the checkpoints.
        trainer: `TrainerOptions`.
        validation: `Validation`, for `training.validate_iters`, with folder and split; None for no validation.
        change: names of options that may differ from those that the checkpoints in the folder were trained with.
    """

    training: TrainingOptions
    pipeline: PipelineOptions
    model_save_path: str = field(
        metadata=option("folder of the checkpoints and TensorBoard's summaries", changes_results=False)
    )
    trainer: TrainerOptions = TrainerOptions()
    validation: Validation | None = None
    change: tuple[str, ...] = field(
        default=(),
        metadata=option(
            "names of options that may differ from those that the checkpoints in --model_save_path were trained with",
            nargs="+",
            metavar="OPTION",
            changes_results=False,
        ),
    )

    @property
    def identity_options(self) -> dict[str, Any]:
        """{option: value} of the options that change the trained weights."""
        parts = self.trainer, self.training, self.pipeline, self.pipeline.augmentation
        return {name: value for part in parts for name, value in identity(part).items()}
