"""Notes on the files that this program made in a folder: a later run removes those that it does not make again."""

import contextlib
import hashlib
import json
import os
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path

from osmn.errors import InputError
from osmn.files.atomic import remove_unfinished, replacing
from osmn.files.names import LONGEST_NAME, plain_name, subfolders
from osmn.files.overlap import refuse_inputs_inside_outputs, refuse_writing_over_inputs
from osmn.files.sealed_json import read_json

NOTES, ENDING = ".osmn-made", ".json"


def made_before(folder: Path | str) -> set[str]:
    """Return the names of the folders in `folder` that earlier runs made; remove unfinished notes."""
    remove_unfinished(Path(folder) / NOTES)
    found: set[str] = set()
    for path in (Path(folder) / NOTES).glob(f"*{ENDING}"):
        if not path.name.startswith("."):
            found |= {name.split("/")[1] for name in _names_in(path) if "/" in name} or {path.stem}
    return found


def check_places(root: Path | str, folders: Iterable[Path | str], read: Collection[Path | str]) -> None:
    """Raise InputError if a folder that files are made in is inside the data that are read, or the data inside it.

    Args:
        root: the data folder.
        folders: the folders, relative to `root`, that files are made in, directly or in subfolders.
        read: paths of the folders that data are read from.
    """
    made = [Path(root) / folder for folder in folders]
    made += [inner for folder in made if folder.is_dir() for inner in subfolders(folder)]
    refuse_writing_over_inputs(made, read)
    refuse_inputs_inside_outputs(read, made)


@contextlib.contextmanager
def remade(root: Path | str, folders: Sequence[str], names: Iterable[str], found: Iterable[str]) -> Iterator[None]:
    """Remove the files that an earlier run made and that the block does not make; the block then makes its files.

    It may be interrupted anywhere, because the names of the files are noted before the files are made.

    Args:
        root: the data folder.
        folders: the folders that the files are in, relative to `root`, with "/"; the note is beside the first folder.
        names: names of the files that the block makes, relative to `root`, with "/".
        found: names of the files that exist and that a reader would take for files of this run.

    Raises:
        InputError: if a file in `found` is not in `names` and no earlier run made it: it may be the user's own file.
    """
    root, made = Path(root), set(names)
    note = _note(root / folders[0])
    before = _noted(note, folders)
    foreign = sorted(set(found) - made - before)
    if foreign:
        raise InputError(
            f"{root / foreign[0]} does not belong to this data, and was not made here; remove it, or keep it elsewhere"
        )
    for folder in folders:
        remove_unfinished(root / folder)
    if made | before:
        _write(note, made | before)
    remove_made(root, before - made)
    yield
    if made:
        _write(note, made)
    elif before:
        note.unlink(missing_ok=True)
        _remove_empty(note, root)


def remove_made(root: Path | str, names: Iterable[str]) -> None:
    """Remove the files `names`, relative to the folder `root`, and the folders that are empty then."""
    root = Path(root)
    for name in sorted(names):
        if (root / name).is_file():
            (root / name).unlink(missing_ok=True)
            _remove_empty(root / name, root)


def plain_names(names: Iterable[object]) -> set[str]:
    """Return the set of a note's names, with "/"; raise ValueError for a name that leads out of the note's folder."""
    return {"/".join(plain_name(part) for part in str(name).split("/")) for name in names}


def _note(folder: Path) -> Path:
    """Return the path of the note on the files in a folder: it has the folder's name, or the hash of a long name."""
    name = os.fsencode(folder.name)
    stem = folder.name if len(name) + len(ENDING) <= LONGEST_NAME else hashlib.sha256(name).hexdigest()
    return folder.parent / NOTES / f"{stem}{ENDING}"


def _names_in(note: Path) -> set[str]:
    try:
        return plain_names(read_json(note))
    except (OSError, ValueError, TypeError):
        return set()


def _noted(note: Path, folders: Sequence[str]) -> set[str]:
    """Return the names in a note that are in `folders`; a damaged note has no names."""
    return {name for name in _names_in(note) if any(name.startswith(f"{folder}/") for folder in folders)}


def _write(note: Path, names: Iterable[str]) -> None:
    with replacing(note) as temporary:
        temporary.write_text(json.dumps(sorted(names)), encoding="utf-8")


def _remove_empty(path: Path, root: Path) -> None:
    """Remove the empty folders above a path, below the folder `root`."""
    for folder in path.parents:
        if folder == root:
            return
        with contextlib.suppress(OSError):
            folder.rmdir()
