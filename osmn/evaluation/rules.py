"""What datasets count: rules over the frame scores, each as its dataset's public scorer has it (doc/datasets.md)."""

import itertools
import math
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Rule:
    """How the scores of objects in annotated frames become a dataset's score: the mean over objects.

    Attributes:
        name: the name as an option takes it.
        all_objects: objects that appear later count, too; else only those of the first annotated frame.
        frames: "inner": from the second annotated frame of the video on. "after": from the frame after the object's
            first on. "range": between the object's first and last frame, without both.
        last: the video's last annotated frame counts.
        since_shown: of "inner" frames, those before truth or result first show the object do not count, and an object
            that no counted truth shows is left out.
        measures: "J" and "F"; "J_last" is J in the last quarter of an object's frames, "V" the standard deviation of
            J&F over its frames.
        balanced: where unseen videos are listed, the score is the mean of seen and unseen videos' scores, not that over
            all objects.
        mose2: J and F are those of MOSE v2 (`metrics.mose2_scores`), and are also told of the frames in which objects
            have disappeared and have come back.
    """

    name: str
    all_objects: bool = False
    frames: str = "inner"
    last: bool = False
    since_shown: bool = False
    measures: tuple[str, ...] = ("J", "F")
    balanced: bool = False
    mose2: bool = False

    def values(self, scores: np.ndarray) -> tuple[float, ...]:
        """Return an object's `measures` from its J and F, (frames, 2), of the frames that count."""
        j, f = scores.T
        variance = round(float(scores.mean(axis=1).var()), 4)  # LVOS's scorer rounds it.
        known = {
            "J": j.mean(),
            "F": f.mean(),
            "J_last": j[math.floor(0.75 * len(j)) :].mean(),
            "V": math.sqrt(variance),
        }
        return tuple(float(known[name]) for name in self.measures)


# Sources: davis2017-evaluation ac7c43f, lvos-evaluation 25cb02d, VOST fe27457, SA-V's evaluator in sam2 2b90b9f (which
# counts as vos-benchmark 0.1.0 does), VISOR-VOS 0707a68, MOSE-api 241977a; of YouTube-VOS its server's description.
RULES = {
    rule.name: rule
    for rule in (
        Rule("davis"),
        Rule("ytvos", all_objects=True, frames="after", last=True),
        Rule("lvos", all_objects=True, frames="range", measures=("J", "F", "V"), balanced=True),
        Rule("vost", measures=("J", "J_last")),
        Rule("sav", all_objects=True, since_shown=True),
        Rule("visor", last=True),
        Rule("mose2", mose2=True),
    )
}


def absences(scores: np.ndarray, absent: np.ndarray) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Return the mean scores of each stretch in which an object is gone, and of each in which it is back again.

    As MOSE v2's scorer has it: a stretch that begins with the first frame is none.

    Args:
        scores: (frames, measures).
        absent: bool (frames,): the truth does not show the object.

    Returns:
        Two lists of (measures,).
    """
    edges = [0, *(np.flatnonzero(absent[1:] != absent[:-1]) + 1).tolist(), len(absent)]
    gone: list[np.ndarray] = []
    back: list[np.ndarray] = []
    for start, end in itertools.pairwise(edges):
        if start:
            (gone if absent[start] else back).append(scores[start:end].mean(axis=0))
    return gone, back
