"""The frames that a network sees."""

import numpy as np
import pytest
from PIL import Image

from osmn.inference.frames import resized_frame


def smooth(width, height):
    """Return a picture, uint8 (H, W, 3), that changes slowly."""
    small = np.random.default_rng(0).integers(0, 256, (6, 8, 3), np.uint8)
    return np.asarray(Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC))


@pytest.mark.parametrize("size", [(64, 48), (101, 67), (127, 79), (160, 100)])
def test_frames_less_than_twice_as_large_are_resized_as_pillow_does(size):
    frame = smooth(128, 80)
    wanted = Image.fromarray(frame).resize(size, Image.Resampling.BILINEAR)
    if size == (64, 48):
        frame, wanted = frame[:, :100], Image.fromarray(frame[:, :100]).resize(size, Image.Resampling.BILINEAR)
    np.testing.assert_array_equal(resized_frame(frame, size), wanted)


@pytest.mark.parametrize("size", [(64, 40), (60, 40), (50, 31), (42, 26), (32, 20), (128, 8), (1, 1)])
def test_larger_frames_are_resized_nearly_as_pillow_does(size):
    frame = smooth(128, 80)
    wanted = np.asarray(Image.fromarray(frame).resize(size, Image.Resampling.BILINEAR))
    found = resized_frame(frame, size)
    assert found.shape == wanted.shape and np.abs(found.astype(int) - wanted).mean() < 3


def test_a_frame_of_twice_the_size_becomes_means_of_four_pixels():
    frame = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
    means = frame.reshape(20, 2, 30, 2, 3).mean(axis=(1, 3))
    assert np.abs(resized_frame(frame, (30, 20)) - means).max() <= 0.5
