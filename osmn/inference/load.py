"""Loading a model to segment with, from a checkpoint or from a folder that `osmn_export.py` has written."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from osmn.config import ModelConfig
from osmn.errors import InputError, argument
from osmn.inference import arguments
from osmn.models import checkpoint_files, exported
from osmn.models.engines import ENGINES, PRECISIONS
from osmn.models.interface import SegmentationModel


def load_model(
    path: Path | str, given: Mapping[str, Any] | None = None, precision: str | None = None, engine: str | None = None
) -> SegmentationModel:
    """Return a `tensorflow_model.Model`, or an `exported.ExportedModel`, for which TensorFlow is not imported.

    Args:
        path: a checkpoint's prefix or file, or an exported folder, or a folder whose newest checkpoint is taken.
        given: {`ModelConfig` field: value} of what the caller says of the model; see `config.resolve`.
        precision: "float32", "bfloat16" or "float16"; None: the precision of the export, or the default of the device.
        engine: "tensorflow" or "openvino"; None: OpenVINO for an exported model, TensorFlow for a checkpoint.

    Raises:
        InputError: if there is no such model, if it does not fit what is asked for, or if an argument is not as
            described.
    """
    if check_model(path, given, precision, engine):
        return exported.load(path, given, precision)
    from osmn.models import tensorflow_model  # TensorFlow takes seconds to import

    return tensorflow_model.load(path, given, precision, engine or "tensorflow")


def check_model(
    path: Path | str, given: Mapping[str, Any] | None = None, precision: str | None = None, engine: str | None = None
) -> bool:
    """Raise InputError where `load_model` would, as far as the model's files tell, without importing TensorFlow.

    The arguments are those of `load_model`. Returns whether the model is an exported model.
    """
    known = [field.name for field in dataclasses.fields(ModelConfig)]
    given = {} if given is None else arguments.fields(given, known, "given")
    arguments.one_of(engine, ENGINES, "engine")
    is_export = exported.is_exported(arguments.path(path, "a model"))
    arguments.one_of(precision, (*PRECISIONS, "int8") if is_export else PRECISIONS, "precision")
    if is_export and engine not in (None, exported.OPENVINO):
        raise InputError(
            f"{path} is exported for OpenVINO; give a checkpoint, or leave {argument('engine', engine)} out"
        )
    if not is_export:
        checkpoint_files.find_model(path, given)
    return is_export
