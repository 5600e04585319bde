"""Propagate masks through YouTube-Objects and score them."""

import dataclasses
from dataclasses import field

from osmn.cli import options
from osmn.cli.entry import reports_input_errors
from osmn.cli.parser import Parser, read
from osmn.options import option


@dataclasses.dataclass(frozen=True)
class YoutubeObjectsData:
    """The videos of YouTube-Objects."""

    data_path: str = field(default="data/YouTube-Objects", metadata=option("preprocessed folder (README, 'Data')"))


def parser():
    """Return the script's options."""
    to = Parser(__doc__)
    to.add(YoutubeObjectsData)
    options.add_model_path_option(to, "weights: checkpoint, or folder (newest)")
    options.add_model_options(to)
    options.add_size_option(to, (640, 360))
    options.add_testing_options(to)
    to.add(options.Report)
    options.add_device_options(to)
    return to


def parse(argv):
    """Return the parsed command line."""
    args = parser().parse(argv)
    options.required(args, "whole_model_path", "result_path")
    return args


@reports_input_errors
def main(argv=None):
    """Run the script; see `-h`."""
    args = parse(argv)
    # Before TensorFlow, which takes seconds to import: paths and lists that are wrong are named at once.
    from osmn.cli import checks
    from osmn.data import youtube_objects

    videos = youtube_objects.videos(args.data_path)
    checks.check_model(args)
    checks.check_results(args.result_path, videos, args.shard)
    from osmn.evaluation.youtube_objects import DATASET
    from osmn.report.write import score_and_report

    model = options.load_model(args)
    print(options.summary(args, model))
    options.segment_videos(args, model, videos, options.values(args, "data_path"))
    if args.shard[1] == 1:
        score_and_report(DATASET, args.data_path, args.result_path, {}, read(args, options.Report))
    else:
        print("this was one share of the videos: score all of them by youtube_eval.py")


if __name__ == "__main__":
    main()
