"""The network's own masks as spatial guides in training, as testing has them. Not in the published program.

In training the spatial guide comes from the object's true mask, moved and scaled a little. In testing the guide comes
from the network's own mask of the frame before, which leaks into the background and lacks parts of the object. An error
that the network takes for the object's place stays and grows. With guides of own masks the network learns to remove
such errors.
"""

import dataclasses

import tensorflow as tf

from osmn.config import ModelConfig
from osmn.inputs import geometry, samples
from osmn.inputs.options import AS_PUBLISHED, Augmentation

# Keep apart the random streams that share a sample's seed; see `inputs.pipeline`.
_STREAM, _DAMAGE_STREAM = 4, 5
KINDS = 4  # Of damage, all equally likely: moved, cut, emptied, on another object.
MOVES = (0.5, 1.5)  # How far a mask is moved along each axis, in sides of its box.
KEPT = (0.2, 0.6)  # Share of the box, along one axis, that is left of a mask.


@dataclasses.dataclass(frozen=True)
class OwnMasks:
    """Which samples of a training get spatial guides of the network's own masks, and how these guides are varied.

    Attributes:
        share: of the samples, 0 to 1.
        seed: of the run.
        augmentation: `options.Augmentation`, for spatial guides.
        damaged: share of the samples of several frames, 0 to 1, whose mask before the last frame is wrong.
    """

    share: float
    seed: int = 0
    augmentation: Augmentation = AS_PUBLISHED
    damaged: float = 0.0

    def spatial_guides(
        self, masks: tf.Tensor, spatial: tf.Tensor, config: ModelConfig, step: tf.Tensor, first: int | tf.Tensor
    ) -> tf.Tensor:
        """Return the spatial guides, float32 (B, H, W, 1), of a batch or of a replica's part of it.

        The guide of a sample that is not chosen, or whose own mask is empty, stays as it is.

        Args:
            masks: bool (B, H, W), what the network took for the objects.
            spatial: the guides that the network had for these masks, float32 (B, H, W, 1).
            config: ModelConfig.
            step: of the batch, an integer scalar, from 0.
            first: position in the batch of the first of these samples.
        """

        def guide(sample: tuple[tf.Tensor, tf.Tensor, tf.Tensor]) -> tf.Tensor:
            position, mask, spatial = sample
            seed = tf.random.fold_in(samples.sample_seed(self.seed, step, position), _STREAM)
            share_seed, guide_seed = tf.unstack(tf.random.split(seed, 2))
            own = samples.perturbed_spatial_guide(mask[None], config, self.augmentation, guide_seed)[0]
            wanted = tf.random.stateless_uniform((), share_seed) < self.share
            return tf.where(wanted & tf.reduce_any(mask), own, spatial)

        positions = first + tf.range(tf.shape(masks)[0])
        return tf.map_fn(guide, (positions, masks, spatial), fn_output_signature=tf.float32)

    def next_guides(
        self, masks: tf.Tensor, config: ModelConfig, step: tf.Tensor, first: int | tf.Tensor, frame: int
    ) -> tf.Tensor:
        """Return the spatial guides of a batch in the next frame, float32 (B, H, W, 1): of `masks`, varied.

        The guide of an empty mask is zero, as in testing. `frame` is the number of the frame that the masks are of; for
        the other arguments see `spatial_guides`.
        """

        def guide(sample: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
            position, mask = sample
            seed = tf.random.fold_in(tf.random.fold_in(samples.sample_seed(self.seed, step, position), _STREAM), frame)
            return samples.perturbed_spatial_guide(mask[None], config, self.augmentation, seed)[0]

        positions = first + tf.range(tf.shape(masks)[0])
        return tf.map_fn(guide, (positions, masks), fn_output_signature=tf.float32)

    def with_damage(self, masks: tf.Tensor, others: tf.Tensor, step: tf.Tensor, first: int | tf.Tensor) -> tf.Tensor:
        """Return masks, bool (B, H, W), of which a share of `damaged` is wrong; see `damaged_mask`."""

        def damage(sample: tuple[tf.Tensor, tf.Tensor, tf.Tensor]) -> tf.Tensor:
            position, mask, other = sample
            seed = tf.random.fold_in(samples.sample_seed(self.seed, step, position), _DAMAGE_STREAM)
            share_seed, damage_seed = tf.unstack(tf.random.split(seed, 2))
            wanted = tf.random.stateless_uniform((), share_seed) < self.damaged
            return tf.where(wanted, damaged_mask(mask, other, damage_seed), mask)

        positions = first + tf.range(tf.shape(masks)[0])
        return tf.map_fn(damage, (positions, masks, others), fn_output_signature=tf.bool)


def damaged_mask(mask: tf.Tensor, other: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Return a wrong mask, as a network makes it that is losing its object.

    It is moved by 0.5 to 1.5 times its box's sides, cut to 0.2 to 0.6 of its box, emptied, or on the other object;
    where there is no other object, it is moved instead.

    Args:
        mask: bool (H, W).
        other: bool (H, W): another object, which is not asked for.
        seed: (2,).
    """
    kind_seed, move_seed, sign_seed, cut_seed, side_seed = tf.unstack(tf.random.split(seed, 5))
    first, last = tf.split(geometry.bounding_box(mask), 2)
    sides = last - first + 1
    far = tf.random.stateless_uniform((2,), move_seed, *MOVES)
    signs = tf.sign(tf.random.stateless_uniform((2,), sign_seed, -1, 1))
    x, y = tf.unstack(tf.cast(tf.cast(sides, tf.float32) * far * signs, tf.int32))
    kept = tf.cast(tf.cast(sides, tf.float32) * tf.random.stateless_uniform((), cut_seed, *KEPT), tf.int32)

    def moved() -> tf.Tensor:
        height, width = tf.unstack(tf.shape(mask))
        rows, columns = tf.range(height) - y, tf.range(width) - x
        inside = ((rows >= 0) & (rows < height))[:, None] & ((columns >= 0) & (columns < width))
        taken = tf.gather(
            tf.gather(mask, tf.clip_by_value(rows, 0, height - 1)), tf.clip_by_value(columns, 0, width - 1), axis=1
        )
        return inside & taken

    def cut() -> tf.Tensor:
        rows, columns = tf.range(tf.shape(mask)[0])[:, None], tf.range(tf.shape(mask)[1])
        parts = (
            (columns <= first[0] + kept[0], columns >= last[0] - kept[0]),
            (rows <= first[1] + kept[1], rows >= last[1] - kept[1]),
        )
        side = tf.random.stateless_uniform((), side_seed, 0, 4, tf.int32)
        return tf.switch_case(side, [lambda part=part: mask & part for pair in parts for part in pair])

    def emptied() -> tf.Tensor:
        return tf.zeros_like(mask)

    def elsewhere() -> tf.Tensor:
        return tf.cond(tf.reduce_any(other), lambda: other, moved)

    kind = tf.random.stateless_uniform((), kind_seed, 0, KINDS, tf.int32)
    return tf.switch_case(kind, [moved, cut, emptied, elsewhere])
