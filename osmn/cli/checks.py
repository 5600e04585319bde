"""What of a command line can be found wrong before TensorFlow is imported, which takes seconds: paths and lists.

Each check raises the InputError that the work itself would raise later, and nothing here imports TensorFlow. Scripts
call them in the order in which the work would come to it.
"""

import os

from osmn.cli import options
from osmn.data import coco, davis
from osmn.files import locks
from osmn.inference import load
from osmn.models import checkpoint_files
from osmn.models.pretrained import source_files
from osmn.results import layout


def check_model(args):
    """Check the model to segment with, and its configuration against the options that say what it is."""
    load.check_model(args.whole_model_path, options.model_options(args), args.precision, args.engine)


def check_start(args, folder=None, imagenet=None):
    """Check what a training starts from.

    Args:
        args: the parsed command line, with the options of a model.
        folder: of the training's checkpoints, from the newest of which it goes on; None where it does not.
        imagenet: {scope: source} of ImageNet weights, which are read if there is no checkpoint to start from; None
            for a training that starts from random weights then.
    """
    given = options.model_options(args)
    newest, start, config = checkpoint_files.find_start(args.whole_model_path, folder, given)
    if newest or start:
        return
    for scope, source in (imagenet or {}).items():
        if scope != "osmn/modulator" or not config.no_visual_modulator:
            source_files.check_source(source)


def check_stills(data_paths):
    """Check the COCO folders to train on."""
    coco.check_folders(data_paths, "train2017")


def check_validation_videos(args):
    """Check the videos of a validation, if there is to be one."""
    if args.validate_iters:
        davis.complete_annotations(args.validate_path, davis.videos(args.validate_path, *args.validate_split))


def check_results(folder, videos, shard=(0, 1)):
    """Check a folder for the results of `videos`: it can be written, and none of them is read from there."""
    layout.check_places(folder, videos)
    check_folder(folder, shard)


def check_folder(folder, shard=(0, 1)):
    """Check that a folder can be written, and that no other run is writing into it; it stays as it is."""
    if os.environ.get("TF_CONFIG"):
        return  # The other processes of this training may be looking at the same moment.
    with locks.writing(folder, shard):
        pass
