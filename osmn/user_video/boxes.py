"""Objects that a user points at, by boxes and clicks, in the first frame or later, and what was found, to be seen."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple, cast

import numpy as np

from osmn.errors import InputError
from osmn.files.images import read_image, read_labels, write_image, write_labels
from osmn.inference import arguments
from osmn.inference.arguments import MOST_OBJECTS
from osmn.inference.load import SHIPPED_CLICKS, fingerprint, has_click_model, load_click_engine
from osmn.inference.pointing import Click, check, edges_of, find, tell_outside
from osmn.masks import Size, labelled, labels_in
from osmn.models.engines import ClickEngine
from osmn.user_video.media.reader import Frame
from osmn.user_video.options import Placed, VideoOptions
from osmn.user_video.prompts import Prompt, PromptQueue, all_objects, objects_of, path_of, too_late

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


class PointedAt(NamedTuple):
    """What a user points at in a frame; a `prompts.Pointed`.

    Attributes:
        boxes: {object id: (x, y, width, height)}.
        clicks: {object id: its clicks, first those on it, then those beside it}.
        engine: of a click network; None for GrabCut, which knows boxes alone.
    """

    boxes: Mapping[int, Sequence[int]]
    clicks: Mapping[int, Sequence[Click]]
    engine: ClickEngine | None

    @property
    def object_ids(self) -> list[int]:
        """Of the objects, in their order."""
        return sorted({*self.boxes, *self.clicks})

    def of(self, object_ids: Collection[int]) -> PointedAt:
        """Return what is pointed at of some objects."""
        boxes = {i: box for i, box in self.boxes.items() if i in object_ids}
        return self._replace(boxes=boxes, clicks={i: of for i, of in self.clicks.items() if i in object_ids})

    def check(self, size: Size) -> None:
        """Raise InputError for a box or a click that is outside a frame of `size`."""
        for object_id in self.object_ids:
            check(size, self.clicks.get(object_id, ()))
            if object_id in self.boxes:
                edges_of(size, self.boxes[object_id])

    def find(self, frame: np.ndarray, labels: np.ndarray, number: int | None = None) -> dict[int, np.ndarray]:
        """See `prompts.Pointed`. Where there is no box, clicks correct the mask so far.

        What belongs to objects that are not pointed at stays with them; of the others, the largest number gets what
        several have. Raises InputError where nothing is found.
        """
        objects: dict[int, np.ndarray] = {}
        free = np.isin(labels, [0, *self.object_ids])
        at = "" if number is None else f" in frame {number}"
        for object_id in self.object_ids:
            box, clicks, so_far = self.boxes.get(object_id), self.clicks.get(object_id, ()), labels == object_id
            if box is None and not so_far.any() and not any(click.positive for click in clicks):
                raise InputError(
                    f"of object {object_id} nothing says where it is{at}; give --click X Y {object_id}, too, or a box"
                )
            if self.engine is None:
                found = grabcut(frame, box or ())
            else:
                found = find(self.engine, frame, clicks, box, so_far if box is None and so_far.any() else None)
            others = ", ".join(map(str, labels_in(labels[found & ~free])))
            found = found & free
            if not found.any():
                raise InputError(f"nothing is found of object {object_id}{at}; click on it, or draw a mask instead")
            if others:
                logger.info(f"a part of what is found of object {object_id}{at} is object {others}, and stays so")
            objects[object_id] = found
        shared = labelled(objects, labels.shape)
        return {object_id: shared == object_id for object_id in objects}


class Pointing(NamedTuple):
    """What a user points at in a video; objects are numbered from 1.

    Attributes:
        first: in the first frame; None for nothing.
        later: [(place, what is pointed at there)], in the order of the command line.
        made_by: what tells a manifest which click network it is; "" for GrabCut.
    """

    first: PointedAt | None
    later: Sequence[tuple[int | Fraction, PointedAt]] = ()
    made_by: str = ""

    def prompts(self, size: Size, after_masks: bool = False) -> list[Prompt]:
        """Return the `Prompt`s of what is not found in the first frame alone: `find_pointed` does that.

        `after_masks`: there are masks too, which what is pointed at in the first frame corrects. Raises InputError for
        boxes and clicks outside a frame of `size`.
        """
        given = [Prompt(place, None, pointed=at) for place, at in self.later]
        if after_masks and self.first is not None:
            given.insert(0, Prompt(None, None, pointed=self.first))
        for each in given:
            cast(PointedAt, each.pointed).check(size)
        return given

    def tell_replaced(self, masks: Iterable[Prompt]) -> None:
        """Log which objects of `masks` have a box at the same place, which counts instead."""
        boxes = {place: at.boxes for place, at in [(None, self.first), *self.later] if at is not None}
        for each in masks:
            for object_id in sorted(objects_of(each)):
                if object_id in boxes.get(each.place, ()):
                    logger.info(
                        f"object {object_id} is what is in its box, not what {path_of(each)} has of it; the box of"
                        " another object ends with that object's number: --box X Y W H NUMBER"
                    )


def pointing(options: VideoOptions) -> Pointing:
    """Return the `Pointing` of options; raise InputError for clicks that are no clicks, or without a network."""
    boxes: dict[int | Fraction | None, dict[int, Sequence[int]]] = {}
    clicks: dict[int | Fraction | None, dict[int, list[Click]]] = {}
    for count, numbers in enumerate(options.box, 1):
        place, box, object_id = _object("box", numbers, "X Y W H", count)
        if object_id in boxes.setdefault(place, {}):
            raise InputError(f"--box {_said(numbers)}: object {object_id} has a box there already; give one of them")
        boxes[place][object_id] = box
    for name, positive in (("click", True), ("no_click", False)):
        for numbers in getattr(options, name):
            place, (x, y), object_id = _object(name, numbers, "X Y", 1)
            clicks.setdefault(place, {}).setdefault(object_id, []).append(Click(x, y, positive))
    path = options.click_model or SHIPPED_CLICKS
    there = bool(options.click_model) or has_click_model()
    engine, made_by = None, ""
    if options.box_by == "grabcut" or (not there and not clicks and options.box_by is None):
        if clicks:
            raise InputError("GrabCut knows no clicks; leave out --box_by grabcut, or the clicks")
    else:
        engine, made_by = load_click_engine(path), fingerprint(path)
    at = {place: PointedAt(boxes.get(place, {}), clicks.get(place, {}), engine) for place in {**boxes, **clicks}}
    return Pointing(at.get(None), [(place, here) for place, here in at.items() if place is not None], made_by)


def _said(numbers: Sequence[int | Placed]) -> str:
    return " ".join(f"{each.place}:{each.number}" if isinstance(each, Placed) else str(each) for each in numbers)


def _object(
    name: str, numbers: Sequence[int | Placed], wanted: str, usual: int
) -> tuple[int | Fraction | None, list[int], int]:
    """Return (place, numbers, object id) of a value of --box or --click; `usual` is the id where none is given."""
    first, count = numbers[0], len(wanted.split())
    place, whole = (first.place, [first.number, *numbers[1:]]) if isinstance(first, Placed) else (None, [*numbers])
    plain = [each for each in whole if not isinstance(each, Placed)]
    object_id = plain[count] if len(plain) > count else usual
    if len(plain) < len(whole) or len(plain) not in (count, count + 1) or not 1 <= object_id <= MOST_OBJECTS:
        raise InputError(
            f"--{name} {_said(numbers)} is neither {wanted} nor {wanted} OBJECT, an object's number from 1 to"
            f" {MOST_OBJECTS}; a place, as 120: or 4.5s:, stands before the first number"
        )
    return place, plain[:count], object_id


def find_pointed(image: np.ndarray, given: Pointing, folder: Path | str) -> list[Prompt]:
    """Return the `Prompt` of what is pointed at in the first frame, in a list; [] for nothing.

    `image` is the first frame, uint8 (H, W, 3); `write_found` writes the mask into `folder`. Raises InputError where
    nothing is found.
    """
    if given.first is None:
        return []
    objects = given.first.find(image, np.zeros(image.shape[:2], np.uint8))
    return [Prompt(None, Path(folder) / FOUND[0], objects)]


def with_new_found(frames: Iterable[Frame], given: Sequence[Prompt]) -> list[Prompt]:
    """Return `Prompt`s in which the objects that no earlier one has are found where the user points.

    What is left to be found are corrections, which need what is followed by then. Raises InputError for a place after
    the last of the `frames`, and where nothing is found.
    """
    queue, known, found = PromptQueue(given), set[int](), list[Prompt]()
    for frame in frames:
        for prompt in queue.take(frame):
            at, ids = prompt.pointed, set(all_objects([prompt]))
            if isinstance(at, PointedAt) and ids - known:
                objects = at.of(ids - known).find(frame.image, np.zeros(frame.image.shape[:2], np.uint8), frame.number)
                found.append(Prompt(prompt.place, None, objects, "found where the user points"))
                at = at.of(ids & known)
            if not isinstance(at, PointedAt) or at.object_ids:
                found.append(prompt._replace(pointed=at))
            known |= ids
        if not queue.left:
            return found
    raise too_late(queue.left[0])


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
