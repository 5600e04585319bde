"""Objects that a user gives in a video, in its first frame or later: by masks, or by boxes and GrabCut."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import numpy as np

from osmn.errors import InputError
from osmn.files.images import read_image, read_labels, write_image, write_labels
from osmn.files.names import PICTURES, picture_files
from osmn.inference import arguments
from osmn.inference.arguments import MOST_OBJECTS
from osmn.masks import Size, labelled, resized
from osmn.user_video.given import masks
from osmn.user_video.media.reader import Frame, position

logger = logging.getLogger(__name__)

AsShown = Callable[[np.ndarray], "np.ndarray | None"]
ASPECT_TOLERANCE = 0.02  # Of a mask's width over height, relative to the video's: rounded sides differ by less.


class Prompt(NamedTuple):
    """Objects that are given at a place of a video.

    Attributes:
        place: a frame's number (int) or time (Fraction, seconds); None for the first frame that is used.
        path: the mask's file, or the folder with a mask's file for each object; None for objects without a file.
        objects: {object id: bool (H, W)}, of the video's size, once `read` has read the mask.
        note: what was made of the file, where that could surprise.
    """

    place: int | Fraction | None
    path: Path | None
    objects: Mapping[int, np.ndarray] | None = None
    note: str = ""

    def is_at(self, frame: Frame) -> bool:
        """Tell whether a `reader.Frame` is at or after the place."""
        if self.place is None:
            return True
        return (frame.number if isinstance(self.place, int) else frame.seconds) >= self.place


def _nothing(mask: np.ndarray) -> None:
    """Return no mask: of a video whose frames are shown as they are stored."""


class PromptQueue:
    """The `Prompt`s of a video, with their objects, each until its place comes up."""

    def __init__(self, prompts: Iterable[Prompt]) -> None:
        self._left = list(prompts)

    def take(self, frame: Frame) -> list[Prompt]:
        """Return the prompts whose place is at or before a `reader.Frame`, and forget them."""
        here = [prompt for prompt in self._left if prompt.is_at(frame)]
        self._left = [prompt for prompt in self._left if not prompt.is_at(frame)]
        return here


def prompts_of(text: str, name: str = "", alone: bool = True) -> list[Prompt]:
    """Return the `Prompt` of a text as `parse_prompt`, or one for each object if it is a folder of objects.

    The folder has a picture for each object. It is FILE/<name>, or FILE itself if the video is `alone`.
    """
    given = parse_prompt(text, name, alone)
    path = path_of(given)
    if not path.is_dir():
        return [given]
    files = picture_files(path)
    if not files:
        raise InputError(
            f"{path} holds no masks ({', '.join(PICTURES)}); give a file, or the folder of the objects' masks"
        )
    return [given._replace(path=file) for file in files]


def parse_prompt(text: str, name: str = "", alone: bool = True) -> Prompt:
    """Return the `Prompt` of "FILE", or of "PLACE:FILE" with a frame (120) or a time (4.5s, 1:02.5).

    A folder in FILE's place stands for `<name>.png` in it, or for the folder `<name>` in it, or, if the video is
    `alone`, for itself. Raises InputError for a file that is not there.
    """
    before, colon, after = text.rpartition(":")
    has_place = bool(colon) and not Path(text).exists()
    try:
        place = position(before) if has_place else None
    except ValueError as error:
        raise InputError(f"--mask {text}: {error}") from None
    path = Path(after if has_place else text)
    if path.is_dir():
        inside = [path / f"{name}.png", path / name]
        path = next((each for each in inside if name and each.exists()), path if alone else inside[0])
    if not path.exists():
        raise InputError(f"{path} does not exist; give a mask, --mask FILE")
    return Prompt(place, path)


def read(
    given: Sequence[Prompt], size: tuple[int, int], as_shown: AsShown = _nothing, reading: str | None = None
) -> list[Prompt]:
    """Return the `Prompt`s with their objects, read for a video of `size`, (width, height).

    What was made of a file is logged where it could surprise. `reading` is as in `masks.read_mask`. Raises InputError
    as `masks.read_mask` and `numbered_apart` do, before hours are spent on the video.
    """
    found = []
    for each in given:
        objects, note = _read(path_of(each), size, as_shown, reading)
        found.append(each._replace(objects=objects, note=note))
    found = numbered_apart(found)
    for each in found:
        if each.note:
            logger.info(f"{each.path}: {each.note}")
    return found


def numbered_apart(given: Sequence[Prompt]) -> list[Prompt]:
    """Return the `Prompt`s so that files of one object each, at one place, are objects of different ids.

    The ids are the numbers at the end of the files' names, if all have different ones, else 1, 2, ... A file of such a
    name at a later place is the same object. Raises InputError for other objects of one id at one place.
    """
    found, known = list(given), dict[str, int]()
    for place in dict.fromkeys(each.place for each in given):
        here = [number for number, each in enumerate(given) if each.place == place]
        ids = [object_id for number in here for object_id in objects_of(given[number])]
        if len(set(ids)) < len(ids):
            if any(len(objects_of(given[number])) > 1 for number in here):
                twice = next(object_id for object_id in ids if ids.count(object_id) > 1)
                paths = [str(given[n].path) for n in here if twice in objects_of(given[n])]
                raise InputError(
                    f"{' and '.join(paths)} both show object {twice}; give each object a number of its own"
                )
            known |= _numbers([path_of(given[number]).stem for number in here])
        for number in here:
            each, own = given[number], known.get(path_of(given[number]).stem)
            if own is not None and len(objects_of(each)) == 1:
                (mask,) = objects_of(each).values()
                note = "; ".join(filter(None, [each.note, f"it is object {own}"]))
                found[number] = each._replace(objects={own: mask}, note=note)
    return found


def _numbers(names: Sequence[str]) -> dict[str, int]:
    """Return {name: object id} of files of one object each."""
    ends = [re.search(r"\d+$", name) for name in names]
    numbers = [int(end[0]) for end in ends if end]
    if len(set(numbers)) < len(names) or not all(1 <= number <= MOST_OBJECTS for number in numbers):
        numbers = list(range(1, len(names) + 1))
    return dict(zip(names, numbers, strict=True))


def path_of(prompt: Prompt) -> Path:
    """Return the path of a `Prompt` that has a file; ValueError for other prompts."""
    if prompt.path is None:
        raise ValueError("this prompt has no file")
    return prompt.path


def objects_of(prompt: Prompt) -> Mapping[int, np.ndarray]:
    """Return {object id: bool (H, W)} of a `Prompt` whose objects are known; ValueError before `read` has read it."""
    if prompt.objects is None:
        raise ValueError(f"the objects of {prompt.path} have not been read")
    return prompt.objects


def read_objects(
    path: Path | str, size: tuple[int, int] | None = None, as_shown: AsShown = _nothing, reading: str | None = None
) -> dict[int, np.ndarray]:
    """Return {object id: bool (H, W)} of a mask's file, for a video of `size`, (width, height); None for its own size.

    The file is read as a person sees it, see `masks.read_mask`, as is `reading`. What was made of it is logged where
    that could surprise, and so is a resized mask. A mask that was drawn on a frame as it is stored, not as it is shown,
    is turned and stretched by `as_shown`, see `reader.Frames.as_shown`. Raises InputError, naming the file, for a file
    that is no mask, shows no object, or is of another aspect ratio than the video.
    """
    objects, note = _read(path, size, as_shown, reading)
    if note:
        logger.info(f"{path}: {note}")
    return objects


def _read(
    path: Path | str, size: tuple[int, int] | None, as_shown: AsShown, reading: str | None
) -> tuple[dict[int, np.ndarray], str]:
    """Return the objects of `read_objects`, and what was made of the file."""
    labels, note = masks.read_mask(path, reading)
    size = size or Size.of(labels)
    if not _has_aspect(labels, size) and (shown := as_shown(labels)) is not None:
        logger.info(f"{path} is of the video's stored pixels, {_sides(labels)}: it is shown as these are")
        labels = shown
    height, width = labels.shape
    if not _has_aspect(labels, size):
        raise InputError(
            f"{path} is {width}x{height}, the video {size[0]}x{size[1]}; draw the mask on one of its frames"
        )
    ids = [int(i) for i in np.unique(labels) if i]
    if not ids:
        raise InputError(f"{path} shows no object: every pixel is 0; paint objects in 1, 2, ...")
    if (width, height) != tuple(size):
        logger.info(f"{path} is resized to the video's size, {size[0]}x{size[1]}")
        labels = resized(labels, size)
    return {i: labels == i for i in ids}, note


def _has_aspect(labels: np.ndarray, size: tuple[int, int]) -> bool:
    """Tell whether labels have the aspect ratio of `size`, (width, height)."""
    height, width = labels.shape
    return abs(width / height / (size[0] / size[1]) - 1) <= ASPECT_TOLERANCE


def _sides(labels: np.ndarray) -> str:
    return "{1}x{0}".format(*labels.shape)


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


FOUND = ("first_mask.png", "first_frame.png")  # The objects that were found in boxes, and the frame with the boxes.


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


def all_objects(given: Sequence[Prompt]) -> list[int]:
    """Return the sorted ids of the objects of all `Prompt`s."""
    return sorted({object_id for each in given for object_id in objects_of(each)})


def reference_frames(frames: Iterable[Frame], given: Sequence[Prompt]) -> list[np.ndarray]:
    """Return the frame at the place of each of `given`, uint8 (H, W, 3).

    Raises InputError for a place after the last frame.
    """
    found: dict[int, np.ndarray] = {}
    left = list(range(len(given)))
    for frame in frames:
        at = [number for number in left if given[number].is_at(frame)]
        found |= dict.fromkeys(at, frame.image)
        left = [number for number in left if number not in found]
        if not left:
            return [found[number] for number in range(len(given))]
    raise too_late(given[left[0]])


def too_late(given: Prompt) -> InputError:
    """Return the InputError for a `Prompt` whose place is after the last frame."""
    return InputError(f"{given.path} is for a place after the video's last frame; correct its time or frame")
