import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageEnhance

from osmn import samples
from osmn.samples import Sample, SampleOptions, TargetAugmentation, Views

SEED = tf.constant([3, 5])
DEFAULT = SampleOptions()
BLACK = np.float32([-104, -117, -123])  # A black pixel, normalised: BGR means.
STILL = SampleOptions(vg_random_crop_ratio=0, vg_pad_ratio=0, vg_random_rotate_angle=0)


def noise(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def box_mask(height, width, left, top, right, bottom):
    mask = np.zeros((height, width), bool)
    mask[top:bottom, left:right] = True
    return mask


def blob(height, width, seed=0, density=0.3):
    return np.random.default_rng(seed).random((height, width)) < density


def seeds(count):
    return [samples.sample_seed(0, step, 0) for step in range(count)]


def as_rgb(guide, options=DEFAULT):
    """Undo `normalize`."""
    return (guide.numpy() / options.scale_value + options.mean_value)[..., ::-1]


# Seeds and sizes


def test_sample_seeds_are_a_function_of_run_step_and_position_and_all_differ():
    keys = [(run, step, position) for run in (0, 1) for step in range(12) for position in range(4)]
    drawn = [tuple(samples.sample_seed(*key).numpy()) for key in keys]
    assert drawn == [tuple(samples.sample_seed(*key).numpy()) for key in keys]
    assert len(set(drawn)) == len(keys)
    uniform = [float(tf.random.stateless_uniform((), seed)) for seed in drawn]
    assert len(set(uniform)) == len(keys)


def test_batch_size_is_one_of_the_scaled_sizes_truncated_like_python_int():
    drawn = [tuple(samples.batch_size_scale(1, step, (854, 480), (0.5, 0.8, 1)).numpy()) for step in range(60)]
    assert set(drawn) == {(427, 240), (683, 384), (854, 480)}
    assert min(drawn.count(size) for size in set(drawn)) >= 10  # Of 60, 20 are expected.


def test_batch_size_without_scales_is_the_image_size():
    assert samples.batch_size_scale(1, 7, (854, 480), ()).numpy().tolist() == [854, 480]


# Colour


def test_normalize_gives_bgr_minus_mean():
    image = np.uint8([[[10, 20, 30], [255, 0, 1]]])
    expected = [[[30 - 104, 20 - 117, 10 - 123], [1 - 104, -117, 255 - 123]]]
    np.testing.assert_array_equal(samples.normalize(image, DEFAULT), expected)


def test_normalize_scales_and_accepts_a_batch():
    options = SampleOptions(mean_value=(127.5, 127.5, 127.5), scale_value=0.00787)
    images = np.stack([noise(2, 3, 0), noise(2, 3, 1)])
    np.testing.assert_allclose(
        samples.normalize(images, options), (images[..., ::-1] - 127.5) * 0.00787, rtol=1e-5, atol=1e-7
    )


def test_color_augmentation_keeps_grey_between_the_published_factors():
    grey = np.full((8, 8, 3), 100, np.uint8)
    values = np.array([samples.random_color(grey, seed).numpy()[0, 0, 0] for seed in seeds(40)])
    assert values.min() >= 79 and values.max() <= 130
    assert values.min() < 90 and values.max() > 120


@pytest.mark.parametrize("seed", [[0, 1], [2, 3], [4, 5]])
def test_color_augmentation_is_pillow_brightness_then_contrast(seed):
    image = noise(40, 30)
    brightness, contrast = tf.random.stateless_uniform((2,), seed, 0.8, 1.3).numpy().tolist()
    expected = ImageEnhance.Contrast(ImageEnhance.Brightness(Image.fromarray(image)).enhance(brightness))
    np.testing.assert_array_equal(samples.random_color(image, seed), expected.enhance(contrast))


# Resizing


@pytest.mark.parametrize(
    "size", [(40, 30), (41, 61), (20, 15), (13, 7), (80, 60), (97, 45), (40, 11), (90, 30), (1, 1), (3, 200)]
)
def test_images_are_resized_as_by_pillow(size):
    image = noise(30, 40)
    expected = np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BILINEAR), int)
    resized = samples.resize_image(image, size)
    assert resized.dtype == tf.uint8
    difference = np.abs(resized.numpy() - expected)
    # A level apart only where the exact result is a half, often so for ratios like 3/2.
    assert difference.max() <= 1 and (difference > 0).mean() < 0.06


def test_masks_are_resized_to_exactly_the_pixels_of_pillow():
    rng = np.random.default_rng(0)
    for old_height, old_width, height, width in rng.integers(1, 400, (150, 4)).tolist():
        mask = rng.random((old_height, old_width)) < 0.5
        expected = Image.fromarray(mask.astype(np.uint8)).resize((width, height), Image.Resampling.NEAREST)
        np.testing.assert_array_equal(samples.resize_mask(mask, (width, height)), np.asarray(expected, bool))


def test_pixel_choice_at_ties_is_that_of_pillow():
    # Halves, thirds and the like put centres on the edges of pixels, where rounding decides.
    for old in (480, 854, 333, 90):
        for new in {*range(1, 60), old // 2, old // 3, 224}:
            row = Image.fromarray(np.arange(old, dtype=np.int32)[None]).resize((new, 1), Image.Resampling.NEAREST)
            np.testing.assert_array_equal(samples._nearest_pixels(old, new), np.asarray(row)[0])


def test_resizing_takes_the_size_as_a_tensor_and_keeps_channels():
    size = tf.constant([5, 4], tf.int64)
    assert samples.resize_image(noise(8, 9), size).shape == (4, 5, 3)
    assert samples.resize_mask(blob(8, 9)[..., None], size).shape == (4, 5, 1)


# Boxes


def test_box_has_inclusive_maxima():
    assert samples.bounding_box(box_mask(10, 12, 2, 3, 7, 9)).numpy().tolist() == [2, 3, 6, 8]


def test_box_of_an_empty_mask_is_the_frame():
    assert samples.bounding_box(np.zeros((10, 12), bool)).numpy().tolist() == [0, 0, 12, 10]


def test_box_touches_the_borders_with_the_object():
    assert samples.bounding_box(np.eye(10, 12, dtype=np.uint8) * 255).numpy().tolist() == [0, 0, 9, 9]
    assert samples.bounding_box(np.ones((10, 12))).numpy().tolist() == [0, 0, 11, 9]


def test_boxes_of_several_masks_at_once():
    masks = np.stack([box_mask(6, 6, 1, 2, 4, 3), np.zeros((6, 6), bool)])
    assert samples.bounding_box(masks).numpy().tolist() == [[1, 2, 3, 2], [0, 0, 6, 6]]


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
    assert tuple(samples.guide_box(box_mask(10, 12, *drawn)).numpy()) == cut


# Moving sides, flipping, turning


def test_sides_move_outward_by_whole_pixels_cut_off_towards_zero():
    image = np.arange(1, 81, dtype=np.uint8).reshape(8, 10, 1)  # 8 high, 10 wide
    ratios = tf.constant([0.19, -0.3, -0.29, 0.25])
    moved = samples._move_sides(image, ratios).numpy()  # Left +1.9, top -2.4, right -2.9, bottom +2 pixels.
    expected = np.pad(image[2:, :8], ((0, 2), (1, 0), (0, 0)))
    np.testing.assert_array_equal(moved, expected)


def test_sides_cannot_pass_each_other():
    assert samples._move_sides(noise(8, 10), tf.constant([-0.9, -0.7, -0.9, -0.7])).shape == (1, 1, 3)


def test_random_crop_moves_image_and_label_together_within_the_ratio():
    image = noise(40, 50)
    options = SampleOptions(random_crop_ratio=0.2)
    shapes = []
    for seed in seeds(20):
        cropped, label = samples.random_crop(image, image[..., :1], options, seed)
        np.testing.assert_array_equal(cropped[..., :1], label)
        shapes.append(cropped.shape)
    heights, widths = np.array(shapes)[:, 0], np.array(shapes)[:, 1]
    assert heights.min() >= 24 and heights.max() <= 56 and widths.min() >= 30 and widths.max() <= 70
    assert len(set(shapes)) > 15 and heights.min() < 40 < heights.max()


def test_random_crop_of_ratio_zero_changes_nothing():
    image = noise(9, 11)
    np.testing.assert_array_equal(samples.random_crop(image, image, DEFAULT, SEED)[0], image)


def test_random_flip_mirrors_images_and_masks_of_any_size_together_half_of_the_time():
    image, mask = noise(4, 7), blob(3, 5)
    flips = 0
    for seed in seeds(40):
        flipped, flipped_mask = samples.random_flip([image, mask], seed)
        mirrored = np.array_equal(flipped, image[:, ::-1])
        np.testing.assert_array_equal(flipped, image[:, ::-1] if mirrored else image)
        np.testing.assert_array_equal(flipped_mask, mask[:, ::-1] if mirrored else mask)
        flips += mirrored
    assert 10 <= flips <= 30


@pytest.mark.parametrize("side", [3, 4])
def test_rotation_by_90_degrees_is_counter_clockwise_about_the_centre(side):
    image = noise(side, side)
    np.testing.assert_array_equal(samples.rotate(image, 90.0), np.rot90(image))
    np.testing.assert_array_equal(samples.rotate(image, -90.0), np.rot90(image, -1))


def test_rotation_agrees_with_pillow_and_leaves_zeros_outside():
    image = noise(100, 100) | 1
    turned = samples.rotate(image, 10.0).numpy()
    expected = np.asarray(Image.fromarray(image).rotate(10))
    assert (turned == expected).mean() > 0.99
    assert not turned[0, 0].any() and not turned[-1, -1].any()


# Visual guide


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
    box = samples.guide_box(mask).numpy().tolist()
    guide = samples.visual_guide(frame, mask, DEFAULT)
    expected = pillow_guide(frame, mask, box, 0.03)
    assert guide.shape == (224, 224, 3) and guide.dtype == tf.float32
    np.testing.assert_array_equal((guide.numpy() == 0).all(-1), (expected == 0).all(-1))
    np.testing.assert_allclose(guide, expected, atol=1)
    assert (guide == expected).numpy().mean() > 0.99


def test_testing_pads_black_around_the_box():
    frame = np.full((150, 150, 3), 255, np.uint8)
    mask = box_mask(150, 150, 20, 20, 121, 121)  # The crop is 100x100, padded by 3: 224/106 guide pixels for one.
    guide = as_rgb(samples.visual_guide(frame, mask, SampleOptions(bbox_sup=True)))
    black = guide[112, :, 0] < 128
    assert black[:6].all() and black[-6:].all() and not black[7:-7].any()


def test_guide_hides_the_background_unless_only_boxes_are_known():
    frame = np.full((30, 30, 3), 200, np.uint8)
    mask = box_mask(30, 30, 5, 5, 26, 26)
    mask[10:20, 10:20] = False
    hidden = samples.visual_guide(frame, mask, STILL).numpy()
    shown = samples.visual_guide(frame, mask, STILL._replace(bbox_sup=True)).numpy()
    np.testing.assert_array_equal(hidden[112, 112], 0)
    np.testing.assert_array_equal(shown, np.broadcast_to(200 + BLACK, (224, 224, 3)))
    np.testing.assert_array_equal(hidden[10, 10], 200 + BLACK)


def test_guide_loses_the_last_row_and_column_as_released():
    frame = np.zeros((20, 20, 3), np.uint8)
    frame[14, :] = frame[:, 14] = 255
    guide = samples.visual_guide(frame, box_mask(20, 20, 5, 5, 15, 15), STILL)
    np.testing.assert_array_equal(guide, np.broadcast_to(BLACK, (224, 224, 3)))


@pytest.mark.parametrize("drawn", [(7, 3, 8, 4), (7, 3, 8, 18), (2, 19, 15, 20), (0, 0, 1, 20), (0, 0, 20, 20)])
@pytest.mark.parametrize("seed", [None, SEED])
def test_thin_small_and_full_frame_objects_have_a_guide(drawn, seed):
    frame = np.full((20, 20, 3), 250, np.uint8)
    guide = samples.visual_guide(frame, box_mask(20, 20, *drawn), DEFAULT, seed).numpy()
    assert (guide != 0).mean() > 0.5


@pytest.mark.parametrize("options", [DEFAULT, SampleOptions(bbox_sup=True)])
@pytest.mark.parametrize("seed", [None, SEED])
def test_guide_of_an_absent_object_is_blank(options, seed):
    guide = samples.visual_guide(noise(20, 30), np.zeros((20, 30), bool), options, seed)
    np.testing.assert_array_equal(guide, np.zeros((224, 224, 3)))


def test_guide_takes_masks_of_any_type_with_or_without_channel():
    frame, mask = noise(30, 40), blob(30, 40)
    expected = samples.visual_guide(frame, mask, DEFAULT)
    np.testing.assert_array_equal(samples.visual_guide(frame, mask[..., None], DEFAULT), expected)
    np.testing.assert_array_equal(samples.visual_guide(frame, mask * np.uint8(255), DEFAULT), expected)


def test_mask_of_another_size_is_resized_to_the_frame():
    frame, mask = noise(60, 80), blob(30, 40)
    expected = samples.visual_guide(frame, np.kron(mask, np.ones((2, 2))), DEFAULT)
    np.testing.assert_array_equal(samples.visual_guide(frame, mask, DEFAULT), expected)


def test_training_guide_without_random_ranges_is_the_testing_guide_or_its_mirror():
    frame, mask = noise(30, 40), blob(30, 40)
    still = samples.visual_guide(frame, mask, STILL).numpy()
    mirrored = []
    for seed in seeds(12):
        guide = samples.visual_guide(frame, mask, STILL, seed).numpy()
        mirrored.append(np.array_equal(guide, still[:, ::-1]))
        assert mirrored[-1] or np.array_equal(guide, still)
    assert 0 < sum(mirrored) < 12


def test_training_guide_moves_sides_by_at_most_the_ratio():
    frame = np.full((120, 120, 3), 250, np.uint8)
    mask = box_mask(120, 120, 10, 10, 111, 111)  # The crop is 100x100.
    options = STILL._replace(vg_random_crop_ratio=0.1)
    widths = []
    for seed in seeds(20):
        visible = (samples.visual_guide(frame, mask, options, seed).numpy() != 0).any(-1)
        widths.append(visible[112].sum() / 224)
    # A side of 100 pixels becomes at most 120 with black.
    assert min(widths) >= 100 / 120 - 0.01 and max(widths) <= 1
    assert min(widths) < 0.95 and max(widths) == 1


def test_training_guide_turns_image_and_mask_together():
    frame = np.full((100, 100, 3), 250, np.uint8)
    options = STILL._replace(vg_random_rotate_angle=10)
    for seed in seeds(4):
        guide = samples.visual_guide(frame, np.ones((100, 100), bool), options, seed).numpy()
        corners = guide[[0, 0, -1, -1], [0, -1, 0, -1]]
        np.testing.assert_array_equal(corners, 0)
        # What is visible has the frame's colour: no black that the rotation brought in.
        np.testing.assert_array_equal(guide[(guide != 0).any(-1)][:, 0], 250 - 104)


def test_training_guide_color_augmentation_leaves_the_background_zero():
    frame = np.full((40, 40, 3), 100, np.uint8)
    options = STILL._replace(vg_color_aug=True)
    guide = samples.visual_guide(frame, box_mask(40, 40, 5, 5, 35, 35) & blob(40, 40), options, SEED).numpy()
    plain = samples.visual_guide(frame, box_mask(40, 40, 5, 5, 35, 35) & blob(40, 40), STILL, SEED).numpy()
    np.testing.assert_array_equal(guide == 0, plain == 0)
    assert not np.array_equal(guide, plain)


@pytest.mark.parametrize("seed", [None, SEED])
def test_guide_keeps_the_aspect_ratio_between_equal_margins(seed):
    frame = np.full((40, 40, 3), 250, np.uint8)
    mask = box_mask(40, 40, 5, 5, 26, 16)  # The crop is 20x10, which fits as 224x112.
    visible = samples.visual_guide(frame, mask, STILL._replace(vg_keep_aspect_ratio=True), seed).numpy() != 0
    np.testing.assert_array_equal(visible.any(-1), box_mask(224, 224, 0, 56, 224, 168))


def test_line_of_one_pixel_keeps_its_aspect_ratio():
    mask = box_mask(600, 20, 3, 0, 4, 600)
    guide = samples.visual_guide(np.full((600, 20, 3), 250, np.uint8), mask, STILL._replace(vg_keep_aspect_ratio=True))
    assert (guide.numpy() != 0).any(-1).sum() == 224


# Spatial guide


def ellipse_of(mask):
    return [part.numpy()[0].tolist() for part in samples.mask_ellipse(mask[None])]


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
    centre, scale, present = samples.mask_ellipse(masks)
    assert present.numpy().tolist() == [False] + 39 * [True]
    for i in range(1, 40):
        points = np.argwhere(masks[i])[:, ::-1]
        median = np.median(points, axis=0)
        mad = np.median(np.abs(points - median), axis=0)
        np.testing.assert_array_equal(centre[i], median)
        np.testing.assert_allclose(scale[i], np.maximum(1.4826 * mad, 5), rtol=1e-6)


def test_gaussian_is_one_at_the_centre_and_exp_minus_half_at_one_sigma():
    gaussian = samples.gaussian_map(
        tf.constant([[20.0, 10.0]]), tf.constant([[8.0, 5.0]]), tf.constant([True]), (40, 30)
    ).numpy()
    assert gaussian.shape == (1, 30, 40, 1)
    assert gaussian[0, 10, 20, 0] == 1
    expected = pytest.approx(np.exp(-0.5))
    assert gaussian[0, 10, 28, 0] == expected and gaussian[0, 10, 12, 0] == expected
    assert gaussian[0, 15, 20, 0] == expected and gaussian[0, 5, 20, 0] == expected
    assert gaussian[0, 15, 28, 0] == pytest.approx(np.exp(-1))


def test_spatial_guide_of_several_objects_is_each_ones_own_and_zero_for_an_absent_one():
    masks = np.stack([blob(30, 50, 1), np.zeros((30, 50), bool), box_mask(30, 50, 3, 4, 30, 9)])
    guides = samples.spatial_guide(masks, DEFAULT).numpy()
    assert guides.shape == (3, 30, 50, 1) and guides.dtype == np.float32
    assert not guides[1].any()
    for mask, guide in zip(masks[[0, 2]], guides[[0, 2]], strict=True):
        np.testing.assert_allclose(guide, samples.spatial_guide(mask[None], DEFAULT)[0], atol=1e-6)
    y, x = np.mgrid[:30, :50]
    expected = np.exp(-(((x - 16) / (1.4826 * 7)) ** 2 + ((y - 6) / 5) ** 2) / 2)
    np.testing.assert_allclose(guides[2, ..., 0], expected, atol=1e-6)


def test_perturbation_stays_within_its_ranges_and_differs_between_objects_and_axes():
    count = 500
    centre, scale = tf.fill((count, 2), 100.0), tf.constant([[10.0, 20.0]]) * tf.ones((count, 1))
    moved, scaled = samples.perturb_ellipse(centre, scale, DEFAULT, SEED)
    shift, factor = ((moved - centre) / scale).numpy(), (scaled / scale).numpy()
    for values, low, high in ((shift, -0.2, 0.2), (factor, 1 / 1.4, 1.4)):
        assert low - 1e-5 <= values.min() < low + 0.02 and high - 0.02 < values.max() <= high + 1e-5
        assert values.mean() == pytest.approx((low + high) / 2, abs=0.03)
        assert len(np.unique(values.round(6))) > 900
        assert abs(np.corrcoef(values.T)[0, 1]) < 0.2
    assert abs(np.corrcoef(shift[:, 0], factor[:, 0])[0, 1]) < 0.2


def test_training_perturbs_the_spatial_guide_and_testing_does_not():
    masks = box_mask(60, 80, 20, 20, 60, 45)[None]
    still = samples.spatial_guide(masks, DEFAULT)
    np.testing.assert_array_equal(samples.spatial_guide(masks, DEFAULT), still)
    perturbed = samples.spatial_guide(masks, DEFAULT, SEED)
    np.testing.assert_array_equal(samples.spatial_guide(masks, DEFAULT, SEED), perturbed)
    assert np.abs(perturbed - still).max() > 0.01
    assert not samples.spatial_guide(np.zeros((1, 60, 80), bool), DEFAULT, SEED).numpy().any()


def test_original_mask_is_dilated_by_a_disk_of_radius_five():
    masks = np.zeros((3, 30, 40), bool)
    masks[0, 15, 20] = masks[1, 0, 0] = True
    guides = samples.spatial_guide(masks, SampleOptions(use_original_mask=True)).numpy()
    y, x = np.mgrid[:30, :40]
    np.testing.assert_array_equal(guides[0, ..., 0], 255 * ((x - 20) ** 2 + (y - 15) ** 2 <= 25))
    np.testing.assert_array_equal(guides[1, ..., 0], 255 * (x**2 + y**2 <= 25))
    assert not guides[2].any()


def test_original_mask_in_training_is_scaled_and_moved_within_the_published_ranges():
    masks = tf.cast(box_mask(100, 120, 40, 30, 80, 50), tf.uint8)[None, ..., None]  # 40 wide, 20 high
    widths, centres = [], []
    for seed in seeds(30):
        left, top, right, bottom = samples.bounding_box(samples._perturb_masks(masks, seed)[0, ..., 0]).numpy()
        widths.append(right - left + 1)
        centres.append(((left + right) / 2 - 59.5, (top + bottom) / 2 - 39.5))
        assert bottom - top + 1 == pytest.approx(widths[-1] / 2, abs=1)  # One factor for both axes.
    assert 31 <= min(widths) < 36 and 44 < max(widths) <= 49
    x, y = np.abs(centres).max(0)
    assert 4 < x <= 8.5 and 2 < y <= 4.5


def test_original_mask_in_training_is_cut_off_by_the_frame():
    options = SampleOptions(use_original_mask=True)
    for seed in seeds(4):
        guide = samples.spatial_guide(np.ones((2, 40, 40), bool), options, seed)
        assert guide.shape == (2, 40, 40, 1) and set(np.unique(guide)) <= {0, 255}
    assert not samples.spatial_guide(np.zeros((1, 40, 40), bool), options, SEED).numpy().any()


# The whole sample


COCO = TargetAugmentation(crop=True, flip=True)


def still_image(frame, mask):
    """Return the views of one image that is everything."""
    return Views(frame, mask, mask, frame, mask)


def make(seed, size=(48, 32), options=DEFAULT, augmentation=samples.AS_IT_IS):
    views = still_image(noise(40, 60), box_mask(40, 60, 10, 5, 45, 30))
    return samples.training_sample(views, size, options, seed, augmentation)


def test_sample_has_the_size_that_was_asked_for():
    for size in ((48, 32), tf.constant([48, 32])):
        sample = make(SEED, size)
        assert [part.shape for part in sample] == [(224, 224, 3), (32, 48, 1), (32, 48, 3), (32, 48, 1)]
        assert {part.dtype for part in sample} == {tf.float32}
        assert set(np.unique(sample.label)) == {0, 1}


def test_target_is_only_resized():
    frame, mask = noise(40, 60), blob(40, 60) * np.uint8(255)
    previous = box_mask(20, 30, 5, 5, 25, 15)[..., None]
    sample = samples.training_sample(Views(frame, mask, previous, frame, mask), (30, 20), DEFAULT, SEED)
    image = np.asarray(Image.fromarray(frame).resize((30, 20), Image.Resampling.BILINEAR), np.float32)
    np.testing.assert_allclose(sample.image, image[..., ::-1] + BLACK, atol=1)
    label = np.asarray(Image.fromarray(mask).resize((30, 20), Image.Resampling.NEAREST)) > 0
    np.testing.assert_array_equal(sample.label[..., 0], label)
    # The Gaussian is that of the previous mask, 20x10 pixels around (14.5, 9.5), perturbed by 0.2 * 7.4 pixels at most.
    y, x = np.unravel_index(sample.spatial.numpy().argmax(), (20, 30))
    assert abs(x - 14.5) <= 2 and abs(y - 9.5) <= 2


def test_target_augmentation_keeps_image_label_and_spatial_guide_aligned():
    mask = box_mask(40, 60, 8, 10, 18, 20)  # On the left.
    frame = np.repeat(mask[..., None] * np.uint8(255), 3, -1)
    options = SampleOptions(random_crop_ratio=0.1, sg_center_perturb_ratio=0)
    sides = set()
    for seed in seeds(12):
        sample = samples.training_sample(still_image(frame, mask), (60, 40), options, seed, COCO)
        bright = as_rgb(sample.image)[..., 0] > 128
        assert (bright != (sample.label.numpy()[..., 0] == 1)).mean() < 0.03
        centre = samples.mask_ellipse(sample.label[None, ..., 0])[0][0]
        y, x = np.unravel_index(sample.spatial.numpy().argmax(), (40, 60))
        np.testing.assert_allclose([x, y], centre, atol=1)
        sides.add(bool(centre[0] < 30))
    assert sides == {True, False}


def test_target_may_flip_without_being_cropped():
    frame, mask = noise(20, 20), box_mask(20, 20, 2, 3, 9, 15)
    options, seen = SampleOptions(random_crop_ratio=0.3), set()
    for seed in seeds(12):
        sample = samples.training_sample(
            still_image(frame, mask), (20, 20), options, seed, TargetAugmentation(flip=True)
        )
        label = sample.label.numpy()[..., 0] == 1
        mirrored = not np.array_equal(label, mask)
        np.testing.assert_array_equal(label, mask[:, ::-1] if mirrored else mask)
        image = samples.normalize(frame, options).numpy()
        np.testing.assert_array_equal(sample.image, image[:, ::-1] if mirrored else image)
        seen.add(mirrored)
    assert seen == {True, False}


def test_target_flips_independently_of_the_guide():
    frame, mask = noise(20, 20), np.ones((20, 20), bool)
    still = samples.visual_guide(frame, mask, STILL).numpy()
    image = samples.normalize(frame, STILL).numpy()
    seen = set()
    for seed in seeds(30):
        sample = samples.training_sample(still_image(frame, mask), (20, 20), STILL, seed, COCO)
        seen.add((np.array_equal(sample.guide, still), np.array_equal(sample.image, image)))
    assert len(seen) == 4


EVERYTHING = SampleOptions(random_crop_ratio=0.1, vg_color_aug=True, vg_keep_aspect_ratio=True)


@pytest.mark.parametrize("options", [EVERYTHING, SampleOptions(use_original_mask=True, bbox_sup=True)])
def test_sample_is_a_function_of_its_seed_also_when_compiled_and_in_a_dataset(options):
    drawn = seeds(3)
    direct = [make(seed, options=options, augmentation=COCO) for seed in drawn]
    again = make(drawn[0], options=options, augmentation=COCO)
    for part, same in zip(direct[0], again, strict=True):
        np.testing.assert_array_equal(part, same)
    assert not np.array_equal(direct[0].guide, direct[1].guide)
    assert not np.array_equal(direct[0].spatial, direct[1].spatial)

    dataset = tf.data.Dataset.from_tensor_slices(tf.stack(drawn))
    mapped = list(dataset.map(lambda seed: make(seed, options=options, augmentation=COCO), num_parallel_calls=2))
    compiled = tf.function(lambda seed: make(seed, options=options, augmentation=COCO))
    for sample, in_dataset, seed in zip(direct, mapped, drawn, strict=True):
        assert isinstance(in_dataset, Sample)
        for part, in_map, in_function in zip(sample, in_dataset, compiled(seed), strict=True):
            np.testing.assert_allclose(in_map, part, atol=1e-4)
            np.testing.assert_allclose(in_function, part, atol=1e-4)


def test_dataset_of_images_of_unknown_size_has_known_channels():
    frame = tf.zeros((40, 60, 3), tf.uint8)
    dataset = tf.data.Dataset.from_generator(
        lambda: [frame], output_signature=tf.TensorSpec((None, None, 3), tf.uint8)
    ).map(lambda image: samples.training_sample(still_image(image, image[..., :1]), (48, 32), EVERYTHING, SEED, COCO))
    assert [part.shape[-1] for part in dataset.element_spec] == [3, 1, 3, 1]
    assert [part.shape for part in next(iter(dataset))] == [(224, 224, 3), (32, 48, 1), (32, 48, 3), (32, 48, 1)]


@pytest.mark.parametrize("options", [DEFAULT, SampleOptions(use_original_mask=True)])
@pytest.mark.parametrize("seed", [None, SEED])
def test_guides_of_several_objects_are_the_same_compiled(options, seed):
    masks = np.stack([blob(30, 50, 1), np.zeros((30, 50), bool), box_mask(30, 50, 3, 4, 30, 9)])
    compiled = tf.function(lambda masks: samples.spatial_guide(masks, options, seed))
    np.testing.assert_allclose(compiled(tf.constant(masks)), samples.spatial_guide(masks, options, seed), atol=1e-6)


def test_testing_guide_is_the_same_compiled():
    frame, mask = noise(30, 50), box_mask(30, 50, 3, 4, 30, 9)
    compiled = tf.function(lambda frame, mask: samples.visual_guide(frame, mask, DEFAULT))
    np.testing.assert_array_equal(
        compiled(tf.constant(frame), tf.constant(mask)), samples.visual_guide(frame, mask, DEFAULT)
    )
