"""The objects in a file that a person gives, a picture or a file of a labeling tool, at the size of the video."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np

from osmn.errors import InputError
from osmn.masks import Size, resized
from osmn.user_video.given.annotations import At, is_annotation, read_annotation
from osmn.user_video.given.masks import read_mask

logger = logging.getLogger(__name__)

ASPECT_TOLERANCE = 0.02  # Of a mask's width over height, relative to the video's: rounded sides differ by less.
AsShown = Callable[[np.ndarray], "np.ndarray | None"]


def nothing(mask: np.ndarray) -> None:
    """Return no mask: of a video whose frames are shown as they are stored."""


def without_objects(path: Path | str | None) -> InputError:
    """Return the InputError for a picture without objects."""
    return InputError(f"{path} shows no object: every pixel is 0; paint objects in 1, 2, ...")


def read_objects(
    path: Path | str,
    size: tuple[int, int] | None = None,
    as_shown: AsShown = nothing,
    mask_reading: str | None = None,
    number: int | None = None,
) -> dict[int, np.ndarray]:
    """Return {object id: bool (H, W)} of a mask's file, for a video of `size`, (width, height); None for its own size.

    The file is read as a person sees it, see `masks.read_mask`, whose `reading` is `mask_reading`. What was made of it
    is logged where that could surprise, and so is a resized mask. A mask that was drawn on a frame as it is stored, not
    as it is shown, is turned and stretched by `as_shown`, see `reader.Frames.as_shown`. Of a labeling tool's file, JSON
    or XML, the objects of the frame `number` are returned; None for a file of one image. Raises InputError, naming the
    file, for a file that is no mask, shows no object, or is of another aspect ratio than the video.
    """
    objects, note = objects_and_note(path, size, as_shown, mask_reading, At(number))
    if not objects:
        raise without_objects(path)
    if note:
        logger.info(f"{path}: {note}")
    return objects


def objects_and_note(
    path: Path | str,
    size: tuple[int, int] | None = None,
    as_shown: AsShown = nothing,
    reading: str | None = None,
    at: At | None = None,
) -> tuple[dict[int, np.ndarray], str]:
    """Return the objects of `read_objects`, none of a picture without objects, and what was made of the file."""
    if is_annotation(path):
        found, note = read_annotation(path, at or At())
    else:
        labels, note = read_mask(path, reading)
        found = {int(i): labels == i for i in np.unique(labels) if i}
        if not found:
            return {}, note
    any_mask = next(iter(found.values()))
    size = size or Size.of(any_mask)
    if not _has_aspect(any_mask, size) and as_shown(any_mask) is not None:
        logger.info(f"{path} is of the video's stored pixels, {_sides(any_mask)}: it is shown as these are")
        found = {i: np.asarray(as_shown(mask.astype(np.uint8)), bool) for i, mask in found.items()}
        any_mask = next(iter(found.values()))
    if not _has_aspect(any_mask, size):
        sides = f"{size[0]}x{size[1]}"
        raise InputError(f"{path} is {_sides(any_mask)}, the video {sides}; draw the mask on one of its frames")
    if Size.of(any_mask) != tuple(size):
        logger.info(f"{path} is resized to the video's size, {size[0]}x{size[1]}")
    return {i: resized(mask, size) for i, mask in found.items()}, note


def _has_aspect(labels: np.ndarray, size: tuple[int, int]) -> bool:
    """Tell whether labels have the aspect ratio of `size`, (width, height)."""
    height, width = labels.shape
    return abs(width / height / (size[0] / size[1]) - 1) <= ASPECT_TOLERANCE


def _sides(labels: np.ndarray) -> str:
    return "{1}x{0}".format(*labels.shape)
