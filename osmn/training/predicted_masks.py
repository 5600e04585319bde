"""The network's own masks as spatial guides in training, as testing has them. Not in the published program.

In training the spatial guide comes from the object's true mask, moved and scaled a little. In testing the guide comes
from the network's own mask of the frame before, which leaks into the background and lacks parts of the object. An error
that the network takes for the object's place stays and grows. With guides of own masks the network learns to remove
such errors.
"""

import dataclasses

import tensorflow as tf

from osmn.config import ModelConfig
from osmn.inputs import samples
from osmn.inputs.options import AS_PUBLISHED, Augmentation

_STREAM = 4  # Keeps apart the random streams that share a sample's seed; see `inputs.pipeline`.


@dataclasses.dataclass(frozen=True)
class OwnMasks:
    """Which samples of a training get spatial guides of the network's own masks, and how these guides are varied.

    Attributes:
        share: of the samples, 0 to 1.
        seed: of the run.
        augmentation: `options.Augmentation`, for spatial guides.
    """

    share: float
    seed: int = 0
    augmentation: Augmentation = AS_PUBLISHED

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
