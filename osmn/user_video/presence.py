"""Whether the objects of a user's video are seen, frame by frame: which are lost, and which are found again."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

import numpy as np

from osmn.masks import labels_in
from osmn.user_video.media.reader import Frame

TOLD = 3  # Absences of an object that a line tells; run.json has all.


class Place(NamedTuple):
    """A frame: its number in its video, as `--mask` takes it, and its name."""

    number: int
    name: str

    def __str__(self) -> str:
        return f"frame {self.number}" + ("" if self.name == f"{self.number:05d}" else f" ({self.name})")


class Absence(NamedTuple):
    """An object has no pixel from the frame `lost` on; from the frame `found` on it has some again, None for never."""

    lost: Place
    found: Place | None

    def __str__(self) -> str:
        if self.found is None:
            return f"is lost from {self.lost} on"
        return f"is lost in {self.lost} and found again in {self.found}"


class Presence:
    """Looks at the labels of one frame after the other.

    Attributes:
        absences: {object id: list of its `Absence`s, in the order of the frames}, of objects that have any.
    """

    def __init__(self) -> None:
        self.absences: dict[int, list[Absence]] = {}

    def see(self, frame: Frame, labels: np.ndarray, followed: Collection[int | None]) -> None:
        """Note which objects a frame shows.

        Args:
            frame: `reader.Frame`.
            labels: its object ids, uint8 (H, W).
            followed: ids of the objects that are followed: others cannot be lost. An object without an id is 1.
        """
        seen, here = labels_in(labels), Place(frame.number, frame.name)
        for object_id in sorted(1 if i is None else i for i in followed):
            absences = self.absences.setdefault(object_id, [])
            missing = bool(absences) and absences[-1].found is None
            if object_id in seen and missing:
                absences[-1] = absences[-1]._replace(found=here)
            elif object_id not in seen and not missing:
                absences.append(Absence(here, None))

    def words(self) -> list[str]:
        """Return a phrase for each object that was lost, such as "object 1 is lost from frame 7 on"."""
        found = []
        for object_id, absences in sorted(self.absences.items()):
            # The first ones, and the last one: it tells whether the object is there at the end.
            told = absences if len(absences) <= TOLD else [*absences[: TOLD - 1], absences[-1]]
            if told:
                more = "" if len(told) == len(absences) else f" ({len(absences)} times in all)"
                found.append(f"object {object_id} {', '.join(map(str, told))}{more}")
        return found

    def in_json(self) -> dict[str, list[list[int | None]]]:
        """Return {object id: list of [number of the frame where it is lost, number where it is found or None]}."""
        return {
            str(object_id): [[lost.number, None if found is None else found.number] for lost, found in absences]
            for object_id, absences in sorted(self.absences.items())
            if absences
        }
