"""Computing where the objects are: the network sees windows around the last masks. Not in the published program.

A window is a part of the frame at the same scale, about 1.8 times the object's box. Outside of it is background. It
depends on nothing but the last masks, so that a run that goes on gives what a run without a break gives. Where an
object has left its window, the network sees the whole frame at once, while the last mask still guides it: without a
spatial guide it finds nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from osmn.inference.search import DEAD
from osmn.models.engines import Engine

WIDER = 0.8  # A window is wider and higher than the object's box by this part of the mean of the box's sides.
SMALLEST = 192  # Pixels of a window's side: the network's coarsest features see about so much around them.
GRID = 32  # Pixels between the places of windows: the networks' coarsest features have a 32nd of the image's sides.
WORTH_IT = 0.8  # Of the frame's pixels: a larger window is the whole frame.
SHARED = 0.5  # Of an object's pixels: what a network computes once for all objects of a window.


class Window(NamedTuple):
    """A part of a frame, in pixels: its first column and row, and its sides."""

    left: int
    top: int
    width: int
    height: int

    @property
    def slices(self) -> tuple[slice, slice]:
        """The rows and the columns, to index an image (H, W, ...)."""
        return slice(self.top, self.top + self.height), slice(self.left, self.left + self.width)


class Box(NamedTuple):
    """Where some objects are, in pixels: columns from `left` to before `right`, rows from `top` to before `bottom`."""

    left: int
    top: int
    right: int
    bottom: int

    @classmethod
    def of(cls, mask: np.ndarray) -> Box:
        """Return the box of a mask, bool (H, W), that is not empty."""
        rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
        return cls(int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)

    def joined(self, other: Box) -> Box:
        """Return the box around this one and another."""
        starts, ends = map(min, self[:2], other[:2]), map(max, self[2:], other[2:])
        return Box(*starts, *ends)


def side_of(needed: float, frame_side: int) -> int:
    """Return a window's side, in pixels: the least of 192, 256, 384, 512, 768, 1024, ... that is `needed` or more.

    Engines compile a network for each size of its images, which takes the time of 20 to 50 frames, and memory: a window
    has one of few sizes. It is no longer than `frame_side`.
    """
    side, longer = SMALLEST, SMALLEST * 4 // 3
    while side < min(needed, frame_side):
        side, longer = longer, 2 * side
    return min(side, frame_side)


def window_of(box: Box, frame_size: tuple[int, int], wider: float = WIDER) -> Window:
    """Return the window around a box in a frame of (width, height): the whole frame where that is nearly as large.

    It is `wider` and higher than the box by this part of the mean of the box's sides.
    """
    left, top, right, bottom = box
    wider = wider * (right - left + bottom - top) / 2
    width, height = (
        side_of(end - start + wider, side) for start, end, side in zip(box[:2], box[2:], frame_size, strict=True)
    )
    if width * height > WORTH_IT * frame_size[0] * frame_size[1]:
        return Window(0, 0, *frame_size)
    return Window(_start(left, right, width, frame_size[0]), _start(top, bottom, height, frame_size[1]), width, height)


def _start(start: int, end: int, side: int, frame_side: int) -> int:
    """Return where a window of a `side` begins along one axis, around a box from `start` to before `end`."""
    nearest = GRID * round((start + end - side) / 2 / GRID)
    # Where the frame ends, windows end, and where rounding would cut the box, they do not begin on the grid.
    return max(min(nearest, start, frame_side - side), end - side, 0)


class Group(NamedTuple):
    """Objects that share a window: their numbers, and the box around them; None: at least one of them is lost."""

    numbers: tuple[int, ...]
    box: Box | None

    def joined(self, other: Group) -> Group:
        """Return the group of the objects of both."""
        box = None if self.box is None or other.box is None else self.box.joined(other.box)
        return Group(tuple(sorted(self.numbers + other.numbers)), box)

    def window(self, frame_size: tuple[int, int]) -> Window:
        """Return the group's window in a frame of (width, height): the whole frame for objects that are lost."""
        return Window(0, 0, *frame_size) if self.box is None else window_of(self.box, frame_size)

    def cost(self, frame_size: tuple[int, int]) -> float:
        """Return what the network's call for the group costs, in pixels."""
        window = self.window(frame_size)
        return window.width * window.height * (len(self.numbers) + SHARED)


def groups_of(masks: np.ndarray, areas: Sequence[int]) -> list[Group]:
    """Return the groups of objects to segment together, by their last masks, bool (N, H, W).

    An object whose mask has died, of less than `DEAD` of its reference mask's pixels, `areas`, is looked for in the
    whole frame. Two groups become one where a call for both costs no more than a call for each.
    """
    frame_size = masks.shape[2], masks.shape[1]
    left = [
        Group((number,), Box.of(mask) if mask.any() and np.count_nonzero(mask) >= DEAD * area else None)
        for number, (mask, area) in enumerate(zip(masks, areas, strict=True))
    ]
    found: list[Group] = []
    while left:
        group = left.pop(0)
        for other in found:
            both = group.joined(other)
            if both.cost(frame_size) <= group.cost(frame_size) + other.cost(frame_size):
                found.remove(other)
                left.insert(0, both)
                break
        else:
            found.append(group)
    return sorted(found)


def segment_in_windows(
    engine: Engine, frame: np.ndarray, masks: np.ndarray, gammas: Sequence[np.ndarray], areas: Sequence[int]
) -> tuple[np.ndarray, np.ndarray]:
    """Return what `Engine.segment` returns, of windows around the objects; outside of them is background.

    Args:
        engine: runs the network.
        frame: uint8 (H, W, 3), RGB, of the network's size.
        masks: bool (N, H, W): the objects in the frame before.
        gammas: of the N objects, a list of float32 (N, 1, 1, C).
        areas: of each object, the pixels of its reference mask (H, W).
    """
    height, width = frame.shape[:2]
    groups = groups_of(masks, areas)
    if len(groups) == 1 and groups[0].window((width, height)) == (0, 0, width, height):
        return engine.segment(frame, masks, gammas)
    probabilities, found = np.zeros(masks.shape, np.float32), np.zeros(masks.shape, bool)

    def see(numbers: list[int], window: Window) -> np.ndarray:
        rows, columns = window.slices
        image, guides = (np.ascontiguousarray(x) for x in (frame[rows, columns], masks[numbers, rows, columns]))
        parts = engine.segment(image, guides, [layer[numbers] for layer in gammas])
        probabilities[numbers, rows, columns], found[numbers, rows, columns] = parts
        return parts[1]

    left = []
    for group in groups:
        numbers, window = list(group.numbers), group.window((width, height))
        for number, mask in zip(numbers, see(numbers, window), strict=True):
            if _has_left(mask, window, (width, height), DEAD * areas[number]):
                left.append(number)
    if left:
        see(left, Window(0, 0, width, height))
    return probabilities, found


def _has_left(mask: np.ndarray, window: Window, frame_size: tuple[int, int], least: float) -> bool:
    """Tell whether a mask in a window has `least` pixels or fewer, or is cut by an edge that is not the frame's."""
    if window == (0, 0, *frame_size):
        return False
    left, top, width, height = window
    inside = (left > 0, top > 0, left + width < frame_size[0], top + height < frame_size[1])
    edges = (mask[:, 0], mask[0], mask[:, -1], mask[-1])
    cut = any(is_inside and edge.any() for is_inside, edge in zip(inside, edges, strict=True))
    return cut or bool(np.count_nonzero(mask) <= least)
