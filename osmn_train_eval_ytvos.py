"""Train OSMN on YouTube-VOS, and propagate masks through one of its splits."""

import dataclasses
import functools
from dataclasses import field

from osmn.cli import options, training
from osmn.cli.entry import reports_input_errors
from osmn.cli.parser import Parser, read
from osmn.inputs.options import VideoSamples
from osmn.models.start import ImageNetWeights, StartOptions
from osmn.options import option


@dataclasses.dataclass(frozen=True)
class Parts:
    """Which parts of the work are done."""

    only_testing: bool = field(default=False, metadata=option("no training: segment"))
    use_cached_list: bool = field(default=False, metadata=option("keep the list of valid guides beside meta.json"))


def parser():
    """Return the script's options."""
    to = Parser(__doc__)
    to.add(options.YtvosData)
    to.add(StartOptions, "whole_model_path", help="start from this whole model, not ImageNet")
    to.add(Parts)
    options.add_model_options(to)
    options.add_size_option(to, (448, 256))
    training.add_training_options(to, data_aug_scales=(1.0,))
    training.add_change_option(to)
    training.add_imagenet_options(to)
    training.add_guide_choice_options(to)
    training.add_distractor_options(to)
    training.add_more_videos_options(to)
    training.add_coco_mixing_options(to)
    training.add_validation_options(to)
    options.add_testing_options(to)
    options.add_device_options(to, several=True)
    return to


def parse(argv):
    """Return the parsed command line."""
    args = parser().parse(argv)
    options.required(args, "result_path", "whole_model_path" if args.only_testing else "model_save_path")
    if not args.only_testing:
        training.check_embedding_start(args)
    training.check_samples(args)
    training.validation(args)
    return args


def find_sources(args, samples):
    """Return the sources of the samples to train on."""
    from osmn.data import ytvos
    from osmn.inputs import sources

    examples = ytvos.examples(args.data_path, tuple(args.im_size), samples.validity, args.use_cached_list)
    return sources.of_training(examples, samples)


@reports_input_errors
def main(argv=None):
    """Run the script; see `-h`."""
    args = parse(argv)
    # Before TensorFlow, which takes seconds to import: paths and lists that are wrong are named at once.
    from osmn.cli import checks
    from osmn.data import ytvos

    videos = ytvos.videos(args.data_path, args.test_split, args.all_frames)
    samples = read(args, VideoSamples)
    start = training.start_options(args, pretrained=read(args, ImageNetWeights))
    if args.only_testing:
        checks.check_model(args)
    else:
        checks.check_cluster()
        checks.check_start(start)
        ytvos.check_listed(args.data_path, "train")
        checks.check_more_videos(samples.more_videos)
        checks.check_stills(args.coco_path)
        checks.check_validation_videos(training.validation(args))
        checks.check_folder(args.model_save_path)
    checks.check_results(args.result_path, videos, args.shard)

    if args.only_testing:
        model = options.load_model(args)
        print(options.summary(args, model))
    else:
        model = training.train(args, start, functools.partial(find_sources, args, samples))
        if model is None:
            return
    print(f"propagating through {'every frame' if args.all_frames else 'the frames that meta.json lists'}")
    origin = options.values(args, "data_path", "all_frames")
    options.segment_videos(args, model, videos, origin, replace=not args.only_testing)
    print(f"masks and merged PNGs are in {args.result_path}; ytvos_merge_result.py makes the submission of them")


if __name__ == "__main__":
    main()
