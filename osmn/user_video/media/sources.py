"""What a video is read from, and how a file's container is opened; `pictures` and `video_file` have the sources."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import av
import numpy as np
from av.container import InputContainer
from av.stream import Stream

from osmn.errors import InputError

FOLDER_RATE = 24  # Frames per second of a folder, which has no times.
# Seconds. Browsers show a picture that is to be shown for 1/100 s or less for 1/10 s: Chromium's
# image_decoder says so, "many annoying ads", and Firefox did it first.
TOO_SHORT, SHORTEST = Fraction(1, 100), Fraction(1, 10)


class Decoded(NamedTuple):
    """A frame that is decoded, but not yet in RGB.

    Attributes:
        name: for its results.
        seconds: its time.
        convert: returns its image, RGB uint8 (H, W, 3).
    """

    name: str
    seconds: Fraction
    convert: Callable[[], np.ndarray]


class Source(Protocol):
    """The frames of a video file or of a folder, all of them, in order.

    Attributes:
        path: the file or folder.
        time_base: unit of the times, in seconds.
        rate: nominal frames per second.
        origin: when the file's clock starts, in seconds; times are counted from there.
        audio: the file with the sound; None for a video without sound.
        count: about how many frames there are; None if that is not known.
        remarks: lines that say what was made of the video where that may surprise.
        picture_end: once all frames are read, the time at which the last one is shown no more.
    """

    path: Path
    time_base: Fraction
    rate: Fraction
    origin: Fraction
    audio: Path | None
    count: int | None
    remarks: list[str]
    picture_end: Fraction | None

    @property
    def decoded(self) -> int:
        """How many frames have been decoded until now."""

    @property
    def damaged(self) -> int:
        """How many packets and frames have been skipped until now because they are damaged."""

    @property
    def missing(self) -> float:
        """How many seconds of picture the file announces but does not have; 0 before its end is reached."""

    def frames(self) -> Iterator[Decoded]:
        """Yield the frames."""

    def as_shown(self, mask: np.ndarray) -> np.ndarray | None:
        """Return a mask, (H, W), that was drawn on a frame as it is stored, turned and stretched as frames are shown.

        None where frames are shown as they are stored, or where the mask is not of the stored size.
        """

    def close(self) -> None:
        """Close the file."""


class Timing(Protocol):
    """The times of a video, which another video takes over; see `reader.Frames`, which has them."""

    path: Path
    audio: Path | None
    origin: Fraction
    start: Fraction
    end: Fraction | None
    last: tuple[Fraction, Fraction] | None
    time_base: Fraction
    rate: Fraction


def clock(stream: Stream) -> Fraction:
    """Return the unit of a stream's times, in seconds."""
    return exact(stream.time_base)  # None only for a stream that is not in a container.


def exact(value: Any) -> Fraction:
    """Return a ratio of PyAV as a fraction: some versions have a class of their own for ratios."""
    if isinstance(value, float):
        return Fraction(value).limit_denominator(2**31 - 1)
    return Fraction(int(value.numerator), int(value.denominator))


def as_browsers_show(seconds: Fraction) -> Fraction:
    """Return for how long browsers show a picture of an animation that is to be shown for some seconds."""
    return SHORTEST if seconds <= TOO_SHORT else seconds


# PyAV 19 always replaces what is not UTF-8, and knows no option for it.
_LENIENT: dict[str, Any] = {} if int(av.__version__.split(".")[0]) >= 19 else {"metadata_errors": "replace"}


def open_container(path: Path | str) -> InputContainer:
    """Return the PyAV container of a file; InputError if there is no such file or FFmpeg does not know its format."""
    # Before FFmpeg sees it, which would wait at a pipe, and take "%d.png" for a pattern of several names.
    if not Path(path).exists():
        raise InputError(f"{path} does not exist")
    if not Path(path).is_file():
        raise InputError(f"{path} is neither a file nor a folder; save what comes from it as a file, and give that")
    try:
        # With "file:" a colon in a name does not stand for a protocol; with "none" a percent sign makes no pattern.
        return av.open(f"file:{path}", options={"pattern_type": "none"}, **_LENIENT)
    except av.EOFError:
        raise InputError(f"{path} holds no frames; replace it") from None
    except av.FFmpegError as error:
        raise InputError(
            f"{path} is not a video that FFmpeg can read, or a damaged one ({error.strerror}); replace it"
        ) from None
