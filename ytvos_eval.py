"""Score YouTube-VOS results by J and F. Start with `python ytvos_eval.py -h`."""

import argparse

from osmn.cli import options as arguments
from osmn.cli.entry import reports_input_errors
from osmn.cli.types import file_name
from osmn.evaluation.ytvos import DATASET
from osmn.files import locks
from osmn.report.write import score_and_report


@reports_input_errors
def main(argv=None):
    """Parse the arguments, score, print and write the table."""
    parser = argparse.ArgumentParser(
        description="Print J and F, each the mean over the objects of seen and of unseen categories, and G, the mean "
        "of these four, for a split whose annotations are there, such as videos held out from train; write "
        "RESULT_PATH/per_object.csv. An object is scored in the frames that meta.json lists for it after its first. "
        "The measures are those of davis_eval.py; the challenge server's own scorer is not public, and its numbers may "
        "differ a little. Reads the score files RESULT_PATH/<video>/<object>/<frame>.npy where a video has some, else "
        "merged PNGs RESULT_PATH/<video>/<frame>.png."
    )
    parser.add_argument("data_path", metavar="DATA_PATH", help="the YouTube-VOS folder")
    parser.add_argument("result_path", metavar="RESULT_PATH", help="the results, one folder per video")
    parser.add_argument(
        "split", type=file_name, metavar="DATA_SPLIT", help="a folder of DATA_PATH, with meta.json and Annotations"
    )
    parser.add_argument(
        "--unseen", metavar="FILE", help="the categories that training did not have, one a line (default: none)"
    )
    arguments.add_report_option(parser)
    args = parser.parse_args(argv)
    selection = {"split": args.split, "unseen": args.unseen}
    with locks.writing(args.result_path):
        score_and_report(DATASET, args.data_path, args.result_path, selection, args.report, args.against)


if __name__ == "__main__":
    main()
