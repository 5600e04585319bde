"""The model for a stranger's own video: the one that is named, or the one that is shipped."""

from pathlib import Path

from osmn.errors import InputError
from osmn.inference.load import check_model, load_model
from osmn.inference.memory import check_images
from osmn.inference.predictor import network_size
from osmn.models import exported

SHIPPED = Path(__file__).resolve().parents[2] / "models/osmn_lite"


def load(path, given, precision, engine, gpu_id):
    """Return the model and an engine of it, which serves all videos; see `load.load_model`.

    Args:
        path: a checkpoint, or a folder; empty for the one that is shipped.
        given: {`ModelConfig` field: value} of what the caller says of the model.
        precision: None for the model's own, or the device's.
        engine: None for the model's own.
        gpu_id: the GPU; the CPU where there is none.
    """
    path = check(path, given, precision, engine)
    if not exported.is_exported(path):
        from osmn.networks import devices  # TensorFlow takes seconds to import

        devices.configure([gpu_id])
    model = load_model(path, given, precision, engine)
    return model, model.start_engine()


def check(path, given, precision, engine):
    """Return the path that `load` takes; InputError, without TensorFlow, if its files tell that it will not do."""
    if not path and not SHIPPED.with_suffix(".index").is_file():
        raise InputError(f"{SHIPPED} is not there; give a model, --whole_model_path MODEL (models/README.md)")
    path = path or SHIPPED
    check_model(path, given, precision, engine)
    return path


def size(model, frame_size, im_size=None):
    """Return the size that frames get for the network, (width, height): `im_size`, or that of the model's training."""
    trained = model.config.im_size
    chosen = tuple(im_size or network_size(frame_size, min(trained) if trained else None))
    check_images(model.config, chosen)
    return chosen
