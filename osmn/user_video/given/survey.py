"""Which colors of a picture are areas, and which are shades between two areas; and whether it is a photograph."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

MANY = 24  # A mask has seldom so many colors; from here on it may be a photograph.
NEAR = 24  # Of 255, in the channel that differs most: two colors that look alike.
NOISE = 40  # The same, of what JPEG and WebP make of one color.
BESIDE = 64  # How far a shade may be from the line between two colors: JPEG keeps hues of 2x2 pixels alone.
FLAT = 0.3  # Share of a color's pixels inside an area, from which on the color is one of an area.
COVERED = 0.35  # Share of a mask's pixels that have the colors of areas; soft borders are the rest.
NARROW = 4  # Pixels across a border of few shades.
MOST_AREAS = 64
BLOCK = 17  # Pixels, from the middle of which those of a block of JPEG's are reached.
LARGE = 4096  # Pixels of a picture that can tell a mask from dots.
SQUARE = np.ones((3, 3), np.uint8)


class Survey(NamedTuple):
    """What a picture's colors are.

    Attributes:
        exact: every color is one of a mask, however small its area.
        areas: numbers of the colors that are areas, the largest first.
        codes: uint8 or uint16 (H, W), a color's number for each pixel; what a lossy compression made of an area's color
            has that color's number.
        photograph: the picture is none of a mask.
    """

    exact: bool
    areas: list[int]
    codes: np.ndarray
    photograph: bool = False


def survey(codes: np.ndarray, colors: np.ndarray, lossy: bool = False, outside: np.ndarray | None = None) -> Survey:
    """Return the `Survey` of a picture.

    Args:
        codes: int (H, W), a color's number for each pixel.
        colors: int (V, 3).
        lossy: the file's compression changes colors.
        outside: bool (H, W), pixels that do not count; None if all count.
    """
    if len(colors) > 65535:
        return Survey(False, [], codes, photograph=True)
    if outside is not None:
        codes = np.where(outside, len(colors), codes)
    codes = codes.astype(np.uint8 if len(colors) < 256 else np.uint16)
    flat = cv2.erode(codes, SQUARE) == cv2.dilate(codes, SQUARE)
    if codes.size >= LARGE and not lossy and flat.mean() < 0.2:  # Such as a photograph in black and white dots.
        return Survey(False, [], codes, photograph=True)
    count, inside = (np.bincount(of.ravel(), minlength=len(colors))[: len(colors)] for of in (codes, codes[flat]))
    used = np.flatnonzero(count)
    as_it_is = Survey(True, used[np.argsort(-count[used], kind="stable")].tolist(), codes)
    if lossy:
        codes, areas = _settled(codes, colors)
    elif _has_no_shades(colors[used]):
        return as_it_is
    else:
        areas = _areas(colors, count, inside)
    rare = np.setdiff1d(np.unique(codes[codes < len(colors)]), areas)
    share = _explained(codes, colors, areas, rare, lossy)
    if not lossy and (not len(rare) or (len(rare) < MANY and share < 0.5)):
        dots = codes.size >= LARGE and len(rare) > 3 and count[rare].sum() > 0.03 * count.sum()
        return as_it_is._replace(photograph=dots or (len(used) >= MANY and _is_gradual(codes, colors)))
    if not lossy:
        areas = [area for area in areas if area == areas[0] or not _hugs_another(codes, area, areas, colors)]
    if lossy and len(areas) > 1:
        peaks = _specks(codes, colors, areas) if outside is None else []
    else:
        peaks = [] if outside is not None else _peaks(codes, colors, areas)
    if peaks:
        areas = areas + peaks
        share = _explained(codes, colors, areas, np.setdiff1d(rare, peaks), lossy)
    shown, total = np.isin(codes, areas).sum(), count.sum()
    unlike = shown < COVERED * total or len(peaks) > MANY or len(areas) > MOST_AREAS
    # Beside transparent pixels a color is mixed with theirs, which nobody sees.
    left_over = 0.4 if outside is not None else 0.02 if lossy else 0
    unlike |= share < 0.5 and total - shown > left_over * total
    return Survey(False, areas, codes, photograph=bool(unlike or (lossy and not areas)))


def _has_no_shades(shown: np.ndarray) -> bool:
    """Tell whether colors, int (V, 3), are too few, or too much alike, for shades between two of them."""
    return len(shown) < 3 or (len(shown) <= 64 and int(np.ptp(shown, axis=0).max()) < 32)


def _areas(colors: np.ndarray, count: np.ndarray, inside: np.ndarray) -> list[int]:
    """Return the numbers of the colors that are areas, largest first; of colors that look alike the largest."""
    enough = (inside > 0) & ((inside >= FLAT * count) | (inside >= 0.005 * count.sum()))
    found: list[int] = []
    for number in np.argsort(-inside, kind="stable"):
        if not enough[number] or len(found) > MOST_AREAS:
            continue
        alike = [each for each in found if np.abs(colors[each] - colors[number]).max() <= NEAR]
        if not any(inside[each] > 4 * inside[number] for each in alike):
            found.append(int(number))
    return found


def _settled(codes: np.ndarray, colors: np.ndarray) -> tuple[np.ndarray, list[int]]:
    """Return a lossy picture's codes with one number for what was one color, and the numbers of the areas."""
    spread = int(np.ptp(colors, axis=0).max())
    noise, quiet = min(NOISE, spread // 4), min(NEAR, spread // 6)
    calm = np.ones(codes.shape, bool)
    for channel in np.moveaxis(np.vstack([colors, [[0, 0, 0]]]).astype(np.uint8)[codes], -1, 0):
        calm &= cv2.dilate(channel, SQUARE) - cv2.erode(channel, SQUARE) <= quiet
    count = np.bincount(codes[calm], minlength=len(colors) + 1)[: len(colors)]
    left, became, found = count.copy(), np.arange(len(colors) + 1), list[int]()
    nearest = np.full(len(colors), np.inf)
    while left.any() and len(found) <= MOST_AREAS:
        center = int(left.argmax())
        apart = np.abs(colors - colors[center]).max(axis=1)
        left[apart <= noise] = 0
        if count[apart <= noise].sum() >= 9:
            found.append(center)
            closer = (apart <= noise) & (apart < nearest)
            became[:-1][closer], nearest[closer] = center, apart[closer]
    settled = became.astype(codes.dtype)[codes]
    # In a mask nearly all of an area has one color; a photograph's colors go over into each other.
    close = np.abs(colors - colors[became[:-1]]).max(axis=1) <= max(1, noise // 5)
    if count[close].sum() < 0.6 * count.sum():
        return settled, []
    return settled, [area for area in found if area == found[0] or not _hugs_another(settled, area, found)]


def _hugs_another(codes: np.ndarray, area: int, areas: list[int], colors: np.ndarray | None = None) -> bool:
    """Tell whether an area is a thin one beside a larger object, as JPEG adds them; the largest of areas come first.

    With `colors`, int (V, 3), it must have a color between two larger areas, as a soft border of large pixels has it.
    """
    thick = cv2.distanceTransform(_core(codes, area), cv2.DIST_L2, 5).max()
    larger = areas[1 : areas.index(area)]
    if thick > 4 or not larger:
        return bool(thick == 0) and colors is None
    if colors is not None:
        ends = [colors[each] for each in areas[: areas.index(area)]]
        if not any(_is_between(colors[area], a, b) for i, a in enumerate(ends) for b in ends[i + 1 :]):
            return False
    beside = np.isin(codes, larger).astype(np.uint8)
    reach = 17 if colors is None else 2 * int(2 * thick) + 3
    return bool(cv2.dilate(beside, np.ones((reach, reach), np.uint8))[codes == area].mean() > 0.5)


def _is_between(color: np.ndarray, one: np.ndarray, other: np.ndarray, off: float = NEAR / 2) -> bool:
    """Tell whether a color is on the line between two others, but for some levels that it may be `off`."""
    line = other - one
    along = float((color - one) @ line) / max(float(line @ line), 1.0)
    end = 0.98 if off < NEAR else 1.15  # What a lossy compression makes of a color may be beyond it.
    return 0.02 < along < end and bool(np.abs(color - one - along * line).max() <= off)


def _peaks(codes: np.ndarray, colors: np.ndarray, areas: list[int]) -> list[int]:
    """Return colors that no area has and that are farther from the background's than all around: of blurred objects."""
    if not areas:
        return []
    away = colors - colors[areas[0]]
    length = np.linalg.norm(away, axis=1)
    hues = [away[area] / max(length[area], 1) for area in areas[1:]]
    image = length.astype(np.float32)[codes]
    high = (image == cv2.dilate(image, np.ones((9, 9), np.uint8))) & (image >= 0.4 * length.max())
    found: list[int] = []
    for code in sorted(np.unique(codes[high]).tolist(), key=lambda code: -length[code]):
        hue = away[code] / max(length[code], 1)
        if all(hue @ other < 0.95 for other in hues) and length[code] >= 64:
            found.append(int(code))
            hues.append(hue)
    return found


def _specks(codes: np.ndarray, colors: np.ndarray, areas: list[int]) -> list[int]:
    """Return colors of objects of a few pixels, of which a lossy compression has left no area of one color.

    They lie apart from other objects, whose borders it fills with colors of its own, and have a color that is none
    between the background's, that of the largest area, and another object's.
    """
    _, parts, boxes, _ = cv2.connectedComponentsWithStats(np.isin(codes, areas[1:]).astype(np.uint8))
    large = boxes[:, cv2.CC_STAT_AREA] >= BLOCK**2  # Around a speck there may be a shade of another object's color.
    large[0] = False
    apart = cv2.dilate(large[parts].astype(np.uint8), np.ones((BLOCK, BLOCK), np.uint8)) == 0
    strength = np.abs(colors - colors[areas[0]]).max(axis=1)
    strong = (strength >= 64)[np.minimum(codes, len(colors) - 1)] & apart
    count, parts, boxes, _ = cv2.connectedComponentsWithStats(strong.astype(np.uint8))
    found: list[int] = []
    for part in range(1, count):
        left, top, width, height, size = boxes[part]
        if size < 4:
            continue
        place = slice(top, top + height), slice(left, left + width)
        inside = np.unique(codes[place][parts[place] == part])
        peak = int(inside[strength[inside].argmax()])
        # Beside an area's own color there is a speck only where that is a halo.
        halo = max((strength[area] for area in np.intersect1d(inside, areas[1:])), default=0)
        known = [colors[area] for area in (*areas[1:], *found)]
        if strength[peak] > 1.5 * halo and not any(
            _is_between(colors[peak], colors[areas[0]], color, BESIDE) for color in known
        ):
            found.append(peak)
    return found


def _is_gradual(codes: np.ndarray, colors: np.ndarray) -> bool:
    """Tell whether neighbors mostly differ, where they differ, by colors that look alike, and that all over."""
    grays = bool((colors == colors[:, :1]).all())
    alike, least = (3, 0.08) if grays else (NEAR, 0.2)
    near = far = pairs = 0
    for first, second in ((codes[1:], codes[:-1]), (codes[:, 1:], codes[:, :-1])):
        different = (first != second) & (first < len(colors)) & (second < len(colors))
        apart = np.abs(colors[first[different]] - colors[second[different]]).max(axis=-1)
        near += int((apart <= alike).sum())
        far += int((apart > alike).sum())
        pairs += first.size
    return near + far > least * pairs and near > (2 if grays else 1) * far


def _distances(codes: np.ndarray, colors: np.ndarray, areas: list[int]) -> np.ndarray:
    """Return the distance to each area, float32 (areas, H, W), in pixels."""
    return np.stack([cv2.distanceTransform(1 - core, cv2.DIST_L2, 5) for core in _cores(codes, colors, areas)])


def _cores(codes: np.ndarray, colors: np.ndarray, areas: list[int]) -> list[np.ndarray]:
    """Return the pixels that are an area's for certain, uint8 (H, W), 0 or 1, for each area.

    They are 3x3 pixels of its color; where there are none, as in a blurred object, the pixels that its color is nearest
    to.
    """
    found = [_core(codes, area) for area in areas]
    if not all(core.any() for core in found):
        apart = ((colors[:, None] - colors[areas][None]) ** 2).sum(axis=-1)
        nearest = np.append(apart.argmin(axis=1), -1)[np.minimum(codes, len(colors))]
        found = [core if core.any() else (nearest == i).astype(np.uint8) for i, core in enumerate(found)]
    return found


def _core(codes: np.ndarray, area: int) -> np.ndarray:
    """Return the pixels of a color that are in 3x3 pixels of it, uint8 (H, W), 0 or 1."""
    here = (codes == area).astype(np.uint8)
    return np.asarray(cv2.dilate(cv2.erode(here, SQUARE), SQUARE) & here)


def _explained(codes: np.ndarray, colors: np.ndarray, areas: list[int], rare: np.ndarray, lossy: bool) -> float:
    """Return the share of the rare colors' pixels whose color lies between those of the two areas that are nearest."""
    if len(areas) < 2 or not len(rare):
        return 0.0
    listed = np.zeros(max(len(colors), int(codes.max())) + 1, bool)
    listed[rare] = True
    where = np.nonzero(listed[codes])
    first, second, away = _two_nearest(codes, colors, areas, where)
    own, one, other = colors[codes[where]], colors[first], colors[second]
    line = other - one
    length = np.maximum((line**2).sum(axis=1), 1)
    along = np.clip(((own - one) * line).sum(axis=1) / length, 0, 1)
    beside = np.abs(own - one - along[:, None] * line).max(axis=1)
    between = (beside <= (BESIDE if lossy else 2 * NEAR)) & (np.abs(line).max(axis=1) >= 32)
    # Across a wide border the color goes from one area's to the other's; a photograph's does not.
    wide = away.sum(axis=0) > 2 * NARROW
    between &= ~wide | (np.abs(along - away[0] / np.maximum(away.sum(axis=0), 1)) <= 0.35)
    if len(rare) < 8 and not lossy:
        between &= away[1] <= NARROW
    return float(between.mean())


def _two_nearest(
    codes: np.ndarray, colors: np.ndarray, areas: list[int], where: tuple[np.ndarray, ...]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the numbers of the nearest two areas of pixels, and the distances to them, (2, pixels)."""
    away = _distances(codes, colors, areas)[:, where[0], where[1]]
    order = np.argsort(away, axis=0, kind="stable")[:2]
    found = np.asarray(areas)[order]
    return found[0], found[1], np.take_along_axis(away, order, axis=0)


def without_shades(codes: np.ndarray, colors: np.ndarray, areas: list[int], background: int) -> np.ndarray:
    """Return the number of an area for each pixel, int (H, W): a shade belongs to the nearer of the areas beside it.

    A shade half way between the background and an object is the object's.

    Args:
        codes: int (H, W), a color's number for each pixel.
        colors: int (V, 3).
        areas: numbers of the colors that are areas.
        background: number of the background's color; -1 for none.
    """
    result = codes.astype(np.int32)
    cores = codes >= len(colors)
    for area in areas:
        cores |= _core(codes, area) > 0
    where = np.nonzero(~cores)
    if len(areas) == 1:
        result[where] = areas[0]
        return result
    first, second, _ = _two_nearest(codes, colors, areas, where)
    own = colors[codes[where]].astype(float)
    to_first, to_second = (((own - colors[each]) ** 2).sum(axis=1) for each in (first, second))
    halfway = np.where(first == background, second, first)
    result[where] = np.where(to_first == to_second, halfway, np.where(to_first < to_second, first, second))
    return result


def border(of: np.ndarray, width: int = 1) -> np.ndarray:
    """Return the values of the outermost pixels of an array (H, W)."""
    return np.concatenate(
        [of[:width].ravel(), of[-width:].ravel(), of[width:-width, :width].ravel(), of[width:-width, -width:].ravel()]
    )


def surrounding(codes: np.ndarray) -> int | None:
    """Return the one color in all four corners and on most of the border; None if there is no such color."""
    corners = {int(codes[row, column]) for row in (0, -1) for column in (0, -1)}
    if len(corners) > 1:
        return None
    (corner,) = corners
    return corner if (border(codes) == corner).mean() > 0.5 else None


def touches_all_sides(mask: np.ndarray) -> bool:
    """Tell whether a mask, bool (H, W), reaches all four sides, but for lines of two pixels along them."""
    return all(side.any() for side in (mask[:3], mask[-3:], mask[:, :3], mask[:, -3:])) and border(mask, 3).mean() > 0.3
