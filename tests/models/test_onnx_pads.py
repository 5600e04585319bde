"""Explicit pads compute what SAME_UPPER does, as ONNX Runtime has it, for any size, window and stride."""

import numpy as np
import pytest

from osmn.models import onnx_pads

onnx = pytest.importorskip("onnx", reason="pip install -r requirements-engines.txt")
runtime = pytest.importorskip("onnxruntime")


def graph(kind, window, stride):
    """Return an ONNX model of one operation, (1, 2, H, W) -> (1, 2, H', W'), that pads by SAME_UPPER."""
    attributes = {"kernel_shape": [window] * 2, "strides": [stride] * 2, "auto_pad": "SAME_UPPER"}
    inputs, weights = ["x"], []
    if kind == "Conv":
        kernel = np.random.default_rng(1).standard_normal((2, 2, window, window), np.float32)
        inputs, weights = ["x", "kernel"], [onnx.numpy_helper.from_array(kernel, "kernel")]
    node = onnx.helper.make_node(kind, inputs, ["y"], **attributes)
    sides = [
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1, 2, height, width])
        for name, height, width in (("x", "H", "W"), ("y", "h", "w"))
    ]
    made = onnx.helper.make_graph([node], "one", sides[:1], sides[1:], weights)
    return onnx.helper.make_model(made, opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=9)


@pytest.mark.parametrize(
    ("kind", "window", "stride"),
    [
        *(("Conv", window, stride) for window in (1, 2, 3, 5) for stride in (1, 2, 3)),
        *((kind, window, stride) for kind in onnx_pads.POOLS for window, stride in ((2, 2), (3, 2), (3, 1), (4, 4))),
    ],
)
def test_explicit_pads_are_those_of_same_upper(kind, window, stride):
    model = graph(kind, window, stride)
    before = runtime.InferenceSession(model.SerializeToString())
    onnx_pads.make_explicit(model)
    assert not any(each.name == "auto_pad" for node in model.graph.node for each in node.attribute)
    after = runtime.InferenceSession(model.SerializeToString())
    for height, width in ((8, 8), (9, 7), (10, 11), (13, 6), (5, 12)):
        x = np.random.default_rng(0).standard_normal((1, 2, height, width), np.float32) - 3
        np.testing.assert_allclose(after.run(None, {"x": x})[0], before.run(None, {"x": x})[0], rtol=1e-5, atol=1e-5)


def test_what_does_not_pad_by_same_upper_stays():
    model = graph("Conv", 3, 1)
    del model.graph.node[0].attribute[:]
    model.graph.node[0].attribute.append(onnx.helper.make_attribute("pads", [1, 1, 1, 1]))
    before = model.SerializeToString()
    onnx_pads.make_explicit(model)
    assert model.SerializeToString() == before
