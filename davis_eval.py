"""Score DAVIS results: the published mIU and the benchmark's J and F. Start with `python davis_eval.py -h`."""

import argparse
import dataclasses
from dataclasses import field

from osmn.cli.entry import reports_input_errors
from osmn.cli.options import Report
from osmn.cli.parser import Parser, read
from osmn.options import file_name, option


@dataclasses.dataclass(frozen=True)
class Results:
    """What is scored."""

    data_path: str = field(
        metadata=option("the DAVIS folder, with Annotations/480p and ImageSets", metavar="DATA_PATH", positional=True)
    )
    result_path: str = field(
        metadata=option("the results, one folder per sequence", metavar="RESULT_PATH", positional=True)
    )
    version: int = field(
        metadata=option("2016 or 2017", int, choices=(2016, 2017), metavar="DATASET_VERSION", positional=True)
    )
    split: str = field(
        metadata=option(
            "a list of ImageSets/DATASET_VERSION, such as val", file_name, metavar="DATASET_SPLIT", positional=True
        )
    )
    vis_path: str | None = field(
        default=None,
        metadata=option("gets the scored results as indexed PNGs", nargs="?", metavar="VIS_PATH", positional=True),
    )


def parser():
    """Return the script's options."""
    to = Parser(
        "Print mIU (the mean IoU of the objects) and the official J and F of DAVIS results, without the "
        "first and last frames, and write RESULT_PATH/iou.txt and RESULT_PATH/per_object.csv. 2016: "
        "RESULT_PATH/<sequence>/<frame>.png, foreground where not 0. 2017: score files "
        "RESULT_PATH/<sequence>/<object>/<frame>.npy where a sequence has some, else merged indexed PNGs "
        "RESULT_PATH/<sequence>/<frame>.png. Results of another size than the annotations are resized.",
        argparse.HelpFormatter,
    )
    to.add(Results)
    to.add(Report)
    return to


@reports_input_errors
def main(argv=None):
    """Parse the arguments, score, print and write the tables."""
    args = parser().parse(argv)
    # They import packages that segmenting does without: requirements-segment.txt.
    from osmn.evaluation.davis import DATASET
    from osmn.report.write import score_and_report

    where, selection = (args.data_path, args.result_path), {"version": args.version, "split": args.split}
    score_and_report(DATASET, *where, selection, read(args, Report), vis_path=args.vis_path)


if __name__ == "__main__":
    main()
