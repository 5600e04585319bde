"""The visitors of the page: which page works on what, and whose work is kept when its page goes."""

from __future__ import annotations

import contextlib
import logging
import secrets
import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from osmn.errors import InputError
from osmn.inference.predictor import Predictor
from osmn.user_video.webapp.clip import Clip, draw_example
from osmn.user_video.webapp.session import Session
from osmn.user_video.webapp.tasks import Line, Opening, Run, Task
from osmn.user_video.webapp.uploads import UNTAKEN, Uploads

logger = logging.getLogger(__name__)

SILENT = 3600.0  # seconds after which a page that is not heard of has gone; open pages are heard of every minute
SWEPT_EVERY = 60.0  # seconds


class _Page:
    """A page in a browser: whose it is, what it works on, what it waits for, and when it was heard of."""

    def __init__(self, key: str, now: float) -> None:
        self.visitor, self.heard, self.gone = key, now, False
        self.session: Session | None = None
        self.task: Task | None = None


class _Kept(NamedTuple):
    """Work whose page has gone: the session, whose it is, the page's key, and since when."""

    session: Session
    visitor: str
    page: str
    since: float


class Visitors:
    """The pages that are open, and the work that is kept for visitors whose page has gone; used in a `with` block.

    A page has a key that the server gives it, a visitor a secret that their browser remembers.

    Attributes:
        folder: the temporary folder of all files, which is removed at the end of the block.
        keep: how long work is kept, in seconds.
        uploads: `Uploads`.

    Args:
        predictor: see `Session`.
        keep: how long work is kept after its page has gone, in seconds.
        clock: the time in seconds.
    """

    def __init__(
        self,
        predictor: Callable[[tuple[int, int]], Predictor],
        keep: float = 3600.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._predictor, self.keep, self._clock = predictor, keep, clock
        self._lock, self._ended = threading.RLock(), threading.Event()
        self._pages: dict[str, _Page] = {}
        self._kept: list[_Kept] = []
        self._opening: set[Path] = set()  # Folders.
        self._line = Line()
        self._temporary = tempfile.TemporaryDirectory(prefix="osmn_app-", ignore_cleanup_errors=True)
        self.folder = Path(self._temporary.name)
        self.uploads = Uploads(self.folder, clock)

    def __enter__(self) -> Visitors:
        threading.Thread(target=self._sweep_now_and_then, name="sweeping", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        with self._lock:
            pages, kept = list(self._pages.values()), self._kept
            self._pages, self._kept, self.keep = {}, [], 0.0
        for page in pages:
            page.gone = True
        self._line.__exit__()
        for session in [*(page.session for page in pages), *(each.session for each in kept)]:
            if session is not None:
                session.close()
        self._temporary.cleanup()

    # -- A page -------------------------------------------------------------------------------------------------------

    def hear(self, key: str, visitor: object = None) -> None:
        """Note that a page is there; one that comes back after it seemed to have gone finds its work again.

        `visitor` is the secret by which the browser tells that this visitor was here before.
        """
        with self._lock:
            page = self._pages.get(key)
            if page is None:
                page = self._pages[key] = _Page(key, self._clock())
                for each in [each for each in self._kept if each.page == key][-1:]:
                    self._kept.remove(each)
                    page.session, page.visitor = each.session, each.visitor
            page.heard = self._clock()
            if isinstance(visitor, str) and len(visitor) >= 32:
                page.visitor = visitor

    def session(self, key: str) -> Session:
        """Return what a page works on; InputError without a video."""
        session = self.session_or_none(key)
        if session is None:
            raise InputError("choose a video first")
        return session

    def session_or_none(self, key: str) -> Session | None:
        """Return what a page works on; None without a video."""
        page = self._pages.get(key)
        return page.session if page is not None else None

    def task(self, key: str) -> Task | None:
        """Return what a page waits for, or waited for last; None if nothing."""
        page = self._pages.get(key)
        return page.task if page is not None else None

    def open_upload(self, key: str, token: object) -> Task:
        """Open an uploaded video in a page; the work of before is kept."""
        path = self.uploads.take(token)
        return self._open(key, path.parent, path.name, lambda: path)

    def open_example(self, key: str, name: object) -> Task:
        """Open an example in a page; the work of before is kept."""
        folder = self.folder / secrets.token_hex(16)
        folder.mkdir()
        return self._open(key, folder, str(name), lambda: draw_example(name, folder))

    def _open(self, key: str, folder: Path, title: str, find: Callable[[], Path]) -> Task:
        with self._lock:
            page = self._pages.get(key)
            busy = page is not None and page.task is not None and not page.task.over
            if page is None or busy:
                shutil.rmtree(folder, ignore_errors=True)
                raise InputError("wait for what is being done, or stop it" if busy else "reload the page")
            self._opening.add(folder)

            def work(read: Callable[[int, int | None], None]) -> None:
                try:
                    session = Session(Clip(find(), title, read), self._predictor)
                except BaseException:
                    shutil.rmtree(folder, ignore_errors=True)
                    raise
                finally:
                    self._opening.discard(folder)
                self._give(key, page, session)

            page.task = Opening(title, work)
            return page.task

    def segment(self, key: str, both_ways: bool = False) -> Task:
        """Have a page's video segmented when its turn comes; `both_ways` as in `Session.segment`."""
        session = self.session(key)
        with self._lock:
            page = self._pages[key]
            if page.task is not None and not page.task.over:
                raise InputError("wait for what is being done, or stop it")
            page.task = self._line.ask(session, both_ways)
            return page.task

    def stop(self, key: str) -> None:
        """Stop what a page waits for."""
        task = self.task(key)
        if task is not None:
            task.stop()

    def leave(self, key: str) -> None:
        """Note that a page has gone: stop segmenting for it, and keep its work, also a video that is being opened."""
        with self._lock:
            page = self._pages.pop(key, None)
            if page is None:
                return
            page.gone = True
            if isinstance(page.task, Run):
                page.task.stop()
            self._keep(key, page)

    def _give(self, key: str, page: _Page, session: Session) -> None:
        """Have a page work on a session, and keep the work of before."""
        with self._lock:
            before = page.session
            if before is not None and not before.has_work:
                before.close()
            elif before is not None:
                self._keep("", page)
            page.session = session
            if page.gone:
                self._keep(key, page)

    def _keep(self, key: str, page: _Page) -> None:
        """Keep the work of a page, for `key` if that page comes back."""
        if page.session is None:
            return
        if self.keep > 0 and not self._ended.is_set():
            self._kept.append(_Kept(page.session, page.visitor, key, self._clock()))
        else:
            page.session.close()
        page.session = None

    # -- Work that is kept --------------------------------------------------------------------------------------------

    def offers(self, key: str) -> list[Session]:
        """Return the visitor's work that this page does not show, the newest first, of which they may go on with some.

        A page that was just reloaded may still seem to be there, so work that another page shows is offered, too.
        """
        with self._lock:
            page = self._pages.get(key)
            if page is None:
                return []
            others = [each for each in self._pages.values() if each is not page and each.visitor == page.visitor]
            kept = [each.session for each in self._kept if each.visitor == page.visitor]
            return [each.session for each in others if each.session is not None] + kept[::-1]

    def is_open(self, session: Session) -> bool:
        """Return whether a page shows a session: one that was closed just now may still seem to do so."""
        with self._lock:
            return any(page.session is session for page in self._pages.values())

    def go_on(self, key: str, token: object) -> None:
        """Have a page go on with the work of a session's token, and what it waits for; keep what the page showed."""
        with self._lock:
            session = self._offered(key, token)
            page = self._pages[key]
            if page.task is not None and not page.task.over:
                raise InputError("wait for what is being done, or stop it")
            page.task = None
            for other in self._pages.values():
                if other.session is session:
                    other.session = None
                    if isinstance(other.task, Run):  # It goes on.
                        page.task, other.task = other.task, None
            self._kept = [each for each in self._kept if each.session is not session]
            self._give(key, page, session)

    def discard(self, key: str, token: object) -> None:
        """Remove work that is offered to a page."""
        with self._lock:
            session = self._offered(key, token)
            for other in self._pages.values():
                if other.session is session:
                    other.session = None
            self._kept = [each for each in self._kept if each.session is not session]
            session.close()

    def _offered(self, key: str, token: object) -> Session:
        for session in self.offers(key):
            if session.token == token:
                return session
        raise InputError("this work is no more kept; choose the video again")

    # -- What belongs to nobody ---------------------------------------------------------------------------------------

    def sweep(self) -> None:
        """Remove what is kept no longer, uploads that nobody took, and whatever else belongs to nobody."""
        now = self._clock()
        with self._lock:
            for key in [key for key, page in self._pages.items() if now - page.heard >= SILENT]:
                self.leave(key)
            late = [each for each in self._kept if now - each.since >= self.keep]
            self._kept = [each for each in self._kept if each not in late]
            self.uploads.sweep()
            sessions = [page.session for page in self._pages.values()] + [each.session for each in self._kept]
            owned = {each.folder for each in sessions if each is not None} | self._opening | self.uploads.folders
            owned |= {each.session.folder for each in late}
            for path in set(self.folder.iterdir()) - owned:
                # A file that is just being made, or a session that is just being removed, is left for the next time.
                with contextlib.suppress(OSError):
                    if time.time() - path.stat().st_mtime >= UNTAKEN:
                        shutil.rmtree(path) if path.is_dir() else path.unlink()
        for each in late:
            each.session.close()

    def _sweep_now_and_then(self) -> None:
        while not self._ended.wait(SWEPT_EVERY):
            try:
                self.sweep()
            except Exception:
                logger.exception("what belongs to nobody could not be removed")
