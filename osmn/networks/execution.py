"""How a network is computed: what depends on the purpose (training or not) and on the device; the caller chooses it.

A network's layers get one `Execution` with each call. The functions here are plain TensorFlow operations, right on any
device; `osmn.networks.devices` chooses operations that are fast on the devices of the machine.
"""

import dataclasses
from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf


class FactoredBeta(NamedTuple):
    """A beta `relu(guide * slope + intercept)`, not yet multiplied out.

    `guide` (B, H, W, 1) is the spatial guide at the layer's resolution; `slope` and `intercept` are (C,).
    """

    guide: tf.Tensor
    slope: tf.Tensor
    intercept: tf.Tensor


def modulate(
    features: tf.Tensor, gamma: tf.Tensor | None = None, beta: tf.Tensor | FactoredBeta | None = None
) -> tf.Tensor:
    """Return `features * gamma + beta`, as released: after the layer's ReLU.

    `features` (1 or B, H, W, C), `gamma` (B, 1, 1, C) or None, `beta` a map (B, H, W, C), a FactoredBeta or None.
    Features of one image broadcast over the objects: what comes before the first modulation is computed once.
    """
    dtype = features.dtype
    if gamma is not None:
        features *= tf.cast(gamma, dtype)
    if isinstance(beta, FactoredBeta):
        guide, slope, intercept = (tf.cast(x, dtype) for x in beta)
        beta = tf.nn.relu(guide * slope + intercept)
    return features if beta is None else features + tf.cast(beta, dtype)


def normalize(
    x: tf.Tensor, mean: tf.Tensor, variance: tf.Tensor, offset: tf.Tensor, scale: tf.Tensor, epsilon: float
) -> tf.Tensor:
    """Return `(x - mean) / sqrt(variance + epsilon) * scale + offset`; x is (B, H, W, C), the rest (C,)."""
    y = tf.nn.batch_normalization(tf.cast(x, mean.dtype), mean, variance, offset, scale, epsilon)
    return tf.cast(y, x.dtype)


@dataclasses.dataclass(frozen=True)
class Part:
    """The part of a batch that is computed here; all parts are equally large and are computed at the same time.

    Attributes:
        number: of this part, from 0.
        count: number of parts.
        total: maps a tensor to its sum over all parts, and is differentiable.
    """

    number: int = 0
    count: int = 1
    total: Callable[[tf.Tensor], tf.Tensor] = lambda x: x


WHOLE = Part()


@dataclasses.dataclass(frozen=True)  # No NamedTuple: Keras would take such an argument apart.
class Execution:
    """How to compute a network.

    Attributes:
        training: batch norm normalizes by the batch's statistics and updates the moving statistics (unless
            `fixed_statistics`), and betas are computed in the published order.
        fixed_statistics: batch norm normalizes by its moving statistics in training too.
        dropout_seed: (2,) integers that dropout is a function of; None: no dropout.
        part: the part of the batch; batch norm's statistics and dropout are those of the whole batch.
        modulate: `modulate` of this module, or a faster equal of it.
        normalize: `normalize` of this module, or a faster equal of it: batch norm by moving statistics.
    """

    training: bool = False
    fixed_statistics: bool = False
    dropout_seed: tf.Tensor | None = None
    part: Part = WHOLE
    modulate: Callable[..., tf.Tensor] = modulate
    normalize: Callable[..., tf.Tensor] = normalize

    @property
    def batch_statistics(self) -> bool:
        """Tell whether batch norm normalizes by the batch's statistics."""
        return self.training and not self.fixed_statistics


INFERENCE = Execution()
