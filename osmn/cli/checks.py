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
from osmn.parallel import processes_in_cluster
from osmn.results import layout


def check_cluster():
    """Check the machines that `TF_CONFIG` names for a training, if there are any."""
    processes_in_cluster(os.environ.get("TF_CONFIG"))


def check_model(args):
    """Check the model to segment with, and its configuration against the options that say what it is."""
    load.check_model(args.whole_model_path, options.model_options(args), args.precision, args.engine)


def check_start(start):
    """Check what a training starts from, its `StartOptions`: a checkpoint, or ImageNet weights where it reads them."""
    newest, other, config = checkpoint_files.find_start(start.whole_model_path, start.folder, start.given)
    if newest or other or start.pretrained is None:
        return
    if not config.no_visual_modulator:
        source_files.check_source(start.pretrained.vis_mod_model_path)
    source_files.check_source(start.pretrained.seg_model_path)


def check_stills(data_paths):
    """Check the COCO folders to train on."""
    coco.check_folders(data_paths, "train2017")


def check_validation_videos(validation):
    """Check the videos of a `Validation`, if there is to be one: it has a split then."""
    if validation.validate_split:
        videos = davis.videos(validation.validate_path, *validation.validate_split)
        davis.complete_annotations(validation.validate_path, videos)


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
