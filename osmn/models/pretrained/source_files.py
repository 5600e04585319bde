"""The sources that ImageNet weights may be read from: whether a source exists. Nothing here imports TensorFlow."""

from pathlib import Path

from osmn.errors import InputError
from osmn.models.checkpoint_files import find_checkpoint

DOWNLOAD = "imagenet"  # The word for a download through `keras.applications`.


def is_keras(source: Path | str) -> bool:
    """Tell whether a source is a Keras file or the download, which has Keras' names too."""
    return str(source) == DOWNLOAD or str(source).endswith(".h5")


def is_archive(source: Path | str) -> bool:
    """Tell whether a source is named as an archive of NumPy arrays."""
    return str(source).endswith((".npy", ".npz"))


def check_source(source: Path | str) -> None:
    """Raise InputError if a source does not exist, or is of a kind that is never read; see `imagenet.load`."""
    if str(source) == DOWNLOAD:
        return
    if str(source).endswith(".npy"):
        raise InputError(f"{source} is not read: such a file may run any code; make an .npz of it (models/README.md)")
    if not is_keras(source) and not is_archive(source):
        find_checkpoint(source)
    elif not Path(source).exists() or (is_keras(source) and not Path(source).is_file()):
        raise InputError(f"{source} does not exist; see README, 'Weights'")
