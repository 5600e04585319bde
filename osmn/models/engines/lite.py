"""The graphs of a `lite` network for OpenVINO, built of its weights without TensorFlow, whose import takes seconds.

The graphs are those of `models.export`, and compute what `networks.mobilenet` does. Features are (N, C, H, W) here, as
OpenVINO wants them; inputs and outputs are as `models.export` describes them.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from osmn.config import (
    APPEARANCE_BLOCKS,
    EMBEDDING_CHANNELS,
    MOBILENET_BLOCKS,
    MODULATED_BLOCKS,
    SIDE_CHANNELS,
    STEM_CHANNELS,
    ModelConfig,
)
from osmn.inputs.published import GUIDE_SIDE
from osmn.models.engines import APPEARANCE, FRAME, GUIDE, engine_import

if TYPE_CHECKING:  # It may not be installed.
    import openvino

EPSILON = 0.001  # Of batch norm.
RELU6 = 6.0
# Blocks whose pointwise convolutions are in int8, where that is asked for. Of the segmentation net, 6 in 10 of all
# products: the first four would take most from the masks, with them IoU with float32's is 0.987 (lowest 0.968), without
# 0.993 (0.984). Target models are fitted to the visual modulator's features as they are: these may be rougher.
INT8_BLOCKS = {"osmn/seg": range(5, 14), "osmn/modulator": range(1, max(APPEARANCE_BLOCKS) + 1)}
SMALLEST_WEIGHT = 1e-8  # Of an output channel's largest, so that a channel of zeros has a scale.
NORM = ("beta", "gamma", "moving_mean", "moving_variance")
Weights = Mapping[str, np.ndarray]


class Shapes(dict[str, tuple[int, ...]]):
    """{TF1 name: shape} of variables."""

    def normalized(self, name: str, kernel: str, *shape: int) -> None:
        """Add a convolution with its batch norm; `kernel` is "weights" or "depthwise_weights"."""
        self[f"{name}/{kernel}"] = shape
        channels = shape[2] if kernel == "depthwise_weights" else shape[3]
        self.update({f"{name}/BatchNorm/{each}": (channels,) for each in NORM})

    def convolution(self, name: str, *shape: int) -> None:
        """Add a convolution with its bias."""
        self.update({f"{name}/weights": shape, f"{name}/biases": shape[-1:]})


def mobilenet_shapes(shapes: Shapes, scope: str) -> None:
    """Add the variables of a MobileNet to `shapes`."""
    shapes.normalized(f"{scope}/Conv2d_0", "weights", 3, 3, 3, STEM_CHANNELS)
    before = STEM_CHANNELS
    for number, (_, channels) in enumerate(MOBILENET_BLOCKS, 1):
        shapes.normalized(f"{scope}/Conv2d_{number}_depthwise", "depthwise_weights", 3, 3, before, 1)
        shapes.normalized(f"{scope}/Conv2d_{number}_pointwise", "weights", 1, 1, before, channels)
        before = channels


def wanted(config: ModelConfig) -> dict[str, tuple[int, ...]]:
    """Return {TF1 name: shape} of all variables of a `lite` network, sorted by name."""
    shapes = Shapes()
    for scope in ("osmn/seg",) if config.no_visual_modulator else ("osmn/seg", "osmn/modulator"):
        mobilenet_shapes(shapes, scope)
    if not config.no_visual_modulator:
        shapes.convolution("osmn/modulator/Logits/Conv2d_1c_1x1", 1, 1, MOBILENET_BLOCKS[-1][1], EMBEDDING_CHANNELS)
    for number, block in enumerate(MODULATED_BLOCKS, 1):
        channels = MOBILENET_BLOCKS[block - 1][1]
        shapes.convolution(f"osmn/conv{block}_16", 3, 3, channels, SIDE_CHANNELS)
        if not config.no_visual_modulator:
            shapes.convolution(f"osmn/Conv2d_out_{number}", 1, 1, EMBEDDING_CHANNELS, channels)
        if not config.no_spatial_modulator:
            shapes.normalized(f"osmn/modulator_sp/conv{block}", "weights", 1, 1, 1, channels)
    shapes.convolution("osmn/score", 1, 1, SIDE_CHANNELS * len(MODULATED_BLOCKS), 1)
    return dict(sorted(shapes.items()))


class BuiltGraphs(Mapping[str, "openvino.Model"]):
    """{name: OpenVINO model}, of which each is built when it is asked for; `builders` has a function for each name."""

    def __init__(self, builders: Mapping[str, Callable[[], openvino.Model]]) -> None:
        self._builders = builders

    def __getitem__(self, name: str) -> openvino.Model:
        return self._builders[name]()

    def __iter__(self) -> Iterator[str]:
        return iter(self._builders)

    def __len__(self) -> int:
        return len(self._builders)


def graphs(config: ModelConfig, weights: Weights, int8: bool = False) -> BuiltGraphs:
    """Return {`engines.FRAME`, ...: OpenVINO model} of a `lite` network, for any size and number of objects.

    Args:
        config: ModelConfig.
        weights: {TF1 name: float32 array}, as `wanted` lists them.
        int8: whether the graphs of frames compute in int8 what loses little by it; see `_LiteBuilder`.
    """
    build = _LiteBuilder(config, weights, int8)
    # In float32 the guide's graph: its errors would stay for the whole video.
    of_visual_modulator = {GUIDE: _LiteBuilder(config, weights).guide, APPEARANCE: build.appearance}
    return BuiltGraphs({FRAME: build.frame} | ({} if config.no_visual_modulator else of_visual_modulator))


class Builder:
    """Builds graphs of layers whose weights are given, {TF1 name: float32 array}."""

    def __init__(self, config: ModelConfig, weights: Weights) -> None:
        self._openvino = engine_import("openvino")
        self._ops = engine_import("openvino.opset13")
        self._config, self._weights = config, weights

    def _normalized(self, x: openvino.Node, name: str, stride: int = 1) -> openvino.Node:
        """Return a convolution with its batch norm and ReLU6."""
        scale, offset = self._norm(name)
        if (depthwise := self._weights.get(f"{name}/depthwise_weights")) is not None:
            kernel = (depthwise[..., 0] * scale).transpose(2, 0, 1)[:, None, None]
            convolve = self._ops.group_convolution
        else:
            kernel = (self._weights[f"{name}/weights"] * scale).transpose(3, 2, 0, 1)
            convolve = self._ops.convolution
        x, kernel = self._quantized(x, kernel, name)
        y = convolve(x, kernel, [stride] * 2, [0, 0], [0, 0], [1, 1], auto_pad="same_upper")
        return self._ops.clamp(self._ops.add(y, self._constant(offset, per_channel=True)), 0.0, RELU6)

    def _quantized(self, x: openvino.Node, kernel: np.ndarray, name: str) -> tuple[openvino.Node, openvino.Node]:
        """Return the input and the kernel (C', C, h, w) of the convolution `name`, in the format that it computes in.

        Here that is the format of the whole graph.
        """
        return x, self._constant(kernel)

    def _norm(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Return what a batch norm by moving statistics multiplies by and adds, both (C,)."""
        beta, gamma, mean, variance = (self._weights[f"{name}/BatchNorm/{each}"].astype(np.float64) for each in NORM)
        scale = gamma / np.sqrt(variance + EPSILON)
        return scale, beta - scale * mean

    def _plain(self, x: openvino.Node, name: str, stride: int = 1) -> openvino.Node:
        """Return a convolution with its bias."""
        kernel = self._constant(self._weights[f"{name}/weights"].transpose(3, 2, 0, 1))
        y = self._ops.convolution(x, kernel, [stride] * 2, [0, 0], [0, 0], [1, 1], auto_pad="same_upper")
        return self._ops.add(y, self._constant(self._weights[f"{name}/biases"], per_channel=True))

    def _bilinear(self, size: openvino.Node, new_size: openvino.Node, axis: int) -> openvino.Node:
        """Return the matrix of `layers.legacy_bilinear_matrix` for the height (`axis` 0) or the width (1)."""
        ops = self._ops
        old, new = (
            ops.convert(ops.gather(each, self._int64_scalar(axis), self._int64_scalar(0)), "f32")
            for each in (size, new_size)
        )
        zero, one = self._scalar(0), self._scalar(1)
        columns = ops.range(zero, old, one, "f32")
        positions = ops.multiply(ops.range(zero, new, one, "f32"), ops.divide(old, new))
        positions = ops.unsqueeze(ops.minimum(positions, ops.subtract(old, one)), self._int64(1))
        return ops.relu(ops.subtract(one, ops.abs(ops.subtract(positions, columns))))

    def _size(self, x: openvino.Node) -> openvino.Node:
        """Return the (height, width) of (N, C, H, W), int64."""
        return self._ops.gather(self._ops.shape_of(x), self._int64(2, 3), self._int64_scalar(0))

    def _input(self, name: str, shape: Sequence[int]) -> openvino.Node:
        found = self._ops.parameter(list(shape), np.float32, name=name)
        found.output(0).set_names({name})
        return found

    def _model(self, outputs: Mapping[str, openvino.Node], inputs: Sequence[openvino.Node]) -> openvino.Model:
        for name, output in outputs.items():
            output.output(0).set_names({name})
        return self._openvino.Model([self._ops.result(each) for each in outputs.values()], list(inputs), "osmn")

    def _channels_first(self, x: openvino.Node) -> openvino.Node:
        return self._ops.transpose(x, self._int64(0, 3, 1, 2))

    def _channels_last(self, x: openvino.Node) -> openvino.Node:
        return self._ops.transpose(x, self._int64(0, 2, 3, 1))

    def _constant(self, values: np.ndarray, per_channel: bool = False) -> openvino.Node:
        values = np.ascontiguousarray(values, np.float32)
        return self._ops.constant(values.reshape(1, -1, 1, 1) if per_channel else values)

    def _scalar(self, value: float) -> openvino.Node:
        return self._ops.constant(np.float32(value))

    def _int64(self, *values: int) -> openvino.Node:
        return self._ops.constant(np.array(values, np.int64))

    def _int64_scalar(self, value: int) -> openvino.Node:
        return self._ops.constant(np.int64(value))


class _LiteBuilder(Builder):
    """Builds the graphs of a `lite` network.

    With `int8` the pointwise convolutions of `INT8_BLOCKS` are in int8, in graphs of frames. No frames are needed to
    calibrate: what they see are features of ReLU6, 0 to 6. Weights take half of int8's range, so that no sum saturates
    on a processor without VNNI (findings/openvino_int8_saturates.sh): what is in int8 is the same on all processors.
    """

    def __init__(self, config: ModelConfig, weights: Weights, int8: bool = False) -> None:
        super().__init__(config, weights)
        blocks = INT8_BLOCKS if int8 else {}
        self._int8 = {f"{scope}/Conv2d_{block}_pointwise" for scope in blocks for block in blocks[scope]}

    def _quantized(self, x: openvino.Node, kernel: np.ndarray, name: str) -> tuple[openvino.Node, openvino.Node]:
        if name not in self._int8:
            return super()._quantized(x, kernel, name)
        ops = self._ops
        zero, most = (ops.constant(np.full((1, 1, 1, 1), value, np.float32)) for value in (0, RELU6))
        largest = np.abs(kernel).max(axis=(1, 2, 3), keepdims=True)
        ends = [self._constant(sign * 2 * np.maximum(largest, SMALLEST_WEIGHT)) for sign in (-1, 1)]
        return (
            ops.fake_quantize(x, zero, most, zero, most, 256),
            ops.fake_quantize(self._constant(kernel), *ends, *ends, 255),
        )

    def guide(self) -> openvino.Model:
        """Return the graph that makes an object's gammas of its visual guide."""
        guide = self._input("visual_guide", [-1, GUIDE_SIDE, GUIDE_SIDE, 3])
        *_, x = self._blocks(self._channels_first(guide), "osmn/modulator")
        x = self._ops.avg_pool(x, [7, 7], [0, 0], [0, 0], [7, 7], True)
        x = self._ops.relu(self._plain(x, "osmn/modulator/Logits/Conv2d_1c_1x1"))
        gammas = {
            f"gamma_{number}": self._channels_last(self._plain(x, f"osmn/Conv2d_out_{number}"))
            for number in range(1, len(MODULATED_BLOCKS) + 1)
        }
        return self._model(gammas, [guide])

    def appearance(self) -> openvino.Model:
        """Return the graph that makes the visual modulator's features of a whole image."""
        image = self._input("image", [1, -1, -1, 3])
        blocks = self._blocks(self._channels_first(image), "osmn/modulator")
        wanted = itertools.islice(blocks, max(APPEARANCE_BLOCKS))
        fine, coarse = (x for number, x in enumerate(wanted, 1) if number in APPEARANCE_BLOCKS)
        return self._model({"fine": fine, "coarse": coarse}, [image])

    def frame(self) -> openvino.Model:
        """Return the graph that makes probabilities of a frame, of the objects' spatial guides and of their gammas."""
        ops = self._ops
        image, spatial = self._input("image", [1, -1, -1, 3]), self._input("spatial_guide", [-1, -1, -1, 1])
        gammas = []
        if not self._config.no_visual_modulator:
            channels = [MOBILENET_BLOCKS[block - 1][1] for block in MODULATED_BLOCKS]
            gammas = [self._input(f"gamma_{number}", [-1, 1, 1, c]) for number, c in enumerate(channels, 1)]
        x, guide = self._channels_first(image), self._channels_first(spatial)
        size = self._size(x)
        if self._config.aligned_size:
            whole = ops.constant(np.array(self._config.aligned_size[::-1], np.int64))
            before = ops.divide(ops.subtract(whole, size), self._int64(2))
            x, guide = (
                self._padded(each, before, ops.subtract(ops.subtract(whole, size), before)) for each in (x, guide)
            )
        logits = self._logits(x, guide, [self._channels_first(gamma) for gamma in gammas])
        if self._config.aligned_size:
            axes = ops.constant(np.array([2, 3], np.int64))
            logits = ops.slice(logits, before, ops.add(before, size), self._int64(1, 1), axes)
        if not gammas and self._config.no_spatial_modulator:  # Else the modulation has made an image of each object.
            logits = ops.broadcast(logits, ops.shape_of(self._channels_first(spatial)))
        probabilities = ops.sigmoid(ops.squeeze(logits, self._int64(1)))
        return self._model({"probabilities": probabilities}, [image, spatial, *gammas])

    def _logits(self, image: openvino.Node, guide: openvino.Node, gammas: Sequence[openvino.Node]) -> openvino.Node:
        """Return the logits (N, 1, H, W)."""
        ops, size = self._ops, self._size(image)
        pooled = []
        for factor in (4, *(2,) * (len(MODULATED_BLOCKS) - 1)):
            guide = ops.avg_pool(guide, [factor] * 2, [0, 0], [0, 0], [factor] * 2, True, auto_pad="same_upper")
            pooled.append(guide)

        def modulate(x: openvino.Node, number: int) -> openvino.Node:
            if gammas:
                x = ops.multiply(x, gammas[number])
            if self._config.no_spatial_modulator:
                return x
            name = f"osmn/modulator_sp/conv{MODULATED_BLOCKS[number]}"
            scale, offset = self._norm(name)
            slope = self._constant(scale * self._weights[f"{name}/weights"].reshape(-1), per_channel=True)
            beta = ops.add(ops.multiply(pooled[number], slope), self._constant(offset, per_channel=True))
            return ops.add(x, ops.relu(beta))

        blocks = self._blocks(image, "osmn/seg", modulate)
        features = [x for number, x in enumerate(blocks, 1) if number in MODULATED_BLOCKS]
        one = self._int64(1)
        half = ops.divide(ops.add(size, one), self._int64(2))
        kernels = np.split(self._weights["osmn/score/weights"][0, 0], len(features))
        logits = self._constant(self._weights["osmn/score/biases"], per_channel=True)
        for block, x, kernel in zip(MODULATED_BLOCKS, features, kernels, strict=True):
            scores = self._side(x, f"osmn/conv{block}_16", kernel)
            shape = self._size(scores)
            rows, columns = (
                # Resized twice, as published: to half of the image's size, and from there to the whole.
                ops.matmul(self._bilinear(half, size, axis), self._bilinear(shape, half, axis), False, False)
                for axis in (0, 1)
            )
            logits = ops.add(logits, ops.matmul(rows, ops.matmul(scores, columns, False, True), False, False))
        return logits

    def _blocks(
        self, x: openvino.Node, scope: str, modulate: Callable[[openvino.Node, int], openvino.Node] | None = None
    ) -> Iterator[openvino.Node]:
        """Yield the features (N, C, h, w) of one block of a MobileNet after the other, modulated where they are."""
        modulated = itertools.count()
        x = self._normalized(x, f"{scope}/Conv2d_0", 2)
        for number, (stride, _) in enumerate(MOBILENET_BLOCKS, 1):
            x = self._normalized(x, f"{scope}/Conv2d_{number}_depthwise", stride)
            x = self._normalized(x, f"{scope}/Conv2d_{number}_pointwise")
            if modulate and number in MODULATED_BLOCKS:
                x = modulate(x, next(modulated))
            yield x

    def _side(self, x: openvino.Node, name: str, fuse: np.ndarray) -> openvino.Node:
        """Return the part (N, 1, h, w) of the logits that a side output gives; see `layers.fused_side_output`.

        As in `layers.single_channel_convolution`, a 1x1 convolution gives the nine taps of each pixel, which are then
        shifted and summed.
        """
        ops = self._ops
        kernel = self._weights[f"{name}/weights"].astype(np.float64) @ fuse  # (3, 3, C, 1)
        taps = kernel[..., 0].reshape(9, -1, 1, 1)
        products = ops.convolution(x, self._constant(taps), [1, 1], [0, 0], [0, 0], [1, 1])
        margins = ops.constant(np.array([0, 0, 1, 1], np.int64))
        padded, size = ops.pad(products, margins, margins, "constant", self._scalar(0)), self._size(products)
        axes, steps = ops.constant(np.array([1, 2, 3], np.int64)), self._int64(1, 1, 1)
        total = None
        for tap in range(9):
            begin = np.array([tap, tap // 3, tap % 3], np.int64)
            end = ops.concat([self._int64(tap + 1), ops.add(size, ops.constant(begin[1:]))], 0)
            shifted = ops.slice(padded, ops.constant(begin), end, steps, axes)
            total = shifted if total is None else ops.add(total, shifted)
        bias = self._weights[f"{name}/biases"].astype(np.float64) @ fuse
        return ops.add(total, self._constant(bias, per_channel=True))

    def _padded(self, x: openvino.Node, before: openvino.Node, after: openvino.Node) -> openvino.Node:
        begin, end = (self._ops.concat([self._int64(0, 0), each], 0) for each in (before, after))
        return self._ops.pad(x, begin, end, "constant", self._scalar(0))
