"""Objects that are given in the middle of a user's video, followed backward from there, to its first frame."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from osmn.files.images import read_labels, write_labels
from osmn.inference.predictor import Predictor, Segmentation
from osmn.parallel import WriteBehind, run_ahead
from osmn.user_video.media.backward import Mark, backward, checksum
from osmn.user_video.media.reader import Frame
from osmn.user_video.prompts import Prompt, PromptQueue, objects_of, too_late


class FoundBackward(NamedTuple):
    """A frame, segmented backward: labels, uint8 (H, W), of objects that are given later, and their `Segmentation`."""

    frame: Frame
    labels: np.ndarray
    segmentation: Segmentation


class Backward:
    """The objects of a video in the frames before those in which they are given first; their masks are files.

    All objects are followed in a single pass, from the last frame in which one is given first to the video's first
    frame. Each comes in where it is given, and goes where it is given with an empty mask.

    Attributes:
        marks: of the frames up to the last one in which an object is given first, once `prepare` has read them.
        frames: number of frames that `follow` segments.

    Args:
        folder: of the masks, `<frame>.png`, made here.
        path: of the video.
        leave_out: see `reader.open_frames`.
    """

    def __init__(self, folder: Path | str, path: Path | str, leave_out: Sequence[Path | str] = ()) -> None:
        self._folder, self._path, self._leave_out = Path(folder), path, leave_out
        self._folder.mkdir(parents=True, exist_ok=True)
        self.marks: list[Mark] = []
        self._given: dict[int, dict[int, np.ndarray]] = {}  # {number in `marks`: {object id: mask}}

    @property
    def frames(self) -> int:
        """See the class."""
        return max(self._given, default=0)

    @property
    def key(self) -> tuple[tuple[int, int, int], ...] | None:
        """What is followed backward: numbers of frames, ids and checksums of masks; None for nothing."""
        given = [(number, i, checksum(mask)) for number, objects in self._given.items() for i, mask in objects.items()]
        return tuple(sorted(given)) if self.frames else None

    def prepare(self, marks: Iterable[Mark], given: Sequence[Prompt]) -> None:
        """Take the marks of frames up to the last prompt; note where objects are given first, and where they are not.

        `given` are the `Prompt`s of the video, with their objects; those without are corrections. Raises InputError for
        a place after the last frame.
        """
        prompts = PromptQueue(given)
        first: dict[int, int] = {}  # {object id: number of the frame in which it is given first}
        absent: dict[int, dict[int, np.ndarray]] = {}
        if given and not all(prompt.place is None for prompt in given):
            for number, mark in enumerate(marks):
                self.marks.append(mark)
                for prompt in prompts.take(mark):
                    if prompt.pointed is not None:
                        continue  # It corrects what is followed forward.
                    for object_id, mask in objects_of(prompt).items():
                        if not mask.any():
                            absent.setdefault(number, {})[object_id] = mask
                        elif first.setdefault(object_id, number) == number:
                            self._given.setdefault(number, {})[object_id] = mask
                if not prompts.left:
                    break
            if prompts.left:
                raise too_late(prompts.left[0])
        for number, objects in absent.items():
            gone = {i: mask for i, mask in objects.items() if number < first.get(i, 0)}
            if gone:
                self._given[number] = gone | self._given.get(number, {})
        del self.marks[self.frames + 1 :]

    def follow(self, predictor: Predictor) -> Generator[FoundBackward, None, None]:
        """Yield a `FoundBackward` for each frame before the last one of `marks`, the last one first; write its mask."""
        if not self.frames:
            return
        frames = backward(self._path, self.marks, self._leave_out)
        with WriteBehind() as write, contextlib.closing(run_ahead(frames, ahead=2)) as ahead:
            for number, frame in zip(range(self.frames, -1, -1), ahead, strict=True):
                given = self._given.get(number, {})
                for object_id, mask in given.items():
                    if not mask.any():
                        predictor.remove_object(object_id)
                if number == self.frames:
                    predictor.start(frame.image)
                else:
                    segmentation = predictor.step(frame.image)
                    labels = segmentation.labels()
                    write(write_labels, self._folder / f"{frame.name}.png", labels)
                    yield FoundBackward(frame, labels, segmentation)
                for object_id, mask in given.items():
                    if mask.any():
                        predictor.add_object(object_id, mask)

    def filled(self, frame: Frame, labels: np.ndarray) -> np.ndarray:
        """Return the labels of a frame, uint8 (H, W), with the objects that are given later where it has background."""
        path = self._folder / f"{frame.name}.png"
        if not self.frames or not path.exists():
            return labels
        later = read_labels(path)
        return np.where(labels == 0, later, labels)
