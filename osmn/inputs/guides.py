"""What a network sees of a frame and of an object: normalized colors, the visual guide, the spatial guide.

All that inference needs; what training varies at random is in `samples`. Small pure functions over tensors; they work
eagerly, in `tf.function` and inside `tf.data.Dataset.map`. The `ModelConfig` says which inputs a model was trained on;
it is fixed when a function is traced. A mask is boolean, or numeric and true where it is not zero. `visual_guide` and
`spatial_guide` have twins in `guides_numpy`.
"""

import tensorflow as tf

from osmn.config import PAD_RATIO, ModelConfig
from osmn.inputs.geometry import bounding_box, move_sides, resize_image, resize_mask, size_of
from osmn.inputs.published import GUIDE_SIDE, MAD_TO_SIGMA, MASK_DILATION, MIN_SIGMA


def normalize(image: tf.Tensor, config: ModelConfig) -> tf.Tensor:
    """Turn an RGB image (..., H, W, 3) of values 0 to 255 into BGR float32, `(value - mean) * scale`."""
    bgr = tf.cast(tf.reverse(image, [-1]), tf.float32)
    shape = tf.shape(bgr)
    # The mean as a whole row: broadcasting three numbers over the last axis takes several times longer.
    mean = tf.tile(tf.constant(config.mean_value, tf.float32), shape[-2:-1])
    rows = tf.reshape(bgr, tf.concat([shape[:-2], [-1]], 0)) - mean
    if config.scale_value != 1:
        rows *= config.scale_value
    return tf.ensure_shape(tf.reshape(rows, shape), image.shape)


# The visual guide


def guide_box(mask: tf.Tensor) -> tf.Tensor:
    """Return the box that is cut out for the visual guide: (left, top, right, bottom), int32 (..., 4), ends exclusive.

    As released, the inclusive maxima of `bounding_box` are taken for exclusive ends, so the object's last row and
    column are lost; a single row or column is kept. An empty mask (..., H, W) gives the whole frame.
    """
    first, last = tf.split(bounding_box(mask), 2, axis=-1)
    return tf.concat([first, tf.maximum(last, first + 1)], axis=-1)


def cut_out(frame: tf.Tensor, mask: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Cut an object out of a frame by its box.

    Args:
        frame: (H, W, 3) uint8, RGB.
        mask: (H, W) or (H, W, 1), the object; a mask of another size than the frame is resized to the frame.

    Returns:
        The crop, uint8 (h, w, 4), its fourth channel the mask, 0 or 1; and whether there is an object, a scalar bool.
        Without an object the crop is the whole frame.
    """
    frame = tf.convert_to_tensor(frame)
    mask = resize_mask(plane(mask), size_of(frame))
    left, top, right, bottom = tf.unstack(guide_box(mask))
    # The mask travels as a fourth channel wherever image and mask are treated alike.
    object_mask = tf.cast(mask[top:bottom, left:right, None], tf.uint8)
    return tf.concat([frame[top:bottom, left:right], object_mask], axis=-1), tf.reduce_any(mask)


def to_square(crop: tf.Tensor, keep_aspect_ratio: bool = False) -> tf.Tensor:
    """Resize a crop (h, w, 4) to (224, 224, 4): stretched, or fitted inside and padded equally with zeros."""
    image, mask = crop[..., :3], crop[..., 3:]
    if not keep_aspect_ratio:
        size = (GUIDE_SIDE, GUIDE_SIDE)
        return tf.concat([resize_image(image, size), resize_mask(mask, size)], axis=-1)
    old_size = tf.stack(size_of(image))
    size = tf.maximum(GUIDE_SIDE * old_size // tf.reduce_max(old_size), 1)
    left, top = tf.unstack((GUIDE_SIDE - size) // 2)
    resized = tf.concat([resize_image(image, size), resize_mask(mask, size)], axis=-1)
    return tf.image.pad_to_bounding_box(resized, top, left, GUIDE_SIDE, GUIDE_SIDE)


def without_background(square: tf.Tensor, present: tf.Tensor, config: ModelConfig) -> tf.Tensor:
    """Return the visual guide, float32 (224, 224, 3), of a square crop (224, 224, 4): normalized, zero off the mask.

    With `bbox_sup` the background stays. All zeros where no object is `present`.
    """
    visible = present if config.bbox_sup else tf.cast(square[..., 3:], tf.bool)
    guide = tf.where(visible, normalize(square[..., :3], config), 0.0)
    return tf.ensure_shape(guide, (GUIDE_SIDE, GUIDE_SIDE, 3))


def visual_guide(frame: tf.Tensor, mask: tf.Tensor, config: ModelConfig, pad_ratio: float = PAD_RATIO) -> tf.Tensor:
    """Make the visual modulator's input in testing: the object cut out of its reference frame, the background zero.

    Args:
        frame: (H, W, 3) uint8, RGB.
        mask: (H, W) or (H, W, 1), the object; a mask of another size than the frame is resized to the frame.
        config: ModelConfig.
        pad_ratio: each side of the crop moves outward by this part of the crop's side; outside of it there is black.

    Returns:
        (224, 224, 3) float32, normalized; all zeros for an empty mask.
    """
    crop, present = cut_out(frame, mask)
    crop = move_sides(crop, tf.constant(4 * [pad_ratio], tf.float64))
    return without_background(to_square(crop, config.vg_keep_aspect_ratio), present, config)


def plane(mask: tf.Tensor) -> tf.Tensor:
    """Return a mask (H, W) or (H, W, 1) as boolean (H, W)."""
    mask = tf.cast(mask, tf.bool)
    return mask[..., 0] if mask.shape.rank == 3 else mask


# The spatial guide, for several objects at once


def mask_ellipse(masks: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Describe where objects are by medians, which a few stray pixels hardly move.

    Args:
        masks: (N, H, W) with at most 2^24 pixels each.

    Returns:
        center: (N, 2) float32, the median x and y of the object's pixels; of an even number the mean of the middle two.
        scale: (N, 2) float32, 1.4826 * the median absolute deviation of x and y, at least 5 pixels, as published.
        present: (N,) bool; False for an empty mask, whose center and scale mean nothing.
    """
    ones = tf.cast(tf.cast(masks, tf.bool), tf.float32)
    center_x, deviation_x = _median_and_deviation(tf.reduce_sum(ones, axis=1))
    center_y, deviation_y = _median_and_deviation(tf.reduce_sum(ones, axis=2))
    center = tf.stack([center_x, center_y], axis=-1)
    scale = tf.maximum(MAD_TO_SIGMA * tf.stack([deviation_x, deviation_y], axis=-1), MIN_SIGMA)
    return center, scale, tf.reduce_any(ones > 0, axis=(1, 2))


def _median_and_deviation(counts: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Return median and median absolute deviation, both (N,), of numbers of which x occurs `counts[n, x]` times."""
    up_to = tf.cumsum(counts, axis=-1)
    total = up_to[:, -1:]

    def middle(cumulative: tf.Tensor) -> tf.Tensor:
        """Average the values (the index) of the two middle points, which are the same point for an odd total."""
        ranks = tf.floor(tf.stack([total - 1, total], axis=0) / 2)
        values = tf.reduce_sum(tf.cast(cumulative <= ranks, tf.float32), axis=-1)
        return tf.reduce_mean(values, axis=0)

    median = middle(up_to)
    below, above = tf.floor(median), tf.math.ceil(median)
    # Medians are whole or half, so a deviation is j or j + 1/2, at below - j and above + j: count the points up to it.
    j = tf.range(tf.shape(counts)[-1])
    first = tf.maximum(tf.cast(below, tf.int32)[:, None] - j, 0)
    last = tf.minimum(tf.cast(above, tf.int32)[:, None] + j, j[-1])
    before = tf.pad(up_to, [[0, 0], [1, 0]])
    within = tf.gather(up_to, last, batch_dims=1) - tf.gather(before, first, batch_dims=1)
    return median, middle(within) + above - median


def gaussian_map(
    center: tf.Tensor, scale: tf.Tensor, present: tf.Tensor, size: tuple[tf.Tensor, tf.Tensor]
) -> tf.Tensor:
    """Draw `exp(-((x - cx)^2 / (2 sx^2) + (y - cy)^2 / (2 sy^2)))`.

    Args:
        center: (N, 2) x and y in pixels; pixel 0 is at 0.
        scale: (N, 2) standard deviations along x and y, in pixels.
        present: (N,) bool; the map of an absent object is zero everywhere.
        size: (width, height) of the map.

    Returns:
        (N, H, W, 1) float32, 0 to 1.
    """

    def profile(side: tf.Tensor, mean: tf.Tensor, sigma: tf.Tensor) -> tf.Tensor:
        return tf.exp(-0.5 * tf.square((tf.range(tf.cast(side, tf.float32)) - mean) / sigma))

    # Not center[:, 0, None]: TensorFlow 2.21 compiles a new axis on a slice of a stack away.
    (center_x, center_y), (scale_x, scale_y) = tf.split(center, 2, axis=1), tf.split(scale, 2, axis=1)
    horizontal = profile(size[0], center_x, scale_x)
    vertical = profile(size[1], center_y, scale_y) * tf.cast(present, tf.float32)[:, None]
    return vertical[:, :, None, None] * horizontal[:, None, :, None]


def dilate(masks: tf.Tensor) -> tf.Tensor:
    """Dilate masks (N, H, W, 1) by a disk of radius 5 pixels; float32, 0 or 1."""
    distance = tf.square(tf.range(-MASK_DILATION, MASK_DILATION + 1))
    disk = tf.cast(distance[:, None] + distance <= MASK_DILATION**2, tf.float32)
    neighbors = tf.nn.conv2d(tf.cast(masks, tf.float32), disk[:, :, None, None], 1, "SAME")
    return tf.cast(neighbors > 0.5, tf.float32)


def spatial_guide(masks: tf.Tensor, config: ModelConfig) -> tf.Tensor:
    """Make the spatial modulator's input from masks (N, H, W): where the objects were in the previous frame.

    A Gaussian of values 0 to 1 around each object or, with `use_original_mask` (MaskTrack), the object dilated by 5
    pixels, 0 or 255. An empty mask gives zeros.

    Returns:
        (N, H, W, 1) float32.
    """
    if config.use_original_mask:
        return 255 * dilate(tf.cast(tf.cast(masks, tf.bool), tf.uint8)[..., None])
    shape = tf.shape(masks)
    return gaussian_map(*mask_ellipse(masks), (shape[2], shape[1]))
