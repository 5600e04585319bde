"""Objects that a user gives by boxes in the first frame: GrabCut finds them, and the user may look at what it found."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from osmn.errors import InputError
from osmn.files.images import read_image, read_labels, write_image, write_labels
from osmn.inference import arguments
from osmn.inference.arguments import MOST_OBJECTS
from osmn.masks import labelled
from osmn.user_video.prompts import Prompt, objects_of, path_of

logger = logging.getLogger(__name__)

FOUND = ("first_mask.png", "first_frame.png")  # The objects that were found in boxes, and the frame with the boxes.


def box_mask(image: np.ndarray, boxes: Sequence[Sequence[int]]) -> np.ndarray:
    """Return the objects in boxes, with the ids 1, 2, ..., by GrabCut, uint8 (H, W), for an image uint8 (H, W, 3).

    Each box is (x, y, width, height). Raises InputError for a box without an object, and for too many boxes.
    """
    if len(boxes) > MOST_OBJECTS:
        raise InputError(f"{len(boxes)} boxes are too many: at most {MOST_OBJECTS} objects can be told apart")
    labels = np.zeros(image.shape[:2], np.uint8)
    for object_id, box in enumerate(boxes, 1):
        labels[grabcut(image, box)] = object_id
    return labels


def grabcut(image: np.ndarray, box: Sequence[int] | np.ndarray) -> np.ndarray:
    """Return the object in a box, bool (H, W), by GrabCut.

    Args:
        image: uint8 (H, W, 3), RGB.
        box: (x, y, width, height) in pixels, whole numbers, wholly or partly in the image.

    Raises:
        InputError: if the box is not as described or has no object; or if it leaves nothing of the image outside, from
            which GrabCut learns the background.
    """
    x, y, width, height = arguments.box(box)
    words, (rows, columns) = f"the box {x} {y} {width} {height}", image.shape[:2]
    left, top, right, bottom = max(x, 0), max(y, 0), min(x + width, columns), min(y + height, rows)
    if left >= right or top >= bottom or width < 2 or height < 2:
        raise InputError(f"{words} is outside the frame, {columns}x{rows}, or too small; give another one")
    if (left, top, right, bottom) == (0, 0, columns, rows):
        raise InputError(f"{words} is the whole frame, {columns}x{rows}; give a smaller one, or draw a mask instead")
    if (left, top, right, bottom) != (x, y, x + width, y + height):
        logger.info(f"{words} reaches outside the frame, {columns}x{rows}; what is inside counts")
    import cv2  # Only where there is a box.

    mask = np.zeros(image.shape[:2], np.uint8)
    background, foreground = np.zeros((2, 1, 65))  # GrabCut's models of both.
    inside = left, top, right - left, bottom - top
    cv2.setRNGSeed(0)  # A box has the same object whatever was drawn before, in this process or in another.
    cv2.grabCut(image[..., ::-1].copy(), mask, inside, background, foreground, 5, cv2.GC_INIT_WITH_RECT)
    found = (mask == cv2.GC_FGD) | (mask == cv2.GC_PR_FGD)
    if not found.any():
        raise InputError(f"{words}: GrabCut finds no object in it; draw a mask instead")
    return found


def in_boxes(image: np.ndarray, boxes: Sequence[Sequence[int]], folder: Path | str) -> list[Prompt]:
    """Return a list with the `Prompt` of boxes in the first frame; `write_found` writes its mask into `folder`.

    `image` is the first frame, uint8 (H, W, 3); each box is (x, y, width, height).
    """
    labels = box_mask(image, boxes)
    objects = {object_id: labels == object_id for object_id in range(1, len(boxes) + 1)}
    return [Prompt(None, Path(folder) / FOUND[0], objects)]


def write_found(given: Sequence[Prompt], image: np.ndarray, tell: Callable[..., object]) -> None:
    """Write the objects that were found in boxes, for the user to look at: the files of `FOUND`.

    `given` is the result of `in_boxes`, `image` the first frame, uint8 (H, W, 3). `tell` is called with the files'
    names before they are written. Raises InputError where such a file exists and shows something else: the user may
    have drawn on it.
    """
    (found,) = given
    mask, frame = (path_of(found).with_name(name) for name in FOUND)
    labels = labelled(objects_of(found), image.shape[:2])
    for path, changed in (
        (mask, _shows_other(mask, read_labels, labels)),
        (frame, _shows_other(frame, read_image, image)),
    ):
        if changed:
            raise InputError(
                f"{path} has been changed since it was written; give --mask {path} --overwrite for --box, or move it"
            )
    tell(*FOUND)
    write_labels(mask, labels)
    write_image(frame, image)
    logger.info(f"{mask} is what GrabCut finds in the boxes of {frame}; look at it")


def _shows_other(path: Path, read: Callable[[Path], np.ndarray], content: np.ndarray) -> bool:
    """Tell whether there is an undamaged image at `path` that differs from `content`, an array."""
    if not path.exists():
        return False
    try:
        return not np.array_equal(read(path), content)
    except InputError:
        return False  # A damaged image is written again.
