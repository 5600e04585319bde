"""The model for a user's video: the model that the user names, or the shipped model."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from osmn.errors import InputError
from osmn.inference.boundaries import refiner
from osmn.inference.frames import network_size
from osmn.inference.load import check_model, load_model
from osmn.inference.predictor import Predictor
from osmn.models.engines import Engine
from osmn.models.interface import SegmentationModel, check_size, usable
from osmn.models.memory import check_images

SHIPPED = Path(__file__).resolve().parents[2] / "models/osmn_lite"


def load(
    path: Path | str | None, given: Mapping[str, Any] | None, precision: str | None, engine: str | None
) -> tuple[SegmentationModel, Engine]:
    """Return the model and its engine, which serves all videos; see `load.load_model`.

    Args:
        path: a checkpoint, or a folder; empty for the shipped model.
        given: {`ModelConfig` field: value} of what the caller says of the model.
        precision: see `load.load_model`.
        engine: see `load.load_model`.
    """
    model = load_model(check(path, given, precision, engine), given, precision, engine)
    return model, model.start_engine()


def check(
    path: Path | str | None, given: Mapping[str, Any] | None, precision: str | None, engine: str | None
) -> Path | str:
    """Return the path of the model that `load` loads for the same arguments.

    Raises InputError as `load` does, as far as the model's files tell, without importing TensorFlow.
    """
    if not path and not SHIPPED.with_suffix(".index").is_file():
        raise InputError(f"{SHIPPED} is not there; give a model, --whole_model_path MODEL (models/README.md)")
    path = path or SHIPPED
    check_model(path, given, precision, engine)
    return path


def size(
    model: SegmentationModel, frame_size: tuple[int, int], im_size: tuple[int, int] | None = None
) -> tuple[int, int]:
    """Return the size that frames get for the network, (width, height): `im_size`, or by the model's training.

    Raises InputError for a size that needs more memory than the machine has, or that the model is not for.
    """
    trained = model.config.im_size
    width, height = im_size or model.only_size or network_size(frame_size, min(trained) if trained else None)
    check_size(model, (width, height))
    check_images(model.config, (width, height))
    return width, height


def start_predictor(
    model: SegmentationModel,
    engine: Engine,
    frame_size: tuple[int, int],
    im_size: tuple[int, int] | None = None,
    search: bool = False,
    window: bool = True,
    target_model: bool = True,
    boundaries: bool = False,
) -> Predictor:
    """Return a `Predictor` for a video of frames of `frame_size`, by the engine of a model.

    `im_size` is as in `size`, the others are as in `Predictor.from_checkpoint`.
    """
    can = usable(model, window=window, target_model=target_model)
    size_for_network = size(model, frame_size, im_size)
    move = refiner() if boundaries else None
    follow = search, can["window"], can["target_model"]
    return Predictor(engine, size_for_network, None, None, *follow, boundaries=move)
