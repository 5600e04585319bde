"""The boundary net in OpenVINO, built of its weights without TensorFlow; it computes what `networks.boundaries` has."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from osmn.config import BOUNDARY_DILATIONS, LEAST_PROBABILITY, LOGIT_SCALE, ModelConfig
from osmn.models import boundary_weights
from osmn.models.engines import engine_import
from osmn.models.engines.lite import Builder

if TYPE_CHECKING:  # It may not be installed.
    import openvino


class BoundaryNet:
    """Moves the boundaries of an object's mask to those that the image shows. Threads may share it; they take turns.

    Args:
        path: of the weights, as osmn_boundary_train.py writes them. InputError, naming the file, for others.
    """

    def __init__(self, path: Path | str = boundary_weights.SHIPPED) -> None:
        graph = _Graph(ModelConfig(), boundary_weights.load(path)).model()
        core = engine_import("openvino").Core()
        options = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
        self._compiled = core.compile_model(graph, "CPU", options)
        self._turn = threading.Lock()

    def __call__(self, image: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
        """Return an object's probabilities, float32 (H, W), in an image, uint8 (H, W, 3), RGB."""
        height, width = probabilities.shape
        if height % 2 or width % 2:  # The net's features have half of the sides.
            more = [(0, height % 2), (0, width % 2)]
            image, probabilities = np.pad(image, [*more, (0, 0)], "edge"), np.pad(probabilities, more, "edge")
        with self._turn:
            outputs = self._compiled({"image": image[None], "probabilities": probabilities[None]})
            found: np.ndarray = outputs["refined"][0, :height, :width]
            return found


class _Graph(Builder):
    def model(self) -> openvino.Model:
        """Return the graph from an image, uint8 (1, H, W, 3), and probabilities (1, H, W), to refined probabilities."""
        ops = self._ops
        image = ops.parameter([1, -1, -1, 3], np.uint8, name="image")
        image.output(0).set_names({"image"})
        given = self._input("probabilities", [1, -1, -1])
        logits = self._logits(ops.unsqueeze(given, self._int64(1)))
        colors = self._channels_first(ops.convert(image, "f32"))
        colors = ops.subtract(ops.divide(colors, self._scalar(128)), self._scalar(1))
        x = ops.concat([colors, ops.divide(logits, self._scalar(LOGIT_SCALE))], 1)
        x = ops.relu(self._convolved(x, "stem", stride=2))
        for number, dilation in enumerate(BOUNDARY_DILATIONS, 1):
            y = self._convolved(x, f"depthwise{number}", dilation=dilation)
            y = self._convolved(ops.relu(self._convolved(y, f"inner{number}")), f"outer{number}")
            x = ops.relu(ops.add(x, y))
        added = ops.depth_to_space(self._convolved(x, "score"), "blocks_first", 2)
        refined = ops.squeeze(ops.sigmoid(ops.add(logits, added)), self._int64(1))
        return self._model({"refined": refined}, [image, given])

    def _logits(self, probabilities: openvino.Node) -> openvino.Node:
        ops = self._ops
        p = ops.clamp(probabilities, LEAST_PROBABILITY, 1 - LEAST_PROBABILITY)
        return ops.log(ops.divide(p, ops.subtract(self._scalar(1), p)))

    def _convolved(self, x: openvino.Node, name: str, stride: int = 1, dilation: int = 1) -> openvino.Node:
        """Return a convolution with its bias; of each channel alone for a kernel (h, w, C, 1)."""
        kernel, ops = self._weights[f"{name}/kernel"], self._ops
        arguments = ([stride] * 2, [0, 0], [0, 0], [dilation] * 2)
        if kernel.shape[3] == 1:
            kernel = self._constant(kernel.transpose(2, 3, 0, 1)[:, None])
            y = ops.group_convolution(x, kernel, *arguments, auto_pad="same_upper")
        else:
            kernel = self._constant(kernel.transpose(3, 2, 0, 1))
            y = ops.convolution(x, kernel, *arguments, auto_pad="same_upper")
        return ops.add(y, self._constant(self._weights[f"{name}/bias"], per_channel=True))
