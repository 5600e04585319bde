"""Score a result folder and write the scores as a web page, with charts and the worst frames: one HTML file.

DATA_PATH is a folder of DAVIS, YouTube-VOS or YouTube-Objects, which is recognised.
"""

import contextlib
import dataclasses
from dataclasses import field
from pathlib import Path

from osmn.cli.entry import reports_input_errors
from osmn.cli.parser import Parser
from osmn.errors import InputError
from osmn.options import file_name, option
from osmn.report import page, write
from osmn.results.manifest import read_run

# What there is to choose in each dataset.
OPTIONS = {"DAVIS": ("test_split", "data_version"), "YouTube-Objects": (), "YouTube-VOS": ("test_split", "unseen")}


@dataclasses.dataclass(frozen=True)
class Page:
    """What is scored, beside what, and where it is written."""

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


def parser():
    """Return the options."""
    to = Parser(__doc__, prog="python -m osmn.report")
    to.add(Page)
    return to


@reports_input_errors
def main(argv=None):
    """Parse the arguments, score, and write the page."""
    args = parser().parse(argv)
    if args.output:
        page.check_name(args.output)
    dataset = _dataset(args.data_path)
    for name in ("test_split", "data_version", "unseen"):
        if getattr(args, name) is not None and name not in OPTIONS[dataset]:
            raise InputError(f"--{name} does nothing for {dataset}, which {args.data_path} is; leave it out")
    with contextlib.ExitStack() as opened:
        version = args.data_version or _version(args.result_path)
        paths = [args.result_path, args.against] if args.against else [args.result_path]
        results = [
            opened.enter_context(_evaluated(dataset, args.data_path, path, version, args.test_split, args.unseen))
            for path in paths
        ]
        page.write(results[0], args.output, *results[1:])


def _version(result_path):
    """Return the version of DAVIS that the manifest of the results names; 2017 if there is none."""
    made_by = read_run(result_path)
    version = made_by["options"].get("data_version") if made_by else None
    return 2016 if version == 2016 else 2017


@contextlib.contextmanager
def _evaluated(dataset, data_path, result_path, version, split, unseen):
    """Yield the `Evaluated` of a result folder; the results can be read in the block."""
    if dataset == "DAVIS":
        yield write.davis_results(data_path, result_path, version, split or "val")
    elif dataset == "YouTube-Objects":
        yield write.youtube_objects_results(data_path, result_path)
    else:
        with write.ytvos_results(data_path, result_path, split or "valid", unseen) as found:
            yield found


def _dataset(data_path):
    """Return which dataset, of `OPTIONS`, a folder holds."""
    folder = Path(data_path)
    if (folder / "ImageSets").is_dir():
        return "DAVIS"
    if (folder / "Labels").is_dir():
        return "YouTube-Objects"
    if any(folder.glob("*/meta.json")):
        return "YouTube-VOS"
    raise InputError(
        f"{data_path} has neither ImageSets (DAVIS), nor Labels (YouTube-Objects), nor <split>/meta.json"
        " (YouTube-VOS); give the dataset's folder"
    )


if __name__ == "__main__":
    main()
