"""Pretrain OSMN on COCO (stage 1) from ImageNet weights."""

import functools

from osmn.cli import options, training
from osmn.cli.entry import reports_input_errors
from osmn.cli.parser import Parser, read
from osmn.inputs.options import Augmentation, CocoData
from osmn.models.start import ImageNetWeights, StartOptions


def parser():
    """Return the script's options."""
    to = Parser(__doc__)
    to.add(CocoData)
    to.add(StartOptions, "whole_model_path", help="start from this whole model, not ImageNet")
    options.add_model_options(to)
    options.add_size_option(to, (400, 400))
    training.add_training_options(to, data_aug_scales=(0.8, 1.0, 1.2))
    training.add_change_option(to)
    to.add(Augmentation, "random_crop_ratio")
    training.add_distractor_options(to, videos=False)
    training.add_imagenet_options(to)
    training.add_validation_options(to)
    options.add_device_options(to, several=True, engine=False)
    return to


def parse(argv):
    """Return the parsed command line."""
    args = parser().parse(argv)
    options.required(args, "model_save_path")
    training.check_embedding_start(args)
    training.check_samples(args)
    training.validation(args)
    read(args, CocoData)  # It says what is wrong with it.
    return args


@reports_input_errors
def main(argv=None):
    """Run the script; see `-h`."""
    args = parse(argv)
    # Before TensorFlow, which takes seconds to import: paths and lists that are wrong are named at once.
    from osmn.cli import checks

    checks.check_cluster()
    start = training.start_options(args, pretrained=read(args, ImageNetWeights))
    checks.check_start(start)
    checks.check_stills(args.data_path)
    checks.check_validation_videos(training.validation(args))
    checks.check_folder(args.model_save_path)
    from osmn.inputs.sources import coco_sources

    read_sources = functools.partial(coco_sources, args.data_path, args.data_shares, args.skip_bad_annotations)
    training.train(args, start, read_sources)


if __name__ == "__main__":
    main()
