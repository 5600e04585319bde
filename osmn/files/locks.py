"""A folder is written by one run at a time: locks that the system releases when a process ends, however that is."""

import contextlib
import errno
import logging
from pathlib import Path

import filelock

from osmn.errors import InputError
from osmn.files.atomic import named_write_errors, remove_unfinished

logger = logging.getLogger(__name__)

LOCK = ".osmn-lock"  # Of a whole run, and for a moment of a share that begins; shares have ".osmn-lock-<I>-<N>" too.
MOMENT = 10.0  # seconds: what takes longer than opening a folder is another run
NO_LOCKS = {errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK}


class Held:
    """A folder that this process may write into, opened by `writing`.

    Attributes:
        alone: no other share was at work in it when this one came.
    """

    def __init__(self, folder, alone, door):
        self._folder, self.alone, self._door = folder, alone, door

    def require_alone(self):
        """Raise InputError if another share is at work in the folder, so that nothing in it may be replaced."""
        if not self.alone:
            raise _busy(self._folder)

    def admit(self):
        """Let other shares of the work begin."""
        self._door.close()


@contextlib.contextmanager
def writing(folder, shard=(0, 1), wait=0.0):
    """Keep other runs out of a folder while the block writes into it; within a process, blocks may be nested.

    Temporary files that a killed run left in the folder, not in those in it, are removed.

    Args:
        folder: is made if it does not exist, and removed again if it stays empty.
        shard: (i, n): only runs that do other ones of n shares of the same work may write at the same time, once
            `Held.admit` lets them in.
        wait: seconds to wait for a run that is there already.

    Yields:
        Held.

    Raises:
        InputError: if another run is writing into the folder, or if it cannot be written.
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
def _existing(folder):
    """Make a folder; remove those that had to be made, if they are empty in the end."""
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    with named_write_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    try:
        yield
    finally:
        for path in made:
            with contextlib.suppress(OSError):
                path.rmdir()


def _hold(stack, folder, name, wait):
    """Hold a lock until a stack is closed."""
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


def _is_held(path):
    """Tell whether another process holds a lock; one that a killed process left is removed."""
    lock = _lock(path)
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        return True
    except OSError:
        return False
    _release(lock)
    return False


def _lock(path):
    # One object for a path, which counts how often it is held. No fallback to files that outlive a killed process.
    return filelock.FileLock(path, is_singleton=True, fallback_to_soft=False)


def _release(lock):
    # Removed while it is held: whoever waits for the removed file sees that it is, and makes another one.
    if lock.lock_counter == 1:
        Path(lock.lock_file).unlink(missing_ok=True)
    lock.release()


def _busy(folder):
    return InputError(f"{folder} is being written by another run; wait until that has ended, or give another folder")
