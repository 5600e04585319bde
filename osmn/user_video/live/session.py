"""Live pictures and the objects in them: a thread reads, another one segments, and others show and write."""

from __future__ import annotations

import collections
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from osmn import parallel
from osmn.inference.live import LiveTracker
from osmn.inference.predictor import Predictor
from osmn.inference.stills import LiveResult, Objects
from osmn.masks import Size
from osmn.user_video.live.sources import LiveSource, Picture

RECENT = 2.0  # Seconds over which frames are counted.
REMEMBERED = 20_000  # Latencies: of a quarter of an hour.
PATIENCE = 1.0  # Seconds that a thread has to end, which may be waiting for a network.


class _Newest:
    """Holds one picture for another thread: a newer one takes its place."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._picture: Picture | None = None
        self._over = False

    def put(self, picture: Picture) -> bool:
        """Hold a picture; return whether one was there that nobody has taken."""
        with self._changed:
            replaced, self._picture = self._picture is not None, picture
            self._changed.notify_all()
            return replaced

    def end(self) -> None:
        with self._changed:
            self._over = True
            self._changed.notify_all()

    def take(self) -> Picture | None:
        """Wait for a picture and return it; None after the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._picture is not None or self._over)
            picture, self._picture = self._picture, None
            self._changed.notify_all()
            return picture

    def wait_until_taken(self) -> None:
        """Wait until the picture has been taken, or the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._picture is None or self._over)


class Session:
    """Follows objects in the pictures of a source; used in a `with` block.

    One thread reads the source, so that nothing piles up there; one converts the newest picture and resizes it; the
    tracker's segments.

    Attributes:
        source: `LiveSource`.
        shown: how many frames have a result.
        over: set when the pictures have ended, or an error has come up.

    Args:
        source: `LiveSource`.
        new_predictor: (width, height) of the pictures -> `Predictor`.
        on_result: see `LiveTracker`.
        objects: about how many objects will be followed.
        in_first: (picture, image) -> the objects that are given in the first picture; None where there are none.
    """

    def __init__(
        self,
        source: LiveSource,
        new_predictor: Callable[[tuple[int, int]], Predictor],
        on_result: Callable[[LiveResult], object] = lambda result: None,
        objects: int = 1,
        in_first: Callable[[Picture, np.ndarray], Objects] | None = None,
    ) -> None:
        self._in_first = in_first
        self.source, self._new_predictor, self._on_result, self._objects = source, new_predictor, on_result, objects
        self.over, self.shown = threading.Event(), 0
        self._tracker: LiveTracker | None = None
        self._made = threading.Event()  # The tracker is there, or never comes.
        self._error: BaseException | None = None
        self._unread: BaseException | None = None  # The error of reading.
        self._interrupted = False
        self._last_number = -1
        self._times: collections.deque[float] = collections.deque(maxlen=500)
        self._latencies: collections.deque[float] = collections.deque(maxlen=REMEMBERED)
        self._waiting, self._left_out = _Newest(), 0
        self._threads = [
            threading.Thread(target=work, name="live pictures", daemon=True) for work in (self._read, self._prepare)
        ]

    def __enter__(self) -> Session:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        self.source.stop()
        self._threads[0].join(PATIENCE)
        self._waiting.end()
        self._threads[1].join()
        if self._tracker is not None:
            try:
                self._tracker.close()
            except BaseException:
                if error is None:
                    raise
        if error is None:
            self.check()

    def begin(self) -> None:
        """Wait for the first result, and go on if there are objects in it; raise the error that comes in its place."""
        parallel.wait_for(self._made)
        self.check()
        if self._tracker is not None and self._tracker.newest() is not None and self._in_first is not None:
            self.source.go()

    def interrupt(self) -> None:
        """End it for the user, whose Ctrl-C also ends what pipes the pictures in: that they end there is no error."""
        self._interrupted = True
        self.stop()

    def check(self) -> None:
        """Raise the error of the network or of the reading, if there was one."""
        error = self._error or (None if self._interrupted else self._unread)
        if error is not None:
            raise error

    @property
    def tracker(self) -> LiveTracker:
        """The tracker; ValueError before the first picture."""
        if self._tracker is None:
            raise ValueError("no picture has come yet")
        return self._tracker

    @property
    def dropped(self) -> int:
        """How many pictures have been left out."""
        return self.source.left_out + self._left_out + (0 if self._tracker is None else self._tracker.dropped)

    def give(self, objects: Objects, result: LiveResult | None = None) -> None:
        """Give objects, as `LiveTracker.give`, and go on where the source waits for them."""
        self.tracker.give(objects, result)
        if any(mask.any() for mask in objects.values()):
            self.source.go()

    def newest(self, after: int, timeout: float) -> LiveResult | None:
        """Return the newest result, as `LiveTracker.newest`; None also before the first picture."""
        if not self._made.wait(timeout) or self._tracker is None:
            return None
        return self._tracker.newest(after, 0.0 if self.over.is_set() else timeout)

    def stop(self) -> None:
        """Have the pictures end, whatever they wait for."""
        self.source.stop()
        self.over.set()

    def latencies(self) -> tuple[float, float]:
        """Return the seconds from a picture to its masks that half of the pictures, and 95 % of them, stay below."""
        half, most = np.quantile(list(self._latencies) or [0.0], [0.5, 0.95])
        return float(half), float(most)

    def state(self) -> dict[str, Any]:
        """Return what the page shows of it, in JSON's types."""
        now, times = time.monotonic(), list(self._times)
        recent = [each for each in times if each > now - RECENT]
        newest = None if self._tracker is None else self._tracker.newest(timeout=0)
        return {
            "title": self.source.title,
            "shown": self.shown,
            "dropped": self.dropped,
            "rate": round(len(recent) / RECENT, 1),
            "objects": [] if newest is None else [1 if i is None else i for i in newest.object_ids],
            "lost": self.source.lost,
            "waits": self.source.waits and not self.shown > 1,
            "over": self.over.is_set(),
        }

    def _read(self) -> None:
        """Read the source, and leave out the pictures for which there is no time."""
        try:
            for number, picture in enumerate(self.source.pictures()):
                replaced = self._waiting.put(picture._replace(name=picture.name or f"{number:05d}"))
                self._left_out += replaced and self.shown > 0  # The network is prepared before anything is missed.
                if not number:  # Objects are given in the first one.
                    self._waiting.wait_until_taken()
        except BaseException as error:  # It is raised where somebody sees it.
            self._unread = error
        finally:
            self._waiting.end()

    def _prepare(self) -> None:
        """Convert pictures, and hand them to the tracker."""
        try:
            while (picture := self._waiting.take()) is not None:
                image = picture.convert()
                if image is None:
                    continue
                if self._tracker is None:
                    self._begin(picture, image)
                else:
                    self._tracker.submit(image, picture, came=picture.came)
        except BaseException as error:
            self._error = error
            self.source.stop()
        finally:
            self._made.set()
            self.over.set()

    def _begin(self, picture: Picture, image: np.ndarray) -> None:
        predictor = self._new_predictor(Size.of(image))
        objects = None if self._in_first is None else self._in_first(picture, image)
        tracker = LiveTracker(predictor, self._note, self._objects)
        tracker.submit(image, picture, objects, picture.came)
        self._tracker = tracker
        self._made.set()

    def _note(self, result: LiveResult) -> None:
        if result.number != self._last_number:
            self._last_number, self.shown = result.number, self.shown + 1
            self._times.append(time.monotonic())
            self._latencies.append(result.seconds)
        self._on_result(result)
