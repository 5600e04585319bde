"""A clip of a bright square that moves and once jumps, and an engine that follows what is bright."""

from fractions import Fraction

import numpy as np
from scipy import ndimage

from helpers.clips import LOSSLESS, make_video

SIZE = (64, 48)
FRAMES, JUMP = 8, 4


def square(number):
    """Return where the bright square of the clip is, bool (48, 64): it moves, and at frame 4 it jumps."""
    mask = np.zeros(SIZE[::-1], bool)
    left, top = (4 + 2 * number, 6) if number < JUMP else (36 + 2 * number, 30)
    mask[top : top + 10, left : left + 10] = True
    return mask


def write_square(path):
    """Write a lossless clip of it, 10 frames a second, into a folder that is made; return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    images = [np.dstack([np.where(square(number), np.uint8(200), np.uint8(20))] * 3) for number in range(FRAMES)]
    times = [Fraction(number, 10) for number in range(FRAMES)]
    return make_video(path, images, times=times, time_base=Fraction(1, 10), **LOSSLESS)


class Bright:
    """An engine that finds what is bright near to where the object was."""

    def __init__(self):
        self.frames = 0

    def gammas(self, frame, mask):
        return [np.ones((1, 1, 1, 1), np.float32)]

    def segment(self, frame, masks, gammas):
        self.frames += 1
        found = np.stack([ndimage.binary_dilation(mask, iterations=4) & (frame[..., 0] > 100) for mask in masks])
        return np.where(found, np.float32(0.9), np.float32(0.1)), found
