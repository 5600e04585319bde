"""One sample: from frames and masks to the visual guide, the spatial guide, the image and the label.

Small pure functions over tensors; they work eagerly, in `tf.function` and inside `tf.data.Dataset.map`. Randomness is
an argument: the same `seed`, an int32 or int64 tensor of shape (2,), always gives the same result. A `size` is (width,
height), as in Pillow: two ints or an integer tensor of shape (2,); tensors are (H, W, ...), as in TensorFlow. A mask is
boolean, or numeric and true where it is not zero. Options are Python values, fixed when a function is traced.

Numbers marked *as published* are those of the OSMN paper and its released program.
"""

import math
from typing import NamedTuple

import tensorflow as tf

GUIDE_SIDE = 224  # As published: the visual modulator's input.
COLOR_FACTORS = (0.8, 1.3)  # As published: brightness and contrast.
MAD_TO_SIGMA = 1.4826  # A normal distribution's standard deviation over its median absolute deviation.
MIN_SIGMA = 5.0  # Pixels; as published.
MASK_SCALES = (0.8, 1.2)  # As published, for MaskTrack: the previous mask is scaled,
MASK_SHIFT = 0.2  # moved by a part of its box,
MASK_DILATION = 5  # and dilated by a disk of this radius in pixels.

# Keep apart the random streams that share the run's seed.
_SAMPLE_STREAM, _SCALE_STREAM = 0, 1


class SampleOptions(NamedTuple):
    """How samples are made; names and defaults are those of the command line, as published.

    Attributes:
        vg_random_crop_ratio: in training, a side of the object's crop moves by up to this part of the crop's side.
        vg_pad_ratio: in testing, each side of the crop moves outward by this part of the crop's side.
        vg_keep_aspect_ratio: fit the crop inside the guide instead of stretching it.
        vg_color_aug: vary brightness and contrast of the visual guide.
        vg_random_rotate_angle: largest rotation of the visual guide, degrees.
        sg_center_perturb_ratio: largest shift of the spatial guide's centre, in its standard deviations.
        sg_std_perturb_ratio: s, where the standard deviations are multiplied by a number from 1/(1+s) to 1+s.
        bbox_sup: only boxes are known: the visual guide keeps its background.
        use_original_mask: the spatial guide is the dilated mask (MaskTrack) instead of a Gaussian.
        random_crop_ratio: a side of a COCO image moves by up to this part of the image's side.
        mean_value: blue, green and red subtracted from an image of values 0 to 255.
        scale_value: multiplies the difference.
    """

    vg_random_crop_ratio: float = 0.1
    vg_pad_ratio: float = 0.03
    vg_keep_aspect_ratio: bool = False
    vg_color_aug: bool = False
    vg_random_rotate_angle: float = 10.0
    sg_center_perturb_ratio: float = 0.2
    sg_std_perturb_ratio: float = 0.4
    bbox_sup: bool = False
    use_original_mask: bool = False
    random_crop_ratio: float = 0.0
    mean_value: tuple[float, float, float] = (104.0, 117.0, 123.0)
    scale_value: float = 1.0


class Sample(NamedTuple):
    """What the networks see of one sample, float32.

    Attributes:
        guide: (224, 224, 3) normalised crop of the object, zero where the background is hidden.
        spatial: (H, W, 1) Gaussian at the object's previous position, 0 to 1; with `use_original_mask` 0 or 255.
        image: (H, W, 3) normalised frame.
        label: (H, W, 1) 1 on the object, 0 elsewhere.
    """

    guide: tf.Tensor
    spatial: tf.Tensor
    image: tf.Tensor
    label: tf.Tensor


SHAPES = Sample((GUIDE_SIDE, GUIDE_SIDE, 3), (None, None, 1), (None, None, 3), (None, None, 1))


# Seeds


def sample_seed(seed, step, position):
    """Return the seed, int64 (2,), of the sample at `position` in the batch of `step`; all are ints or scalars."""
    stream = tf.stack([tf.cast(seed, tf.int64), _SAMPLE_STREAM])
    return tf.random.fold_in(tf.random.fold_in(stream, tf.cast(step, tf.int64)), tf.cast(position, tf.int64))


def batch_size_scale(seed, step, im_size, scales):
    """Draw the image size of the batch of `step`: one of `scales` for the whole batch, all equally likely.

    Args:
        seed: the run's seed, an int or a scalar integer tensor.
        step: the batch's number, likewise.
        im_size: (width, height) as Python ints.
        scales: positive Python numbers; none at all is the same as (1,).

    Returns:
        (width, height), int32 (2,), each `int(side * scale)`.
    """
    sizes = tf.constant([[int(side * scale) for side in im_size] for scale in scales or (1,)])
    stream = tf.stack([tf.cast(seed, tf.int64), _SCALE_STREAM])
    index = tf.random.stateless_uniform(
        (), tf.random.fold_in(stream, tf.cast(step, tf.int64)), maxval=len(sizes), dtype=tf.int32
    )
    return sizes[index]


# Colour, size and place


def normalize(image, options):
    """Turn an RGB image (..., H, W, 3) of values 0 to 255 into BGR float32, `(value - mean) * scale`."""
    bgr = tf.cast(tf.reverse(image, [-1]), tf.float32)
    shape = tf.shape(bgr)
    # The mean as a whole row: broadcasting three numbers over the last axis takes several times longer.
    mean = tf.tile(tf.constant(options.mean_value, tf.float32), shape[-2:-1])
    rows = tf.reshape(bgr, tf.concat([shape[:-2], [-1]], 0)) - mean
    if options.scale_value != 1:
        rows *= options.scale_value
    return tf.ensure_shape(tf.reshape(rows, shape), image.shape)


def resize_image(image, size):
    """Resize a uint8 image (H, W, C) to `size` as Pillow does: bilinearly, with antialiasing when shrinking; uint8."""
    image, size = tf.convert_to_tensor(image), tf.cast(size, tf.int32)
    # Like Pillow: the width first, and whole grey levels (half upwards) after each axis.
    return _resize_bilinear(_resize_bilinear(image, 1, size[0]), 0, size[1])


def _resize_bilinear(image, axis, side):
    def resample():
        height, width = tf.unstack(tf.shape(image)[:2])
        size = (height, side) if axis == 1 else (side, width)
        resized = tf.image.resize(tf.cast(image, tf.float32), size, antialias=True)
        return tf.cast(tf.floor(resized + 0.5), image.dtype)

    return tf.cond(tf.equal(tf.shape(image)[axis], side), lambda: image, resample)


def resize_mask(mask, size):
    """Resize a mask (H, W) or (H, W, C) of any type to `size` by nearest neighbour, taking Pillow's pixels."""
    mask, size = tf.convert_to_tensor(mask), tf.cast(size, tf.int32)
    return _resize_nearest(_resize_nearest(mask, 0, size[1]), 1, size[0])


def _resize_nearest(mask, axis, side):
    old_side = tf.shape(mask)[axis]
    return tf.cond(
        tf.equal(old_side, side),
        lambda: mask,
        lambda: tf.gather(mask, _nearest_pixels(old_side, side), axis=axis),
    )


def _nearest_pixels(old_side, side):
    """Return for each of `side` pixels the pixel of `old_side` that its centre lies in, int32 (side,)."""
    step = tf.cast(old_side, tf.float64) / tf.cast(side, tf.float64)
    # Added up one by one, like Pillow: a product would round otherwise where a centre falls on the edge of a pixel.
    centres = tf.cumsum(tf.concat([[step * 0.5], tf.fill([side - 1], step)], 0))
    return tf.minimum(tf.cast(centres, tf.int32), old_side - 1)


def size_of(image):
    """Return (width, height) of an image (H, W, ...)."""
    shape = tf.shape(image)
    return shape[1], shape[0]


def bounding_box(mask):
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


def guide_box(mask):
    """Return the box that is cut out for the visual guide: (left, top, right, bottom), int32 (..., 4), ends exclusive.

    As released, the inclusive maxima of `bounding_box` are taken for exclusive ones, so the object's last row and
    column are lost; an only row or column is kept. An empty mask (..., H, W) gives the whole frame.
    """
    first, last = tf.split(bounding_box(mask), 2, axis=-1)
    return tf.concat([first, tf.maximum(last, first + 1)], axis=-1)


def _move_sides(image, ratios):
    """Move the sides of an image (H, W, C) outward by `ratios` of its width or height; zeros outside.

    The ratios, a tensor of 4 in [-1, 1], are those of left, top, right and bottom. Fractions of a pixel are cut off
    towards zero, as Python's int() does. At least one pixel remains.
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


def random_crop(image, label, options, seed):
    """Move each side of image and label by U(-r, r) of the width or height, r = `random_crop_ratio`; zeros outside.

    Args:
        image: (H, W, C).
        label: (H, W, D), cut like the image.
        options: SampleOptions, of which `random_crop_ratio` is used, 0 to 1.
        seed: (2,).

    Returns:
        The image (H', W', C) and the label (H', W', D).
    """
    ratio = options.random_crop_ratio
    ratios = tf.random.stateless_uniform((4,), seed, -ratio, ratio)
    return _move_sides(image, ratios), _move_sides(label, ratios)


def random_flip(images, seed):
    """Mirror images and masks (H, W, ...), a list, left to right: all of them or none, with probability 1/2."""
    return tf.cond(
        tf.random.stateless_uniform((), seed) < 0.5,
        lambda: [tf.reverse(image, [1]) for image in images],
        lambda: list(images),
    )


# The visual guide


def random_color(image, seed):
    """Vary brightness, then contrast, of an RGB image (H, W, 3) uint8 by factors U(0.8, 1.3), as published; uint8.

    Like Pillow's ImageEnhance: the contrast is relative to the mean grey of the whole image; fractions are cut off.
    """
    brightness, contrast = tf.unstack(tf.random.stateless_uniform((2,), seed, *COLOR_FACTORS))
    image = _blend(0.0, image, brightness)
    red, green, blue = tf.unstack(tf.cast(image, tf.int32), axis=-1)
    grey = (19595 * red + 38470 * green + 7471 * blue + 32768) // 65536  # ITU-R 601 luma, in Pillow's integers.
    mean = tf.floor(tf.cast(tf.reduce_mean(tf.cast(grey, tf.float64)), tf.float32) + 0.5)
    return _blend(mean, image, contrast)


def _blend(base, image, factor):
    return tf.cast(tf.clip_by_value(base + factor * (tf.cast(image, tf.float32) - base), 0, 255), tf.uint8)


def rotate(image, degrees):
    """Turn an image (H, W, C) counter-clockwise about its centre; same size, nearest neighbour, zeros outside."""
    angle = tf.cast(degrees, tf.float32) * (math.pi / 180)
    cos, sin = tf.cos(angle), tf.sin(angle)
    height, width = tf.unstack(tf.shape(image)[:2])
    centre_x, centre_y = tf.cast(width - 1, tf.float32) / 2, tf.cast(height - 1, tf.float32) / 2
    offset_x = centre_x - cos * centre_x + sin * centre_y
    offset_y = centre_y - sin * centre_x - cos * centre_y
    return _transform(image[None], tf.stack([[cos, -sin, offset_x, sin, cos, offset_y, 0, 0]]))[0]


def _transform(images, transforms):
    """Take each pixel of (N, H, W, C) from where `transforms` (N, 8) sends its coordinates: nearest, zeros outside."""
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=images,
        transforms=transforms,
        output_shape=tf.shape(images)[1:3],
        fill_value=0.0,
        interpolation="NEAREST",
        fill_mode="CONSTANT",
    )


def visual_guide(frame, mask, options, seed=None):
    """Make the visual modulator's input: the object cut out of a frame, its background set to zero.

    In training, when there is a `seed`, these follow each other: the crop's sides move at random, resize, colour,
    rotation, flip. In testing the crop grows by `vg_pad_ratio` on each side, and nothing is random. Outside the
    object's box there is black. With `bbox_sup` the background stays.

    Args:
        frame: (H, W, 3) uint8, RGB.
        mask: (H, W) or (H, W, 1), the object; one of another size than the frame is resized to the frame.
        options: SampleOptions.
        seed: (2,), or None in testing.

    Returns:
        (224, 224, 3) float32, normalised; all zeros for an empty mask.
    """
    frame = tf.convert_to_tensor(frame)
    mask = resize_mask(_plane(mask), size_of(frame))
    present = tf.reduce_any(mask)
    left, top, right, bottom = tf.unstack(guide_box(mask))
    crop = frame[top:bottom, left:right]
    object_mask = tf.cast(mask[top:bottom, left:right, None], tf.uint8)
    # The mask travels as a fourth channel wherever image and mask are treated alike.
    crop = tf.concat([crop, object_mask], axis=-1)

    if seed is None:
        crop = _move_sides(crop, tf.constant(4 * [options.vg_pad_ratio], tf.float64))
    else:
        crop_seed, color_seed, rotation_seed, flip_seed = tf.unstack(tf.random.split(seed, 4))
        ratio = options.vg_random_crop_ratio
        crop = _move_sides(crop, tf.random.stateless_uniform((4,), crop_seed, -ratio, ratio))

    guide, object_mask = _resize_to_guide(crop[..., :3], crop[..., 3:], options.vg_keep_aspect_ratio)

    if seed is not None:
        if options.vg_color_aug:
            guide = random_color(guide, color_seed)
        largest = options.vg_random_rotate_angle
        angle = tf.random.stateless_uniform((), rotation_seed, -largest, largest)
        turned = rotate(tf.concat([guide, object_mask], axis=-1), angle)
        guide, object_mask = random_flip([turned[..., :3], turned[..., 3:]], flip_seed)

    visible = present if options.bbox_sup else tf.cast(object_mask, tf.bool)
    guide = tf.where(visible, normalize(guide, options), 0.0)
    return tf.ensure_shape(guide, (GUIDE_SIDE, GUIDE_SIDE, 3))


def _plane(mask):
    """Return a mask (H, W) or (H, W, 1) as boolean (H, W)."""
    mask = tf.cast(mask, tf.bool)
    return mask[..., 0] if mask.shape.rank == 3 else mask


def _resize_to_guide(image, mask, keep_aspect_ratio):
    if not keep_aspect_ratio:
        size = (GUIDE_SIDE, GUIDE_SIDE)
        return resize_image(image, size), resize_mask(mask, size)
    old_size = tf.stack(size_of(image))
    size = tf.maximum(GUIDE_SIDE * old_size // tf.reduce_max(old_size), 1)
    left, top = tf.unstack((GUIDE_SIDE - size) // 2)

    def centre(tensor):
        return tf.image.pad_to_bounding_box(tensor, top, left, GUIDE_SIDE, GUIDE_SIDE)

    return centre(resize_image(image, size)), centre(resize_mask(mask, size))


# The spatial guide, for several objects at once


def mask_ellipse(masks):
    """Describe where objects are by medians, which a few stray pixels hardly move.

    Args:
        masks: (N, H, W) with at most 2^24 pixels each.

    Returns:
        centre: (N, 2) float32, the median x and y of the object's pixels; of an even number the mean of the middle two.
        scale: (N, 2) float32, 1.4826 * the median absolute deviation of x and y, at least 5 pixels, as published.
        present: (N,) bool; False for an empty mask, whose centre and scale mean nothing.
    """
    ones = tf.cast(tf.cast(masks, tf.bool), tf.float32)
    centre_x, deviation_x = _median_and_deviation(tf.reduce_sum(ones, axis=1))
    centre_y, deviation_y = _median_and_deviation(tf.reduce_sum(ones, axis=2))
    centre = tf.stack([centre_x, centre_y], axis=-1)
    scale = tf.maximum(MAD_TO_SIGMA * tf.stack([deviation_x, deviation_y], axis=-1), MIN_SIGMA)
    return centre, scale, tf.reduce_any(ones > 0, axis=(1, 2))


def _median_and_deviation(counts):
    """Return median and median absolute deviation, (N,), of numbers of which x occurs `counts[n, x]` times."""
    up_to = tf.cumsum(counts, axis=-1)
    total = up_to[:, -1:]

    def middle(cumulative):
        """Average the values (the index) of the two middle points; one and the same for an odd total."""
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


def perturb_ellipse(centre, scale, options, seed):
    """Vary `centre` and `scale`, (N, 2) in pixels, at random as published; every object and axis on its own.

    The centre moves by U(-c, c) times the scale, c = `sg_center_perturb_ratio`; the scale is multiplied by
    U(1/(1+s), 1+s), s = `sg_std_perturb_ratio`. Returns the new centre and scale.
    """
    centre_seed, scale_seed = tf.unstack(tf.random.split(seed, 2))
    shift, spread = options.sg_center_perturb_ratio, 1 + options.sg_std_perturb_ratio
    shape = tf.shape(centre)
    moved = centre + scale * tf.random.stateless_uniform(shape, centre_seed, -shift, shift)
    return moved, scale * tf.random.stateless_uniform(shape, scale_seed, 1 / spread, spread)


def gaussian_map(centre, scale, present, size):
    """Draw `exp(-((x - cx)^2 / (2 sx^2) + (y - cy)^2 / (2 sy^2)))`.

    Args:
        centre: (N, 2) x and y in pixels; pixel 0 is at 0.
        scale: (N, 2) standard deviations along x and y, in pixels.
        present: (N,) bool; the map of an absent object is zero everywhere.
        size: (width, height) of the map.

    Returns:
        (N, H, W, 1) float32, 0 to 1.
    """

    def profile(side, mean, sigma):
        return tf.exp(-0.5 * tf.square((tf.range(tf.cast(side, tf.float32)) - mean) / sigma))

    # Not centre[:, 0, None]: TensorFlow 2.21 compiles a new axis on a slice of a stack away.
    (centre_x, centre_y), (scale_x, scale_y) = tf.split(centre, 2, axis=1), tf.split(scale, 2, axis=1)
    horizontal = profile(size[0], centre_x, scale_x)
    vertical = profile(size[1], centre_y, scale_y) * tf.cast(present, tf.float32)[:, None]
    return vertical[:, :, None, None] * horizontal[:, None, :, None]


def _perturb_masks(masks, seed):
    """Scale masks (N, H, W, 1) uint8 about the centres of their boxes and move them; what leaves the frame is lost."""
    scale_seed, shift_seed = tf.unstack(tf.random.split(seed, 2))
    first, last = tf.split(tf.cast(bounding_box(masks[..., 0]), tf.float32), 2, axis=-1)
    count = tf.shape(masks)[0]
    factor = tf.random.stateless_uniform((count, 1), scale_seed, *MASK_SCALES)
    shift = (last - first + 1) * tf.random.stateless_uniform((count, 2), shift_seed, -MASK_SHIFT, MASK_SHIFT)
    centre = (first + last) / 2
    offset_x, offset_y = tf.unstack(centre - (centre + shift) / factor, axis=1)
    inverse, zero = 1 / factor[:, 0], tf.zeros(count)
    return _transform(masks, tf.stack([inverse, zero, offset_x, zero, inverse, offset_y, zero, zero], axis=1))


def _dilate(masks):
    """Dilate masks (N, H, W, 1) by a disk of radius 5 pixels; float32, 0 or 1."""
    distance = tf.square(tf.range(-MASK_DILATION, MASK_DILATION + 1))
    disk = tf.cast(distance[:, None] + distance <= MASK_DILATION**2, tf.float32)
    neighbours = tf.nn.conv2d(tf.cast(masks, tf.float32), disk[:, :, None, None], 1, "SAME")
    return tf.cast(neighbours > 0.5, tf.float32)


def spatial_guide(masks, options, seed=None):
    """Make the spatial modulator's input from masks (N, H, W): where the objects were in the previous frame.

    A Gaussian of values 0 to 1 around each object or, with `use_original_mask` (MaskTrack), the object dilated by 5
    pixels, 0 or 255. With a `seed` (2,), in training, position and size are perturbed. An empty mask gives zeros.

    Returns:
        (N, H, W, 1) float32.
    """
    if options.use_original_mask:
        masks = tf.cast(tf.cast(masks, tf.bool), tf.uint8)[..., None]
        if seed is not None:
            masks = _perturb_masks(masks, seed)
        return 255 * _dilate(masks)
    centre, scale, present = mask_ellipse(masks)
    if seed is not None:
        centre, scale = perturb_ellipse(centre, scale, options, seed)
    shape = tf.shape(masks)
    return gaussian_map(centre, scale, present, (shape[2], shape[1]))


# The sample


class Views(NamedTuple):
    """What one training sample is made of; masks are bool (h, w), of any size.

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
    """What is done at random to the frame to segment, its label and the previous mask, independently of the guide.

    Attributes:
        crop: move their sides by up to `random_crop_ratio`; the three must have one size. As published for COCO.
        flip: mirror them with probability 1/2. As published for COCO.
    """

    crop: bool = False
    flip: bool = False


AS_IT_IS = TargetAugmentation()


def training_sample(views, size, options, seed, augmentation=AS_IT_IS):
    """Make one training sample.

    Args:
        views: Views.
        size: (width, height) of the network's input.
        options: SampleOptions.
        seed: (2,).
        augmentation: TargetAugmentation.

    Returns:
        A Sample whose image, spatial guide and label have that size.
    """
    guide_seed, spatial_seed, crop_seed, flip_seed = tf.unstack(tf.random.split(seed, 4))
    frame, previous_mask, label = views.frame, _plane(views.previous_mask), _plane(views.label)
    if augmentation.crop:
        frame, masks = random_crop(frame, tf.stack([previous_mask, label], axis=-1), options, crop_seed)
        previous_mask, label = tf.unstack(masks, axis=-1)
    if augmentation.flip:
        frame, previous_mask, label = random_flip([frame, previous_mask, label], flip_seed)
    return Sample(
        guide=visual_guide(views.guide_frame, views.guide_mask, options, guide_seed),
        spatial=spatial_guide(resize_mask(previous_mask, size)[None], options, spatial_seed)[0],
        image=normalize(resize_image(frame, size), options),
        label=tf.cast(resize_mask(label, size), tf.float32)[..., None],
    )
