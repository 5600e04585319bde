"""Score YouTube-VOS results by J and F. Start with `python ytvos_eval.py -h`."""

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

    data_path: str = field(metadata=option("the YouTube-VOS folder", metavar="DATA_PATH", positional=True))
    result_path: str = field(
        metadata=option("the results, one folder per video", metavar="RESULT_PATH", positional=True)
    )
    split: str = field(
        metadata=option(
            "a folder of DATA_PATH, with meta.json and Annotations", file_name, metavar="DATA_SPLIT", positional=True
        )
    )
    unseen: str | None = field(
        default=None,
        metadata=option("the categories that training did not have, one a line (default: none)", metavar="FILE"),
    )


def parser():
    """Return the script's options."""
    to = Parser(
        "Print J and F, each the mean over the objects of seen and of unseen categories, and G, the mean "
        "of these four, for a split whose annotations are there, such as videos held out from train; write "
        "RESULT_PATH/per_object.csv. An object is scored in the frames that meta.json lists for it after its first. "
        "The measures are those of davis_eval.py; the challenge server's own scorer is not public, and its numbers may "
        "differ a little. Reads the score files RESULT_PATH/<video>/<object>/<frame>.npy where a video has some, else "
        "merged PNGs RESULT_PATH/<video>/<frame>.png.",
        argparse.HelpFormatter,
    )
    to.add(Results)
    to.add(Report)
    return to


@reports_input_errors
def main(argv=None):
    """Parse the arguments, score, print and write the table."""
    args = parser().parse(argv)
    # They import packages that segmenting does without: requirements-segment.txt.
    from osmn.evaluation.ytvos import DATASET
    from osmn.report.write import score_and_report

    selection = {"split": args.split, "unseen": args.unseen}
    score_and_report(DATASET, args.data_path, args.result_path, selection, read(args, Report))


if __name__ == "__main__":
    main()
