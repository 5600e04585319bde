"""Overlap of inputs and outputs: results never replace data, neither by their paths nor by where links lead."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from osmn.errors import InputError


class PathSet:
    """A set of paths with everything inside its folders, compared by their names and by where links lead.

    A dataset may consist of links to its folders, or to the files in these folders. So give the folders that directly
    contain the files, not those above.

    Args:
        paths: files and folders.
    """

    def __init__(self, paths: Iterable[Path | str]) -> None:
        self._paths = {place: path for path in with_links(paths) for place in _places(path)}

    def containing(self, path: Path | str) -> Path | str | None:
        """Return the path of the set that is `path` or contains it; None if the set has no such path."""
        for place in _places(path):
            for above in (place, *_folders_above(place)):
                if above in self._paths:
                    return self._paths[above]
        return None


def refuse_writing_over_inputs(written: Iterable[Path | str], read: Iterable[Path | str]) -> None:
    """Raise InputError if a path in `written`, where results go, is a path in `read` or inside it."""
    inputs = PathSet(read)
    for path in written:
        if (other := inputs.containing(path)) is not None:
            raise InputError(f"{path} would be written, but {other} is read; give another place for the results")


def refuse_inputs_inside_outputs(read: Iterable[Path | str], folders: Iterable[Path | str]) -> None:
    """Raise InputError if a path in `read` is inside a folder in `folders`, whose files are written anew."""
    outputs = PathSet(folders)
    for path in with_links(read):
        if (folder := outputs.containing(path)) is not None:
            raise InputError(f"{path} is read, and is in {folder}, which is written anew; copy it to another place")


def with_links(paths: Iterable[Path | str]) -> Iterator[Path | str]:
    """Yield each path, and the links that are directly in it if it is a folder."""
    for path in paths:
        yield path
        if os.path.isdir(path):
            yield from (Path(entry) for entry in os.scandir(path) if entry.is_symlink())


def _places(path: Path | str) -> set[str]:
    return {os.path.abspath(path), os.path.realpath(path)}


def _folders_above(place: str) -> Iterator[str]:
    while (above := os.path.dirname(place)) != place:
        yield above
        place = above
