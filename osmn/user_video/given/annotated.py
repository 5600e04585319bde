"""What a labeling tool's file holds: annotated images, and the objects in them."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from pathlib import PurePosixPath
from typing import Any, NamedTuple

import numpy as np

from osmn.masks import Size

MOST_PIXELS = 2**27  # As Pillow's limit: a larger picture is a mistake, and would take gigabytes.


class Shape(NamedTuple):
    """An object in an image: `key` is the same in all images that show it; `mask()` returns it, bool (H, W)."""

    key: Hashable
    label: str
    mask: Callable[[], np.ndarray]


class Annotated(NamedTuple):
    """An annotated image, or a frame of an annotated video.

    Attributes:
        name: of the image's file, without folder and suffix; empty for a frame.
        number: of the frame; None for an image.
        shapes: the `Shape`s; several of one key are one object.
        left_out: kinds of shapes that are no areas, such as "line".
    """

    name: str
    number: int | None
    shapes: list[Shape]
    left_out: list[str]


class Annotations(NamedTuple):
    """What a file holds: the tool's name, the images, and the keys of all objects if a key is one in all images."""

    tool: str
    images: list[Annotated]
    keys: list[Hashable] | None = None


def size_of(width: Any, height: Any) -> Size:
    """Return a size; raise ValueError for sides that no picture has."""
    size = Size(int(width), int(height))
    if not (size.width > 0 and size.height > 0 and size.width * size.height <= MOST_PIXELS):
        raise ValueError(f"a picture of {width}x{height}")
    return size


def stem(name: Any) -> str:
    """Return a file's name without folder and suffix, of a path or an address of any system."""
    return PurePosixPath(str(name).replace("\\", "/").partition("?")[0]).stem
