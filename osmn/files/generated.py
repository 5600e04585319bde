"""What this program made in a folder: noted, so that a later run removes what it does not make any more."""

import contextlib
import hashlib
import json
import os
from pathlib import Path

from osmn.errors import InputError
from osmn.files.atomic import remove_unfinished, replacing
from osmn.files.names import LONGEST_NAME, plain_name, subfolders
from osmn.files.overlap import refuse_inputs_inside_outputs, refuse_writing_over_inputs
from osmn.files.sealed_json import read_json

NOTES, ENDING = ".osmn-made", ".json"


def made_before(folder):
    """Return the names of the folders in `folder` that earlier runs made; what is left of half a note is removed."""
    remove_unfinished(Path(folder) / NOTES)
    found = set()
    for path in (Path(folder) / NOTES).glob(f"*{ENDING}"):
        if not path.name.startswith("."):
            found |= {name.split("/")[1] for name in _names_in(path) if "/" in name} or {path.stem}
    return found


def check_places(root, folders, read):
    """Raise InputError if one of the folders that files are made in leads to where data are read, or these are in it.

    Args:
        root: the data folder.
        folders: the folders that files are made in, and in folders of these, relative to it.
        read: paths of the folders that data are read from.
    """
    made = [Path(root) / folder for folder in folders]
    made += [inner for folder in made if folder.is_dir() for inner in subfolders(folder)]
    refuse_writing_over_inputs(made, read)
    refuse_inputs_inside_outputs(read, made)


@contextlib.contextmanager
def remade(root, folders, names, found):
    """Have the block make files anew, after removing those that an earlier run made and that are not to be there.

    It may be interrupted anywhere: what is made is noted before.

    Args:
        root: the data folder.
        folders: the folders that the files are in, relative to it, with "/"; the note is beside the first one.
        names: of the files that the block makes, relative to `root`, with "/".
        found: names of files that are there, and would be read as if they had been made.

    Raises:
        InputError: if one of `found` is neither to be made nor was made by an earlier run: it is somebody's.
    """
    root, names = Path(root), set(names)
    note = _note(root / folders[0])
    before = _noted(note, folders)
    foreign = sorted(set(found) - names - before)
    if foreign:
        raise InputError(
            f"{root / foreign[0]} does not belong to this data, and was not made here; remove it, or keep it elsewhere"
        )
    for folder in folders:
        remove_unfinished(root / folder)
    if names | before:
        _write(note, names | before)
    remove_made(root, before - names)
    yield
    if names:
        _write(note, names)
    elif before:
        note.unlink(missing_ok=True)
        _remove_empty(note, root)


def remove_made(root, names):
    """Remove the files in the folder `root` that have these names, relative to it, and folders that are empty then."""
    root = Path(root)
    for name in sorted(names):
        if (root / name).is_file():
            (root / name).unlink(missing_ok=True)
            _remove_empty(root / name, root)


def plain_names(names):
    """Return the set of what a note lists, names with "/" that stay in its folder; ValueError for others."""
    return {"/".join(plain_name(part) for part in str(name).split("/")) for name in names}


def _note(folder):
    """Return the path of the note on what is made in a folder: it has the folder's name, or its hash if it is long."""
    name = os.fsencode(folder.name)
    stem = folder.name if len(name) + len(ENDING) <= LONGEST_NAME else hashlib.sha256(name).hexdigest()
    return folder.parent / NOTES / f"{stem}{ENDING}"


def _names_in(note):
    try:
        return plain_names(read_json(note))
    except (OSError, ValueError, TypeError):
        return set()


def _noted(note, folders):
    """Return the names in a note, without those that are elsewhere than in `folders`; none of one that is damaged."""
    return {name for name in _names_in(note) if any(name.startswith(f"{folder}/") for folder in folders)}


def _write(note, names):
    with replacing(note) as temporary:
        temporary.write_text(json.dumps(sorted(names)), encoding="utf-8")


def _remove_empty(path, root):
    """Remove the folders above a path, up to `root`, that are empty."""
    for folder in path.parents:
        if folder == root:
            return
        with contextlib.suppress(OSError):
            folder.rmdir()
