"""Names and paths of the frames, masks and folders in a folder: hidden files are ignored, and 2 comes before 10."""

import collections
import os
import re
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from osmn.errors import InputError
from osmn.files.atomic import regular_bytes

FRAME_SUFFIXES = (".jpg", ".jpeg", ".png")
MASK_SUFFIXES = (".png",)
PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".pgm")  # Of masks that people give.
LONGEST_NAME = 255  # Bytes of the name of a file or folder.
OF_SYSTEMS = ("__MACOSX", "@eaDir")  # Folders that macOS puts into archives, and that Synology's servers make.


def natural_key(name: str) -> tuple[list[str | int], int]:
    """Return the key that sorts names as people do: by their numbers, "2" before "10", and "1" before "01"."""
    parts = re.split(r"(\d+)", name)  # Texts and numbers in turn.
    return [int(part) if place % 2 else part for place, part in enumerate(parts)], len(name)


def plain_name(name: object) -> str:
    """Return a name that a data file gives to a file or folder; raise ValueError if it would lead elsewhere.

    Every such name becomes part of a path that is read or written. Hidden names are refused: programs use them.
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


def path_inside(name: object) -> str:
    r"""Return a path that a data file gives to a file in a folder, with "/"; raise ValueError if it leads elsewhere.

    It may lead through sub-folders, "cam0/a.jpg"; programs on Windows write "cam0\a.jpg".
    """
    parts = [part for part in re.split(r"[/\\]", name) if part != "."] if isinstance(name, str) else []
    if (
        not isinstance(name, str)
        or not all(parts)
        or not parts
        or ".." in parts
        or re.match(r"[A-Za-z]:", parts[0])
        or re.search(r"[\x00-\x1f]", name)
        or not _can_be_stored(name)
    ):
        raise ValueError(f"{name!r} leads out of the folder, or is no path of a file in it")
    return "/".join(parts)


def _can_be_stored(name: str) -> bool:
    try:
        os.fsencode(name)
    except UnicodeEncodeError:  # JSON may hold half a character.
        return False
    return True


def listed_name(name: object) -> str:
    """Return a name that a text file can list, in UTF-8 and separated by white space; raise ValueError for others."""
    try:
        listed = plain_name(name)
        listed.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{name!r} is not in UTF-8") from None
    if listed.split() != [listed]:
        raise ValueError(f"{name!r} has white space in it")
    return listed


def frame_files(
    folder: Path | str,
    required: bool = True,
    suffixes: Sequence[str] = FRAME_SUFFIXES,
    leave_out: Iterable[Path | str] = (),
) -> dict[str, Path]:
    """Return {name without suffix: path} of the frames in `folder`, JPEGs and PNGs, in natural order.

    `suffixes` may be others; `leave_out` are paths of files that are no frames, where they lie among them. Raises
    InputError, naming the folder, if it does not exist or holds two frames of the same name, or if frames are
    `required` and it holds no frame.
    """
    others = {os.path.realpath(path) for path in leave_out}
    return _files(folder, suffixes, "frames", required, others)


def mask_files(folder: Path | str, required: bool = True) -> dict[str, Path]:
    """Return {name without suffix: path} of the masks in `folder`, PNGs, in natural order; see `frame_files`."""
    return _files(folder, MASK_SUFFIXES, "masks", required)


def picture_files(folder: Path | str) -> list[Path]:
    """Return the paths of the pictures in `folder`, of all `PICTURES`, in natural order."""
    paths = [path for path in _visible(folder) if path.suffix.lower() in PICTURES and path.is_file()]
    return sorted(paths, key=lambda path: natural_key(path.name))


def subfolders(folder: Path | str) -> list[Path]:
    """Return the paths of the folders in `folder`, in natural order; raise InputError if it does not exist."""
    return sorted((path for path in _visible(folder) if path.is_dir()), key=lambda path: natural_key(path.name))


def _visible(folder: Path | str) -> list[Path]:
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"{folder} {'is not a folder' if folder.exists() else 'does not exist'}; check the data path")
    # Hidden files are those that a killed run left unfinished and those that some systems add.
    return [path for path in folder.iterdir() if not path.name.startswith(".") and path.name not in OF_SYSTEMS]


def _files(
    folder: Path | str, suffixes: Sequence[str], kind: str, required: bool, leave_out: Collection[str] = ()
) -> dict[str, Path]:
    paths = [path for path in _visible(folder) if path.suffix.lower() in suffixes]
    if leave_out:
        paths = [path for path in paths if os.path.realpath(path) not in leave_out]
    found: dict[str, Path] = {}
    for path in sorted(paths, key=lambda path: (natural_key(path.stem), path.suffix)):
        if not path.is_file() and path.exists():  # Reading a pipe, for example, would never end.
            raise InputError(f"{path} is not a file, though its name is that of one of the {kind}; rename it")
        if path.stem in found:
            raise InputError(f"{folder} holds both {found[path.stem].name} and {path.name}; keep one of them")
        found[path.stem] = path
    if required and not found:
        raise InputError(f"{folder} holds no {kind} ({', '.join(suffixes)}); check the data path")
    return found


def read_names(path: Path | str, hint: str) -> list[str]:
    """Return the names of folders in a text file, separated by white space.

    Raises InputError, naming the file and ending in `hint`, if it cannot be read, holds no name, repeats a name or
    holds a name that leads elsewhere.
    """
    try:
        names = [plain_name(name) for line in read_lines(path, hint) for name in line.split()]
    except InputError:
        raise
    except ValueError as error:
        raise InputError(f"{path}: {error}; correct it") from None
    twice = [name for name, count in collections.Counter(names).items() if count > 1]
    if twice:
        raise InputError(f"{path} names {twice[0]} more than once; remove the repetition")
    return names


def read_lines(path: Path | str, hint: str) -> list[str]:
    """Return the lines of a text file that are not empty, without the white space around them.

    Raises InputError, naming the file and ending in `hint`, if it cannot be read or has no such line.
    """
    try:
        lines = [line.strip() for line in regular_bytes(path).decode("utf-8-sig").splitlines()]
    except FileNotFoundError:
        raise InputError(f"{path} does not exist; {hint}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read ({getattr(error, 'strerror', 'not UTF-8')}); {hint}") from None
    if not any(lines):
        raise InputError(f"{path} names no sequence; {hint}")
    return [line for line in lines if line]
