"""Segment and score any dataset: MOSE, LVOS, VOST, SA-V, BURST, VISOR, DAVIS, YouTube-VOS, OVIS, ..., or your own.

"osmn_vos.py DATA_PATH --dataset mose --result_path out" takes a dataset that is known by name; "osmn_vos.py --frames F
--masks M --result_path out" takes folders: F/<video>/<frame>.jpg or .png, and M/<video>/<frame>.png, whose labels are
the objects, or M/<video>/<object>/<frame>.png, binary. An object is given by the first mask that shows it, in whatever
frame; later masks serve the scores alone.
"""

import dataclasses
from dataclasses import field

from osmn.cli import options
from osmn.cli.entry import reports_input_errors
from osmn.cli.parser import Parser, read
from osmn.evaluation.presets import VosData
from osmn.options import option


@dataclasses.dataclass(frozen=True)
class Parts:
    """What is done."""

    only_scoring: bool = field(default=False, metadata=option("no segmenting: score the masks in RESULT_PATH"))
    zip: str | None = field(default=None, metadata=option("also write this archive, as the dataset's server takes it"))


def parser():
    """Return the script's options."""
    to = Parser(__doc__)
    to.add(VosData)
    to.add(Parts)
    to.add(options.UserModel, "whole_model_path")
    to.add(options.UserModel, "im_size", help="network's image size (default: frames keep their shape, --short_side)")
    options.add_model_options(to)
    options.add_testing_options(to, window=True, target_model=True)
    to.add(options.Report)
    options.add_device_options(to)
    return to


def parse(argv):
    """Return the parsed command line."""
    args = parser().parse(argv)
    options.required(args, "result_path")
    return args


@reports_input_errors
def main(argv=None):
    """Run the script; see `-h`."""
    args = parse(argv)
    source = read(args, VosData).source()
    # Before TensorFlow, which takes seconds to import: paths and lists that are wrong are named at once.
    from osmn.cli import checks
    from osmn.evaluation.vos import objects_line
    from osmn.models.interface import usable
    from osmn.report.write import score_and_report
    from osmn.results.archive import check_archive

    if args.zip:
        check_archive(args.zip)
    videos = source.videos()
    if not args.only_scoring:
        checks.check_model(args)
        checks.check_results(args.result_path, videos, args.shard)
        model = options.load_model(args)
        vars(args).update(usable(model, **options.values(args, "window", "target_model")))
        print(options.summary(args, model))
        options.segment_videos(args, model, videos, source.origin)
    if args.shard[1] > 1:
        print("this was one share of the videos: score all of them with --only_scoring")
        return
    if args.zip:
        source.write_archive(args.zip, videos, args.result_path)
        print(f"written: {args.zip}")
    if source.can_be_scored():
        score_and_report(source.dataset, source.path, args.result_path, source.selection, read(args, options.Report))
    else:
        print(f"masks are in {args.result_path}; there are no masks to score them by")
    print(objects_line(videos, source.rule))


if __name__ == "__main__":
    main()
