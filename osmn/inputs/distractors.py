"""A second object pasted into a training sample, so that only the guides tell which of the two is meant.

In most still images a single object stands out and is the answer, whatever the visual guide shows: a network can do
without its guide there. Not in the published program.
"""

import tensorflow as tf

from osmn.inputs import geometry, guides, samples

SCALES = (0.6, 1.4)  # The pasted object's size, the root of its area, relative to the target's.
REACH = 1.2  # Largest distance of the centers along an axis, relative to that at which the two boxes touch.
MIN_VISIBLE = 0.3  # Of an object's pixels: where less of it is left, the other object is asked for.


def with_distractor(target: samples.RawSample, other: samples.RawSample, seed: tf.Tensor) -> samples.RawSample:
    """Paste the object of another sample's guide beside, over or behind the target; ask for each half of the time.

    Args:
        target: `samples.RawSample`, whose frame gets the object.
        other: `samples.RawSample`, whose guide shows the object to paste.
        seed: (2,).

    Returns:
        A RawSample of the target's frame with both objects. It asks for the target (by its guide and previous mask) or
        for the pasted object (by its own guide; its mask is the previous mask too); the label is what can be seen of
        the object asked for. Where there is no target in the frame, or no object in the other's guide, `target` as it
        is.
    """
    target, other = (samples.RawSample(*map(tf.convert_to_tensor, views)) for views in (target, other))
    label = geometry.resize_mask(target.label, geometry.size_of(target.frame))
    pasted_mask = geometry.resize_mask(other.guide_mask, geometry.size_of(other.guide_frame))
    return tf.cond(
        tf.reduce_any(label) & tf.reduce_any(pasted_mask),
        lambda: _paste(target._replace(label=label), other._replace(guide_mask=pasted_mask), seed),
        lambda: target,
    )


def _paste(target: samples.RawSample, other: samples.RawSample, seed: tf.Tensor) -> samples.RawSample:
    place_seed, order_seed, asked_seed = tf.unstack(tf.random.split(seed, 3))
    image, pasted = _place(other.guide_frame, other.guide_mask, target.label, place_seed)
    behind = tf.random.stateless_uniform((), order_seed) < 0.5
    visible_pasted = pasted & ~(target.label & behind)
    visible_target = target.label & ~visible_pasted
    frame = tf.where(visible_pasted[..., None], image, target.frame)

    wanted = tf.random.stateless_uniform((), asked_seed) < 0.5
    target_hidden = _area(visible_target) <= MIN_VISIBLE * _area(target.label)
    pasted_hidden = _area(visible_pasted) <= MIN_VISIBLE * _area(pasted)
    return tf.cond(
        (wanted | target_hidden) & ~pasted_hidden,
        lambda: samples.RawSample(other.guide_frame, other.guide_mask, visible_pasted, frame, visible_pasted),
        lambda: target._replace(frame=frame, label=visible_target),
    )


def _place(frame: tf.Tensor, mask: tf.Tensor, target: tf.Tensor, seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Draw the object of a frame near the target, at about its size.

    Args:
        frame: uint8 (h, w, 3), with the object.
        mask: bool (h, w), the object, not empty.
        target: bool (H, W), not empty.
        seed: (2,).

    Returns:
        A frame, uint8 (H, W, 3), and where the object is in it, bool (H, W).
    """
    size_seed, shift_seed = tf.unstack(tf.random.split(seed, 2))
    left, top, right, bottom = tf.unstack(guides.guide_box(mask))
    picture, mask = frame[top:bottom, left:right], mask[top:bottom, left:right]
    height, width = tf.unstack(tf.shape(target))
    # A ragged mask may have no pixel in its box, which lacks the last row and column.
    area = tf.maximum(_area(mask), 1.0)
    ratio = tf.sqrt(_area(target) / area) * tf.random.stateless_uniform((), size_seed, *SCALES)
    size = tf.cast(tf.cast(tf.stack([right - left, bottom - top]), tf.float32) * ratio, tf.int32)
    size = tf.clip_by_value(size, 1, tf.stack([width, height]))
    picture, mask = geometry.resize_image(picture, size), geometry.resize_mask(mask, size)

    first, last = tf.split(geometry.bounding_box(target), 2)
    reach = REACH * tf.cast(last + 1 - first + size, tf.float32) / 2
    shift = tf.random.stateless_uniform((2,), shift_seed, -reach, reach)
    corner = (first + last + 1 - size) // 2 + tf.cast(shift, tf.int32)
    # The object is drawn on a canvas that is larger than the frame by the object's size on all sides, and then cropped.
    x, y = tf.unstack(tf.clip_by_value(corner, -size, tf.stack([width, height])) + size)
    drawn = tf.concat([picture, tf.cast(mask, tf.uint8)[..., None]], axis=-1)
    drawn = tf.image.pad_to_bounding_box(drawn, y, x, height + 2 * size[1], width + 2 * size[0])
    drawn = drawn[size[1] : size[1] + height, size[0] : size[0] + width]
    return drawn[..., :3], drawn[..., 3] > 0


def _area(mask: tf.Tensor) -> tf.Tensor:
    return tf.reduce_sum(tf.cast(mask, tf.float32))
