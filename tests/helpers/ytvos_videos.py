"""Hand-made videos in the layout of YouTube-VOS, in which every object has its color."""

import itertools
import json

import numpy as np
from PIL import Image

from osmn.files.atomic import replacing
from osmn.files.images import write_labels

SIZE = (32, 24)  # Width and height of the hand-made videos.
GREY = (128, 128, 128)
# The colour of object i, far from all others and from the background's; but 21 and 22 are alike.
COLOURS = [c for c in itertools.product((30, 128, 225), repeat=3) if c != GREY]
COLOURS[21:23] = (200, 60, 60), (200, 60, 90)


def paint(boxes):
    """Return labels of {object id: (left, top, right, bottom)}, the later over the earlier; right, bottom exclusive."""
    labels = np.zeros(SIZE[::-1], np.uint8)
    for object_id, (left, top, right, bottom) in boxes.items():
        labels[top:bottom, left:right] = object_id
    return labels


def write_frame(path, labels):
    """Write a JPEG in which every object has its colour."""
    pixels = np.array([GREY, *COLOURS], np.uint8)[np.where(labels > 0, labels.astype(int) + 1, 0)]
    with replacing(path) as temporary:
        Image.fromarray(pixels).save(temporary, quality=100, subsampling=0)


def write_video(split, name, frames, listed, categories=None):
    """Write a video into the folder of a split, and list it in its meta.json.

    Args:
        split: the folder.
        name: of the video.
        frames: {frame number: labels}.
        listed: {object id: frame numbers}.
        categories: {object id: category}.
    """
    for number, labels in frames.items():
        write_frame(split / f"JPEGImages/{name}/{number:05d}.jpg", labels)
        write_labels(split / f"Annotations/{name}/{number:05d}.png", labels)
    meta = split / "meta.json"
    videos = json.loads(meta.read_text())["videos"] if meta.exists() else {}
    videos[name] = {
        "objects": {
            str(i): {"category": (categories or {}).get(i, "thing"), "frames": [f"{n:05d}" for n in numbers]}
            for i, numbers in listed.items()
        }
    }
    meta.write_text(json.dumps({"videos": videos}))


EVERY = (0, 5, 10, 15, 20)
CROWD = [(x, y) for y in range(3) for x in range(4)][:11]
# {video: ({frame: {object: box}}, {object: frames listed for it})}
VIDEOS = {
    # Object 3 starts in the second frame, 12 in the third.
    "late": (
        {
            0: {1: (2, 2, 10, 10)},
            5: {1: (3, 2, 11, 10), 3: (14, 4, 22, 12)},
            10: {1: (4, 2, 12, 10), 3: (14, 6, 22, 14), 12: (24, 14, 30, 22)},
            15: {1: (5, 2, 13, 10), 3: (14, 8, 22, 16), 12: (24, 12, 30, 20)},
            20: {1: (6, 2, 14, 10), 3: (14, 10, 22, 18), 12: (24, 10, 30, 18)},
        },
        {12: (10, 15, 20), 1: EVERY, 3: (5, 10, 15, 20)},
    ),
    # Object 1 is there all the time but not listed after frame 10; object 2 is listed and hidden in frames 10 and 15.
    "gone": (
        {
            0: {1: (2, 2, 10, 10), 2: (16, 8, 26, 20)},
            5: {1: (3, 2, 11, 10), 2: (17, 8, 27, 20)},
            10: {1: (4, 2, 12, 10)},
            15: {1: (5, 2, 13, 10)},
            20: {1: (6, 2, 14, 10), 2: (18, 8, 28, 20)},
        },
        {1: (0, 5, 10), 2: EVERY},
    ),
    # Two corners and a band from side to side; in the last frame object 1 fills everything.
    "border": (
        {
            0: {1: (0, 0, 8, 8), 2: (24, 16, 32, 24), 3: (0, 10, 32, 14)},
            5: {1: (0, 0, 4, 4), 2: (28, 20, 32, 24), 3: (0, 9, 32, 15)},
            10: {1: (0, 0, 32, 24)},
        },
        {1: (0, 5, 10), 2: (0, 5, 10), 3: (0, 5, 10)},
    ),
    # A column, a row and a single pixel.
    "thin": (
        {
            0: {1: (5, 4, 6, 20), 2: (10, 3, 30, 4), 3: (20, 15, 21, 16)},
            5: {1: (7, 4, 8, 20), 2: (10, 6, 30, 7), 3: (22, 15, 23, 16)},
            10: {1: (9, 0, 10, 24), 2: (12, 23, 32, 24), 3: (31, 0, 32, 1)},
        },
        {1: (0, 5, 10), 2: (0, 5, 10), 3: (0, 5, 10)},
    ),
    # Objects 1 to 11, in four columns and three rows.
    "crowd": (
        {
            5 * t: {4 * y + x + 1: (8 * x + t, 8 * y + t, 8 * x + t + 4, 8 * y + t + 4) for x, y in CROWD}
            for t in range(3)
        },
        dict.fromkeys(range(1, 12), (0, 5, 10)),
    ),
    "single": ({0: {7: (4, 4, 20, 20)}}, {7: (0,)}),
    # Both objects claim the pixels of either: the better match wins.
    "alike": (
        {
            0: {21: (2, 2, 12, 12), 22: (16, 2, 26, 12)},
            5: {21: (2, 10, 14, 22), 22: (14, 10, 26, 22)},
        },
        {21: (0, 5), 22: (0, 5)},
    ),
}


COLUMN = {1: (4, 0, 5, 24), 2: (16, 4, 28, 20)}  # Halving keeps odd columns and rows: this object 1 vanishes ...
NEXT_COLUMN = {1: (5, 0, 6, 24), 2: (16, 4, 28, 20)}  # ... and this one stays.


def write_training_video(root):
    """Write a dataset with a video of two objects and three frames, the split `train`; return `root`.

    Object 2 starts in the second frame.
    """
    boxes = {0: {1: COLUMN[1]}, 5: NEXT_COLUMN, 10: COLUMN}
    frames = {number: paint(of) for number, of in boxes.items()}
    write_video(root / "train", "v", frames, {1: (0, 5, 10), 2: (5, 10)})
    return root
