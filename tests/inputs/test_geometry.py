"""Images and masks as tensors."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from helpers.pictures import blob, box_mask, noise
from osmn.inputs import geometry

# Resizing


@pytest.mark.parametrize(
    "size", [(40, 30), (41, 61), (20, 15), (13, 7), (80, 60), (97, 45), (40, 11), (90, 30), (1, 1), (3, 200)]
)
def test_images_are_resized_as_by_pillow(size):
    image = noise(30, 40)
    expected = np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BILINEAR), int)
    resized = geometry.resize_image(image, size)
    assert resized.dtype == tf.uint8
    difference = np.abs(resized.numpy() - expected)
    # A level apart only where the exact result is a half, often so for ratios like 3/2.
    assert difference.max() <= 1 and (difference > 0).mean() < 0.06


def test_masks_are_resized_to_exactly_the_pixels_of_pillow():
    rng = np.random.default_rng(0)
    for old_height, old_width, height, width in rng.integers(1, 400, (150, 4)).tolist():
        mask = rng.random((old_height, old_width)) < 0.5
        expected = Image.fromarray(mask.astype(np.uint8)).resize((width, height), Image.Resampling.NEAREST)
        np.testing.assert_array_equal(geometry.resize_mask(mask, (width, height)), np.asarray(expected, bool))


def test_pixel_choice_at_ties_is_that_of_pillow():
    # Halves, thirds and the like put centres on the edges of pixels, where rounding decides.
    for old in (480, 854, 333, 90):
        for new in {*range(1, 60), old // 2, old // 3, 224}:
            row = Image.fromarray(np.arange(old, dtype=np.int32)[None]).resize((new, 1), Image.Resampling.NEAREST)
            np.testing.assert_array_equal(geometry._nearest_pixels(old, new), np.asarray(row)[0])


def test_resizing_takes_the_size_as_a_tensor_and_keeps_channels():
    size = tf.constant([5, 4], tf.int64)
    assert geometry.resize_image(noise(8, 9), size).shape == (4, 5, 3)
    assert geometry.resize_mask(blob(8, 9)[..., None], size).shape == (4, 5, 1)


# Boxes


def test_box_has_inclusive_maxima():
    assert geometry.bounding_box(box_mask(10, 12, 2, 3, 7, 9)).numpy().tolist() == [2, 3, 6, 8]


def test_box_of_an_empty_mask_is_the_frame():
    assert geometry.bounding_box(np.zeros((10, 12), bool)).numpy().tolist() == [0, 0, 12, 10]


def test_box_touches_the_borders_with_the_object():
    assert geometry.bounding_box(np.eye(10, 12, dtype=np.uint8) * 255).numpy().tolist() == [0, 0, 9, 9]
    assert geometry.bounding_box(np.ones((10, 12))).numpy().tolist() == [0, 0, 11, 9]


def test_boxes_of_several_masks_at_once():
    masks = np.stack([box_mask(6, 6, 1, 2, 4, 3), np.zeros((6, 6), bool)])
    assert geometry.bounding_box(masks).numpy().tolist() == [[1, 2, 3, 2], [0, 0, 6, 6]]


# Moving sides, turning


def test_sides_move_outward_by_whole_pixels_cut_off_towards_zero():
    image = np.arange(1, 81, dtype=np.uint8).reshape(8, 10, 1)  # 8 high, 10 wide
    ratios = tf.constant([0.19, -0.3, -0.29, 0.25])
    moved = geometry.move_sides(image, ratios).numpy()  # Left +1.9, top -2.4, right -2.9, bottom +2 pixels.
    expected = np.pad(image[2:, :8], ((0, 2), (1, 0), (0, 0)))
    np.testing.assert_array_equal(moved, expected)


def test_sides_cannot_pass_each_other():
    assert geometry.move_sides(noise(8, 10), tf.constant([-0.9, -0.7, -0.9, -0.7])).shape == (1, 1, 3)


@pytest.mark.parametrize("side", [3, 4])
def test_rotation_by_90_degrees_is_counter_clockwise_about_the_centre(side):
    image = noise(side, side)
    np.testing.assert_array_equal(geometry.rotate(image, 90.0), np.rot90(image))
    np.testing.assert_array_equal(geometry.rotate(image, -90.0), np.rot90(image, -1))


def test_rotation_agrees_with_pillow_and_leaves_zeros_outside():
    image = noise(100, 100) | 1
    turned = geometry.rotate(image, 10.0).numpy()
    expected = np.asarray(Image.fromarray(image).rotate(10))
    assert (turned == expected).mean() > 0.99
    assert not turned[0, 0].any() and not turned[-1, -1].any()
