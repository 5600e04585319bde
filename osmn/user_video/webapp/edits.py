"""What a visitor gives in the frames of a video: objects and their colors; each change can be undone and done again."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

MOST_UNDONE = 200

# {frame number: {object id: mask}}; masks are packed, so that hundreds of changes of a large video take little room.
Given = Mapping[int, Mapping[int, bytes]]


class _Change(NamedTuple):
    """What was so before a change, or after it, and the number of the frame that it was in, None for several."""

    given: Given
    colors: Mapping[int, str]
    number: int | None


class Edits:
    """The objects that are given in each frame, and their colors.

    Attributes:
        colors: {object id: "#rrggbb"}, never changed.

    Args:
        shape: (height, width) of the masks.
        colors: of the objects at first.
    """

    def __init__(self, shape: tuple[int, int], colors: Mapping[int, str] | None = None) -> None:
        self._shape, self.colors = shape, dict(colors or {})
        self._now: Given = {}
        self._undoable: list[_Change] = []
        self._redoable: list[_Change] = []

    @property
    def now(self) -> Given:
        """What is given, to compare with `first_difference`; it is never changed."""
        return self._now

    def at(self, number: int) -> dict[int, np.ndarray]:
        """Return {object id: bool (H, W)} that are given in a frame; an empty mask ends an object there."""
        return self.unpacked(self._now, number)

    def unpacked(self, given: Given, number: int) -> dict[int, np.ndarray]:
        """Return what `at` returned when `given` was `now`."""
        return {i: self._unpacked(packed) for i, packed in given.get(number, {}).items()}

    @property
    def frames(self) -> dict[int, list[int]]:
        """{number of a frame: ids of the objects that are given in it}, in their order."""
        return {number: sorted(self._now[number]) for number in sorted(self._now)}

    @property
    def objects(self) -> list[int]:
        """The ids of all objects that are given anywhere with a mask that is not empty."""
        empty = self._packed(np.zeros(self._shape, bool))
        return sorted({i for given in self._now.values() for i, packed in given.items() if packed != empty})

    def give(self, number: int, objects: Mapping[int, np.ndarray], both_ways: bool = False) -> None:
        """Give objects in a frame, {object id: bool (H, W)}; those that are given there before stay beside them.

        An object that was never there before cannot disappear; with `both_ways`, it may be given later.
        """
        known = {i for other, given in self._now.items() if both_ways or other < number for i in given}
        kept = {i: self._packed(mask) for i, mask in objects.items() if mask.any() or i in known}
        others = {i: packed for i, packed in self._now.get(number, {}).items() if i not in objects}
        self._change({**self._now, number: others | kept}, number)

    def clear(self, number: int | None = None, object_id: int | None = None) -> None:
        """Take back what is given: in the frame `number` or in all, of the object `object_id` or of all."""
        if number is None and object_id is None:
            return self._change({}, None)
        left = {
            frame: {i: packed for i, packed in given.items() if object_id not in (None, i)}
            if number in (None, frame)
            else given
            for frame, given in self._now.items()
        }
        self._change(left, number)

    def color(self, object_id: int, color: str) -> None:
        """Show an object in another color, "#rrggbb"."""
        self._change(self._now, None, {**self.colors, object_id: color})

    def undo(self) -> int | None:
        """Take the last change back; return the number of the frame that it was in, None for several frames."""
        return self._go(self._undoable, self._redoable)

    def redo(self) -> int | None:
        """Make the change again that was taken back last; return as `undo` does."""
        return self._go(self._redoable, self._undoable)

    @property
    def can_undo(self) -> bool:
        """Whether `undo` changes anything."""
        return bool(self._undoable)

    @property
    def can_redo(self) -> bool:
        """Whether `redo` changes anything."""
        return bool(self._redoable)

    def first_difference(self, other: Given) -> int | None:
        """Return the number of the first frame in which `other`, an earlier `now`, differs from what is given."""
        numbers = sorted(self._now.keys() | other.keys())
        return next((number for number in numbers if self._now.get(number) != other.get(number)), None)

    def _change(self, now: Given, number: int | None, colors: dict[int, str] | None = None) -> None:
        now, colors = {frame: given for frame, given in now.items() if given}, colors or self.colors
        if (now, colors) != (self._now, self.colors):
            self._undoable = [*self._undoable[1 - MOST_UNDONE :], _Change(self._now, self.colors, number)]
            self._redoable = []
            self._now, self.colors = now, colors

    def _go(self, back: list[_Change], forth: list[_Change]) -> int | None:
        if not back:
            return None
        before = back.pop()
        forth.append(_Change(self._now, self.colors, before.number))
        self._now, self.colors = before.given, dict(before.colors)
        return before.number

    def _packed(self, mask: np.ndarray) -> bytes:
        return zlib.compress(np.packbits(mask).tobytes(), 1)

    def _unpacked(self, packed: bytes) -> np.ndarray:
        bits = np.frombuffer(zlib.decompress(packed), np.uint8)
        return np.unpackbits(bits, count=self._shape[0] * self._shape[1]).reshape(self._shape).astype(bool)
