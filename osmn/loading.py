"""A model to segment with, from whatever it is stored as: a checkpoint, or a folder of `osmn_export.py`."""

import dataclasses

from osmn import checks, exported
from osmn.config import ModelConfig
from osmn.engines import ENGINES, PRECISIONS
from osmn.errors import InputError


def load(path, given=None, precision=None, engine=None):
    """Return a `models.Model`, or an `exported.ExportedModel`, for which TensorFlow is not even imported.

    Args:
        path: a checkpoint's prefix or file, or a folder: of checkpoints, of which the newest is taken, or exported.
        given: {`ModelConfig` field: value} of what the caller says of the model; see `config.resolve`.
        precision: "float32", "bfloat16" or "float16"; None: the model's own, or the device's.
        engine: "tensorflow" or "openvino"; None: the one that the model is exported for, TensorFlow for a checkpoint.

    Raises:
        InputError: if there is no such model, if it does not fit what is asked for, or for an argument that is none of
            these.
    """
    known = [field.name for field in dataclasses.fields(ModelConfig)]
    given = {} if given is None else checks.fields(given, known, "given")
    checks.one_of(engine, ENGINES, "engine")
    is_export = exported.is_exported(checks.path(path, "a model"))
    checks.one_of(precision, (*PRECISIONS, "int8") if is_export else PRECISIONS, "precision")
    if is_export:
        if engine not in (None, exported.OPENVINO):
            raise InputError(f"{path} is exported for OpenVINO; give a checkpoint, or leave --engine {engine} out")
        return exported.load(path, given, precision)
    from osmn import models  # TensorFlow takes seconds to import

    return models.load(path, given, precision, engine or "tensorflow")
