"""What the code that segments needs of a model, wherever the model's weights come from."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from osmn.config import ModelConfig
from osmn.errors import InputError, argument
from osmn.models.engines import Engine


class SegmentationModel(Protocol):
    """A network's weights and configuration: of a checkpoint (`tensorflow_model.Model`) or of an export."""

    @property
    def path(self) -> Path | None:
        """Where the weights come from; None for initial weights."""

    @property
    def config(self) -> ModelConfig:
        """What the network is, and which inputs it was trained on."""

    @property
    def engine(self) -> str:
        """What segments with the model, a name of `engines.ENGINES`."""

    @property
    def precision(self) -> str:
        """The format of the arithmetic: "float32", "bfloat16", "float16" or "int8"."""

    @property
    def only_size(self) -> tuple[int, int] | None:
        """The (width, height) of the images that the model was exported for alone; None for a model of any size."""

    @property
    def has_appearance(self) -> bool:
        """Whether its engine has features of whole frames; see `Engine.appearance`."""

    @property
    def files(self) -> Sequence[Path]:
        """The paths that the model is read from, which results may not replace."""

    @property
    def fingerprint(self) -> str:
        """The SHA-256 of the weights, in hex."""

    def summary(self, im_size: tuple[int, int] | None) -> str:
        """Return a line that says what computes: model, size (width, height), precision, device."""

    def provenance(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Return what makes results, for a manifest: this model and the options that change results."""

    def start_engine(self, vg_pad_ratio: float = ...) -> Engine:
        """Return the engine that runs the model.

        `vg_pad_ratio`: each side of the visual guide's crop moves outward by this part of the crop's side; 0.03, as
        published.
        """


def usable(model: SegmentationModel, **asked: bool) -> dict[str, bool]:
    """Return which of the options `window` and `target_model`, {name: asked for}, a model's engine can do."""
    can = {"window": takes_windows(model), "target_model": model.has_appearance}
    return {name: wanted and can[name] for name, wanted in asked.items()}


def takes_windows(model: SegmentationModel) -> bool:
    """Tell whether a model segments a smaller image, and computes less for it: not one that has a single size."""
    return model.only_size is None and model.config.aligned_size is None


def check_size(model: SegmentationModel, im_size: tuple[int, int]) -> None:
    """Raise InputError for images of a size, (width, height), that a model was not exported for."""
    if model.only_size not in (None, im_size):
        only = "x".join(map(str, model.only_size))
        sized = argument("im_size", model.only_size, lambda size: " ".join(map(str, size)))
        raise InputError(
            f"{model.path} is exported for frames of {only} alone; give {sized}, or export it for any size"
        )
