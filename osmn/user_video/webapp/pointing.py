"""Objects that a visitor points at in a frame, by boxes and clicks; each click corrects what is there."""

from __future__ import annotations

import functools
import zlib
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from osmn.inference import pointing
from osmn.inference.load import SHIPPED_CLICKS, has_click_model, load_click_engine
from osmn.inference.pointing import Click
from osmn.masks import Size, labels_in
from osmn.models.engines import ClickEngine
from osmn.user_video.boxes import grabcut

MOST_REMEMBERED = 500  # Answers whose clicks are known, so that the next click, or one after undo, adds to them.

Where = tuple[int, int]  # Numbers of a frame and of an object.


@functools.cache
def shipped_engine() -> ClickEngine | None:
    """Return what runs the shipped click network, loaded once for all visitors; None where there is no such network."""
    return load_click_engine(SHIPPED_CLICKS) if has_click_model() else None


class Found(NamedTuple):
    """An object that was pointed at.

    Attributes:
        mask: bool (H, W), without what belongs to other objects.
        others: ids of the objects to which a part of what was found belongs.
    """

    mask: np.ndarray
    others: tuple[int, ...]


class _Pointed(NamedTuple):
    """What a mask came from."""

    clicks: tuple[Click, ...]
    box: Sequence[int] | None


class Pointer:
    """Finds what a visitor points at, and remembers which clicks, and which box, a mask came from.

    Args:
        engine: () -> what runs a click network, or None for GrabCut, which knows boxes alone; None for
            `shipped_engine`.
    """

    def __init__(self, engine: Callable[[], ClickEngine | None] | None = None) -> None:
        self._engine = engine or (lambda: shipped_engine())
        self._pointed: dict[tuple[Where, int], _Pointed] = {}  # By `Where` and the mask that came of it.

    def in_box(self, where: Where, frame: np.ndarray, labels: np.ndarray, box: Sequence[int]) -> Found:
        """Return what is found in a box, (x, y, width, height); InputError where GrabCut finds nothing.

        The other arguments are those of `clicked`.
        """
        engine = self._engine()
        found = grabcut(frame, box) if engine is None else pointing.find(engine, frame, (), box)
        return self._remember(where, labels, found, _Pointed((), box))

    def clicked(self, where: Where, frame: np.ndarray, labels: np.ndarray, click: Click) -> Found:
        """Return what is found after one more click in a frame.

        Args:
            where: numbers of the frame and of the object.
            frame: uint8 (H, W, 3).
            labels: uint8 (H, W), the objects of the frame before the click: painted, found by earlier clicks, or by
                segmenting. What belongs to others stays with them.
            click: the click.

        Raises:
            InputError: for a click outside the frame.
        """
        engine = self._engine()
        if engine is None:
            raise ValueError("a page without a click network has no clicks")
        pointing.check(Size.of(frame), [click])
        mask = labels == where[1]
        before = self._pointed.get((where, _digest(mask)), _Pointed((), None))
        pointed = before._replace(clicks=(*before.clicks, click))
        found = pointing.answer(engine, frame, *pointed, mask if mask.any() else None)
        return self._remember(where, labels, found, pointed)

    def _remember(self, where: Where, labels: np.ndarray, mask: np.ndarray, pointed: _Pointed) -> Found:
        free = (labels == 0) | (labels == where[1])
        found = Found(mask & free, labels_in(labels[mask & ~free]))
        self._pointed[where, _digest(found.mask)] = pointed
        while len(self._pointed) > MOST_REMEMBERED:
            del self._pointed[next(iter(self._pointed))]
        return found


def _digest(mask: np.ndarray) -> int:
    return zlib.crc32(np.packbits(mask).tobytes())
