"""Files that are written whole or not at all, and the removal of what killed programs leave unfinished."""

import contextlib
import errno
import os
import re
import secrets
import shutil
import stat
import zlib
from collections.abc import Iterator
from pathlib import Path

from osmn.errors import InputError

UNFINISHED = ".osmn-writing-"  # The start of the names of our temporary files and folders, and of no others.
_RANDOM_BYTES = 8
_TEMPORARY = re.compile(rf"{re.escape(UNFINISHED)}[0-9a-f]{{{2 * _RANDOM_BYTES}}}(\.[^.]*)?")
_FOLDER = ".folder"


@contextlib.contextmanager
def replacing(path: Path | str) -> Iterator[Path]:
    """Yield a temporary path beside `path`; its file becomes `path` if the block succeeds, else it is removed.

    The block creates the file, so that it has the permissions of any new file. If the program is killed in the block,
    `remove_unfinished` removes the file later. Raises InputError if `path` is a folder, a device or the like, or if it
    cannot be written.
    """
    path = Path(path)
    if path.exists() and not path.is_file():
        raise InputError(f"{path} is not a regular file, and is not replaced by one; give another place")
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = _temporary_path(path.parent, path.suffix)
    try:
        yield temporary
        os.replace(temporary, path)
    except BrokenPipeError:
        raise  # The block prints to a pipe that nobody reads.
    except OSError as error:
        names = [name for name in (error.filename, error.filename2) if name is not None]
        if names and str(temporary) not in map(str, names):
            raise  # The error is of another file, which the block reads.
        raise _unwritable(path, error) from None
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def temporary_folder(parent: Path | str) -> Iterator[Path]:
    """Yield a new folder in `parent`, which is removed after the block.

    If the program is killed in the block, `remove_unfinished` removes the folder later.
    """
    folder = _temporary_path(Path(parent), _FOLDER)
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _temporary_path(folder: Path, suffix: str) -> Path:
    return folder / f"{UNFINISHED}{secrets.token_hex(_RANDOM_BYTES)}{suffix}"


@contextlib.contextmanager
def named_write_errors(path: Path | str) -> Iterator[None]:
    """Turn a failure to write `path` into an InputError that names it."""
    try:
        yield
    except BrokenPipeError:
        raise  # The block prints to a pipe that nobody reads.
    except OSError as error:
        raise _unwritable(path, error) from None


def _unwritable(path: Path | str, error: OSError) -> InputError:
    if os.path.islink(path) and not os.path.exists(path):
        return InputError(f"{path} is a link that leads nowhere; remove it, or make what it leads to")
    return InputError(f"{path} cannot be written ({error.strerror or error}); give a folder that can be")


def link_or_copy(source: Path, path: Path) -> None:
    """Make `path` a link to a file, or a copy of it where links are refused, as Windows refuses them to most users."""
    try:
        os.symlink(source, path)
    except OSError:
        shutil.copyfile(source, path)


def remove_unfinished(folder: Path | str, deep: bool = True) -> None:
    """Remove the temporary files and folders that killed programs left in `folder`; if `deep`, in its subfolders too.

    They are those of `replacing` and `temporary_folder`. No other program may be writing there.
    """
    for path in list(Path(folder).glob(f"{'**/' if deep else ''}{UNFINISHED}*")):
        if not _TEMPORARY.fullmatch(path.name):
            continue
        if path.is_file():
            path.unlink(missing_ok=True)
        elif path.suffix == _FOLDER:
            shutil.rmtree(path, ignore_errors=True)


def size_and_crc(path: Path | str) -> list[int] | None:
    """Return a file's size in bytes and its CRC-32, which tell whether it has changed; None if it cannot be read."""
    size = checksum = 0
    if not Path(path).is_file():  # Reading a pipe, for example, would never end.
        return None
    try:
        with Path(path).open("rb") as file:
            while block := file.read(2**20):
                size, checksum = size + len(block), zlib.crc32(block, checksum)
    except OSError:
        return None
    return [size, checksum]


def regular_bytes(path: Path | str) -> bytes:
    """Return a file's content; raise OSError if there is no file, or for a pipe or a device, which may never end."""
    mode = Path(path).stat().st_mode
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        raise OSError(errno.EINVAL, "it is not a regular file")
    return Path(path).read_bytes()
