"""A model to segment with, from whatever it is stored as: a checkpoint, or a folder of `osmn_export.py`."""

import dataclasses

from osmn.config import ModelConfig
from osmn.errors import InputError, argument
from osmn.inference import arguments
from osmn.models import checkpoint_files, exported
from osmn.models.engines import ENGINES, PRECISIONS


def load_model(path, given=None, precision=None, engine=None):
    """Return a `tensorflow_model.Model`, or an `exported.ExportedModel`, for which TensorFlow is not even imported.

    Args:
        path: a checkpoint's prefix or file, or a folder: of checkpoints, of which the newest is taken, or exported.
        given: {`ModelConfig` field: value} of what the caller says of the model; see `config.resolve`.
        precision: "float32", "bfloat16" or "float16"; None: the model's own, or the device's.
        engine: "tensorflow" or "openvino"; None: the one that the model is exported for, TensorFlow for a checkpoint.

    Raises:
        InputError: if there is no such model, if it does not fit what is asked for, or for an argument that is none of
            these.
    """
    if check_model(path, given, precision, engine):
        return exported.load(path, given, precision)
    from osmn.models import tensorflow_model  # TensorFlow takes seconds to import

    return tensorflow_model.load(path, given, precision, engine or "tensorflow")


def check_model(path, given=None, precision=None, engine=None):
    """Raise InputError, without TensorFlow, as far as a model's files tell that `load_model` will; it takes the same.

    Returns whether it is an exported model.
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
