"""The size of the frames that a network sees."""

import math

import numpy as np
from PIL import Image

from osmn.config import LONGEST_SIDE
from osmn.masks import Size

MOST_SQUARES = 4  # Of its short side, in a frame for the network: 4:1 is beyond all usual videos.


def resized_frame(frame: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return a frame, uint8 (H, W, 3), resized to a (width, height), bilinearly.

    As Pillow does it, which sees all pixels. A frame that is twice as large or more is first made smaller by means of
    whole squares of pixels: this takes a tenth of the time, and J is the same (doc/lessons.md).
    """
    if Size.of(frame) == size:
        return frame
    width, height = Size.of(frame)
    side = min(width // size[0], height // size[1])
    if side < 2:
        return np.asarray(Image.fromarray(frame).resize(size, Image.Resampling.BILINEAR))
    import cv2  # Importing it takes a tenth of a second, which smaller frames do without.

    means = cv2.resize(frame, (width // side, height // side), interpolation=cv2.INTER_AREA)
    resized: np.ndarray = cv2.resize(means, size, interpolation=cv2.INTER_LINEAR)
    return resized


def network_size(frame_size: tuple[int, int], short_side: int | None) -> tuple[int, int]:
    """Return (width, height) for the network: the frame's shape at a `short_side`; the frame's size for None.

    A very long frame gets less than `short_side`: of no more than `MOST_SQUARES` squares of it, so that a strip of a
    video does not take more than a whole video does; and no side is above `LONGEST_SIDE`. Sides are no multiples of 32:
    rounded to these, another shape than that of the training loses 0.015 to 0.02 of J (doc/results.md).
    """
    width, height = frame_size
    if short_side is None and max(width, height) <= LONGEST_SIDE:
        return width, height
    scale = LONGEST_SIDE / max(width, height)
    if short_side is not None:
        scale = min(scale, short_side / min(width, height), short_side * math.sqrt(MOST_SQUARES / (width * height)))
    width, height = (max(1, round(side * scale)) for side in frame_size)
    return width, height
