"""A training sample of several frames: an object through a short clip, a second object, occluders before it.

The network follows the object by its own masks, and learns from the last frame alone. Between the frames the object may
be hidden or have left, so that it is lost and must be found again. Not in the published program.
"""

import itertools
import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from osmn.config import ModelConfig
from osmn.data.types import Example
from osmn.inputs import geometry, guides, samples
from osmn.inputs.distractors import MIN_VISIBLE, REACH, SCALES
from osmn.inputs.options import Augmentation

OCCLUDER_SCALES = (1.1, 1.6)  # An occluder's sides, relative to those of the object's box.
OCCLUDER_SPEEDS = (0.6, 1.5)  # From a frame to the next, in an occluder's sides: it hides the object in one or two.
LAST_FRAME_HIDDEN = 0.15  # Share of the occluders that hide the object in the last frame, where it is to be left out.
TEXTURED = 0.5  # Share of the occluders that are a whole box of a picture; the others are an object of it.
DRIFT = 0.3  # Largest way of a second object from a frame to the next, in sides of the object's box.


class Clip(NamedTuple):
    """An object in T frames, in their order, of the network's size.

    Attributes:
        guide_frame: (h, w, 3) uint8, RGB: the frame that shows the object.
        guide_mask: (h, w) bool: the object in the guide frame.
        frames: (T, H, W, 3) uint8, RGB; the first is the one before the first frame to segment.
        masks: (T, H, W) bool: what is seen of the object.
        others: (T, H, W) bool: what is seen of a second object, which is not asked for.
    """

    guide_frame: tf.Tensor
    guide_mask: tf.Tensor
    frames: tf.Tensor
    masks: tf.Tensor
    others: tf.Tensor


class Spots(NamedTuple):
    """Where a picture is drawn in T frames: its centers (T, 2) in pixels, scales (T,) and angles (T,) in radians."""

    centers: tf.Tensor
    scales: tf.Tensor
    angles: tf.Tensor


def drawn(picture: tf.Tensor, spots: Spots, size: tf.Tensor, fill_mode: str = "CONSTANT") -> tf.Tensor:
    """Draw a picture (h, w, C) in T frames of `size`, (width, height), bilinearly; float32 (T, H, W, C).

    `fill_mode` says what is beside the picture: CONSTANT for zeros, REFLECT for its mirror image.
    """
    count = tf.shape(spots.scales)[0]
    middle = (tf.cast(tf.stack(geometry.size_of(picture)), tf.float32) - 1) / 2
    cos, sin = tf.cos(spots.angles) / spots.scales, tf.sin(spots.angles) / spots.scales
    x, y = tf.unstack(spots.centers, axis=1)
    zero = tf.zeros_like(cos)
    offset_x, offset_y = middle[0] - cos * x - sin * y, middle[1] + sin * x - cos * y
    images = tf.repeat(tf.cast(picture, tf.float32)[None], count, axis=0)
    return warped(images, [cos, sin, offset_x, -sin, cos, offset_y, zero, zero], size, fill_mode)


def warped(images: tf.Tensor, transforms: Sequence[tf.Tensor], size: tf.Tensor, fill_mode: str) -> tf.Tensor:
    """Warp images, float32 (T, h, w, C), to `size`, (width, height), bilinearly; float32 (T, H, W, C).

    `transforms` are the eight numbers of `tf.raw_ops.ImageProjectiveTransformV3`, each (T,); `fill_mode` as in `drawn`.
    """
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=images,
        transforms=tf.stack(transforms, axis=1),
        output_shape=tf.cast(size, tf.int32)[::-1],
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode=fill_mode,
    )


def cutout(frame: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    """Cut an object out of a frame: uint8 (h, w, 4), its colors and its mask of 0 and 255. `mask` is bool (H, W)."""
    left, top, right, bottom = tf.unstack(guides.guide_box(mask))
    alpha = tf.cast(mask[top:bottom, left:right, None], tf.uint8) * 255
    return tf.concat([frame[top:bottom, left:right], alpha], axis=-1)


def over(frames: tf.Tensor, picture: tf.Tensor, spots: Spots, size: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Draw a `cutout` over frames, float32 (T, H, W, 3); return the new frames and where it is in them, (T, H, W).

    The place is float32, 0 to 1.
    """
    picture = tf.cast(picture, tf.float32)
    alpha = picture[..., 3:] / 255
    layer = drawn(tf.concat([picture[..., :3] * alpha, alpha], axis=-1), spots, size)
    alpha = layer[..., 3:]
    return frames * (1 - alpha) + layer[..., :3], alpha[..., 0]


# Videos


def chains(examples: Sequence[Example]) -> np.ndarray:
    """Return for each of `examples` the first of its chain and the one behind its last, int64 (N, 2).

    In a chain the label of an example is the previous mask of the next.
    """
    pairs = itertools.pairwise(examples)
    follows = [a.label == b.previous_mask and a.object_id == b.object_id and a.guides == b.guides for a, b in pairs]
    starts = [0, *(n + 1 for n, linked in enumerate(follows) if not linked), len(examples)]
    lengths = np.diff(starts)
    return np.stack([np.repeat(starts[:-1], lengths), np.repeat(starts[1:], lengths)], axis=1).astype(np.int64)


def places(number: tf.Tensor, chain: tf.Tensor, longest_gap: int, count: int, seed: tf.Tensor) -> tf.Tensor:
    """Draw `count` examples from a chain, (first, end), that are 1 to `longest_gap` apart, from `number` on.

    The logarithm of the distance is uniform: in testing, frames follow each other closely. In half of the draws time
    runs backwards; at an end of the chain it turns. Returns int64 (count,).
    """
    gap_seed, way_seed = tf.unstack(tf.random.split(seed, 2))
    first, length = chain[0], chain[1] - chain[0]
    # No longer than the chain has room for, so that not every draw turns.
    longest = tf.clip_by_value((length - 1) // max(1, count - 1), 1, longest_gap)
    exponent = tf.random.stateless_uniform((), gap_seed)
    gap = tf.minimum(tf.cast(tf.cast(longest + 1, tf.float32) ** exponent, tf.int64), longest)
    way = tf.where(tf.random.stateless_uniform((), way_seed) < 0.5, gap, -gap)
    steps = number - first + way * tf.range(count, dtype=tf.int64)
    period = tf.maximum(2 * (length - 1), 1)
    within = tf.math.floormod(steps, period)
    return first + tf.where(within < length, within, period - within)


def mirrored(clip: Clip, seed: tf.Tensor) -> Clip:
    """Mirror the frames of a clip and their masks left to right, all together, with probability 1/2."""
    turn = tf.random.stateless_uniform((), seed) < 0.5
    parts = [
        tf.cond(turn, lambda x=x: tf.reverse(x, [2]), lambda x=x: x) for x in (clip.frames, clip.masks, clip.others)
    ]
    return Clip(clip.guide_frame, clip.guide_mask, *parts)


# A second object


def with_second_object(clip: Clip, other: samples.RawSample, seed: tf.Tensor) -> Clip:
    """Paste the object of another sample's guide beside, over or behind the clip's; ask for each half of the time.

    As `distractors.with_distractor`, in each frame: the pasted object moves along with the target, and drifts. Without
    an object in the clip or in the guide of `other`, the clip as it is.
    """
    return _with_object(clip, other, lambda frame, mask: _beside(clip, frame, mask, seed))


def with_occluder(clip: Clip, other: samples.RawSample, seed: tf.Tensor) -> Clip:
    """Have the object of another sample's guide, or a box of its picture, pass before the clip's object.

    It hides all or nearly all of the object in one or two frames, mostly in frames between the first and the last.
    Without an object in the clip or in the guide of `other`, the clip as it is.
    """
    return _with_object(clip, other, lambda frame, mask: _before(clip, frame, mask, seed))


def _with_object(clip: Clip, other: samples.RawSample, paste: Callable[[tf.Tensor, tf.Tensor], Clip]) -> Clip:
    frame = tf.convert_to_tensor(other.guide_frame)
    mask = geometry.resize_mask(guides.plane(other.guide_mask), geometry.size_of(frame))
    return tf.cond(tf.reduce_any(clip.masks) & tf.reduce_any(mask), lambda: paste(frame, mask), lambda: clip)


def boxes(masks: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the centers (T, 2) of the boxes of masks (T, H, W) and the mean of the boxes' sides, (2,), in pixels.

    Where an object is absent, its center is the mean of the others; it is present in one mask at least.
    """
    present = tf.reduce_any(masks, axis=(1, 2))
    first, last = tf.split(tf.cast(geometry.bounding_box(masks), tf.float32), 2, axis=1)
    seen = tf.boolean_mask(tf.stack([(first + last) / 2, last - first + 1]), present, axis=1)
    center, side = tf.unstack(tf.reduce_mean(seen, axis=1))
    return tf.where(present[:, None], (first + last) / 2, center), side


def _beside(clip: Clip, guide_frame: tf.Tensor, guide_mask: tf.Tensor, seed: tf.Tensor) -> Clip:
    size_seed, shift_seed, drift_seed, order_seed, asked_seed = tf.unstack(tf.random.split(seed, 5))
    centers, side = boxes(clip.masks)
    size = tf.stack(geometry.size_of(clip.masks[0]))
    count = tf.shape(centers)[0]
    area = tf.reduce_sum(areas(clip.masks)) / tf.reduce_sum(tf.cast(areas(clip.masks) > 0, tf.float32))
    picture = cutout(guide_frame, guide_mask)
    ratio = tf.sqrt(area / tf.maximum(areas(guide_mask[None])[0], 1.0))
    picture = _resized(picture, ratio * tf.random.stateless_uniform((), size_seed, *SCALES), size)
    reach = REACH * (side + tf.cast(tf.stack(geometry.size_of(picture)), tf.float32)) / 2
    shift = tf.random.stateless_uniform((2,), shift_seed, -reach, reach)
    drift = side * tf.random.stateless_uniform((2,), drift_seed, -DRIFT, DRIFT)
    way = drift * (tf.range(tf.cast(count, tf.float32)) - tf.cast(count, tf.float32) / 2)[:, None]
    spots = Spots(centers + shift + way, tf.ones(count), tf.zeros(count))
    frames = tf.cast(clip.frames, tf.float32)
    pasted_frames, alpha = over(frames, picture, spots, size)
    behind = tf.random.stateless_uniform((), order_seed) < 0.5
    pasted = (alpha > 0.5) & ~(clip.masks & behind)
    frames = as_image(tf.where((clip.masks & behind)[..., None], frames, pasted_frames))
    target = clip.masks & ~pasted

    wanted = tf.random.stateless_uniform((), asked_seed) < 0.5
    target_hidden = areas(target)[-1] <= MIN_VISIBLE * areas(clip.masks)[-1]
    pasted_shown = areas(pasted)[-1] > MIN_VISIBLE * areas(alpha > 0.5)[-1]
    return tf.cond(
        (wanted | target_hidden) & pasted_shown,
        lambda: Clip(guide_frame, guide_mask, frames, pasted, target),
        lambda: clip._replace(frames=frames, masks=target, others=pasted),
    )


def _before(clip: Clip, guide_frame: tf.Tensor, guide_mask: tf.Tensor, seed: tf.Tensor) -> Clip:
    kind_seed, size_seed, speed_seed, way_seed, time_seed, last_seed = tf.unstack(tf.random.split(seed, 6))
    centers, side = boxes(clip.masks)
    size = tf.stack(geometry.size_of(clip.masks[0]))
    count = tf.cast(tf.shape(centers)[0], tf.float32)
    textured = tf.random.stateless_uniform((), kind_seed) < TEXTURED
    picture = cutout(guide_frame, guide_mask | textured)
    wanted = tf.cast(side * tf.random.stateless_uniform((2,), size_seed, *OCCLUDER_SCALES), tf.int32)
    picture = geometry.resize_image(picture, tf.clip_by_value(wanted, 1, 2 * size))
    speed = tf.random.stateless_uniform((), speed_seed, *OCCLUDER_SPEEDS)
    angle = tf.random.stateless_uniform((), way_seed, 0, 2 * math.pi)
    between = 1 + (count - 2) * tf.random.stateless_uniform((), time_seed)  # From frame 1 to before the last frame.
    hidden_last = tf.random.stateless_uniform((), last_seed) < LAST_FRAME_HIDDEN
    when = tf.where(hidden_last, count - 1, tf.floor(between))
    away = tf.cast(tf.stack(geometry.size_of(picture)), tf.float32) * speed * tf.stack([tf.cos(angle), tf.sin(angle)])
    spots = Spots(centers + (tf.range(count) - when)[:, None] * away, tf.ones_like(centers[:, 0]), 0 * centers[:, 0])
    frames, alpha = over(tf.cast(clip.frames, tf.float32), picture, spots, size)
    seen = alpha <= 0.5
    return clip._replace(frames=as_image(frames), masks=clip.masks & seen, others=clip.others & seen)


def _resized(picture: tf.Tensor, ratio: tf.Tensor, largest: tf.Tensor) -> tf.Tensor:
    size = tf.cast(tf.cast(tf.stack(geometry.size_of(picture)), tf.float32) * ratio, tf.int32)
    return geometry.resize_image(picture, tf.clip_by_value(size, 1, largest))


def areas(masks: tf.Tensor) -> tf.Tensor:
    """Return the number of pixels of each of the masks, (T, H, W), float32 (T,)."""
    return tf.reduce_sum(tf.cast(masks, tf.float32), axis=(1, 2))


def as_image(frames: tf.Tensor) -> tf.Tensor:
    """Round float32 colors to uint8."""
    return tf.cast(tf.clip_by_value(frames + 0.5, 0, 255), tf.uint8)


# The sample


class ClipSample(NamedTuple):
    """What the networks see of a clip's sample, float32.

    Attributes:
        guide: as in `samples.Sample`.
        spatial: (H, W, 1), as in `samples.Sample`: where the object was before the first frame.
        image: (H, W, 3) the normalized last frame.
        label: (H, W, 1) 1 on the object in the last frame, 0 elsewhere.
        earlier: (T - 2, H, W, 3) the normalized frames before the last, in their order, from the first one to segment.
        other: (H, W, 1) 1 on a second object, which is not asked for, in the frame before the last; 0 elsewhere.
    """

    guide: tf.Tensor
    spatial: tf.Tensor
    image: tf.Tensor
    label: tf.Tensor
    earlier: tf.Tensor
    other: tf.Tensor


SHAPES = ClipSample(*samples.SHAPES, (None, None, None, 3), (None, None, 1))


def clip_sample(clip: Clip, config: ModelConfig, augmentation: Augmentation, seed: tf.Tensor) -> ClipSample:
    """Make the `ClipSample` of a `Clip`; `seed` is (2,)."""
    guide_seed, spatial_seed = tf.unstack(tf.random.split(seed, 2))
    images = guides.normalize(clip.frames[1:], config)
    return ClipSample(
        guide=samples.augmented_visual_guide(clip.guide_frame, clip.guide_mask, config, augmentation, guide_seed),
        spatial=samples.perturbed_spatial_guide(clip.masks[:1], config, augmentation, spatial_seed)[0],
        image=images[-1],
        label=tf.cast(clip.masks[-1], tf.float32)[..., None],
        earlier=images[:-1],
        other=tf.cast(clip.others[-2], tf.float32)[..., None],
    )
