"""A network as graphs that need nothing of this project: in TensorFlow's SavedModel, in ONNX, or for OpenVINO.

    guide: visual_guide (N, 224, 224, 3) -> gamma_1, gamma_2, ... (N, 1, 1, C)
    frame: image (1, H, W, 3), spatial_guide (N, H, W, 1), gamma_1, ... -> probabilities (N, H, W)
    appearance: image (1, H, W, 3) -> fine (1, C, h, w), coarse (1, C', h', w')

All of it is float32. N is the number of objects; guides and image are as `inputs.guides` makes them. The third is what
`inference.target` needs, of any size. A network without visual modulator has a frame's graph alone, without gammas.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import math
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf

from osmn.config import PAD_RATIO
from osmn.errors import InputError, in_short, optional_import
from osmn.files import locks
from osmn.files.atomic import temporary_folder
from osmn.inputs.published import GUIDE_SIDE
from osmn.models import checkpoints, exported, onnx_pads
from osmn.models.engines import APPEARANCE, FRAME, GUIDE, engine_import, lite
from osmn.models.engines.openvino import OpenVinoEngine, compiled_at, read_graph
from osmn.networks import Osmn
from osmn.networks.backend import keras

if TYPE_CHECKING:  # OpenVINO may not be installed.
    import openvino

    from osmn.models.tensorflow_model import Model

OPSET = 18  # Of ONNX: what most runtimes of the last years read.
LARGE = 2**20  # Values of a weight. Smaller weights cost the converter little, and it joins them with batch norms.
Arrays = Mapping[str, np.ndarray]  # Of a graph's inputs or outputs, by their names.
Run = Callable[[Arrays], dict[str, np.ndarray]]  # Of a graph, from its inputs to its outputs.


class Graphs:
    """The graphs of a network, as TensorFlow functions with fixed names.

    Args:
        network: an `Osmn`.
        im_size: (width, height) of the frames; None: any.
    """

    def __init__(self, network: Osmn, im_size: tuple[int, int] | None = None) -> None:
        self._network = network
        self.variables = [variable.value for variable in network.variables]
        width, height = im_size or (None, None)
        gammas = [
            tf.TensorSpec([None, 1, 1, channels], name=f"gamma_{number}")
            for number, channels in enumerate(network.gamma_channels, 1)
        ]
        image = tf.TensorSpec([1, height, width, 3], name="image")
        spatial = tf.TensorSpec([None, height, width, network.guide_maps], name="spatial_guide")
        self.inputs = {FRAME: [image, spatial, *gammas]}
        if network.config.has_appearance:
            self.inputs[APPEARANCE] = [tf.TensorSpec([1, None, None, 3], name="image")]
        if gammas:
            self.inputs[GUIDE] = [tf.TensorSpec([None, GUIDE_SIDE, GUIDE_SIDE, 3], name="visual_guide")]
        self.functions = {
            name: tf.function(getattr(self, f"_{name}"), input_signature=signature, autograph=False)
            for name, signature in self.inputs.items()
        }

    def with_inputs_for(
        self, name: str, weights: Mapping[str, keras.Variable]
    ) -> tuple[tf.types.experimental.PolymorphicFunction, list[tf.TensorSpec]]:
        """Return a function of one graph's inputs and of `weights`, and the specifications of all these inputs.

        Args:
            name: the graph, `engines.FRAME` or `engines.GUIDE`.
            weights: {name of the input: variable of the network}.
        """
        signature = [*self.inputs[name], *(tf.TensorSpec(value.shape, name=key) for key, value in weights.items())]
        own = len(self.inputs[name])

        def function(*values: tf.Tensor) -> dict[str, tf.Tensor]:
            with keras.StatelessScope(state_mapping=zip(weights.values(), values[own:], strict=True)):
                return self.functions[name].python_function(*values[:own])

        return tf.function(function, input_signature=signature, autograph=False), signature

    def large_weights(self, name: str) -> dict[str, keras.Variable]:
        """Return the variables of one graph that have more than `LARGE` values: {name of an ONNX input: variable}."""
        used = {id(variable) for variable in self.functions[name].get_concrete_function().graph.variables}
        large = [v for v in self._network.variables if id(v.value) in used and math.prod(v.shape) > LARGE]
        return {f"weight_{number}": variable for number, variable in enumerate(large, 1)}

    def _frame(self, image: tf.Tensor, spatial_guide: tf.Tensor, *gammas: tf.Tensor) -> dict[str, tf.Tensor]:
        logits = self._network.segment(image, spatial_guide, list(gammas))
        return {"probabilities": tf.sigmoid(logits[..., 0])}

    def _appearance(self, image: tf.Tensor) -> dict[str, tf.Tensor]:
        fine, coarse = (tf.transpose(x, [0, 3, 1, 2]) for x in self._network.appearance(image))
        return {"fine": fine, "coarse": coarse}

    def _guide(self, visual_guide: tf.Tensor) -> dict[str, tf.Tensor]:
        return {f"gamma_{number}": gamma for number, gamma in enumerate(self._network.gammas(visual_guide), 1)}


def write_saved_model(graphs: Graphs, folder: Path | str) -> None:
    """Write `Graphs` as a SavedModel with the signatures "frame" and "guide"."""
    module = tf.Module()
    module.weights = graphs.variables  # All that is saved beside the functions.
    tf.saved_model.save(module, str(folder), signatures=graphs.functions)


def write_onnx(graphs: Graphs, folder: Path | str) -> None:
    """Write `Graphs` as frame.onnx and guide.onnx.

    The converter copies a graph and all its constants for each of its passes: 24 GB for the guide's graph of a VGG
    network. So large weights are inputs to the converter, and become constants afterwards.
    """
    onnx, tf2onnx = engine_import("onnx"), engine_import("tf2onnx")
    for name in graphs.functions:
        weights = graphs.large_weights(name)
        model, _ = tf2onnx.convert.from_function(*graphs.with_inputs_for(name, weights), opset=OPSET)
        for node in [node for node in model.graph.input if node.name in weights]:
            model.graph.input.remove(node)
            model.graph.initializer.append(onnx.numpy_helper.from_array(weights[node.name].numpy(), node.name))
        onnx_pads.make_explicit(model)
        onnx.save(model, Path(folder) / f"{name}.onnx")


def write_openvino(graphs: Graphs, folder: Path | str) -> None:
    """Write `Graphs` as frame.xml and guide.xml, with weights in .bin beside them."""
    openvino = engine_import("openvino")
    for name in graphs.functions:
        openvino.save_model(openvino_model(graphs, name), Path(folder) / f"{name}.xml", compress_to_fp16=False)


def openvino_model(graphs: Graphs, name: str) -> openvino.Model:
    """Return one of `Graphs` as an OpenVINO model.

    TensorFlow copies constants many times on their way into a file: half a minute for a VGG network. So large weights
    are inputs to the converter, and become constants afterwards.
    """
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    openvino = engine_import("openvino")
    weights = graphs.large_weights(name)
    function = graphs.with_inputs_for(name, weights)[0].get_concrete_function()
    frozen = convert_variables_to_constants_v2(function)
    with tempfile.TemporaryDirectory() as folder:
        tf.io.write_graph(frozen.graph.as_graph_def(), folder, "graph.pb", as_text=False)
        model = openvino.convert_model(Path(folder) / "graph.pb")
    # The frontend names a tensor by its operation, and has an order of its own.
    names = dict(zip((output.name for output in frozen.outputs), sorted(function.structured_outputs), strict=True))
    for output in model.outputs:
        (own,) = {names[name] for name in output.names if name in names}
        output.set_names({own})
    for model_input in model.inputs:
        model_input.set_names({name.partition(":")[0] for name in model_input.names})
    _make_constant(model, weights)
    return model


def _make_constant(model: openvino.Model, weights: Mapping[str, keras.Variable]) -> None:
    """Give inputs of an OpenVINO model their values, {name: variable}, and compute once what follows from these."""
    passes, ops = engine_import("openvino.passes"), engine_import("openvino.opset13")
    for parameter in model.get_parameters():
        for name in parameter.output(0).get_names() & weights.keys():
            parameter.output(0).replace(ops.constant(weights[name].numpy()).output(0))
            model.remove_parameter(parameter)
    folding = passes.Manager()
    folding.register_pass(passes.ConstantFolding())
    folding.run_passes(model)


def start_openvino(model: Model, vg_pad_ratio: float = PAD_RATIO) -> OpenVinoEngine:
    """Return the `OpenVinoEngine` of a model, in the model's precision; see `EngineKind.start`."""
    if model.precision == "int8":
        weights = {name: variable.numpy() for name, variable in model.network.tf1_variables().items()}
        built = lite.graphs(model.config, weights, int8=True)
        return OpenVinoEngine(lambda: built, model.config, model.precision, vg_pad_ratio)
    graphs = Graphs(model.network)
    converted = {name: openvino_model(graphs, name) for name in graphs.functions}
    return OpenVinoEngine(lambda: converted, model.config, model.precision, vg_pad_ratio)


WRITERS = {"saved_model": write_saved_model, "openvino": write_openvino, "onnx": write_onnx}


def runners(file_format: str, folder: Path | str) -> Callable[[str], Run]:
    """Return what gives a function from {input: array} to {output: array} for the name of a written graph.

    It runs without this project's code.

    Args:
        file_format: a key of `WRITERS`.
        folder: of the written graphs.
    """
    if file_format == "saved_model":
        # Once for all graphs: it holds all weights, 660 MB of a VGG network, and TensorFlow keeps them for good.
        signatures = tf.saved_model.load(str(folder)).signatures
        return lambda name: functools.partial(_run_signature, signatures[name])
    return functools.partial(_runner, file_format, folder)


def _run_signature(function: tf.types.experimental.ConcreteFunction, inputs: Arrays) -> dict[str, np.ndarray]:
    tensors = {name: tf.constant(value) for name, value in inputs.items()}
    return {name: value.numpy() for name, value in function(**tensors).items()}


def _runner(file_format: str, folder: Path | str, name: str) -> Run:
    if file_format == "onnx":
        session = engine_import("onnxruntime").InferenceSession(
            Path(folder) / f"{name}.onnx", providers=["CPUExecutionProvider"]
        )
        outputs = [output.name for output in session.get_outputs()]
        return lambda inputs: dict(zip(outputs, session.run(None, inputs), strict=True))
    core, model = engine_import("openvino").Core(), read_graph(Path(folder) / f"{name}.xml")
    options = {"INFERENCE_PRECISION_HINT": "f32"}

    @functools.cache
    def compiled(**shapes: tuple[int, ...]) -> openvino.CompiledModel:
        # The frame's graph at fixed sizes, as in `OpenVinoEngine`: OpenVINO takes other kernels then.
        return compiled_at(core, model, shapes, options) if name == FRAME else core.compile_model(model, "CPU", options)

    def run(inputs: Arrays) -> dict[str, np.ndarray]:
        outputs = compiled(**{key: value.shape for key, value in inputs.items()})(inputs)
        return {output.get_any_name(): np.array(values) for output, values in outputs.items()}

    return run


def largest_differences(
    graphs: Graphs, file_format: str, folder: Path | str, size: tuple[int, int], objects: int = 2, seed: int = 0
) -> dict[str, float]:
    """Return the largest differences of written graphs from the network: {output: difference}.

    Gammas are one output, and so are the features of the frame's appearance, whose difference is in parts of the
    largest.

    Args:
        graphs: `Graphs`.
        file_format: a key of `WRITERS`.
        folder: of the written graphs.
        size: (width, height) of the image, which is noise, as the guides are.
        objects: number of objects.
        seed: of the noise.
    """
    guide, inputs = _noise(graphs, size, objects, seed)
    runner, differences = runners(file_format, folder), {}
    if guide:
        gammas = run(graphs, GUIDE, guide)
        differences["gammas"] = _apart(gammas, runner(GUIDE)(guide))
        inputs |= gammas
    if APPEARANCE in graphs.functions:
        features = run(graphs, APPEARANCE, inputs)
        apart = _apart(features, runner(APPEARANCE)({"image": inputs["image"]}))
        differences["appearance"] = apart / max(1.0, *(float(abs(x).max()) for x in features.values()))
    found = runner(FRAME)(inputs)
    return differences | {"probabilities": _apart(run(graphs, FRAME, inputs), found)}


def difference_in_opencv(graphs: Graphs, folder: Path | str, sizes: Sequence[tuple[int, int]], seed: int = 0) -> float:
    """Return the largest difference of the probabilities that OpenCV computes from frame.onnx, at several sizes.

    OpenCV pads and rounds by its own rules. The arguments are those of `largest_differences`; the object is one. Raises
    InputError where this OpenCV cannot compute the graph, as those before 5 cannot for frames of any size.
    """
    cv2 = optional_import("cv2", "requirements-segment.txt")
    apart = 0.0
    for size in sizes:
        guide, inputs = _noise(graphs, size, 1, seed)
        inputs |= run(graphs, GUIDE, guide) if guide else {}
        try:
            network = cv2.dnn.readNetFromONNX(str(Path(folder) / f"{FRAME}.onnx"))
            for name, values in inputs.items():
                network.setInput(values, name)
            found = {"probabilities": network.forward().reshape(1, *size[::-1])}
        except (cv2.error, ValueError) as error:
            raise InputError(f"OpenCV {cv2.__version__} cannot compute it ({in_short(error)})") from None
        apart = max(apart, _apart(run(graphs, FRAME, inputs), found))
    return apart


def _noise(
    graphs: Graphs, size: tuple[int, int], objects: int, seed: int
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Return inputs of noise for the guide's graph, if there is one, and for the frame's graph, which lack gammas."""
    rng = np.random.default_rng(seed)

    def noise(*shape: int) -> np.ndarray:
        return rng.standard_normal(shape, np.float32)

    width, height = size
    maps = graphs.inputs[FRAME][1].shape[-1]
    inputs = {"image": noise(1, height, width, 3), "spatial_guide": abs(noise(objects, height, width, maps)).clip(0, 1)}
    with_guide = GUIDE in graphs.functions
    return ({"visual_guide": noise(objects, GUIDE_SIDE, GUIDE_SIDE, 3)} if with_guide else {}), inputs


def run(graphs: Graphs, name: str, inputs: Arrays) -> dict[str, np.ndarray]:
    """Return {output: array} of one of `Graphs`, by TensorFlow, for {input: array}."""
    tensors = [tf.constant(inputs[spec.name]) for spec in graphs.inputs[name]]
    return {key: value.numpy() for key, value in graphs.functions[name](*tensors).items()}


def _apart(wanted: Arrays, found: Arrays) -> float:
    return max(float(np.abs(wanted[name] - found[name]).max()) for name in wanted)


@contextlib.contextmanager
def write_errors(path: Path | str) -> Iterator[None]:
    """Turn a failure of TensorFlow or of OpenVINO to write a graph into an InputError that names `path`."""
    with checkpoints.tensorflow_write_errors(path):
        try:
            yield
        except RuntimeError as error:
            raise OSError(errno.EIO, in_short(error)) from None


@contextlib.contextmanager
def whole_folder(path: Path | str) -> Iterator[Path]:
    """Give a `with` block a folder to write into, which becomes `path` at the block's end; an exception removes it.

    Raises InputError if there is something at `path` already, or if another run is writing beside it.
    """
    path = Path(path)
    exported.require_new(path)
    with locks.writing(path.parent, wait=locks.MOMENT), temporary_folder(path.parent) as temporary:
        yield temporary
        temporary.rename(path)
