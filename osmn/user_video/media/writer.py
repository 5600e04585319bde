"""Writing a video like another one: its frames at the same times, its sound, and a whole file or none."""

import collections
import concurrent.futures
import contextlib
import functools
import math
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc, VideoReformatter

from osmn.errors import InputError
from osmn.files.atomic import replacing
from osmn.user_video.media.audio import Sound

MOST_TICKS = 2**31 - 1  # in what FFmpeg and MP4 hold in 32 bits


class _Kind(NamedTuple):
    """A kind of file: how it is packed, its codecs, the pixels it is given and stores, and the sound it can hold."""

    container: str
    container_options: dict
    time_base: Fraction | None  # None: that of the video it is like
    codec: str
    codec_options: dict
    given_pixels: str
    stored_pixels: str
    even: bool
    copied_audio: frozenset  # what browsers play in it
    other_audio: str


# In fragments, so that a file that ends anywhere plays; with delay_moov they can begin at another time than 0.
_OVERLAY = _Kind(
    container="mp4",
    container_options={"movflags": "frag_keyframe+delay_moov+default_base_moof"},
    time_base=None,
    codec="libx264",
    # Of all presets the least work by far (5 ms a frame of 1280x720, where "veryfast" takes 16), for larger files; this
    # quality is that of "veryfast" at crf 18. A constant quantiser, for rate control makes other bytes from run to run:
    # x264's threads share its estimates.
    codec_options={"preset": "ultrafast", "qp": "23", "g": "48"},
    given_pixels="rgb24",
    stored_pixels="yuv420p",
    even=True,
    copied_audio=frozenset({"aac", "mp3", "mp3float", "opus", "libopus", "flac"}),
    other_audio="aac",
)
_CUTOUT = _Kind(
    container="webm",
    container_options={},
    time_base=Fraction(1, 1000),
    codec="libvpx-vp9",
    # Alternate reference frames do not go with alpha.
    codec_options={"crf": "24", "b": "0", "cpu-used": "5", "row-mt": "1", "auto-alt-ref": "0"},
    given_pixels="rgba",
    stored_pixels="yuva420p",
    even=False,
    copied_audio=frozenset({"opus", "libopus", "vorbis"}),
    other_audio="libopus",
)


def write_overlay(path, like):
    """Return a context that writes an MP4 which browsers play: H.264 of 8 bits, the sound as it is or as AAC.

    In the `with` block it gives a function (draw, seconds): `draw()` returns the image, RGB uint8 (H, W, 3); a thread
    calls it, and encodes. Seconds are as in `like`, the `reader.Frames` whose times and sound are taken over.
    The first frame of a given start becomes time 0, and the sound ends at a given end. Sound that FFmpeg cannot decode
    is left out.

    H.264 needs even sides: where one is odd, the last row or column is there twice. Nothing is cut off.

    The file appears when the block ends, and not at all if that is by an exception. Where writing fails, such as on a
    full disk, what was encoded until then is there and plays, and an InputError names it.
    """
    return _writing(Path(path), like, _OVERLAY)


def write_cutout(path, like):
    """Return a context that writes a WebM with transparency: VP9 from RGBA uint8 (H, W, 4), times in milliseconds.

    Alpha is straight, not premultiplied; the sound is Opus or Vorbis; sides may be odd. Otherwise see `write_overlay`.
    """
    return _writing(Path(path), like, _CUTOUT)


class _Stopped(Exception):
    """Leaves the caller's block when nothing more can be written to one of the videos in it."""


@contextlib.contextmanager
def _writing(path, like, kind, behind=8):
    if path.is_dir():
        raise InputError(f"{path} is a folder; choose another name")
    with contextlib.ExitStack() as stack:
        try:
            temporary = stack.enter_context(replacing(path))
            encoder = _Encoder(temporary, like, kind)
        except OSError as error:
            raise InputError(f"{path} cannot be written ({error.strerror}); choose another place") from None
        pending, stopped = collections.deque(), None

        def write(draw, seconds):
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
        if kind is _OVERLAY:
            # Where there is no room for a second file, the fragments stay.
            with contextlib.suppress(OSError, InputError, av.FFmpegError), replacing(temporary) as whole:
                _put_index_in_front(temporary, whole)
                if _count_frames(whole) < written:
                    raise OSError
    if encoder.error:
        raise InputError(
            f"{path} is not complete ({encoder.error.strerror}): its first {written} frames are there and play"
        )


def _unwritten(path, encoder):
    """Return the InputError of a video of which nothing was written."""
    error = encoder.error
    if error is None:
        return InputError(f"{path} cannot be written (it was given no frames); choose another place")
    if isinstance(error, av.FFmpegError):  # Of the encoder: the file's own errors are Python's.
        return InputError(
            f"{path} cannot be encoded, {encoder.described()} ({error.strerror}); make the video smaller, or its rate"
            " a common one"
        )
    return InputError(f"{path} cannot be written ({error.strerror}); choose another place")


def _until_an_error(method):
    @functools.wraps(method)
    def guarded(self, *arguments):
        if self.error is None:
            try:
                method(self, *arguments)
            except (OSError, av.FFmpegError) as error:
                self.error = error

    return guarded


class _Encoder:
    """Encodes one video into a file; `error` is what stopped it: from then on it does nothing."""

    def __init__(self, path, like, kind):
        self.error = None
        self._like, self._kind = like, kind
        self._time_base = kind.time_base or like.time_base
        options = dict(kind.container_options)
        if kind is _OVERLAY:
            options |= _first_time_in(self._time_base)
        # Written by Python, because errors of FFmpeg's own writing at the end of a file do not come out.
        self._file = open(path, "wb")  # noqa: SIM115, `close` closes it
        self._container = av.open(self._file, "w", format=kind.container, container_options=options)
        self._stream = self._sound = None
        self._reformatter = VideoReformatter()
        self._last = -1

    @_until_an_error
    def write(self, draw, seconds):
        image = draw()
        if self._stream is None:
            self._add_streams(*image.shape[:2])
        height, width = image.shape[:2]
        if (height, width) != (self._stream.height, self._stream.width):
            image = np.pad(image, [(0, self._stream.height - height), (0, self._stream.width - width), (0, 0)], "edge")
        frame = av.VideoFrame.from_numpy_buffer(np.ascontiguousarray(image), format=self._kind.given_pixels)
        frame = self._reformatter.reformat(
            frame, format=self._kind.stored_pixels, dst_colorspace="ITU709", dst_color_range="MPEG"
        )
        seconds -= self._like.start
        before, self._last = self._last, max(round(seconds / self._time_base), self._last + 1)
        if self._last - before > MOST_TICKS:
            apart = float(self._time_base * MOST_TICKS)
            raise InputError(
                f"{self._like.path} has frames over {apart:g} s apart, which no video with its clock can hold; convert"
                " it to a common rate"
            )
        frame.pts, frame.time_base = self._last, self._time_base
        self._encode(frame)
        self._add_sound(seconds)

    @_until_an_error
    def finish(self):
        """Write what the encoder holds back and the rest of the sound."""
        if self._stream is not None:
            self._encode(None)
            self._add_sound(math.inf if self._like.end is None else self._like.end - self._like.start)
        self._container.close()
        self._file.close()

    def described(self):
        """Return in words what is encoded."""
        size = "" if self._stream is None else f" of {self._stream.width}x{self._stream.height}"
        return f"{self._kind.codec} video{size} at {float(self._like.rate):g} frames a second"

    def close(self):
        """Let go of the files, finished or not."""
        if self._sound is not None:
            self._sound.close()
        for file in (self._container, self._file):
            with contextlib.suppress(OSError, av.FFmpegError):
                file.close()

    def _add_streams(self, height, width):
        kind, like = self._kind, self._like
        rate = _encodable(like.rate, self._time_base)
        self._stream = self._container.add_stream(
            kind.codec,
            rate,
            kind.codec_options,
            width=width + width % 2 * kind.even,
            height=height + height % 2 * kind.even,
            pix_fmt=kind.stored_pixels,
            time_base=self._time_base,
            colorspace=Colorspace.ITU709,
            color_range=ColorRange.MPEG,
            color_primaries=ColorPrimaries.BT709,
            color_trc=ColorTrc.BT709,
        )
        self._frame_ticks = max(1, round(1 / (rate * self._time_base)))
        if like.audio is not None:
            self._sound = Sound(self._container, like, kind.copied_audio, kind.other_audio, run_up=kind is _OVERLAY)

    def _encode(self, frame):
        for packet in self._stream.encode(frame):
            packet.duration = self._frame_ticks  # counts for the last frame only: others last until the next one
            self._container.mux(packet)

    def _add_sound(self, seconds):
        if self._sound is not None:
            for packet in self._sound.until(seconds):
                self._container.mux(packet)


def _encodable(rate, time_base):
    """Return the nominal rate nearest to `rate` that FFmpeg can hold; the frames' times do not depend on it.

    It holds a ratio of two numbers of 32 bits, and a frame's duration as one of ticks; encoders want one tick at least.
    """
    slowest, fastest = 1 / (time_base * MOST_TICKS), 1 / time_base
    return min(max(rate, slowest), fastest).limit_denominator(MOST_TICKS)


def _put_index_in_front(fragments, path):
    """Pack an MP4 in fragments, or its beginning, as one with its index in front, for quick starts in a browser."""
    with av.open(f"file:{fragments}") as source:
        options = {"movflags": "faststart"} | _first_time_in(source.streams.video[0].time_base)
        with av.open(f"file:{path}", "w", format="mp4", container_options=options) as target:
            streams = [target.add_stream_from_template(stream) for stream in source.streams]
            for packet in _whole_packets(source):
                packet.stream = streams[packet.stream_index]
                target.mux(packet)


def _first_time_in(time_base):
    """Return the option of an MP4 by which its first time can be any multiple of `time_base`, not of milliseconds."""
    return {"movie_timescale": str(time_base.denominator)}


def _whole_packets(container):
    with contextlib.suppress(av.InvalidDataError):
        for packet in container.demux():
            if packet.size and not packet.is_corrupt:
                yield packet


def _count_frames(path):
    try:
        with av.open(f"file:{path}") as container:
            return sum(packet.stream.type == "video" for packet in _whole_packets(container))
    except av.FFmpegError:
        return 0
