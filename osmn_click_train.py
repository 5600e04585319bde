"""Train a network that finds the object which a person points at, by clicks or a box.

It is what `osmn_segment.py --click`, `--box` and the web page ask for the first mask. It starts from the segmentation
net of a `lite` model, and learns from still images in COCO's layout and from frames of videos.
"""

import dataclasses
import functools
from dataclasses import field

from osmn.cli import options, training
from osmn.cli.entry import reports_input_errors
from osmn.cli.parser import Parser, read
from osmn.errors import InputError
from osmn.inputs.options import Augmentation, CocoData, PipelineOptions
from osmn.models.start import StartOptions
from osmn.options import option, positive, share
from osmn.training.options import TrainerOptions, TrainingOptions, TrainingRun

LITE_INPUTS = {"mean_value": (127.5, 127.5, 127.5), "scale_value": 0.00787}


@dataclasses.dataclass(frozen=True)
class Frames:
    """Frames of videos beside the still images."""

    videos: tuple[list[str], ...] = field(
        default=(),
        metadata=option(
            "folders of frames and of masks of videos (doc/datasets.md); several times for several datasets",
            nargs=2,
            metavar=("FRAMES", "MASKS"),
            repeated=True,
        ),
    )
    video_share: float = field(default=0.25, metadata=option("of samples from --videos", share, metavar="SHARE"))
    side: int = field(default=256, metadata=option("of the square window that the network sees", positive(int)))


def parser():
    """Return the script's options."""
    to = Parser(__doc__)
    to.add(CocoData)
    to.add(Frames)
    to.add(StartOptions, "whole_model_path", help="start from this click network, not from --backbone")
    to.add(StartOptions, "backbone", backbone="models/osmn_lite")
    group = to.group("training")
    group.add(TrainingRun, "model_save_path")
    group.add(PipelineOptions, "batch_size")
    group.add(TrainingOptions, "training_iters", "learning_rate", "lr_schedule", "warmup_iters")
    group.add(TrainerOptions, "loss", "ema", loss="focal")
    group.add(TrainingOptions, "save_iters", "max_to_keep", "display_iters", "restart_training")
    training.add_change_option(group)
    group.add(PipelineOptions, "num_loader", "seed", "data_aug_scales", "distractors", data_aug_scales=(1.0,))
    group.add(Augmentation, "vg_color_aug", help="vary brightness and contrast")
    options.add_device_options(to, several=True, engine=False)
    return to


def parse(argv):
    """Return the parsed command line."""
    args = parser().parse(argv)
    options.required(args, "model_save_path")
    if args.side % 32:
        raise InputError(f"--side {args.side} is no multiple of 32; give another one")
    read(args, CocoData)  # It says what is wrong with it.
    return args


def find_sources(args):
    """Return the sources of the samples to train on."""
    from osmn.data import folders
    from osmn.inputs import sources

    stills = sources.coco_sources(args.data_path, args.data_shares, args.skip_bad_annotations)
    where = [folders.Folders(*map(folders.Path, each)) for each in args.videos]
    return sources.mixed(stills, [sources.frame_source(folders.examples(each)) for each in where], args.video_share)


@reports_input_errors
def main(argv=None):
    """Run the script; see `-h`."""
    args = parse(argv)
    args.im_size = (args.side, args.side)
    # Before TensorFlow, which takes seconds to import: paths and lists that are wrong are named at once.
    from osmn.cli import checks

    checks.check_cluster()
    given = {"base_model": "clicks", "no_visual_modulator": True, **LITE_INPUTS}
    folder = None if args.restart_training else args.model_save_path
    start = read(args, StartOptions, im_size=args.im_size, given=given, folder=folder)
    checks.check_start(start)
    checks.check_stills(args.data_path)
    checks.check_more_videos(args.videos)
    checks.check_folder(args.model_save_path)
    training.train(args, start, functools.partial(find_sources, args))


if __name__ == "__main__":
    main()
