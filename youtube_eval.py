"""Score YouTube-Objects results by IoU. Start with `python youtube_eval.py -h`."""

import argparse
import dataclasses
from dataclasses import field

from osmn.cli.entry import reports_input_errors
from osmn.cli.options import Report
from osmn.cli.parser import Parser, read
from osmn.options import option


@dataclasses.dataclass(frozen=True)
class Results:
    """What is scored."""

    data_path: str = field(
        metadata=option("the preprocessed dataset, with Labels and all.txt", metavar="DATA_PATH", positional=True)
    )
    result_path: str = field(
        metadata=option("the results, <class>_<number>/<frame>.png", metavar="RESULT_PATH", positional=True)
    )


def parser():
    """Return the script's options."""
    to = Parser(
        "Print the IoU of every YouTube-Objects sequence, without its first labelled frame, the mean over "
        "sequences (as published) and the mean over classes (the dataset's usual figure), and write "
        "RESULT_PATH/iou.txt and RESULT_PATH/per_sequence.csv. Sequences with fewer than two labelled "
        "frames are named and left out.",
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
    from osmn.evaluation.youtube_objects import DATASET
    from osmn.report.write import score_and_report

    score_and_report(DATASET, args.data_path, args.result_path, {}, read(args, Report))


if __name__ == "__main__":
    main()
