"""Which numbers and which frames of a sequence a report shows."""

import math
from typing import NamedTuple

import numpy as np

from osmn.evaluation.scoring import Scored

FRAMES_ON_SHEET = 6
MOST_WORST = 5  # Frames of a sequence that are shown as its worst.
LEAST_WORST = 3  # Bad frames of objects that are marked, if there are so many.


class Row(NamedTuple):
    """The scores of an object."""

    object_id: int
    frames: int  # The number of frames in which the object is scored.
    means: tuple[float, ...]  # The mean of each measure.
    lowest: float  # The lowest value of the first measure.
    lowest_frame: int  # The number of the frame of the lowest value.

    @property
    def score(self) -> float:
        """The mean of the measures: J&F, or the IoU alone."""
        return sum(self.means) / len(self.means)


def object_rows(scored: Scored, measures: int) -> list[Row]:
    """Return a `Row`, of the first `measures` measures, for each object of a `Scored` that is scored in a frame."""
    rows = []
    for column, object_id in enumerate(scored.sequence.object_ids):
        values = scored.of(column)[:, :measures]
        if len(values):
            lowest = int(np.nanargmin(scored.values[:, column, 0]))
            means = tuple(values.mean(axis=0).tolist())
            rows.append(Row(object_id, len(values), means, float(scored.values[lowest, column, 0]), lowest))
    return rows


def sequence_score(scored: Scored, measures: int) -> tuple[float, ...]:
    """Return the means of the first `measures` measures over the objects of a sequence."""
    return tuple(np.mean([row.means for row in object_rows(scored, measures)], axis=0).tolist())


def worst_frames(values: np.ndarray) -> list[tuple[int, list[int]]]:
    """Return the frames to look at, and for which objects, lowest score first.

    Each object's worst frame is among them. If these are fewer than LEAST_WORST, further bad frames are added that are
    not close to the object's other frames. A frame in which an object is perfect is not bad.

    Args:
        values: (frames, objects, measures), NaN where an object is not scored.

    Returns:
        [(frame number, [columns of the objects])].
    """
    ranked = sorted((*values[t, k], t, k) for t, k in zip(*np.nonzero(values[..., 0] < 1), strict=True))
    bad = [(int(t), int(k)) for *_, t, k in ranked]
    columns: set[int] = set()
    chosen: list[tuple[int, int]] = []
    for frame, column in bad:
        if column not in columns:
            columns.add(column)
            chosen.append((frame, column))
    apart = math.ceil(len(values) / 6)
    for frame, column in bad:
        if len(chosen) >= LEAST_WORST:
            break
        if all(abs(frame - t) >= apart for t, k in chosen if k == column):
            chosen.append((frame, column))
    by_frame: dict[int, list[int]] = {}
    for frame, column in sorted(chosen, key=bad.index):
        by_frame.setdefault(frame, []).append(column)
    return list(by_frame.items())


def spread_frames(count: int) -> list[int]:
    """Return the numbers of FRAMES_ON_SHEET of `count` frames, evenly spaced from the first to the last."""
    numbers: list[int] = np.unique(np.linspace(0, count - 1, FRAMES_ON_SHEET).round().astype(int)).tolist()
    return numbers
