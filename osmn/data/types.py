"""What every dataset yields: videos to segment and examples to train on."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np


class Reference(NamedTuple):
    """A mask that gives objects: its path and the ids of the objects; the id None stands for every label above 0.

    `own` is {object id: path} where each object has a mask of its own, which shows nothing else; `mask` is one of them.
    """

    mask: Path
    object_ids: tuple[int | None, ...]
    own: Mapping[int, Path] | None = None

    @property
    def masks(self) -> list[Path]:
        """The paths of all masks."""
        return [self.mask] if self.own is None else list(self.own.values())

    def of_object(self, object_id: int | None) -> "Reference":
        """Return the reference of a single object."""
        if self.own is None or object_id is None:
            return self._replace(object_ids=(object_id,))
        path = self.own[object_id]
        return Reference(path, (object_id,), {object_id: path})


class Video(NamedTuple):
    """A video to segment: its frames in order, and {frame number: Reference} of its objects.

    `listed` has the numbers of the frames to write results for, {object id: set}; it is None for all frames.
    `object_names` is {object id: name} where the dataset has names of objects; None where their ids are their names.
    """

    name: str
    frames: tuple[Path, ...]
    references: dict[int, Reference]
    listed: dict[int | None, set[int]] | None = None
    object_names: Mapping[int, str] | None = None

    @property
    def object_ids(self) -> list[int | None]:
        """The ids of all objects, in order of their reference frames."""
        return [object_id for reference in self.references.values() for object_id in reference.object_ids]

    @property
    def files(self) -> list[Path]:
        """The paths of the video's frames and of its references' masks."""
        return [*self.frames, *(path for reference in self.references.values() for path in reference.masks)]

    @property
    def folders_read(self) -> set[Path]:
        """The folders that contain the video's frames and its references' masks."""
        return {path.parent for path in self.files}

    def shortened(self, frames: int) -> "Video":
        """Return the video's first `frames` frames, which must include the reference frames."""
        return self._replace(frames=self.frames[:frames])

    def reference_number(self, object_id: int | None) -> int:
        """Return the number of an object's reference frame."""
        return next(number for number, reference in self.references.items() if object_id in reference.object_ids)

    def result_numbers(self, object_id: int | None) -> list[int]:
        """Return the numbers of the frames after an object's reference frame for which the object has results."""
        numbers = range(len(self.frames)) if self.listed is None else sorted(self.listed[object_id])
        reference = self.reference_number(object_id)
        return [number for number in numbers if number > reference]

    def has_result(self, object_id: int | None, number: int) -> bool:
        """Tell whether to write a result of an object for the frame of a number."""
        return self.listed is None or number in self.listed[object_id]

    def of_object(self, object_id: int | None) -> "Video":
        """Return the video with only one of its objects."""
        number = self.reference_number(object_id)
        return self._replace(references={number: self.references[number].of_object(object_id)})


class Guide(NamedTuple):
    """The paths of a frame and of its mask, from which an object's visual guide may be made."""

    frame: str
    mask: str


class Example(NamedTuple):
    """A training sample's files: the `guides` to choose from, the previous mask, the frame to segment and its label.

    The object is where the masks have the label `object_id`; 0 stands for all labels above 0.
    """

    guides: tuple[Guide, ...]
    previous_mask: str
    frame: str
    label: str
    object_id: int = 0


def reference_example(video: Video, object_id: int | None) -> Example:
    """Return the `Example` of online fine-tuning: reference frame and mask serve as guide, previous mask and target."""
    number = video.reference_number(object_id)
    reference = video.references[number].of_object(object_id)
    frame, mask = str(video.frames[number]), str(reference.mask)
    return Example((Guide(frame, mask),), mask, frame, mask, 0 if reference.own else object_id or 0)


def shard_of(videos: Sequence[Video], shard: tuple[int, int]) -> list[Video]:
    """Return the videos of `shard`, (i, n): the i-th of n fixed shares, balanced by frames times objects."""
    index, count = shard
    count = min(count, len(videos))  # Further shares have no video.
    work = [len(v.frames) * len(v.object_ids) for v in videos]
    loads, owners = np.zeros(count), dict[int, int]()
    for number in sorted(range(len(videos)), key=lambda k: (-work[k], videos[k].name)):
        owners[number] = int(np.argmin(loads))
        loads[owners[number]] += work[number]
    return [video for number, video in enumerate(videos) if owners[number] == index]
