"""Segmentations as COCO writes them: checked, because pycocotools' C code takes all numbers as they are, then encoded.

A segmentation is polygons, [[x, y, x, y, ...], ...], or runs of 0 and 1 in turn, column by column, either as numbers or
as COCO's compressed text.
"""

import numpy as np
from PIL import Image
from pycocotools import mask as coco_masks

MOST_PIXELS = 2 * Image.MAX_IMAGE_PIXELS  # of an image that Pillow opens


def check_size(height, width):
    """Raise ValueError for what is no size of an image in pixels."""
    for side in (height, width):
        if type(side) is not int or side < 1:
            raise ValueError(f"{side!r} is not a side of an image in pixels")
    if height * width > MOST_PIXELS:
        raise ValueError(f"an image of {width}x{height} is too large")


def encode(segmentation, height, width):
    """Return a segmentation in an image of a size as COCO's compressed text; ValueError if it is damaged."""
    if isinstance(segmentation, list):
        _check_polygons(segmentation, height, width)
        return _text(coco_masks.merge(coco_masks.frPyObjects(segmentation, height, width)))
    if not isinstance(segmentation, dict):
        raise ValueError("it has neither polygons nor runs")
    if segmentation.get("size") != [height, width]:
        raise ValueError(f"its mask is of size {segmentation.get('size')!r}, its image of {[height, width]}")
    counts = segmentation.get("counts")
    if isinstance(counts, list):
        if not set(map(type, counts)) <= {int}:
            raise ValueError("its runs are not whole numbers")
        _check_runs(counts, height * width)
        return _text(coco_masks.frPyObjects(segmentation, height, width))
    _check_runs(_runs(counts), height * width)
    return counts


def area(code, height, width):
    """Return the number of pixels of a compressed text, from `encode`."""
    return int(coco_masks.area({"size": [height, width], "counts": code}))


def _text(encoded):
    return encoded["counts"].decode()


def _check_polygons(polygons, height, width):
    if not polygons:
        raise ValueError("it has no polygon")
    for polygon in polygons:
        if not isinstance(polygon, list) or not set(map(type, polygon)) <= {int, float}:
            raise ValueError("a polygon is not a list of numbers")
        if len(polygon) < 6 or len(polygon) % 2:
            raise ValueError(f"a polygon of {len(polygon)} numbers does not have three corners or more")
        corners = np.array(polygon, np.float64).reshape(-1, 2)
        size = (width, height)
        # Corners may lie outside, but not so far that they are of another image; NaN is nowhere.
        if not ((corners >= np.negative(size)) & (corners <= np.multiply(size, 2))).all():
            raise ValueError(f"a polygon is not in an image of {width}x{height}")


def _check_runs(runs, pixels):
    # Python's integers first: a run may be larger than any array holds.
    if min(runs, default=-1) < 0 or max(runs) > pixels or sum(runs) != pixels:
        raise ValueError(f"its runs do not add up to the {pixels} pixels of its image")


def _runs(text):
    """Return the runs, a list of ints, of COCO's compressed text."""
    if not isinstance(text, str) or not text.isascii():
        raise ValueError("its runs are no text")
    characters = np.frombuffer(text.encode(), np.uint8).astype(np.int64) - 48
    # Five bits in each character, the lowest first; the sixth tells that the number goes on.
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
    # From the fourth on they are differences to the run before the last.
    numbers[1::2] = numbers[1::2].cumsum()
    numbers[2::2] = numbers[2::2].cumsum()
    return numbers.tolist()
