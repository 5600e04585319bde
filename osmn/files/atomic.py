"""Files that are written whole or not at all, and what a killed program leaves of them."""

import contextlib
import errno
import os
import re
import secrets
import shutil
import stat
import zlib
from pathlib import Path

from osmn.errors import InputError

UNFINISHED = ".osmn-writing-"  # what the names of our temporary files and folders, and of no others, start with
_RANDOM_BYTES = 8
_TEMPORARY = re.compile(rf"{re.escape(UNFINISHED)}[0-9a-f]{{{2 * _RANDOM_BYTES}}}(\.[^.]*)?")
_FOLDER = ".folder"


@contextlib.contextmanager
def replacing(path):
    """Yield a temporary name beside `path` that becomes `path` if the block succeeds, and is removed if it fails.

    The block creates the file, so that it has the permissions of any new file. `remove_unfinished` removes what is left
    by a program that is killed in the block. Raises InputError if `path` is a folder, a device or the like, or if it
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
        raise  # Of what the block prints.
    except OSError as error:
        names = [name for name in (error.filename, error.filename2) if name is not None]
        if names and str(temporary) not in map(str, names):
            raise  # Of another file, which the block reads.
        raise _unwritable(path, error) from None
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def temporary_folder(parent):
    """Yield a new folder in `parent` that is removed after the block; if that is killed, by `remove_unfinished`."""
    folder = _temporary_path(Path(parent), _FOLDER)
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _temporary_path(folder, suffix):
    return folder / f"{UNFINISHED}{secrets.token_hex(_RANDOM_BYTES)}{suffix}"


@contextlib.contextmanager
def named_write_errors(path):
    """Turn a failure to write `path` into an InputError that names it."""
    try:
        yield
    except BrokenPipeError:
        raise  # Of what the block prints.
    except OSError as error:
        raise _unwritable(path, error) from None


def _unwritable(path, error):
    if os.path.islink(path) and not os.path.exists(path):
        return InputError(f"{path} is a link that leads nowhere; remove it, or make what it leads to")
    return InputError(f"{path} cannot be written ({error.strerror or error}); give a folder that can be")


def remove_unfinished(folder, deep=True):
    """Remove what killed programs left of `replacing` and `temporary_folder` in `folder`, if `deep` in those in it too.

    Nobody may be writing there.
    """
    for path in list(Path(folder).glob(f"{'**/' if deep else ''}{UNFINISHED}*")):
        if not _TEMPORARY.fullmatch(path.name):
            continue
        if path.is_file():
            path.unlink(missing_ok=True)
        elif path.suffix == _FOLDER:
            shutil.rmtree(path, ignore_errors=True)


def size_and_crc(path):
    """Return a file's size and CRC-32, [int, int], which tell whether it is as it was; None if it cannot be read."""
    size = checksum = 0
    if not Path(path).is_file():  # A pipe, say, at which reading would never end.
        return None
    try:
        with Path(path).open("rb") as file:
            while block := file.read(2**20):
                size, checksum = size + len(block), zlib.crc32(block, checksum)
    except OSError:
        return None
    return [size, checksum]


def regular_bytes(path):
    """Return a file's content; OSError if there is none, or for a pipe, a device or the like, which may never end."""
    mode = Path(path).stat().st_mode
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        raise OSError(errno.EINVAL, "it is not a regular file")
    return Path(path).read_bytes()
