"""The engine that computes in OpenVINO, on a CPU, from the graphs that `osmn.models.export` writes."""

from __future__ import annotations

import contextlib
import ctypes
import mmap
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from osmn.config import PAD_RATIO, ModelConfig
from osmn.errors import InputError, in_short
from osmn.inputs.guides_numpy import spatial_guide, visual_guide
from osmn.models.engines import APPEARANCE, FRAME, GUIDE, Engine, engine_import, processor
from osmn.parallel import in_background

if TYPE_CHECKING:  # It may not be installed.
    import openvino

    from osmn.models.compiled_models import CompiledGraphs

MOST_COMPILED = 12  # Windows of a video have 3 sizes, mostly.
MOST_IN_MEMORY = 3  # Of those that are kept on disk too: one of the shipped model comes back in a tenth of a second.
MOST_OF_APPEARANCE = 3  # Of those of features, likewise, of 18 MB each: an object that goes to and fro has so many.
HINTS = {"float32": "f32", "bfloat16": "bf16"}  # OpenVINO's names of the formats that a graph computes in.


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


def hint(precision: str) -> str:
    """Return OpenVINO's name of the format that a graph of a precision computes in.

    In int8 it is that of what is not quantized: bfloat16 where the processor is fast in it. A frame of `lite` at
    448x256 takes 6.4 ms so on Zen 4, 8.3 with the rest in float32 (doc/lessons.md, "Speed").
    """
    if precision == "int8":
        precision = "bfloat16" if processor.here().fast_bfloat16 else "float32"
    return HINTS[precision]


def compiled_at(
    core: openvino.Core, model: openvino.Model, shapes: Mapping[str, Sequence[int]], options: Mapping[str, str]
) -> openvino.CompiledModel:
    """Return a graph compiled by an OpenVINO `Core` for the CPU, with `options`, at fixed `shapes`, {input: shape}."""
    if shapes:
        model = model.clone()
        model.reshape({name: list(shape) for name, shape in shapes.items()})
    return core.compile_model(model, "CPU", options)


def _give_memory_back() -> None:
    """Give the system what was needed to make a graph: on Linux the C library holds 20 to 30 MB of it for each."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):  # Other C libraries have no such function.
            ctypes.CDLL(None).malloc_trim(0)


class _Ready:
    """A compiled graph, to be called with {input: array}.

    Args:
        compiled: the graph.
        content: the file that it is from, mapped, if it was kept.
    """

    def __init__(self, compiled: openvino.CompiledModel, content: mmap.mmap | None = None) -> None:
        self._compiled, self._content = compiled, content  # In this order they go: weights are in the file.
        self._has_run = False

    def __call__(self, inputs: Mapping[str, np.ndarray]) -> openvino.utils.data_helpers.wrappers.OVDict:
        """Return the outputs, {name: array}; they are copies, which the next run leaves alone."""
        outputs = self._compiled(inputs)
        if not self._has_run:
            self._has_run = True
            _give_memory_back()
            if self._content is not None and sys.platform == "linux":
                # In its first run, a graph copies most weights into the order and the format that it computes in. Of
                # the file, 13 to 37 MB, the little that it still needs comes back by itself.
                self._content.madvise(mmap.MADV_DONTNEED)
        return outputs


class OpenVinoEngine:
    """Runs a network's two graphs in OpenVINO. Threads may share it; they take turns.

    A graph is compiled for each size and number of objects that comes up: with fixed sizes it runs 1.1 to 1.5 times as
    fast as with free sizes. The `MOST_COMPILED` that were used last stay in memory, each in 20 to 150 MB; of
    graphs that are kept on disk too, `MOST_IN_MEMORY`.

    Args:
        graphs: returns {`engines.FRAME`, ...: OpenVINO model}, as `export` makes them; `FRAME` alone without a visual
            modulator. It is called where a graph is not kept.
        config: ModelConfig.
        precision: "float32", "bfloat16" (on processors that lack bfloat16: float32) or "int8"; see `hint`.
        vg_pad_ratio: each side of the visual guide's crop moves outward by this part of the crop's side; 0.03, as
            published.
        kept: the graphs that were compiled before; None for weights that no other process will see.
    """

    follows_weights = False

    def __init__(
        self,
        graphs: Callable[[], Mapping[str, openvino.Model]],
        config: ModelConfig,
        precision: str = "float32",
        vg_pad_ratio: float = PAD_RATIO,
        kept: CompiledGraphs | None = None,
    ) -> None:
        self._openvino = engine_import("openvino")
        self._core = self._openvino.Core()
        self._graphs, self._config, self._vg_pad_ratio, self._kept = graphs, config, vg_pad_ratio, kept
        self._compile_options = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": hint(precision)}
        self._frame: openvino.Model | None = None
        self._guide: _Ready | Future[_Ready] | None = None
        if config.no_visual_modulator:
            self._frame = self._with_colors(graphs()[FRAME])
        else:
            # Reading it takes 60 ms, in which the caller opens its video.
            begun = kept is not None and kept.has(GUIDE, {}, self._options_of(GUIDE))
            self._guide = in_background(self._made, GUIDE) if begun else self._made(GUIDE)
        self._compiled: dict[tuple[tuple[int, ...], ...], _Ready] = {}  # The one used last is last.
        self._appearance: dict[tuple[int, ...], _Ready] = {}  # So here.
        self._turn = threading.Lock()

    def _made(self, name: str, shapes: Mapping[str, Sequence[int]] = MappingProxyType({})) -> _Ready:
        """Return a graph that was compiled before, or else compile it, for {input: shape}; by default for any shape."""
        options = self._options_of(name)
        kept = None if self._kept is None else self._kept.find(self._core, name, shapes, options)
        found = _Ready(self._compile(name, shapes, options)) if kept is None else _Ready(*kept)
        _give_memory_back()
        return found

    def _options_of(self, name: str) -> dict[str, str]:
        if name == GUIDE:  # In float32: it runs once per object, and its errors would stay for the whole video.
            return self._compile_options | {"INFERENCE_PRECISION_HINT": HINTS["float32"]}
        return self._compile_options

    def _compile(
        self, name: str, shapes: Mapping[str, Sequence[int]], options: Mapping[str, str]
    ) -> openvino.CompiledModel:
        """Compile a graph, and keep it."""
        if name == FRAME:
            graph = self._frame = self._frame or self._with_colors(self._graphs()[FRAME])
        else:
            graph = self._graphs()[name]
            graph = self._with_colors(graph) if name == APPEARANCE else graph
        found = compiled_at(self._core, graph, shapes, options)
        if self._kept is not None:
            self._kept.keep(found, name, shapes, options)
        return found

    def gammas(self, frame: np.ndarray, mask: np.ndarray) -> list[np.ndarray]:
        """See `Engine.gammas`."""
        if self._config.no_visual_modulator:
            return []
        guide = visual_guide(frame, mask, self._config, self._vg_pad_ratio)
        with self._turn:
            guide_graph = self._guide or self._made(GUIDE)
            self._guide = guide_graph.result() if isinstance(guide_graph, Future) else guide_graph
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

    def appearance(self, frame: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """See `Engine.appearance`."""
        with self._turn:
            compiled = self._appearance.pop(frame.shape, None)
            if compiled is None:
                self._make_room(self._appearance, MOST_OF_APPEARANCE)
                compiled = self._made(APPEARANCE, {"image": (1, *frame.shape)})
            self._appearance[frame.shape] = compiled
            outputs = compiled({"image": frame[None]})
            return outputs["fine"][0], outputs["coarse"][0]

    def run_frame(self, inputs: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return probabilities, float32 (N, H, W), for {input: array} of the frame's graph; the image is uint8 RGB."""
        with self._turn:
            probabilities: np.ndarray = self._frame_of(inputs)(inputs)["probabilities"]
            return probabilities

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

    def _frame_of(self, inputs: Mapping[str, np.ndarray]) -> _Ready:
        """Return the frame's graph, compiled for inputs of these shapes."""
        shapes = {name: value.shape for name, value in inputs.items()}
        key = tuple(shapes.values())
        compiled = self._compiled.pop(key, None)
        if compiled is None:
            self._make_room(self._compiled, MOST_IN_MEMORY)
            compiled = self._made(FRAME, shapes)
        self._compiled[key] = compiled
        return compiled

    def _make_room(self, compiled: dict[Any, _Ready], most_kept: int) -> None:
        """Forget the graphs that were used longest ago, so that there is room for one more, of a new size."""
        # Objects come before frames of a new size. The guide's graph has three quarters of the memory; from where it is
        # kept, the next object has it again in a tenth of a second.
        most = MOST_COMPILED
        if self._kept is not None and self._kept.has_any:
            self._guide, most = None, most_kept
        while len(compiled) >= most:
            del compiled[next(iter(compiled))]
