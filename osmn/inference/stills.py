"""A frame that a person looks at while others come, and how a correction in it comes through these to the present."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from osmn.inference.predictor import Predictor
from osmn.masks import overlay

MOST_KEPT = 12  # Frames since a still; where there are more, every second one is forgotten.

Objects = Mapping[int | None, np.ndarray]  # {object id: bool (H, W)}; an empty mask ends an object.


class LiveResult(NamedTuple):
    """A frame whose objects are known.

    Attributes:
        serial: number of the result, from 1. A correction in the last frame gives a further result of that frame.
        number: of the frame among those that were submitted, from 0.
        frame: RGB uint8 (H, W, 3).
        labels: object ids, uint8 (H, W), 0 for the background.
        object_ids: of the objects that are followed.
        submitted: when the frame came, in seconds of `time.monotonic`.
        seconds: how long it then took until the result; of a frame that came before the network was prepared, from
            then on.
        dropped: how many frames have been left out until now.
        tag: what was submitted with the frame.
    """

    serial: int
    number: int
    frame: np.ndarray
    labels: np.ndarray
    object_ids: tuple[int | None, ...]
    submitted: float
    seconds: float
    dropped: int
    tag: Any

    def overlay(self, palette: np.ndarray | None = None) -> np.ndarray:
        """Return the frame with its objects, RGB uint8 (H, W, 3); `palette` as in `masks.overlay`."""
        return overlay(self.frame, self.labels, palette)


class Shot(NamedTuple):
    """A frame to be segmented: as in `LiveResult`; `small` has the network's size."""

    number: int
    frame: np.ndarray
    small: np.ndarray
    submitted: float
    tag: Any


class Still:
    """The frames after one that is looked at, thinned out evenly.

    Attributes:
        kept: some of the frames that came since, at most `MOST_KEPT`, with the first and in their order.
    """

    def __init__(self) -> None:
        self.kept: list[Shot] = []
        self._every, self._count = 1, 0

    def add(self, shot: Shot) -> None:
        """Note a frame that was segmented."""
        if self._count % self._every == 0:
            self.kept.append(shot)
        self._count += 1
        if len(self.kept) > MOST_KEPT:
            del self.kept[1::2]
            self._every *= 2


def numbered(objects: Objects) -> dict[int, np.ndarray]:
    """Return objects with the ids that they have in labels."""
    return {1 if object_id is None else object_id: mask for object_id, mask in objects.items()}


def add(predictor: Predictor, objects: Objects, frame: np.ndarray | None = None) -> None:
    """Have a predictor follow objects from the last frame on, or end them; `frame` as in `Predictor.add_object`."""
    for object_id, mask in objects.items():
        if mask.any():
            predictor.add_object(object_id, mask, frame)
        else:
            predictor.remove_object(object_id)


def catch_up(predictor: Predictor, objects: Objects, frame: np.ndarray, after: Sequence[Shot], last: Shot) -> None:
    """Follow objects from an earlier frame through some of those after it, and go on with them in the last one.

    Args:
        predictor: after `last`; the other objects go on from where they are.
        objects: in `frame`.
        frame: uint8 (H, W, 3).
        after: frames since then, in their order.
        last: the last frame that the predictor has taken.
    """
    now = predictor.state()
    predictor.start(frame)
    add(predictor, objects)
    for shot in after:
        predictor.step(shot.frame, shot.small)
    then = predictor.state()
    merged = now._replace(
        gammas={**now.gammas, **then.gammas},
        masks={**now.masks, **then.masks},
        areas={**now.areas, **then.areas},
        targets={**now.targets, **then.targets},
    )
    predictor.resume(last.frame, merged)
    for object_id, mask in objects.items():
        if not mask.any():
            predictor.remove_object(object_id)
        elif not then.masks[object_id].any():  # It was lost on the way: where it was is nearer than nowhere.
            predictor.add_object(object_id, mask, frame)
