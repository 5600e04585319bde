"""What a network sees in testing: colours, the visual guide, the spatial guide."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from helpers.pictures import BLACK, SEVERAL, THIN_SMALL_AND_FULL, as_rgb, blob, box_mask, noise
from osmn.config import ModelConfig
from osmn.inputs import guides

CONFIG = ModelConfig()
FITTED = ModelConfig(vg_keep_aspect_ratio=True)


# Colour


def test_normalize_gives_bgr_minus_mean():
    image = np.uint8([[[10, 20, 30], [255, 0, 1]]])
    expected = [[[30 - 104, 20 - 117, 10 - 123], [1 - 104, -117, 255 - 123]]]
    np.testing.assert_array_equal(guides.normalize(image, CONFIG), expected)


def test_normalize_scales_and_accepts_a_batch():
    config = ModelConfig(mean_value=(127.5, 127.5, 127.5), scale_value=0.00787)
    images = np.stack([noise(2, 3, 0), noise(2, 3, 1)])
    np.testing.assert_allclose(
        guides.normalize(images, config), (images[..., ::-1] - 127.5) * 0.00787, rtol=1e-5, atol=1e-7
    )


# Visual guide


@pytest.mark.parametrize(
    ("drawn", "cut"),
    [
        ((2, 3, 7, 9), (2, 3, 6, 8)),  # As released: without the last row and column.
        ((2, 3, 4, 5), (2, 3, 3, 4)),
        ((2, 3, 3, 9), (2, 3, 3, 8)),  # One column wide: the column stays.
        ((2, 3, 7, 4), (2, 3, 6, 4)),
        ((11, 9, 12, 10), (11, 9, 12, 10)),  # One pixel, in the corner.
        ((0, 0, 0, 0), (0, 0, 12, 10)),  # Nothing: the frame.
    ],
)
def test_guide_box_has_exclusive_ends_and_is_never_empty(drawn, cut):
    assert tuple(guides.guide_box(box_mask(10, 12, *drawn)).numpy()) == cut


def pillow_guide(frame, mask, box, pad_ratio):
    """Crop, pad, resize and mask with Pillow, as the published program does in testing."""
    image, mask = Image.fromarray(frame).crop(box), Image.fromarray(mask.astype(np.uint8)).crop(box)
    width, height = image.size
    pad_x, pad_y = int(pad_ratio * width), int(pad_ratio * height)
    padded = (-pad_x, -pad_y, width + pad_x, height + pad_y)
    image = image.crop(padded).resize((224, 224), Image.Resampling.BILINEAR)
    mask = np.asarray(mask.crop(padded).resize((224, 224), Image.Resampling.NEAREST))
    guide = np.asarray(image, np.float32)[..., ::-1] + BLACK
    return np.where(mask[..., None] > 0, guide, 0)


@pytest.mark.parametrize("drawn", [(10, 20, 110, 70), (0, 0, 160, 120), (100, 3, 160, 120), (40, 40, 48, 45)])
def test_testing_guide_is_that_of_pillow(drawn):
    frame = noise(120, 160)
    mask = box_mask(120, 160, *drawn) & blob(120, 160, density=0.8)
    box = guides.guide_box(mask).numpy().tolist()
    guide = guides.visual_guide(frame, mask, CONFIG)
    expected = pillow_guide(frame, mask, box, 0.03)
    assert guide.shape == (224, 224, 3) and guide.dtype == tf.float32
    np.testing.assert_array_equal((guide.numpy() == 0).all(-1), (expected == 0).all(-1))
    np.testing.assert_allclose(guide, expected, atol=1)
    assert (guide == expected).numpy().mean() > 0.99


def test_testing_pads_black_around_the_box():
    frame = np.full((150, 150, 3), 255, np.uint8)
    mask = box_mask(150, 150, 20, 20, 121, 121)  # The crop is 100x100, padded by 3: 224/106 guide pixels for one.
    guide = as_rgb(guides.visual_guide(frame, mask, ModelConfig(bbox_sup=True)))
    black = guide[112, :, 0] < 128
    assert black[:6].all() and black[-6:].all() and not black[7:-7].any()


def test_guide_hides_the_background_unless_only_boxes_are_known():
    frame = np.full((30, 30, 3), 200, np.uint8)
    mask = box_mask(30, 30, 5, 5, 26, 26)
    mask[10:20, 10:20] = False
    hidden = guides.visual_guide(frame, mask, CONFIG, pad_ratio=0).numpy()
    shown = guides.visual_guide(frame, mask, ModelConfig(bbox_sup=True), pad_ratio=0).numpy()
    np.testing.assert_array_equal(hidden[112, 112], 0)
    np.testing.assert_array_equal(shown, np.broadcast_to(200 + BLACK, (224, 224, 3)))
    np.testing.assert_array_equal(hidden[10, 10], 200 + BLACK)


def test_guide_loses_the_last_row_and_column_as_released():
    frame = np.zeros((20, 20, 3), np.uint8)
    frame[14, :] = frame[:, 14] = 255
    guide = guides.visual_guide(frame, box_mask(20, 20, 5, 5, 15, 15), CONFIG, pad_ratio=0)
    np.testing.assert_array_equal(guide, np.broadcast_to(BLACK, (224, 224, 3)))


@pytest.mark.parametrize("drawn", THIN_SMALL_AND_FULL)
def test_thin_small_and_full_frame_objects_have_a_guide(drawn):
    frame = np.full((20, 20, 3), 250, np.uint8)
    guide = guides.visual_guide(frame, box_mask(20, 20, *drawn), CONFIG).numpy()
    assert (guide != 0).mean() > 0.5


@pytest.mark.parametrize("config", [CONFIG, ModelConfig(bbox_sup=True)])
def test_guide_of_an_absent_object_is_blank(config):
    guide = guides.visual_guide(noise(20, 30), np.zeros((20, 30), bool), config)
    np.testing.assert_array_equal(guide, np.zeros((224, 224, 3)))


def test_guide_takes_masks_of_any_type_with_or_without_channel():
    frame, mask = noise(30, 40), blob(30, 40)
    expected = guides.visual_guide(frame, mask, CONFIG)
    np.testing.assert_array_equal(guides.visual_guide(frame, mask[..., None], CONFIG), expected)
    np.testing.assert_array_equal(guides.visual_guide(frame, mask * np.uint8(255), CONFIG), expected)


def test_mask_of_another_size_is_resized_to_the_frame():
    frame, mask = noise(60, 80), blob(30, 40)
    expected = guides.visual_guide(frame, np.kron(mask, np.ones((2, 2))), CONFIG)
    np.testing.assert_array_equal(guides.visual_guide(frame, mask, CONFIG), expected)


def test_guide_keeps_the_aspect_ratio_between_equal_margins():
    frame = np.full((40, 40, 3), 250, np.uint8)
    mask = box_mask(40, 40, 5, 5, 26, 16)  # The crop is 20x10, which fits as 224x112.
    visible = guides.visual_guide(frame, mask, FITTED, pad_ratio=0).numpy() != 0
    np.testing.assert_array_equal(visible.any(-1), box_mask(224, 224, 0, 56, 224, 168))


def test_line_of_one_pixel_keeps_its_aspect_ratio():
    mask = box_mask(600, 20, 3, 0, 4, 600)
    guide = guides.visual_guide(np.full((600, 20, 3), 250, np.uint8), mask, FITTED, pad_ratio=0)
    assert (guide.numpy() != 0).any(-1).sum() == 224


def test_testing_guide_is_the_same_compiled():
    frame, mask = noise(30, 50), box_mask(30, 50, 3, 4, 30, 9)
    compiled = tf.function(lambda frame, mask: guides.visual_guide(frame, mask, CONFIG))
    np.testing.assert_array_equal(
        compiled(tf.constant(frame), tf.constant(mask)), guides.visual_guide(frame, mask, CONFIG)
    )


# Spatial guide


def ellipse_of(mask):
    return [part.numpy()[0].tolist() for part in guides.mask_ellipse(mask[None])]


def test_ellipse_of_an_l_shape_by_hand():
    # 41 pixels down x = 10 from y = 3 to 43, then 60 along y = 43 from x = 11 to 70: 101, the 51st is the median.
    mask = np.zeros((50, 80), bool)
    mask[3:44, 10] = mask[43, 11:71] = True
    centre, scale, present = ellipse_of(mask)
    # x: 41 tens, then 11, 12, ...: the 51st is 20. Deviations: 19 below ten (0, 1, 1, ... 9, 9), then 42 tens: MAD 10.
    # y: 40 smaller ones, then 61 times 43. More than half have no deviation: MAD 0.
    assert centre == [20, 43]
    assert scale == pytest.approx([14.826, 5])
    assert present is True


def test_even_counts_average_the_two_middle_values():
    mask = np.zeros((40, 120), np.uint8)
    for x, y in ((0, 1), (10, 30), (30, 31), (100, 33)):
        mask[y, x] = 255
    # x: (10 + 30) / 2 = 20, deviations 10, 10, 20, 80: 15. y: 30.5, deviations 0.5, 0.5, 2.5, 29.5: 1.5, below 5.
    centre, scale, _ = ellipse_of(mask)
    assert centre == [20, 30.5]
    assert scale == pytest.approx([1.4826 * 15, 5])


def test_ellipse_of_a_full_frame():
    centre, scale, _ = ellipse_of(np.ones((40, 101), bool))
    # x: median 50, deviations 0, then 1 to 50 twice each: 25.
    # y: median 19.5, deviations 0.5 to 19.5 twice each: (9.5 + 10.5) / 2.
    assert centre == [50, 19.5]
    assert scale == pytest.approx([1.4826 * 25, 1.4826 * 10])


@pytest.mark.parametrize("place", [(0, 0), (4, 6), (0, 6), (2, 3)])
def test_ellipse_of_one_pixel(place):
    mask = np.zeros((5, 7), bool)
    mask[place] = True
    assert ellipse_of(mask) == [[place[1], place[0]], [5, 5], True]


def test_ellipses_equal_medians_of_point_lists():
    rng = np.random.default_rng(1)
    masks = np.zeros((40, 60, 90), bool)
    for i, mask in enumerate(masks[1:], 1):
        left, top = rng.integers(0, 80), rng.integers(0, 50)
        window = mask[top:, left : left + rng.integers(1, 90)]
        window[:] = rng.random(window.shape) < rng.choice([0.02, 0.5, 1])
        mask[rng.integers(60), rng.integers(90)] = True
        assert i and mask.any()
    centre, scale, present = guides.mask_ellipse(masks)
    assert present.numpy().tolist() == [False] + 39 * [True]
    for i in range(1, 40):
        points = np.argwhere(masks[i])[:, ::-1]
        median = np.median(points, axis=0)
        mad = np.median(np.abs(points - median), axis=0)
        np.testing.assert_array_equal(centre[i], median)
        np.testing.assert_allclose(scale[i], np.maximum(1.4826 * mad, 5), rtol=1e-6)


def test_gaussian_is_one_at_the_centre_and_exp_minus_half_at_one_sigma():
    gaussian = guides.gaussian_map(
        tf.constant([[20.0, 10.0]]), tf.constant([[8.0, 5.0]]), tf.constant([True]), (40, 30)
    ).numpy()
    assert gaussian.shape == (1, 30, 40, 1)
    assert gaussian[0, 10, 20, 0] == 1
    expected = pytest.approx(np.exp(-0.5))
    assert gaussian[0, 10, 28, 0] == expected and gaussian[0, 10, 12, 0] == expected
    assert gaussian[0, 15, 20, 0] == expected and gaussian[0, 5, 20, 0] == expected
    assert gaussian[0, 15, 28, 0] == pytest.approx(np.exp(-1))


def test_spatial_guide_of_several_objects_is_each_ones_own_and_zero_for_an_absent_one():
    made = guides.spatial_guide(SEVERAL, CONFIG).numpy()
    assert made.shape == (3, 30, 50, 1) and made.dtype == np.float32
    assert not made[1].any()
    for mask, guide in zip(SEVERAL[[0, 2]], made[[0, 2]], strict=True):
        np.testing.assert_allclose(guide, guides.spatial_guide(mask[None], CONFIG)[0], atol=1e-6)
    y, x = np.mgrid[:30, :50]
    expected = np.exp(-(((x - 16) / (1.4826 * 7)) ** 2 + ((y - 6) / 5) ** 2) / 2)
    np.testing.assert_allclose(made[2, ..., 0], expected, atol=1e-6)


def test_original_mask_is_dilated_by_a_disk_of_radius_five():
    masks = np.zeros((3, 30, 40), bool)
    masks[0, 15, 20] = masks[1, 0, 0] = True
    made = guides.spatial_guide(masks, ModelConfig(use_original_mask=True)).numpy()
    y, x = np.mgrid[:30, :40]
    np.testing.assert_array_equal(made[0, ..., 0], 255 * ((x - 20) ** 2 + (y - 15) ** 2 <= 25))
    np.testing.assert_array_equal(made[1, ..., 0], 255 * (x**2 + y**2 <= 25))
    assert not made[2].any()


@pytest.mark.parametrize("config", [CONFIG, ModelConfig(use_original_mask=True)])
def test_guides_of_several_objects_are_the_same_compiled(config):
    compiled = tf.function(lambda masks: guides.spatial_guide(masks, config))
    np.testing.assert_allclose(compiled(tf.constant(SEVERAL)), guides.spatial_guide(SEVERAL, config), atol=1e-6)
