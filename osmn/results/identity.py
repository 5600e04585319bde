"""What two runs must agree on for the same results, and how they differ."""

import hashlib
import json
import os
from collections.abc import Mapping
from typing import Any

IDENTITY = ("model_sha256", "config", "options")  # What two runs must agree on for the same results.
# Options that are equal if they lead to the same place, whatever the current folder is.
PATHS = ("data_path", "rehearsal_path", "input")
LIVE = "live"  # The option of live results, which they alone have: it is what differs most.
CONTENT = "input_content"  # The option that tells one content of `input` from another; earlier versions lack it.


def absolute(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return options whose paths, of `PATHS`, are absolute."""
    return {
        name: os.path.realpath(value) if name in PATHS and isinstance(value, str) else value
        for name, value in options.items()
    }


def key(made_by: Mapping[str, Any]) -> str:
    """Return what finished work notes of the run that made it; the same for runs of the same results."""
    identity = json.dumps({name: made_by[name] for name in IDENTITY}, sort_keys=True)
    return hashlib.sha256(identity.encode()).hexdigest()


def as_now(made_by: dict[str, Any]) -> dict[str, Any]:
    """Return a manifest as this version writes it: earlier versions kept relative paths and the option save_score."""
    options = {name: value for name, value in made_by["options"].items() if name != "save_score"}
    return made_by | {"options": absolute(options)}


def difference(before: Mapping[str, Any], now: Mapping[str, Any]) -> str | None:
    """Return the first difference between two runs that changes results, in words; None if they do not differ."""
    for group in ("options", "config"):
        names = before[group].keys() | now[group].keys()
        for name in sorted(names, key=lambda name: (name != LIVE, name)):
            old, new = before[group].get(name), now[group].get(name)
            if old == new or (name == CONTENT and old is None):
                continue
            if name == CONTENT:
                return f"{now[group]['input']} had another content"
            return f"{name} was {json.dumps(old)}, is {json.dumps(new)}"
    if before["model_sha256"] != now["model_sha256"]:
        return f"model was {before.get('model')}, is {now['model']}"
    return None
