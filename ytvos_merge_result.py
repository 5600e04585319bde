"""Merge YouTube-VOS results into the challenge's PNGs. Start with `python ytvos_merge_result.py -h`."""

import argparse
import dataclasses
from dataclasses import field

from osmn.cli.entry import reports_input_errors
from osmn.cli.parser import Parser
from osmn.options import file_name, option
from osmn.results.ytvos_submission import check_archive, merge_videos, zip_submission


@dataclasses.dataclass(frozen=True)
class Submission:
    """What is merged, and where it is written."""

    data_path: str = field(metadata=option("the YouTube-VOS folder", metavar="DATA_PATH", positional=True))
    pred_path: str = field(
        metadata=option("the results of osmn_train_eval_ytvos.py", metavar="PRED_PATH", positional=True)
    )
    output_path: str = field(metadata=option("gets the merged PNGs", metavar="OUTPUT_PATH", positional=True))
    split: str = field(
        metadata=option("a folder of DATA_PATH, such as valid", file_name, metavar="DATA_SPLIT", positional=True)
    )
    height: int | None = field(
        default=None,
        metadata=option(
            "check that the score files have this height (default: any; the size is taken from them)",
            int,
            choices=(256, 480),
            nargs="?",
            metavar="256|480",
            positional=True,
        ),
    )
    zip: str | None = field(
        default=None,
        metadata=option("check the merged PNGs and write the archive for the challenge", metavar="FILE.zip"),
    )


def parser():
    """Return the script's options."""
    to = Parser(
        "Write one indexed PNG per frame that meta.json lists, of the annotations' size: "
        "OUTPUT_PATH/DATA_SPLIT/Annotations/<video>/<frame>.png. Reads the score files "
        "PRED_PATH/<video>/<object>/<frame>.npy where a video has some (an object's first frame is its true mask), "
        "else merged PNGs PRED_PATH/<video>/<frame>.png.",
        argparse.HelpFormatter,
    )
    to.add(Submission)
    return to


@reports_input_errors
def main(argv=None):
    """Parse the arguments, merge, and zip what was merged."""
    args = parser().parse(argv)
    if args.zip:
        check_archive(args.zip)
    folder = merge_videos(args.data_path, args.pred_path, args.output_path, args.split, args.height)
    print(f"written: {folder}")
    if args.zip:
        zip_submission(args.data_path, args.split, folder, args.zip)
        print(f"written: {args.zip}")


if __name__ == "__main__":
    main()
