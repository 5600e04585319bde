"""Checks of a command line's paths and lists before TensorFlow is imported, which takes seconds.

Each check raises the InputError that the work itself would raise later, and nothing here imports TensorFlow. Scripts
call the checks in the order in which the work would raise their errors.
"""

import argparse
import os
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from osmn.cli import cluster, options
from osmn.data import coco, davis
from osmn.data.folders import Folders
from osmn.data.types import Video
from osmn.errors import InputError
from osmn.files import locks
from osmn.models import checkpoint_files
from osmn.models.pretrained import source_files
from osmn.models.start import StartOptions
from osmn.results import layout
from osmn.training.options import Validation


def check_cluster() -> None:
    """Check the machines that `TF_CONFIG` names for a training, if it names any."""
    cluster.check(os.environ.get("TF_CONFIG"))


def check_model(args: argparse.Namespace) -> None:
    """Check the model to segment with, and that its configuration agrees with the options of parsed arguments."""
    options.check_user_model(args)


def check_start(start: StartOptions) -> None:
    """Check what a training starts from: its checkpoint, or its ImageNet weights if it reads them."""
    newest, other, config = checkpoint_files.find_start(start.whole_model_path, start.folder, start.given)
    if start.backbone and not newest and not other:
        checkpoint_files.find_checkpoint(start.backbone)
    if newest or other or start.pretrained is None:
        return
    if not config.no_visual_modulator:
        source_files.check_source(start.pretrained.vis_mod_model_path)
    source_files.check_source(start.pretrained.seg_model_path)


def check_more_videos(more: Iterable[Sequence[str]]) -> None:
    """Check further folders of videos to train on, (folder of frames, folder of masks) each."""
    for frames, masks in more:
        _ = Folders(Path(frames), Path(masks)).names


def check_stills(data_paths: Sequence[str]) -> None:
    """Check the COCO folders to train on."""
    coco.check_folders(data_paths, "train2017")


def check_validation_videos(validation: Validation) -> None:
    """Check the videos of a `Validation`; without a folder and a split there is no validation, and nothing to check."""
    if validation.validate_split and validation.validate_path:
        videos = davis.videos(validation.validate_path, *validation.validate_split)
        davis.complete_annotations(validation.validate_path, videos)


def check_results(folder: Path | str, videos: Collection[Video], shard: tuple[int, int] = (0, 1)) -> None:
    """Check that a folder for the results of `videos` can be written, and that no video is read from there.

    Also check that all files of the videos are there: a missing one would be found when its turn comes, maybe hours
    later.
    """
    layout.check_places(folder, videos)
    missing = [path for video in videos for path in video.files if not path.exists()]
    if missing:
        others = f", nor do {len(missing) - 1} other files of these videos" if missing[1:] else ""
        raise InputError(f"{missing[0]} does not exist{others}; complete the dataset")
    check_folder(folder, shard)


def check_folder(folder: Path | str, shard: tuple[int, int] = (0, 1)) -> None:
    """Check that a folder can be written, and that no other run is writing into it; the folder does not change."""
    if os.environ.get("TF_CONFIG"):
        return  # The other processes of this training may check the folder at the same moment.
    with locks.writing(folder, shard):
        pass
