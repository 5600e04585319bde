"""The frames of a video from the last to the first, in bounded memory."""

from __future__ import annotations

import zlib
from collections.abc import Collection, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np

from osmn.errors import InputError
from osmn.user_video.media.reader import Frame, open_source
from osmn.user_video.media.video_file import VideoFile

HELD = 256 * 2**20  # Bytes of frames that are held at a time.


class Mark(NamedTuple):
    """What finds a frame again: its number in its video, its name, its time, and the checksum of its image."""

    number: int
    name: str
    seconds: Fraction
    checksum: int

    @classmethod
    def of(cls, frame: Frame) -> Mark:
        """Return the `Mark` of a `reader.Frame`."""
        return cls(frame.number, frame.name, frame.seconds, checksum(frame.image))


def checksum(image: np.ndarray) -> int:
    """Return the CRC-32 of an image."""
    return zlib.crc32(np.ascontiguousarray(image).data)


def backward(
    path: Path | str, marks: Sequence[Mark], leave_out: Collection[Path | str] = (), held: int = HELD
) -> Iterator[Frame]:
    """Yield the frames of a video, the last one first, each with the image that it had when it was read forward.

    A few of them at a time are read forward, from the key frame before them where FFmpeg finds it, else from the
    beginning.

    Args:
        path: of the video, as `reader.open_frames` takes it.
        marks: of the frames, in the order of the video.
        leave_out: see `reader.open_frames`.
        held: bytes of frames that are held at a time, two frames at least.

    Raises:
        InputError: naming the path, if the video has changed since the marks were made.
    """
    end, size = len(marks), 2
    while end:
        part = marks[max(0, end - size) : end]
        frames = _sought(path, part) or _from_the_beginning(path, part, leave_out)
        if len(frames) < len(part) or any(
            checksum(frame.image) != mark.checksum for frame, mark in zip(frames, part, strict=True)
        ):
            raise InputError(f"{path} has changed while it was read; run this again")
        end -= len(part)
        size = max(2, held // frames[0].image.nbytes)
        while frames:
            yield frames.pop()


def _sought(path: Path | str, marks: Sequence[Mark]) -> list[Frame]:
    """Return the frames of marks, read from a key frame on; an empty list where they are not found so."""
    wanted = {mark.seconds: mark for mark in marks}
    for earlier in (0, 1, 10):  # seconds; some containers seek to where the key frame is decoded, before it is shown
        found: list[Frame] = []
        source = open_source(path)
        try:
            if not isinstance(source, VideoFile) or not source.can_seek:
                return []
            source.seek(marks[0].seconds - earlier)
            for decoded in source.frames():
                if decoded.seconds > marks[-1].seconds:
                    break
                if (mark := wanted.get(decoded.seconds)) is not None:
                    image = decoded.convert()
                    if checksum(image) != mark.checksum:  # Some files' key frames are no full pictures.
                        break
                    found.append(Frame(mark.number, mark.name, mark.seconds, image))
        except av.FFmpegError:
            return []
        finally:
            source.close()
        if len(found) == len(marks):
            return found
    return []


def _from_the_beginning(path: Path | str, marks: Sequence[Mark], leave_out: Collection[Path | str]) -> list[Frame]:
    """Return the frames of marks, found by their numbers."""
    wanted = {mark.number: mark for mark in marks}
    found: list[Frame] = []
    source = open_source(path, leave_out)
    try:
        for number, decoded in enumerate(source.frames()):
            if (mark := wanted.get(number)) is not None:
                found.append(Frame(number, mark.name, mark.seconds, decoded.convert()))
            if number == marks[-1].number:
                break
    finally:
        source.close()
    return found
