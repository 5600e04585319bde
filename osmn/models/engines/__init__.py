"""The engines that run a network for the predictor: a class for each, with two functions from arrays to arrays."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, cast

from osmn.errors import optional_import
from osmn.options import option

if TYPE_CHECKING:  # NumPy takes a tenth of a second to import, and command lines import this module.
    import numpy as np

# A network's graphs: the first runs once per object, the second once per frame, as the third, where it is asked for.
GUIDE, FRAME, APPEARANCE = "guide", "frame", "appearance"
PRECISIONS = ("float32", "bfloat16", "float16", "int8")  # Of the engines' arithmetic.


class EngineKind(NamedTuple):
    """What the program knows of an engine before it imports the engine.

    Attributes:
        start: "module:function" of a function from (`tensorflow_model.Model`, vg_pad_ratio) to an `Engine`. The module
            is imported when the engine is started.
        device: the name of the device that computes, for people; None for TensorFlow's device.
        precisions: the precisions of the engine's arithmetic. They include float32 and bfloat16, the defaults; int8 is
            for some networks alone, see `config.NetworkKind`.
        float32_network: the engine takes a network of float32 and converts it to the precision itself.
        appearance: the engine has `Engine.appearance`, without which there are no target models.
    """

    start: str
    device: str | None = None
    precisions: tuple[str, ...] = ("float32", "bfloat16", "float16")
    float32_network: bool = False
    appearance: bool = False


ENGINE_KINDS = {
    "tensorflow": EngineKind("osmn.models.engines.tensorflow:start", appearance=True),
    "openvino": EngineKind(
        "osmn.models.export:start_openvino",  # Of a network in TensorFlow, such as one that was just trained.
        device="CPU by OpenVINO",
        precisions=("float32", "bfloat16", "int8"),
        float32_network=True,
        appearance=True,
    ),
}
ENGINES = tuple(ENGINE_KINDS)
AUTO = "auto"  # `engines.choice` takes one of them.
ENGINE = option(
    "what segments; auto: what is fastest here; by default tensorflow, openvino for a model that was exported for it",
    choices=(AUTO, *ENGINES),
)
PRECISION = option(
    "number format; by default bfloat16 where the hardware is fast in it, float32 elsewhere and for lite in tensorflow;"
    " with --engine auto, int8 for lite where that is faster; int8 is openvino's alone",
    choices=PRECISIONS,
)


class Engine(Protocol):
    """Runs a network for any number of objects; threads may share it."""

    @property
    def follows_weights(self) -> bool:
        """True: it computes with the network's present weights; False: with the weights when the engine was made."""

    def gammas(self, frame: np.ndarray, mask: np.ndarray) -> list[np.ndarray]:
        """Return an object's gammas from the visual modulator: a float32 (1, 1, 1, C) for each modulated layer.

        It runs once per object. Without a visual modulator the list is empty.

        Args:
            frame: uint8 (H, W, 3), RGB: the reference frame.
            mask: bool (h, w), of any size: the object in it.
        """

    def segment(
        self, frame: np.ndarray, masks: np.ndarray, gammas: Sequence[np.ndarray]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return probabilities, float32, and masks, bool, both (N, H, W), of N objects in a frame.

        It runs once per frame.

        Args:
            frame: uint8 (H, W, 3), RGB.
            masks: bool (N, H, W): the objects in the frame before.
            gammas: of the N objects, a list of float32 (N, 1, 1, C).
        """

    def appearance(self, frame: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the visual modulator's features of a whole frame, two maps, float32 (C, h, w), the finer first.

        Only of an engine whose `EngineKind` says so, and for networks whose configuration `has_appearance`.

        Args:
            frame: uint8 (H, W, 3), RGB.
        """


class ClickEngine(Protocol):
    """Runs a click network; threads may share it."""

    def probabilities(self, image: np.ndarray, maps: np.ndarray) -> np.ndarray:
        """Return probabilities, float32 (S, S), of a window of a frame.

        Args:
            image: uint8 (S, S, 3), RGB; S is a multiple of 32.
            maps: uint8 (S, S, 4) of 0 and 1, the maps `inputs.clicks.MAPS`.
        """


def engine_import(name: str) -> ModuleType:
    """Return a package that only the engines other than TensorFlow, and the export for these engines, need.

    The package must not send data to anyone. OpenVINO and NNCF report their use to Google Analytics, from a separate
    process that outlives a killed program, and keep an identity in the user's home. They do so by the package
    `openvino_telemetry`; this function makes that package look missing.
    """
    modules = cast(dict[str, ModuleType | None], sys.modules)  # Python takes None for a package that is missing.
    modules.setdefault("openvino_telemetry", None)
    requirements = f"requirements-{'segment' if name.startswith('openvino') else 'engines'}.txt"
    if name.startswith("openvino") and "openvino" not in sys.modules:
        _import_openvino(requirements)
    return optional_import(name, requirements)


def _import_openvino(requirements: str) -> None:
    """Import OpenVINO without its converter, which takes longer to import than all the rest of it.

    The first call of `openvino.convert_model` imports the converter.
    """
    modules = cast(dict[str, ModuleType | None], sys.modules)
    converter = "openvino.tools.ovc"
    if converter in modules:
        return
    modules[converter] = None
    try:
        openvino = optional_import("openvino", requirements)
    finally:
        del modules[converter]

    def convert_model(*arguments: Any, **options: Any) -> Any:
        return importlib.import_module(converter).convert_model(*arguments, **options)

    if not hasattr(openvino, "convert_model"):
        cast(Any, openvino).convert_model = convert_model
