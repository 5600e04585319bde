"""What lies in a folder: frames, masks, further folders; hidden ones are nobody's, and frame 2 comes before 10."""

import collections
import os
import re
from pathlib import Path

from osmn.errors import InputError
from osmn.files.atomic import regular_bytes

FRAME_SUFFIXES = (".jpg", ".jpeg", ".png")
MASK_SUFFIXES = (".png",)
LONGEST_NAME = 255  # bytes of the name of a file or folder


def natural_key(name):
    """Return the key that sorts names as people do: their numbers as numbers, "2" before "10" and "1" before "01"."""
    parts = re.split(r"(\d+)", name)  # texts and numbers in turns
    return [int(part) if place % 2 else part for place, part in enumerate(parts)], len(name)


def plain_name(name):
    """Return a name that a data file gives to a file or folder; ValueError for one that would lead elsewhere.

    Every such name becomes part of a path, of what is read and of what is written. Hidden names are left to programs.
    """
    if (
        not isinstance(name, str)
        or not name
        or name.startswith(".")
        or re.search(r"[/\\\x00-\x1f]", name)
        or not _can_be_stored(name)
    ):
        raise ValueError(f"{name!r} is not the name of a visible file or folder")
    return name


def _can_be_stored(name):
    try:
        os.fsencode(name)
    except UnicodeEncodeError:  # Half a character, as JSON may hold it.
        return False
    return True


def listed_name(name):
    """Return a name that may stand in a list of names, in UTF-8 and separated by white space; ValueError for others."""
    try:
        plain_name(name).encode()
    except UnicodeEncodeError:
        raise ValueError(f"{name!r} is not in UTF-8") from None
    if name.split() != [name]:
        raise ValueError(f"{name!r} has white space in it")
    return name


def frame_files(folder, required=True):
    """Return {name without suffix: path} of the frames in `folder`, JPEGs and PNGs, in natural order.

    Raises InputError, naming the folder, if it does not exist or holds two frames of one name, and, where they are
    `required`, if it holds none.
    """
    return _files(folder, FRAME_SUFFIXES, "frames", required)


def mask_files(folder, required=True):
    """Return {name without suffix: path} of the masks in `folder`, PNGs, in natural order; see `frame_files`."""
    return _files(folder, MASK_SUFFIXES, "masks", required)


def subfolders(folder):
    """Return the paths of the folders in `folder`, in natural order; InputError if it does not exist."""
    return sorted((path for path in _visible(folder) if path.is_dir()), key=lambda path: natural_key(path.name))


def _visible(folder):
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"{folder} {'is not a folder' if folder.exists() else 'does not exist'}; check the data path")
    # Hidden files: what a killed run leaves unfinished, and what some systems add.
    return [path for path in folder.iterdir() if not path.name.startswith(".")]


def _files(folder, suffixes, kind, required):
    paths = [path for path in _visible(folder) if path.suffix.lower() in suffixes]
    found = {}
    for path in sorted(paths, key=lambda path: (natural_key(path.stem), path.suffix)):
        if not path.is_file() and path.exists():  # A pipe, say, at which reading would never end.
            raise InputError(f"{path} is not a file, though its name is that of one of the {kind}; rename it")
        if path.stem in found:
            raise InputError(f"{folder} holds both {found[path.stem].name} and {path.name}; keep one of them")
        found[path.stem] = path
    if required and not found:
        raise InputError(f"{folder} holds no {kind} ({', '.join(suffixes)}); check the data path")
    return found


def read_names(path, hint):
    """Return the names of folders in a text file, separated by white space.

    Raises InputError, naming the file and ending in `hint`, if it cannot be read, holds none or one of them twice, or a
    name that leads elsewhere.
    """
    try:
        names = [plain_name(name) for name in regular_bytes(path).decode("utf-8-sig").split()]
    except FileNotFoundError:
        raise InputError(f"{path} does not exist; {hint}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read ({getattr(error, 'strerror', 'not UTF-8')}); {hint}") from None
    except ValueError as error:
        raise InputError(f"{path}: {error}; correct it") from None
    if not names:
        raise InputError(f"{path} names no sequence; {hint}")
    twice = [name for name, count in collections.Counter(names).items() if count > 1]
    if twice:
        raise InputError(f"{path} names {twice[0]} more than once; remove the repetition")
    return names
