"""Writing a video like another video: with frames at the same times and its sound; the file appears whole or not."""

from __future__ import annotations

import collections
import concurrent.futures
import contextlib
import functools
import math
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import av
import numpy as np
from av.container import InputContainer
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc, VideoReformatter

from osmn.errors import InputError
from osmn.files.atomic import replacing
from osmn.user_video.media.audio import Sound
from osmn.user_video.media.kinds import CUTOUT, MATTE, OVERLAY, PRORES_MATTE, Kind
from osmn.user_video.media.rgb import to_yuv420
from osmn.user_video.media.sources import Timing, clock

MOST_TICKS = 2**31 - 1  # FFmpeg and MP4 hold ticks in 32 bits.
# (draw, seconds) -> None: `draw()` returns the image of the frame at a time.
WriteFrame = Callable[[Callable[[], np.ndarray], Fraction], None]


def write_overlay(path: Path | str, like: Timing) -> contextlib.AbstractContextManager[WriteFrame]:
    """Return a context that writes an MP4 which browsers play: H.264 of 8 bits, the sound as it is or as AAC.

    In the `with` block it gives a function (draw, seconds): `draw()` returns the image, RGB uint8 (H, W, 3); a thread
    calls it, and encodes. Seconds are as in `like`, a `reader.Frames` or other `Timing`, whose times and sound are
    taken over.
    The first frame of a given start becomes time 0, and the sound ends at a given end. Sound that FFmpeg cannot decode
    is left out.

    H.264 needs even sides: where a side is odd, the last row or column is repeated. Nothing is cut off.

    The file appears when the block ends; if an exception ends the block, no file appears. Where writing fails, such as
    on a full disk, the frames that were encoded before are in the file and play, and an InputError names the file.
    """
    return _writing(Path(path), like, OVERLAY)


def write_cutout(path: Path | str, like: Timing) -> contextlib.AbstractContextManager[WriteFrame]:
    """Return a context that writes a WebM with transparency: VP9 from RGBA uint8 (H, W, 4), times in milliseconds.

    Alpha is straight, not premultiplied; the sound is Opus or Vorbis; sides may be odd. Otherwise see `write_overlay`.
    """
    return _writing(Path(path), like, CUTOUT)


def write_matte(path: Path | str, like: Timing, prores: bool = False) -> contextlib.AbstractContextManager[WriteFrame]:
    """Return a context that writes a matte: black and white, of gray uint8 (H, W) of 0 and 255, without sound.

    It is FFV1 in a Matroska file (lossless), or ProRes 4444 in a MOV file. Otherwise see `write_overlay`.
    """
    return _writing(Path(path), like, PRORES_MATTE if prores else MATTE)


class _Stopped(Exception):
    """Ends the caller's block when nothing more can be written to a video of the block."""


@contextlib.contextmanager
def _writing(path: Path, like: Timing, kind: Kind, behind: int = 4) -> Iterator[WriteFrame]:
    if path.is_dir():
        raise InputError(f"{path} is a folder; choose another name")
    with contextlib.ExitStack() as stack:
        try:
            temporary = stack.enter_context(replacing(path))
            encoder = _Encoder(temporary, like, kind)
        except OSError as error:
            raise InputError(f"{path} cannot be written ({error.strerror}); choose another place") from None
        pending: collections.deque[concurrent.futures.Future[None]] = collections.deque()
        stopped = None

        def write(draw: Callable[[], np.ndarray], seconds: Fraction) -> None:
            pending.append(pool.submit(encoder.write, draw, seconds))
            if len(pending) > behind:
                pending.popleft().result()
            if encoder.error:
                raise _Stopped

        try:
            with concurrent.futures.ThreadPoolExecutor(1, thread_name_prefix="encoder") as pool:
                yield write
                pending.append(pool.submit(encoder.finish))
            for future in pending:
                future.result()
        except _Stopped as stop:
            stopped = stop
        finally:
            encoder.close()
        written = _count_frames(temporary)
        if not written and stopped and not encoder.error:
            raise stopped  # The other video says why.
        if not written:
            raise _unwritten(path, encoder)
        if kind is OVERLAY:
            # Where there is no room for a second file, the fragments stay.
            with contextlib.suppress(OSError, InputError, av.FFmpegError), replacing(temporary) as whole:
                _put_index_in_front(temporary, whole)
                if _count_frames(whole) < written:
                    raise OSError
    if encoder.error:
        raise InputError(
            f"{path} is not complete ({encoder.error.strerror}): its first {written} frames are there and play"
        )


def _unwritten(path: Path, encoder: _Encoder) -> InputError:
    """Return the InputError for a video of which nothing was written."""
    error = encoder.error
    if error is None:
        return InputError(f"{path} cannot be written (it was given no frames); choose another place")
    if isinstance(error, av.FFmpegError):  # Of the encoder: the file's own errors are Python's.
        return InputError(
            f"{path} cannot be encoded, {encoder.described()} ({error.strerror}); make the video smaller, or its rate"
            " a common one"
        )
    return InputError(f"{path} cannot be written ({error.strerror}); choose another place")


def _until_an_error(method: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(method)
    def guarded(self: _Encoder, *arguments: Any) -> None:
        if self.error is None:
            try:
                method(self, *arguments)
            except (OSError, av.FFmpegError) as error:
                self.error = error

    return guarded


class _Encoder:
    """Encodes a video into a file; `error` is the error that stopped it: from then on it does nothing."""

    def __init__(self, path: Path, like: Timing, kind: Kind) -> None:
        self.error: OSError | av.FFmpegError | None = None
        self._like, self._kind = like, kind
        self._time_base = kind.time_base or like.time_base
        self._color_range = ColorRange.JPEG if kind.full_range else ColorRange.MPEG
        options = dict(kind.container_options)
        if kind is OVERLAY:
            options |= _first_time_in(self._time_base)
        # Written by Python, because errors of FFmpeg's own writing at the end of a file do not come out.
        self._file = open(path, "wb")  # noqa: SIM115, `close` closes it
        self._container = av.open(self._file, "w", format=kind.container, container_options=options)
        self._stream: av.VideoStream | None = None  # Until the first frame's size is known.
        self._sound: Sound | None = None
        self._reformatter = VideoReformatter()
        self._last = -1
        self._shown = Fraction(0)  # The time of the last frame in the video that this one is like.
        self._held: av.Packet | None = None  # The last packet: until the next one comes, or the end.

    @_until_an_error
    def write(self, draw: Callable[[], np.ndarray], seconds: Fraction) -> None:
        image = draw()
        height, width = image.shape[:2]
        stream = self._stream or self._add_streams(height, width)
        if (height, width) != (stream.height, stream.width):
            image = np.pad(
                image, [(0, stream.height - height), (0, stream.width - width), (0, 0)][: image.ndim], "edge"
            )
        frame = self._converted(np.ascontiguousarray(image))
        self._shown, seconds = seconds, seconds - self._like.start
        before, self._last = self._last, max(round(seconds / self._time_base), self._last + 1)
        if self._last - before > MOST_TICKS:
            apart = float(self._time_base * MOST_TICKS)
            raise InputError(
                f"{self._like.path} has frames over {apart:g} s apart, which no video with its clock can hold; convert"
                " it to a common rate"
            )
        frame.pts, frame.time_base = self._last, self._time_base
        self._encode(stream, frame)
        self._add_sound(seconds)

    def _converted(self, image: np.ndarray) -> av.VideoFrame:
        """Return an image as a frame of what is encoded."""
        given, stored = self._kind.given_pixels, self._kind.stored_pixels
        if (given, stored) == ("rgb24", "yuv420p"):
            return av.VideoFrame.from_ndarray(to_yuv420(image), format=stored)
        return self._reformatter.reformat(
            av.VideoFrame.from_numpy_buffer(image, format=given),
            format=stored,
            dst_colorspace=Colorspace.ITU709,
            dst_color_range=self._color_range,
        )

    @_until_an_error
    def finish(self) -> None:
        """Write what the encoder holds back and the rest of the sound."""
        if self._stream is not None:
            self._encode(self._stream, None)
            self._mux_held(self._last_ticks())
            self._add_sound(math.inf if self._like.end is None else self._like.end - self._like.start)
        self._container.close()
        self._file.close()

    def described(self) -> str:
        """Return in words what is encoded."""
        size = "" if self._stream is None else f" of {self._stream.width}x{self._stream.height}"
        return f"{self._kind.codec} video{size} at {float(self._like.rate):g} frames a second"

    def close(self) -> None:
        """Close the files, finished or not."""
        if self._sound is not None:
            self._sound.close()
        for file in (self._container, self._file):
            with contextlib.suppress(OSError, av.FFmpegError):
                file.close()

    def _add_streams(self, height: int, width: int) -> av.VideoStream:
        kind, like = self._kind, self._like
        rate = _encodable(like.rate, self._time_base)
        stream = self._container.add_stream(
            kind.codec,
            rate,
            kind.codec_options,
            width=width + width % 2 * kind.even,
            height=height + height % 2 * kind.even,
            pix_fmt=kind.stored_pixels,
            time_base=self._time_base,
            colorspace=Colorspace.ITU709,
            color_range=self._color_range,
            color_primaries=ColorPrimaries.BT709,
            color_trc=ColorTrc.BT709,
        )
        self._stream = cast(av.VideoStream, stream)
        self._frame_ticks = max(1, round(1 / (rate * self._time_base)))
        if like.audio is not None and kind.other_audio:
            self._sound = Sound(self._container, like, kind.copied_audio, kind.other_audio, run_up=kind is OVERLAY)
        return self._stream

    def _encode(self, stream: av.VideoStream, frame: av.VideoFrame | None) -> None:
        for packet in stream.encode(frame):
            self._mux_held(self._frame_ticks)
            self._held = packet

    def _mux_held(self, ticks: int) -> None:
        if self._held is not None:
            self._held.duration = ticks  # Counts for the last frame only: the others last until the next frame.
            self._container.mux(self._held)

    def _last_ticks(self) -> int:
        """Return how long the last frame is shown: as long as in the video that this one is like."""
        last = self._like.last
        if last is None or last[0] != self._shown:  # The frames have not been read to their end.
            return self._frame_ticks
        return min(MOST_TICKS, max(1, round((last[1] - last[0]) / self._time_base)))

    def _add_sound(self, seconds: Fraction | float) -> None:
        if self._sound is not None:
            for packet in self._sound.until(seconds):
                self._container.mux(packet)


def _encodable(rate: Fraction, time_base: Fraction) -> Fraction:
    """Return the nominal rate nearest to `rate` that FFmpeg can hold; the frames' times do not depend on it.

    FFmpeg holds the rate as a ratio of two numbers of 32 bits, and a frame's duration as such a number of ticks;
    encoders need at least one tick.
    """
    slowest, fastest = 1 / (time_base * MOST_TICKS), 1 / time_base
    return min(max(rate, slowest), fastest).limit_denominator(MOST_TICKS)


def _put_index_in_front(fragments: Path, path: Path) -> None:
    """Pack an MP4 in fragments, or its beginning, as an MP4 with its index in front, for quick starts in a browser."""
    with av.open(f"file:{fragments}") as source:
        options = {"movflags": "faststart"} | _first_time_in(clock(source.streams.video[0]))
        with av.open(f"file:{path}", "w", format="mp4", container_options=options) as target:
            streams = [target.add_stream_from_template(stream) for stream in source.streams]
            for packet in _whole_packets(source):
                packet.stream = streams[packet.stream_index]
                target.mux(packet)


def _first_time_in(time_base: Fraction) -> dict[str, str]:
    """Return the option of an MP4 by which its first time can be any multiple of `time_base`, not of milliseconds."""
    return {"movie_timescale": str(time_base.denominator)}


def _whole_packets(container: InputContainer) -> Iterator[av.Packet]:
    with contextlib.suppress(av.InvalidDataError):
        for packet in container.demux():
            if packet.size and not packet.is_corrupt:
                yield packet


def _count_frames(path: Path) -> int:
    try:
        with av.open(f"file:{path}") as container:
            return sum(packet.stream.type == "video" for packet in _whole_packets(container))
    except av.FFmpegError:
        return 0
