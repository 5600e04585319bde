"""A look-alike in a training sample of several frames: the object itself in other colors, elsewhere in the frame.

An object that was lost must be found wherever it is; so a network learns to take up what is like its object, near or
far. With a look-alike in the frame, only the object's place before, and its colors, tell which of the two is meant. Not
in the published program.
"""

import tensorflow as tf

from osmn.inputs import clips, geometry
from osmn.inputs.clips import DRIFT, Clip
from osmn.inputs.distractors import MIN_VISIBLE

APART = 1.05  # Least distance of the centers along one of the axes, in sides of the object's box.
HUES = (1 / 6, 5 / 6)  # Of the turn of the hue, in turns,
BRIGHTER = (0.2, 0.5)  # and the logarithm by which the look-alike is brighter or darker: gray objects have no hue.


def with_look_alike(clip: Clip, seed: tf.Tensor) -> Clip:
    """Put the clip's object in other colors behind it, anywhere else in the frame; ask for each half of the time.

    The look-alike does what the object does, mirrored left to right half of the time, and drifts. It is shown in the
    frames that show the object. A clip without its object stays as it is. `seed` is (2,).
    """
    return tf.cond(tf.reduce_any(clip.masks), lambda: _with_look_alike(clip, seed), lambda: clip)


def _with_look_alike(clip: Clip, seed: tf.Tensor) -> Clip:
    color_seed, place_seed, drift_seed, mirror_seed, asked_seed = tf.unstack(tf.random.split(seed, 5))
    centers, side = clips.boxes(clip.masks)
    count = tf.shape(centers)[0]
    sides = tf.cast(tf.stack(geometry.size_of(clip.masks[0])), tf.float32)
    shift = tf.random.stateless_uniform((2,), place_seed) * sides - centers[-1]
    shift *= tf.maximum(1.0, APART / tf.maximum(tf.reduce_max(tf.abs(shift) / side), 1e-3))
    drift = side * tf.random.stateless_uniform((2,), drift_seed, -DRIFT, DRIFT)
    shifts = shift + drift * tf.cast(tf.range(count) + 1 - count, tf.float32)[:, None]
    mirror = tf.random.stateless_uniform((), mirror_seed) < 0.5

    frames = tf.cast(clip.frames, tf.float32)
    alpha = tf.cast(clip.masks, tf.float32)[..., None]
    layer = tf.concat([recolored(clip.frames, color_seed) * alpha, alpha], axis=-1)
    layer = _moved(layer, centers, shifts, mirror)
    alpha = layer[..., 3:]
    pasted = (alpha[..., 0] > 0.5) & ~clip.masks
    frames = tf.where(clip.masks[..., None], frames, frames * (1 - alpha) + layer[..., :3])
    frames = clips.as_image(frames)

    wanted = tf.random.stateless_uniform((), asked_seed) < 0.5
    shown = clips.areas(pasted)[-1] > MIN_VISIBLE * clips.areas(clip.masks)[-1]
    guide = tf.where(
        clip.guide_mask[..., None], recolored(clip.guide_frame, color_seed), tf.cast(clip.guide_frame, tf.float32)
    )
    return tf.cond(
        wanted & shown,
        lambda: Clip(clips.as_image(guide), clip.guide_mask, frames, pasted, clip.masks),
        lambda: clip._replace(frames=frames, others=pasted | (clip.others & ~pasted)),
    )


def recolored(frames: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Turn the hue of frames, uint8 (..., 3), and make them brighter or darker; float32, 0 to 255.

    All pixels are changed alike, by a function of `seed`, (2,).
    """
    hue_seed, light_seed, sign_seed = tf.unstack(tf.random.split(seed, 3))
    turn = tf.random.stateless_uniform((), hue_seed, *HUES)
    sign = tf.sign(tf.random.stateless_uniform((), sign_seed, -1, 1))
    factor = tf.exp(sign * tf.random.stateless_uniform((), light_seed, *BRIGHTER))
    hue, saturation, value = tf.unstack(tf.image.rgb_to_hsv(tf.cast(frames, tf.float32) / 255), axis=-1)
    hue, value = tf.math.floormod(hue + turn, 1.0), tf.minimum(value * factor, 1.0)
    return tf.image.hsv_to_rgb(tf.stack([hue, saturation, value], axis=-1)) * 255


def _moved(layer: tf.Tensor, centers: tf.Tensor, shifts: tf.Tensor, mirror: tf.Tensor) -> tf.Tensor:
    """Move each of the pictures (T, H, W, C) by its shift, (T, 2) in pixels, and mirror it about its center, (T, 2)."""
    x, y = tf.unstack(shifts, axis=1)
    zero, one = tf.zeros_like(x), tf.ones_like(x)
    across = tf.where(mirror, -one, one)
    offset = tf.where(mirror, 2 * centers[:, 0] + x, -x)
    size = tf.stack(geometry.size_of(layer[0]))
    return clips.warped(layer, [across, zero, offset, zero, one, -y, zero, zero], size, "CONSTANT")
