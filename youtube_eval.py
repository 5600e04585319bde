"""Score YouTube-Objects results by IoU. Start with `python youtube_eval.py -h`."""

import argparse

from osmn.cli import options as arguments
from osmn.cli.entry import reports_input_errors
from osmn.evaluation.youtube_objects import DATASET
from osmn.files import locks
from osmn.report.write import score_and_report


@reports_input_errors
def main(argv=None):
    """Parse the arguments, score, print and write the tables."""
    parser = argparse.ArgumentParser(
        description="Print the IoU of every YouTube-Objects sequence, without its first labelled frame, the mean over "
        "sequences (as published) and the mean over classes (the dataset's usual figure), and write "
        "RESULT_PATH/iou.txt and RESULT_PATH/per_sequence.csv. Sequences with fewer than two labelled "
        "frames are named and left out."
    )
    parser.add_argument("data_path", metavar="DATA_PATH", help="the preprocessed dataset, with Labels and all.txt")
    parser.add_argument("result_path", metavar="RESULT_PATH", help="the results, <class>_<number>/<frame>.png")
    arguments.add_report_option(parser)
    args = parser.parse_args(argv)
    with locks.writing(args.result_path):
        score_and_report(DATASET, args.data_path, args.result_path, {}, args.report, args.against)


if __name__ == "__main__":
    main()
