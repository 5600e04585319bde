"""What a video is read from: a folder of images, here, or a file, whose container is opened here; see `reader`."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple, Protocol, cast

import av
import numpy as np
from av.container import InputContainer
from av.stream import Stream

from osmn.errors import InputError
from osmn.files.images import read_image
from osmn.files.names import frame_files

FOLDER_RATE = 24  # Frames per second of a folder, which has no times.


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
    """

    path: Path
    time_base: Fraction
    rate: Fraction
    origin: Fraction
    audio: Path | None
    count: int | None

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

    def close(self) -> None:
        """Close the file."""


class Folder:
    """A folder of JPEGs and PNGs as a `Source`."""

    damaged, missing = 0, 0.0

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rate, self.time_base, self.origin = Fraction(FOLDER_RATE), Fraction(1, FOLDER_RATE), Fraction(0)
        self.audio: Path | None = None
        self._files = frame_files(path, required=False)
        self.count: int | None = len(self._files)
        self.decoded = len(self._files)
        self._shape: tuple[int, ...] | None = None

    def frames(self) -> Iterator[Decoded]:
        """See `Source.frames`; raises InputError for an image that is damaged or of another size than the first."""
        for number, (name, path) in enumerate(self._files.items()):
            yield Decoded(name, number * self.time_base, functools.partial(self._read, path))

    def _read(self, path: Path) -> np.ndarray:
        image = read_image(path)
        self._shape = self._shape or image.shape
        if image.shape != self._shape:
            sizes = [f"{width}x{height}" for height, width, _ in (image.shape, self._shape)]
            raise InputError(f"{path} is {sizes[0]}, the frames before it {sizes[1]}; make them of one size")
        return image

    def close(self) -> None:
        """See `Source.close`: there is nothing to close."""


def clock(stream: Stream) -> Fraction:
    """Return the unit of a stream's times, in seconds."""
    return cast(Fraction, stream.time_base)  # None only for a stream that is not in a container.


def open_container(path: Path | str) -> InputContainer:
    """Return the PyAV container of a file; InputError if there is no such file or FFmpeg does not know its format."""
    # Before FFmpeg sees it, which would wait at a pipe, and take "%d.png" for a pattern of several names.
    if not Path(path).exists():
        raise InputError(f"{path} does not exist")
    if not Path(path).is_file():
        raise InputError(f"{path} is neither a file nor a folder; save what comes from it as a file, and give that")
    try:
        # With "file:" a colon in a name does not stand for a protocol; with "none" a percent sign makes no pattern.
        return av.open(f"file:{path}", metadata_errors="replace", options={"pattern_type": "none"})
    except av.EOFError:
        raise InputError(f"{path} holds no frames; replace it") from None
    except av.FFmpegError as error:
        raise InputError(
            f"{path} is not a video that FFmpeg can read, or a damaged one ({error.strerror}); replace it"
        ) from None
