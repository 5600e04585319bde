"""Masks as arrays."""

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from osmn.masks import OPACITY, bright_palette, merge, overlay, resized


def test_merge_takes_the_largest_probability_above_the_background():
    one = np.array([[0.9, 0.4, 0.6, 0.5]], np.float32)
    two = np.array([[0.8, 0.3, 0.7, 0.2]], np.float32)
    np.testing.assert_array_equal(merge([one, two], [1, 2]), [[1, 0, 2, 0]])
    np.testing.assert_array_equal(merge([one, two], [1, 2], background=0.65), [[1, 0, 2, 0]])


def test_merge_orders_ids_as_numbers_so_that_ties_go_to_the_smaller():
    ids = sorted(range(1, 12), key=str)  # 1, 10, 11, 2, ...
    maps = [np.full((1, 11), 0.6, np.float32) for _ in ids]
    for object_id, probability in zip(ids, maps, strict=True):
        probability[0, object_id - 1 :] = 0.9
    np.testing.assert_array_equal(merge(maps, ids), np.ones((1, 11)))
    for object_id, probability in zip(ids, maps, strict=True):
        probability[0] = np.where(np.arange(11) == object_id - 1, 0.9, 0.6)
    np.testing.assert_array_equal(merge(maps, ids)[0], np.arange(1, 12))


def test_labels_are_resized_as_pillow_resizes_them():
    rng = np.random.default_rng(0)
    usual = [(854, 480), (1280, 720), (1920, 1080), (640, 352), (448, 256), (192, 112)]
    pairs = [(old, new) for old in usual for new in usual] + rng.integers(1, 300, (200, 2, 2)).tolist()
    for (width, height), size in pairs:
        labels = rng.integers(0, 256, (height, width), np.uint8)
        expected = np.asarray(Image.fromarray(labels).resize(size, Image.Resampling.NEAREST))
        np.testing.assert_array_equal(resized(labels, size), expected, str((labels.shape, size)))
        np.testing.assert_array_equal(resized(labels > 99, size), expected > 99, str((labels.shape, size)))


def test_overlay_tints_the_object_and_leaves_the_rest():
    image = np.full((9, 9, 3), 100, np.uint8)
    labels = np.zeros((9, 9), np.uint8)
    labels[:, :6] = 1
    tinted = overlay(image, labels)
    np.testing.assert_array_equal(tinted[4, 0], [177, 50, 50])  # Half of the pixel, half of red.
    np.testing.assert_array_equal(tinted[4, 5], [255, 0, 0])
    np.testing.assert_array_equal(tinted[4, 6], [255, 255, 255])
    np.testing.assert_array_equal(tinted[4, 8], [100, 100, 100])


def test_overlay_shows_a_binary_result_as_object_one():
    image, mask = np.zeros((9, 9, 3), np.uint8), np.tri(9, dtype=np.uint8)
    np.testing.assert_array_equal(overlay(image, 255 * mask), overlay(image, mask))


@pytest.mark.parametrize("seed", range(12))
def test_an_overlay_is_half_colour_inside_coloured_at_the_outline_and_white_around(seed):
    rng = np.random.default_rng(seed)
    height, width = rng.integers(1, 90, 2)
    image = rng.integers(0, 256, (height, width, 3), np.uint8)
    blobs = ndimage.gaussian_filter(rng.normal(size=(height, width)), rng.uniform(0, 5)) > rng.choice([-0.1, 0, 0.1])
    labels = np.where(blobs, rng.integers(0, (256, 5)[seed % 2], (height, width)), 0).astype(np.uint8)
    before, given = image.copy(), labels.copy()
    drawn = overlay(image, labels)
    np.testing.assert_array_equal(image, before)
    np.testing.assert_array_equal(labels, given)
    labels = np.where(labels == 255, 1, labels)
    colors = bright_palette()[labels]
    expected = np.where(labels[..., None] > 0, np.floor((1 - OPACITY) * image + OPACITY * colors), image)
    edge = ndimage.maximum_filter(labels, 3) != ndimage.minimum_filter(labels, 3)
    outline = ndimage.binary_dilation(edge & (labels > 0)) & (labels > 0)
    expected[outline] = colors[outline]
    expected[edge & (labels == 0)] = 255
    np.testing.assert_array_equal(drawn, expected)
