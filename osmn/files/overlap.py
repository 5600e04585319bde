"""What is read and what is written in one place: results never replace data, by their names or by where links lead."""

import os
from pathlib import Path

from osmn.errors import InputError


class PathSet:
    """Paths, and all that is inside of those that are folders: by their names, and by where links lead.

    A dataset may be put together of links to its folders, or to the files in these. So give the folders that files are
    in, not those above.
    """

    def __init__(self, paths):
        self._paths = {place: path for path in with_links(paths) for place in _places(path)}

    def containing(self, path):
        """Return the one of the paths that `path` is, or is inside; None if there is none."""
        for place in _places(path):
            for above in (place, *_folders_above(place)):
                if above in self._paths:
                    return self._paths[above]
        return None


def refuse_writing_over_inputs(written, read):
    """Raise InputError if one of the paths in `written`, where results go, is one of `read`, or inside it."""
    inputs = PathSet(read)
    for path in written:
        if (other := inputs.containing(path)) is not None:
            raise InputError(f"{path} would be written, but {other} is read; give another place for the results")


def refuse_inputs_inside_outputs(read, folders):
    """Raise InputError if one of the paths in `read` is inside one of `folders`, whose files are written anew."""
    outputs = PathSet(folders)
    for path in with_links(read):
        if (folder := outputs.containing(path)) is not None:
            raise InputError(f"{path} is read, and is in {folder}, which is written anew; copy it to another place")


def with_links(paths):
    """Yield paths, and of those that are folders the links that are in them."""
    for path in paths:
        yield path
        if os.path.isdir(path):
            yield from (Path(entry) for entry in os.scandir(path) if entry.is_symlink())


def _places(path):
    return {os.path.abspath(path), os.path.realpath(path)}


def _folders_above(place):
    while (above := os.path.dirname(place)) != place:
        yield above
        place = above
