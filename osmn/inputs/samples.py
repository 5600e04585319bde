"""One training sample: from frames and masks to the visual guide, the spatial guide, the image and the label.

Small pure functions over tensors; they work eagerly, in `tf.function` and inside `tf.data.Dataset.map`. Randomness is
an argument: the same `seed`, an int32 or int64 tensor of shape (2,), always gives the same result. Options are Python
values, fixed when a function is traced.

Numbers marked *as published* are from the OSMN paper and its released program.
"""

from collections.abc import Sequence
from typing import NamedTuple

import tensorflow as tf

from osmn.config import ModelConfig
from osmn.inputs import guides
from osmn.inputs.geometry import bounding_box, move_sides, resize_image, resize_mask, rotate, transform
from osmn.inputs.options import Augmentation

COLOR_FACTORS = (0.8, 1.3)  # As published: brightness and contrast.
MASK_SCALES = (0.8, 1.2)  # As published, for MaskTrack: the previous mask is scaled
MASK_SHIFT = 0.2  # and moved by a part of its box.

# Keep apart the random streams that share the run's seed.
_SAMPLE_STREAM, _SCALE_STREAM = 0, 1


class Sample(NamedTuple):
    """What the networks see of one sample, float32.

    Attributes:
        guide: (224, 224, 3) normalized crop of the object, zero where the background is hidden.
        spatial: (H, W, 1) Gaussian at the object's previous position, 0 to 1; with `use_original_mask` 0 or 255.
        image: (H, W, 3) normalized frame.
        label: (H, W, 1) 1 on the object, 0 elsewhere.
    """

    guide: tf.Tensor
    spatial: tf.Tensor
    image: tf.Tensor
    label: tf.Tensor


# The shapes of a sample's parts, in their order.
SHAPES = Sample((guides.GUIDE_SIDE, guides.GUIDE_SIDE, 3), (None, None, 1), (None, None, 3), (None, None, 1))


# Seeds


def sample_seed(seed: int | tf.Tensor, step: int | tf.Tensor, position: int | tf.Tensor) -> tf.Tensor:
    """Return the seed, int64 (2,), of the sample at `position` in the batch of `step`; all are ints or scalars."""
    stream = tf.stack([tf.cast(seed, tf.int64), _SAMPLE_STREAM])
    return tf.random.fold_in(tf.random.fold_in(stream, tf.cast(step, tf.int64)), tf.cast(position, tf.int64))


def batch_size_scale(
    seed: int | tf.Tensor, step: int | tf.Tensor, im_size: tuple[int, int], scales: Sequence[float]
) -> tf.Tensor:
    """Draw the image size of the batch of `step`: one of `scales` for the whole batch, all equally likely.

    Args:
        seed: the run's seed, an int or a scalar integer tensor.
        step: the batch's number, an int or a scalar integer tensor.
        im_size: (width, height) as Python ints.
        scales: positive Python numbers; an empty sequence is the same as (1,).

    Returns:
        (width, height), int32 (2,), each `int(side * scale)`.
    """
    sizes = tf.constant([[int(side * scale) for side in im_size] for scale in scales or (1,)])
    stream = tf.stack([tf.cast(seed, tf.int64), _SCALE_STREAM])
    index = tf.random.stateless_uniform(
        (), tf.random.fold_in(stream, tf.cast(step, tf.int64)), maxval=len(sizes), dtype=tf.int32
    )
    return sizes[index]


# The image and its masks


def random_crop(image: tf.Tensor, label: tf.Tensor, ratio: float, seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Move each side of image and label by U(-r, r) of the width or height, zeros outside.

    Args:
        image: (H, W, C).
        label: (H, W, D), cut like the image.
        ratio: r, 0 to 1.
        seed: (2,).

    Returns:
        The image (H', W', C) and the label (H', W', D).
    """
    ratios = tf.random.stateless_uniform((4,), seed, -ratio, ratio)
    return move_sides(image, ratios), move_sides(label, ratios)


def random_flip(images: Sequence[tf.Tensor], seed: tf.Tensor) -> list[tf.Tensor]:
    """Mirror a list of images and masks (H, W, ...) left to right, all together, with probability 1/2."""
    return tf.cond(
        tf.random.stateless_uniform((), seed) < 0.5,
        lambda: [tf.reverse(image, [1]) for image in images],
        lambda: list(images),
    )


# The visual guide


def random_color(image: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Vary brightness, then contrast, of an RGB image (H, W, 3) uint8 by factors U(0.8, 1.3), as published; uint8.

    Like Pillow's ImageEnhance: the contrast is relative to the mean gray of the whole image; fractions are cut off.
    """
    brightness, contrast = tf.unstack(tf.random.stateless_uniform((2,), seed, *COLOR_FACTORS))
    image = _blend(0.0, image, brightness)
    red, green, blue = tf.unstack(tf.cast(image, tf.int32), axis=-1)
    gray = (19595 * red + 38470 * green + 7471 * blue + 32768) // 65536  # ITU-R 601 luma, in Pillow's integers.
    mean = tf.floor(tf.cast(tf.reduce_mean(tf.cast(gray, tf.float64)), tf.float32) + 0.5)
    return _blend(mean, image, contrast)


def _blend(base: float | tf.Tensor, image: tf.Tensor, factor: tf.Tensor) -> tf.Tensor:
    return tf.cast(tf.clip_by_value(base + factor * (tf.cast(image, tf.float32) - base), 0, 255), tf.uint8)


def augmented_visual_guide(
    frame: tf.Tensor, mask: tf.Tensor, config: ModelConfig, augmentation: Augmentation, seed: tf.Tensor
) -> tf.Tensor:
    """Make the visual modulator's input in training: the object cut out of a frame, varied, the background zero.

    The steps in their order: the crop's sides move at random, resize, color, rotation, flip.

    Args:
        frame: (H, W, 3) uint8, RGB.
        mask: (H, W) or (H, W, 1), the object; a mask of another size than the frame is resized to the frame.
        config: ModelConfig.
        augmentation: Augmentation.
        seed: (2,).

    Returns:
        (224, 224, 3) float32, normalized; all zeros for an empty mask.
    """
    crop_seed, color_seed, rotation_seed, flip_seed = tf.unstack(tf.random.split(seed, 4))
    crop, present = guides.cut_out(frame, mask)
    ratio = augmentation.vg_random_crop_ratio
    crop = move_sides(crop, tf.random.stateless_uniform((4,), crop_seed, -ratio, ratio))
    square = guides.to_square(crop, config.vg_keep_aspect_ratio)
    if augmentation.vg_color_aug:
        square = tf.concat([random_color(square[..., :3], color_seed), square[..., 3:]], axis=-1)
    largest = augmentation.vg_random_rotate_angle
    square = rotate(square, tf.random.stateless_uniform((), rotation_seed, -largest, largest))
    (square,) = random_flip([square], flip_seed)
    return guides.without_background(square, present, config)


# The spatial guide


def perturb_ellipse(
    center: tf.Tensor, scale: tf.Tensor, augmentation: Augmentation, seed: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Vary `center` and `scale`, (N, 2) in pixels, at random as published; every object and axis independently.

    The center moves by U(-c, c) times the scale, c = `sg_center_perturb_ratio`; the scale is multiplied by
    U(1/(1+s), 1+s), s = `sg_std_perturb_ratio`. Returns the new center and scale.
    """
    center_seed, scale_seed = tf.unstack(tf.random.split(seed, 2))
    shift, spread = augmentation.sg_center_perturb_ratio, 1 + augmentation.sg_std_perturb_ratio
    shape = tf.shape(center)
    moved = center + scale * tf.random.stateless_uniform(shape, center_seed, -shift, shift)
    return moved, scale * tf.random.stateless_uniform(shape, scale_seed, 1 / spread, spread)


def _perturb_masks(masks: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Scale masks (N, H, W, 1) uint8 about the centers of their boxes and move them; what leaves the frame is cut."""
    scale_seed, shift_seed = tf.unstack(tf.random.split(seed, 2))
    first, last = tf.split(tf.cast(bounding_box(masks[..., 0]), tf.float32), 2, axis=-1)
    count = tf.shape(masks)[0]
    factor = tf.random.stateless_uniform((count, 1), scale_seed, *MASK_SCALES)
    shift = (last - first + 1) * tf.random.stateless_uniform((count, 2), shift_seed, -MASK_SHIFT, MASK_SHIFT)
    center = (first + last) / 2
    offset_x, offset_y = tf.unstack(center - (center + shift) / factor, axis=1)
    inverse, zero = 1 / factor[:, 0], tf.zeros(count)
    return transform(masks, tf.stack([inverse, zero, offset_x, zero, inverse, offset_y, zero, zero], axis=1))


def perturbed_spatial_guide(
    masks: tf.Tensor, config: ModelConfig, augmentation: Augmentation, seed: tf.Tensor
) -> tf.Tensor:
    """Make the spatial modulator's input in training: `guides.spatial_guide`, its position and size varied.

    Args:
        masks: (N, H, W), the objects in the previous frame.
        config: ModelConfig.
        augmentation: Augmentation.
        seed: (2,).

    Returns:
        (N, H, W, 1) float32.
    """
    if config.use_original_mask:
        masks = tf.cast(tf.cast(masks, tf.bool), tf.uint8)[..., None]
        return 255 * guides.dilate(_perturb_masks(masks, seed))
    center, scale, present = guides.mask_ellipse(masks)
    center, scale = perturb_ellipse(center, scale, augmentation, seed)
    shape = tf.shape(masks)
    return guides.gaussian_map(center, scale, present, (shape[2], shape[1]))


# The sample


class RawSample(NamedTuple):
    """The images and masks that a training sample is made of; masks are bool (h, w), of any size.

    Attributes:
        guide_frame: (h, w, 3) uint8, RGB: the frame that shows the object.
        guide_mask: the object in the guide frame.
        previous_mask: the object in the frame before `frame`; in COCO the object itself.
        frame: (h, w, 3) uint8, RGB: the frame to segment.
        label: the object in `frame`.
    """

    guide_frame: tf.Tensor
    guide_mask: tf.Tensor
    previous_mask: tf.Tensor
    frame: tf.Tensor
    label: tf.Tensor


class TargetAugmentation(NamedTuple):
    """How the frame to segment, its label and the previous mask are varied at random, independently of the guide.

    Attributes:
        crop: move their sides by up to `random_crop_ratio`; the three must have the same size. As published for COCO.
        flip: mirror them with probability 1/2. As published for COCO.
    """

    crop: bool = False
    flip: bool = False


AS_IT_IS = TargetAugmentation()


def training_sample(
    views: RawSample,
    size: tf.Tensor | tuple[int, int],
    config: ModelConfig,
    augmentation: Augmentation,
    seed: tf.Tensor,
    target: TargetAugmentation = AS_IT_IS,
) -> Sample:
    """Make one training sample.

    Args:
        views: RawSample.
        size: (width, height) of the network's input.
        config: ModelConfig.
        augmentation: Augmentation.
        seed: (2,).
        target: TargetAugmentation.

    Returns:
        A Sample whose image, spatial guide and label have the size `size`.
    """
    guide_seed, spatial_seed, _, _ = tf.unstack(tf.random.split(seed, 4))
    views = augmented_target(views, target, augmentation, seed)
    previous_mask = resize_mask(views.previous_mask, size)
    return Sample(
        guide=augmented_visual_guide(views.guide_frame, views.guide_mask, config, augmentation, guide_seed),
        spatial=perturbed_spatial_guide(previous_mask[None], config, augmentation, spatial_seed)[0],
        image=guides.normalize(resize_image(views.frame, size), config),
        label=tf.cast(resize_mask(views.label, size), tf.float32)[..., None],
    )


def augmented_target(
    views: RawSample, target: TargetAugmentation, augmentation: Augmentation, seed: tf.Tensor
) -> RawSample:
    """Return a `RawSample` whose frame, label and previous mask are varied at random.

    Args:
        views: RawSample.
        target: what varies.
        augmentation: Augmentation.
        seed: (2,), the sample's.
    """
    _, _, crop_seed, flip_seed = tf.unstack(tf.random.split(seed, 4))
    frame, previous_mask, label = views.frame, guides.plane(views.previous_mask), guides.plane(views.label)
    if target.crop:
        masks = tf.stack([previous_mask, label], axis=-1)
        frame, masks = random_crop(frame, masks, augmentation.random_crop_ratio, crop_seed)
        previous_mask, label = tf.unstack(masks, axis=-1)
    if target.flip:
        frame, previous_mask, label = random_flip([frame, previous_mask, label], flip_seed)
    return views._replace(frame=frame, previous_mask=previous_mask, label=label)
