"""The files of live pictures: masks, an overlay, and when each frame came."""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import io
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from osmn.files.atomic import named_write_errors, replacing
from osmn.files.images import write_labels
from osmn.inference.stills import LiveResult
from osmn.parallel import WriteBehind
from osmn.user_video.live.sources import Picture
from osmn.user_video.media.reader import Frame
from osmn.user_video.media.writer import write_overlay
from osmn.user_video.presence import Presence
from osmn.user_video.tracking import mask_name

OVERLAY, FRAMES = "overlay.mp4", "frames.csv"
COLUMNS = ("frame", "name", "seconds")


@dataclasses.dataclass
class LiveTiming:
    """The times of live pictures, as a `media.sources.Timing`; there is no sound."""

    path: Path
    time_base: Fraction
    rate: Fraction
    audio: Path | None = None
    origin: Fraction = Fraction(0)
    start: Fraction = Fraction(0)
    end: Fraction | None = None
    last: tuple[Fraction, Fraction] | None = None


class LiveFiles:
    """Writes live results, in a `with` block, from the first frame with an object on.

    Each frame has `masks/<frame>.png`, as in `tracking.Results`; `overlay.mp4` has the frames' times, from 0 on, and
    `frames.csv` lists them, by their numbers in the overlay. The last two appear when the block ends.

    Attributes:
        files: names of the files that are written.
        presence: `Presence`.

    Args:
        folder: of the results.
        time_base: unit of the frames' times, in seconds.
        rate: nominal frames per second.
        tell: called with the names of files before they are written.
    """

    def __init__(
        self, folder: Path | str, time_base: Fraction, rate: Fraction, tell: Callable[..., object] = lambda *names: None
    ) -> None:
        self._folder, self._tell = Path(folder), tell
        self._timing = LiveTiming(self._folder / OVERLAY, time_base, rate)
        self._rows: list[tuple[int, str, str]] = []
        self._last = -1
        self.files: list[str] = []
        self.presence = Presence()

    @property
    def count(self) -> int:
        """How many frames are written."""
        return len(self._rows)

    def __enter__(self) -> LiveFiles:
        self._stack = contextlib.ExitStack()
        self._behind = self._stack.enter_context(WriteBehind())
        return self

    def __exit__(self, error: type[BaseException] | None, value: BaseException | None, trace: Any) -> bool | None:
        swallowed = self._stack.__exit__(error, value, trace)
        if error is None and self._rows:
            text = io.StringIO()
            csv.writer(text, lineterminator="\n").writerows([COLUMNS, *self._rows])
            with named_write_errors(self._folder / FRAMES), replacing(self._folder / FRAMES) as temporary:
                temporary.write_text(text.getvalue(), encoding="utf-8")
        return swallowed

    def add(self, result: LiveResult) -> None:
        """Write a result whose tag is a `Picture`, on threads; further results of a frame do not change its files."""
        if result.number <= self._last or not (self._rows or result.object_ids):
            return
        self._last = result.number
        picture: Picture = result.tag
        frame = Frame(len(self._rows), picture.name, picture.seconds, result.frame)
        if not self._rows:
            self._timing.start = frame.seconds
            self._note(OVERLAY, FRAMES)
            self._show = self._stack.enter_context(write_overlay(self._folder / OVERLAY, like=self._timing))
        self._rows.append((frame.number, frame.name, f"{float(frame.seconds - self._timing.start):.3f}"))
        self._note(mask_name(frame))
        self._behind(self._write_mask, frame, result.labels, result.object_ids)
        self._show(result.overlay, frame.seconds)

    def _note(self, *names: str) -> None:
        self._tell(*names)
        self.files += names

    def _write_mask(self, frame: Frame, labels: np.ndarray, object_ids: tuple[int | None, ...]) -> None:
        write_labels(self._folder / mask_name(frame), labels)
        self.presence.see(frame, labels, object_ids)
