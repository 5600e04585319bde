"""Reading a video of any kind: upright RGB frames and their times, from a file that FFmpeg decodes or from a folder."""

from __future__ import annotations

import hashlib
import itertools
import math
import re
from collections.abc import Collection, Iterator
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np

from osmn.errors import InputError
from osmn.files.names import frame_files
from osmn.masks import Size
from osmn.parallel import run_ahead
from osmn.user_video.media.pictures import SUFFIXES, Folder, Pages, is_pages
from osmn.user_video.media.sources import Source
from osmn.user_video.media.video_file import VideoFile

PIECES, PIECE = 16, 65536  # Parts of a file that tell its content, and their bytes.

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
    path: Path | str,
    start: Place | None = None,
    end: Place | None = None,
    stride: int = 1,
    ahead: int = 4,
    leave_out: Collection[Path | str] = (),
) -> Frames:
    """Return the `Frames` of a video file, of a folder of pictures, or of a WebP or TIFF of several.

    Args:
        path: anything that FFmpeg decodes, or a folder of pictures, which count as 24 frames per second.
        start: the first frame that is used, an int for its number or a Fraction or float for its seconds. Frames before
            it are decoded, so that it is exact, but not converted.
        end: the first frame that is not used any more, given in the same way.
        stride: every `stride`-th frame is used, from the first frame on.
        ahead: how many frames a thread may read before they are asked for.
        leave_out: paths of files that are no frames, such as masks, where they lie in the folder.

    Raises:
        InputError: naming the path, if it does not exist, is no video, is damaged so that nothing can be read, or has
            no frame from `start` to `end`.
    """
    return Frames(open_source(path, leave_out), start, end, stride, ahead)


def open_source(path: Path | str, leave_out: Collection[Path | str] = ()) -> Source:
    """Return what all frames of a video are read from, to close after use; see `open_frames`."""
    path = Path(path)
    if path.is_dir():
        return Folder(path, leave_out)
    return Pages(path) if is_pages(path) else VideoFile(path)


def content_of(path: Path | str, leave_out: Collection[Path | str] = ()) -> str:
    """Return a digest of a video's content, "" where nothing is there: it tells a video that has changed from before.

    It is of the size and of `PIECES` parts of a file; of a folder, of its pictures' names and sizes and of some of
    them: a video of any length is read in a moment. Times do not count, since a video may be copied.
    """
    path = Path(path)
    digest = hashlib.sha256()
    if path.is_dir():
        files = [*frame_files(path, required=False, suffixes=SUFFIXES, leave_out=leave_out).values()]
        digest.update(repr([(file.name, file.stat().st_size) for file in files]).encode())
        for file in files[:: max(1, len(files) // PIECES)]:
            digest.update(_piece(file, 0))
    elif path.is_file():
        size = path.stat().st_size
        digest.update(str(size).encode())
        for number in range(PIECES):
            digest.update(_piece(path, max(0, size - PIECE) * number // (PIECES - 1)))
    else:
        return ""
    return digest.hexdigest()


def _piece(path: Path, start: int) -> bytes:
    with open(path, "rb") as file:
        file.seek(start)
        return file.read(PIECE)


def frame_at(path: Path | str, seconds: Fraction) -> np.ndarray | None:
    """Return the frame of a video file at a time, RGB uint8 (H, W, 3), without decoding all frames before it.

    It is decoded from the last key frame before it on. None where FFmpeg cannot seek in the file, or where no frame has
    exactly this time. Some files mark frames as key frames that are not: compare the image with a checksum.
    """
    if is_pages(path):
        return None
    for earlier in (0, 1, 10):  # seconds; some containers seek to where the key frame is decoded, before it is shown
        source = VideoFile(Path(path))
        try:
            if not source.can_seek:
                return None
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
        last: once all frames are read, the times of the last one: when it appears, and when it, or the picture, ends.

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
        self.last: tuple[Fraction, Fraction] | None = None
        self._ends = [count for each in (source.count, end) if (count := _number(source, each)) is not None]
        skipped = _number(source, start) or 0
        self.estimate = max(1, math.ceil((min(self._ends) - skipped) / stride)) if self._ends else None
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

    @property
    def remarks(self) -> list[str]:
        """Lines that say what was made of the video where that may surprise."""
        return self._source.remarks

    def as_shown(self, mask: np.ndarray) -> np.ndarray | None:
        """See `Source.as_shown`."""
        return self._source.as_shown(mask)

    def seem_to_end_before(self, place: Place) -> bool:
        """Tell whether a place is after the last frame, as far as the file says how long it is."""
        number = _number(self._source, place)
        return number is not None and any(number >= count for count in self._ends)

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
        chosen, seconds = 0, Fraction(0)
        for number, decoded in enumerate(self._source.frames()):
            if end is not None and _reached(end, number, decoded.seconds):
                self.end = decoded.seconds
                self.last = seconds, decoded.seconds
                return
            if start is None or _reached(start, number, decoded.seconds):
                if chosen % stride == 0:
                    seconds = decoded.seconds
                    yield Frame(number, decoded.name, decoded.seconds, decoded.convert())
                chosen += 1
        if self._source.picture_end is not None:
            self.last = seconds, self._source.picture_end

    def _why_empty(self) -> str:
        if self._source.decoded:
            return f"{self.path} has no frame between the given start and end; check them"
        if self.damaged:
            return f"no frame of {self.path} can be decoded ({self.damaged} damaged packets); replace it"
        return f"{self.path} holds no frames; replace it"


def _reached(place: Place, number: int, seconds: Fraction) -> bool:
    return (number if isinstance(place, int) else seconds) >= place


def _number(source: Source, place: Place | None) -> float | Fraction | None:
    """Return the number of the frame at a place, about, in a source; None for no place."""
    return place if place is None or isinstance(place, int) else place * source.rate
