"""The files of checkpoints: which files exist, what a path means, where a checkpoint may be written.

Nothing here imports TensorFlow, which takes seconds, so that a wrong path is named at once. The content of the files is
for `checkpoints`.
"""

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from osmn.config import ModelConfig, config_path, read_config, resolve
from osmn.errors import InputError

CHECKPOINT_NAME = "osmn.ckpt"
BEST = "best"  # Folder of the checkpoint that is best by validation, in the folder of a training's checkpoints.
FIGURES = "figures.json"  # In the same folder: the step and the figures of that checkpoint.
TABLE_END = bytes.fromhex("57fb808b247547db")  # Of TensorFlow's files of tables, which are in LevelDB's format.


def find_checkpoint(path: Path | str) -> Path:
    """Return the prefix or file that `path` means: itself, or the newest `osmn.ckpt-<step>` of a folder.

    Raises InputError if there is no checkpoint.
    """
    path = Path(path)
    if path.is_dir():
        newest = newest_checkpoint(path)
        if newest is None:
            raise InputError(f"{path} holds no checkpoint named {CHECKPOINT_NAME}-<step>; name one by its prefix")
        return newest
    path = Path(re.sub(r"\.(index|data-\d+-of-\d+)$", "", str(path)))
    if not path.is_file() and not Path(f"{path}.index").is_file():
        raise InputError(f"{path} does not exist, neither as a file nor as a checkpoint prefix; see README, 'Weights'")
    return path


def list_checkpoints(folder: Path | str) -> list[Path]:
    """Return the prefixes of the checkpoints in `folder`, oldest first."""
    files = (path.name for path in Path(folder).glob("*") if path.is_file())
    names = (re.fullmatch(rf"({re.escape(CHECKPOINT_NAME)}-\d+)\.index", name) for name in files)
    return sorted((Path(folder) / match.group(1) for match in filter(None, names)), key=step_of)


def newest_checkpoint(folder: Path | str) -> Path | None:
    """Return the prefix of the newest checkpoint in `folder`, or None."""
    found = list_checkpoints(folder)
    return found[-1] if found else None


def model_files(prefix: Path | str) -> list[Path]:
    """Return the paths of all files of a checkpoint, given its prefix, in either format."""
    prefix = Path(prefix)
    ours = re.compile(rf"{re.escape(prefix.name)}(\.index|\.data-\d+-of-\d+|\.meta|\.json)?", re.DOTALL)
    return [path for path in prefix.parent.glob("*") if ours.fullmatch(path.name) and path.is_file()]


def find_model(path: Path | str, given: Mapping[str, Any] | None = None) -> tuple[Path, ModelConfig]:
    """Return (prefix or file, `ModelConfig`) of the checkpoint that `path` means; see `config.resolve`.

    Args:
        path: as `find_checkpoint` takes it.
        given: {`ModelConfig` field: value} of what the caller says of the model.

    Raises:
        InputError: if there is no such checkpoint, or if what is given contradicts its configuration.
    """
    path = find_checkpoint(path)
    return path, resolve(given or {}, read_config(path), path)


def find_start(
    start: Path | str | None, folder: Path | str | None, given: Mapping[str, Any] | None = None
) -> tuple[Path | None, Path | None, ModelConfig]:
    """Return (newest checkpoint, start, `ModelConfig`) of a training; a checkpoint that does not exist is None.

    The configuration comes from the newest checkpoint, else from the start.

    Args:
        start: a checkpoint to start from, as `find_checkpoint` takes it; None or "" for initial weights.
        folder: of the training's checkpoints, the newest of which the training goes on from; None for a training
            without a folder.
        given: {`ModelConfig` field: value} of what the caller says of the model.

    Raises:
        InputError: as `find_model`.
    """
    newest = newest_checkpoint(folder) if folder else None
    start = find_checkpoint(start) if start else None
    source = newest or start
    return newest, start, resolve(given or {}, read_config(source) if source else None, source)


def step_of(prefix: Path | str) -> int:
    """Return the number of steps of `<folder>/osmn.ckpt-<step>`."""
    return int(Path(prefix).name.rpartition("-")[2])


def check_output(prefix: Path | str, read: Iterable[Path | str] = ()) -> None:
    """Raise InputError for a prefix that no checkpoint may be written to.

    Such a prefix names no visible file, or files that are not a model's, or a model of `read`, the prefixes of the
    models that are read: other weights in its place would destroy the model.
    """
    prefix = Path(prefix)
    name = prefix.name
    if not re.fullmatch(r"[^.].*", name, re.DOTALL) or prefix.is_dir():
        raise InputError(f"{prefix} is no prefix of a model's files; give one, such as {prefix / 'mine.ckpt'}")
    if re.search(r"\.(index|data-\d+-of-\d+|meta|json)$", name):
        raise InputError(
            f"{prefix} is named as a part of a model; give the prefix of its files, without the last suffix"
        )
    there = model_files(prefix)
    for other in read:
        if any(path.samefile(part) for path in there for part in model_files(other)):
            raise InputError(f"{prefix} would be written, but {other} is read; give another place for the model")
    if prefix.exists() and not (prefix in there and _is_single_file(prefix)):
        raise InputError(f"{prefix} is there and is no model; give another place, or remove it")
    if there == [config_path(prefix)]:
        raise InputError(f"{there[0]} is there, of no model; give another place for the model, or remove it")


def _is_single_file(path: Path) -> bool:
    """Tell whether a file ends as TensorFlow's files of tables do, such as a checkpoint of a single file."""
    with path.open("rb") as file:
        file.seek(-min(len(TABLE_END), path.stat().st_size), os.SEEK_END)
        return file.read() == TABLE_END
