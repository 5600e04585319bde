"""The engine that computes in OpenVINO, on a CPU, from the graphs that `osmn.models.export` writes."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from osmn.config import PAD_RATIO, ModelConfig
from osmn.errors import InputError, in_short
from osmn.inputs.guides_numpy import spatial_guide, visual_guide
from osmn.models.engines import FRAME, GUIDE, Engine, engine_import

if TYPE_CHECKING:  # It may not be installed.
    import openvino

MOST_COMPILED = 12  # Windows of a video have 3 sizes, mostly.
HINTS = {"float32": "f32", "int8": "f32", "bfloat16": "bf16"}  # An int8 graph holds where it is quantized.


class ClickOpenVinoEngine:
    """Runs a click network in OpenVINO; see `engines.ClickEngine`."""

    def __init__(self, engine: Engine) -> None:
        assert isinstance(engine, OpenVinoEngine)
        self._engine = engine

    def probabilities(self, image: np.ndarray, maps: np.ndarray) -> np.ndarray:
        """See `ClickEngine.probabilities`."""
        inputs = {"image": image[None], "spatial_guide": maps.astype(np.float32)[None]}
        found: np.ndarray = self._engine.run_frame(inputs)[0]
        return found


def read_graph(path: Path | str) -> openvino.Model:
    """Return the OpenVINO model in a file (.xml, with its weights in .bin); InputError if the file cannot be read."""
    core = engine_import("openvino").Core()
    try:
        return core.read_model(path)
    except RuntimeError as error:
        raise InputError(f"{path} is damaged or missing ({in_short(error)}); export the model again") from None


def compiled_at(
    core: openvino.Core, model: openvino.Model, shapes: Mapping[str, Sequence[int]], options: Mapping[str, str]
) -> openvino.CompiledModel:
    """Return a graph compiled by an OpenVINO `Core` for the CPU, with `options`, at fixed `shapes`, {input: shape}."""
    fixed = model.clone()
    fixed.reshape({name: list(shape) for name, shape in shapes.items()})
    return core.compile_model(fixed, "CPU", options)


class OpenVinoEngine:
    """Runs a network's two graphs in OpenVINO. Threads may share it; they take turns.

    A graph is compiled for each size and number of objects that comes up: with fixed sizes it runs 1.1 to 1.5 times as
    fast as with free sizes. The `MOST_COMPILED` that were used last are kept, each in 20 to 150 MB.

    Args:
        graphs: {`engines.FRAME` or `GUIDE`: OpenVINO model}, as `export` makes them; no `GUIDE` without a visual
            modulator.
        config: ModelConfig.
        precision: "float32", "bfloat16" (on processors that lack bfloat16: float32) or "int8".
        vg_pad_ratio: each side of the visual guide's crop moves outward by this part of the crop's side; 0.03, as
            published.
    """

    follows_weights = False

    def __init__(
        self,
        graphs: Mapping[str, openvino.Model],
        config: ModelConfig,
        precision: str = "float32",
        vg_pad_ratio: float = PAD_RATIO,
    ) -> None:
        self._openvino = engine_import("openvino")
        self._core = self._openvino.Core()
        self._config, self._vg_pad_ratio = config, vg_pad_ratio
        self._compile_options = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": HINTS[precision]}
        self._frame = self._with_colors(graphs[FRAME])
        # In float32: it runs once per object, and its rounding errors would stay for the whole video.
        self._guide = None
        if GUIDE in graphs:
            options = self._compile_options | {"INFERENCE_PRECISION_HINT": "f32"}
            self._guide = self._core.compile_model(graphs[GUIDE], "CPU", options)
        self._compiled: dict[tuple[tuple[int, ...], ...], openvino.CompiledModel] = {}  # The one used last is last.
        self._turn = threading.Lock()

    def gammas(self, frame: np.ndarray, mask: np.ndarray) -> list[np.ndarray]:
        """See `Engine.gammas`."""
        if self._guide is None:
            return []
        guide = visual_guide(frame, mask, self._config, self._vg_pad_ratio)
        with self._turn:
            outputs = self._guide({"visual_guide": guide[None]})
        return [np.array(outputs[f"gamma_{number}"]) for number in range(1, len(outputs) + 1)]

    def segment(
        self, frame: np.ndarray, masks: np.ndarray, gammas: Sequence[np.ndarray]
    ) -> tuple[np.ndarray, np.ndarray]:
        """See `Engine.segment`."""
        inputs = {"image": frame[None], "spatial_guide": spatial_guide(masks, self._config)}
        inputs |= {f"gamma_{number}": gamma for number, gamma in enumerate(gammas, 1)}
        probabilities = self.run_frame(inputs)
        return probabilities, probabilities > 0.5

    def run_frame(self, inputs: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return probabilities, float32 (N, H, W), for {input: array} of the frame's graph; the image is uint8 RGB."""
        with self._turn:
            return np.array(self._frame_of(inputs)(inputs)["probabilities"])

    def _with_colors(self, model: openvino.Model) -> openvino.Model:
        """Return the frame's graph for images in RGB, uint8, instead of what the network sees of them."""
        openvino, config = self._openvino, self._config
        steps = openvino.preprocess.PrePostProcessor(model)
        image = steps.input("image")
        image.model().set_layout(openvino.Layout("NHWC"))
        image.tensor().set_element_type(openvino.Type.u8).set_layout(openvino.Layout("NHWC"))
        image.preprocess().convert_element_type(openvino.Type.f32).reverse_channels()
        image.preprocess().mean(list(config.mean_value)).scale(1 / config.scale_value)
        return steps.build()

    def _frame_of(self, inputs: Mapping[str, np.ndarray]) -> openvino.CompiledModel:
        """Return the frame's graph, compiled for inputs of these shapes."""
        shapes = {name: value.shape for name, value in inputs.items()}
        key = tuple(shapes.values())
        compiled = self._compiled.pop(key, None)
        if compiled is None:
            if len(self._compiled) == MOST_COMPILED:
                del self._compiled[next(iter(self._compiled))]
            compiled = compiled_at(self._core, self._frame, shapes, self._compile_options)
        self._compiled[key] = compiled
        return compiled
