"""The sessions of all visitors of the web page, and the folder of their files."""

from __future__ import annotations

import secrets
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

from osmn.inference.predictor import Predictor
from osmn.user_video.webapp.session import Session


class Sessions:
    """The sessions of all visitors, each under a key that only its visitor knows; used in a `with` block.

    Attributes:
        folder: the temporary folder of all files, which is removed at the end of the block.

    Args:
        predictor: see `Session`.
    """

    def __init__(self, predictor: Callable[[tuple[int, int]], Predictor]) -> None:
        self._predictor, self._lock = predictor, threading.Lock()
        self._sessions: dict[str, Session] = {}
        self._temporary = tempfile.TemporaryDirectory(prefix="osmn_app-", ignore_cleanup_errors=True)
        self.folder = Path(self._temporary.name)

    def __enter__(self) -> Sessions:
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            sessions = list(self._sessions.values())
            self._sessions.clear()
        for session in sessions:
            session.close()
        self._temporary.cleanup()

    def __getitem__(self, key: str) -> Session:
        with self._lock:
            if key not in self._sessions:
                # The server gives a file to anyone who knows its path, so the path cannot be guessed.
                self._sessions[key] = Session(self.folder / secrets.token_hex(16), self._predictor)
            return self._sessions[key]

    def close(self, key: str) -> None:
        """End a visitor's session and remove its files."""
        with self._lock:
            session = self._sessions.pop(key, None)
        if session is not None:
            session.close()
