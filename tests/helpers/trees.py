"""What a folder holds, to compare the results of runs; what a cache holds, to see whether it is used."""

import json
from pathlib import Path

from osmn.files.cache import cached
from osmn.results.manifest import RUN, TRAINING


def tree(folder, pattern="*"):
    """Return {name: bytes} of the files in a folder but hidden ones, those in hidden folders, and the manifest."""
    found = {}
    for path in Path(folder).rglob(pattern):
        name = path.relative_to(folder)
        if path.is_file() and path.name not in (RUN, TRAINING) and not any(part.startswith(".") for part in name.parts):
            found[str(name)] = path.read_bytes()
    return found


def change_cache(path, change):
    """Have a file of `cache.cached` hold `change(value)` under the key that it has."""
    head, _, value = path.read_text().partition("\n")
    path.unlink()
    cached(path, json.loads(head)["key"], lambda: change(json.loads(value)))


def all_files(folder):
    """Return {name: bytes} of the files in a folder, the hidden ones too."""
    return {name: (folder / name).read_bytes() for name in files(folder)}


def files(folder):
    """Return the names of the files in a folder and in those within it, sorted."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def names(folder):
    """Return the names of what a folder holds, sorted."""
    return sorted(path.name for path in folder.iterdir())
