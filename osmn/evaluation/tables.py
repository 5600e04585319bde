"""Tables of scores in a result folder: `iou.txt`, as published, and CSV."""

import csv
import io
from pathlib import Path

from osmn.files.atomic import named_write_errors, replacing


def iou_lines(ious, mean):
    """Return the text of `iou.txt`: a line for each of `ious`, pairs (name, IoU), and one for their mean."""
    return "".join(f"{name} {iou:.4f}\n" for name, iou in (*ious, ("all", mean)))


def decimals(*values):
    """Return numbers as a CSV file has them, of six digits after the point."""
    return [f"{value:.6f}" for value in values]


def write_tables(result_path, iou_text, csv_name, columns, rows):
    """Write `iou.txt`, if there is a text for it, and a CSV file; return their paths as text."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([columns, *rows])
    contents = {} if iou_text is None else {"iou.txt": iou_text}
    paths = []
    for name, content in (contents | {csv_name: text.getvalue()}).items():
        paths.append(Path(result_path) / name)
        with named_write_errors(paths[-1]), replacing(paths[-1]) as temporary:
            temporary.write_text(content)
    return ", ".join(map(str, paths))
