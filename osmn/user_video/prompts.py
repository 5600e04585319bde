"""Objects that a user gives in a video, in its first frame or later, by masks; `boxes` has those given by boxes."""

from __future__ import annotations

import contextlib
import logging
import re
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np

from osmn.errors import InputError
from osmn.files.names import PICTURES, picture_files
from osmn.inference.arguments import MOST_OBJECTS
from osmn.masks import Size
from osmn.user_video.given.annotations import SUFFIXES, At
from osmn.user_video.given.objects import AsShown, nothing, objects_and_note, without_objects
from osmn.user_video.media.reader import Frame, Frames, position

logger = logging.getLogger(__name__)


class Placed(Protocol):
    """What has a frame's number and its time, in seconds."""

    @property
    def number(self) -> int:
        """See `reader.Frame`."""

    @property
    def seconds(self) -> Fraction:
        """See `reader.Frame`."""


class Pointed(Protocol):
    """What a user points at in a frame, by boxes and clicks: it is found when the frame and what is there are known."""

    @property
    def object_ids(self) -> Iterable[int]:
        """Of the objects that are pointed at."""

    def find(self, frame: np.ndarray, labels: np.ndarray, number: int | None = None) -> dict[int, np.ndarray]:
        """Return {object id: bool (H, W)}.

        Args:
            frame: RGB uint8 (H, W, 3).
            labels: uint8 (H, W), the objects that are there so far.
            number: of the frame, for errors.
        """


class Prompt(NamedTuple):
    """Objects that are given at a place of a video.

    Attributes:
        place: a frame's number (int) or time (Fraction, seconds); None for the first frame that is used.
        path: the mask's file, or the folder with a mask's file for each object; None for objects without a file.
        objects: {object id: bool (H, W)}, of the video's size, once `read` has read the mask.
        note: what was made of the file, where that could surprise.
        pointed: `Pointed`, in place of a file and of objects.
    """

    place: int | Fraction | None
    path: Path | None
    objects: Mapping[int, np.ndarray] | None = None
    note: str = ""
    pointed: Pointed | None = None

    @property
    def surprises(self) -> bool:
        """Whether the user is shown what was made of it."""
        return bool(self.note) or self.pointed is not None

    def is_at(self, frame: Placed) -> bool:
        """Tell whether a `reader.Frame`, or what else has its number and its time, is at or after the place."""
        if self.place is None:
            return True
        return (frame.number if isinstance(self.place, int) else frame.seconds) >= self.place


class PromptQueue:
    """The `Prompt`s of a video, with their objects, each until its place comes up.

    Attributes:
        left: those whose place has not come up.
    """

    def __init__(self, prompts: Iterable[Prompt]) -> None:
        self.left = list(prompts)

    def take(self, frame: Placed) -> list[Prompt]:
        """Return the prompts whose place is at or before a `reader.Frame`, and forget them."""
        here = [prompt for prompt in self.left if prompt.is_at(frame)]
        self.left = [prompt for prompt in self.left if not prompt.is_at(frame)]
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

    What is before a colon is a place if it parses as one, else a part of the path, as in Windows' C:/first.png. A
    folder in FILE's place stands for `<name>.png` in it, or for the folder `<name>` in it, or, if the video is `alone`,
    for itself. Raises InputError for a file that is not there.
    """
    choices = [(None, text), *_places_in(text)]
    # A file may have a name such as "3:mask.png". Of a file that is not there the longest place is meant: times have
    # colons too.
    place, file = next((each for each in choices if Path(each[1]).exists()), choices[-1])
    path = Path(file)
    if path.is_dir():
        inside = [*(path / f"{name}{ending}" for ending in (*PICTURES, *SUFFIXES)), path / name]
        path = next((each for each in inside if name and each.exists()), path if alone else inside[0])
    if not path.exists():
        before, _, after = text.rpartition(":")
        if before and after and place is None and Path(after).exists():
            raise InputError(f"--mask {text}: {before} is neither a frame (120) nor a time (4.5s or 1:02.5)")
        raise InputError(f"{path} does not exist; give a mask, --mask FILE or --mask PLACE:FILE")
    return Prompt(place, path)


def read(
    given: Sequence[Prompt],
    size: tuple[int, int],
    as_shown: AsShown = nothing,
    reading: str | None = None,
    first: Frame | None = None,
) -> list[Prompt]:
    """Return the `Prompt`s with their objects, read for a video of `size`, (width, height), whose first frame is known.

    What was made of a file is logged where it could surprise. `reading` is as in `masks.read_mask`. A file at a later
    place that shows no object ends the object of its name, as `numbered_apart` knows it, or else all objects: they get
    empty masks. Raises InputError as `read_objects` and `numbered_apart` do, before hours are spent on the video,
    and for a file without objects where there is nothing to end.
    """
    found = []
    ids: dict[str, int] = {}
    for each in given:
        at = At(each.place if isinstance(each.place, int) else None, ids=ids)
        if first is not None and each.place in (None, first.number):
            at = At(first.number, first.name, ids)
        objects, note = objects_and_note(path_of(each), size, as_shown, reading, at)
        found.append(each._replace(objects=objects, note=note))
    found = _with_ends(numbered_apart(found), size)
    for each in found:
        if each.note:
            logger.info(f"{each.path}: {each.note}")
    return found


def _with_ends(given: Sequence[Prompt], size: tuple[int, int]) -> list[Prompt]:
    """Return the `Prompt`s; those without objects have an empty mask for each object of the others."""
    ids, found = all_objects(given), []
    for each in given:
        if not objects_of(each):
            if each.place is None or not ids:
                raise without_objects(each.path)
            words = "it shows no object: what is followed ends there"
            each = each._replace(objects={i: np.zeros(Size(*size).shape, bool) for i in ids}, note=words)
        found.append(each)
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
            elif own is not None and not objects_of(each):
                (like, *_) = (mask for other in given for mask in objects_of(other).values())
                found[number] = each._replace(objects={own: np.zeros_like(like)}, note=f"object {own} ends there")
    return found


def _numbers(names: Sequence[str]) -> dict[str, int]:
    """Return {name: object id} of files of one object each."""
    ends = [re.search(r"\d+$", name) for name in names]
    numbers = [int(end[0]) for end in ends if end]
    if len(set(numbers)) < len(names) or not all(1 <= number <= MOST_OBJECTS for number in numbers):
        numbers = list(range(1, len(names) + 1))
    return dict(zip(names, numbers, strict=True))


def _places_in(text: str) -> list[tuple[int | Fraction | None, str]]:
    """Return the ways to read a text as PLACE:FILE, (place, file), the shortest place first."""
    found: list[tuple[int | Fraction | None, str]] = []
    for colon in (match.start() for match in re.finditer(":(?=.)", text)):
        with contextlib.suppress(ValueError):
            found.append((position(text[:colon]), text[colon + 1 :]))
    return found


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


def objects_in(prompt: Prompt, frame: Frame, labels: np.ndarray) -> Mapping[int, np.ndarray]:
    """Return the objects of a `Prompt` in its frame; what is pointed at is found. `labels` is as in `Pointed.find`."""
    return objects_of(prompt) if prompt.pointed is None else prompt.pointed.find(frame.image, labels, frame.number)


def all_objects(given: Sequence[Prompt]) -> list[int]:
    """Return the sorted ids of the objects of all `Prompt`s."""
    pointed = {object_id for each in given if each.pointed is not None for object_id in each.pointed.object_ids}
    return sorted(pointed | {object_id for each in given if each.pointed is None for object_id in objects_of(each)})


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
    return InputError(f"{_name(given)} is for a place after the video's last frame; correct its time or frame")


def _name(given: Prompt) -> str:
    place = f"{float(given.place):g}s" if isinstance(given.place, Fraction) else f"frame {given.place}"
    return f"{'a click or a box' if given.path is None else given.path} at {place}"


def tell_late(given: Prompt, frame: Placed) -> None:
    """Log a `Prompt` that counts in a later frame than it is for, because that frame is not used."""
    if isinstance(given.place, int) and given.place < frame.number:
        logger.info(f"{_name(given)} is for a frame that is not used: it counts in frame {frame.number}")


def tell_places_outside(given: Iterable[Prompt], frames: Frames) -> None:
    """Log the `Prompt`s whose place is before the first of `frames`, where they count, or seems to be after the last.

    How long a file is, only its last frame tells surely; `too_late` is the error for a place after that.
    """
    for each in given:
        if each.place is None:
            continue
        at = frames.first.number if isinstance(each.place, int) else frames.first.seconds
        if each.place < at:
            logger.info(
                f"{_name(each)} is for a place before the first frame that is used, {frames.first.number}: it counts"
                " there"
            )
        elif frames.seem_to_end_before(each.place):
            logger.warning(
                f"{_name(each)} seems to be for a place after the video's last frame; check its time or frame"
            )
