"""Which numbers and which frames of a sequence a report shows."""

import math
from typing import NamedTuple

import numpy as np

FRAMES_ON_SHEET = 6
MOST_WORST = 5  # frames of a sequence that are shown as its worst
LEAST_WORST = 3  # bad frames of objects that are marked, where there are so many


class Row(NamedTuple):
    """The scores of an object."""

    object_id: int
    frames: int  # in which it is scored
    means: tuple  # one for each measure
    lowest: float  # of the first measure
    lowest_frame: int  # its number

    @property
    def score(self):
        """The mean of the measures: J&F, or the IoU alone."""
        return sum(self.means) / len(self.means)


def object_rows(scored, measures):
    """Return a `Row` for each object of a `Scored` that is scored in a frame, of so many measures."""
    rows = []
    for column, object_id in enumerate(scored.sequence.object_ids):
        values = scored.of(column)[:, :measures]
        if len(values):
            lowest = int(np.nanargmin(scored.values[:, column, 0]))
            means = tuple(values.mean(axis=0).tolist())
            rows.append(Row(object_id, len(values), means, float(scored.values[lowest, column, 0]), lowest))
    return rows


def sequence_score(scored, measures):
    """Return the mean of each measure over the objects of a sequence, a tuple."""
    return tuple(np.mean([row.means for row in object_rows(scored, measures)], axis=0).tolist())


def worst_frames(values):
    """Return which frames are to be looked at, and for which objects, lowest first.

    Each object's worst frame is among them; where these are fewer than LEAST_WORST, further bad frames of an object
    that are not close to one another. A frame in which an object is perfect is none.

    Args:
        values: (frames, objects, measures), NaN where an object is not scored.

    Returns:
        [(frame number, [columns])].
    """
    bad = [(*values[t, k], t, k) for t, k in zip(*np.nonzero(values[..., 0] < 1), strict=True)]
    bad = [(int(t), int(k)) for *_, t, k in sorted(bad)]
    columns, chosen = set(), []
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
    by_frame = {}
    for frame, column in sorted(chosen, key=bad.index):
        by_frame.setdefault(frame, []).append(column)
    return list(by_frame.items())


def spread_frames(count):
    """Return the numbers of FRAMES_ON_SHEET of so many frames, evenly spaced from the first to the last."""
    return np.unique(np.linspace(0, count - 1, FRAMES_ON_SHEET).round().astype(int)).tolist()
