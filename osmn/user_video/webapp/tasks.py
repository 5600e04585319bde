"""What takes long, on threads: videos that are opened, and videos that are segmented, one visitor's after another's."""

from __future__ import annotations

import concurrent.futures
import logging
import threading
import time
from collections.abc import Callable
from typing import Any

from osmn.errors import InputError
from osmn.user_video.webapp.session import Session, Step

logger = logging.getLogger(__name__)

START = 2  # Frames until the network is ready: one guides it, the next one is the first to go through it.
COUNTED = 2  # Frames after the start from which the rest is estimated.
FAILED = "this failed for a reason that the page does not know; try again, or look at the terminal of osmn_app.py"


class Stopped(Exception):
    """A visitor has stopped what they waited for."""


class Estimate:
    """How long work will take that goes on as it went after its start.

    Args:
        clock: the time in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._count, self._begin, self._last = clock, 0, 0.0, 0.0

    def count(self) -> None:
        """Count a unit as done."""
        self._count, self._last = self._count + 1, self._clock()
        if self._count == START:
            self._begin = self._last

    @property
    def rate(self) -> float | None:
        """Units per second; None while only the start is over."""
        after = self._count - START
        return after / (self._last - self._begin) if after >= COUNTED and self._last > self._begin else None

    def left(self, units: int) -> float | None:
        """Return the seconds that so many more units will take; None while that is not known."""
        return None if self.rate is None else units / self.rate


class Task:
    """Something that a visitor waits for.

    Attributes:
        problem: what went wrong, for the visitor; None if nothing did, or not yet.
    """

    def __init__(self) -> None:
        self.problem: str | None = None
        self._over = threading.Event()

    @property
    def over(self) -> bool:
        """Whether it has ended: it is done, it failed, or it was stopped."""
        return self._over.is_set()

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until it is over, or so many seconds; return whether it is over."""
        return self._over.wait(seconds)

    def stop(self) -> None:
        """Have it end soon."""

    def state(self) -> dict[str, Any]:
        """Return what the page shows of it; `phase` says what is being waited for."""
        raise NotImplementedError

    def _run(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Stopped:
            pass
        except InputError as error:
            self.problem = str(error)
        except Exception:
            logger.exception("a visitor's task failed")
            self.problem = FAILED
        finally:
            self._over.set()


class Opening(Task):
    """A video that is being opened, on a thread of its own.

    Args:
        title: what the visitor calls the video.
        work: opens it; called with a function (frames read, about how many there are or None).
    """

    def __init__(self, title: str, work: Callable[[Callable[[int, int | None], None]], None]) -> None:
        super().__init__()
        self._title, self._stopped = title, False
        self._read: tuple[int, int | None] = (0, None)
        threading.Thread(target=self._run, args=(lambda: work(self._note),), name="opening", daemon=True).start()

    def _note(self, count: int, total: int | None) -> None:
        if self._stopped:
            raise Stopped
        self._read = (count, total)

    def stop(self) -> None:
        """End it after the frame that it reads."""
        self._stopped = True

    def state(self) -> dict[str, Any]:
        """See `Task`."""
        count, total = self._read
        return {"phase": "opening", "title": self._title, "count": count, "total": total and max(count, total)}


class Run(Task):
    """A video that is segmented, or that waits for its turn.

    Args:
        session: `Session`, the visitor's.
        line: `Line` that it waits in.
        both_ways: see `Session.segment`.
    """

    def __init__(self, session: Session, line: Line, both_ways: bool) -> None:
        super().__init__()
        self._session, self._line, self._both_ways, self._estimate = session, line, both_ways, Estimate()
        self.step: Step | None = None
        self._begun = self._stopped = False

    def _work(self) -> None:
        for step in self._session.segment(self._both_ways):
            self._estimate.count()
            self.step = step
            if self._stopped:
                self._session.stop()

    def begin(self) -> None:
        """Segment; called by the line's thread."""
        self._begun = True
        self._run(lambda: None if self._stopped else self._work())

    def stop(self) -> None:
        """End it after the frame that it is at; one that waits for its turn never begins."""
        self._stopped = True
        if self._begun:
            self._session.stop()
        elif self._line.leave(self):
            self._over.set()

    def state(self) -> dict[str, Any]:
        """See `Task`."""
        if not self._begun:
            return {"phase": "waiting", "ahead": self._line.ahead(self)}
        step, frames = self.step, len(self._session.clip)
        if step is None:
            return {"phase": "preparing"}
        if step.backward:
            left = self._estimate.left(frames + step.number)
            return {"phase": "backward", "number": step.number, "left": left}
        if step.number == frames - 1:
            return {"phase": "finishing", "number": step.number}
        return {"phase": "segmenting", "number": step.number, "left": self._estimate.left(frames - step.number - 1)}


class Line:
    """The visitors whose videos are to be segmented, in the order in which they asked: one at a time has the network.

    Used in a `with` block, whose end stops all.
    """

    def __init__(self) -> None:
        self._pool = concurrent.futures.ThreadPoolExecutor(1, thread_name_prefix="segmenting")
        self._runs: list[tuple[Run, concurrent.futures.Future[None]]] = []
        self._lock = threading.Lock()

    def __enter__(self) -> Line:
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            runs = list(self._runs)
        for run, _future in runs:
            run.stop()
        self._pool.shutdown()

    def ask(self, session: Session, both_ways: bool = False) -> Run:
        """Have a session's video segmented when its turn comes; `both_ways` as in `Session.segment`."""
        run = Run(session, self, both_ways)
        with self._lock:
            self._runs = [(each, future) for each, future in self._runs if not each.over]
            self._runs.append((run, self._pool.submit(run.begin)))
        return run

    def ahead(self, run: Run) -> int:
        """Return how many come before a run, with the one that has the network."""
        with self._lock:
            waiting = [each for each, _ in self._runs if not each.over]
        return waiting.index(run) if run in waiting else 0

    def leave(self, run: Run) -> bool:
        """Take a run out of the line; return False if it has the network already."""
        with self._lock:
            futures = [future for each, future in self._runs if each is run]
        return any(future.cancel() for future in futures)
