"""Graphs that OpenVINO has compiled for this processor, kept in the user's cache folder: compiling takes half a second.

A file is named by the hash of all that decides what is compiled: weights, configuration, precision, shapes, OpenVINO's
version and options, the processor. It starts with the SHA-256 of the rest, is written beside its place, renamed, and
never written again: it is mapped into memory, where OpenVINO finds the weights without a copy of the file.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import logging
import mmap
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from osmn.errors import InputError, in_short
from osmn.files.atomic import UNFINISHED, replacing
from osmn.files.cache import used_longest_ago
from osmn.models.engines import engine_import, processor
from osmn.parallel import processors

if TYPE_CHECKING:  # It may not be installed.
    import openvino

logger = logging.getLogger(__name__)

CACHE = "OSMN_CACHE"  # The variable of the environment that names another folder for all that is kept of models.
COMPILED = "compiled"  # Its folder of compiled graphs.
LIMIT = 2**29  # Bytes of all files. The shipped model has 37 MB, and 14 MB for each size and number of objects.
LARGEST = 2**26  # Bytes of a file: larger networks run for so long that compiling does not count.
VERSION = 3  # Of what is kept; to be raised when the graphs that are built of the same weights change.
_CHECKSUM = hashlib.sha256().digest_size


def folder() -> Path:
    """Return the folder of what is kept of models, which may not exist: in the user's cache folder, or `CACHE`."""
    if given := os.environ.get(CACHE):
        return Path(given)
    home = Path(os.path.expanduser("~"))
    if sys.platform == "darwin":
        base = home / "Library/Caches"
    elif sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or home / "AppData/Local")
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache")
    return base / "osmn" / "openvino"


class Kept(NamedTuple):
    """A graph that was compiled before.

    Attributes:
        compiled: the graph.
        content: its file, mapped. Weights of the graph are in it: it has to stay as long as the graph.
    """

    compiled: openvino.CompiledModel
    content: mmap.mmap


class CompiledGraphs:
    """The compiled graphs of a model.

    Attributes:
        has_any: a graph was found, or was kept now.

    Args:
        made_of: {name: value} of what decides the graphs, in JSON's types: the weights' SHA-256, the configuration.
        limit: bytes that all files may take; those used longest ago are removed.
    """

    def __init__(self, made_of: Mapping[str, object], limit: int = LIMIT) -> None:
        self._limit, self.has_any = limit, False
        chip = processor.here()
        self._made_of = {
            **made_of,
            "version": VERSION,
            "openvino": engine_import("openvino").__version__,
            "processor": [chip.vendor, *sorted(chip.flags)],
            "processors": processors(),
            "isa": os.environ.get("ONEDNN_MAX_CPU_ISA", ""),
        }

    def has(self, name: str, shapes: Mapping[str, Sequence[int]], options: Mapping[str, str]) -> bool:
        """Tell whether a graph is kept, damaged or not; the arguments are those of `find`."""
        return self._path(name, shapes, options).is_file()

    def find(
        self, core: openvino.Core, name: str, shapes: Mapping[str, Sequence[int]], options: Mapping[str, str]
    ) -> Kept | None:
        """Return a compiled graph; None if it is not kept, or damaged.

        Args:
            core: that runs it.
            name: of the graph.
            shapes: {input: shape} that it is compiled for.
            options: of OpenVINO, that it is compiled with.
        """
        path = self._path(name, shapes, options)
        try:
            with path.open("rb") as file:  # Copied where it is written to, which OpenVINO wants to be able to.
                content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
            with memoryview(content) as view:
                if hashlib.sha256(view[_CHECKSUM:]).digest() != view[:_CHECKSUM]:
                    raise ValueError("its checksum is another")
            graph = np.frombuffer(content, np.uint8, offset=_CHECKSUM)
            tensor = engine_import("openvino").Tensor(graph, shared_memory=True)
            found = Kept(core.import_model(tensor, "CPU", dict(options)), content)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, RuntimeError) as error:
            logger.debug(f"{path} is not used ({in_short(error)}); compiling again")
            return None
        with contextlib.suppress(OSError):
            os.utime(path)  # When it was used last.
        self.has_any = True
        return found

    def keep(
        self,
        compiled: openvino.CompiledModel,
        name: str,
        shapes: Mapping[str, Sequence[int]],
        options: Mapping[str, str],
    ) -> None:
        """Keep a compiled graph, as far as there is room for it; the arguments are those of `find`."""
        path = self._path(name, shapes, options)
        stream = io.BytesIO()
        try:
            compiled.export_model(stream)
            content = stream.getbuffer()
            if len(content) > min(LARGEST, self._limit):
                return
            with replacing(path) as temporary, temporary.open("wb") as file:
                file.write(hashlib.sha256(content).digest())
                file.write(content)
            self._remove_old(path)
            self.has_any = True
        except (OSError, RuntimeError, InputError) as error:
            logger.debug(f"{path} is not kept ({in_short(error)})")

    def _path(self, name: str, shapes: Mapping[str, Sequence[int]], options: Mapping[str, str]) -> Path:
        key = {"graph": name, "shapes": {i: list(shape) for i, shape in shapes.items()}, "options": dict(options)}
        text = json.dumps(self._made_of | key, sort_keys=True)
        return folder() / COMPILED / f"{hashlib.sha256(text.encode()).hexdigest()[:32]}.blob"

    def _remove_old(self, path: Path) -> None:
        """Remove the files that were used longest ago, but not `path`, until all take at most the limit."""
        sizes = {each: each.stat().st_size for each in path.parent.iterdir() if each.is_file()}
        stay = {path, *(each for each in sizes if each.name.startswith(UNFINISHED))}
        for old in used_longest_ago(sizes, self._limit, stay):
            old.unlink(missing_ok=True)
