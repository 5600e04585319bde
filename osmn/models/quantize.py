"""A network's graphs in int8 for OpenVINO, by NNCF: the frame's graph is quantized, the guide's graph is not.

The guide's graph runs once per object, and its errors would stay for the whole video. Weights take half of their range,
so that no sum saturates on a processor without VNNI; `agreement` shows what the masks lose in either arithmetic.
"""

from __future__ import annotations

import functools
import logging
import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from osmn.config import NetworkKind
from osmn.data import davis
from osmn.evaluation import in_memory
from osmn.evaluation.metrics import region_similarity
from osmn.files.images import read_image
from osmn.inputs.guides import normalize
from osmn.inputs.guides_numpy import spatial_guide
from osmn.masks import resized
from osmn.models import export
from osmn.models.engines import FRAME, arithmetics, engine_import, processor
from osmn.models.engines.openvino import compiled_at, hint, read_graph
from osmn.models.interface import SegmentationModel
from osmn.networks.layers import TAPS

if TYPE_CHECKING:  # It may not be installed.
    import openvino

logger = logging.getLogger(__name__)

# What stays in float32 in every network: depthwise convolutions, whose channels have ranges far apart, and sums, such
# as in modulation.
NOT_QUANTIZED = ("GroupConvolution", "Add")


PROCESSORS = {arithmetics.EXACT: "processors with VNNI", arithmetics.SATURATING: "other x86 processors"}
CLOSE = 0.95, 0.9  # IoU of masks in int8 with the network's, mean and lowest; below it a warning tells of it.
GAIN = 0.9  # int8 must take less than this part of another precision's time to be worth its error.
TURNS = 15  # Frames that are timed in each precision; a frame's time varies by a tenth.


def _not_quantized(model: openvino.Model, kind: NetworkKind) -> list[str]:
    """Return the names of the convolutions in a graph that stay in float32, as the `NetworkKind` says."""
    if not kind.float32_blocks:
        return []
    sides: list[str] = []
    blocks: list[str] = []
    for operation in model.get_ordered_ops():
        if operation.get_type_name() == "Convolution":
            is_side = operation.get_output_partial_shape(0)[1] == TAPS
            (sides if is_side else blocks).append(operation.get_friendly_name())
    return sides + [blocks[number] for number in kind.float32_blocks]


def samples(
    model: SegmentationModel, data_path: Path | str, split: str, count: int, size: tuple[int, int]
) -> list[dict[str, np.ndarray]]:
    """Return the inputs of the frame's graph for frames of DAVIS 2016, with the true mask of the frame before.

    Args:
        model: the model to be quantized.
        data_path: DAVIS folder.
        split: of its videos.
        count: number of frames, spread evenly over the videos.
        size: (width, height) of the network's images.

    Returns:
        A list of {input: float32 array}.
    """
    engine = model.start_engine()
    videos = davis.videos(data_path, 2016, split)
    wanted = max(1, round(count / len(videos)))
    found = []
    for video in videos:
        masks = davis.annotations(data_path, video.name)
        (gammas,) = in_memory.own_gammas(engine, video)
        known = [number for number, frame in enumerate(video.frames[:-1]) if frame.stem in masks]
        for number in known[:: max(1, len(known) // wanted)][:wanted]:
            frame, following = video.frames[number : number + 2]
            (before,) = in_memory.true_masks(video, masks, frame)
            inputs = {
                "image": normalize(read_image(following, size), model.config).numpy()[None],
                "spatial_guide": spatial_guide(resized(before, size)[None], model.config),
            }
            found.append(inputs | {f"gamma_{n}": gamma for n, gamma in enumerate(gammas, 1)})
    return found


def writer(inputs: Sequence[Mapping[str, np.ndarray]], kind: NetworkKind) -> Callable[[export.Graphs, Path], None]:
    """Return a function that writes `export.Graphs` into a folder, for OpenVINO.

    The frame's graph is quantized by the values that occur for `inputs`, from `samples`; `kind` is the network's
    `NetworkKind`.
    """
    return functools.partial(_write, inputs, kind)


def _write(inputs: Sequence[Mapping[str, np.ndarray]], kind: NetworkKind, graphs: export.Graphs, folder: Path) -> None:
    nncf = engine_import("nncf")
    openvino = engine_import("openvino")
    for name in graphs.functions:
        model = export.openvino_model(graphs, name)
        if name == FRAME:
            model = nncf.quantize(
                model,
                nncf.Dataset(inputs),
                preset=nncf.QuantizationPreset.MIXED,  # ReLU's features have a range of their own, from 0 up.
                subset_size=len(inputs),
                ignored_scope=nncf.IgnoredScope(_not_quantized(model, kind), types=list(NOT_QUANTIZED), validate=False),
                advanced_parameters=nncf.AdvancedQuantizationParameters(overflow_fix=nncf.OverflowFix.ENABLE),
            )
        openvino.save_model(model, folder / f"{name}.xml", compress_to_fp16=False)


def agreement(
    graphs: export.Graphs, folder: Path | str, inputs: Sequence[Mapping[str, np.ndarray]]
) -> dict[str, tuple[float, float]]:
    """Return {arithmetic: (mean, lowest)} of the IoU of written graphs' masks with the network's masks.

    The arithmetics are those of processors with VNNI and of other x86 processors, whichever this processor is.

    Args:
        graphs: `export.Graphs`.
        folder: of the written graphs.
        inputs: of the frame's graph, from `samples`.
    """
    wanted = [export.run(graphs, FRAME, each)["probabilities"] > 0.5 for each in inputs]
    found = {}
    on_x86 = platform.machine().lower() in ("x86_64", "amd64")
    for arithmetic in (arithmetics.EXACT, arithmetics.SATURATING) if on_x86 else (arithmetics.EXACT,):
        masks = arithmetics.probabilities(Path(folder) / f"{FRAME}.xml", inputs, arithmetic)
        pairs = (
            pair for ours, theirs in zip(wanted, masks, strict=True) for pair in zip(ours, theirs > 0.5, strict=True)
        )
        ious = [region_similarity(*pair) for pair in pairs]
        found[arithmetic] = float(np.mean(ious)), float(min(ious))
    return found


def durations(graphs: export.Graphs, folder: Path | str, inputs: Mapping[str, np.ndarray]) -> dict[str, float]:
    """Return {precision: seconds} of a frame on this processor, in float32, in the written int8, and in bfloat16.

    bfloat16 is measured where the processor is fast in it. All take turns; each time is a median.

    Args:
        graphs: `export.Graphs`.
        folder: of the graphs in int8.
        inputs: of the frame's graph.
    """
    network = export.openvino_model(graphs, FRAME)
    models = {"float32": network, "int8": read_graph(Path(folder) / f"{FRAME}.xml")}
    if processor.here().fast_bfloat16:
        models["bfloat16"] = network
    core, shapes = engine_import("openvino").Core(), {name: value.shape for name, value in inputs.items()}
    compiled = {
        name: compiled_at(core, model, shapes, {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": hint(name)})
        for name, model in models.items()
    }
    times: dict[str, list[float]] = {name: [] for name in compiled}
    for _ in range(TURNS):
        for name, run in compiled.items():
            begin = time.perf_counter()
            run(inputs)
            times[name].append(time.perf_counter() - begin)
    return {name: statistics.median(each) for name, each in times.items()}


def report_agreement(found: Mapping[str, tuple[float, float]], frames: int) -> None:
    """Log what `agreement` returned for so many frames, with a warning where masks are not close to the network's."""
    for arithmetic, (mean, lowest) in found.items():
        where = f"{arithmetic} int8 sums, of {PROCESSORS[arithmetic]}"
        logger.info(f"{where}: masks of {frames} frames, IoU with the network's {mean:.3f}, the lowest {lowest:.3f}")
        if mean < CLOSE[0] or lowest < CLOSE[1]:
            logger.warning(f"{where}: masks are not close to the network's; float32 or bfloat16 is better here")


def report_gain(times: Mapping[str, float]) -> None:
    """Log what `durations` returned, with a warning where int8 gains nothing on this processor."""
    parts = ", ".join(f"{name} {time / times['float32']:.2f}" for name, time in times.items() if name != "float32")
    logger.info(f"time per frame on this processor, in parts of float32's: {parts}")
    best = min((name for name in times if name != "int8"), key=lambda name: times[name])
    if times["int8"] > GAIN * times[best]:
        logger.warning(f"int8 gains nothing on this processor: {best} is as fast, and closer to the network")
