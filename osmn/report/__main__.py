"""Score a result folder and write the scores as a web page, with charts and the worst frames: one HTML file.

DATA_PATH is a folder of DAVIS, YouTube-VOS or YouTube-Objects, which is recognised.
"""

import contextlib
import dataclasses
from collections.abc import Sequence
from dataclasses import field
from pathlib import Path

from osmn.cli.entry import reports_input_errors
from osmn.cli.parser import Parser
from osmn.errors import InputError
from osmn.evaluation.datasets import dataset_in
from osmn.options import file_name, option
from osmn.report import page
from osmn.results.manifest import read_run

# Which value of a dataset's selection an option sets.
SELECTS = {"test_split": "split", "data_version": "version", "unseen": "unseen"}


@dataclasses.dataclass(frozen=True)
class Page:
    """The results that are scored, the results beside them, and the page's path."""

    result_path: str = field(
        metadata=option("the results, one folder per sequence", metavar="RESULT_PATH", positional=True)
    )
    data_path: str = field(
        metadata=option("the dataset, with frames and annotations", metavar="DATA_PATH", positional=True)
    )
    against: str | None = field(
        default=None, metadata=option("another result folder, to compare with", metavar="OTHER")
    )
    output: str | None = field(
        default=None, metadata=option("the page (default: RESULT_PATH/report.html)", metavar="FILE")
    )
    test_split: str | None = field(
        default=None, metadata=option("of DAVIS (default: val) or YouTube-VOS (default: valid)", file_name)
    )
    data_version: int | None = field(
        default=None, metadata=option("of DAVIS (default: as in run.json, else 2017)", int, choices=(2016, 2017))
    )
    unseen: str | None = field(
        default=None, metadata=option("of YouTube-VOS: the unseen categories, one a line", metavar="FILE")
    )


def parser() -> Parser:
    """Return the command line's parser."""
    to = Parser(__doc__, prog="python -m osmn.report")
    to.add(Page)
    return to


@reports_input_errors
def main(argv: Sequence[str] | None = None) -> None:
    """Parse the arguments, score, and write the page."""
    args = parser().parse(argv)
    if args.output:
        page.check_name(args.output)
    dataset = dataset_in(args.data_path)
    given = {name: value for name in SELECTS if (value := getattr(args, name)) is not None}
    for name in given:
        if SELECTS[name] not in dataset.selection:
            raise InputError(f"--{name} does nothing for {dataset.name}, which {args.data_path} is; leave it out")
    selection = {**dataset.selection, **{SELECTS[name]: value for name, value in given.items()}}
    if "version" in dataset.selection and not args.data_version:
        selection["version"] = _version(args.result_path)
    with contextlib.ExitStack() as opened:
        paths = filter(None, (args.result_path, args.against))
        results = [opened.enter_context(dataset.results(args.data_path, path, selection)) for path in paths]
        page.write(results[0], args.output, *results[1:])


def _version(result_path: Path | str) -> int:
    """Return the version of DAVIS that the results' manifest names; 2017 if there is no manifest."""
    made_by = read_run(result_path)
    version = made_by["options"].get("data_version") if made_by else None
    return 2016 if version == 2016 else 2017


if __name__ == "__main__":
    main()
