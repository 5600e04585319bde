"""Colored squares on gray, and an engine that follows them by what is not gray."""

import numpy as np

COLORS = {"red": (250, 0, 0), "blue": (0, 0, 250), "dark_red": (180, 0, 0)}


def square(left, top, side, shape):
    """Return the mask of a square, bool, of a `shape` (H, W)."""
    mask = np.zeros(shape, bool)
    mask[top : top + side, left : left + side] = True
    return mask


def colored(masks, shape):
    """Return a gray frame of a `shape` (H, W), uint8 (H, W, 3), in which {color: mask} are colored."""
    image = np.full((*shape, 3), 100, np.uint8)
    for color, mask in masks.items():
        image[mask] = COLORS[color]
    return image


def near(frame, masks):
    """Return probabilities and masks: what is not gray where the last mask or a pixel beside it is."""
    wide = masks | np.roll(masks, 1, 2) | np.roll(masks, -1, 2)
    found = (frame != 100).any(-1) & wide
    return np.where(found, np.float32(0.75), np.float32(0.25)), found
