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
from osmn.files import replacing
from osmn.video import open_container

SOUND_RATE = 48000  # samples per second, in stereo, where sound is encoded: both AAC and Opus have it


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
    # quality is that of "veryfast" at 18.
    codec_options={"preset": "ultrafast", "crf": "20", "g": "48"},
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
    calls it, and encodes. Seconds are as in `like`, the `osmn.video.Frames` whose times and sound are taken over.
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
    """Leaves the caller's block when nothing more can be written."""


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
        pending = collections.deque()

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
        except _Stopped:
            pass
        finally:
            encoder.close()
        written = _count_frames(temporary)
        if not written:
            reason = encoder.error.strerror if encoder.error else "it was given no frames"
            raise InputError(f"{path} cannot be written ({reason}); choose another place")
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
        self._last = max(round(seconds / self._time_base), self._last + 1)
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

    def close(self):
        """Let go of the files, finished or not."""
        if self._sound is not None:
            self._sound.close()
        for file in (self._container, self._file):
            with contextlib.suppress(OSError, av.FFmpegError):
                file.close()

    def _add_streams(self, height, width):
        kind, like = self._kind, self._like
        self._stream = self._container.add_stream(
            kind.codec,
            like.rate,
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
        self._frame_ticks = max(1, round(1 / (like.rate * self._time_base)))
        if like.audio is not None:
            self._sound = _Sound(self._container, like, kind)

    def _encode(self, frame):
        for packet in self._stream.encode(frame):
            packet.duration = self._frame_ticks  # counts for the last frame only: others last until the next one
            self._container.mux(packet)

    def _add_sound(self, seconds):
        if self._sound is not None:
            for packet in self._sound.until(seconds):
                self._container.mux(packet)


class _Sound:
    """The sound of the video `like`, as packets for `output`: copied where `kind` can hold them, else encoded anew."""

    def __init__(self, output, like, kind):
        self._input = open_container(like.audio)
        self._stream = self._input.streams.best("audio")
        self._begin = like.origin + like.start  # what becomes time 0
        self._run_up = kind is _OVERLAY
        codec = self._stream.codec_context
        if codec is None:
            packets = iter(())
        elif codec.name in kind.copied_audio and (codec.extradata or codec.name.startswith("mp3")):
            # The others need their header, which AAC in a transport stream has in every packet instead.
            self._output = output.add_stream_from_template(self._stream)
            packets = self._copied()
        else:
            self._output = output.add_stream(kind.other_audio, SOUND_RATE, layout="stereo")
            packets = self._encoded()
        self._packets = self._readable(packets)
        self._next = next(self._packets, None)

    def until(self, seconds):
        """Yield the packets before that time, once."""
        while self._next is not None and self._next.pts * self._next.time_base < seconds:
            packet, self._next = self._next, next(self._packets, None)
            yield packet

    def close(self):
        self._input.close()

    def _readable(self, packets):
        """Yield packets until the file's sound ends or cannot be parsed any more."""
        with contextlib.suppress(av.FFmpegError):
            yield from packets

    def _copied(self):
        begin = round(self._begin / self._stream.time_base)
        for packet in self._input.demux(self._stream):
            # An MP4 can begin before time 0, with the packet that a decoder of AAC starts from.
            run_up = 2 * (packet.duration or 0) if self._run_up else 0
            if packet.pts is not None and packet.pts + run_up >= begin:
                packet.pts -= begin
                packet.dts = packet.pts
                packet.stream = self._output
                yield packet

    def _encoded(self):
        graph = av.filter.Graph()
        # Silence where the sound has a gap, or starts later than the picture: encoders know no gaps.
        filters = [
            ("atrim", f"start={float(self._begin)}"),
            ("asetpts", f"PTS-{float(self._begin)}/TB"),
            ("aresample", f"{SOUND_RATE}:async=1:first_pts=0"),
            ("aformat", f"sample_fmts={self._output.format.name}:channel_layouts=stereo"),
            ("abuffersink", None),
        ]
        source = graph.add_abuffer(template=self._stream, time_base=self._stream.time_base)
        graph.link_nodes(source, *(graph.add(name, options) for name, options in filters)).configure()
        for packet in self._input.demux(self._stream):
            with contextlib.suppress(av.FFmpegError):  # a damaged packet is a gap
                for frame in packet.decode():
                    graph.push(frame)
                    yield from self._filtered(graph)
        graph.push(None)
        yield from self._filtered(graph)
        yield from self._output.encode(None)

    def _filtered(self, graph):
        while True:
            try:
                frame = graph.pull()
            except (av.BlockingIOError, av.EOFError):
                return
            yield from self._output.encode(frame)


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
