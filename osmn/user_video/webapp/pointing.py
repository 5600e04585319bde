"""Objects that a visitor points at in a frame, by boxes and clicks; each click corrects what is there."""

from __future__ import annotations

import functools
import zlib
from collections.abc import Callable, Sequence

import numpy as np

from osmn.inference import pointing
from osmn.inference.load import SHIPPED_CLICKS, has_click_model, load_click_engine
from osmn.inference.pointing import Click
from osmn.masks import Size
from osmn.models.engines import ClickEngine
from osmn.user_video.boxes import grabcut

MOST_REMEMBERED = 500  # Answers whose clicks are known, so that the next click, or one after undo, adds to them.


@functools.cache
def shipped_engine() -> ClickEngine | None:
    """Return what runs the shipped click network, loaded once for all visitors; None where there is no such network."""
    return load_click_engine(SHIPPED_CLICKS) if has_click_model() else None


class Pointer:
    """Finds what a visitor points at, and remembers which clicks a mask came from.

    Args:
        engine: () -> what runs a click network, or None for GrabCut, which knows boxes alone; None for
            `shipped_engine`.
    """

    def __init__(self, engine: Callable[[], ClickEngine | None] | None = None) -> None:
        self._engine = engine or (lambda: shipped_engine())
        self._clicks: dict[tuple[int, int, int], tuple[Click, ...]] = {}  # By frame, object and its mask.

    def in_box(self, frame: np.ndarray, box: Sequence[int]) -> np.ndarray:
        """Return the object in a box, (x, y, width, height), bool (H, W); InputError where none is found."""
        engine = self._engine()
        return grabcut(frame, box) if engine is None else pointing.find(engine, frame, (), box)

    def clicked(self, number: int, object_id: int, frame: np.ndarray, mask: np.ndarray, click: Click) -> np.ndarray:
        """Return an object's mask, bool (H, W), after one more click in a frame.

        Args:
            number: of the frame.
            object_id: of the object.
            frame: uint8 (H, W, 3).
            mask: bool (H, W), the object's mask before the click; it may be painted, or be what segmenting found.
            click: the click.

        Raises:
            InputError: for a click outside the frame.
        """
        engine = self._engine()
        if engine is None:
            raise ValueError("a page without a click network has no clicks")
        clicks = (*self._clicks.get((number, object_id, _digest(mask)), ()), click)
        pointing.check(Size.of(frame), [click])
        found = pointing.answer(engine, frame, clicks, None, mask if mask.any() else None)
        self._clicks[number, object_id, _digest(found)] = clicks
        while len(self._clicks) > MOST_REMEMBERED:
            del self._clicks[next(iter(self._clicks))]
        return found


def _digest(mask: np.ndarray) -> int:
    return zlib.crc32(np.packbits(mask).tobytes())
