"""The report of scores: of a result, or of it against another one of the same videos."""

import contextlib

from osmn.report import page


def write_report(dataset, scores, data_path, result_path, selection, against=None):
    """Write the report of a dataset's scores into the result folder, as a web page.

    Args:
        dataset: an `evaluation.dataset.Dataset`.
        scores: from its `scored`, whose results must still be readable.
        data_path: the dataset's folder.
        result_path: the folder of the results.
        selection: {name: value} of what of the dataset is scored.
        against: the folder of another result, which is scored; None for none.
    """
    with contextlib.ExitStack() as stack:
        other = None
        if against:
            others = stack.enter_context(dataset.scored(data_path, against, **selection))
            other = dataset.evaluated(others, data_path, against, **selection)
        page.write(dataset.evaluated(scores, data_path, result_path, **selection), against=other)


def score_and_report(dataset, data_path, result_path, selection, report=False, against=None, **scoring):
    """Score results, print the tables and write them; with `report` the web page too. See `write_report`.

    `scoring`: further arguments of the dataset's `scored`.
    """
    with dataset.scored(data_path, result_path, **selection, **scoring) as scores:
        print(dataset.tables(scores, result_path, **selection))
        if report:
            write_report(dataset, scores, data_path, result_path, selection, against)
