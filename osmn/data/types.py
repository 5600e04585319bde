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
    number, reference = next((n, r) for n, r in video.references.items() if object_id in r.object_ids)
    frame, mask = str(video.frames[number]), str(reference.mask)
    return Example((Guide(frame, mask),), mask, frame, mask, object_id or 0)


def shard_of(videos, shard):
    """Return the videos of `shard`, (i, n): a deterministic n-th of `videos`, balanced by frames times objects."""
    index, count = shard
    work = [len(v.frames) * len(v.object_ids) for v in videos]
    loads, owners = np.zeros(count), {}
    for number in sorted(range(len(videos)), key=lambda k: (-work[k], videos[k].name)):
        owners[number] = int(np.argmin(loads))
        loads[owners[number]] += work[number]
    return [video for number, video in enumerate(videos) if owners[number] == index]
