"""Images and masks as tensors: resizing as Pillow does, boxes, moved sides, turned and scaled pictures.

Small pure functions; they work eagerly, in `tf.function` and inside `tf.data.Dataset.map`. A `size` is (width, height),
as in Pillow: two ints or an integer tensor of shape (2,); tensors are (H, W, ...), as in TensorFlow. A mask is boolean,
or numeric and true where it is not zero.
"""

import math

import tensorflow as tf


def resize_image(image: tf.Tensor, size: tf.Tensor | tuple[int, int]) -> tf.Tensor:
    """Resize a uint8 image (H, W, C) to `size` as Pillow does: bilinearly, with antialiasing when shrinking; uint8."""
    image, size = tf.convert_to_tensor(image), tf.cast(size, tf.int32)
    # Like Pillow: the width first, and whole gray levels (half upwards) after each axis.
    return _resize_bilinear(_resize_bilinear(image, 1, size[0]), 0, size[1])


def _resize_bilinear(image: tf.Tensor, axis: int, side: tf.Tensor) -> tf.Tensor:
    def resample() -> tf.Tensor:
        height, width = tf.unstack(tf.shape(image)[:2])
        size = (height, side) if axis == 1 else (side, width)
        resized = tf.image.resize(tf.cast(image, tf.float32), size, antialias=True)
        return tf.cast(tf.floor(resized + 0.5), image.dtype)

    return tf.cond(tf.equal(tf.shape(image)[axis], side), lambda: image, resample)


def resize_mask(mask: tf.Tensor, size: tf.Tensor | tuple[int, int]) -> tf.Tensor:
    """Resize a mask (H, W) or (H, W, C) of any type to `size` by nearest neighbor, with the pixels of Pillow."""
    mask, size = tf.convert_to_tensor(mask), tf.cast(size, tf.int32)
    return _resize_nearest(_resize_nearest(mask, 0, size[1]), 1, size[0])


def _resize_nearest(mask: tf.Tensor, axis: int, side: tf.Tensor) -> tf.Tensor:
    old_side = tf.shape(mask)[axis]
    return tf.cond(
        tf.equal(old_side, side),
        lambda: mask,
        lambda: tf.gather(mask, _nearest_pixels(old_side, side), axis=axis),
    )


def _nearest_pixels(old_side: tf.Tensor, side: tf.Tensor) -> tf.Tensor:
    """Return for each of `side` pixels the pixel of `old_side` that its center lies in, int32 (side,)."""
    step = tf.cast(old_side, tf.float64) / tf.cast(side, tf.float64)
    # Summed step by step, like Pillow: a product would round otherwise where a center falls on the edge of a pixel.
    centers = tf.cumsum(tf.concat([[step * 0.5], tf.fill([side - 1], step)], 0))
    return tf.minimum(tf.cast(centers, tf.int32), old_side - 1)


def size_of(image: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Return (width, height) of an image (H, W, ...)."""
    shape = tf.shape(image)
    return shape[1], shape[0]


def bounding_box(mask: tf.Tensor) -> tf.Tensor:
    """Return the box of the non-zero pixels of a mask (..., H, W).

    Returns:
        (xmin, ymin, xmax, ymax), int32 (..., 4), in pixels; xmax and ymax are the object's last column and row. As
        released, an empty mask gives (0, 0, W, H).
    """
    mask = tf.cast(mask, tf.bool)
    firsts, lasts = [], []
    for across in (-2, -1):
        occupied = tf.reduce_any(mask, axis=across)
        side = tf.shape(occupied)[-1]
        first = tf.argmax(tf.cast(occupied, tf.uint8), axis=-1, output_type=tf.int32)
        last = side - 1 - tf.argmax(tf.cast(tf.reverse(occupied, [-1]), tf.uint8), axis=-1, output_type=tf.int32)
        firsts.append(first)
        lasts.append(tf.where(tf.reduce_any(occupied, axis=-1), last, side))
    return tf.stack(firsts + lasts, axis=-1)


def move_sides(image: tf.Tensor, ratios: tf.Tensor) -> tf.Tensor:
    """Move the sides of an image (H, W, C) outward by `ratios` of its width or height; zeros outside.

    The ratios, a tensor of 4 in [-1, 1], belong to left, top, right and bottom. Fractions of a pixel are cut off
    toward zero, as Python's int() does. At least one pixel remains.
    """
    image = tf.convert_to_tensor(image)
    height, width = tf.unstack(tf.shape(image)[:2])
    sides = tf.stack([width, height, width, height])
    # In float64: in float32, int(0.03 * 100) would be 2.
    moves = tf.cast(tf.cast(ratios, tf.float64) * tf.cast(sides, tf.float64), tf.int32)
    left, top, right, bottom = tf.unstack(moves)
    right = tf.maximum(right, 1 - width - left)
    bottom = tf.maximum(bottom, 1 - height - top)
    rows = slice(tf.maximum(-top, 0), height + tf.minimum(bottom, 0))
    columns = slice(tf.maximum(-left, 0), width + tf.minimum(right, 0))
    moved = tf.pad(image[rows, columns], tf.maximum([[top, bottom], [left, right], [0, 0]], 0))
    return tf.ensure_shape(moved, (None, None, image.shape[-1]))


def rotate(image: tf.Tensor, degrees: float | tf.Tensor) -> tf.Tensor:
    """Turn an image (H, W, C) counter-clockwise about its center; same size, nearest neighbor, zeros outside."""
    angle = tf.cast(degrees, tf.float32) * (math.pi / 180)
    cos, sin = tf.cos(angle), tf.sin(angle)
    height, width = tf.unstack(tf.shape(image)[:2])
    center_x, center_y = tf.cast(width - 1, tf.float32) / 2, tf.cast(height - 1, tf.float32) / 2
    offset_x = center_x - cos * center_x + sin * center_y
    offset_y = center_y - sin * center_x - cos * center_y
    return transform(image[None], tf.stack([[cos, -sin, offset_x, sin, cos, offset_y, 0, 0]]))[0]


def transform(images: tf.Tensor, transforms: tf.Tensor) -> tf.Tensor:
    """Take each pixel of (N, H, W, C) from where `transforms` (N, 8) sends its coordinates: nearest, zeros outside."""
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=images,
        transforms=transforms,
        output_shape=tf.shape(images)[1:3],
        fill_value=0.0,
        interpolation="NEAREST",
        fill_mode="CONSTANT",
    )
