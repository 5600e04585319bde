"""The graph of a click network for OpenVINO, built of its weights without TensorFlow; see `engines.lite`.

It computes what `networks.clicks` does. Sides of images are multiples of 32.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

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
from osmn.models.engines import FRAME
from osmn.models.engines.lite import Builder, BuiltGraphs, Shapes, Weights, mobilenet_shapes

if TYPE_CHECKING:  # It may not be installed.
    import openvino

SCOPE = "osmn/clicks"


def wanted(config: ModelConfig) -> dict[str, tuple[int, ...]]:
    """Return {TF1 name: shape} of all variables of a click network, sorted by name."""
    shapes = Shapes()
    mobilenet_shapes(shapes, "osmn/seg")
    shapes.convolution(f"{SCOPE}/maps/in", 3, 3, CLICK_MAPS, CLICK_MAP_CHANNELS)
    shapes.convolution(f"{SCOPE}/maps/stem", 1, 1, CLICK_MAP_CHANNELS, STEM_CHANNELS)
    for block in (CLICK_FINE_BLOCK, *MODULATED_BLOCKS):
        channels = MOBILENET_BLOCKS[block - 1][1]
        shapes.normalized(f"{SCOPE}/lateral{block}", "weights", 1, 1, channels, CLICK_WIDTH)
        if block != CLICK_FINE_BLOCK:
            shapes.normalized(f"{SCOPE}/maps/block{block}", "weights", 1, 1, CLICK_MAPS, channels)
            shapes.normalized(f"{SCOPE}/merged{block}_depthwise", "depthwise_weights", 3, 3, CLICK_WIDTH, 1)
            shapes.normalized(f"{SCOPE}/merged{block}_pointwise", "weights", 1, 1, CLICK_WIDTH, CLICK_WIDTH)
    shapes.convolution(f"{SCOPE}/context", 1, 1, MOBILENET_BLOCKS[-1][1], CLICK_WIDTH)
    shapes.normalized(f"{SCOPE}/fine_depthwise", "depthwise_weights", 3, 3, CLICK_WIDTH, 1)
    shapes.normalized(f"{SCOPE}/fine_pointwise", "weights", 1, 1, CLICK_WIDTH, CLICK_FINE_WIDTH)
    shapes.convolution(f"{SCOPE}/score", 1, 1, CLICK_FINE_WIDTH, 1)
    return dict(sorted(shapes.items()))


def graphs(config: ModelConfig, weights: Weights, int8: bool = False) -> BuiltGraphs:
    """Return {`engines.FRAME`: OpenVINO model} of a click network, as `lite.graphs` does; never in `int8`."""
    return BuiltGraphs({FRAME: _ClickBuilder(config, weights).frame})


class _ClickBuilder(Builder):
    def frame(self) -> openvino.Model:
        """Return the graph that makes probabilities of a window and of its maps."""
        ops = self._ops
        image, spatial = self._input("image", [1, -1, -1, 3]), self._input("spatial_guide", [-1, -1, -1, CLICK_MAPS])
        x, maps = self._channels_first(image), self._channels_first(spatial)
        size = self._size(x)
        features: dict[int, openvino.Node] = {}
        x = self._normalized(x, "osmn/seg/Conv2d_0", 2)
        x = ops.add(x, self._plain(ops.relu(self._plain(maps, f"{SCOPE}/maps/in", 2)), f"{SCOPE}/maps/stem"))
        for number, (stride, _) in enumerate(MOBILENET_BLOCKS, 1):
            x = self._normalized(x, f"osmn/seg/Conv2d_{number}_depthwise", stride)
            x = self._normalized(x, f"osmn/seg/Conv2d_{number}_pointwise")
            if number in MODULATED_BLOCKS:
                factor = 2 if len(features) > 1 else 4
                maps = ops.avg_pool(maps, [factor] * 2, [0, 0], [0, 0], [factor] * 2, True, auto_pad="same_upper")
                x = ops.add(x, self._normalized(maps, f"{SCOPE}/maps/block{number}"))
            if number in (*MODULATED_BLOCKS, CLICK_FINE_BLOCK):
                features[number] = x
        scores = self._decoded(features)
        shape = self._size(scores)
        rows, columns = (self._bilinear(shape, size, axis) for axis in (0, 1))
        logits = ops.matmul(rows, ops.matmul(scores, columns, False, True), False, False)
        probabilities = ops.sigmoid(ops.squeeze(logits, self._int64(1)))
        return self._model({"probabilities": probabilities}, [image, spatial])

    def _decoded(self, features: dict[int, openvino.Node]) -> openvino.Node:
        """Return the scores (N, 1, h, w) at half the sides."""
        ops, last = self._ops, MODULATED_BLOCKS[-1]
        x = self._plain(ops.reduce_mean(features[last], self._int64(2, 3), True), f"{SCOPE}/context")
        for block in reversed(MODULATED_BLOCKS):
            x = x if block == last else self._twice(x)
            x = ops.add(x, self._normalized(features[block], f"{SCOPE}/lateral{block}"))
            x = self._separable(x, f"{SCOPE}/merged{block}")
        lateral = self._normalized(features[CLICK_FINE_BLOCK], f"{SCOPE}/lateral{CLICK_FINE_BLOCK}")
        x = self._separable(ops.add(self._twice(x), lateral), f"{SCOPE}/fine")
        return self._plain(x, f"{SCOPE}/score")

    def _separable(self, x: openvino.Node, name: str) -> openvino.Node:
        return self._normalized(self._normalized(x, f"{name}_depthwise"), f"{name}_pointwise")

    def _twice(self, x: openvino.Node) -> openvino.Node:
        """Return maps at twice the sides, each pixel repeated."""
        sizes = self._ops.multiply(self._size(x), self._int64(2))
        return self._ops.interpolate(
            x,
            sizes,
            "nearest",
            "sizes",
            axes=self._int64(2, 3),
            coordinate_transformation_mode="asymmetric",
            nearest_mode="floor",
        )
