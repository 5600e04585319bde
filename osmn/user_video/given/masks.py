"""Masks that people give: a picture of any program becomes labels, and a line says what was made of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from osmn.errors import InputError, argument
from osmn.user_video.given import READINGS, rules
from osmn.user_video.given.draft import Draft, Unclear
from osmn.user_video.given.pictures import Picture, from_labels, looked_up, read_picture
from osmn.user_video.given.rules import RULES


class UnclearMask(InputError):
    """A mask that can be read in several ways.

    Attributes:
        why: what is unclear, without what settles it.
        readings: those of `READINGS` that settle it.
    """

    def __init__(self, why: str, readings: tuple[str, ...]) -> None:
        options = " or ".join(argument("mask_reading", each) for each in readings)
        super().__init__(f"{why}, or say how to read it: {options}")
        self.why, self.readings = why, readings


class Reading(NamedTuple):
    """What a mask shows.

    Attributes:
        labels: uint8 (H, W), 0 for the background.
        note: what was made of the file, where that could surprise; else empty.
    """

    labels: np.ndarray
    note: str


def read_mask(path: Path | str, reading: str | None = None) -> Reading:
    """Return what the picture of a mask shows, as a person sees it: see `rules.RULES`.

    Args:
        path: a PNG, JPEG, BMP, TIFF, WebP or PGM of 1 to 32 bits, indexed, gray or in colors, with alpha or without.
        reading: one of `READINGS`, how values and colors are read instead; None to see by the rules.

    Raises:
        InputError: naming the file, if it is missing, damaged, no picture or a photograph; or if it can be read in
            several ways, an `UnclearMask` with the readings to choose from.
    """
    return _named(path, read_picture(path), reading)


def read_labels_given(labels: np.ndarray, name: str, reading: str | None = None) -> Reading:
    """Return what labels, whole numbers (H, W), show, as `read_mask`; `name` is what messages call them."""
    return _named(name, from_labels(labels), reading)


def _named(path: Path | str, picture: Picture, reading: str | None) -> Reading:
    draft = Draft(picture, picture.codes)
    if reading is not None and reading not in READINGS:
        raise InputError(f"{argument('mask_reading', reading)} is no way to read a mask; give {', '.join(READINGS)}")
    try:
        if reading is None:
            for _, rule in RULES:
                rule(draft)
        else:
            _ASKED[reading](draft)
        return Reading(_labels(draft), "; ".join(draft.notes))
    except Unclear as error:
        if error.readings:
            raise UnclearMask(f"{path} {error}", error.readings) from None
        raise InputError(f"{path} {error}") from None


def _labels(draft: Draft) -> np.ndarray:
    """Return the labels of a draft whose ids are known, uint8 (H, W)."""
    ids = draft.ids or {}
    shown = {number for number in ids.values() if number}
    if len(shown) > rules.MOST_OBJECTS or max(shown, default=0) > rules.MOST_OBJECTS:
        raise Unclear(f"has {len(shown)} objects; ids are 1 to {rules.MOST_OBJECTS}, and so many objects")
    table = np.zeros(max(len(draft.picture.colors), int(draft.codes.max()) + 1), np.uint8)
    for code, number in ids.items():
        if code != draft.background:
            table[code] = number
    labels = looked_up(table, draft.codes)
    return labels if draft.outside is None else np.where(draft.outside, np.uint8(0), labels)


def _ids(draft: Draft) -> None:
    """Read gray values and indices as ids, as they are; those above 255 are renumbered."""
    if draft.picture.values is None:
        raise Unclear("has colors, and no ids", ("colors", "panoptic"))
    ids = {code: value for code, value in draft.values.items() if value}
    draft.ids = ids if max(ids.values(), default=0) <= rules.MOST_OBJECTS else rules.renumbered(draft, ids)


def _ranks(draft: Draft) -> None:
    """Read gray values and indices by rank, the lowest as the background."""
    if draft.picture.values is None:
        raise Unclear("has colors, which have no ranks", ("colors", "panoptic"))
    draft.ids = {code: rank for rank, code in enumerate(sorted(draft.values, key=lambda code: draft.values[code]))}


def _colors(draft: Draft) -> None:
    """Read every color as an object, except for the background's."""
    draft.picture = draft.picture._replace(values=None, indexed=False)
    rules.transparent(draft)
    draft.ids = None
    rules.background(draft)
    rules.colored(draft, panoptic_too=False)


def _soft(draft: Draft) -> None:
    """Give each shade to the nearer of two colors, even where the rules see none."""
    rules.transparent(draft)
    if draft.ids is None:
        rules.background(draft)
        rules.merge(draft)
        if draft.picture.values is not None:
            draft.ids = rules.ranked({c: v for c, v in draft.values.items() if c != draft.background})
        else:
            rules.colored(draft, panoptic_too=False)


def _panoptic(draft: Draft) -> None:
    """Read colors as ids R + 256 G + 65536 B, and wide values as ids."""
    if draft.picture.values is not None and not draft.picture.indexed:
        _ids(draft)
    else:
        rules.panoptic(draft)


_ASKED: dict[str, Callable[[Draft], None]] = dict(zip(READINGS, (_ids, _colors, _soft, _ranks, _panoptic), strict=True))
