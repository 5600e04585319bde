"""What every dataset yields: videos to segment and examples to train on."""

from pathlib import Path
from typing import NamedTuple

import numpy as np


class Reference(NamedTuple):
    """Where objects are given: the mask's path and the ids in it; the id None is every label above 0."""

    mask: Path
    object_ids: tuple


class Video(NamedTuple):
    """A video to segment: its frames in order, and {frame number: Reference} of its objects.

    `listed` are the frame numbers to write results for, {object id: set}; None for all.
    """

    name: str
    frames: tuple
    references: dict
    listed: dict | None = None

    @property
    def object_ids(self):
        """The ids of all objects, in order of their reference frames."""
        return [object_id for reference in self.references.values() for object_id in reference.object_ids]

    @property
    def folders_read(self):
        """The folders that its frames and its references' masks are in."""
        return {path.parent for path in (*self.frames, *(reference.mask for reference in self.references.values()))}

    def shortened(self, frames):
        """Return the video's first `frames` frames, of which the reference frames must be."""
        return self._replace(frames=self.frames[:frames])

    def reference_number(self, object_id):
        """Return the number of an object's reference frame."""
        return next(number for number, reference in self.references.items() if object_id in reference.object_ids)

    def result_numbers(self, object_id):
        """Return the numbers of the frames, after its reference frame, that an object has results for."""
        numbers = range(len(self.frames)) if self.listed is None else sorted(self.listed[object_id])
        reference = self.reference_number(object_id)
        return [number for number in numbers if number > reference]

    def has_result(self, object_id, number):
        """Tell whether results are to be written for an object that is followed into a frame."""
        return self.listed is None or number in self.listed[object_id]

    def of_object(self, object_id):
        """Return the video with only one of its objects."""
        number = self.reference_number(object_id)
        return self._replace(references={number: self.references[number]._replace(object_ids=(object_id,))})


class Guide(NamedTuple):
    """A frame and the mask in it that an object's visual guide may come from: paths."""

    frame: str
    mask: str


class Example(NamedTuple):
    """A training sample's files: one of `guides`, the previous mask, the frame to segment and its label.

    The masks are where the labels are `object_id`; 0 stands for all labels above 0.
    """

    guides: tuple
    previous_mask: str
    frame: str
    label: str
    object_id: int = 0


def reference_example(video, object_id):
    """Return the `Example` of online fine-tuning: reference frame and mask are guide, previous mask and target."""
    number = video.reference_number(object_id)
    frame, mask = str(video.frames[number]), str(video.references[number].mask)
    return Example((Guide(frame, mask),), mask, frame, mask, object_id or 0)


def shard_of(videos, shard):
    """Return the videos of `shard`, (i, n): a deterministic n-th of `videos`, balanced by frames times objects."""
    index, count = shard
    count = min(count, len(videos))  # Further shares have none.
    work = [len(v.frames) * len(v.object_ids) for v in videos]
    loads, owners = np.zeros(count), {}
    for number in sorted(range(len(videos)), key=lambda k: (-work[k], videos[k].name)):
        owners[number] = int(np.argmin(loads))
        loads[owners[number]] += work[number]
    return [video for number, video in enumerate(videos) if owners[number] == index]
