"""Further clicks in training, on the network's own errors, as a person makes them: the mask so far is fed back."""

import dataclasses

import numpy as np
import tensorflow as tf

from osmn.inputs import clicks
from osmn.inputs.clips import ClipSample
from osmn.inputs.samples import Sample
from osmn.networks import Osmn, replicas
from osmn.networks.execution import Execution
from osmn.training.trainer import Trainer

_STREAM = 6  # Keeps apart the random streams that share a run's seed; see `inputs.pipeline`.
ROUNDS = (0.4, 0.3, 0.2, 0.1)  # How often a batch has 0, 1, 2, 3 further clicks.


class ClickTrainer(Trainer):
    """`Trainer` of a click network: its batches get further clicks."""

    def _with_own_masks(self, batch: Sample | ClipSample) -> Sample:
        assert isinstance(batch, Sample)  # `ClickPipeline` makes no clips.
        execution = dataclasses.replace(self._execution, training=False)
        return with_further_clicks(self.network, batch, execution, self._dropout_seed or 0, self.step)


def with_further_clicks(network: Osmn, batch: Sample, execution: Execution, seed: int, step: tf.Tensor) -> Sample:
    """Return a batch whose guides have further clicks, and the network's mask so far, after a random number of rounds.

    Args:
        network: a click network.
        batch: `Sample` of (B, ...) tensors, of `click_samples.ClickPipeline`.
        execution: as in testing: the rounds have no gradient.
        seed: of the run.
        step: of the batch, an integer scalar, from 0.
    """
    stream = tf.random.fold_in(tf.stack([tf.cast(seed, tf.int64), _STREAM]), tf.cast(step, tf.int64))
    drawn = tf.random.stateless_uniform((), stream)
    first = replicas.position() * tf.shape(batch.label)[0]
    spatial = batch.spatial
    for number, share in enumerate(np.cumsum(ROUNDS)[:-1]):
        step_seed = tf.random.fold_in(stream, number)

        def clicked(spatial: tf.Tensor = spatial, step_seed: tf.Tensor = step_seed) -> tf.Tensor:
            logits = network(batch.guide, spatial, batch.image, execution=execution)
            arguments = [spatial, batch.label[..., 0] > 0.5, logits[..., 0] > 0, step_seed, first]
            return tf.ensure_shape(
                tf.numpy_function(further_clicks, arguments, tf.float32, stateful=False), spatial.shape
            )

        spatial = tf.cond(drawn >= float(share), clicked, lambda spatial=spatial: spatial)
    return batch._replace(spatial=tf.stop_gradient(spatial))


def further_clicks(
    spatial: np.ndarray, truths: np.ndarray, masks: np.ndarray, seed: np.ndarray, first: int
) -> np.ndarray:
    """Return guides, float32 (B, H, W, 4), with a click on each mask's largest error, and with the masks so far.

    Args:
        spatial: the guides that the masks came from.
        truths: bool (B, H, W).
        masks: bool (B, H, W), the network's.
        seed: integers (2,), of the batch and the round.
        first: position in the batch of the first of these samples.
    """
    found = spatial.copy()
    for number, (maps, truth, mask) in enumerate(zip(found, truths, masks, strict=True)):
        parts = [*(int(part) & 0xFFFFFFFFFFFFFFFF for part in seed), int(first) + number]
        click, kind = clicks.next_click(truth, mask, np.random.default_rng(parts))
        maps[..., clicks.MASK] = mask
        if not np.array_equal(truth, mask):
            clicks.add_click(maps, click, kind)
    return found
