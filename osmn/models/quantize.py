"""A network's graphs in int8 for OpenVINO, by NNCF: the frame's graph is quantized, the guide's graph is not.

The guide's graph runs once per object, and its errors would stay for the whole video.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from osmn.config import NetworkKind
from osmn.data import davis
from osmn.evaluation import in_memory
from osmn.files.images import read_image
from osmn.inputs.guides import normalize
from osmn.inputs.guides_numpy import spatial_guide
from osmn.masks import resized
from osmn.models import export
from osmn.models.engines import FRAME, engine_import
from osmn.models.interface import SegmentationModel
from osmn.networks.layers import TAPS

if TYPE_CHECKING:  # It may not be installed.
    import openvino

# What stays in float32 in every network: depthwise convolutions, whose channels have ranges far apart, and sums, such
# as in modulation.
NOT_QUANTIZED = ("GroupConvolution", "Add")


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
            )
        openvino.save_model(model, folder / f"{name}.xml", compress_to_fp16=False)
