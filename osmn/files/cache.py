"""What takes long to compute and is kept: values in a file beside their data, and which files of a cache must go."""

import contextlib
import hashlib
import json
import logging
import os
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from osmn.errors import InputError
from osmn.files import locks
from osmn.files.atomic import UNFINISHED, replacing

logger = logging.getLogger(__name__)
Value = TypeVar("Value")


def cached(path: Path, key: list[Any], make: Callable[[], Value]) -> Value:
    """Return the value that the file `path` keeps for `key`, or else `make()`, which is then kept in the file.

    The value is made again if the file is damaged or has another key. Key and value have JSON's types (lists, not
    tuples), so that reading executes nothing. The file's first line has the key and the SHA-256 of the second line,
    which is the value; so a changed value is never returned. If the folder is not writable, a warning names it and no
    file is kept.

    Several programs may use the data at once: the file is written under the folder's lock, and a later program removes
    the temporary file that a killed program left.
    """
    kept = _read(path, key)
    if kept is None:
        value = make()
        _write(path, key, value)
        return value
    if any(path.parent.glob(f"{UNFINISHED}*")) or (path.parent / locks.LOCK).exists():
        with contextlib.suppress(InputError), locks.writing(path.parent):  # The lock removes temporary files.
            pass
    found: Value = json.loads(kept)
    return found


def _read(path: Path, key: list[Any]) -> str | None:
    """Return the JSON text that a file keeps for a key; None if it keeps none, or, with a warning, if it is damaged."""
    try:
        head, _, kept = path.read_text(encoding="utf-8").partition("\n")
        head = json.loads(head)
        if head["key"] != key:
            return None
        if head["sha256"] != _sha256(kept):
            raise ValueError("its checksum is another")
        return kept
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        logger.warning(f"{path} is damaged ({error!r}); making it again")
        return None


def _write(path: Path, key: list[Any], value: object) -> None:
    if not os.access(path.parent, os.W_OK):
        logger.warning(f"{path.parent} is not writable: what {path.name} would keep is made again in every run")
        return
    kept = json.dumps(value)
    with locks.writing(path.parent, wait=locks.MOMENT), replacing(path) as temporary:
        temporary.write_text(f"{json.dumps({'key': key, 'sha256': _sha256(kept)})}\n{kept}", encoding="utf-8")


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def used_longest_ago(sizes: Mapping[Path, int], limit: int, stay: Collection[Path]) -> Iterator[Path]:
    """Yield what to remove from a cache, until all that is left takes at most `limit` bytes: used longest ago first.

    Args:
        sizes: {file or folder: its bytes}; its time of modification is when it was used last.
        limit: in bytes.
        stay: these are never removed.
    """
    total = sum(sizes.values())
    for path in sorted(sizes, key=lambda path: path.stat().st_mtime):
        if total <= limit:
            return
        if path not in stay:
            yield path
            total -= sizes[path]
