"""Reading a video of any kind: upright RGB frames and their times, from a file that FFmpeg decodes or from a folder."""

from __future__ import annotations

import functools
import itertools
import math
import re
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
from av.stream import Disposition

from osmn.errors import InputError
from osmn.masks import Size
from osmn.parallel import run_ahead
from osmn.user_video.media.damage import DamageCounter
from osmn.user_video.media.rgb import ToRGB
from osmn.user_video.media.sources import FOLDER_RATE, Decoded, Folder, Source, clock, open_container

ANSWER_ALL = ("h264", "hevc")  # Decoders that drop a packet which they cannot parse, where other decoders fail.
Place = int | float | Fraction  # A frame's number (int), or a time in seconds.


class Frame(NamedTuple):
    """A frame of a video.

    Attributes:
        number: from 0, in its file.
        name: for its results.
        seconds: its time.
        image: RGB uint8 (H, W, 3).
    """

    number: int
    name: str
    seconds: Fraction
    image: np.ndarray


def position(text: str) -> int | Fraction:
    """Return the place in a video that a text means: "120" is a frame (int), "4.5s" or "1:02.5" a time (Fraction).

    Raises ValueError for any other text.
    """
    if re.fullmatch(r"\d+", text):
        return int(text)
    match = re.fullmatch(r"(?:(?:(\d+):)?(\d+):)?(\d+(?:\.\d*)?)s?", text)
    if not match:
        raise ValueError(f"{text} is neither a frame (120) nor a time (4.5s or 1:02.5)")
    hours, minutes, seconds = match.groups()
    return int(hours or 0) * 3600 + int(minutes or 0) * 60 + Fraction(seconds)


def open_frames(
    path: Path | str, start: Place | None = None, end: Place | None = None, stride: int = 1, ahead: int = 4
) -> Frames:
    """Return the `Frames` of a video file or of a folder of JPEGs and PNGs.

    Args:
        path: anything that FFmpeg decodes, or a folder, whose frames count as 24 per second.
        start: the first frame that is used, an int for its number or a Fraction or float for its seconds. Frames before
            it are decoded, so that it is exact, but not converted.
        end: the first frame that is not used any more, given in the same way.
        stride: every `stride`-th frame is used, from the first frame on.
        ahead: how many frames a thread may read before they are asked for.

    Raises:
        InputError: naming the path, if it does not exist, is no video, is damaged so that nothing can be read, or has
            no frame from `start` to `end`.
    """
    source: Source = Folder(Path(path)) if Path(path).is_dir() else _File(Path(path))
    return Frames(source, start, end, stride, ahead)


def frame_at(path: Path | str, seconds: Fraction) -> np.ndarray | None:
    """Return the frame of a video file at a time, RGB uint8 (H, W, 3), without decoding all frames before it.

    It is decoded from the last key frame before it on. None where FFmpeg cannot seek in the file, or where no frame has
    exactly this time. Some files mark frames as key frames that are not: compare the image with a checksum.
    """
    for earlier in (0, 1, 10):  # seconds; some containers seek to where the key frame is decoded, before it is shown
        source = _File(Path(path))
        try:
            source.seek(seconds - earlier)
            for frame in source.frames():
                if frame.seconds == seconds:
                    return frame.convert()
                if frame.seconds > seconds:
                    break
        except av.FFmpegError:
            return None
        finally:
            source.close()
    return None


class Frames:
    """The chosen frames of a video, once and in order; close it, or use it in a `with` block, to end the reading.

    Attributes:
        path: the file or folder.
        first: the first frame, to look at before the frames are read.
        size: (width, height) of all frames.
        estimate: about how many frames there are, for a progress bar; None if that is not known.
        rate: nominal frames per second.
        time_base: unit of the frames' times, in seconds.
        audio: the file with the sound; None for a video without sound.
        origin: when the file's clock starts, in seconds; the frames' times are counted from there, as players show
            them.
        start: the time of the first frame if `start` was given, else 0.
        end: once all frames are read, the time of the first frame left out by `end`; None if the video ended before.

    Args:
        source: of the frames.
        start: see `open_frames`, as the further arguments.
        end: see `open_frames`.
        stride: see `open_frames`.
        ahead: see `open_frames`.
    """

    def __init__(
        self, source: Source, start: Place | None = None, end: Place | None = None, stride: int = 1, ahead: int = 4
    ) -> None:
        self._source = source
        self.path, self.audio, self.origin = source.path, source.audio, source.origin
        self.time_base, self.rate = source.time_base, source.rate / stride
        self.end: Fraction | None = None
        self.estimate = _estimate(source, start, end, stride)
        selected = self._selected(start, end, stride)
        try:
            first = next(selected, None)
            if first is None:
                raise InputError(self._why_empty())
        except BaseException:
            source.close()
            raise
        self.start = Fraction(0) if start is None else first.seconds
        self.first = first
        self.size = Size.of(first.image)
        self._reading = run_ahead(itertools.chain([first], selected), ahead)

    @property
    def damaged(self) -> int:
        """How many packets and frames have been skipped until now because they are damaged."""
        return self._source.damaged

    @property
    def missing(self) -> float:
        """How many seconds of picture the file announces but does not have; 0 before its end is reached."""
        return self._source.missing

    def __iter__(self) -> Iterator[Frame]:
        return self._reading

    def __enter__(self) -> Frames:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop the reading and its thread."""
        self._reading.close()
        self._source.close()

    def _selected(self, start: Place | None, end: Place | None, stride: int) -> Iterator[Frame]:
        chosen = 0
        for number, decoded in enumerate(self._source.frames()):
            if end is not None and _reached(end, number, decoded.seconds):
                self.end = decoded.seconds
                return
            if start is None or _reached(start, number, decoded.seconds):
                if chosen % stride == 0:
                    yield Frame(number, decoded.name, decoded.seconds, decoded.convert())
                chosen += 1

    def _why_empty(self) -> str:
        if self._source.decoded:
            return f"{self.path} has no frame between the given start and end; check them"
        if self.damaged:
            return f"no frame of {self.path} can be decoded ({self.damaged} damaged packets); replace it"
        return f"{self.path} holds no frames; replace it"


def _reached(place: Place, number: int, seconds: Fraction) -> bool:
    return (number if isinstance(place, int) else seconds) >= place


def _estimate(source: Source, start: Place | None, end: Place | None, stride: int) -> int | None:
    first, last = (
        None if place is None else place if isinstance(place, int) else place * source.rate for place in (start, end)
    )
    counts = [count for count in (source.count, last) if count is not None]
    return max(1, math.ceil((min(counts) - (first or 0)) / stride)) if counts else None


class _File:
    """A video file as a `Source`."""

    def __init__(self, path: Path) -> None:
        self.path, self._sought = path, False
        self.decoded, self.missing = 0, 0.0
        self._container = open_container(path)
        try:
            self._stream = self._video_stream()
        except InputError:
            self._container.close()
            raise
        self._damage = DamageCounter(answers_all=self._stream.codec_context.name in ANSWER_ALL)
        # FFmpeg's threads stay within a frame, as PyAV sets them: with several frames at a time, the last damaged
        # frames take good frames along.
        self.time_base = clock(self._stream)
        self.rate = self._stream.average_rate or self._stream.guessed_rate or Fraction(FOLDER_RATE)
        audio = self._container.streams.best("audio")
        self.audio = path if audio else None
        starts = [s.start_time * clock(s) for s in (self._stream, audio) if s and s.start_time is not None]
        # Sound before zero is the run-up of its decoder and does not change the picture's clock.
        self.origin = max(Fraction(0), min(starts, default=Fraction(0)))
        self.count: int | None = self._stream.frames or self._duration_in_frames()

    @property
    def damaged(self) -> int:
        """How many of the packets and frames that were read are damaged."""
        return self._damage.count

    def _video_stream(self) -> av.VideoStream:
        # FFmpeg takes any text for a terminal's picture, and the cover of a song for a video.
        videos = [s for s in self._container.streams.video if not s.disposition & Disposition.attached_pic]
        if not videos or self._container.format.name == "tty":
            raise InputError(f"{self.path} has no video stream; give a video or a folder of frames")
        if videos[0].codec_context is None:
            raise InputError(f"{self.path} has a codec that this FFmpeg cannot decode; convert it to H.264")
        return videos[0]

    def _duration_in_frames(self) -> int | None:
        if self._stream.duration:
            return round(self._stream.duration * self.time_base * self.rate)
        if self._container.duration:
            return round(Fraction(self._container.duration, av.time_base) * self.rate)
        return None

    def seek(self, seconds: Fraction) -> None:
        """Go to the last key frame before a time; FFmpegError where the container cannot."""
        ticks = math.floor((max(Fraction(0), seconds) + self.origin) / self.time_base)
        self._container.seek(ticks, backward=True, stream=self._stream)
        self._sought = True

    def frames(self) -> Iterator[Decoded]:
        to_rgb = ToRGB(self._stream.sample_aspect_ratio or Fraction(1))
        frame_ticks = max(1, round(1 / (self.rate * self.time_base)))
        last = None
        for frame in self._frames():
            ticks = frame.pts if frame.pts is not None else frame.dts
            if last is not None and (ticks is None or ticks < last):  # no time, or the clock was set back
                ticks = last + frame_ticks
            elif ticks is None:
                ticks = round(self.origin / self.time_base)
            elif ticks == last:
                ticks += 1  # so that the times of two frames always differ
            last = ticks
            number, self.decoded = self.decoded, self.decoded + 1
            seconds = ticks * self.time_base - self.origin
            yield Decoded(f"{number:05d}", seconds, functools.partial(self._in_rgb, to_rgb, frame))
        announced = self._announced_end()
        if last is not None and announced is not None:
            missing = announced - (last + frame_ticks) * self.time_base
            self.missing = float(missing) if 2 * missing > 1 / self.rate else 0.0

    def _in_rgb(self, to_rgb: ToRGB, frame: av.VideoFrame) -> np.ndarray:
        try:
            return to_rgb(frame)
        except av.FFmpegError as error:
            kind = f"{frame.format.name}, {error.strerror}"
            raise InputError(
                f"{self.path} has frames that FFmpeg cannot turn into RGB ({kind}); convert it to H.264"
            ) from None

    def _announced_end(self) -> Fraction | None:
        """Return when the picture ends as the file announces it, in seconds of its clock; None if it does not."""
        stream, tag = self._stream, self._stream.metadata.get("DURATION", "")
        start = (stream.start_time or 0) * self.time_base
        if stream.duration:
            return start + stream.duration * self.time_base
        if match := re.fullmatch(r"(\d+):(\d+):(\d+(?:\.\d+)?)", tag):  # Matroska's, of each stream
            hours, minutes, seconds = match.groups()
            return int(hours) * 3600 + int(minutes) * 60 + Fraction(seconds)
        if self._container.duration and not self.audio:  # Which may be longer.
            return start + Fraction(self._container.duration, av.time_base)
        return None

    def _frames(self) -> Iterator[av.VideoFrame]:
        """Yield the undamaged frames; after a seek, from the first key frame on."""
        frames = self._decoded()
        if self._sought:  # Frames before the first key frame lack the frames that they are made from.
            frames = itertools.dropwhile(lambda frame: not frame.key_frame, frames)
            self._sought = False
        return (frame for frame in frames if not frame.is_corrupt)

    def _decoded(self) -> Iterator[av.VideoFrame]:
        """Yield all frames that the decoder gives, and count what is damaged."""
        for packet in self._packets():
            try:
                frames = self._stream.decode(packet)
            except av.FFmpegError:
                self._damage.packet_failed()
                continue
            self._damage.sent(packet)
            for frame in frames:
                self._damage.got(frame, packet)
                yield frame
        self._damage.ended()

    def _packets(self) -> Iterator[av.Packet | None]:
        """Yield the packets; the last packet, empty or None, makes the decoder give what it holds back."""
        try:
            yield from self._container.demux(self._stream)
        except av.FFmpegError:  # As in the ffmpeg program, the file ends where it cannot be parsed any more.
            self._damage.packet_failed()
            yield None

    def close(self) -> None:
        self._container.close()
