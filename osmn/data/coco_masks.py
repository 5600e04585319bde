"""Segmentations of COCO: checked, because pycocotools' C code does not check their numbers, and then encoded.

A segmentation consists of polygons, [[x, y, x, y, ...], ...], or of runs of 0 and 1 in turn, column by column. The runs
are numbers or COCO's compressed text.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image
from pycocotools import mask as coco_masks

MOST_PIXELS = 2 * (Image.MAX_IMAGE_PIXELS or math.inf)  # Of an image that Pillow opens.


def check_size(height: Any, width: Any) -> None:
    """Raise ValueError if `height` and `width` are not the size of an image in pixels."""
    for side in (height, width):
        if type(side) is not int or side < 1:
            raise ValueError(f"{side!r} is not a side of an image in pixels")
    if height * width > MOST_PIXELS:
        raise ValueError(f"an image of {width}x{height} is too large")


def encode(segmentation: object, height: int, width: int) -> str:
    """Return a segmentation of an image as COCO's compressed text; raise ValueError if it is damaged."""
    if isinstance(segmentation, list):
        _check_polygons(segmentation, height, width)
        return _text(coco_masks.merge(coco_masks.frPyObjects(segmentation, height, width)))
    if not isinstance(segmentation, dict):
        raise ValueError("it has neither polygons nor runs")
    if segmentation.get("size") != [height, width]:
        raise ValueError(f"its mask is of size {segmentation.get('size')!r}, its image of {[height, width]}")
    counts: Any = segmentation.get("counts")
    if isinstance(counts, list):
        if not set(map(type, counts)) <= {int}:
            raise ValueError("its runs are not whole numbers")
        _check_runs(counts, height * width)
        return _text(coco_masks.frPyObjects(segmentation, height, width))
    _check_runs(_runs(counts), height * width)
    return str(counts)


def area(code: str, height: int, width: int) -> int:
    """Return the number of pixels in the mask of a compressed text, from `encode`."""
    return int(coco_masks.area({"size": [height, width], "counts": code}))


def _text(encoded: dict[str, Any]) -> str:
    text: bytes = encoded["counts"]
    return text.decode()


def _check_polygons(polygons: list[Any], height: int, width: int) -> None:
    if not polygons:
        raise ValueError("it has no polygon")
    for polygon in polygons:
        if not isinstance(polygon, list) or not set(map(type, polygon)) <= {int, float}:
            raise ValueError("a polygon is not a list of numbers")
        if len(polygon) < 6 or len(polygon) % 2:
            raise ValueError(f"a polygon of {len(polygon)} numbers does not have three corners or more")
        corners = np.array(polygon, np.float64).reshape(-1, 2)
        size = (width, height)
        # Corners may lie outside, but at most a side of the image away. NaN fits neither comparison.
        if not ((corners >= np.negative(size)) & (corners <= np.multiply(size, 2))).all():
            raise ValueError(f"a polygon is not in an image of {width}x{height}")


def _check_runs(runs: Sequence[int], pixels: int) -> None:
    # The runs are still Python's integers here: a run may be larger than an array can hold.
    if min(runs, default=-1) < 0 or max(runs) > pixels or sum(runs) != pixels:
        raise ValueError(f"its runs do not add up to the {pixels} pixels of its image")


def _runs(text: object) -> list[int]:
    """Return the runs, a list of ints, of COCO's compressed text."""
    if not isinstance(text, str) or not text.isascii():
        raise ValueError("its runs are no text")
    characters = np.frombuffer(text.encode(), np.uint8).astype(np.int64) - 48
    # Each character holds five bits, the lowest first; its sixth bit tells that the number goes on.
    if not characters.size or characters.min() < 0 or characters.max() > 63 or characters[-1] & 32:
        raise ValueError("its runs are no compressed text")
    ends = np.flatnonzero(characters & 32 == 0) + 1
    starts = np.r_[0, ends[:-1]]
    lengths = ends - starts
    if lengths.max() > 7:
        raise ValueError("its runs are too long")
    places = np.arange(len(characters)) - np.repeat(starts, lengths)
    numbers = np.add.reduceat((characters & 31) << 5 * places, starts)
    numbers -= np.where(characters[ends - 1] & 16, 1 << 5 * lengths, 0)
    # From the fourth number on, each is the difference to the run two places before.
    numbers[1::2] = numbers[1::2].cumsum()
    numbers[2::2] = numbers[2::2].cumsum()
    runs: list[int] = numbers.tolist()
    return runs
