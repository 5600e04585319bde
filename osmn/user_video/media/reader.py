"""Reading a video of any kind: upright RGB frames and their times, from what FFmpeg decodes or from a folder."""

import itertools
import math
import re
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
from av.stream import Disposition

from osmn.errors import InputError
from osmn.files.images import read_image
from osmn.files.names import frame_files
from osmn.parallel import run_ahead
from osmn.user_video.media.damage import DamageCounter
from osmn.user_video.media.rgb import ToRGB

FOLDER_RATE = 24  # frames per second of a folder, which has no times of its own

ANSWER_ALL = ("h264", "hevc")  # Decoders that drop a packet which they cannot parse, where others fail.


class Frame(NamedTuple):
    """A frame: number from 0 in its file, name for its results, time in seconds, image RGB uint8 (H, W, 3)."""

    number: int
    name: str
    seconds: Fraction
    image: np.ndarray


def position(text):
    """Return what a user means by a place in a video: "120" is a frame (int), "4.5s" or "1:02.5" a time (Fraction).

    Raises ValueError for any other text.
    """
    if re.fullmatch(r"\d+", text):
        return int(text)
    match = re.fullmatch(r"(?:(?:(\d+):)?(\d+):)?(\d+(?:\.\d*)?)s?", text)
    if not match:
        raise ValueError(f"{text} is neither a frame (120) nor a time (4.5s or 1:02.5)")
    hours, minutes, seconds = match.groups()
    return int(hours or 0) * 3600 + int(minutes or 0) * 60 + Fraction(seconds)


def open_frames(path, start=None, end=None, stride=1, ahead=4):
    """Return the `Frames` of a video file or of a folder of JPEGs and PNGs.

    Args:
      path: anything that FFmpeg decodes, or a folder, whose frames count as 24 a second.
      start: the first frame used, an int for its number or a Fraction or float for its seconds. Frames before it are
        decoded, so that it is exact, but not converted.
      end: the first frame not used any more, given likewise.
      stride: every `stride`-th frame from the first one on.
      ahead: how many frames a thread may read before they are asked for.

    Raises InputError, naming the path, if it does not exist, is no video, is damaged so that nothing can be read, or
    holds no frame from `start` to `end`.
    """
    source = _Folder(Path(path)) if Path(path).is_dir() else _File(Path(path))
    return Frames(source, start, end, stride, ahead)


def frame_at(path, seconds):
    """Return the picture at one of the times of a video file, RGB uint8 (H, W, 3), without decoding all before it.

    It is decoded from the key frame before it on. None where the file cannot be sought in, or where no frame has just
    this time then. That key frames are what they say is not checked: compare with a checksum of the picture.
    """
    for earlier in (0, 1, 10):  # seconds; some containers seek to where the key frame is decoded, before it is shown
        source = _File(Path(path))
        try:
            source.seek(seconds - earlier)
            for _, time, convert in source.frames():
                if time == seconds:
                    return convert()
                if time > seconds:
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
      first: the first of them, to look at before they are read.
      size: (width, height) of all frames.
      estimate: about how many frames there are, for a progress bar; None if nobody knows.
      rate: nominal frames per second (Fraction); time_base: unit of their times, in seconds (Fraction).
      audio: the file with the sound, or None.
      origin: when the file's clock starts, in seconds; the frames' times are counted from there, as players show them.
      start: the time of the first frame if `start` was given, else 0; end: once all are read, the time of the first
        frame left out by `end`, or None if the video ended before.
    """

    def __init__(self, source, start=None, end=None, stride=1, ahead=4):
        self._source = source
        self.path, self.audio, self.origin = source.path, source.audio, source.origin
        self.time_base, self.rate = source.time_base, source.rate / stride
        self.end = None
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
        self.first, self.size = first, first.image.shape[1::-1]
        self._reading = run_ahead(itertools.chain([first], selected), ahead)

    @property
    def damaged(self):
        """How many packets and frames have been skipped until now because they are damaged."""
        return self._source.damaged

    @property
    def missing(self):
        """How many seconds of picture, float, the file announces and has not; 0 before its end, or if none."""
        return self._source.missing

    def __iter__(self):
        return self._reading

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Stop the reading and its thread."""
        self._reading.close()
        self._source.close()

    def _selected(self, start, end, stride):
        chosen = 0
        for number, (name, seconds, convert) in enumerate(self._source.frames()):
            if end is not None and _reached(end, number, seconds):
                self.end = seconds
                return
            if start is None or _reached(start, number, seconds):
                if chosen % stride == 0:
                    yield Frame(number, name, seconds, convert())
                chosen += 1

    def _why_empty(self):
        if self._source.decoded:
            return f"{self.path} has no frame between the given start and end; check them"
        if self.damaged:
            return f"no frame of {self.path} can be decoded ({self.damaged} damaged packets); replace it"
        return f"{self.path} holds no frames; replace it"


def _reached(place, number, seconds):
    return (number if isinstance(place, int) else seconds) >= place


def _estimate(source, start, end, stride):
    first, last = (
        None if place is None else place if isinstance(place, int) else place * source.rate for place in (start, end)
    )
    counts = [count for count in (source.count, last) if count is not None]
    return max(1, math.ceil((min(counts) - (first or 0)) / stride)) if counts else None


class _Folder:
    audio, origin, damaged, missing = None, Fraction(0), 0, 0.0
    rate, time_base = Fraction(FOLDER_RATE), Fraction(1, FOLDER_RATE)

    def __init__(self, path):
        self.path = path
        self._files = frame_files(path, required=False)
        self.count = self.decoded = len(self._files)
        self._shape = None

    def frames(self):
        for number, (name, path) in enumerate(self._files.items()):
            yield name, number * self.time_base, lambda path=path: self._read(path)

    def _read(self, path):
        image = read_image(path)
        self._shape = self._shape or image.shape
        if image.shape != self._shape:
            sizes = [f"{width}x{height}" for height, width, _ in (image.shape, self._shape)]
            raise InputError(f"{path} is {sizes[0]}, the frames before it {sizes[1]}; make them of one size")
        return image

    def close(self):
        pass


class _File:
    def __init__(self, path):
        self.path, self._sought = path, False
        self.decoded, self.missing = 0, 0.0
        self._container = open_container(path)
        try:
            self._stream = self._video_stream()
        except InputError:
            self._container.close()
            raise
        self._damage = DamageCounter(answers_all=self._stream.codec_context.name in ANSWER_ALL)
        # FFmpeg's threads stay within a frame, as PyAV sets them: with several frames at a time, the last damaged ones
        # take good ones along.
        self.time_base = self._stream.time_base
        self.rate = self._stream.average_rate or self._stream.guessed_rate or Fraction(FOLDER_RATE)
        audio = self._container.streams.best("audio")
        self.audio = path if audio else None
        starts = [s.start_time * s.time_base for s in (self._stream, audio) if s and s.start_time is not None]
        # Sound that starts before zero is a decoder's run-up: the picture's clock stays.
        self.origin = max(Fraction(0), min(starts, default=Fraction(0)))
        self.count = self._stream.frames or self._duration_in_frames()

    @property
    def damaged(self):
        """How many packets and frames are damaged, of those that were read."""
        return self._damage.count

    def _video_stream(self):
        # FFmpeg takes any text for a terminal's picture, and a song's cover for a video.
        videos = [s for s in self._container.streams.video if not s.disposition & Disposition.attached_pic]
        if not videos or self._container.format.name == "tty":
            raise InputError(f"{self.path} has no video stream; give a video or a folder of frames")
        if videos[0].codec_context is None:
            raise InputError(f"{self.path} has a codec that this FFmpeg cannot decode; convert it to H.264")
        return videos[0]

    def _duration_in_frames(self):
        if self._stream.duration:
            return round(self._stream.duration * self.time_base * self.rate)
        if self._container.duration:
            return round(Fraction(self._container.duration, av.time_base) * self.rate)
        return None

    def seek(self, seconds):
        """Go to the last key frame before a time; FFmpegError where the container cannot."""
        ticks = math.floor((max(0, seconds) + self.origin) / self.time_base)
        self._container.seek(ticks, backward=True, stream=self._stream)
        self._sought = True

    def frames(self):
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
            yield f"{number:05d}", ticks * self.time_base - self.origin, lambda frame=frame: self._in_rgb(to_rgb, frame)
        announced = self._announced_end()
        if last is not None and announced is not None:
            missing = announced - (last + frame_ticks) * self.time_base
            self.missing = float(missing) if 2 * missing > 1 / self.rate else 0.0

    def _in_rgb(self, to_rgb, frame):
        try:
            return to_rgb(frame)
        except av.FFmpegError as error:
            kind = f"{frame.format.name}, {error.strerror}"
            raise InputError(
                f"{self.path} has frames that FFmpeg cannot turn into RGB ({kind}); convert it to H.264"
            ) from None

    def _announced_end(self):
        """Return when the picture ends, in seconds of the file's clock, by what it says itself; None if it does not."""
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

    def _frames(self):
        """Yield the frames that are whole; after a seek, from the first key frame on."""
        frames = self._decoded()
        if self._sought:  # Frames before the first key frame lack what they are made from.
            frames = itertools.dropwhile(lambda frame: not frame.key_frame, frames)
            self._sought = False
        return (frame for frame in frames if not frame.is_corrupt)

    def _decoded(self):
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

    def _packets(self):
        """Yield the packets; the last one, empty or None, makes the decoder give what it holds back."""
        try:
            yield from self._container.demux(self._stream)
        except av.FFmpegError:  # as for the ffmpeg program, the file ends where it cannot be parsed any more
            self._damage.packet_failed()
            yield None

    def close(self):
        self._container.close()


def open_container(path):
    """Return the PyAV container of a file; InputError if there is no such file or FFmpeg knows no such format."""
    # Before FFmpeg sees it, which would wait at a pipe, and take "%d.png" for a pattern of several names.
    if not Path(path).exists():
        raise InputError(f"{path} does not exist")
    if not Path(path).is_file():
        raise InputError(f"{path} is neither a file nor a folder; save what comes from it as a file, and give that")
    try:
        # "file:", lest a colon in a name be taken for a protocol; one that has a percent sign is no pattern either.
        return av.open(f"file:{path}", metadata_errors="replace", options={"pattern_type": "none"})
    except av.EOFError:
        raise InputError(f"{path} holds no frames; replace it") from None
    except av.FFmpegError as error:
        raise InputError(
            f"{path} is not a video that FFmpeg can read, or a damaged one ({error.strerror}); replace it"
        ) from None
