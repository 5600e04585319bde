"""Tables of scores in a result folder: `iou.txt`, as published, and CSV."""

import csv
import io
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from osmn.files.atomic import named_write_errors, replacing


def iou_lines(ious: Iterable[tuple[str, float]], mean: float) -> str:
    """Return the text of `iou.txt`: a line for each of `ious`, pairs (name, IoU), and a line for their mean."""
    return "".join(f"{name} {iou:.4f}\n" for name, iou in (*ious, ("all", mean)))


def decimals(*values: float) -> list[str]:
    """Return numbers as texts for a CSV file, with six digits after the point."""
    return [f"{value:.6f}" for value in values]


def _no_formula(cell: object) -> object:
    """Return a cell that spreadsheets show as it is: after an apostrophe, a name that they would take for a formula."""
    is_name = isinstance(cell, str) and not re.fullmatch(r"-?\d+\.\d+|-?nan|-?inf", cell)
    return f"'{cell}" if is_name and str(cell).startswith(("=", "+", "-", "@", "\t", "\r")) else cell


def write_tables(
    result_path: Path | str,
    iou_text: str | None,
    csv_name: str,
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
) -> str:
    """Write `iou.txt` and a CSV file; return their paths as text.

    Args:
        result_path: the folder of the files.
        iou_text: the text of `iou.txt`; None to write no such file.
        csv_name: the name of the CSV file.
        columns: the names of the CSV file's columns.
        rows: the rows of the CSV file.

    Raises:
        InputError: if a file cannot be written.
    """
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([columns, *(map(_no_formula, row) for row in rows)])
    contents = {} if iou_text is None else {"iou.txt": iou_text}
    paths = []
    for name, content in (contents | {csv_name: text.getvalue()}).items():
        paths.append(Path(result_path) / name)
        with named_write_errors(paths[-1]), replacing(paths[-1]) as temporary:
            temporary.write_text(content, encoding="utf-8")
    return ", ".join(map(str, paths))
