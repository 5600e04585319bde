"""Score a result folder and write the scores as a web page, with charts and the worst frames: one HTML file.

DATA_PATH is a folder of DAVIS, YouTube-VOS or YouTube-Objects, which is recognised.
"""

import contextlib

from osmn.cli import options as arguments
from osmn.cli.entry import reports_input_errors
from osmn.cli.types import file_name
from osmn.errors import InputError
from osmn.evaluation.datasets import dataset_in
from osmn.report import page
from osmn.results.manifest import read_run

# What an option selects in a dataset.
SELECTS = {"test_split": "split", "data_version": "version", "unseen": "unseen"}


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
    dataset = dataset_in(args.data_path)
    given = {option: value for option in SELECTS if (value := getattr(args, option)) is not None}
    for option in given:
        if SELECTS[option] not in dataset.selection:
            raise InputError(f"--{option} does nothing for {dataset.name}, which {args.data_path} is; leave it out")
    selection = dataset.selection | {SELECTS[option]: value for option, value in given.items()}
    if "version" in dataset.selection and not args.data_version:
        selection["version"] = _version(args.result_path)
    with contextlib.ExitStack() as opened:
        results = []
        for path in filter(None, (args.result_path, args.against)):
            scores = opened.enter_context(dataset.scored(args.data_path, path, **selection))
            results.append(dataset.evaluated(scores, args.data_path, path, **selection))
        page.write(results[0], args.output, *results[1:])


def _version(result_path):
    """Return the version of DAVIS that the manifest of the results names; 2017 if there is none."""
    made_by = read_run(result_path)
    version = made_by["options"].get("data_version") if made_by else None
    return 2016 if version == 2016 else 2017


if __name__ == "__main__":
    main()
