"""The page of live pictures in `osmn_app.py`: each visitor's page follows what the visitor's own camera sees."""

from __future__ import annotations

import contextlib
import secrets
import threading
import time
from collections.abc import Callable, Mapping

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from osmn.inference.load import has_click_model
from osmn.inference.predictor import Predictor
from osmn.user_video.live.page import HEADERS, MOST_BYTES, TOKEN, TOO_LARGE, Answer, Page, in_json, refusal, static
from osmn.user_video.live.session import Session
from osmn.user_video.live.sources import Pushed

PATH = "/osmn/live"
LOST_AFTER = 5.0  # Seconds.
SILENT = 30.0  # Seconds after which a page that asks for nothing has gone: open ones ask every second.
MOST_PAGES = 8  # That follow something at a time: they share the processor.
MOST_OPEN = 200  # Tokens of pages that have asked for nothing yet.


class Cameras:
    """The live pages of all visitors, in a `with` block; each has a token that its requests carry.

    Args:
        new_predictor: (width, height) of a camera's pictures -> `Predictor`.
        clock: the time in seconds.
    """

    def __init__(
        self, new_predictor: Callable[[tuple[int, int]], Predictor], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._new_predictor, self._clock = new_predictor, clock
        self._lock, self._over = threading.Lock(), threading.Event()
        self._tokens: dict[str, None] = {}  # Of pages that have asked for nothing yet, the newest last.
        self._pages: dict[str, tuple[Page, contextlib.ExitStack]] = {}
        self._heard: dict[str, float] = {}  # When each of them asked for something.

    def __enter__(self) -> Cameras:
        threading.Thread(target=self._sweep_now_and_then, name="live visitors", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        with self._lock:
            gone, self._pages = self._pages, {}
        _close(gone)

    def routes(self) -> list[Route]:
        """Return the routes of a server, in Starlette's types."""
        return [
            Route(PATH, lambda request: RedirectResponse(f"{PATH.rpartition('/')[2]}/")),
            Route(f"{PATH}/{{name:path}}", self._serve, methods=["GET", "POST"]),
        ]

    async def _serve(self, request: Request) -> Response:
        content = b""
        async for part in request.stream():
            content += part
            if len(content) > MOST_BYTES:
                return _response(in_json(413, TOO_LARGE))
        name = request.path_params["name"]
        asked = request.method, name, request.headers, request.query_params, content
        return _response(await run_in_threadpool(self.answer, *asked))

    def answer(
        self, method: str, name: str, headers: Mapping[str, str], query: Mapping[str, str], content: bytes
    ) -> Answer:
        """Return the answer to a request, as `Page.answer`; also the page itself, with a token of its own."""
        if method == "GET":
            found = static(name, self._new_token() if not name else "", browser=True, clicks=has_click_model())
            if found is not None:
                return found
        if (no := refusal(method, name, headers)) is not None:
            return no
        page = self._page(headers.get(TOKEN, ""))
        return page if isinstance(page, Answer) else page.answer(name, query, content)

    def _new_token(self) -> str:
        token = secrets.token_hex(16)
        with self._lock:
            self._tokens[token] = None
            for old in list(self._tokens)[:-MOST_OPEN]:
                del self._tokens[old]
        return token

    def _page(self, token: str) -> Page | Answer:
        """Return the page of a token; it begins with its first request."""
        with self._lock:
            if token not in self._pages:
                if token not in self._tokens or self._over.is_set():
                    return in_json(403, {"problem": "this page was away for long, or is of an earlier run; reload it"})
                if len(self._pages) >= MOST_PAGES:
                    return in_json(
                        403, {"problem": f"{MOST_PAGES} others are live already; wait, then reload the page"}
                    )
                del self._tokens[token]
                stack = contextlib.ExitStack()
                session = stack.enter_context(Session(Pushed(LOST_AFTER, tells=False), self._new_predictor))
                self._pages[token] = Page(session), stack
            self._heard[token] = self._clock()
            return self._pages[token][0]

    def sweep(self) -> None:
        """End what is over, and what belongs to pages that have gone."""
        now = self._clock()
        with self._lock:
            gone = {
                token: (page, stack)
                for token, (page, stack) in self._pages.items()
                if now - self._heard[token] >= SILENT or page.session.over.is_set()
            }
            for token in gone:
                del self._pages[token], self._heard[token]
        _close(gone)

    def _sweep_now_and_then(self) -> None:
        while not self._over.wait(SILENT / 3):
            self.sweep()


def _close(pages: Mapping[str, tuple[Page, contextlib.ExitStack]]) -> None:
    for _, stack in pages.values():
        with contextlib.suppress(Exception):  # What went wrong was told to the page.
            stack.close()


def _response(answer: Answer) -> Response:
    headers = {**HEADERS, **answer.headers}
    return Response(answer.content, answer.status, headers, answer.kind or None)
