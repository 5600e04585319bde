"""Finetune OSMN on DAVIS (stage 2), propagate masks through a split and score them."""

import dataclasses
import functools
from dataclasses import field

from osmn.cli import options, training
from osmn.cli.entry import reports_input_errors
from osmn.cli.parser import Parser, read
from osmn.inputs.options import VideoSamples
from osmn.options import option


@dataclasses.dataclass(frozen=True)
class Parts:
    """Which parts of the work are done, and on which frames."""

    only_testing: bool = field(default=False, metadata=option("no training: segment and score"))
    use_full_res: bool = field(default=False, metadata=option("read JPEGImages/Full-Resolution in testing"))


def parser(description=__doc__):
    """Return the script's options; `description` is what `-h` says of it."""
    to = Parser(description)
    to.add(options.DavisData)
    options.add_model_path_option(to)
    to.add(Parts)
    options.add_model_options(to)
    options.add_size_option(to, (854, 480))
    training.add_training_options(to, data_aug_scales=(0.5, 0.8, 1.0))
    training.add_change_option(to)
    training.add_guide_choice_options(to)
    training.add_distractor_options(to)
    training.add_more_videos_options(to)
    training.add_coco_mixing_options(to)
    training.add_validation_options(to, "DATA_PATH")
    options.add_testing_options(to)
    to.add(options.Report)
    options.add_device_options(to, several=True)
    return to


def parse(argv):
    """Return the parsed command line."""
    args = parser().parse(argv)
    options.required(args, "result_path", "whole_model_path" if args.only_testing else "model_save_path")
    training.check_samples(args)
    training.validation(args, args.data_path)
    return args


def find_sources(args, samples):
    """Return the sources of the samples to train on."""
    from osmn.data import davis
    from osmn.inputs import sources

    examples = davis.examples(args.data_path, args.data_version, "train", samples.validity)
    return sources.of_training(examples, samples)


@reports_input_errors
def main(argv=None):
    """Run the script; see `-h`."""
    args = parse(argv)
    # Before TensorFlow, which takes seconds to import: paths and lists that are wrong are named at once.
    from osmn.cli import checks
    from osmn.data import davis

    videos = davis.videos(args.data_path, args.data_version, args.test_split, args.use_full_res)
    samples = read(args, VideoSamples)
    start = training.start_options(args)
    if args.only_testing:
        checks.check_model(args)
    else:
        checks.check_cluster()
        checks.check_start(start)
        davis.example_folders(args.data_path, args.data_version, "train")
        checks.check_more_videos(samples.more_videos)
        checks.check_stills(args.coco_path)
        checks.check_validation_videos(training.validation(args, args.data_path))
        checks.check_folder(args.model_save_path)
    checks.check_results(args.result_path, videos, args.shard)
    from osmn.evaluation.davis import DATASET, can_be_scored
    from osmn.report.write import score_and_report

    if args.only_testing:
        model = options.load_model(args)
        print(options.summary(args, model))
    else:
        model = training.train(args, start, functools.partial(find_sources, args, samples), args.data_path)
        if model is None:
            return
    origin = options.values(args, "data_path", "data_version", "use_full_res")
    options.segment_videos(args, model, videos, origin, replace=not args.only_testing)
    where, selection = (args.data_path, args.result_path), {"version": args.data_version, "split": args.test_split}
    if can_be_scored(*where, videos, shards=args.shard[1]):
        score_and_report(DATASET, *where, selection, read(args, options.Report))


if __name__ == "__main__":
    main()
