"""Short videos out of stills, with exact masks. Not in the published program.

The object and the ground behind it move, turn and change their size, the light changes, some frames are blurred by
motion, and some objects leave the frame and come back.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from osmn.inputs import geometry, guides
from osmn.inputs.clips import Spots, cutout, drawn, over

OWN_GROUND = 0.5  # Share of the clips over the still's own ground; the others have another picture's.
SMALLER = (0.3, 1.0)  # The object's size over another ground, relative to that in its still.
# The largest changes from a frame to the next. A clip's pace, the square of a uniform number, is what there is of them.
SPEED = 1.0  # Of the place, in the object's size.
TURN, GROWTH = 0.4, 0.25  # Of the angle, in radians, and of the logarithm of the size.
PAN, ZOOM, ROLL = 0.1, 0.08, 0.08  # Of the ground: in sides of the frame, in logarithms, in radians.
JITTER = 0.03  # Standard deviation of a place beside the path, in the object's size.
GROUND_SCALES = (1.05, 1.3)  # So that little of the mirror image beside the ground is seen.
LEAVES = 0.15  # Share of the objects that leave the frame between the first and the last.
BLURRED = 0.3  # Share of the clips whose frames are the mean of three moments,
SHUTTER = 0.12  # so far apart, in frames.
LIGHT, FLICKER = 0.1, 0.1  # Largest logarithms of the brightness: of the clip, and from a frame to the next.
FILL_LEVELS = 8


class Motion(NamedTuple):
    """How ground and object move: their `Spots`."""

    ground: Spots
    target: Spots


def moving_still(
    frame: tf.Tensor,
    mask: tf.Tensor,
    backdrop: Callable[[], tf.Tensor],
    size: tf.Tensor,
    count: int,
    seed: tf.Tensor,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Make a video of a still.

    Args:
        frame: uint8 (h, w, 3), RGB.
        mask: bool (h, w): the object.
        backdrop: returns another picture, uint8 (h', w', 3), for the ground.
        size: (width, height) of the video, an integer tensor.
        count: number of frames.
        seed: (2,).

    Returns:
        The frames, uint8 (count, H, W, 3), and the object in them, bool (count, H, W).
    """
    ground_seed, motion_seed, blur_seed, light_seed = tf.unstack(tf.random.split(seed, 4))
    frame, mask = geometry.resize_image(frame, size), geometry.resize_mask(mask, size)
    own = tf.random.stateless_uniform((), ground_seed) < OWN_GROUND
    ground = tf.cond(own, lambda: filled(frame, mask), lambda: geometry.resize_image(backdrop(), size))
    picture = cutout(frame, mask)
    box = tf.cast(guides.guide_box(mask), tf.float32)
    blurred = tf.random.stateless_uniform((), blur_seed) < BLURRED

    def rendered(shift: float) -> tuple[tf.Tensor, tf.Tensor]:
        motion = _motion(box, own, size, count, shift, motion_seed)
        grounds = drawn(ground, motion.ground, size, "REFLECT")
        return over(grounds, picture, motion.target, size)

    def blur() -> tuple[tf.Tensor, tf.Tensor]:
        moments = [rendered(shift) for shift in (-SHUTTER, 0.0, SHUTTER)]
        frames, alphas = zip(*moments, strict=True)
        return sum(frames) / 3, sum(alphas) / 3

    frames, alpha = tf.cond(blurred, blur, lambda: rendered(0.0))
    frames *= _light(count, light_seed)
    # An empty mask has no cutout: its box is the whole frame.
    shown = (alpha > 0.5) & tf.reduce_any(mask)
    return tf.cast(tf.clip_by_value(frames + 0.5, 0, 255), tf.uint8), shown


def _motion(box: tf.Tensor, own: tf.Tensor, size: tf.Tensor, count: int, shift: float, seed: tf.Tensor) -> Motion:
    """Draw the `Motion` of an object whose box in the still is `box`; at `shift` frames after each frame's moment."""
    seeds = tf.unstack(tf.random.split(seed, 12))
    sides = tf.cast(size, tf.float32)
    times = tf.range(count, dtype=tf.float32) + shift - (count - 1) / 2

    def uniform(number: int, low: float, high: float, shape: tuple[int, ...] = ()) -> tf.Tensor:
        return tf.random.stateless_uniform(shape, seeds[number], low, high)

    pace = tf.square(uniform(7, 0, 1))
    times *= pace
    pan = sides * uniform(0, -PAN, PAN, (2,)) * times[:, None]
    zoom = uniform(1, *GROUND_SCALES) * tf.exp(uniform(2, -ZOOM, ZOOM) * times)
    roll = uniform(3, -ROLL, ROLL) * times
    middle = (sides - 1) / 2
    ground = Spots(middle + pan, zoom, roll)

    center, extent = (box[:2] + box[2:] - 1) / 2, box[2:] - box[:2]
    smaller = tf.where(own, 1.0, tf.exp(uniform(4, math.log(SMALLER[0]), math.log(SMALLER[1]))))
    scale = smaller * tf.where(own, zoom, 1.0)
    start = tf.where(own, middle + pan + zoom[:, None] * (center - middle), sides * uniform(5, 0.15, 0.85, (2,)))
    reach = tf.sqrt(extent[0] * extent[1]) * smaller
    angle = uniform(6, 0, 2 * math.pi)
    jitter = JITTER * tf.random.stateless_normal((count, 2), seeds[8])
    path = SPEED * tf.stack([tf.cos(angle), tf.sin(angle)]) * times[:, None] + jitter
    place = tf.clip_by_value(start + reach * path, 0.0, sides - 1)
    away = (uniform(9, 0, 1) < LEAVES) & (tf.range(count) > 0) & (tf.range(count) < count - 1)
    place += tf.where(away[:, None], 2 * sides * tf.sign(place - middle), 0.0)
    turn, growth = tf.unstack(uniform(10, -1, 1, (2,)))
    target = Spots(place, scale * tf.exp(GROWTH * growth * times), tf.where(own, roll, 0.0) + TURN * turn * times)
    return Motion(ground, target)


def _light(count: int, seed: tf.Tensor) -> tf.Tensor:
    level, change = tf.unstack(tf.random.stateless_uniform((2,), seed, -1, 1))
    return tf.exp(LIGHT * level + FLICKER * change * tf.range(count, dtype=tf.float32))[:, None, None, None]


def filled(frame: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    """Fill the object of a frame, uint8 (H, W, 3), with what is around it, blurred; uint8. `mask` is bool (H, W).

    The frame is shrunk by halves, without the object, until something is known everywhere.
    """
    known = 1 - guides.dilate(mask[None, ..., None])
    levels = [(tf.cast(frame, tf.float32)[None] * known, known)]
    for _ in range(FILL_LEVELS):
        levels.append(tuple(tf.nn.avg_pool2d(x, 2, 2, "SAME") for x in levels[-1]))
    result = tf.zeros_like(levels[-1][0])
    for colors, weight in reversed(levels):
        coarser = tf.image.resize(result, tf.shape(colors)[1:3])
        result = tf.where(weight > 0, tf.math.divide_no_nan(colors, weight), coarser)
    return tf.cast(result[0] + 0.5, tf.uint8)
