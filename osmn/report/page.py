"""The page: the content of its template, and writing it, a sequence at a time."""

import json
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from osmn.errors import InputError
from osmn.evaluation.dataset import Evaluated
from osmn.evaluation.scoring import Scored
from osmn.files import locks
from osmn.files.atomic import named_write_errors, replacing
from osmn.progress import progress_bar
from osmn.report import choice, figures
from osmn.report.pictures import Pictures

logger = logging.getLogger(__name__)

NAME = "report.html"
MOST_PICTURED = 60  # Sequences; of more sequences, only those with the lowest scores have pictures.
WORST_BOX, WORST_BOX_OF_TWO, SHEET_BOX = (320, 240), (272, 240), (176, 176)  # Pixels of a picture.


def write(evaluated: Evaluated, path: Path | str | None = None, against: Evaluated | None = None) -> None:
    """Write the report of a result's scores and log the report's path.

    Args:
        evaluated: the result's scores.
        path: the page's path, .html; by default report.html in the result's folder.
        against: the scores of another result of the same sequences, to compare with.

    Raises:
        InputError: if `path` is not a page's name or cannot be written, or if a frame is missing.
    """
    import jinja2  # Here, because only reports need it.

    path = Path(path or evaluated.result_path / NAME)
    check_name(path)
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("osmn.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = environment.get_template("page.html").stream(_content(evaluated, against))
    with locks.writing(path.parent, wait=locks.MOMENT), replacing(path) as temporary:
        with named_write_errors(path):
            file = temporary.open("w", encoding="utf-8", errors="xmlcharrefreplace")
        with file:
            for part in page:  # Frames are read between the parts; their errors are not the page's.
                with named_write_errors(path):
                    file.write(part)
    logger.info(f"report: {path}")


def check_name(path: Path | str) -> None:
    """Raise InputError unless a page may have this name."""
    if Path(path).suffix.lower() not in (".html", ".htm"):
        raise InputError(f"{path} is not a page's name; end it in .html")


def _content(evaluated: Evaluated, against: Evaluated | None) -> dict[str, Any]:
    """Return what the template shows; a section is made when the template asks for it."""
    measures = len(evaluated.measures)
    objects: list[dict[str, Any]] = []
    sequences: list[dict[str, Any]] = []
    for number, scored in enumerate(evaluated.scored):
        rows = choice.object_rows(scored, measures)
        others: Sequence[choice.Row | None] = [None] * len(rows)
        if against:
            others = choice.object_rows(against.scored[number], measures)
        objects += [_object(evaluated, scored, number, row, other) for row, other in zip(rows, others, strict=True)]
        means = choice.sequence_score(scored, measures)
        sequence: dict[str, Any] = {
            "number": number,
            "name": scored.sequence.name,
            "means": means,
            "score": np.mean(means),
        }
        if against:
            sequence["other"] = np.mean(choice.sequence_score(against.scored[number], measures))
            sequence["difference"] = sequence["score"] - sequence["other"]
        sequences.append(sequence)
    ranked = sorted(sequences, key=lambda sequence: sequence["score"])
    pictured = {sequence["number"] for sequence in ranked[:MOST_PICTURED]}
    return {
        "evaluated": evaluated,
        "against": against,
        "score_name": _score_name(evaluated),
        "headline": _headline(evaluated, against),
        "objects": objects,
        "bars": _bars(evaluated, ranked, against),
        "differences": _differences(sequences) if against else None,
        "columns": ["frame", *(["result", "other"] if against else ["result"]), "truth"],
        "sections": _sections(evaluated, against, sequences, pictured),
        "left_out": len(sequences) - len(pictured),
        "options": _options(evaluated.made_by, against.made_by if against else None),
    }


def _score_name(evaluated: Evaluated) -> str:
    return "&".join(evaluated.measures)


def _headline(evaluated: Evaluated, against: Evaluated | None) -> list[tuple[str, float, float | None]]:
    others = dict(against.headline) if against else {}
    return [(name, value, others.get(name)) for name, value in evaluated.headline]


def _object(
    evaluated: Evaluated, scored: Scored, number: int, row: choice.Row, other: choice.Row | None
) -> dict[str, Any]:
    """Return an object's line of the table."""
    name = scored.sequence.name
    return {
        "number": number,
        "sequence": name,
        "object": row.object_id,
        "category": evaluated.categories.get((name, row.object_id), ""),
        "row": row,
        "lowest_frame": scored.sequence.names[row.lowest_frame],
        "other": other,
    }


def _bars(evaluated: Evaluated, ranked: Sequence[Mapping[str, Any]], against: Evaluated | None) -> str:
    names = [sequence["name"] for sequence in ranked]
    if against:
        groups: dict[str, Sequence[float]] = {"result": [sequence["score"] for sequence in ranked]}
        groups["other"] = [sequence["other"] for sequence in ranked]
    else:
        columns = zip(*(sequence["means"] for sequence in ranked), strict=True)
        groups = dict(zip(evaluated.measures, columns, strict=True))
    return figures.bars(names, groups)


def _differences(sequences: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the table of differences and its chart, from the largest loss to the largest gain."""
    ranked = sorted(sequences, key=lambda sequence: sequence["difference"])
    values = [sequence["difference"] for sequence in ranked]
    chart = figures.bars([sequence["name"] for sequence in ranked], {"difference": values}, differences=True)
    return {"sequences": ranked, "chart": chart}


def _sections(
    evaluated: Evaluated, against: Evaluated | None, sequences: Sequence[dict[str, Any]], pictured: set[int]
) -> Iterator[dict[str, Any]]:
    """Yield what the section of each sequence shows; sequences whose numbers are in `pictured` get pictures."""
    for sequence in progress_bar(sequences, desc="report", unit="sequence", brief=True):
        scored = [result.scored[sequence["number"]] for result in (evaluated, against) if result]
        marked = choice.worst_frames(scored[0].values[..., : len(evaluated.measures)])
        # YouTube-VOS may list an object for its first frame only; such an object has no line.
        columns = np.flatnonzero(~np.isnan(scored[0].values[..., 0]).all(axis=0)).tolist()
        object_ids = [scored[0].sequence.object_ids[column] for column in columns]
        frames = list(scored[0].sequence.names)
        lines = [each.values[:, columns, 0] for each in scored]
        rings = [(frame, columns.index(column)) for frame, bad in marked for column in bad]
        curves = figures.curves(
            sequence["name"], frames, object_ids, lines[0], rings, evaluated.measures[0], *lines[1:]
        )
        worst: list[dict[str, Any]] = []
        sheet: list[dict[str, Any]] = []
        if sequence["number"] in pictured:
            pictures = Pictures(evaluated.images / sequence["name"], [each.sequence for each in scored])
            worst = _worst(evaluated, scored, pictures, marked[: choice.MOST_WORST])
            sheet = _sheet(scored, pictures)
        counts = {"objects": len(object_ids), "frames": len(frames), "marked": len(marked)}
        yield sequence | counts | {"curves": curves, "worst": worst, "sheet": sheet}


def _worst(
    evaluated: Evaluated, scored: Sequence[Scored], pictures: Pictures, marked: Iterable[tuple[int, list[int]]]
) -> list[dict[str, Any]]:
    """Return the frames to look at: the objects that are bad in each, their scores, and the pictures."""
    worst = []
    for frame, columns in marked:
        objects: list[dict[str, Any]] = []
        for column in columns:
            object_id = scored[0].sequence.object_ids[column]
            values = [zip(evaluated.measures, each.values[frame, column].tolist(), strict=False) for each in scored]
            texts = [" ".join(f"{name} {value:.3f}" for name, value in pairs) for pairs in values]
            objects.append({"id": object_id, "color": figures.object_color(object_id), "scores": texts})
        box = WORST_BOX_OF_TWO if len(scored) > 1 else WORST_BOX
        name = scored[0].sequence.names[frame]
        worst.append({"frame": name, "objects": objects, "pictures": pictures.of(frame, box)})
    return worst


def _sheet(scored: Sequence[Scored], pictures: Pictures) -> list[dict[str, Any]]:
    """Return frames from the first to the last: their names, the mean of the first measure, and the pictures."""
    names = scored[0].sequence.names
    return [
        {
            "frame": names[t],
            "value": float(np.nanmean(scored[0].values[t, :, 0])),
            "pictures": pictures.of(t, SHEET_BOX)[1:],
        }
        for t in choice.spread_frames(len(names))
    ]


def _options(*manifests: Mapping[str, Any] | None) -> list[tuple[str, list[str], bool]]:
    """Return the lines of the table of options: the name, a text for each manifest, and whether the texts differ."""
    flat = [_flat(made_by) for made_by in manifests if made_by is not None]
    if not flat:
        return []
    names = dict.fromkeys(name for options in flat for name in options)
    lines = [(name, [options.get(name, "") for options in flat]) for name in names]
    return [(name, texts, len(set(texts)) > 1) for name, texts in lines]


def _flat(made_by: Mapping[str, Any]) -> dict[str, str]:
    flat: dict[str, str] = {}
    for name, value in made_by.items():
        group = {f"{name}: {key}": part for key, part in value.items()} if isinstance(value, dict) else {name: value}
        flat |= {key: part if isinstance(part, str) else json.dumps(part) for key, part in group.items()}
    return flat
