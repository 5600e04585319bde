"""Checks of the arguments that other programs give to the library, a function for each kind of argument.

Every check raises InputError, which is a ValueError, with a sentence that says what is wanted. No check looks at a
frame's pixels: checks run once per frame.
"""

import collections.abc
import math
import numbers
import os
from collections.abc import Collection, Mapping, Sequence
from typing import Any, TypeGuard

import numpy as np

from osmn.config import LONGEST_SIDE
from osmn.errors import InputError

MOST_OBJECTS = 255  # An 8-bit PNG can tell so many apart, beside the background.
MOST_STRETCHED = 1.25  # A mask's aspect over its frame's: sides are rounded, but nothing is turned or cut.


def frame(value: object, like: np.ndarray | None = None) -> np.ndarray:
    """Return a frame, uint8 (height, width, 3), which has the size of the frame `like` unless that is None."""
    if not (
        isinstance(value, np.ndarray)
        and not isinstance(value, np.ma.MaskedArray)
        and value.dtype == np.uint8
        and value.ndim == 3
        and value.shape[2] == 3
        and value.size
    ):
        raise InputError(f"a frame is uint8 (height, width, 3), RGB, not {_in_words(value)}")
    if like is not None and value.shape != like.shape:
        sizes = ["{1}x{0}".format(*image.shape) for image in (value, like)]
        raise InputError(f"this frame is {sizes[0]}, the frames before it {sizes[1]}; start(frame) begins a new video")
    return value


def mask(value: object, *sizes: tuple[int, int]) -> np.ndarray:
    """Return a mask as bool (height, width); `value` is bool, or of the integers 0 and 1.

    Where `sizes`, each (width, height), are given, the mask has the aspect ratio of one of them.
    """
    if isinstance(value, np.ma.MaskedArray):
        raise InputError("a mask is bool (height, width), not a masked array; give `array.filled(False)`")
    try:
        found = np.asarray(value)
    except (ValueError, TypeError):  # Rows of different lengths.
        raise InputError(f"a mask is bool (height, width), not {_in_words(value)}") from None
    if found.ndim != 2 or not found.size:
        raise InputError(f"a mask is (height, width), not {_in_words(value)}")
    if found.dtype != bool and not (found.dtype.kind in "iu" and found.min() >= 0 and found.max() <= 1):
        raise InputError(
            f"a mask is bool, or of the integers 0 and 1, and this one is {found.dtype} of other values; give"
            " `labels == object_id` of labels, and `probabilities > 0.5` of probabilities"
        )
    height, width = found.shape
    if sizes and not any(_of_one_aspect((width, height), size) for size in sizes):
        raise InputError(
            f"a mask of {width}x{height} is none of a frame of {sizes[0][0]}x{sizes[0][1]}; do not turn it"
        )
    return found.astype(bool)


def fine_enough(value: np.ndarray, frame_size: tuple[int, int], network_size: tuple[int, int]) -> None:
    """Raise InputError for a mask that is coarser than what a network sees of its frame; sizes are (width, height)."""
    height, width = value.shape
    if width < min(frame_size[0], network_size[0]) or height < min(frame_size[1], network_size[1]):
        raise InputError(
            f"a mask of {width}x{height} is coarser than the network's frames, {network_size[0]}x{network_size[1]};"
            f" give it in the frame's size, {frame_size[0]}x{frame_size[1]}"
        )


def _of_one_aspect(size: tuple[int, int], other: tuple[int, int]) -> bool:
    """Tell whether two sizes, (width, height), have the same aspect ratio, but for rounded sides."""
    (width, height), (other_width, other_height) = size, other
    apart = abs(width * other_height - height * other_width)
    largest = max(width * other_height, height * other_width)
    return apart <= max(largest * (1 - 1 / MOST_STRETCHED), other_width, other_height)  # A pixel, at least.


def object_id(value: object) -> int | None:
    """Return an object's id, an int from 1 to 255, or None for an object without an id."""
    if value is None or (_is_whole(value) and 1 <= value <= MOST_OBJECTS):
        return value if value is None else int(value)
    raise InputError(f"an object's id is a whole number from 1 to {MOST_OBJECTS}, not {_in_words(value)}")


def size(value: object, name: str) -> tuple[int, int]:
    """Return a size, (width, height) in pixels, as a tuple; `name` is what the caller calls it."""
    sides = tuple(value) if isinstance(value, list | tuple | np.ndarray) else ()
    if len(sides) != 2 or not all(_is_whole(side) and 0 < side <= LONGEST_SIDE for side in sides):
        raise InputError(
            f"{name} is (width, height), whole numbers of pixels from 1 to {LONGEST_SIDE}, not {_in_words(value)}"
        )
    return int(sides[0]), int(sides[1])


def pixels(value: object, name: str) -> int:
    """Return a length in pixels, a whole number."""
    if _is_whole(value) and 0 < value <= LONGEST_SIDE:
        return int(value)
    raise InputError(f"{name} is a whole number of pixels from 1 to {LONGEST_SIDE}, not {_in_words(value)}")


def frame_list(value: object) -> None:
    """Check that frames are a list, or another sequence, which is followed in both directions."""
    if not (hasattr(value, "__len__") and hasattr(value, "__getitem__")):
        raise InputError(f"frames that are followed both ways are a list, not {_in_words(value)}")


def box(value: object) -> tuple[int, int, int, int]:
    """Return a box, (x, y, width, height), as four whole numbers of pixels, of which x and y may be negative."""
    sides = tuple(value) if isinstance(value, list | tuple | np.ndarray) else ()
    if len(sides) != 4 or not all(map(_is_whole, sides)):
        raise InputError(f"a box is (x, y, width, height), whole numbers of pixels, not {_in_words(value)}")
    x, y, width, height = map(int, sides)
    return x, y, width, height


def path(value: object, what: str) -> str | os.PathLike[str]:
    """Return a path, text or os.PathLike."""
    if isinstance(value, str) or (isinstance(value, os.PathLike) and isinstance(os.fspath(value), str)):
        return value
    raise InputError(f"{what} is given by its path, not by {_in_words(value)}")


def whole(value: object, name: str) -> int:
    """Return a whole number as an int; `value` may be a float, which web pages have for every number."""
    if isinstance(value, int | float | np.number) and not isinstance(value, bool) and float(value).is_integer():
        return int(value)
    raise InputError(f"{name} is a whole number, not {_in_words(value)}")


def seconds(value: object) -> float:
    """Return a time, a number that is neither infinite nor NaN."""
    if isinstance(value, numbers.Real) and not isinstance(value, bool) and math.isfinite(value):
        return float(value)
    raise InputError(f"a time is a number of seconds, not {_in_words(value)}")


def labels(value: object, size: tuple[int, int], objects: Sequence[int]) -> np.ndarray:
    """Return object ids of a picture of `size`, (width, height), as uint8 (height, width): 0, or one of `objects`."""
    width, height = size
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "iu" or value.shape != (height, width):
        raise InputError(f"labels are whole numbers ({height}, {width}), as the video is, not {_in_words(value)}")
    if not np.isin(value, (0, *objects)).all():
        raise InputError(f"labels are 0, or an object from {objects[0]} to {objects[-1]}, and these have others")
    return value.astype(np.uint8)


def one_of(value: object, choices: Sequence[str], name: str) -> str | None:
    """Return a word of `choices`, or None, which stands for the default."""
    if value is None or (isinstance(value, str) and value in choices):
        return value
    raise InputError(f"{name} is {' or '.join(choices)}, not {_in_words(value)}")


def fields(value: object, known: Collection[str], name: str) -> Mapping[str, Any]:
    """Return {field: value}, all of whose fields are `known`."""
    if not isinstance(value, collections.abc.Mapping):
        raise InputError(f"{name} is a dict, not {_in_words(value)}")
    for field in value:
        if field not in known:
            raise InputError(f"{name} has {field!r}, which is none of {', '.join(known)}")
    return value


def _is_whole(value: object) -> TypeGuard[int | np.integer]:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def _in_words(value: object) -> str:
    """Return a description, in a few words, of an argument."""
    if isinstance(value, np.ma.MaskedArray):
        return "a masked array"
    if isinstance(value, np.ndarray):
        return f"{value.dtype} {value.shape}"
    if value is None or isinstance(value, str | bytes | int | float | tuple):
        return repr(value)[:60]
    return f"a {type(value).__name__}"
