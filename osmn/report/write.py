"""The report of a result's scores, alone or beside another result of the same videos."""

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from osmn.cli.options import Report
from osmn.evaluation.dataset import Dataset
from osmn.files import locks
from osmn.report import page


def write_report(
    dataset: Dataset,
    scores: Any,
    data_path: Path | str,
    result_path: Path | str,
    selection: Mapping[str, Any],
    against: Path | str | None = None,
) -> None:
    """Write the report of a dataset's scores into the result folder, as a web page.

    Args:
        dataset: the dataset.
        scores: the scores, from the dataset's `scored`; their results must still be readable.
        data_path: the dataset's folder.
        result_path: the folder of the results.
        selection: {name: value}: which part of the dataset is scored.
        against: the folder of another result, which is scored too; None for a report of a single result.
    """
    with contextlib.ExitStack() as stack:
        other = stack.enter_context(dataset.results(data_path, against, selection)) if against else None
        page.write(dataset.evaluated(scores, data_path, result_path, **selection), against=other)


def score_and_report(
    dataset: Dataset,
    data_path: Path | str,
    result_path: Path | str,
    selection: Mapping[str, Any],
    report: Report,
    **scoring: Any,
) -> None:
    """Score results, print the tables and write them, and the web page if it is asked for.

    No other run may write into the result folder meanwhile.

    Args:
        dataset: the dataset.
        data_path: the dataset's folder.
        result_path: the folder of the results.
        selection: {name: value}: which part of the dataset is scored.
        report: whether the page is asked for, and the other result that it compares with.
        scoring: further arguments of the dataset's `scored`.

    Raises:
        InputError: if data or results are missing or damaged, or if a file cannot be written.
    """
    with locks.writing(result_path), dataset.scored(data_path, result_path, **selection, **scoring) as scores:
        print(dataset.tables(scores, result_path, **selection))
        if report.wanted:
            write_report(dataset, scores, data_path, result_path, selection, report.against)
