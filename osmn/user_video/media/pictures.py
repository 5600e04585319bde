"""Videos of pictures, which Pillow reads: a folder of frames, and the pages of an animated WebP or of a TIFF."""

from __future__ import annotations

import collections
import functools
import io
import os
from collections.abc import Collection, Iterable, Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
from PIL import Image

from osmn.errors import InputError
from osmn.files.atomic import regular_bytes
from osmn.files.images import deep_page, is_deep, named_image_errors, read_deep, read_image
from osmn.files.names import FRAME_SUFFIXES, frame_files
from osmn.user_video.media.sources import FOLDER_RATE, Decoded, as_browsers_show

SUFFIXES = (*FRAME_SUFFIXES, ".bmp", ".tif", ".tiff", ".webp")
FORMATS = ("JPEG", "PNG", "BMP", "TIFF", "WEBP")
PAGED_FORMATS = ("WEBP", "TIFF")
DEPTHS = (8, 10, 12, 14, 16)  # Bits that cameras fill of 16.
_BEGINNINGS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")  # Of a TIFF, and of one of over 4 GiB.


def is_pages(path: Path | str) -> bool:
    """Tell whether a file is one that `Pages` reads, by how it begins: FFmpeg reads one page of it at the most."""
    path = Path(path)
    if not path.is_file():
        return False
    with open(path, "rb") as file:
        begin = file.read(12)
    return begin[:4] in _BEGINNINGS or (begin[:4] == b"RIFF" and begin[8:] == b"WEBP")


class Pictures:
    """Pictures one after the other, of one size, as a `sources.Source`.

    Pictures of 16 bits become 8 bits of those that are in use: the largest value of all pictures tells whether a camera
    has filled 8, 10, 12, 14 or 16 of them.

    Args:
        path: of the file or folder.
        names: of the pictures, for results.
        is_deep: the pictures have 16 bits.
    """

    damaged, missing = 0, 0.0
    audio: Path | None = None
    origin = Fraction(0)

    def __init__(self, path: Path, names: Collection[str], is_deep: bool) -> None:
        self.path, self._names, self._is_deep = path, names, is_deep
        self.rate, self.time_base = Fraction(FOLDER_RATE), Fraction(1, FOLDER_RATE)
        self.count: int | None = len(names)
        self.decoded = len(names)
        self.remarks: list[str] = []
        self.picture_end: Fraction | None = None
        self._shape: tuple[int, ...] | None = None

    def as_shown(self, mask: np.ndarray) -> np.ndarray | None:
        """See `Source.as_shown`: pictures are shown as they are stored."""
        return None

    @functools.cached_property
    def _depth(self) -> int:
        """The bits of 16 that are in use."""
        largest = max((int(self._deep(number).max()) for number in range(len(self._names))), default=0)
        return next(depth for depth in DEPTHS if largest < 1 << depth)

    def _deep(self, number: int) -> np.ndarray:
        """Return a picture of 16 bits, RGB uint16 (H, W, 3)."""
        raise NotImplementedError

    def _shallow(self, number: int) -> np.ndarray:
        """Return a picture, RGB uint8 (H, W, 3)."""
        raise NotImplementedError

    def _words(self, number: int) -> str:
        """Return what to call a picture in a message."""
        raise NotImplementedError

    def _read(self, number: int) -> np.ndarray:
        if self._is_deep:
            image = (self._deep(number) >> (self._depth - 8)).astype(np.uint8)
        else:
            image = self._shallow(number)
        self._shape = self._shape or image.shape
        if image.shape != self._shape:
            sizes = [f"{width}x{height}" for height, width, _ in (image.shape, self._shape)]
            raise InputError(
                f"{self._words(number)} is {sizes[0]}, the frames before it {sizes[1]}; make them of one size"
            )
        return image

    def _decoded(self, durations: Iterable[Fraction]) -> Iterator[Decoded]:
        """Yield the pictures, each shown for its duration, in seconds."""
        seconds = Fraction(0)
        for number, (name, duration) in enumerate(zip(self._names, durations, strict=True)):
            yield Decoded(name, seconds, functools.partial(self._read, number))
            seconds += duration
        self.picture_end = seconds

    def close(self) -> None:
        """See `Source.close`: nothing is held open."""


class Folder(Pictures):
    """A folder of pictures as a `sources.Source`: 24 frames a second.

    Args:
        path: of the folder.
        leave_out: paths of files that are no frames, where they lie among them.
    """

    def __init__(self, path: Path, leave_out: Iterable[Path | str] = ()) -> None:
        files = frame_files(path, required=False, suffixes=SUFFIXES, leave_out=leave_out)
        self._files = list(files.values())
        if not self._files:
            raise InputError(_without_frames(path))
        super().__init__(path, list(files), is_deep(self._files[0], FORMATS))
        here = os.path.realpath(path)
        among = {os.path.realpath(each) for each in leave_out}
        self.remarks = [
            f"{each} is given as a mask, and is no frame" for each in sorted(among) if os.path.dirname(each) == here
        ]

    def frames(self) -> Iterator[Decoded]:
        """See `Source.frames`; raises InputError for an image that is damaged or of another size than the first."""
        return self._decoded([self.time_base] * len(self._files))

    def _deep(self, number: int) -> np.ndarray:
        return read_deep(self._files[number], FORMATS)

    def _shallow(self, number: int) -> np.ndarray:
        return read_image(self._files[number], formats=FORMATS)

    def _words(self, number: int) -> str:
        return str(self._files[number])


def _without_frames(folder: Path) -> str:
    """Return the message for a folder without frames: what is in it instead."""
    suffixes = [path.suffix.lower() for path in folder.iterdir() if path.is_file() and not path.name.startswith(".")]
    if not any(suffixes):
        return f"{folder} holds no frames; replace it"
    ((common, count),) = collections.Counter(filter(None, suffixes)).most_common(1)
    return (
        f"{folder} holds no frames ({', '.join(SUFFIXES)}), but {count} of {common}; convert these to PNG, or give one"
        " of them if it is a video"
    )


class Pages(Pictures):
    """The pictures of an animated WebP, with their times, or the pages of a TIFF, 24 a second, as a `sources.Source`.

    What is transparent becomes white. Raises InputError for a file that Pillow cannot read.

    Args:
        path: of the file.
    """

    def __init__(self, path: Path) -> None:
        with named_image_errors(path, PAGED_FORMATS):
            self._content = regular_bytes(path)
            self._image = Image.open(io.BytesIO(self._content), formats=PAGED_FORMATS)
            count, is_webp = getattr(self._image, "n_frames", 1), self._image.format == "WEBP"
        names = [f"{number:05d}" for number in range(count)]
        super().__init__(path, names, not is_webp and is_deep(path, PAGED_FORMATS))
        self._durations = [self.time_base] * count
        if is_webp and count > 1:
            self.time_base = Fraction(1, 1000)
            self._durations = [self._duration(number) for number in range(count)]
            self.rate = min(Fraction(1000), 1 / sorted(self._durations)[count // 2])

    def frames(self) -> Iterator[Decoded]:
        """See `Source.frames`; raises InputError for a page that is damaged or of another size than the first."""
        return self._decoded(self._durations)

    def _page(self, number: int) -> Image.Image:
        with named_image_errors(self._words(number), PAGED_FORMATS):
            self._image.seek(number)
            self._image.load()
            return self._image

    def _duration(self, number: int) -> Fraction:
        return as_browsers_show(Fraction(int(self._page(number).info.get("duration", 0)), 1000))

    def _deep(self, number: int) -> np.ndarray:
        return deep_page(self._words(number), self._content, self._page(number), number)

    def _shallow(self, number: int) -> np.ndarray:
        page = self._page(number)
        with named_image_errors(self._words(number), PAGED_FORMATS):
            if "A" in page.getbands() or "transparency" in page.info:
                white = Image.new("RGBA", page.size, "white")
                page = Image.alpha_composite(white, page.convert("RGBA"))
            return np.asarray(page.convert("RGB"))

    def _words(self, number: int) -> str:
        return f"{self.path}, page {number + 1},"
