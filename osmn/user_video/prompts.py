"""Objects that a user gives in a video, in its first frame or later: by masks, or by boxes and GrabCut."""

import logging
from pathlib import Path
from typing import NamedTuple

import numpy as np

from osmn.errors import InputError
from osmn.files.images import read_image, read_labels, write_image, write_labels
from osmn.inference import arguments
from osmn.inference.arguments import MOST_OBJECTS
from osmn.masks import labelled, resized
from osmn.user_video.media.reader import position

logger = logging.getLogger(__name__)

ASPECT_TOLERANCE = 0.02  # Of a mask's width over height, relative to the video's: rounded sides differ by less.


class Prompt(NamedTuple):
    """Objects that are given at a place of a video.

    Attributes:
        place: a frame's number (int) or time (Fraction, seconds); None for the first frame that is used.
        path: the mask: a PNG of object ids, 0 for the background.
        objects: {object id: bool (H, W)}, of the video's size, once `read` has read it.
    """

    place: object
    path: Path
    objects: dict | None = None

    def is_at(self, frame):
        """Tell whether a `reader.Frame` is the first one at or after the place."""
        if self.place is None:
            return True
        return (frame.number if isinstance(self.place, int) else frame.seconds) >= self.place


class PromptQueue:
    """What is given in a video, until its place comes up: a list of `Prompt`, with their objects."""

    def __init__(self, prompts):
        self._left = list(prompts)

    def take(self, frame):
        """Return the prompts at a `reader.Frame`, and forget them."""
        here = [prompt for prompt in self._left if prompt.is_at(frame)]
        self._left = [prompt for prompt in self._left if not prompt.is_at(frame)]
        return here


def parse_prompt(text, name=""):
    """Return the `Prompt` of "FILE", or of "PLACE:FILE" with a frame (120) or a time (4.5s, 1:02.5).

    A folder in FILE's place stands for `<name>.png` in it. Raises InputError for a file that is not there.
    """
    place, colon, path = text.rpartition(":")
    if not colon or Path(text).exists():
        place, path = None, text
    try:
        place = None if place is None else position(place)
    except ValueError as error:
        raise InputError(f"--mask {text}: {error}") from None
    path = Path(path)
    if path.is_dir():
        path /= f"{name}.png"
    if not path.exists():
        raise InputError(f"{path} does not exist; give a mask, --mask FILE")
    return Prompt(place, path)


def read(given, size):
    """Return a list of `Prompt` with their objects, for a video of `size`, before hours are spent on it."""
    return [each._replace(objects=read_objects(each.path, size)) for each in given]


def read_objects(path, size):
    """Return {object id: bool (H, W)} of a mask's file for a video of `size`, (width, height); say if it is resized.

    A mask of 0 and 255 alone is one object, 1. Raises InputError, naming the file, for a mask without objects or of
    another aspect ratio than the video.
    """
    labels = read_labels(path)
    height, width = labels.shape
    if abs(width / height / (size[0] / size[1]) - 1) > ASPECT_TOLERANCE:
        raise InputError(
            f"{path} is {width}x{height}, the video {size[0]}x{size[1]}; draw the mask on one of its frames"
        )
    ids = [int(i) for i in np.unique(labels) if i]
    if not ids:
        raise InputError(f"{path} shows no object: every pixel is 0; paint objects in 1, 2, ...")
    if ids == [255]:
        labels, ids = labels // 255, [1]
    if (width, height) != tuple(size):
        logger.info(f"{path} is resized to the video's size, {size[0]}x{size[1]}")
        labels = resized(labels, size)
    return {i: labels == i for i in ids}


def box_mask(image, boxes):
    """Return the objects in some boxes, 1, 2, ..., by GrabCut, uint8 (H, W); InputError for a box without an object."""
    if len(boxes) > MOST_OBJECTS:
        raise InputError(f"{len(boxes)} boxes are too many: at most {MOST_OBJECTS} objects can be told apart")
    labels = np.zeros(image.shape[:2], np.uint8)
    for object_id, box in enumerate(boxes, 1):
        labels[grabcut(image, box)] = object_id
    return labels


def grabcut(image, box):
    """Return the object in a box, bool (H, W), by GrabCut.

    Args:
        image: uint8 (H, W, 3), RGB.
        box: (x, y, width, height) in pixels, whole numbers, wholly or partly in the image.

    Raises:
        InputError: for what is no such box, or has no object; for one that leaves nothing of the image out, which is
            what GrabCut learns the background from.
    """
    x, y, width, height = arguments.box(box)
    words, (rows, columns) = f"the box {x} {y} {width} {height}", image.shape[:2]
    left, top, right, bottom = max(x, 0), max(y, 0), min(x + width, columns), min(y + height, rows)
    if left >= right or top >= bottom or width < 2 or height < 2:
        raise InputError(f"{words} is outside the frame, {columns}x{rows}, or too small; give another one")
    if (left, top, right, bottom) == (0, 0, columns, rows):
        raise InputError(f"{words} is the whole frame, {columns}x{rows}; give a smaller one, or draw a mask instead")
    import cv2  # Only where there is a box.

    mask = np.zeros(image.shape[:2], np.uint8)
    models = np.zeros((2, 1, 65))
    inside = left, top, right - left, bottom - top
    cv2.grabCut(image[..., ::-1].copy(), mask, inside, *models, 5, cv2.GC_INIT_WITH_RECT)
    found = (mask == cv2.GC_FGD) | (mask == cv2.GC_PR_FGD)
    if not found.any():
        raise InputError(f"{words}: GrabCut finds no object in it; draw a mask instead")
    return found


def in_boxes(image, boxes, folder):
    """Return the `Prompt` of boxes in the first frame, which `write_found` has yet to write into `folder`."""
    labels = box_mask(image, boxes)
    objects = {object_id: labels == object_id for object_id in range(1, len(boxes) + 1)}
    return [Prompt(None, Path(folder) / FOUND[0], objects)]


FOUND = ("first_mask.png", "first_frame.png")  # what was found in boxes, and the frame that they are in


def write_found(given, image, tell):
    """Write what was found in boxes, to be looked at: the files of `FOUND`.

    `tell` is called with their names before. Raises InputError where they are there and show something else: somebody
    has drawn on them.
    """
    (found,) = given
    mask, frame = (found.path.with_name(name) for name in FOUND)
    labels = labelled(found.objects, image.shape[:2])
    for path, read, content in ((mask, read_labels, labels), (frame, read_image, image)):
        if _shows_other(path, read, content):
            raise InputError(
                f"{path} has been changed since it was written; give --mask {path} --overwrite for --box, or move it"
            )
    tell(*FOUND)
    write_labels(mask, labels)
    write_image(frame, image)
    logger.info(f"{mask} is what GrabCut finds in the boxes of {frame}; look at it")


def _shows_other(path, read, content):
    """Tell whether there is an image at `path` that is whole, and other than `content`, an array."""
    if not path.exists():
        return False
    try:
        return not np.array_equal(read(path), content)
    except InputError:
        return False  # It is damaged, and is written again.


def all_objects(given):
    """Return the sorted ids of all objects that are given somewhere."""
    return sorted({object_id for each in given for object_id in each.objects})


def reference_frames(frames, given):
    """Return the frame at the place of each of `given`, uint8 (H, W, 3); InputError if one is after the last frame."""
    found, left = {}, list(range(len(given)))
    for frame in frames:
        at = [number for number in left if given[number].is_at(frame)]
        found |= dict.fromkeys(at, frame.image)
        left = [number for number in left if number not in found]
        if not left:
            return [found[number] for number in range(len(given))]
    raise too_late(given[left[0]])


def too_late(given):
    """Return the InputError of what is given after the last frame."""
    return InputError(f"{given.path} is for a place after the video's last frame; correct its time or frame")
