"""ONNX graphs whose convolutions and pools say how they pad, for runtimes that take SAME_UPPER for something else.

tf2onnx writes SAME_UPPER wherever the size is free. OpenCV 5.0 pads such convolutions of stride 2 at the wrong side
where sizes are even, and such average pools where nothing is to be padded. Masks then have IoU 0.545 with those of ONNX
Runtime.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from osmn.models.engines import engine_import

if TYPE_CHECKING:  # It may not be installed.
    import onnx

POOLS = ("MaxPool", "AveragePool")
LOWEST = float(np.finfo(np.float32).min)


def make_explicit(model: onnx.ModelProto) -> None:
    """Replace SAME_UPPER in a model by pads: fixed ones where the stride is 1, else pads of the input's own size."""
    rewriter = _Rewriter(model)
    for node in list(model.graph.node):
        rewriter.take(node)
    del model.graph.node[:]
    model.graph.node.extend(rewriter.nodes)


class _Rewriter:
    def __init__(self, model: onnx.ModelProto) -> None:
        self._onnx, self._graph = engine_import("onnx"), model.graph
        self.nodes: list[onnx.NodeProto] = []
        self._names = 0

    def take(self, node: onnx.NodeProto) -> None:
        """Add a node to `nodes`, with what it needs to pad."""
        values = {each.name: self._onnx.helper.get_attribute_value(each) for each in node.attribute}
        if node.op_type not in ("Conv", *POOLS) or values.pop("auto_pad", b"NOTSET") != b"SAME_UPPER":
            self.nodes.append(node)
            return
        strides, dilations = (values.get(name, [1, 1]) for name in ("strides", "dilations"))
        extent = [(side - 1) * step + 1 for side, step in zip(values["kernel_shape"], dilations, strict=True)]
        image, others = node.input[0], list(node.input[1:])
        if node.op_type == "Conv" and max(strides) == 1:
            begin = [(side - 1) // 2 for side in extent]
            values["pads"] = begin + [side - 1 - before for side, before in zip(extent, begin, strict=True)]
            self._add("Conv", [image, *others], node.output[0], **values)
            return
        pads = self._pads(image, extent, strides)
        if node.op_type == "AveragePool":  # Which does not count what is padded.
            shape = self._add("Shape", [image])
            ones = self._add("ConstantOfShape", [shape], value=self._onnx.numpy_helper.from_array(np.ones(1, "f")))
            means = [self._add("AveragePool", [self._add("Pad", [x, pads])], **values) for x in (image, ones)]
            self._add("Div", means, node.output[0])
            return
        value = [self._constant(np.float32(LOWEST))] if node.op_type == "MaxPool" else []
        self._add(node.op_type, [self._add("Pad", [image, pads, *value]), *others], node.output[0], **values)

    def _pads(self, image: str, extent: list[int], strides: list[int]) -> str:
        """Return the pads of (N, C, H, W): half of what the last window lacks before, rounded down, the rest behind.

        The last window begins (H - 1) % stride pixels before the end, so that it lacks the rest of its extent.
        """
        size = self._add("Gather", [self._add("Shape", [image]), self._constant(np.array([2, 3]))], axis=0)
        before_end = self._add(
            "Mod", [self._add("Sub", [size, self._constant(np.array([1]))]), self._constant(np.array(strides))]
        )
        lacking = self._add("Sub", [self._constant(np.array(extent) - 1), before_end])
        # A stride that is longer than the window may lack nothing.
        lacking = self._add("Max", [lacking, self._constant(np.array([0]))])
        begin = self._add("Div", [lacking, self._constant(np.array([2]))])
        end, none = self._add("Sub", [lacking, begin]), self._constant(np.array([0, 0]))
        return self._add("Concat", [none, begin, none, end], axis=0)

    def _add(self, kind: str, inputs: list[str], output: str | None = None, **attributes: Any) -> str:
        output = output or self._name()
        self.nodes.append(self._onnx.helper.make_node(kind, inputs, [output], **attributes))
        return output

    def _constant(self, value: np.ndarray | np.float32) -> str:
        name = self._name()
        self._graph.initializer.append(self._onnx.numpy_helper.from_array(np.asarray(value), name))
        return name

    def _name(self) -> str:
        self._names += 1
        return f"explicit_pad_{self._names}"
