"""Scores of YouTube-Objects results: the IoU of each sequence."""

import contextlib
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from osmn.data import youtube_objects
from osmn.errors import InputError
from osmn.evaluation.dataset import Dataset, Evaluated
from osmn.evaluation.scoring import Scored, Sequence, require_folders, score
from osmn.evaluation.tables import decimals, iou_lines, write_tables
from osmn.results.layout import MASKS

logger = logging.getLogger(__name__)
COLUMNS = ("sequence", "class", "frames", "IoU")


@dataclass(frozen=True)
class SequenceScore:
    """The mean IoU of a sequence of a class, over its scored frames."""

    sequence: str
    category: str
    frames: int
    iou: float


@dataclass(frozen=True)
class Scores:
    """The scores of a result folder.

    Attributes:
        sequences: the score of each sequence.
        skipped: the names of the sequences that have too few labels to be scored.
        scored: the scores of each sequence's frames.
    """

    sequences: tuple[SequenceScore, ...]
    skipped: tuple[str, ...]
    scored: tuple[Scored, ...]

    @property
    def iou(self) -> float:
        """The mean over sequences, as published."""
        return float(np.mean([score.iou for score in self.sequences]))

    @property
    def classes(self) -> dict[str, list[float]]:
        """{class: IoUs of its sequences}, in order of their names."""
        names = sorted({score.category for score in self.sequences})
        return {name: [score.iou for score in self.sequences if score.category == name] for name in names}

    @property
    def class_iou(self) -> float:
        """The mean over classes of the means over their sequences, which is the dataset's usual score."""
        return float(np.mean([np.mean(ious) for ious in self.classes.values()]))


def evaluate(data_path: Path | str, result_path: Path | str, processes: int | None = None) -> Scores:
    """Return the `Scores` of the results in `result_path`."""
    found, skipped = sequences(data_path, result_path)
    scored = tuple(map(Scored, found, score(found, processes=processes)))
    # A sequence is named <class>_<number>.
    rows = [
        SequenceScore(sequence.name, sequence.name.rpartition("_")[0], len(values), float(values[..., 0].mean()))
        for sequence, values in scored
    ]
    return Scores(tuple(rows), tuple(skipped), scored)


def sequences(data_path: Path | str, result_path: Path | str) -> tuple[list[Sequence], list[str]]:
    """Return the Sequences of YouTube-Objects and the names of sequences that have fewer than two labeled frames.

    All labeled frames but the first are scored. Raises InputError if no sequence can be scored, or if results are
    missing.
    """
    found: list[Sequence] = []
    skipped: list[str] = []
    for name in youtube_objects.sequence_names(data_path):
        truths = tuple(youtube_objects.labels(data_path, name).values())
        if len(truths) < 2:
            skipped.append(name)
        else:
            found.append(Sequence(name, truths[1:], Path(result_path) / name, MASKS, (1,)))
    if not found:
        raise InputError(
            f"{Path(data_path) / 'Labels'} has no sequence with two labels; run preprocess_youtube.py again"
        )
    require_folders(result_path, [sequence.name for sequence in found])
    return found, skipped


def tables(scores: Scores, result_path: Path | str) -> str:
    """Return `Scores` as text, to be printed; write `iou.txt` and `per_sequence.csv` into `result_path`."""
    files = write_tables(
        result_path,
        iou_lines([(score.sequence, score.iou) for score in scores.sequences], scores.iou),
        "per_sequence.csv",
        COLUMNS,
        [(s.sequence, s.category, s.frames, *decimals(s.iou)) for s in scores.sequences],
    )
    width = max(len(each.sequence) for each in scores.sequences)
    lines = []
    for each in scores.sequences:
        lines.append(f"{each.sequence:{width}}  {each.iou:.3f}  ({each.frames} frames)")
    if scores.skipped:
        logger.warning(f"skipped, fewer than two labelled frames: {', '.join(scores.skipped)}")
    lines.append(f"\n{'class':{width}}  IoU    (mean over its sequences)")
    for name, ious in scores.classes.items():
        lines.append(f"{name:{width}}  {np.mean(ious):.3f}  ({len(ious)} sequences)")
    lines.append(f"\nwritten: {files}")
    lines.append(f"mean over {len(scores.classes)} classes: {scores.class_iou:.3f}")
    lines.append(f"mIU: {scores.iou:.3f}")
    return "\n".join(lines)


@contextlib.contextmanager
def scored(data_path: Path | str, result_path: Path | str) -> Iterator[Scores]:
    """Give the block the `Scores` of a folder; see `evaluate`."""
    yield evaluate(data_path, result_path)


def evaluated(scores: Scores, data_path: Path | str, result_path: Path | str) -> Evaluated:
    """Return the `Evaluated` of `Scores`."""
    headline = [("mIU", scores.iou), ("mean over classes", scores.class_iou)]
    categories = {(score.sequence, 1): score.category for score in scores.sequences}
    images = Path(data_path) / "Images"
    return Evaluated.of("YouTube-Objects", result_path, images, ("IoU",), headline, scores.scored, categories)


DATASET = Dataset(
    name="YouTube-Objects",
    sign="Labels",
    looks_like=lambda folder: (folder / "Labels").is_dir(),
    selection={},
    scored=scored,
    tables=tables,
    evaluated=evaluated,
)
