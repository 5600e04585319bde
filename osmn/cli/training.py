"""The options of training that scripts share, in groups, and reading them."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from osmn.cli.options import Determinism, model_options, use_devices
from osmn.cli.parser import Parser, read
from osmn.config import NETWORKS, ModelConfig
from osmn.errors import InputError
from osmn.inputs.options import Augmentation, PipelineOptions, VideoSamples
from osmn.models.start import ImageNetWeights, StartOptions
from osmn.options import declared
from osmn.training.options import RehearsalOptions, TrainerOptions, TrainingOptions, TrainingRun, Validation

if TYPE_CHECKING:  # TensorFlow takes seconds to import.
    from osmn.inputs.sources import Source
    from osmn.models.tensorflow_model import Model


def add_training_options(to: Parser, data_aug_scales: tuple[float, ...]) -> None:
    """Add the options of training and of its samples."""
    group = to.group("training")
    group.add(TrainingRun, "model_save_path")
    group.add(PipelineOptions, "batch_size")
    group.add(TrainingOptions, "training_iters", "learning_rate", "lr_schedule", "warmup_iters")
    group.add(TrainerOptions, "loss", "ema")
    group.add(TrainingOptions, "save_iters", "max_to_keep", "display_iters", "use_image_summary", "restart_training")
    group.add(TrainerOptions, "fix_bn", "fix_seg")
    group.add(PipelineOptions, "num_loader", "seed")
    group.add(Determinism)
    group = to.group("augmentation")
    group.add(PipelineOptions, "data_aug_scales", data_aug_scales=data_aug_scales)
    group.add(Augmentation, "vg_random_crop_ratio", "vg_random_rotate_angle")
    group.add_rest(Augmentation, without=["random_crop_ratio"])  # Only still images are cropped.


def add_change_option(to: Parser) -> None:
    """Add the option of a training that goes on with other options than those of its checkpoints."""
    to.add(TrainingRun, "change")


def add_validation_options(to: Parser, default_path: str = "") -> None:
    """Add the options of validation during training; `default_path` says, in words, where its videos are by default."""
    group = to.group("validation, on annotated videos that are not trained on")
    group.add(TrainingOptions, "validate_iters")
    about = declared(Validation)["validate_path"][0].help
    group.add(Validation, "validate_path", help=f"{about}; {default_path} where not given" if default_path else about)
    group.add(Validation, "validate_split")


def add_distractor_options(to: Parser, videos: bool = True) -> None:
    """Add the options of augmentations that the published program lacks; with `videos`, also those of videos."""
    group = to.group("augmentation beyond the published one")
    group.add(PipelineOptions, "distractors", "own_masks", "unroll", "occluders", "damaged_masks", "look_alikes")
    group.add(PipelineOptions, "negative_pairs")
    if videos:
        group.add(VideoSamples, "longest_gap", "flip_target")


def add_more_videos_options(to: Parser) -> None:
    """Add the options of training on videos of several datasets."""
    to.group("more videos among the samples").add(VideoSamples, "more_videos", "video_shares")


def add_coco_mixing_options(to: Parser) -> None:
    """Add the options of mixing still images into a training on videos."""
    group = to.group("still images among the videos' frames")
    group.add(VideoSamples, "coco_path", "coco_share", "skip_bad_annotations")
    group.add(Augmentation, "random_crop_ratio")


def add_rehearsal_options(to: Parser, which: str = "the split train", choice: bool = False) -> None:
    """Add the options of mixing training videos into online fine-tuning.

    `which` names the videos in words; with `choice`, options choose them.
    """
    group = to.group("rehearsal: training videos beside the reference frame")
    about = declared(RehearsalOptions)["rehearsal_share"][0].help
    group.add(RehearsalOptions, "rehearsal_share", help=about.replace("training videos", which))
    if choice:
        group.add(RehearsalOptions, "rehearsal_path", "rehearsal_split")


def add_imagenet_options(to: Parser) -> None:
    """Add the options of the initial weights for training from ImageNet."""
    group = to.group("initial weights")
    group.add(ImageNetWeights)
    group.add(StartOptions, "embedding_start")


def add_guide_choice_options(to: Parser) -> None:
    """Add the options of the visual guide's frame in training on videos."""
    to.group("guide frames").add(VideoSamples, "randomize_guide", "label_valid_ratio", "bbox_valid_ratio")


def start_options(args: argparse.Namespace, **more: Any) -> StartOptions:
    """Return the `StartOptions` that parsed arguments give, of a training that continues in its folder.

    `more` is {field: value} of fields that get another value.
    """
    folder = None if args.restart_training else args.model_save_path
    fixed = {"im_size": tuple(args.im_size), "given": model_options(args), "folder": folder}
    return read(args, StartOptions, **fixed | more)


def training_run(args: argparse.Namespace, validate_path: str | None = None) -> TrainingRun:
    """Return the `TrainingRun` that parsed arguments give; options that a script does not take keep their defaults.

    `validate_path` is the DAVIS folder of the videos of validation, if the arguments give no folder.
    """
    training = read(args, TrainingOptions)
    return TrainingRun(
        training,
        read(args, PipelineOptions, augmentation=read(args, Augmentation)),
        args.model_save_path,
        read(args, TrainerOptions, dropout_seed=args.seed),
        validation(args, validate_path) if training.validate_iters else None,
        tuple(args.change) if "change" in args else (),
    )


def check_samples(args: argparse.Namespace) -> None:
    """Raise InputError for options of samples that contradict each other, or do nothing."""
    read(args, PipelineOptions, augmentation=read(args, Augmentation))


def new_model(args: argparse.Namespace, start: StartOptions) -> Model:
    """Return the model that a training begins with, and say what it is; its devices are in use (`use_devices`)."""
    from osmn.models import tensorflow_model

    model = tensorflow_model.new_for_training(start)
    print(model.summary(args.im_size))
    return model


def train(
    args: argparse.Namespace,
    start: StartOptions,
    find_sources: Callable[[], list[Source]],
    validate_path: str | None = None,
) -> Model | None:
    """Train on the devices that parsed arguments name; return the model to test.

    Args:
        args: the parsed arguments.
        start: what the training starts from.
        find_sources: returns the sources of the samples, in the scope of the devices.
        validate_path: see `training_run`.

    Returns:
        The model, or None where another process of the training, on another machine, is the one that goes on with it.
    """
    use_devices(args)
    from osmn.networks import replicas
    from osmn.training import run

    with replicas.strategy().scope():
        model = new_model(args, start)
        if model.path is None and start.pretrained is None and not start.backbone:
            print("no --whole_model_path: training starts from random weights")
        trained = run.train(training_run(args, validate_path), model, find_sources())
        return trained if replicas.is_chief() else None


def validation(args: argparse.Namespace, validate_path: str | None = None) -> Validation:
    """Return the `Validation` that parsed arguments give; its folder is `validate_path` if they give no folder.

    Raises InputError if an option of validation is missing, or if options of validation do nothing.
    """
    found = read(args, Validation)
    found = dataclasses.replace(found, validate_path=found.validate_path or validate_path)
    if args.validate_iters:
        missing = [f"--{name}" for name, value in vars(found).items() if not value]
        if missing:
            raise InputError(f"{' and '.join(missing)} must be given")
    elif found.validate_split or found.validate_path != validate_path:
        raise InputError("--validate_path and --validate_split do nothing without --validate_iters; give it too")
    return found


def rehearsal(args: argparse.Namespace, videos: str | None = None, version: int | None = None) -> RehearsalOptions:
    """Return the `RehearsalOptions` that parsed arguments give.

    By default the videos are those of the folder `videos`, of the split train of its `version`. Raises InputError for
    options of rehearsal that do nothing.
    """
    found = read(args, RehearsalOptions)
    if not found.rehearsal_share and (found.rehearsal_path or found.rehearsal_split):
        raise InputError("--rehearsal_path and --rehearsal_split do nothing without --rehearsal_share; give it too")
    split = found.rehearsal_split or (None if version is None else (version, "train"))
    return dataclasses.replace(found, rehearsal_path=found.rehearsal_path or videos, rehearsal_split=split)


def check_embedding_start(args: argparse.Namespace) -> None:
    """Raise InputError for an `--embedding_start` that does nothing."""
    if args.embedding_start == "published":
        return
    given = model_options(args)
    kind = NETWORKS[given.get("base_model", ModelConfig.base_model)]
    if not kind.small_embedding or "no_visual_modulator" in given:
        raise InputError(f"--embedding_start {args.embedding_start} is for the visual modulator of --base_model lite")
    if args.whole_model_path:
        raise InputError(
            f"--embedding_start {args.embedding_start} does nothing to the weights of --whole_model_path; leave one out"
        )
