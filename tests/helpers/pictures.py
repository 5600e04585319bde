"""Pictures, masks and seeds of which tests make samples."""

import numpy as np

from osmn.inputs import samples

BLACK = np.float32([-104, -117, -123])  # A black pixel, normalised: BGR means.
# Boxes in a frame of 20x20: a pixel, a column, a row, a column at the border, the frame.
THIN_SMALL_AND_FULL = [(7, 3, 8, 4), (7, 3, 8, 18), (2, 19, 15, 20), (0, 0, 1, 20), (0, 0, 20, 20)]


def noise(height, width, seed=0):
    """Return a picture of random colors, uint8 (H, W, 3)."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def box_mask(height, width, left, top, right, bottom):
    """Return the mask of a box, bool (H, W); right and bottom are exclusive."""
    mask = np.zeros((height, width), bool)
    mask[top:bottom, left:right] = True
    return mask


def blob(height, width, seed=0, density=0.3):
    """Return a mask of scattered pixels, bool (H, W), of which about a share of `density` are set."""
    return np.random.default_rng(seed).random((height, width)) < density


def as_rgb(image):
    """Undo `guides.normalize` by the published mean."""
    return (np.asarray(image) - BLACK)[..., ::-1]


# Three objects in frames of 50x30, the second one absent.
SEVERAL = np.stack([blob(30, 50, 1), np.zeros((30, 50), bool), box_mask(30, 50, 3, 4, 30, 9)])


def seeds(count):
    """Return the seeds of the first sample of so many steps."""
    return [samples.sample_seed(0, step, 0) for step in range(count)]
