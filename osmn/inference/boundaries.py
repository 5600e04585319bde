"""Moving masks' boundaries to those of the image, by the boundary net; `--boundaries`. Not in the published program.

The net sees a window around the object alone: its box and a margin, in which it may find more of the object.
"""

import math
from collections.abc import Callable

import numpy as np

from osmn.inference.window import Box
from osmn.models.engines.boundaries import BoundaryNet

MARGIN = 24  # Pixels around an object's box.
STEP = 32  # Windows' sides are multiples of it: whenever a size is new, OpenVINO has to make the net ready for it.
SEEN = 0.1  # Probabilities from which on a pixel belongs to the box.


def refiner() -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """Return a function (frame, probabilities) -> probabilities of objects with the boundaries of the image.

    The frame is uint8 (H, W, 3), RGB; probabilities are float32 (N, H, W), of the frame's size. Raises InputError where
    OpenVINO or the shipped net is missing.
    """
    net = BoundaryNet()

    def refined(frame: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
        found = np.stack([_of_one(net, frame, each) for each in probabilities])
        return found if len(found) == 1 else _apart(probabilities, found)

    return refined


def _of_one(net: BoundaryNet, frame: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    seen = probabilities > SEEN
    if not seen.any():
        return probabilities
    box, (height, width) = Box.of(seen), seen.shape
    here = _around(box.top, box.bottom, height), _around(box.left, box.right, width)
    found = probabilities.copy()
    found[here] = net(np.ascontiguousarray(frame[here]), np.ascontiguousarray(probabilities[here]))
    return found


def _around(start: int, end: int, length: int) -> slice:
    """Return a side of the window around a side of a box, in an image of a `length`."""
    start, end = max(0, start - MARGIN), min(length, end + MARGIN)
    size = min(length, math.ceil((end - start) / STEP) * STEP)
    start = min(start, length - size)
    return slice(start, start + size)


def _apart(before: np.ndarray, found: np.ndarray) -> np.ndarray:
    """Return what was `found` of N objects, but no more of an object than `before` where another one was likelier.

    The net knows no object: beside another of its kind, it would go on from one into the other.
    """
    highest = before.max(axis=0)
    return np.where(before < highest, np.minimum(before, found), found)
