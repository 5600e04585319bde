"""One training sample, and what is random in it."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageEnhance

from helpers.pictures import BLACK, SEVERAL, THIN_SMALL_AND_FULL, as_rgb, blob, box_mask, noise, seeds
from osmn.config import ModelConfig
from osmn.inputs import guides, samples
from osmn.inputs.geometry import bounding_box
from osmn.inputs.options import Augmentation
from osmn.inputs.samples import RawSample, Sample, TargetAugmentation

SEED = tf.constant([3, 5])
CONFIG = ModelConfig()
PUBLISHED = Augmentation()
STILL = Augmentation(vg_random_crop_ratio=0, vg_random_rotate_angle=0)


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


# Cropping and flipping


def test_random_crop_moves_image_and_label_together_within_the_ratio():
    image = noise(40, 50)
    shapes = []
    for seed in seeds(20):
        cropped, label = samples.random_crop(image, image[..., :1], 0.2, seed)
        np.testing.assert_array_equal(cropped[..., :1], label)
        shapes.append(cropped.shape)
    heights, widths = np.array(shapes)[:, 0], np.array(shapes)[:, 1]
    assert heights.min() >= 24 and heights.max() <= 56 and widths.min() >= 30 and widths.max() <= 70
    assert len(set(shapes)) > 15 and heights.min() < 40 < heights.max()


def test_random_crop_of_ratio_zero_changes_nothing():
    image = noise(9, 11)
    np.testing.assert_array_equal(samples.random_crop(image, image, 0.0, SEED)[0], image)


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


# Visual guide


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


@pytest.mark.parametrize("drawn", THIN_SMALL_AND_FULL)
def test_thin_small_and_full_frame_objects_have_a_training_guide(drawn):
    frame = np.full((20, 20, 3), 250, np.uint8)
    guide = samples.augmented_visual_guide(frame, box_mask(20, 20, *drawn), CONFIG, PUBLISHED, SEED).numpy()
    assert (guide != 0).mean() > 0.5


@pytest.mark.parametrize("config", [CONFIG, ModelConfig(bbox_sup=True)])
def test_training_guide_of_an_absent_object_is_blank(config):
    guide = samples.augmented_visual_guide(noise(20, 30), np.zeros((20, 30), bool), config, PUBLISHED, SEED)
    np.testing.assert_array_equal(guide, np.zeros((224, 224, 3)))


def test_training_guide_without_random_ranges_is_the_testing_guide_or_its_mirror():
    frame, mask = noise(30, 40), blob(30, 40)
    still = guides.visual_guide(frame, mask, CONFIG, pad_ratio=0).numpy()
    mirrored = []
    for seed in seeds(12):
        guide = samples.augmented_visual_guide(frame, mask, CONFIG, STILL, seed).numpy()
        mirrored.append(np.array_equal(guide, still[:, ::-1]))
        assert mirrored[-1] or np.array_equal(guide, still)
    assert 0 < sum(mirrored) < 12


def test_training_guide_moves_sides_by_at_most_the_ratio():
    frame = np.full((120, 120, 3), 250, np.uint8)
    mask = box_mask(120, 120, 10, 10, 111, 111)  # The crop is 100x100.
    moving = dataclasses.replace(STILL, vg_random_crop_ratio=0.1)
    widths = []
    for seed in seeds(20):
        visible = (samples.augmented_visual_guide(frame, mask, CONFIG, moving, seed).numpy() != 0).any(-1)
        widths.append(visible[112].sum() / 224)
    # A side of 100 pixels becomes at most 120 with black.
    assert min(widths) >= 100 / 120 - 0.01 and max(widths) <= 1
    assert min(widths) < 0.95 and max(widths) == 1


def test_training_guide_turns_image_and_mask_together():
    frame = np.full((100, 100, 3), 250, np.uint8)
    turning = dataclasses.replace(STILL, vg_random_rotate_angle=10)
    for seed in seeds(4):
        guide = samples.augmented_visual_guide(frame, np.ones((100, 100), bool), CONFIG, turning, seed).numpy()
        corners = guide[[0, 0, -1, -1], [0, -1, 0, -1]]
        np.testing.assert_array_equal(corners, 0)
        # What is visible has the frame's colour: no black that the rotation brought in.
        np.testing.assert_array_equal(guide[(guide != 0).any(-1)][:, 0], 250 - 104)


def test_training_guide_color_augmentation_leaves_the_background_zero():
    frame = np.full((40, 40, 3), 100, np.uint8)
    mask = box_mask(40, 40, 5, 5, 35, 35) & blob(40, 40)
    coloured = dataclasses.replace(STILL, vg_color_aug=True)
    guide, plain = (samples.augmented_visual_guide(frame, mask, CONFIG, a, SEED).numpy() for a in (coloured, STILL))
    np.testing.assert_array_equal(guide == 0, plain == 0)
    assert not np.array_equal(guide, plain)


def test_training_guide_keeps_the_aspect_ratio_between_equal_margins():
    frame = np.full((40, 40, 3), 250, np.uint8)
    mask = box_mask(40, 40, 5, 5, 26, 16)  # The crop is 20x10, which fits as 224x112.
    fitted = ModelConfig(vg_keep_aspect_ratio=True)
    visible = samples.augmented_visual_guide(frame, mask, fitted, STILL, SEED).numpy() != 0
    np.testing.assert_array_equal(visible.any(-1), box_mask(224, 224, 0, 56, 224, 168))


# Spatial guide


def test_perturbation_stays_within_its_ranges_and_differs_between_objects_and_axes():
    count = 500
    centre, scale = tf.fill((count, 2), 100.0), tf.constant([[10.0, 20.0]]) * tf.ones((count, 1))
    moved, scaled = samples.perturb_ellipse(centre, scale, PUBLISHED, SEED)
    shift, factor = ((moved - centre) / scale).numpy(), (scaled / scale).numpy()
    for values, low, high in ((shift, -0.2, 0.2), (factor, 1 / 1.4, 1.4)):
        assert low - 1e-5 <= values.min() < low + 0.02 and high - 0.02 < values.max() <= high + 1e-5
        assert values.mean() == pytest.approx((low + high) / 2, abs=0.03)
        assert len(np.unique(values.round(6))) > 900
        assert abs(np.corrcoef(values.T)[0, 1]) < 0.2
    assert abs(np.corrcoef(shift[:, 0], factor[:, 0])[0, 1]) < 0.2


def test_training_perturbs_the_spatial_guide_and_testing_does_not():
    masks = box_mask(60, 80, 20, 20, 60, 45)[None]
    still = guides.spatial_guide(masks, CONFIG)
    np.testing.assert_array_equal(guides.spatial_guide(masks, CONFIG), still)
    perturbed = samples.perturbed_spatial_guide(masks, CONFIG, PUBLISHED, SEED)
    np.testing.assert_array_equal(samples.perturbed_spatial_guide(masks, CONFIG, PUBLISHED, SEED), perturbed)
    assert np.abs(perturbed - still).max() > 0.01
    empty = np.zeros((1, 60, 80), bool)
    assert not samples.perturbed_spatial_guide(empty, CONFIG, PUBLISHED, SEED).numpy().any()


def test_original_mask_in_training_is_scaled_and_moved_within_the_published_ranges():
    masks = tf.cast(box_mask(100, 120, 40, 30, 80, 50), tf.uint8)[None, ..., None]  # 40 wide, 20 high
    widths, centres = [], []
    for seed in seeds(30):
        left, top, right, bottom = bounding_box(samples._perturb_masks(masks, seed)[0, ..., 0]).numpy()
        widths.append(right - left + 1)
        centres.append(((left + right) / 2 - 59.5, (top + bottom) / 2 - 39.5))
        assert bottom - top + 1 == pytest.approx(widths[-1] / 2, abs=1)  # One factor for both axes.
    assert 31 <= min(widths) < 36 and 44 < max(widths) <= 49
    x, y = np.abs(centres).max(0)
    assert 4 < x <= 8.5 and 2 < y <= 4.5


def test_original_mask_in_training_is_cut_off_by_the_frame():
    config = ModelConfig(use_original_mask=True)
    for seed in seeds(4):
        guide = samples.perturbed_spatial_guide(np.ones((2, 40, 40), bool), config, PUBLISHED, seed)
        assert guide.shape == (2, 40, 40, 1) and set(np.unique(guide)) <= {0, 255}
    empty = np.zeros((1, 40, 40), bool)
    assert not samples.perturbed_spatial_guide(empty, config, PUBLISHED, SEED).numpy().any()


@pytest.mark.parametrize("config", [CONFIG, ModelConfig(use_original_mask=True)])
def test_perturbed_guides_of_several_objects_are_the_same_compiled(config):
    compiled = tf.function(lambda masks: samples.perturbed_spatial_guide(masks, config, PUBLISHED, SEED))
    direct = samples.perturbed_spatial_guide(SEVERAL, config, PUBLISHED, SEED)
    np.testing.assert_allclose(compiled(tf.constant(SEVERAL)), direct, atol=1e-6)


# The whole sample


COCO = TargetAugmentation(crop=True, flip=True)


def still_image(frame, mask):
    """Return the views of one image that is everything."""
    return RawSample(frame, mask, mask, frame, mask)


def make(seed, size=(48, 32), config=CONFIG, augmentation=PUBLISHED, target=samples.AS_IT_IS):
    views = still_image(noise(40, 60), box_mask(40, 60, 10, 5, 45, 30))
    return samples.training_sample(views, size, config, augmentation, seed, target)


def test_sample_has_the_size_that_was_asked_for():
    for size in ((48, 32), tf.constant([48, 32])):
        sample = make(SEED, size)
        assert [part.shape for part in sample] == [(224, 224, 3), (32, 48, 1), (32, 48, 3), (32, 48, 1)]
        assert {part.dtype for part in sample} == {tf.float32}
        assert set(np.unique(sample.label)) == {0, 1}


def test_target_is_only_resized():
    frame, mask = noise(40, 60), blob(40, 60) * np.uint8(255)
    previous = box_mask(20, 30, 5, 5, 25, 15)[..., None]
    views = RawSample(frame, mask, previous, frame, mask)
    sample = samples.training_sample(views, (30, 20), CONFIG, PUBLISHED, SEED)
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
    moving = Augmentation(random_crop_ratio=0.1, sg_center_perturb_ratio=0)
    sides = set()
    for seed in seeds(12):
        sample = samples.training_sample(still_image(frame, mask), (60, 40), CONFIG, moving, seed, COCO)
        bright = as_rgb(sample.image)[..., 0] > 128
        assert (bright != (sample.label.numpy()[..., 0] == 1)).mean() < 0.03
        centre = guides.mask_ellipse(sample.label[None, ..., 0])[0][0]
        y, x = np.unravel_index(sample.spatial.numpy().argmax(), (40, 60))
        np.testing.assert_allclose([x, y], centre, atol=1)
        sides.add(bool(centre[0] < 30))
    assert sides == {True, False}


def test_target_may_flip_without_being_cropped():
    frame, mask = noise(20, 20), box_mask(20, 20, 2, 3, 9, 15)
    augmentation, seen = Augmentation(random_crop_ratio=0.3), set()
    for seed in seeds(12):
        views, flip = still_image(frame, mask), TargetAugmentation(flip=True)
        sample = samples.training_sample(views, (20, 20), CONFIG, augmentation, seed, flip)
        label = sample.label.numpy()[..., 0] == 1
        mirrored = not np.array_equal(label, mask)
        np.testing.assert_array_equal(label, mask[:, ::-1] if mirrored else mask)
        image = guides.normalize(frame, CONFIG).numpy()
        np.testing.assert_array_equal(sample.image, image[:, ::-1] if mirrored else image)
        seen.add(mirrored)
    assert seen == {True, False}


def test_target_flips_independently_of_the_guide():
    frame, mask = noise(20, 20), np.ones((20, 20), bool)
    still = guides.visual_guide(frame, mask, CONFIG, pad_ratio=0).numpy()
    image = guides.normalize(frame, CONFIG).numpy()
    seen = set()
    for seed in seeds(30):
        sample = samples.training_sample(still_image(frame, mask), (20, 20), CONFIG, STILL, seed, COCO)
        seen.add((np.array_equal(sample.guide, still), np.array_equal(sample.image, image)))
    assert len(seen) == 4


EVERYTHING = (ModelConfig(vg_keep_aspect_ratio=True), Augmentation(random_crop_ratio=0.1, vg_color_aug=True))
BOXES_AND_MASKS = (ModelConfig(use_original_mask=True, bbox_sup=True), PUBLISHED)


@pytest.mark.parametrize("config, augmentation", [EVERYTHING, BOXES_AND_MASKS])
def test_sample_is_a_function_of_its_seed_also_when_compiled_and_in_a_dataset(config, augmentation):
    drawn = seeds(3)

    def made(seed):
        return make(seed, config=config, augmentation=augmentation, target=COCO)

    direct = [made(seed) for seed in drawn]
    again = made(drawn[0])
    for part, same in zip(direct[0], again, strict=True):
        np.testing.assert_array_equal(part, same)
    assert not np.array_equal(direct[0].guide, direct[1].guide)
    assert not np.array_equal(direct[0].spatial, direct[1].spatial)

    dataset = tf.data.Dataset.from_tensor_slices(tf.stack(drawn))
    mapped = list(dataset.map(made, num_parallel_calls=2))
    compiled = tf.function(made)
    for sample, in_dataset, seed in zip(direct, mapped, drawn, strict=True):
        assert isinstance(in_dataset, Sample)
        for part, in_map, in_function in zip(sample, in_dataset, compiled(seed), strict=True):
            np.testing.assert_allclose(in_map, part, atol=1e-4)
            np.testing.assert_allclose(in_function, part, atol=1e-4)


def test_dataset_of_images_of_unknown_size_has_known_channels():
    frame = tf.zeros((40, 60, 3), tf.uint8)

    def made(image):
        return samples.training_sample(still_image(image, image[..., :1]), (48, 32), *EVERYTHING, SEED, COCO)

    dataset = tf.data.Dataset.from_generator(
        lambda: [frame], output_signature=tf.TensorSpec((None, None, 3), tf.uint8)
    ).map(made)
    assert [part.shape[-1] for part in dataset.element_spec] == [3, 1, 3, 1]
    assert [part.shape for part in next(iter(dataset))] == [(224, 224, 3), (32, 48, 1), (32, 48, 3), (32, 48, 1)]
