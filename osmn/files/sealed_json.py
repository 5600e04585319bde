"""JSON of models and runs, where a digit changes results: a checksum says whether it is as it was written."""

import json
import zlib

from osmn.files.atomic import regular_bytes

CHECKSUM = "crc32"


def to_json(values):
    """Return {name: value} as readable JSON, with the CRC-32 of the values as the last one."""
    return json.dumps(values | {CHECKSUM: _checksum(values)}, indent=2) + "\n"


def from_json(text):
    """Return the {name: value} of `to_json`; what has no checksum, such as what somebody wrote, is taken as it is.

    Raises ValueError if it is not JSON of that kind, if a name is there twice, or if the checksum is of other values.
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


def without_repetition(pairs):
    """Return a dict of (name, value) pairs, as `json.loads` hands them on; ValueError if a name is there twice."""
    values = dict(pairs)
    if len(values) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"{next(name for name in names if names.count(name) > 1)!r} is there twice")
    return values


def _checksum(values):
    return zlib.crc32(json.dumps(values, sort_keys=True).encode())


def read_json(path):
    """Return what a JSON file holds; OSError if it cannot be read, ValueError if it is no JSON or repeats a name."""
    try:
        return json.loads(regular_bytes(path).decode("utf-8-sig"), object_pairs_hook=without_repetition)
    except RecursionError:
        raise ValueError("lists in lists without end") from None
