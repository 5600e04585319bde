"""What is read and what is written in one place: results never replace data, by their names or by where links lead."""

import os
from pathlib import Path

from osmn.errors import InputError


def refuse_writing_over_inputs(written, read):
    """Raise InputError if one of the paths in `written`, where results go, is `among` those in `read`."""
    found = among(read)
    for path in written:
        if (other := found(path)) is not None:
            raise InputError(f"{path} would be written, but {other} is read; give another place for the results")


def refuse_inputs_inside_outputs(read, folders):
    """Raise InputError if one of the paths in `read` is `among` those of folders whose files are written anew."""
    found = among(folders)
    for path in with_links(read):
        if (folder := found(path)) is not None:
            raise InputError(f"{path} is read, and is in {folder}, which is written anew; copy it to another place")


def among(paths):
    """Return a function of a path that returns the one of `paths` that it is, or is inside; None for others.

    By their names or by where links lead: a dataset may be put together of links to its folders, or to the files in
    these. So give the folders that files are in, not those above.
    """
    places = {place: path for path in with_links(paths) for place in _places(path)}

    def found(path):
        for place in _places(path):
            for above in (place, *_folders_above(place)):
                if above in places:
                    return places[above]
        return None

    return found


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
