"""A video file, which FFmpeg decodes: frames, their times, what is damaged and what is missing."""

from __future__ import annotations

import functools
import itertools
import math
import re
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from osmn.errors import InputError
from osmn.user_video.media.damage import DamageCounter, is_whole
from osmn.user_video.media.rgb import ToRGB
from osmn.user_video.media.sources import FOLDER_RATE, Decoded, as_browsers_show, clock, exact, open_container
from osmn.user_video.media.streams import shown_stream

ANSWER_ALL = ("h264", "hevc")  # Decoders that drop a packet which they cannot parse, where other decoders fail.
ANIMATIONS = ("gif", "apng")  # Formats of pictures that move, which browsers show and not players.


class VideoFile:
    """A video file as a `Source`."""

    def __init__(self, path: Path) -> None:
        self.path, self._sought = path, False
        self.decoded, self.missing = 0, 0.0
        self.picture_end: Fraction | None = None
        self._packets_read = 0
        self._container = open_container(path)
        try:
            self._stream, others = shown_stream(self._container, path)
        except InputError:
            self._container.close()
            raise
        self.remarks = [others] if others else []
        self._damage = DamageCounter(answers_all=self._stream.codec_context.name in ANSWER_ALL)
        # FFmpeg's threads stay within a frame, as PyAV sets them: with several frames at a time, the last damaged
        # frames take good frames along.
        self.time_base = clock(self._stream)
        self.rate = exact(self._stream.average_rate or self._stream.guessed_rate or FOLDER_RATE)
        self._animation = self._container.format.name in ANIMATIONS or (
            self._container.metadata.get("major_brand") == "avis"
        )
        if self._animation:
            self.rate = 1 / as_browsers_show(1 / self.rate)
        self._to_rgb = ToRGB(exact(self._stream.sample_aspect_ratio or 1))
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

    def _duration_in_frames(self) -> int | None:
        if self._stream.duration:
            return round(self._stream.duration * self.time_base * self.rate)
        if self._container.duration:
            return round(Fraction(self._container.duration, av.time_base) * self.rate)
        return None

    def as_shown(self, mask: np.ndarray) -> np.ndarray | None:
        """See `Source.as_shown`."""
        return self._to_rgb.as_shown(mask)

    @property
    def can_seek(self) -> bool:
        """Whether `seek` finds a frame by the time that `frames` gives it."""
        return not self._animation

    def seek(self, seconds: Fraction) -> None:
        """Go to the last key frame before a time; FFmpegError where the container cannot."""
        ticks = math.floor((max(Fraction(0), seconds) + self.origin) / self.time_base)
        self._container.seek(ticks, backward=True, stream=self._stream)
        self._sought = True

    def frames(self) -> Iterator[Decoded]:
        """See `Source.frames`."""
        nominal = max(1, round(1 / (self.rate * self.time_base)))
        last, shown, later = (
            None,
            nominal,
            0,
        )  # Ticks: `later` is how much longer browsers have shown the frames before.
        for frame in self._frames():
            ticks = frame.pts if frame.pts is not None else frame.dts
            if ticks is not None:
                ticks += later
            if last is not None and (ticks is None or ticks < last):  # no time, or the clock was set back
                ticks = last + nominal
            elif ticks is None:
                ticks = round(self.origin / self.time_base)
            elif ticks == last:
                ticks += 1  # so that the times of two frames always differ
            last, shown = ticks, frame.duration or nominal
            if self._animation:
                longer = round(as_browsers_show(shown * self.time_base) / self.time_base) - shown
                shown, later = shown + longer, later + longer
            number, self.decoded = self.decoded, self.decoded + 1
            seconds = ticks * self.time_base - self.origin
            yield Decoded(f"{number:05d}", seconds, functools.partial(self._in_rgb, frame))
        if last is not None:
            self._note_end(last + shown, last + max(shown, nominal), later)

    def _note_end(self, end: int, latest: int, later: int) -> None:
        """Note when the picture ends and what is missing; `latest` counts a last frame of less than usual as usual.

        All are ticks; `later` is by how much the frames end later than the file says.
        """
        announced = self._announced_end()
        self.picture_end = end * self.time_base - self.origin
        if announced is None:
            return
        announced += later * self.time_base
        missing = announced - latest * self.time_base
        if 2 * missing <= 1 / self.rate:
            return
        has_all = self._stream.frames and self._packets_read >= self._stream.frames
        if has_all or is_whole(self.path, self._container.format.name):
            # Nothing is missing: it is the last frame that lasts, and its packet is not the last one of the file.
            self.picture_end = announced - self.origin
        else:
            self.missing = float(missing)

    def _in_rgb(self, frame: av.VideoFrame) -> np.ndarray:
        try:
            return self._to_rgb(frame)
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
        if self._container.duration and len(self._container.streams) == 1:  # Others, such as sound, may be longer.
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
            for packet in self._container.demux(self._stream):
                self._packets_read += bool(packet.size)
                yield packet
        except av.FFmpegError:  # As in the ffmpeg program, the file ends where it cannot be parsed any more.
            self._damage.packet_failed()
            yield None

    def close(self) -> None:
        """See `Source.close`."""
        self._container.close()
