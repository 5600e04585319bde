"""Loading a model to segment with, from a checkpoint or from a folder that `osmn_export.py` has written."""

import dataclasses
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from osmn.config import ModelConfig
from osmn.errors import InputError, argument, missing_package
from osmn.inference import arguments
from osmn.models import checkpoint_files, exported, openvino_model, stored_weights
from osmn.models.engines import AUTO, ENGINES, PRECISIONS, ClickEngine, choice
from osmn.models.interface import SegmentationModel

logger = logging.getLogger(__name__)
SHIPPED_CLICKS = Path(__file__).resolve().parents[2] / "models/osmn_clicks"


def has_click_model(path: Path | str = SHIPPED_CLICKS) -> bool:
    """Tell whether there is a click network at a path: by default, whether the shipped one is there."""
    return exported.is_exported(path) or Path(f"{path}.index").is_file()


def load_model(
    path: Path | str, given: Mapping[str, Any] | None = None, precision: str | None = None, engine: str | None = None
) -> SegmentationModel:
    """Return the model of a path; TensorFlow is not imported unless it segments or has to convert the model.

    Args:
        path: a checkpoint's prefix or file, or an exported folder, or a folder whose newest checkpoint is taken.
        given: {`ModelConfig` field: value} of what the caller says of the model; see `config.resolve`.
        precision: "float32", "bfloat16", "float16" or "int8"; None: the precision of the export, or what is fast here.
        engine: "tensorflow" or "openvino"; "auto" for what `engines.choice` takes, which is logged; None: OpenVINO for
            an exported model, TensorFlow for a checkpoint.

    Raises:
        InputError: if there is no such model, if it does not fit what is asked for, or if an argument is not as
            described.
    """
    if check_model(path, given, precision, engine):
        return exported.load(path, given, precision)
    engine, precision = chosen_engine(path, given, precision, engine)
    if engine == exported.OPENVINO:
        return openvino_model.load(path, given, precision)
    try:
        from osmn.models import tensorflow_model  # TensorFlow takes seconds to import
    except ModuleNotFoundError as error:
        raise missing_package(error) or error from None
    return tensorflow_model.load(path, given, precision, engine)


def chosen_engine(
    path: Path | str, given: Mapping[str, Any] | None, precision: str | None, engine: str | None
) -> tuple[str, str | None]:
    """Return the engine and the precision for a model; for "auto" those of `choice.choose`, and log which and why.

    `load_model` takes them in place of its arguments, which are the same here.
    """
    if exported.is_exported(path):
        if engine == AUTO:
            logger.info(f"segmenting by OpenVINO: {path} is exported for it")
        return exported.OPENVINO, precision
    if engine != AUTO:
        return engine or "tensorflow", precision
    path, config = checkpoint_files.find_model(path, given)
    chosen = choice.choose(precision, int8=openvino_model.has_int8(path, config))
    logger.info(chosen.line())
    return chosen.engine, chosen.precision


def load_click_engine(path: Path | str) -> ClickEngine:
    """Return what runs a click network, of `osmn_click_train.py`, for objects that are pointed at.

    It computes in float32, by OpenVINO where `engines.choice` takes that. `path` is as in `load_model`. Raises
    InputError as `load_model`, or if the model is no click network.
    """
    if exported.is_exported(path):
        found = _of_clicks(exported.load(path))
    elif choice.choose("float32").engine == exported.OPENVINO:
        found = _of_clicks(openvino_model.load(path, None, "float32"))
    else:
        from osmn.models import tensorflow_model
        from osmn.models.engines.clicks import ClickTensorFlowEngine

        model = tensorflow_model.load(path, None, "float32")
        _of_clicks(model)
        return ClickTensorFlowEngine(model.network)
    from osmn.models.engines.openvino import ClickOpenVinoEngine

    return ClickOpenVinoEngine(found.start_engine())


def fingerprint(path: Path | str) -> str:
    """Return the SHA-256 of a model's weights, in hex; `path` is as in `load_model`."""
    if exported.is_exported(path):
        return exported.load(path).fingerprint
    return stored_weights.fingerprint(checkpoint_files.find_checkpoint(path))


def _of_clicks(model: SegmentationModel) -> SegmentationModel:
    """Return a click network; raise InputError for another model."""
    if not model.config.kind.clicks:
        raise InputError(f"{model.path} follows objects, and finds none by clicks; give a model of osmn_click_train.py")
    return model


def check_model(
    path: Path | str, given: Mapping[str, Any] | None = None, precision: str | None = None, engine: str | None = None
) -> bool:
    """Raise InputError where `load_model` would, as far as the model's files tell, without importing TensorFlow.

    The arguments are those of `load_model`. Returns whether the model is an exported model.
    """
    known = [field.name for field in dataclasses.fields(ModelConfig)]
    given = {} if given is None else arguments.fields(given, known, "given")
    arguments.one_of(engine, (AUTO, *ENGINES), "engine")
    is_export = exported.is_exported(arguments.path(path, "a model"))
    arguments.one_of(precision, PRECISIONS, "precision")
    if is_export and engine not in (None, AUTO, exported.OPENVINO):
        raise InputError(
            f"{path} is exported for OpenVINO; give a checkpoint, or leave {argument('engine', engine)} out"
        )
    if not is_export:
        checkpoint_files.find_model(path, given)
    return is_export
