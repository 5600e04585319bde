"""The network `lite`: MobileNet v1 for the visual modulator and for the segmentation net."""

import itertools
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import tensorflow as tf

from osmn.config import (
    APPEARANCE_BLOCKS,
    EMBEDDING_CHANNELS,
    MOBILENET_BLOCKS,
    MODULATED_BLOCKS,
    SIDE_CHANNELS,
    STEM_CHANNELS,
    ModelConfig,
)
from osmn.networks.backend import keras
from osmn.networks.base import Osmn, gamma_dtype
from osmn.networks.execution import Execution
from osmn.networks.layers import (
    BatchNormalization,
    Initialization,
    SpatialModulation,
    convolution,
    fused_side_output,
    legacy_bilinear_matrix,
    resample,
    wide,
    wide_dtype,
)

BATCH_NORM_DECAY = 0.997
L2_WEIGHT = 0.00004
SMALL_EMBEDDING_STDDEV = 0.002
MOBILENET_STDDEV = 0.09  # TF-slim's initial weights of MobileNet: batch norm with epsilon 0.001 would erase N(0, 0.001)


class NormalizedConvolution(keras.layers.Layer):
    """Convolution without bias, batch norm, ReLU6."""

    def __init__(self, convolution_layer: keras.layers.Layer, channels: int) -> None:
        super().__init__(name=f"{convolution_layer.name}.block", dtype=convolution_layer.dtype_policy)
        self.convolution = convolution_layer
        name, dtype = f"{convolution_layer.name}.BatchNorm", convolution_layer.compute_dtype
        self.normalization = BatchNormalization(name, channels, BATCH_NORM_DECAY, dtype=dtype)
        self.built = True

    def call(self, x: tf.Tensor, execution: Execution) -> tf.Tensor:
        """Map (B, H, W, C) to (B, H / stride, W / stride, C')."""
        return tf.nn.relu6(self.normalization(self.convolution(x), execution=execution))


def build_mobilenet(
    scope: str, dtype: str, initialization: Initialization
) -> tuple[NormalizedConvolution, list[tuple[NormalizedConvolution, NormalizedConvolution]]]:
    """Return MobileNet's stem and its 13 blocks: a NormalizedConvolution and a list of pairs (depthwise, pointwise)."""

    def normal(name: str) -> keras.Initializer:
        return initialization.normal(name, truncated=True, stddev=MOBILENET_STDDEV)

    name = f"{scope}.Conv2d_0"
    stem = convolution(name, 3, 3, STEM_CHANNELS, dtype, normal(name), bias=None, strides=2)
    channels_in, blocks = STEM_CHANNELS, []
    for number, (stride, channels) in enumerate(MOBILENET_BLOCKS, 1):
        name = f"{scope}.Conv2d_{number}_depthwise"
        depthwise = keras.layers.DepthwiseConv2D(
            3,
            stride,
            "same",
            data_format="channels_last",
            use_bias=False,
            depthwise_initializer=normal(name),
            name=name,
            dtype=dtype,
        )
        depthwise.build((None, None, None, channels_in))
        name = f"{scope}.Conv2d_{number}_pointwise"
        pointwise = convolution(name, 1, channels_in, channels, dtype, normal(name), bias=None)
        blocks.append((NormalizedConvolution(depthwise, channels_in), NormalizedConvolution(pointwise, channels)))
        channels_in = channels
    return NormalizedConvolution(stem, STEM_CHANNELS), blocks


class VisualModulator(keras.layers.Layer):
    """MobileNet on the visual guide, and a linear head per modulated block."""

    def __init__(self, modulated_channels: Sequence[int], dtype: str, initialization: Initialization) -> None:
        super().__init__(name="visual_modulator", dtype=dtype, autocast=False)
        self.stem, self.blocks = build_mobilenet("osmn.modulator", dtype, initialization)
        name, channels_in = "osmn.modulator.Logits.Conv2d_1c_1x1", MOBILENET_BLOCKS[-1][1]
        # As published, weights 0 and bias 1. All units then have the same gradient and stay equal for ever; and a head
        # sums 2048 values of 1, so that Adam's first steps move its gammas by 2048 times the rate.
        start, bias = "zeros", 1.0
        if initialization.small_embedding:
            start, bias = initialization.normal(name, stddev=SMALL_EMBEDDING_STDDEV), 0.0
        self.embedding = convolution(name, 1, channels_in, EMBEDDING_CHANNELS, dtype, start, bias, activation="relu")
        # Weights 0 and bias 1, as published: training starts from gammas of 1.
        self.heads = [
            convolution(f"osmn.Conv2d_out_{number}", 1, EMBEDDING_CHANNELS, channels, dtype, "zeros", bias=1.0)
            for number, channels in enumerate(modulated_channels, 1)
        ]
        self.built = True

    def call(self, guide: tf.Tensor, execution: Execution) -> list[tf.Tensor]:
        """Map visual guides (B, 224, 224, 3) to one gamma (B, 1, 1, C) per modulated block."""
        *_, x = self._blocks(guide, execution)
        x = self.embedding(tf.nn.avg_pool2d(x, 7, 7, "VALID"))
        return [head(copy) for head, copy in zip(self.heads, copies(x, len(self.heads)), strict=True)]

    def features(self, image: tf.Tensor, execution: Execution) -> tuple[tf.Tensor, tf.Tensor]:
        """See `Osmn.appearance`."""
        wanted = itertools.islice(self._blocks(image, execution), max(APPEARANCE_BLOCKS))
        fine, coarse = (wide(x) for number, x in enumerate(wanted, 1) if number in APPEARANCE_BLOCKS)
        return fine, coarse

    def _blocks(self, image: tf.Tensor, execution: Execution) -> Iterator[tf.Tensor]:
        """Yield the features (B, h, w, C) of one block after the other."""
        x = self.stem(tf.cast(image, self.compute_dtype), execution=execution)
        for depthwise, pointwise in self.blocks:
            x = pointwise(depthwise(x, execution=execution), execution=execution)
            yield x


def copies(x: tf.Tensor, count: int) -> list[tf.Tensor]:
    """Return a list of `count` copies of `x`, one for each of so many layers; their gradients are summed in one order.

    Where a tensor has more than two uses, automatic differentiation sums by AddN. The order of AddN, and so its
    rounding, varies with the memory that it can reuse: of six repeated steps here, one or two differed.
    """

    @tf.custom_gradient
    def copy(x: tf.Tensor) -> tuple[list[tf.Tensor], Callable[..., tf.Tensor]]:
        return [tf.identity(x) for _ in range(count)], lambda *gradients: tf.reduce_sum(tf.stack(gradients), axis=0)

    return copy(x)


class LiteOsmn(Osmn):
    """OSMN on MobileNet."""

    def __init__(self, config: ModelConfig, dtype: str, initialization: Initialization) -> None:
        channels = [MOBILENET_BLOCKS[block - 1][1] for block in MODULATED_BLOCKS]
        super().__init__(config, dtype, channels)
        self.visual = None
        if not config.no_visual_modulator:
            self.visual = VisualModulator(channels, gamma_dtype(dtype), initialization)
        self.spatial = {}
        if not config.no_spatial_modulator:
            for block, c in zip(MODULATED_BLOCKS, channels, strict=True):
                name = f"osmn.modulator_sp.conv{block}"
                self.spatial[block] = SpatialModulation(name, [c], initialization.normal(name), dtype)
        self.stem, self.blocks = build_mobilenet("osmn.seg", dtype, initialization)
        self.sides = [
            convolution(name, 3, c, SIDE_CHANNELS, dtype, initialization.normal(name))
            for name, c in zip((f"osmn.conv{block}_16" for block in MODULATED_BLOCKS), channels, strict=True)
        ]
        name = "osmn.score"
        self.fuse = convolution(name, 1, SIDE_CHANNELS * len(self.sides), 1, dtype, initialization.normal(name))
        self.built = True

    def freeze_segmentation(self) -> None:
        """See `Osmn.freeze_segmentation`."""
        for layer in self._flatten_layers():
            if layer.name.startswith("osmn.seg.") or layer in self.sides:
                layer.trainable = False

    def _logits(
        self, image: tf.Tensor, spatial: tf.Tensor, gammas: Sequence[tf.Tensor | None], execution: Execution
    ) -> tf.Tensor:
        next_gammas = iter(gammas)
        guide = tf.cast(spatial, wide_dtype(self.compute_dtype))
        features: list[tf.Tensor] = []
        x = self.stem(tf.cast(image, self.compute_dtype), execution=execution)
        for number, (depthwise, pointwise) in enumerate(self.blocks, 1):
            x = pointwise(depthwise(x, execution=execution), execution=execution)
            if number in MODULATED_BLOCKS:
                factor = 2 if features else 4
                guide = tf.nn.avg_pool2d(guide, factor, factor, "SAME")
                (beta,) = self.spatial[number](guide, execution=execution) if self.spatial else (None,)
                x = execution.modulate(x, next(next_gammas), beta)
                features.append(x)
        return self._side_logits(features, tf.shape(image)[1:3])

    def _side_logits(self, features: Sequence[tf.Tensor], size: tf.Tensor) -> tf.Tensor:
        half = (size + 1) // 2
        logits = tf.identity(wide(self.fuse.bias.value))
        kernels = tf.split(self.fuse.kernel.value, len(self.sides), axis=2)
        # Resized twice, as published: to half of the image's size, and from there to the whole.
        whole = [legacy_bilinear_matrix(half[axis], size[axis]) for axis in (0, 1)]
        for x, side, kernel in zip(features, self.sides, kernels, strict=True):
            scores = fused_side_output(x, side, kernel)
            shape = tf.shape(scores)[1:3]
            matrices = [whole[axis] @ legacy_bilinear_matrix(shape[axis], half[axis]) for axis in (0, 1)]
            logits += resample(scores, *matrices)
        return logits

    @property
    def output_bias(self) -> keras.Variable:
        """See `Osmn.output_bias`."""
        return self.fuse.bias

    def constants(self) -> dict[str, np.ndarray]:
        """See `Osmn.constants`: resizing has no kernels here."""
        return {}

    def l2_weight(self, name: str) -> float:
        """See `Osmn.l2_weight`: no L2 on depthwise kernels, as published."""
        return L2_WEIGHT if name.endswith("/weights") else 0.0
