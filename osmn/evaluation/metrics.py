"""J and F of masks: the measures of the DAVIS benchmark, written from the definitions in its papers.

J is the intersection over union of two masks. F compares their contours: the harmonic mean of precision and recall of
contour pixels, where a pixel is matched if the other contour comes within a tolerance. Edge cases are decided
explicitly, without epsilons: two empty masks agree (J = 1, F = 1), an empty and a non-empty one do not (0).
"""

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

CONTOUR_TOLERANCE = 0.008  # Of the image's diagonal.
FEW_OBJECTS = 6  # So many boxes are found sooner one by one than by a library that looks for all.


class Statistics(NamedTuple):
    """What the benchmark reports of a measure over a sequence's frames."""

    mean: float
    recall: float  # The share of frames above 0.5.
    decay: float  # The mean of the first quarter minus that of the last quarter.


def statistics(values: np.ndarray | Sequence[float]) -> Statistics:
    """Return the Statistics of the per-frame `values` (n,), n >= 1."""
    values = np.asarray(values, np.float64)
    # The benchmark's quarters share their end frames. Its own code keeps the indices in 8 bits, which wrap beyond 256
    # frames; this code does not.
    ends = np.round(np.linspace(1, len(values), 5) + 1e-10).astype(int) - 1
    first, last = values[ends[0] : ends[1] + 1], values[ends[3] : ends[4] + 1]
    return Statistics(float(values.mean()), float((values > 0.5).mean()), float(first.mean() - last.mean()))


def region_similarity(truth: np.ndarray, result: np.ndarray) -> float:
    """Return J of two boolean (H, W) masks; 1 if both are empty."""
    union = np.count_nonzero(truth | result)
    return np.count_nonzero(truth & result) / union if union else 1.0


def contour_accuracy(truth: np.ndarray, result: np.ndarray, tolerance: int) -> float:
    """Return F of two boolean (H, W) masks for a tolerance in pixels; 1 if both lack a contour, 0 if one lacks it."""
    truth, result = contour(truth), contour(result)
    lengths = np.count_nonzero(truth), np.count_nonzero(result)
    if 0 in lengths:
        return float(not any(lengths))
    recall = np.count_nonzero(truth & dilate(result, tolerance)) / lengths[0]
    precision = np.count_nonzero(result & dilate(truth, tolerance)) / lengths[1]
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def contour_tolerance(shape: tuple[int, int]) -> int:
    """Return the benchmark's tolerance in pixels for images of `shape` (H, W)."""
    return math.ceil(CONTOUR_TOLERANCE * math.hypot(*shape))


def contour(mask: np.ndarray) -> np.ndarray:
    """Mark the pixels of a boolean (H, W) mask that differ from their right, lower or lower-right neighbor."""
    marked = np.zeros_like(mask)
    marked[:, :-1] |= mask[:, :-1] != mask[:, 1:]
    marked[:-1] |= mask[:-1] != mask[1:]
    marked[:-1, :-1] |= mask[:-1, :-1] != mask[1:, 1:]
    return marked


def dilate(mask: np.ndarray, radius: int) -> np.ndarray:
    """Dilate a boolean (H, W) mask by the disk x^2 + y^2 <= radius^2.

    The disk is a stack of horizontal runs that widen towards its middle row. So a single mask is widened step by step
    and laid down once per pair of rows: thirty passes for the 197 pixels of radius 8. Rows lie one behind the other,
    with `radius` pixels between them that what is moved sideways may fill: a pass over one vector takes 0.4 of the
    time of one over rows.
    """
    height, width = mask.shape
    stride = width + radius
    single = np.pad(mask, ((0, 0), (0, radius))).ravel()
    wide, half = single.copy(), 0
    dilated = np.zeros_like(single)
    for dy in range(radius, -1, -1):
        reach = math.isqrt(radius * radius - dy * dy)
        for dx in range(half + 1, reach + 1):
            wide[dx:] |= single[:-dx]
            wide[:-dx] |= single[dx:]
        half = reach
        if dy < height:
            rows = dy * stride
            dilated[rows:] |= wide[: len(wide) - rows]
            dilated[: len(wide) - rows] |= wide[rows:]
    return dilated.reshape(height, stride)[:, :width]


def frame_scores(
    truth: np.ndarray, result: np.ndarray, object_ids: Sequence[int], absent: float = 1.0, mose2: bool = False
) -> np.ndarray:
    """Return J and F, (objects, 2), of the objects in two (H, W) label images; `absent` of objects in neither.

    With `mose2` they are as MOSE v2 measures them; see `mose2_scores`.

    Each object is compared inside the box of its two masks, one pixel wider. Outside of the box is neither mask nor
    contour, so the numbers are those of the whole image.
    """
    tolerance, largest = contour_tolerance(truth.shape), CONTOUR_TOLERANCE * math.hypot(*truth.shape)
    occupied = (truth | result) != 0
    crop = _widened([(_extent(occupied.any(1)), _extent(occupied.any(0)))])
    truth, result = truth[crop], result[crop]
    scores = np.full((len(object_ids), 2), absent)
    for row, object_id, boxes in zip(scores, object_ids, _boxes(truth, result, object_ids), strict=True):
        if boxes:
            crop = _widened(boxes)
            masks = truth[crop] == object_id, result[crop] == object_id
            if mose2:
                row[:] = mose2_scores(*masks, largest)
            else:
                row[:] = region_similarity(*masks), contour_accuracy(*masks, tolerance)
    return scores


def _boxes(truth: np.ndarray, result: np.ndarray, object_ids: Sequence[int]) -> list[list[tuple[slice, ...]]]:
    """Return, for each object, boxes (rows, columns) that together hold it in two (H, W) label images; none if none."""
    if len(object_ids) <= FEW_OBJECTS:
        masks = ((truth == object_id) | (result == object_id) for object_id in object_ids)
        around = [(_extent(mask.any(1)), _extent(mask.any(0))) for mask in masks]
        return [[box] if box[0].stop else [] for box in around]
    from scipy import ndimage  # A tenth of a second, which few objects do without.

    found = [ndimage.find_objects(labels, max(object_ids)) for labels in (truth, result)]
    return [[boxes[i - 1] for boxes in found if boxes[i - 1] is not None] for i in object_ids]


def mose2_scores(truth: np.ndarray, result: np.ndarray, largest: float) -> tuple[float, float]:
    """Return J and F of two boolean (H, W) masks, at least one of them not empty, as MOSE v2's scorer measures them.

    J counts one more pixel in intersection and union. F's tolerance is a tenth of the root of the true mask's area,
    rounded up, and at most `largest`: 0.008 of the image's diagonal, not rounded. Source: score.py and metricsv2.py of
    MOSE-api 241977a.
    """
    import cv2  # It takes a tenth of a second, which the other measures do without.

    union = np.count_nonzero(truth | result)
    j = (np.count_nonzero(truth & result) + 1) / (union + 1)
    area = np.count_nonzero(truth)
    tolerance = min(largest, math.ceil(0.1 * math.sqrt(area))) if area else largest
    contours = [contour(mask).astype(np.uint8) for mask in (truth, result)]
    lengths = [int(np.count_nonzero(each)) for each in contours]
    if 0 in lengths:
        return j, float(not any(lengths))
    # Where the radius is no whole number, the disk's pixels are not at whole numbers from its center, as there.
    side = np.arange(-tolerance, tolerance + 1)
    disk = (side[:, None] ** 2 + side**2 <= tolerance**2).astype(np.uint8)
    near = [cv2.dilate(each, disk, borderType=cv2.BORDER_CONSTANT, borderValue=0) for each in contours]
    matched = [np.count_nonzero((own != 0) & (other != 0)) for own, other in zip(contours, near[::-1], strict=True)]
    recall, precision = matched[0] / lengths[0], matched[1] / lengths[1]
    return j, 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def _extent(occupied: np.ndarray) -> slice:
    """Return the slice from the first to the last true element of a vector; an empty slice if no element is true."""
    places = np.flatnonzero(occupied)
    return slice(places[0], places[-1] + 1) if len(places) else slice(0, 0)


def _widened(boxes: Iterable[tuple[slice, ...]]) -> tuple[slice, ...]:
    """Return the box (rows, columns) around `boxes`, one pixel wider where the image allows it."""
    return tuple(
        slice(max(0, min(side.start for side in sides) - 1), max(side.stop for side in sides) + 1)
        for sides in zip(*boxes, strict=True)
    )
