"""What is known of a mask's picture while it is read, and a picture that stays unclear."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

import numpy as np

from osmn.user_video.given.pictures import Picture, present
from osmn.user_video.given.survey import Survey, survey


class Unclear(ValueError):
    """A picture that is no mask, or may be one in several ways; the message says why, without the file's name."""

    def __init__(self, why: str, readings: Iterable[str] = ()) -> None:
        super().__init__(why)
        self.readings = tuple(readings)


@dataclasses.dataclass
class Draft:
    """What is known of a picture, from rule to rule.

    Attributes:
        picture: as its file has it.
        codes: int (H, W), number of each pixel's color.
        outside: bool (H, W), the transparent pixels; None without such pixels.
        areas: numbers of the colors that are areas; all others are shades. None while that is open.
        background: number of the background's color; -1 for the transparent pixels; None while that is open.
        ids: {number of a color: id}, for the colors whose ids are known; 0 for no object.
        notes: what could surprise.
    """

    picture: Picture
    codes: np.ndarray
    outside: np.ndarray | None = None
    areas: list[int] | None = None
    background: int | None = None
    ids: dict[int, int] | None = None
    notes: list[str] = dataclasses.field(default_factory=list)
    _survey: Survey | None = None
    _used: tuple[np.ndarray, np.ndarray | None, list[int]] | None = None

    @property
    def used(self) -> list[int]:
        """Numbers of the colors in use, outside of the transparent pixels."""
        if self._used is None or self._used[0] is not self.codes or self._used[1] is not self.outside:
            shown = self.codes if self.outside is None else self.codes[~self.outside]
            self._used = self.codes, self.outside, [int(code) for code in present(shown)] if shown.size else []
        return self._used[2]

    @property
    def values(self) -> dict[int, int]:
        """{number of a color in use: gray value or index}; empty for a color picture."""
        values = self.picture.values
        return {} if values is None else {code: int(values[code]) for code in self.used}

    def survey(self) -> Survey:
        """Return the `Survey` of the picture."""
        if self._survey is None:
            picture = self.picture
            self._survey = survey(self.codes, picture.colors, picture.lossy, self.outside)
        return self._survey

    def color(self, code: int) -> tuple[int, ...]:
        """Return the color of a number, RGB."""
        return tuple(map(int, self.picture.colors[code]))

    def shade(self, value: int) -> str:
        """Return a color in words."""
        names: dict[tuple[int, ...], str] = {(0, 0, 0): "black", (255, 255, 255): "white"}
        if self.picture.values is not None and not self.picture.indexed:
            return f"gray {self.picture.values[value]}" if value >= 0 else "transparent"
        color = self.color(value)
        return names.get(color, "#" + bytes(color).hex())


def listed(values: Iterable[int]) -> str:
    """Return the first values in words."""
    shown = list(values)
    return ", ".join(map(str, shown[:12])) + (", ..." if len(shown) > 12 else "")


def listed_pairs(table: dict[Any, int]) -> str:
    """Return the first of {value: object id} in words."""
    shown = sorted(table.items(), key=lambda pair: pair[1])
    words = ", ".join(f"{old} is object {new}" for old, new in shown[:12])
    return words + (", ..." if len(shown) > 12 else "")
