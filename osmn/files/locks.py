"""One run at a time writes into a folder: locks that the system releases when a process ends in any way."""

import contextlib
import errno
import logging
from collections.abc import Iterator
from pathlib import Path

import filelock

from osmn.errors import InputError
from osmn.files.atomic import named_write_errors, remove_unfinished

logger = logging.getLogger(__name__)

LOCK = ".osmn-lock"  # A whole run holds it, a share only while it begins; shares hold ".osmn-lock-<I>-<N>".
MOMENT = 10.0  # Seconds; a lock that is held for longer than opening a folder takes is another run's.
NO_LOCKS = {errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK}


class Held:
    """A folder that this process may write into, opened by `writing`.

    Attributes:
        alone: no other share was at work in the folder when this process came.
    """

    def __init__(self, folder: Path, alone: bool, door: contextlib.ExitStack) -> None:
        self._folder, self.alone, self._door = folder, alone, door

    def require_alone(self) -> None:
        """Raise InputError if another share is at work in the folder: files in it must not be replaced then."""
        if not self.alone:
            raise _busy(self._folder)

    def admit(self) -> None:
        """Let other shares of the work begin."""
        self._door.close()


@contextlib.contextmanager
def writing(folder: Path | str, shard: tuple[int, int] = (0, 1), wait: float = 0.0) -> Iterator[Held]:
    """Keep other runs out of a folder while the block writes into it; within a process, blocks may be nested.

    Temporary files that a killed run left directly in the folder are removed.

    Args:
        folder: the folder; it is made if it does not exist, and removed again if it stays empty.
        shard: (i, n): this run does the i-th of n shares of the work; only runs of the other shares may write at the
            same time, after `Held.admit`.
        wait: seconds to wait for another run that is writing.

    Yields:
        The `Held` folder.

    Raises:
        InputError: if another run is writing into the folder, or if the folder cannot be written.
    """
    folder, several = Path(folder), shard[1] > 1
    with _existing(folder), contextlib.ExitStack() as held:
        door = held.enter_context(contextlib.ExitStack())
        _hold(door, folder, LOCK, MOMENT if several else wait)
        others = [path.name for path in folder.glob(f"{LOCK}-*") if _is_held(path)]
        if any(not name.endswith(f"-{shard[1]}") for name in others):
            raise _busy(folder)
        if not others:
            remove_unfinished(folder, deep=False)
        if several:
            _hold(held, folder, f"{LOCK}-{shard[0]}-{shard[1]}", 0)
        yield Held(folder, not others, door if several else contextlib.ExitStack())


@contextlib.contextmanager
def _existing(folder: Path) -> Iterator[None]:
    """Make a folder and those above it; after the block, remove those that were made and are empty."""
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    with named_write_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    try:
        yield
    finally:
        for path in made:
            with contextlib.suppress(OSError):
                path.rmdir()


def _hold(stack: contextlib.ExitStack, folder: Path, name: str, wait: float) -> None:
    """Hold the lock `name` of a folder until `stack` is closed."""
    lock = _lock(folder / name)
    try:
        lock.acquire(timeout=wait)
    except filelock.Timeout:
        raise _busy(folder) from None
    except OSError as error:
        if error.errno not in NO_LOCKS:
            with named_write_errors(folder):
                raise
        (folder / name).unlink(missing_ok=True)
        logger.warning(f"{folder} is on a file system without locks: see to it that no other run writes there")
        return
    stack.callback(_release, lock)


def _is_held(path: Path) -> bool:
    """Tell whether another process holds a lock; remove the file of a lock that a killed process left."""
    lock = _lock(path)
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        return True
    except OSError:
        return False
    _release(lock)
    return False


def _lock(path: Path) -> filelock.BaseFileLock:
    # A path has a single lock object, which counts its holders. There is no fallback to lock files that outlive a
    # killed process.
    return filelock.FileLock(path, is_singleton=True, fallback_to_soft=False)


def _release(lock: filelock.BaseFileLock) -> None:
    # The file is removed while the lock is held: a process that waits for it notices that, and makes a new file.
    # Windows refuses to remove an open file: there it is removed afterwards, unless another process holds it by then.
    path = Path(lock.lock_file) if lock.lock_counter == 1 else None
    if path is not None:
        with contextlib.suppress(PermissionError):
            path.unlink(missing_ok=True)
            path = None
    lock.release()
    if path is not None:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)


def _busy(folder: Path) -> InputError:
    return InputError(f"{folder} is being written by another run; wait until that has ended, or give another folder")
