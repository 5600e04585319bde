"""Checkpoints that were converted for OpenVINO once, by TensorFlow, kept in the user's cache folder.

An entry is named by the hash of what it was made of: the weights, the configuration, the size (any), the precision
(float32, from which OpenVINO makes bfloat16 itself) and OpenVINO's version. A folder of an entry is written beside its
place, renamed, and never written again: OpenVINO maps its files into memory while a model runs.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import logging
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from osmn.config import ModelConfig
from osmn.errors import InputError, in_short, missing_package
from osmn.files import locks
from osmn.files.atomic import temporary_folder
from osmn.files.cache import used_longest_ago
from osmn.models import exported
from osmn.models.compiled_models import CACHE, folder
from osmn.models.engines import engine_import
from osmn.models.engines.openvino import read_graph

if TYPE_CHECKING:  # It may not be installed.
    import openvino

logger = logging.getLogger(__name__)

MODEL = "model"  # An entry's folder, in the folder of its name.
LIMIT = 3 * 2**30  # Bytes of all entries; one of `osvos` has 0.7 GB.
PATIENCE = 600.0  # Seconds to wait for another process that converts the same model.
VERSION = 2  # Of what is kept; to be raised when the graphs change.


def graphs(path: Path | str, config: ModelConfig, fingerprint: str, limit: int = LIMIT) -> dict[str, openvino.Model]:
    """Return {`engines.FRAME`, ...: OpenVINO model} of a checkpoint, kept or converted now.

    Where the model cannot be kept, such as on a full disk, a line says so, and the model is converted all the same.

    Args:
        path: of the checkpoint.
        config: its ModelConfig.
        fingerprint: the SHA-256 of its weights, in hex.
        limit: bytes that all kept models may take; those used longest ago are removed.
    """
    made_of = {"model_sha256": fingerprint, "openvino": engine_import("openvino").__version__, "version": VERSION}
    entry = folder() / _name(config, made_of)
    if (found := _kept(entry, config, made_of)) is not None:
        return found
    try:
        with locks.writing(entry, wait=PATIENCE):
            # Another process may have made it while this one waited.
            if (found := _kept(entry, config, made_of)) is None:
                found = _convert(path, config)
                _keep(found, entry, config, made_of)
                _remove_old(entry, limit)
    except InputError as error:
        if isinstance(error, _NotConverted):
            raise
        logger.warning(f"the converted model is not kept: {error}")
        found = _convert(path, config)
    return found


class _NotConverted(InputError):
    """The checkpoint cannot be converted."""


def _name(config: ModelConfig, made_of: Mapping[str, object]) -> str:
    content = {"config": dataclasses.asdict(config), "size": "any", "precision": "float32", **made_of}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:32]


def _kept(entry: Path, config: ModelConfig, made_of: Mapping[str, object]) -> dict[str, openvino.Model] | None:
    """Return the graphs of an entry; None if it is not there or damaged."""
    place = entry / MODEL
    if not place.is_dir():
        return None
    if not exported.is_described(place, config, "float32", exported.OPENVINO, made_of):
        logger.warning(f"{place} is damaged; making it again")
        return None
    try:
        found = {name: read_graph(place / f"{name}.xml") for name in exported.graph_names(config)}
    except InputError:  # Another process has removed it in this moment.
        return None
    with contextlib.suppress(OSError):
        os.utime(entry)  # When it was used last.
    return found


def _convert(path: Path | str, config: ModelConfig) -> dict[str, openvino.Model]:
    logger.info(f"{path}: converting {config.base_model} for OpenVINO by TensorFlow, once")
    try:
        from osmn.models import export, tensorflow_model  # TensorFlow takes seconds to import
        from osmn.networks import devices
    except ModuleNotFoundError as error:
        raise _NotConverted(f"{path} is converted for OpenVINO once, and {missing_package(error) or error}") from None
    try:
        with contextlib.suppress(RuntimeError):  # TensorFlow computes already, wherever that is.
            devices.configure([])  # The CPU: no memory of a GPU is taken for this.
        network = tensorflow_model.load(path, dataclasses.asdict(config), "float32").network
        made = export.Graphs(network)
        return {name: export.openvino_model(made, name) for name in made.functions}
    except InputError as error:
        raise _NotConverted(str(error)) from None


def _keep(found: Mapping[str, openvino.Model], entry: Path, config: ModelConfig, made_of: Mapping[str, object]) -> None:
    """Write graphs as an entry; InputError where they cannot be written."""
    openvino = engine_import("openvino")
    try:
        if (entry / MODEL).exists():  # A damaged one. Processes that have it mapped keep it.
            shutil.rmtree(entry / MODEL)
        with temporary_folder(entry) as temporary:
            for name, model in found.items():
                openvino.save_model(model, temporary / f"{name}.xml", compress_to_fp16=False)
            exported.describe(temporary, config, "float32", exported.OPENVINO, made_of)
            for name in found:  # OpenVINO does not notice every write that fails.
                read_graph(temporary / f"{name}.xml")
            temporary.rename(entry / MODEL)
    except (OSError, RuntimeError) as error:
        raise InputError(f"{entry} cannot be written ({in_short(error)}); {CACHE} names another folder") from None


def _remove_old(entry: Path, limit: int) -> None:
    """Remove the entries that were used longest ago, but not `entry`, until all take at most `limit` bytes."""
    entries = [path for path in entry.parent.iterdir() if (path / MODEL).is_dir()]
    sizes = {path: sum(part.stat().st_size for part in (path / MODEL).iterdir()) for path in entries}
    for path in used_longest_ago(sizes, limit, [entry]):
        shutil.rmtree(path, ignore_errors=True)
