"""Work outside of the main thread: reading ahead, writing behind, and computing in several processes."""

import collections
import concurrent.futures
import itertools
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from types import TracebackType
from typing import Any, TypeVar

from osmn.errors import InputError

LOOKS = 0.5  # Seconds between two looks of a waiting main thread at signals.
FRAMES_WORTH_A_PROCESS = 1000  # Starting a process takes about as long as scoring so many frames.

Item = TypeVar("Item")
Result = TypeVar("Result")


def processors() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def worthwhile_processes(frames: int) -> int:
    """Return how many processes are worth starting to score or merge `frames` frames: at most one per processor."""
    return min(processors(), 1 + frames // FRAMES_WORTH_A_PROCESS)


def in_processes(function: Callable[..., Result], jobs: Sequence[tuple[Any, ...]], processes: int) -> Iterator[Result]:
    """Yield `function(*job)` for each of `jobs`, in order, computed by `processes` processes; 1 starts no process.

    The processes are spawned, not forked, because a caller may have TensorFlow's threads running. The first error stops
    all processes. Raises InputError if a process is killed, probably for lack of memory.
    """
    if min(processes, len(jobs)) <= 1:
        yield from itertools.starmap(function, jobs)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(processes, len(jobs)), context, initializer=_serve_parent) as pool:
        try:
            yield from pool.map(function, *zip(*jobs, strict=True))
        except BrokenProcessPool:
            raise InputError("a worker process was killed, probably for lack of memory; run this again") from None


def _serve_parent() -> None:
    """Leave interrupts to the parent, and end when the parent has ended in any way."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:  # Only the main process has no parent.
        parent.join()
        os._exit(1)


def wait_for(event: threading.Event) -> None:
    """Wait until an event is set, also for ever, in a main thread that Ctrl-C or SIGTERM may end meanwhile.

    The kernel hands a signal to any thread that comes first, but only the main thread runs Python's handlers, and a
    wait without an end does not notice that there is one to run: under load, one in a few dozen signals was lost.
    """
    while not event.wait(LOOKS):
        pass


def in_background(function: Callable[..., Result], *arguments: Any) -> Future[Result]:
    """Return what `function(*arguments)` will return; a thread of its own computes it."""
    pool = concurrent.futures.ThreadPoolExecutor(1, thread_name_prefix=function.__name__)
    result = pool.submit(function, *arguments)
    pool.shutdown(wait=False)
    return result


def read_ahead(read: Callable[[Item], Result], paths: Iterable[Item], ahead: int = 4) -> Iterator[Result]:
    """Yield `read(path)` for each of `paths`, in order; a thread reads up to `ahead` paths in the meantime."""
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        pending: collections.deque[Future[Result]] = collections.deque()
        for path in paths:
            pending.append(pool.submit(read, path))
            if len(pending) > ahead:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()


def run_ahead(items: Iterator[Item], ahead: int = 4) -> Generator[Item, None, None]:
    """Yield the items of the iterator `items`; a thread makes up to `ahead` items in the meantime.

    No item may be None. An error of `items` is raised where the item is asked for. Close this generator before you
    close what `items` reads from.
    """
    pool = concurrent.futures.ThreadPoolExecutor(1, thread_name_prefix="frames")
    try:
        pending = collections.deque(pool.submit(next, items, None) for _ in range(max(1, ahead)))
        while (item := pending.popleft().result()) is not None:
            pending.append(pool.submit(next, items, None))
            yield item
    finally:
        pool.shutdown(cancel_futures=True)


class WriteBehind:
    """Runs writes on a thread, at most `limit` behind; a later call, or the end of the block, raises their errors."""

    def __init__(self, limit: int = 32) -> None:
        self._pool = concurrent.futures.ThreadPoolExecutor(1)
        self._pending: collections.deque[Future[object]] = collections.deque()
        self._limit = limit

    def __enter__(self) -> "WriteBehind":
        return self

    def __call__(self, write: Callable[..., object], *arguments: object) -> None:
        """Run `write(*arguments)` on the thread."""
        self._pending.append(self._pool.submit(write, *arguments))
        while len(self._pending) > self._limit:
            self._pending.popleft().result()

    def __exit__(
        self, error: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._pool.shutdown()
        if error is None:
            for future in self._pending:
                future.result()
