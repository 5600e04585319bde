"""Objects that a person points at, by clicks and boxes, in one frame: the first mask, and corrections of a mask."""

import logging
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from osmn.errors import InputError
from osmn.inference import arguments
from osmn.inputs import clicks
from osmn.inputs.clicks import Window, box_of, guide_maps, whole_frame, window_around
from osmn.masks import Size
from osmn.models.engines import ClickEngine

logger = logging.getLogger(__name__)

SIDE = 384  # Of the window that the network sees, in its pixels: chosen on what training leaves out, among 256 to 384.
MARGIN = 1.4  # Of the window, relative to what is known of the object.


class Click(NamedTuple):
    """A click on the object, or beside it, at a pixel counted from 0 at the left and at the top."""

    x: float
    y: float
    positive: bool = True


def as_click(value: Sequence[float]) -> Click:
    """Return the `Click` of (x, y) or (x, y, whether it is on the object); raise InputError for something else."""
    parts = tuple(value) if isinstance(value, Sequence | np.ndarray) and not isinstance(value, str) else ()
    if len(parts) not in (2, 3) or not all(isinstance(part, int | float | np.number | np.bool_) for part in parts):
        raise InputError(f"a click is (x, y), or (x, y, False) beside the object, not {value!r}"[:120])
    return Click(float(parts[0]), float(parts[1]), bool(parts[2]) if len(parts) == 3 else True)


def as_clicks(values: object) -> list[Click]:
    """Return the `Click`s of a list of what `as_click` takes; raise InputError for something else."""
    if not isinstance(values, Iterable):
        raise InputError(f"clicks are a list of (x, y), not {values!r}"[:120])
    return [as_click(each) for each in values]


def find(
    engine: ClickEngine,
    frame: np.ndarray,
    pointed: Sequence[Click] = (),
    box: Sequence[int] | None = None,
    mask: np.ndarray | None = None,
) -> np.ndarray:
    """Return the object that is pointed at, bool (H, W).

    The clicks are taken one after the other, each with the mask that those before it gave: as a person sees it, who
    clicks where the mask is wrong.

    Args:
        engine: of a click network.
        frame: uint8 (H, W, 3), RGB.
        pointed: the clicks, in their order.
        box: (x, y, width, height) around the object, in pixels; None for no box.
        mask: bool (H, W), the mask so far, which the clicks correct; None for none.
    """
    check(Size.of(arguments.frame(frame)), pointed, box)
    found = mask
    if box is not None:
        found = answer(engine, frame, (), box, found)
    for count in range(1, len(pointed) + 1):
        found = answer(engine, frame, pointed[:count], box, found)
    return np.zeros(frame.shape[:2], bool) if found is None else found


def check(size: Size, pointed: Iterable[Click], box: Sequence[int] | None = None) -> None:
    """Raise InputError for a click or a box that is outside a frame of `size`; log a box that reaches outside."""
    for click in pointed:
        if not (0 <= click.x < size.width and 0 <= click.y < size.height):
            said = f"the click {click.x:g} {click.y:g} is outside the frame, {size.width}x{size.height}"
            raise InputError(f"{said}; give another one")
    if box is not None:
        tell_outside(size, box, edges_of(size, box))


def edges_of(size: Size, box: Sequence[int] | np.ndarray) -> tuple[int, int, int, int]:
    """Return (left, top, right, bottom), right and bottom exclusive, of what is in a frame of `size` of a box.

    The box is (x, y, width, height). Raises InputError for a box that is outside the frame, or too small.
    """
    x, y, width, height = arguments.box(box)
    left, top, right, bottom = max(x, 0), max(y, 0), min(x + width, size.width), min(y + height, size.height)
    if min(width, height) < 2 or left >= right or top >= bottom:
        within = f"the frame, {size.width}x{size.height}"
        raise InputError(f"the box {x} {y} {width} {height} is outside {within}, or too small; give another one")
    return left, top, right, bottom


def tell_outside(size: Size, box: Sequence[int] | np.ndarray, edges: tuple[int, int, int, int]) -> None:
    """Log a box, (x, y, width, height), that reaches outside a frame of `size`; `edges` are those of `edges_of`."""
    x, y, width, height = arguments.box(box)
    if edges != (x, y, x + width, y + height):
        within = f"the frame, {size.width}x{size.height}"
        logger.info(f"the box {x} {y} {width} {height} reaches outside {within}; what is inside counts")


def answer(
    engine: ClickEngine,
    frame: np.ndarray,
    pointed: Sequence[Click],
    box: Sequence[int] | None = None,
    mask: np.ndarray | None = None,
) -> np.ndarray:
    """Return the object, bool (H, W), after the last of the clicks; `mask` is what was there before it.

    The arguments are those of `find`.
    """
    size = Size.of(arguments.frame(frame))
    edges = None if box is None else edges_of(size, box)
    known = _known(pointed, edges, mask)
    if edges is None and (mask is None or not mask.any()):  # Nothing tells how large the object is.
        mask = _segmented(engine, frame, whole_frame(size), pointed, None, mask)
        known = _known(pointed, None, mask)
    window = whole_frame(size) if known is None else window_around(known, MARGIN, size)
    return _segmented(engine, frame, window, pointed, edges, mask)


def _known(
    pointed: Iterable[Click], box: tuple[int, int, int, int] | None, mask: np.ndarray | None
) -> tuple[float, float, float, float] | None:
    """Return the box around all that is known to be of the object: box, mask and positive clicks; None for nothing."""
    boxes: list[tuple[float, float, float, float]] = [(c.x, c.y, c.x + 1, c.y + 1) for c in pointed if c.positive]
    boxes += [] if box is None else [box]
    found = None if mask is None else box_of(mask)
    boxes += [] if found is None else [found]
    if not boxes:
        return None
    left, top, right, bottom = zip(*boxes, strict=True)
    return min(left), min(top), max(right), max(bottom)


def _without_contradicted(pointed: Sequence[Click], distance: float) -> list[Click]:
    """Return the clicks without those that a later click takes back: of the other kind, so near that both overlap."""
    return [
        click
        for number, click in enumerate(pointed)
        if not any(
            later.positive != click.positive and (later.x - click.x) ** 2 + (later.y - click.y) ** 2 < distance**2
            for later in pointed[number + 1 :]
        )
    ]


def _segmented(
    engine: ClickEngine,
    frame: np.ndarray,
    window: Window,
    pointed: Iterable[Click],
    box: tuple[int, int, int, int] | None,
    mask: np.ndarray | None,
) -> np.ndarray:
    pointed = _without_contradicted(list(pointed), 2 * clicks.RADIUS * window.side / SIDE)
    positive, negative = (
        window.inside([(click.x, click.y) for click in pointed if click.positive == wanted], SIDE)
        for wanted in (True, False)
    )
    shown = None if box is None else window.box_inside(box, SIDE)
    so_far = None
    if mask is not None and mask.any():
        so_far = window.cut(mask.astype(np.uint8), SIDE, 0, nearest=True) > 0
    maps = guide_maps(SIDE, positive, negative, shown, so_far)
    probabilities = engine.probabilities(window.cut(frame, SIDE, clicks.GRAY), maps)
    return window.paste(probabilities, Size.of(frame), 0.0) > 0.5
