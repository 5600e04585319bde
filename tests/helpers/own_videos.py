"""A user's own video and its masks, through `osmn_segment.py`."""

import numpy as np

import osmn_segment
from helpers.clips import LOSSLESS, TICK, make_video
from helpers.scripts import words
from osmn.files.images import write_labels

SIZE = (64, 48)  # Width and height of the clip.
FRAMES = 6
GRABCUT = ("--box_by", "grabcut")


def write_clip(path):
    """Write a clip of dark frames, lossless, at uneven times; return `path`."""
    images = [np.full((*SIZE[::-1], 3), 10, np.uint8)] * FRAMES
    times = [number * number * TICK for number in range(FRAMES)]
    return make_video(path, images, times=times, **LOSSLESS)


def mask(path, boxes, size=SIZE):
    """Write a mask of {object id: (left, top, right, bottom)}; return `path`."""
    labels = np.zeros(size[::-1], np.uint8)
    for object_id, (left, top, right, bottom) in boxes.items():
        labels[top:bottom, left:right] = object_id
    write_labels(path, labels)
    return path


def segment(clip, out, *more):
    """Segment a clip, or each of a list, with results in the folder `out`; a stand-in must be taken for the model."""
    fixed = ["--result_path", out, "--whole_model_path", "stand-in", "--im_size", *SIZE, "--precision", "float32"]
    clips = clip if isinstance(clip, list) else [clip]
    osmn_segment.main(words(*clips, *fixed, *more))
