"""What live pictures come from: a file that is played in real time, a camera, a browser; `streams` has the others."""

from __future__ import annotations

import contextlib
import functools
import io
import logging
import threading
import time
from collections.abc import Callable, Collection, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from PIL import Image

from osmn.errors import InputError
from osmn.masks import Size
from osmn.user_video.media.reader import open_source

logger = logging.getLogger(__name__)

RETRY = 0.5  # Seconds between two attempts to open what is lost.
LATE = 0.1  # Seconds after which a file's frame is left out, where another one was just shown.
BEHIND = 1.0  # Seconds after which a file that is decoded too slowly is played later.
MOST_PIXELS = 4096 * 2304  # Of a browser's camera.
FOURCC = "MJPG"  # By USB 2, cameras have no more than ten large pictures a second in other formats.


class Picture(NamedTuple):
    """A picture that has come.

    Attributes:
        convert: returns its image, RGB uint8 (H, W, 3), of one size for a whole source; None where that fails. One
            thread converts, which may be another one than the one that reads: of pictures that are left out, only the
            reading takes time.
        seconds: its time after the first one.
        name: for its results; "" for a number.
        came: when it came, in seconds of `time.monotonic`.
    """

    convert: Callable[[], np.ndarray | None]
    seconds: Fraction
    name: str
    came: float


class LiveSource(Protocol):
    """Where pictures come from, one after the other; a thread of its own reads them.

    Attributes:
        title: what the source is called in messages, without passwords.
        waits: whether it waits after its first picture for `go`.
        damaged: how many packets have been skipped because they are damaged.
        left_out: how many pictures have been left out because they could not be decoded in time.
        lost: whether no picture has come for some time, so that it is being opened anew.
        time_base: unit of the times, in seconds.
        rate: nominal pictures per second.
    """

    title: str
    waits: bool
    damaged: int
    left_out: int
    lost: bool
    time_base: Fraction
    rate: Fraction

    def pictures(self) -> Iterator[Picture]:
        """Yield the pictures as they come; InputError if there is none at all. They end with the source, or by `stop`.

        A camera that is lost is opened anew, and a line says so.
        """

    def as_shown(self, mask: np.ndarray) -> np.ndarray | None:
        """See `media.sources.Source.as_shown`."""

    def go(self) -> None:
        """Go on after the first picture."""

    def stop(self) -> None:
        """Have the pictures end; it returns at once."""


class Clock:
    """The time since the first picture, by this machine's clock: streams' own times are not to be relied on."""

    def __init__(self) -> None:
        self._first: float | None = None
        self.last = time.monotonic()  # When the last picture came.

    def now(self) -> Fraction:
        """Note that a picture has come; return its time, in whole milliseconds."""
        self.last = time.monotonic()
        self._first = self.last if self._first is None else self._first
        return Fraction(round(1000 * (self.last - self._first)), 1000)

    @property
    def silence(self) -> float:
        """Seconds since the last picture."""
        return time.monotonic() - self.last


class Live:
    """What the live sources have in common; see `LiveSource`.

    Args:
        title: what the source is called in messages.
        lost_after: seconds without a picture after which it is opened anew.
    """

    waits, damaged, left_out, lost = False, 0, 0, False
    tells = True  # It is said when it is lost, and when it is back.
    meanwhile = "it is opened anew until it is back"  # What is done while it is lost.
    time_base, rate = Fraction(1, 1000), Fraction(30)

    def __init__(self, title: str, lost_after: float) -> None:
        self.title, self.lost_after = title, lost_after
        self.stopped, self.clock = threading.Event(), Clock()
        self.again = False  # It has been opened anew, and no picture has come since.

    def as_shown(self, mask: np.ndarray) -> np.ndarray | None:
        """See `LiveSource`."""
        return None

    def go(self) -> None:
        """See `LiveSource`."""

    def stop(self) -> None:
        """See `LiveSource`."""
        self.stopped.set()

    def came(self, convert: Callable[[], np.ndarray | None]) -> Picture:
        """Return the `Picture` that has come now, and say so after the source was opened anew."""
        if (self.again or self.lost) and self.tells:
            logger.warning(f"{self.title} is back, after {self.clock.silence:.1f} s without a picture")
        self.again = self.lost = False
        return Picture(convert, self.clock.now(), "", self.clock.last)

    def missed(self) -> None:
        """Note that no picture comes, and say so once."""
        if not self.lost and self.tells:
            logger.warning(f"{self.title}: no picture for {self.clock.silence:.1f} s; {self.meanwhile}, Ctrl-C ends it")
        self.lost = True


class Player(Live):
    """A file, or a folder of frames, played in real time, once; after its first frame it waits for `go`.

    Args:
        path: as in `reader.open_frames`.
        leave_out: as in `reader.open_frames`.
    """

    waits = True

    def __init__(self, path: Path | str, leave_out: Collection[Path | str] = ()) -> None:
        super().__init__(str(path), 0.0)
        self._source = open_source(path, leave_out)
        self.time_base, self.rate = self._source.time_base, self._source.rate
        self.remarks = self._source.remarks
        self._going = threading.Event()

    def as_shown(self, mask: np.ndarray) -> np.ndarray | None:
        """See `LiveSource`."""
        return self._source.as_shown(mask)

    def go(self) -> None:
        """See `LiveSource`."""
        self._going.set()

    def stop(self) -> None:
        """See `LiveSource`."""
        super().stop()
        self._going.set()

    def pictures(self) -> Iterator[Picture]:
        """See `LiveSource`."""
        begin = shown = 0.0
        with contextlib.closing(self._source):
            for decoded in self._source.frames():
                if begin:
                    due = begin + float(decoded.seconds)
                    if self.stopped.wait(max(0.0, due - time.monotonic())):
                        return
                    late = time.monotonic() - due
                    if late > LATE and time.monotonic() - shown < LATE:
                        self.left_out += 1
                        continue
                    if late > BEHIND:
                        begin += late
                shown = time.monotonic()
                yield Picture(decoded.convert, decoded.seconds, decoded.name, shown)
                if not begin:
                    self._going.wait()
                    begin = time.monotonic() - float(decoded.seconds)
                self.damaged = self._source.damaged
            self.damaged = self._source.damaged
        if not begin and not self.stopped.is_set():
            raise InputError(f"{self.title} holds no frame that can be decoded; replace it")


class Camera(Live):
    """A camera of this machine, which OpenCV opens by its number.

    Args:
        number: from 0.
        size: (width, height) that the camera is asked for; None: what it has by default.
        lost_after: see `Live`.
    """

    def __init__(self, number: int, size: tuple[int, int] | None, lost_after: float) -> None:
        super().__init__(f"camera {number}", lost_after)
        self._number, self._asked_for = number, size

    def pictures(self) -> Iterator[Picture]:
        """See `LiveSource`."""
        size: Size | None = None
        while not self.stopped.is_set():
            capture = self._open()
            if capture is None and size is None:
                raise InputError(f"{self.title} cannot be opened; give another number, and close programs that use it")
            with contextlib.closing(_Released(capture)):
                while capture is not None and not self.stopped.is_set():
                    there, image = capture.read()
                    if not there or image is None:
                        break
                    size = size or Size.of(image)
                    yield self.came(functools.partial(_in_rgb, image, size))
            if self.clock.silence > self.lost_after:
                self.missed()
            self.stopped.wait(RETRY)
            self.again = True

    def _open(self) -> Any:
        """Return OpenCV's capture; None where the camera cannot be opened."""
        import cv2

        level = cv2.utils.logging.getLogLevel()
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # It writes lines of its own on stderr.
        try:
            capture = cv2.VideoCapture(self._number)
        finally:
            cv2.utils.logging.setLogLevel(level)
        if not capture.isOpened():
            return None
        if self._asked_for is not None:
            capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*FOURCC))
            capture.set(cv2.CAP_PROP_FRAME_WIDTH, self._asked_for[0])
            capture.set(cv2.CAP_PROP_FRAME_HEIGHT, self._asked_for[1])
        return capture


def _in_rgb(image: np.ndarray, size: Size) -> np.ndarray:
    """Return an image of OpenCV's in RGB and of a size: a camera may come back with another one, a phone be turned."""
    import cv2

    if Size.of(image) != size:
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


class _Released:
    """Releases a capture when it is closed."""

    def __init__(self, capture: Any) -> None:
        self._capture = capture

    def close(self) -> None:
        if self._capture is not None:
            self._capture.release()


class Pushed(Live):
    """Pictures that a browser sends of its own camera.

    Args:
        lost_after: see `Live`.
        tells: it is said when no picture comes.
    """

    meanwhile = "it goes on when the page sends some"

    def __init__(self, lost_after: float, tells: bool = True) -> None:
        super().__init__("the browser's camera", lost_after)
        self.tells = tells
        self._changed = threading.Condition()
        self._waiting: np.ndarray | None = None
        self._size: Size | None = None

    def push(self, content: bytes) -> None:
        """Take a picture, a JPEG, in place of one that waits; InputError for what is none."""
        import cv2

        image = None
        with contextlib.suppress(OSError, ValueError, Image.DecompressionBombError):
            width, height = Image.open(io.BytesIO(content), formats=["JPEG"]).size  # Before it is decoded.
            if width * height <= MOST_PIXELS:
                image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
        if image is None:
            raise InputError("what the browser sent is no picture, or a huge one; reload the page")
        self._size = self._size or Size.of(image)
        with self._changed:
            self._waiting = image
            self._changed.notify_all()

    def stop(self) -> None:
        """See `LiveSource`."""
        super().stop()
        with self._changed:
            self._changed.notify_all()

    def pictures(self) -> Iterator[Picture]:
        """See `LiveSource`."""
        while not self.stopped.is_set():
            with self._changed:
                self._changed.wait_for(lambda: self._waiting is not None or self.stopped.is_set(), self.lost_after)
                image, self._waiting = self._waiting, None
            if image is not None and self._size is not None:
                yield self.came(functools.partial(_in_rgb, image, self._size))
            elif self._size is not None and not self.stopped.is_set():
                self.missed()
