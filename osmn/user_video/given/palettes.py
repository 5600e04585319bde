"""Palettes of masks: DAVIS's, and grays."""

import numpy as np

from osmn.masks import davis_palette
from osmn.user_video.given.pictures import Picture

SHADES_OF_AOT = 22  # From here on the palettes of AOT and DeAOT have gray (i, i, i) for object i.
_DAVIS = {tuple(color): number for number, color in enumerate(np.reshape(davis_palette(), (-1, 3)).tolist())}


def as_gray(picture: Picture, gray: list[int]) -> tuple[Picture, np.ndarray]:
    """Return the gray picture of an indexed one, and its codes, from the gray value of each color in use."""
    order = np.argsort(gray)
    place = np.argsort(order)
    codes = place[picture.codes].astype(picture.codes.dtype)
    values = np.asarray(gray)[order]
    return picture._replace(codes=codes, colors=np.repeat(values[:, None], 3, 1), values=values, indexed=False), codes


def davis_id(color: tuple[int, ...], lossy: bool = False) -> int | None:
    """Return DAVIS's id of a color: 191 is 192, and from 22 on gray (i, i, i) is i, as AOT has it; None for others."""
    if lossy:
        color = tuple(
            64 * round(channel / 64) if abs(channel - 64 * round(channel / 64)) <= 8 else channel for channel in color
        )
    found = _DAVIS.get(tuple(192 if channel == 191 else channel for channel in color))
    if found is None and SHADES_OF_AOT <= color[0] == color[1] == color[2] < 255:
        return color[0]
    return found


def is_even_ramp(values: dict[int, int], colors: list[tuple[int, ...]]) -> bool:
    """Tell whether the color of index k is gray k * 255 / n, for an n."""
    pairs = [(channel, index) for index, color in zip(values.values(), colors, strict=True) for channel in color]
    steps = range(max(1, *values.values(), 1), 256)
    return any(all(abs(channel - index * 255 / n) < 1 for channel, index in pairs) for n in steps)
