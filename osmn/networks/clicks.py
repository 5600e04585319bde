"""The network `clicks`: MobileNet v1 guided by clicks, a box and the mask so far, and a decoder up to half the sides.

The idea is OSMN's: a spatial guide tells the network where the object is, and is added to the features. Here the guide
has four maps (`inputs.clicks.MAPS`). They are added to the stem's features too, as the additive branch of Sofiiuk et
al., "Reviving Iterative Training with Mask Guidance for Interactive Segmentation" (arXiv 2102.06583), adds them: a
click has only a few pixels, which pooling would wash out. There is no visual modulator.
"""

import math
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from osmn.config import (
    CLICK_FINE_BLOCK,
    CLICK_FINE_WIDTH,
    CLICK_MAP_CHANNELS,
    CLICK_MAPS,
    CLICK_WIDTH,
    MOBILENET_BLOCKS,
    MODULATED_BLOCKS,
    STEM_CHANNELS,
    ModelConfig,
)
from osmn.networks.backend import keras
from osmn.networks.base import Osmn
from osmn.networks.execution import Execution
from osmn.networks.layers import Initialization, convolution, legacy_bilinear_matrix, resample
from osmn.networks.mobilenet import L2_WEIGHT, NormalizedConvolution, build_mobilenet

STAGES = MODULATED_BLOCKS  # At a 4th, 8th, 16th and 32nd of the sides; the guide is added, and the decoder reads them.


def _channels(block: int) -> int:
    return MOBILENET_BLOCKS[block - 1][1]


class ClickOsmn(Osmn):
    """OSMN on MobileNet, guided by clicks; sides of images are multiples of 32."""

    guide_maps = CLICK_MAPS

    def __init__(self, config: ModelConfig, dtype: str, initialization: Initialization) -> None:
        super().__init__(config, dtype, [_channels(block) for block in STAGES])
        self.visual = None
        self._initialization = initialization
        self.stem, self.blocks = build_mobilenet("osmn.seg", dtype, initialization)
        name = "osmn.clicks.maps"
        self.maps = convolution(
            f"{name}.in", 3, CLICK_MAPS, CLICK_MAP_CHANNELS, dtype, self._scaled(name, 9 * CLICK_MAPS), strides=2
        )
        self.maps_to_stem = convolution(f"{name}.stem", 1, CLICK_MAP_CHANNELS, STEM_CHANNELS, dtype, "zeros")
        self.spatial = {block: self._pointwise(f"maps.block{block}", CLICK_MAPS, _channels(block)) for block in STAGES}
        self.laterals = {block: self._pointwise(f"lateral{block}", _channels(block), CLICK_WIDTH) for block in STAGES}
        name = "osmn.clicks.context"
        self.context = convolution(name, 1, _channels(13), CLICK_WIDTH, dtype, self._scaled(name, _channels(13)))
        self.merged = {block: self._separable(f"merged{block}", CLICK_WIDTH, CLICK_WIDTH) for block in STAGES}
        self.fine_lateral = self._pointwise("lateral1", _channels(CLICK_FINE_BLOCK), CLICK_WIDTH)
        self.fine = self._separable("fine", CLICK_WIDTH, CLICK_FINE_WIDTH)
        name = "osmn.clicks.score"
        self.score = convolution(name, 1, CLICK_FINE_WIDTH, 1, dtype, initialization.normal(name))
        self.built = True

    def _scaled(self, name: str, inputs: int) -> keras.Initializer:
        """Return initial weights that keep the size of the features (He et al. 2015), of so many inputs."""
        return self._initialization.normal(name, stddev=math.sqrt(2 / inputs))

    def _pointwise(self, name: str, channels_in: int, channels_out: int) -> NormalizedConvolution:
        name, dtype = f"osmn.clicks.{name}", self.dtype_policy.name
        layer = convolution(name, 1, channels_in, channels_out, dtype, self._scaled(name, channels_in), bias=None)
        return NormalizedConvolution(layer, channels_out)

    def _separable(
        self, name: str, channels_in: int, channels_out: int
    ) -> tuple[NormalizedConvolution, NormalizedConvolution]:
        full = f"osmn.clicks.{name}_depthwise"
        depthwise = keras.layers.DepthwiseConv2D(
            3,
            padding="same",
            data_format="channels_last",
            use_bias=False,
            depthwise_initializer=self._scaled(full, 9),
            name=full,
            dtype=self.dtype_policy,
        )
        depthwise.build((None, None, None, channels_in))
        pointwise = self._pointwise(f"{name}_pointwise", channels_in, channels_out)
        return NormalizedConvolution(depthwise, channels_in), pointwise

    def _logits(
        self, image: tf.Tensor, spatial: tf.Tensor, gammas: Sequence[tf.Tensor | None], execution: Execution
    ) -> tf.Tensor:
        maps = tf.cast(spatial, self.compute_dtype)
        x = self.stem(tf.cast(image, self.compute_dtype), execution=execution)
        x += self.maps_to_stem(tf.nn.relu(self.maps(maps)))
        features: dict[int, tf.Tensor] = {}
        for number, (depthwise, pointwise) in enumerate(self.blocks, 1):
            x = pointwise(depthwise(x, execution=execution), execution=execution)
            if number in STAGES:
                factor = 2 if len(features) > 1 else 4
                maps = tf.nn.avg_pool2d(maps, factor, factor, "SAME")
                x += self.spatial[number](maps, execution=execution)
            if number in (*STAGES, CLICK_FINE_BLOCK):
                features[number] = x
        return self._decoded(features, tf.shape(image)[1:3], execution)

    def _decoded(self, features: dict[int, tf.Tensor], size: tf.Tensor, execution: Execution) -> tf.Tensor:
        x = self.context(tf.reduce_mean(features[STAGES[-1]], axis=[1, 2], keepdims=True))
        for block in reversed(STAGES):
            x = (x if block == STAGES[-1] else twice(x)) + self.laterals[block](features[block], execution=execution)
            x = self._apply(self.merged[block], x, execution)
        x = twice(x) + self.fine_lateral(features[CLICK_FINE_BLOCK], execution=execution)
        scores = self.score(self._apply(self.fine, x, execution))
        shape = tf.shape(scores)[1:3]
        return resample(scores, *(legacy_bilinear_matrix(shape[axis], size[axis]) for axis in (0, 1)))

    @staticmethod
    def _apply(
        layers: tuple[NormalizedConvolution, NormalizedConvolution], x: tf.Tensor, execution: Execution
    ) -> tf.Tensor:
        depthwise, pointwise = layers
        return pointwise(depthwise(x, execution=execution), execution=execution)

    def freeze_segmentation(self) -> None:
        """See `Osmn.freeze_segmentation`."""
        for layer in self._flatten_layers():
            if layer.name.startswith("osmn.seg."):
                layer.trainable = False

    @property
    def output_bias(self) -> keras.Variable:
        """See `Osmn.output_bias`."""
        return self.score.bias

    def constants(self) -> dict[str, np.ndarray]:
        """See `Osmn.constants`: resizing has no kernels here."""
        return {}

    def l2_weight(self, name: str) -> float:
        """See `Osmn.l2_weight`: no L2 on depthwise kernels, as in `lite`."""
        return L2_WEIGHT if name.endswith("/weights") else 0.0


def twice(x: tf.Tensor) -> tf.Tensor:
    """Return maps (B, H, W, C) at twice the sides, each pixel repeated."""
    shape = tf.shape(x)
    wider = tf.broadcast_to(x[:, :, None, :, None], [shape[0], shape[1], 2, shape[2], 2, x.shape[-1]])
    return tf.reshape(wider, [shape[0], 2 * shape[1], 2 * shape[2], x.shape[-1]])
