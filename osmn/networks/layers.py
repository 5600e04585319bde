"""Layers shared by the four networks: named convolutions, batch normalization, modulation, bilinear upsampling.

A layer's name is the scope of its TF1 variables with "." for "/", so `Osmn.tf1_variables` maps one onto the other.
"""

import zlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from osmn.networks.backend import keras
from osmn.networks.execution import WHOLE, Execution, FactoredBeta, Part


class Initialization(NamedTuple):
    """How a network's variables start.

    Attributes:
        seed: of all initial weights.
        stddev: of the convolutions; 0.001, as published.
        small_embedding: `lite`'s visual embedding starts from small random weights instead of the published constants.
    """

    seed: int = 0
    stddev: float = 0.001
    small_embedding: bool = False

    def normal(self, name: str, truncated: bool = False, stddev: float | None = None) -> keras.Initializer:
        """Return the initializer of the variable `name`, its own pure function of (seed, name)."""
        seed = zlib.crc32(f"{self.seed}/{name}".encode())
        kind = keras.initializers.TruncatedNormal if truncated else keras.initializers.RandomNormal
        return kind(stddev=self.stddev if stddev is None else stddev, seed=seed)


def convolution(
    name: str,
    kernel_size: int,
    channels_in: int,
    channels_out: int,
    dtype: str,
    kernel_initializer: keras.Initializer | str,
    bias: float | None = 0.0,
    **options: Any,
) -> keras.layers.Conv2D:
    """Return a built SAME `keras.layers.Conv2D`; `bias` is its initial bias, None for no bias."""
    layer = keras.layers.Conv2D(
        channels_out,
        kernel_size,
        padding="same",
        data_format="channels_last",
        use_bias=bias is not None,
        kernel_initializer=kernel_initializer,
        bias_initializer=keras.initializers.Constant(bias or 0.0),
        name=name,
        dtype=dtype,
        **options,
    )
    layer.build((None, None, None, channels_in))
    return layer


def wide_dtype(dtype: str) -> str:
    """Return the format of sums and statistics in a network of the dtype policy `dtype`: float32, or float64.

    Half precision is too coarse for sums. A network of float64 is in float64 throughout: with it the rounding of the
    others is judged.
    """
    return "float64" if dtype == "float64" else "float32"


def wide(x: tf.Tensor) -> tf.Tensor:
    """Return a tensor in the format of sums: see `wide_dtype`."""
    return tf.cast(x, wide_dtype(x.dtype.name))


class BatchNormalization(keras.layers.Layer):
    """Batch normalization of (B, H, W, C) with TF1's fused kernel.

    Unlike Keras's, it updates the moving variance with the unbiased batch variance, N / (N - 1), as published. `dtype`
    is the policy of the network that it belongs to.
    """

    def __init__(self, name: str, channels: int, decay: float, epsilon: float = 0.001, dtype: str = "float32") -> None:
        super().__init__(name=name, dtype=wide_dtype(dtype), autocast=False)
        self.decay, self.epsilon = decay, epsilon
        shape = (channels,)
        self.gamma = self.add_weight(shape=shape, initializer="ones", name="gamma")
        self.beta = self.add_weight(shape=shape, initializer="zeros", name="beta")
        self.moving_mean = self.add_weight(shape=shape, initializer="zeros", name="moving_mean", trainable=False)
        self.moving_variance = self.add_weight(shape=shape, initializer="ones", name="moving_variance", trainable=False)
        self.built = True

    def call(self, x: tf.Tensor, execution: Execution) -> tf.Tensor:
        """Normalize (B, H, W, C) by the batch's or the moving statistics, as the `Execution` says.

        Where the batch's statistics are used, the moving statistics are updated.
        """
        offset, scale = self.beta.value, self.gamma.value
        if not execution.batch_statistics:
            return execution.normalize(
                x, self.moving_mean.value, self.moving_variance.value, offset, scale, self.epsilon
            )
        if execution.part.count == 1:
            y, mean, variance = normalize_batch(x, offset, scale, self.epsilon)
        else:
            y, mean, variance = normalize_part(x, offset, scale, self.epsilon, execution.part)
        self.update_moving_statistics(mean, variance)
        return y

    def update_moving_statistics(self, mean: tf.Tensor, variance: tf.Tensor) -> None:
        """Move the statistics toward a batch's mean and unbiased variance, both (C,)."""
        for moving, value in ((self.moving_mean, mean), (self.moving_variance, variance)):
            # Where a variable has a copy for each part of a batch, this assigns to the part's copy; the values agree.
            moved = moving.value - (moving.value - value) * (1 - self.decay)
            tf.raw_ops.AssignVariableOp(resource=moving.value.handle, value=moved)


def normalize_batch(
    x: tf.Tensor, offset: tf.Tensor, scale: tf.Tensor, epsilon: float
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Return x (B, H, W, C) normalized by its own statistics, its mean and its unbiased variance, both (C,).

    TensorFlow's fused kernel does it: it is faster than `normalize_part`, needs the whole batch and has no float64.
    """
    if x.dtype == tf.float64:
        return normalize_part(x, offset, scale, epsilon, WHOLE)
    return tf.compat.v1.nn.fused_batch_norm(x, scale, offset, epsilon=epsilon, is_training=True)


def normalize_part(
    x: tf.Tensor, offset: tf.Tensor, scale: tf.Tensor, epsilon: float, part: Part
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Return what `normalize_batch` does for one `Part` of a batch, with the statistics of the whole batch."""
    values = wide(x)
    count = tf.cast(tf.size(x) // tf.shape(x)[-1] * part.count, values.dtype)
    mean = part.total(tf.reduce_mean(values, axis=[0, 1, 2])) / part.count
    variance = part.total(tf.reduce_mean((values - mean) ** 2, axis=[0, 1, 2])) / part.count
    y = (values - mean) * (tf.math.rsqrt(variance + epsilon) * scale) + offset
    return tf.cast(y, x.dtype), mean, variance * count / (count - 1)


class SpatialModulation(keras.layers.Layer):
    """A stage of the spatial modulator: 1x1 convolution of the guide (no bias), batch norm, ReLU, split over layers."""

    DECAY = 0.99  # as published, in `lite` too

    def __init__(
        self, name: str, channels: Sequence[int], kernel_initializer: keras.Initializer, dtype: str = "float32"
    ) -> None:
        dtype = wide_dtype(dtype)
        super().__init__(name=f"{name}.stage", dtype=dtype, autocast=False)
        self.channels = tuple(channels)
        self.convolution = convolution(name, 1, 1, sum(channels), dtype, kernel_initializer, bias=None)
        self.normalization = BatchNormalization(f"{name}.BatchNorm", sum(channels), self.DECAY, dtype=dtype)
        self.built = True

    def call(self, guide: tf.Tensor, execution: Execution) -> list[tf.Tensor] | list[FactoredBeta]:
        """Map the pooled guide (B, H, W, 1) to one beta for each modulated layer of the stage, for `modulate`.

        In training a beta is a map (B, H, W, C), else a FactoredBeta.
        """
        if not execution.training:
            return self.factored(guide)
        maps = tf.nn.relu(self.normalization(self.convolution(guide), execution=execution))
        return tf.split(maps, self.channels, axis=-1)

    def factored(self, guide: tf.Tensor) -> list[FactoredBeta]:
        """Return the betas by the moving statistics, as FactoredBetas.

        The convolution has a single input channel. So the stage is one linear function of the guide per channel, and no
        map of all channels needs memory before the features are added.
        """
        norm = self.normalization
        scale = norm.gamma.value * tf.math.rsqrt(norm.moving_variance.value + norm.epsilon)
        slope = scale * tf.reshape(self.convolution.kernel.value, [-1])
        intercept = norm.beta.value - scale * norm.moving_mean.value
        pieces = zip(tf.split(slope, self.channels), tf.split(intercept, self.channels), strict=True)
        return [FactoredBeta(guide, *piece) for piece in pieces]


def transposed_bilinear_matrix(size: tf.Tensor, stride: int, cropped_size: tf.Tensor) -> tf.Tensor:
    """Return the (cropped_size, size) matrix of a 1-D bilinear transposed convolution, center-cropped.

    As published: kernel 2 * stride, VALID, so the result has (size + 1) * stride values; the crop starts at half of
    what is left over.
    """
    offset = ((size + 1) * stride - cropped_size) // 2
    rows = tf.cast(tf.range(cropped_size) + offset, tf.float32)[:, None]
    columns = tf.cast(tf.range(size) * stride, tf.float32)[None, :]
    return tf.nn.relu(1 - tf.abs(rows - columns - (stride - 0.5)) / stride)


def legacy_bilinear_matrix(size: tf.Tensor, new_size: tf.Tensor) -> tf.Tensor:
    """Return the (new_size, size) matrix of TF1's bilinear resize: position i reads i * size / new_size."""
    scale = tf.cast(size, tf.float32) / tf.cast(new_size, tf.float32)
    positions = tf.cast(tf.range(new_size), tf.float32) * scale
    positions = tf.minimum(positions, tf.cast(size - 1, tf.float32))
    return tf.nn.relu(1 - tf.abs(positions[:, None] - tf.cast(tf.range(size), tf.float32)[None, :]))


def resample(maps: tf.Tensor, rows: tf.Tensor, columns: tf.Tensor) -> tf.Tensor:
    """Return `rows @ maps @ columns^T` for maps (B, h, w, 1), rows (H, h), columns (W, w): (B, H, W, 1), wide."""
    maps = wide(maps[..., 0])
    wider = tf.einsum("bhw,xw->bhx", maps, tf.cast(columns, maps.dtype))
    return tf.einsum("yh,bhx->byx", tf.cast(rows, maps.dtype), wider)[..., None]


def fused_side_output(features: tf.Tensor, side: keras.layers.Conv2D, fuse_kernel: tf.Tensor) -> tf.Tensor:
    """Return the (B, H, W, 1) part of the logits that a side convolution (3x3, C -> 16) and its fusion (16 -> 1) give.

    Both are linear, and so is the upsampling between them, which treats channels alike: their product is one 3x3
    convolution (C -> 1), before the upsampling. `side` is the Conv2D, `fuse_kernel` (1, 1, 16, 1).
    """
    fuse = wide(fuse_kernel)[0, 0]
    kernel = tf.tensordot(wide(side.kernel.value), fuse, axes=1)
    bias = tf.tensordot(wide(side.bias.value), fuse, axes=1)
    return single_channel_convolution(features, kernel[..., 0]) + bias


TAPS = 9  # Of a 3x3 kernel.


def single_channel_convolution(x: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """Return the SAME convolution of x (B, H, W, C) with a 3x3 kernel (3, 3, C) to one channel: wide (B, H, W, 1).

    A 1x1 convolution gives the nine taps of each pixel, which are then shifted and summed: a third of the time of a 3x3
    convolution, whose CPU kernels are made for many output channels. A matrix product would not do: OpenVINO changes
    the layout before it, and OpenVINO's int8 product to nine columns is wrong at fixed sizes (2026.4).
    """
    height, width = tf.shape(x)[1], tf.shape(x)[2]
    taps = tf.transpose(tf.reshape(kernel, [TAPS, -1]))
    products = wide(tf.nn.conv2d(x, tf.cast(taps, x.dtype)[None, None], 1, "SAME"))
    padded = tf.pad(products, [[0, 0], [1, 1], [1, 1], [0, 0]])
    shifted = [padded[:, k // 3 : k // 3 + height, k % 3 : k % 3 + width, k : k + 1] for k in range(TAPS)]
    return tf.add_n(shifted)


def bilinear_kernel(size: int, channels: int) -> np.ndarray:
    """Return the fixed (size, size, channels, channels) kernel of a bilinear transposed convolution, float32 array."""
    factor = size // 2
    line = 1 - abs(np.arange(size) - (factor - 0.5)) / factor
    return (np.outer(line, line)[:, :, None, None] * np.eye(channels)).astype(np.float32)
