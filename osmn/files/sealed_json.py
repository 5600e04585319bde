"""JSON of models and runs, where a single digit changes results: a checksum tells whether it has changed."""

import json
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from osmn.files.atomic import regular_bytes

CHECKSUM = "crc32"


def to_json(values: dict[str, Any]) -> str:
    """Return {name: value} as readable JSON, with the CRC-32 of the values as the last value."""
    return json.dumps(values | {CHECKSUM: _checksum(values)}, indent=2) + "\n"


def from_json(text: str) -> dict[str, Any]:
    """Return the {name: value} of a text of `to_json`; a text without a checksum, such as a user's, is not checked.

    Raises ValueError if the text is not JSON of that kind, repeats a name, or has the checksum of other values.
    """
    try:
        values = json.loads(text, object_pairs_hook=without_repetition)
    except RecursionError:
        raise ValueError("lists in lists without end") from None
    if not isinstance(values, dict):
        raise ValueError("it holds no names with values")
    checksum = values.pop(CHECKSUM, None)
    if checksum is not None and checksum != _checksum(values):
        raise ValueError(f'it is not as it was written; if you have edited it, remove the line "{CHECKSUM}"')
    return values


def without_repetition(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """Return a dict of (name, value) pairs, as `json.loads` hands them on; raise ValueError if they repeat a name."""
    values = dict(pairs)
    if len(values) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"{next(name for name in names if names.count(name) > 1)!r} is there twice")
    return values


def _checksum(values: dict[str, Any]) -> int:
    return zlib.crc32(json.dumps(values, sort_keys=True).encode())


def read_json(path: Path | str) -> Any:
    """Return a JSON file's value; raise OSError if it cannot be read, ValueError if it is no JSON or repeats a name."""
    try:
        return json.loads(regular_bytes(path).decode("utf-8-sig"), object_pairs_hook=without_repetition)
    except RecursionError:
        raise ValueError("lists in lists without end") from None
