"""Live pictures that FFmpeg reads as they come: streams of a network, and what is piped in."""

from __future__ import annotations

import functools
import logging
import os
import re
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import NamedTuple

import av
import numpy as np
from av.container import InputContainer

from osmn.errors import InputError
from osmn.user_video.live.sources import RETRY, Live, Picture
from osmn.user_video.media.rgb import ToRGB
from osmn.user_video.media.sources import exact

logger = logging.getLogger(__name__)

OPENING = 10.0  # Seconds that a server has for its first answer.
MOST_FAILURES = 100  # Of reading, one after the other, from which FFmpeg is not expected to recover.
FAST = {"fpsprobesize": "0"}  # The rate, which FFmpeg else waits a second of pictures for, is not asked for.
IN_BURSTS = ("hls", "dash")  # Formats that come in files of some seconds each, and would be shown at once.
LONGEST_BURST = 30.0  # Seconds.
PIPED = "what is piped in"


class Raw(NamedTuple):
    """Pictures without a header: their size, (width, height), and FFmpeg's name of their pixels' format."""

    size: tuple[int, int]
    pixels: str


def stream(address: str, lost_after: float) -> Stream:
    """Return the stream of an address, such as rtsp://... or http://...; it is opened anew when it is lost."""
    # By UDP, FFmpeg's default, pictures come damaged. No "nobuffer": it throws away what was read to find the format,
    # which may be the only key frame for seconds.
    options = {**FAST, "rtsp_transport": "tcp"} if address.startswith("rtsp") else FAST

    def opened() -> InputContainer:
        return av.open(address, timeout=(OPENING, lost_after), options=options)

    return Stream(without_password(address), opened, lost_after, comes_back=True)


def pipe(descriptor: int, raw: Raw | None = None) -> Stream:
    """Return the stream of a file descriptor: what FFmpeg knows by itself, such as y4m, or `raw` pictures.

    Raises InputError for a terminal, and for a format that FFmpeg does not know.
    """
    if os.isatty(descriptor):
        raise InputError(
            "nothing is piped in; give - after a pipe: ffmpeg ... -f yuv4mpegpipe - | python osmn_live.py -"
        )
    # By its number: FFmpeg takes what is there at once, where a buffered Python file waits for 32 KiB.
    name = f"pipe:{descriptor}"
    if raw is None:
        return Stream(PIPED, lambda: av.open(name, options=FAST), 0.0, comes_back=False)
    try:
        av.VideoFormat(raw.pixels)
    except ValueError:
        known = "yuv420p, nv12, yuyv422, rgb24, bgr24, gray"
        raise InputError(f"--raw_format {raw.pixels} is none that FFmpeg knows; it knows {known} and more") from None
    options = {"video_size": "{}x{}".format(*raw.size), "pixel_format": raw.pixels, "framerate": "30"}
    return Stream(PIPED, lambda: av.open(name, format="rawvideo", options=options), 0.0, comes_back=False, raw=raw)


def without_password(address: str) -> str:
    """Return an address to be shown, with stars for its password."""
    return re.sub(r"(://[^/@:]*):[^/@]*@", r"\1:***@", address)


class Stream(Live):
    """Pictures that FFmpeg reads, packet by packet, so that a damaged one costs no other.

    Args:
        title: see `Live`.
        open_container: () -> the PyAV container; FFmpegError where that fails.
        lost_after: see `Live`; 0: never.
        comes_back: whether it is opened anew when it has ended or is lost.
        raw: the `Raw` pictures that it has.
    """

    def __init__(
        self,
        title: str,
        open_container: Callable[[], InputContainer],
        lost_after: float,
        comes_back: bool,
        raw: Raw | None = None,
    ) -> None:
        super().__init__(title, lost_after)
        self._open, self._comes_back, self._raw = open_container, comes_back, raw
        self._to_rgb: ToRGB | None = None  # One for all times that it is opened: pictures keep the size of the first.
        self._seen = False  # A picture has come.
        self._played: tuple[float, float] | None = None  # When a picture was shown, and its time in the stream.
        self._whole = False  # It has ended as it should.

    def as_shown(self, mask: np.ndarray) -> np.ndarray | None:
        """See `LiveSource`."""
        return None if self._to_rgb is None else self._to_rgb.as_shown(mask)

    def pictures(self) -> Iterator[Picture]:
        """See `LiveSource`."""
        container: InputContainer | None = self._first_opened()
        while container is not None:
            with container:
                yield from self._decoded(container)
                # Only a file that a server has as a whole has a length. All others may have been cut off.
                ended = not self._comes_back or (self._whole and container.size > 0)
            if ended:
                break
            container = self._opened_again()
        if not self._seen and not self.stopped.is_set():
            raise InputError(f"{self.title} has ended without a picture; check what sends it")

    def _first_opened(self) -> InputContainer:
        try:
            return self._open()
        except av.FFmpegError as error:
            why = f"{self.title} cannot be read as a video ({error.strerror})"
            if self._comes_back:
                raise InputError(f"{why}; check that it is there") from None
            raise InputError(f"{why}; pipe y4m, or raw pictures with --raw_size W H --raw_format FORMAT") from None

    def _opened_again(self) -> InputContainer | None:
        """Return the container when what was lost is there again; None where it is stopped before."""
        while not self.stopped.is_set():
            if self.clock.silence > self.lost_after:
                self.missed()
            try:
                container = self._open()
                self.again = True
                return container
            except av.FFmpegError:
                self.stopped.wait(RETRY)
        return None

    def _decoded(self, container: InputContainer) -> Iterator[Picture]:
        """Yield the pictures of a container until it ends, or is lost."""
        opened, video = time.monotonic(), container.streams.best("video")
        if not isinstance(video, av.VideoStream) or video.codec_context is None:
            raise InputError(f"{self.title} has no video that FFmpeg can decode; give another address")
        for packet in self._packets(container, video):
            for frame in self._frames(video, packet):
                self._seen = True
                if container.format.name in IN_BURSTS:
                    self._wait_for(frame)
                yield self.came(functools.partial(self._image, frame, exact(video.sample_aspect_ratio or 1)))
            silence = time.monotonic() - max(opened, self.clock.last)
            if self.stopped.is_set() or silence > self.lost_after > 0:
                return

    def _wait_for(self, frame: av.VideoFrame) -> None:
        """Wait until a picture of a stream that comes in bursts is due, after those before it, by their times."""
        now, seconds = time.monotonic(), frame.time
        if seconds is None:
            return
        begin, first = self._played or (now, seconds)
        ahead = begin + seconds - first - now
        if 0 < ahead < LONGEST_BURST:
            self.stopped.wait(ahead)
        else:  # The first one, one that is late, or one after a jump in the times: those after it count from it.
            self._played = now, seconds

    def _packets(self, container: InputContainer, video: av.VideoStream) -> Iterator[av.Packet | None]:
        """Yield the packets, and at the end None, by which the decoder gives what it holds back."""
        failures, self._whole = 0, False
        while failures < MOST_FAILURES:
            try:
                for packet in container.demux(video):
                    if packet.size:
                        failures = 0
                        yield packet
                self._whole = True
                break
            except av.InvalidDataError:  # FFmpeg may go on after it.
                failures += 1
                self.damaged += 1
            except av.FFmpegError:  # The end of a stream of unannounced length, a lost connection, or time is up.
                break
        yield None

    def _frames(self, video: av.VideoStream, packet: av.Packet | None) -> list[av.VideoFrame]:
        """Return the undamaged frames that the decoder has after a packet."""
        if self._raw is not None and packet is not None and packet.is_corrupt:
            width, height = self._raw.size
            logger.warning(
                f"{PIPED} ends in the middle of a picture, after {packet.size} bytes of it: it was cut off, or the"
                f" pictures are not {self._raw.pixels} of {width}x{height} (--raw_format, --raw_size)"
            )
            return []
        try:
            return [frame for frame in video.codec_context.decode(packet) if not frame.is_corrupt]
        except av.EOFError:
            return []
        except av.FFmpegError:
            self.damaged += 1
            return []

    def _image(self, frame: av.VideoFrame, pixel_aspect: Fraction) -> np.ndarray | None:
        """Return a frame in RGB; None for one that cannot be converted."""
        if self._to_rgb is None:
            self._to_rgb = ToRGB(pixel_aspect)
        try:
            return self._to_rgb(frame)
        except av.FFmpegError:
            self.damaged += 1
            return None
