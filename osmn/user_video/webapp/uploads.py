"""Uploads: each goes into a folder of its own from its first byte on, which only a token leads to."""

from __future__ import annotations

import contextlib
import re
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from osmn.errors import InputError

UNTAKEN = 600  # seconds until an upload that nobody takes is removed
LONGEST_NAME = 120  # Characters; a file's name has 255 bytes at most.


def file_name(name: str) -> str:
    """Return a file's name, as a browser tells it, as one that can be stored: without folders and control characters.

    It keeps its suffix when it is cut short.
    """
    plain = re.sub(r"[\x00-\x1f\x7f]", "", re.split(r"[/\\]", name)[-1]).strip(". ") or "video"
    plain = plain.encode(errors="replace").decode()  # Lone surrogates cannot be stored.
    suffix = Path(plain).suffix[:20]
    stem = plain.removesuffix(suffix)[: LONGEST_NAME - len(suffix)]
    while len((stem + suffix).encode()) > 250:
        stem = stem[:-1]
    return stem + suffix


class Uploads:
    """The uploads that nobody has taken yet.

    Args:
        folder: in which each gets a folder.
        clock: the time in seconds.
    """

    def __init__(self, folder: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._folder, self._clock = folder, clock
        self._untaken: dict[str, tuple[Path, float]] = {}  # {token: (file, time of its last byte)}
        self._coming: set[Path] = set()  # Folders.

    @contextlib.contextmanager
    def coming(self, name: str) -> Iterator[tuple[str, Path]]:
        """Give the token of an upload and the path to write it to; if the block fails, nothing of it stays."""
        token = secrets.token_hex(16)
        folder = self._folder / secrets.token_hex(16)  # Another one: the server tells paths of files that it gives.
        folder.mkdir()
        self._coming.add(folder)
        try:
            yield token, folder / file_name(name)
            self._untaken[token] = (folder / file_name(name), self._clock())
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        finally:
            self._coming.discard(folder)

    def take(self, token: object) -> Path:
        """Return the path of an upload, which belongs to the caller from now on; InputError if there is none."""
        found = self._untaken.pop(token, None) if isinstance(token, str) else None
        if found is None:
            raise InputError("this upload is no more there; choose the video again")
        return found[0]

    def put_back(self, path: Path) -> str:
        """Let an upload that was taken be taken again; return its new token."""
        token = secrets.token_hex(16)
        self._untaken[token] = (path, self._clock())
        return token

    def sweep(self) -> None:
        """Remove those that nobody took in time."""
        for token, (path, since) in list(self._untaken.items()):
            if self._clock() - since >= UNTAKEN and self._untaken.pop(token, None) is not None:
                shutil.rmtree(path.parent, ignore_errors=True)

    @property
    def folders(self) -> set[Path]:
        """The folders of all uploads that have not been taken."""
        return self._coming | {path.parent for path, _ in list(self._untaken.values())}
