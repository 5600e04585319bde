"""Reading and writing weights: TF1 name-based checkpoints, released or our own, with the configuration beside them.

Our training checkpoints have the published format: the variables under their TF1 names, Adam's slots as `<name>/Adam`
and `<name>/Adam_1`, `beta1_power`, `beta2_power` and `global_step`. The same reader serves all checkpoints, and the
published program can load what we write.
"""

import contextlib
import errno
import os
import re
import shutil
import tempfile
import weakref
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import tensorflow as tf

from osmn.config import ModelConfig, config_path, to_json
from osmn.errors import InputError, in_short
from osmn.files import locks
from osmn.files.atomic import link_or_copy, named_write_errors, temporary_folder
from osmn.models import stored_weights
from osmn.models.checkpoint_files import (
    CHECKPOINT_NAME,
    FIGURES,
    check_output,
    find_checkpoint,
    list_checkpoints,
    model_files,
)
from osmn.models.stored_weights import ADAM_SLOTS, AVERAGE, listing
from osmn.networks import Osmn

Values = Mapping[str, np.ndarray | tf.Tensor]


class CheckpointReader:
    """The variables of a TF1 checkpoint, a V1 file or a V2 bundle; InputError names the file if it is damaged."""

    def __init__(self, path: Path | str) -> None:
        self.path = find_checkpoint(path)
        with self._clear_errors():
            self._reader = tf.train.load_checkpoint(self._name_for_tensorflow())
            self.shapes = self._reader.get_variable_to_shape_map()

    def _name_for_tensorflow(self) -> str:
        """Return a name of the checkpoint for TensorFlow, which takes a path for a pattern and needs UTF-8."""
        name = self.path.as_posix()  # Windows takes "/" too, and every path there has backslashes otherwise.
        if not re.search(r"[*?\[\]\\\ud800-\udfff]", name):
            return name
        folder = tempfile.mkdtemp(prefix="osmn-")
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)  # The reader reads from it while it lives.
        for path in model_files(self.path):
            link_or_copy(path.resolve(), Path(folder, "model" + path.name.removeprefix(self.path.name)))
        return os.path.join(folder, "model")

    def read(self, name: str) -> np.ndarray:
        """Return the value of the variable `name` as an array; half precision, which shipped models have, as float32.

        Raises InputError for a value that is not finite, which would make everything computed with it useless.
        """
        with self._clear_errors():
            value = np.asarray(self._reader.get_tensor(name))
            if value.dtype.kind not in "fiu":
                raise ValueError(f"{name} holds no numbers")
            if not np.isfinite(value).all():
                raise ValueError(f"{name} holds numbers that are not finite")
        return value.astype(np.float32) if value.dtype == np.float16 else value

    @contextlib.contextmanager
    def _clear_errors(self) -> Iterator[None]:
        try:
            yield
        except (tf.errors.OpError, ValueError, LookupError, RuntimeError) as error:
            raise InputError(
                f"{self.path} is damaged or not a TensorFlow checkpoint ({in_short(error)}); download or copy it again"
            ) from None


def has_optimizer_state(path: Path | str) -> bool:
    """Tell whether a checkpoint holds the state that Adam needs to go on."""
    return any(name.rpartition("/")[2] in ADAM_SLOTS for name in CheckpointReader(path).shapes)


def has_average(path: Path | str) -> bool:
    """Tell whether a checkpoint is of a training that keeps an average of the weights."""
    return any(name.endswith(f"/{AVERAGE}") for name in CheckpointReader(path).shapes)


def load_weights(network: Osmn, path: Path | str) -> list[str]:
    """Load a whole model (`--whole_model_path`) into `network`; return the names in the file that the network lacks.

    Strict: every variable must be there with its shape, and the constant upsampling kernels must be bilinear. Where a
    training has kept an average of the weights, the average is taken. Optimizer slots and counters are ignored. Raises
    InputError listing what is missing or does not fit.
    """
    reader = CheckpointReader(path)
    variables, constants = network.tf1_variables(), network.constants()
    wanted = {name: tuple(v.shape) for name, v in (variables | constants).items()}
    values = stored_weights.StoredWeights(reader, wanted)
    for name, value in constants.items():
        if not np.allclose(values[name], value, atol=1e-6):
            raise InputError(f"{reader.path}: {name} is not the bilinear kernel that the network has built in")
    for name, variable in variables.items():
        variable.assign(values[name])
    return stored_weights.unused(reader, wanted)


def write_variables(prefix: Path | str, values: Values, config: ModelConfig | None = None, v1: bool = False) -> None:
    """Write {name: array} as a TF1 checkpoint, a V2 bundle or, with `v1`, a V1 file. It appears whole or not at all.

    The `ModelConfig` of a model is written beside it, for `config.read_config`. All files of an older model of this
    prefix, in either format, are removed. Raises InputError, naming the checkpoint, if `check_output` raises it, if the
    checkpoint cannot be written, or if another run is writing into its folder.
    """
    prefix = Path(prefix)
    check_output(prefix)
    with locks.writing(prefix.parent, wait=locks.MOMENT), tensorflow_write_errors(prefix):
        _write_variables(prefix, values, config, v1)


@contextlib.contextmanager
def tensorflow_write_errors(path: Path | str) -> Iterator[None]:
    """Turn a failure of TensorFlow or of Python to write `path` into an InputError that names `path`."""
    with named_write_errors(path):
        try:
            str(Path(path).parent).encode()  # TensorFlow writes into this folder; what it writes is renamed.
            yield
        except UnicodeEncodeError:
            raise OSError(errno.EILSEQ, "its path is not in UTF-8, as TensorFlow wants it") from None
        except tf.errors.OpError as error:
            first = re.sub(r"^\{\{.*?\}\} | \[Op:.*", "", error.message).splitlines()[0]  # Without its graph's nodes.
            raise OSError(errno.EIO, in_short(first)) from None


def _write_variables(prefix: Path, values: Values, config: ModelConfig | None, v1: bool) -> None:
    names = sorted(values)
    with temporary_folder(prefix.parent) as folder:
        part = os.path.join(folder, "model")  # Plain, whatever the prefix is; see `_name_for_tensorflow`.
        tensors = [tf.convert_to_tensor(values[n]) for n in names]
        if v1:
            tf.raw_ops.Save(filename=part, tensor_names=names, data=tensors)
        else:
            tf.raw_ops.SaveV2(prefix=part, tensor_names=names, shape_and_slices=[""] * len(names), tensors=tensors)
        if config is not None:
            config_path(part).write_text(to_json(config), encoding="utf-8")
        # The index last: a bundle is found by its index.
        written = sorted(os.listdir(folder), key=lambda name: name.endswith(".index"))
        targets = {prefix.parent / name.replace("model", prefix.name, 1): folder / name for name in written}
        old = set(model_files(prefix)) - targets.keys()
        # First an older checkpoint's index, which with other data would be a damaged checkpoint, and its configuration.
        for path in (Path(f"{prefix}.index"), config_path(prefix)):
            path.unlink(missing_ok=True)
        for path, source in targets.items():
            os.replace(source, path)
        for path in old:
            path.unlink(missing_ok=True)


def model_values(network: Osmn) -> dict[str, np.ndarray]:
    """Return a network's weights and constants as {TF1 name: array}."""
    return {n: np.asarray(v) for n, v in network.tf1_variables().items()} | network.constants()


def in_half_precision(values: Values) -> dict[str, np.ndarray]:
    """Return {name: array} in float16, to be written; InputError if a value is beyond the range of float16."""
    with np.errstate(over="ignore"):
        halves = {name: np.asarray(value, np.float16) for name, value in values.items()}
    too_large = [name for name, value in halves.items() if not np.all(np.isfinite(value))]
    if too_large:
        raise InputError(f"{listing(too_large)}: beyond the range of half precision; leave out --half")
    return halves


def save_training_checkpoint(
    folder: Path | str, step: int, values: Values, config: ModelConfig | None, max_to_keep: int
) -> None:
    """Write `values` and a ModelConfig, if any, as `<folder>/osmn.ckpt-<step>`; keep the newest `max_to_keep`."""
    remove_parts(folder)
    write_variables(Path(folder) / f"{CHECKPOINT_NAME}-{step}", values, config)
    for old in list_checkpoints(folder)[:-max_to_keep]:
        delete_checkpoint(old)


def remove_parts(folder: Path | str) -> None:
    """Remove from a training's folder the rest of a checkpoint whose writing or deletion was killed."""
    for part in Path(folder).glob(f"{CHECKPOINT_NAME}-*.*"):
        whole = part.with_suffix(".index").exists() or part.with_suffix("").exists()  # a V2 bundle, a V1 file
        if re.fullmatch(r"\.(data-.*|json)", part.suffix) and not whole:
            part.unlink()


def delete_checkpoints(folder: Path | str) -> None:
    """Delete the checkpoints in `folder`, and the figures of the best checkpoint."""
    (Path(folder) / FIGURES).unlink(missing_ok=True)
    for prefix in list_checkpoints(folder):
        delete_checkpoint(prefix)


def delete_checkpoint(prefix: Path) -> None:
    """Delete a checkpoint's files, the index first: without its index a checkpoint is not found."""
    for part in sorted(set(model_files(prefix)) - {prefix}, key=lambda path: path.suffix != ".index"):
        part.unlink()


def load_training_state(path: Path | str, wanted: Mapping[str, tuple[int, ...]]) -> dict[str, np.ndarray]:
    """Return {name: array} for `wanted`, {name: shape}, of a training checkpoint.

    Raises InputError if a variable is missing or has another shape.
    """
    reader = CheckpointReader(path)
    stored_weights.check_fit(reader, wanted)
    return {name: reader.read(name) for name in wanted}
