"""Score a result folder and write the scores as a web page, with charts and the worst frames: one HTML file.

DATA_PATH is a folder of DAVIS, YouTube-VOS or YouTube-Objects, which is recognised.
"""

import contextlib
from pathlib import Path

from osmn.cli import options as arguments
from osmn.cli.entry import reports_input_errors
from osmn.cli.types import file_name
from osmn.errors import InputError
from osmn.report import page, write
from osmn.results.manifest import read_run

# What there is to choose in each dataset.
OPTIONS = {"DAVIS": ("test_split", "data_version"), "YouTube-Objects": (), "YouTube-VOS": ("test_split", "unseen")}


@reports_input_errors
def main(argv=None):
    """Parse the arguments, score, and write the page."""
    parser = arguments.parser(__doc__)
    parser.prog = "python -m osmn.report"
    parser.add_argument("result_path", metavar="RESULT_PATH", help="the results, one folder per sequence")
    parser.add_argument("data_path", metavar="DATA_PATH", help="the dataset, with frames and annotations")
    parser.add_argument("--against", metavar="OTHER", help="another result folder, to compare with")
    parser.add_argument("--output", metavar="FILE", help="the page (default: RESULT_PATH/report.html)")
    parser.add_argument("--test_split", type=file_name, help="of DAVIS (default: val) or YouTube-VOS (default: valid)")
    parser.add_argument(
        "--data_version", type=int, choices=(2016, 2017), help="of DAVIS (default: as in run.json, else 2017)"
    )
    parser.add_argument("--unseen", metavar="FILE", help="of YouTube-VOS: the unseen categories, one a line")
    args = parser.parse_args(argv)
    if args.output:
        page.check_name(args.output)
    dataset = _dataset(args.data_path)
    for option in ("test_split", "data_version", "unseen"):
        if getattr(args, option) is not None and option not in OPTIONS[dataset]:
            raise InputError(f"--{option} does nothing for {dataset}, which {args.data_path} is; leave it out")
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
