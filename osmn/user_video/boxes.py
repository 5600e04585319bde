"""Objects that a user points at in the first frame, by boxes and clicks, and what was found, for the user to see."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from osmn.errors import InputError
from osmn.files.images import read_image, read_labels, write_image, write_labels
from osmn.inference import arguments
from osmn.inference.arguments import MOST_OBJECTS
from osmn.inference.load import SHIPPED_CLICKS, fingerprint, has_click_model, load_click_engine
from osmn.inference.pointing import Click, edges_of, find, tell_outside
from osmn.masks import Size, labelled
from osmn.models.engines import ClickEngine
from osmn.user_video.options import VideoOptions
from osmn.user_video.prompts import Prompt, objects_of, path_of

logger = logging.getLogger(__name__)

FOUND = ("first_mask.png", "first_frame.png")  # The objects that were found, and the frame that was pointed at.


def grabcut(image: np.ndarray, box: Sequence[int] | np.ndarray) -> np.ndarray:
    """Return the object in a box, bool (H, W), by GrabCut.

    Args:
        image: uint8 (H, W, 3), RGB.
        box: (x, y, width, height) in pixels, whole numbers, wholly or partly in the image.

    Raises:
        InputError: if the box is not as described or has no object; or if it leaves nothing of the image outside, from
            which GrabCut learns the background.
    """
    size = Size.of(image)
    left, top, right, bottom = edges = edges_of(size, box)
    words = "the box {} {} {} {}".format(*arguments.box(box))
    if edges == (0, 0, *size):
        within = f"the whole frame, {size.width}x{size.height}"
        raise InputError(f"{words} is {within}; give a smaller one, or draw a mask instead")
    tell_outside(size, box, edges)
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


class Pointing(NamedTuple):
    """What a user points at in the first frame; objects are numbered from 1.

    Attributes:
        boxes: {object id: (x, y, width, height)}.
        clicks: {object id: its clicks, first those on it, then those beside it}.
        engine: of a click network; None for GrabCut, which knows boxes alone.
        made_by: what tells a manifest which network it is; "" for GrabCut.
    """

    boxes: Mapping[int, Sequence[int]]
    clicks: Mapping[int, Sequence[Click]]
    engine: ClickEngine | None
    made_by: str = ""


def pointing(options: VideoOptions) -> Pointing:
    """Return the `Pointing` of options; raise InputError for clicks that are no clicks, or without a network."""
    clicks: dict[int, list[Click]] = {}
    for name, positive in (("click", True), ("no_click", False)):
        for numbers in getattr(options, name):
            if len(numbers) not in (2, 3) or (len(numbers) == 3 and not 1 <= numbers[2] <= MOST_OBJECTS):
                said = " ".join(map(str, numbers))
                raise InputError(f"--{name} {said} is neither X Y nor X Y OBJECT, an object's number from 1 to 255")
            x, y, object_id = (*numbers, 1)[:3]
            clicks.setdefault(object_id, []).append(Click(x, y, positive))
    boxes = dict(enumerate(options.box, 1))
    only = next((i for i, of in clicks.items() if i not in boxes and not any(click.positive for click in of)), None)
    if only is not None:
        raise InputError(f"of object {only} nothing says where it is; give --click X Y {only}, too, or a box")
    path = options.click_model or SHIPPED_CLICKS
    there = bool(options.click_model) or has_click_model()
    if options.box_by == "grabcut" or (not there and not clicks and options.box_by is None):
        if clicks:
            raise InputError("GrabCut knows no clicks; leave out --box_by grabcut, or the clicks")
        return Pointing(boxes, {}, None)
    return Pointing(boxes, clicks, load_click_engine(path), fingerprint(path))


def find_pointed(image: np.ndarray, given: Pointing, folder: Path | str) -> list[Prompt]:
    """Return a list with the `Prompt` of what is pointed at; `write_found` writes its mask into `folder`.

    `image` is the first frame, uint8 (H, W, 3). Raises InputError where nothing is found.
    """
    if max(len(given.boxes), *given.clicks, 0) > MOST_OBJECTS:
        raise InputError(f"{len(given.boxes)} boxes are too many: at most {MOST_OBJECTS} objects can be told apart")
    objects: dict[int, np.ndarray] = {}
    for object_id in sorted({*given.boxes, *given.clicks}):
        box, clicks = given.boxes.get(object_id), given.clicks.get(object_id, ())
        if given.engine is None:
            objects[object_id] = grabcut(image, box or ())
        else:
            objects[object_id] = find(given.engine, image, clicks, box)
        if not objects[object_id].any():
            raise InputError(f"nothing is found of object {object_id}; click on it, or draw a mask instead")
    labels = labelled(objects, image.shape[:2])
    return [Prompt(None, Path(folder) / FOUND[0], {object_id: labels == object_id for object_id in objects})]


def write_found(given: Sequence[Prompt], image: np.ndarray, tell: Callable[..., object]) -> None:
    """Write the objects that were found where the user points, to be looked at: the files of `FOUND`.

    `given` is the result of `find_pointed`, `image` the first frame, uint8 (H, W, 3). `tell` is called with the files'
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
                f"{path} has been changed since it was written; give --mask {path} --overwrite for --box or --click, or"
                " move it"
            )
    tell(*FOUND)
    write_labels(mask, labels)
    write_image(frame, image)
    logger.info(f"{mask} is what was found in {frame}; look at it")


def _shows_other(path: Path, read: Callable[[Path], np.ndarray], content: np.ndarray) -> bool:
    """Tell whether there is an undamaged image at `path` that differs from `content`, an array."""
    if not path.exists():
        return False
    try:
        return not np.array_equal(read(path), content)
    except InputError:
        return False  # A damaged image is written again.
