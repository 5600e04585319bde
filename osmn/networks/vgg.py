"""The VGG16 networks: both modulators and the segmentation nets `osvos`, `deeplab` and `masktrack`."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from osmn.config import ModelConfig
from osmn.networks.backend import keras
from osmn.networks.base import Osmn, gamma_dtype
from osmn.networks.execution import Execution
from osmn.networks.layers import (
    Initialization,
    SpatialModulation,
    bilinear_kernel,
    convolution,
    fused_side_output,
    resample,
    transposed_bilinear_matrix,
    wide,
    wide_dtype,
)

VGG16_STAGES = ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512))  # (layers, channels) of each stage
FIRST_MODULATED_STAGE = 3  # as published; 1 with `mod_early_conv`
L2_WEIGHT = 0.0002
SIDE_STAGES = (2, 3, 4, 5)
SIDE_CHANNELS = 16
DILATED_RATES = (6, 12, 18, 24)
DILATED_CHANNELS = 1024
DILATED_STRIDE = 8
DROPOUT_RATE = 0.5


class Variant(NamedTuple):
    """What distinguishes the segmentation nets that share VGG16's stages."""

    pool_size: int = 2
    dilated: bool = False  # pool 4 has stride 1, stage 5 is dilated by 2, four dilated branches instead of side outputs
    branch_head: str = ""  # name of the dilated branches' last layer
    guide_as_input: bool = False  # the spatial guide is the first of four input channels; no spatial modulator


VARIANTS = {
    "osvos": Variant(),
    "deeplab": Variant(dilated=True, branch_head="fc8_voc12"),
    "masktrack": Variant(pool_size=3, dilated=True, branch_head="fc8", guide_as_input=True),
}


def build_stages(
    scope: str, channels_in: int, dtype: str, initialization: Initialization, dilation: Sequence[int] = (1, 1, 1, 1, 1)
) -> list[list[keras.layers.Conv2D]]:
    """Return VGG16's 13 convolutions as a list of five lists of layers named `<scope>.convS.convS_L`."""
    stages = []
    for stage, (layers, channels) in enumerate(VGG16_STAGES, 1):
        convolutions = []
        for layer in range(1, layers + 1):
            name = f"{scope}.conv{stage}.conv{stage}_{layer}"
            initial = initialization.normal(name)
            rate = dilation[stage - 1]
            convolutions.append(
                convolution(name, 3, channels_in, channels, dtype, initial, activation="relu", dilation_rate=rate)
            )
            channels_in = channels
        stages.append(convolutions)
    return stages


def dropout(x: tf.Tensor, execution: Execution, layer: int) -> tf.Tensor:
    """Drop half of the values, as published; a pure function of the execution's seed and the layer's number."""
    if execution.dropout_seed is None:
        return x
    batch, part = tf.shape(x)[0], execution.part
    # Drawn for the whole batch, so that the number of its parts does not count.
    shape = tf.concat([[batch * part.count], tf.shape(x)[1:]], axis=0)
    kept = tf.random.stateless_uniform(shape, tf.random.fold_in(execution.dropout_seed, layer)) >= DROPOUT_RATE
    kept = kept[part.number * batch : (part.number + 1) * batch]
    return tf.where(kept, x / (1 - DROPOUT_RATE), tf.zeros_like(x))


class VisualModulator(keras.layers.Layer):
    """VGG16 classifier of the visual guide whose last layer gives one gamma per modulated channel."""

    def __init__(self, modulated_channels: Sequence[int], dtype: str, initialization: Initialization) -> None:
        super().__init__(name="visual_modulator", dtype=dtype, autocast=False)
        self.modulated_channels = tuple(modulated_channels)
        scope = "osmn.modulator"
        self.stages = build_stages(scope, 3, dtype, initialization)
        self.hidden = [
            convolution(name, size, c_in, c_out, dtype, initialization.normal(name))
            for name, size, c_in, c_out in ((f"{scope}.fc6", 7, 512, 4096), (f"{scope}.fc7", 1, 4096, 4096))
        ]
        # Weights 0 and bias 1: training starts from gammas of 1.
        self.output_layer = convolution(f"{scope}.fc8", 1, 4096, sum(self.modulated_channels), dtype, "zeros", bias=1.0)
        self.built = True

    def call(self, guide: tf.Tensor, execution: Execution) -> list[tf.Tensor]:
        """Map visual guides (B, 224, 224, 3) to one gamma (B, 1, 1, C) per modulated layer."""
        *_, x = self._stages(guide)
        x = tf.nn.max_pool2d(x, 2, 2, "SAME")
        for number, layer in enumerate(self.hidden):
            x = dropout(tf.nn.relu(fully_connected(layer, x)), execution, number)
        return tf.split(fully_connected(self.output_layer, x), self.modulated_channels, axis=-1)

    def features(self, image: tf.Tensor, execution: Execution) -> tuple[tf.Tensor, tf.Tensor]:
        """See `Osmn.appearance`: of conv4_3 and of conv5_3."""
        *_, fine, coarse = self._stages(image)
        return wide(fine), wide(coarse)

    def _stages(self, image: tf.Tensor) -> Iterator[tf.Tensor]:
        """Yield the features (B, h, w, C) of one stage after the other, before they are pooled."""
        x = tf.cast(image, self.compute_dtype)
        for number, stage in enumerate(self.stages):
            if number:
                x = tf.nn.max_pool2d(x, 2, 2, "SAME")
            for layer in stage:
                x = layer(x)
            yield x


def fully_connected(layer: keras.layers.Conv2D, x: tf.Tensor) -> tf.Tensor:
    """Apply a VALID convolution that covers the whole of x (B, H, W, C): (B, 1, 1, C')."""
    product = covering_convolution(x, tf.cast(layer.kernel.value, x.dtype))
    return tf.nn.bias_add(product, tf.cast(layer.bias.value, x.dtype))


@tf.custom_gradient
def covering_convolution(
    x: tf.Tensor, kernel: tf.Tensor
) -> tuple[tf.Tensor, Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]]:
    """Return the VALID convolution of x (B, H, W, C) with a kernel (H, W, C, C'): (B, 1, 1, C').

    As matrix products, its gradients too, because the CPU's convolution kernels take up to eight times as long for fc6.
    """
    rows, columns = tf.reshape(x, [tf.shape(x)[0], -1]), tf.reshape(kernel, [-1, kernel.shape[-1]])

    def gradients(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        upstream = upstream[:, 0, 0, :]
        x_gradient = tf.matmul(upstream, columns, transpose_b=True)
        kernel_gradient = tf.matmul(rows, upstream, transpose_a=True)
        return tf.reshape(x_gradient, tf.shape(x)), tf.reshape(kernel_gradient, kernel.shape)

    return tf.matmul(rows, columns)[:, None, None, :], gradients


class VggOsmn(Osmn):
    """OSMN on VGG16."""

    def __init__(self, config: ModelConfig, dtype: str, initialization: Initialization) -> None:
        first_modulated = 1 if config.mod_early_conv else FIRST_MODULATED_STAGE
        modulated = VGG16_STAGES[first_modulated - 1 :]
        channels = [c for layers, c in modulated for _ in range(layers)]
        super().__init__(config, dtype, channels)
        self.first_modulated = first_modulated
        self.variant = VARIANTS[config.base_model]
        self.visual = None
        if not config.no_visual_modulator:
            self.visual = VisualModulator(channels, gamma_dtype(dtype), initialization)
        self.spatial = {}
        if not config.no_spatial_modulator and not self.variant.guide_as_input:
            for stage, (layers, c) in enumerate(modulated, self.first_modulated):
                name = f"osmn.modulator_sp.conv{stage}"
                self.spatial[stage] = SpatialModulation(name, [c] * layers, initialization.normal(name), dtype)
        dilation = (1, 1, 1, 1, 2) if self.variant.dilated else (1, 1, 1, 1, 1)
        channels_in = 4 if self.variant.guide_as_input else 3
        self.stages = build_stages("osmn.seg", channels_in, dtype, initialization, dilation)
        if self.variant.dilated:
            self.branches = self._build_branches(dtype, initialization)
        else:
            self.sides, self.fuse = self._build_sides(dtype, initialization)
        self.built = True

    def _build_sides(
        self, dtype: str, initialization: Initialization
    ) -> tuple[list[keras.layers.Conv2D], keras.layers.Conv2D]:
        sides = []
        for stage in SIDE_STAGES:
            layers, channels = VGG16_STAGES[stage - 1]
            name = f"osmn.seg.conv{stage}_{layers}_{SIDE_CHANNELS}"
            sides.append(convolution(name, 3, channels, SIDE_CHANNELS, dtype, initialization.normal(name)))
        name = "osmn.seg.upscore-fuse"
        fuse = convolution(name, 1, SIDE_CHANNELS * len(sides), 1, dtype, initialization.normal(name))
        return sides, fuse

    def _build_branches(self, dtype: str, initialization: Initialization) -> list[list[keras.layers.Conv2D]]:
        def build(name: str, size: int, c_in: int, c_out: int, **options: Any) -> keras.layers.Conv2D:
            return convolution(name, size, c_in, c_out, dtype, initialization.normal(name), **options)

        branches = []
        for number, rate in enumerate(DILATED_RATES, 1):
            fc6, fc7, head = (f"osmn.seg.{layer}_{number}" for layer in ("fc6", "fc7", self.variant.branch_head))
            channels = DILATED_CHANNELS
            branches.append(
                [
                    build(fc6, 3, VGG16_STAGES[-1][1], channels, activation="relu", dilation_rate=rate),
                    build(fc7, 1, channels, channels, activation="relu"),
                    build(head, 1, channels, 1),
                ]
            )
        return branches

    def freeze_segmentation(self) -> None:
        """See `Osmn.freeze_segmentation`."""
        for layer in self._flatten_layers():
            # As released: everything of the segmentation net but the fusion.
            if layer.name.startswith("osmn.seg.") and not layer.name.endswith("upscore-fuse"):
                layer.trainable = False

    def _logits(
        self, image: tf.Tensor, spatial: tf.Tensor, gammas: Sequence[tf.Tensor | None], execution: Execution
    ) -> tf.Tensor:
        size = tf.shape(image)[1:3]
        next_gammas = iter(gammas)
        x = image
        if self.variant.guide_as_input:
            image = tf.broadcast_to(image, tf.concat([tf.shape(spatial)[:3], [3]], axis=0))
            x = tf.concat([tf.cast(spatial, image.dtype), image], axis=-1)
        x = tf.cast(x, self.compute_dtype)
        guide = tf.cast(spatial, wide_dtype(self.compute_dtype))
        side_outputs = []
        for stage, layers in enumerate(self.stages, 1):
            if stage > 1:
                stride = 1 if stage == 5 and self.variant.dilated else 2
                x = tf.nn.max_pool2d(x, self.variant.pool_size, stride, "SAME")
                if stride == 2:
                    guide = tf.nn.avg_pool2d(guide, 2, 2, "SAME")
            betas = [None] * len(layers)
            if stage in self.spatial:
                betas = self.spatial[stage](guide, execution=execution)
            for layer, beta in zip(layers, betas, strict=True):
                x = layer(x)
                if stage >= self.first_modulated:
                    x = execution.modulate(x, next(next_gammas), beta)
            side_outputs.append(x)
        if self.variant.dilated:
            return self._dilated_logits(x, size, execution)
        return self._side_logits(side_outputs[1:], size)

    def _side_logits(self, features: Sequence[tf.Tensor], size: tf.Tensor) -> tf.Tensor:
        logits = tf.identity(wide(self.fuse.bias.value))
        kernels = tf.split(self.fuse.kernel.value, len(SIDE_STAGES), axis=2)
        for stage, x, side, kernel in zip(SIDE_STAGES, features, self.sides, kernels, strict=True):
            scores = fused_side_output(x, side, kernel)
            matrices = [
                transposed_bilinear_matrix(tf.shape(scores)[axis], 2 ** (stage - 1), size[axis - 1]) for axis in (1, 2)
            ]
            logits += resample(scores, *matrices)
        return logits

    def _dilated_logits(self, x: tf.Tensor, size: tf.Tensor, execution: Execution) -> tf.Tensor:
        x = tf.nn.max_pool2d(x, 3, 1, "SAME")
        scores = 0.0
        for number, (fc6, fc7, fc8) in enumerate(self.branches):
            hidden = dropout(fc6(x), execution, 10 + 2 * number)
            hidden = dropout(fc7(hidden), execution, 11 + 2 * number)
            scores += wide(fc8(hidden))
        rows, columns = (
            transposed_bilinear_matrix(tf.shape(scores)[axis], DILATED_STRIDE, size[axis - 1]) for axis in (1, 2)
        )
        return resample(scores, rows, columns)

    @property
    def output_bias(self) -> keras.Variable:
        """See `Osmn.output_bias`; the dilated nets, which sum their branches, have it in the first branch."""
        return self.branches[0][-1].bias if self.variant.dilated else self.fuse.bias

    def constants(self) -> dict[str, np.ndarray]:
        """See `Osmn.constants`: the kernels of the transposed convolutions."""
        if self.variant.dilated:
            return {"osmn/seg/score-up/weights": bilinear_kernel(2 * DILATED_STRIDE, 1)}
        return {
            f"osmn/seg/score-multi{stage}-up/weights": bilinear_kernel(2**stage, SIDE_CHANNELS) for stage in SIDE_STAGES
        }

    def l2_weight(self, name: str) -> float:
        """See `Osmn.l2_weight`: the same for every convolution kernel, as published."""
        return L2_WEIGHT if name.endswith("/weights") else 0.0
