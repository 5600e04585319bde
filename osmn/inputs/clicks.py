"""What a person points at: clicks and boxes, as maps for the network, crops around them, and simulated clicks.

Arrays alone, no TensorFlow. A click is (x, y) in pixels, counted from 0 at the left and at the top.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from osmn.masks import Size

MAPS = POSITIVE, NEGATIVE, BOX, MASK = range(
    4
)  # The maps of a guide: clicks on the object, beside it, the box, so far.
RADIUS = 5  # Of a click's disk, in pixels of the network's image, as in arXiv 2102.06583.
GRAY = 127  # Of what lies outside the frame.
LEAST_MARGIN = 8  # Pixels around a small object.


class Window(NamedTuple):
    """A square of a frame, which the network sees: its upper left corner and side, in pixels. It may reach outside."""

    left: int
    top: int
    side: int

    def cut(self, image: np.ndarray, side: int, fill: int, nearest: bool = False) -> np.ndarray:
        """Return what is in the window, uint8 (side, side) or (side, side, C); `fill` where it is outside `image`."""
        import cv2  # Where there are windows: importing OpenCV changes the process's environment.

        height, width = image.shape[:2]
        left, top, right, bottom = self.left, self.top, self.left + self.side, self.top + self.side
        inside = image[max(top, 0) : max(min(bottom, height), 0), max(left, 0) : max(min(right, width), 0)]
        above, below = max(-top, 0), max(bottom - height, 0)
        before, after = max(-left, 0), max(right - width, 0)
        if above or below or before or after:
            inside = cv2.copyMakeBorder(
                inside, above, below, before, after, cv2.BORDER_CONSTANT, value=(float(fill),) * 4
            )
        if self.side == side:
            return inside
        kind = cv2.INTER_NEAREST if nearest else cv2.INTER_AREA if self.side > side else cv2.INTER_LINEAR
        return cv2.resize(inside, (side, side), interpolation=kind)

    def paste(self, values: np.ndarray, size: Size, fill: float) -> np.ndarray:
        """Return an array float32 of `size`, with `values`, (side, side), where the window is, and `fill` elsewhere."""
        import cv2

        whole = np.full(size.shape, fill, np.float32)
        resized = cv2.resize(values, (self.side, self.side), interpolation=cv2.INTER_LINEAR)
        top, left = max(self.top, 0), max(self.left, 0)
        bottom, right = min(self.top + self.side, size.height), min(self.left + self.side, size.width)
        if top < bottom and left < right:
            whole[top:bottom, left:right] = resized[
                top - self.top : bottom - self.top, left - self.left : right - self.left
            ]
        return whole

    def inside(self, clicks: Iterable[Sequence[float]], side: int) -> list[tuple[float, float]]:
        """Return the places of clicks in the window, as the network sees it, `side` pixels wide."""
        scale = side / self.side
        return [((x + 0.5 - self.left) * scale - 0.5, (y + 0.5 - self.top) * scale - 0.5) for x, y in clicks]

    def box_inside(self, box: Sequence[float], side: int) -> tuple[float, float, float, float]:
        """Return a box (left, top, right, bottom), right and bottom exclusive, as `inside` returns clicks."""
        # Edges lie between pixels, half a pixel from their middles, at which clicks are.
        (left, top), (right, bottom) = self.inside([(box[0] - 0.5, box[1] - 0.5), (box[2] - 0.5, box[3] - 0.5)], side)
        return left + 0.5, top + 0.5, right + 0.5, bottom + 0.5


def window_around(box: tuple[float, float, float, float], factor: float, size: Size) -> Window:
    """Return the `Window` around a box (left, top, right, bottom), right and bottom exclusive, of a frame of `size`.

    Its side is `factor` times the longer side of the box, but at most the longer side of the frame. It does not reach
    outside the frame along an axis along which the frame has room for it; else it lies in the frame's middle.
    """
    left, top, right, bottom = box
    longer = max(right - left, bottom - top)
    side = min(round(max(longer * factor, longer + 2 * LEAST_MARGIN)), max(size))
    return Window(
        _placed(round((left + right - side) / 2), side, size.width),
        _placed(round((top + bottom - side) / 2), side, size.height),
        side,
    )


def _placed(start: int, length: int, available: int) -> int:
    return min(max(start, 0), available - length) if length <= available else (available - length) // 2


def whole_frame(size: Size) -> Window:
    """Return the `Window` that holds a whole frame, in its middle."""
    return window_around((0, 0, *size), 1, size)


def box_of(mask: np.ndarray) -> tuple[int, int, int, int] | None:
    """Return the box (left, top, right, bottom), right and bottom exclusive, of a mask, bool (H, W); None if empty."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return (int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1) if len(rows) else None


def guide_maps(
    side: int,
    positive: Iterable[Sequence[float]],
    negative: Iterable[Sequence[float]],
    box: Sequence[float] | None = None,
    mask: np.ndarray | None = None,
) -> np.ndarray:
    """Return the guide of a window that is `side` pixels wide, uint8 (side, side, 4) of 0 and 1; the maps are `MAPS`.

    Args:
        side: in pixels of the network's image.
        positive: clicks on the object, in these pixels.
        negative: clicks beside it.
        box: (left, top, right, bottom), right and bottom exclusive; None for no box.
        mask: bool (side, side): the mask so far; None for none.
    """
    maps = np.zeros((side, side, len(MAPS)), np.uint8)
    for number, clicks in ((POSITIVE, positive), (NEGATIVE, negative)):
        for click in clicks:
            add_click(maps, click, number)
    if box is not None:
        left, top, right, bottom = (int(np.clip(round(value), 0, side)) for value in box)
        maps[top:bottom, left:right, BOX] = 1
    if mask is not None:
        maps[..., MASK] = mask
    return maps


def add_click(maps: np.ndarray, click: Sequence[float], number: int) -> None:
    """Draw a click's disk into the map `number` of a guide, uint8 (H, W, 4)."""
    x, y = click
    rows, columns = np.ogrid[: maps.shape[0], : maps.shape[1]]
    maps[(rows - y) ** 2 + (columns - x) ** 2 <= RADIUS**2, number] = 1


def middle(region: np.ndarray, random: np.random.Generator | None = None) -> tuple[tuple[int, int], float]:
    """Return the pixel (x, y) of a region, bool (H, W), that is farthest from its edge, and that distance.

    The frame's border counts as edge. With `random` it is one of the pixels at 0.7 of that distance and more. The
    distance of an empty region is 0.
    """
    import cv2

    padded = np.pad(region.astype(np.uint8), 1)
    distances = cv2.distanceTransform(padded, cv2.DIST_L2, 5)[1:-1, 1:-1]
    largest = float(distances.max())
    if random is None or not largest:
        place = int(distances.argmax())
    else:
        place = int(random.choice(np.flatnonzero(distances >= 0.7 * largest)))
    y, x = divmod(place, region.shape[1])
    return (x, y), largest


def next_click(
    truth: np.ndarray, mask: np.ndarray, random: np.random.Generator | None = None
) -> tuple[tuple[int, int], int]:
    """Return the click (x, y) that a person would make next, in the middle of the largest error, and its map.

    `truth` and `mask` are bool (H, W). The map is `POSITIVE` where the object is missing, `NEGATIVE` where the mask is
    too much, as interactive segmentation is evaluated everywhere (Xu et al., CVPR 2016). `random` is as in `middle`.
    """
    missing, wrong = middle(truth & ~mask, random), middle(mask & ~truth, random)
    return (missing[0], POSITIVE) if missing[1] >= wrong[1] else (wrong[0], NEGATIVE)
