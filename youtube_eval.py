"""Score YouTube-Objects results by IoU. Start with `python youtube_eval.py -h`."""

import argparse

from osmn.cli import options as arguments
from osmn.cli.entry import reports_input_errors
from osmn.evaluation import tables, youtube_objects
from osmn.files import locks
from osmn.report import write


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
        scores = youtube_objects.evaluate(args.data_path, args.result_path)
        tables.report_youtube_objects(scores, args.result_path)
        if args.report:
            write.youtube_objects(scores, args.data_path, args.result_path, args.against)


if __name__ == "__main__":
    main()
