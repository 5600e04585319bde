"""How a mask's picture is read: as a person sees it. `RULES` are the rules, in their order.

Each rule keeps apart two kinds of files that look alike to a simpler rule. What they leave open is refused, with the
readings to choose from.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from osmn.user_video.given.draft import Draft, Unclear, listed, listed_pairs
from osmn.user_video.given.palettes import as_gray, davis_id, is_even_ramp
from osmn.user_video.given.survey import MANY, border, surrounding, touches_all_sides, without_shades

MOST_OBJECTS = 255  # An 8-bit PNG can tell so many apart, beside the background.
SMALL = 32  # Ids below are small: of objects, or of classes (20 of VOC); and a color of such channels looks black.
VOID = 255
CLASS = 1000  # Cityscapes and MOTS: class * 1000 + number.
MOTS_VOID = 10000


def transparent(draft: Draft) -> None:
    """Take transparent pixels for the background: those of less than half of the largest alpha."""
    alpha = draft.picture.alpha
    if alpha is None:
        return
    outside = alpha * 2 < max(alpha.max(), 1)
    if not outside.any():
        return
    draft.outside, draft.background = outside, -1
    shown = draft.used
    if not shown:  # Transparent all over: no object.
        draft.ids = {}
    if len(shown) == 1:
        value = draft.values.get(shown[0])
        is_id = draft.picture.indexed or (value is not None and value < SMALL)
        draft.ids = {shown[0]: _single(value) if is_id else 1}
    elif shown and draft.survey().photograph:
        if border(outside).mean() < 0.5:
            raise Unclear("is a photograph, of which little is transparent: no mask; give a mask of the frame")
        draft.areas, draft.ids = shown, dict.fromkeys(shown, 1)
    draft.notes.append("its transparent pixels are the background")


def _single(value: int | None) -> int:
    """Return the id of an only object by its value: the value itself, but 1 for black, white and colors."""
    return 1 if value is None or value in (0, VOID) or value > VOID else value


def permuted(draft: Draft) -> None:
    """Keep an indexed picture's indices, unless the colors in use prove a permutation.

    They do if they are all distinct, black is among them, and they are DAVIS's or gray at other places. Two palettes of
    grays keep their indices: a reversed ramp of 256 entries, and an even ramp from black to white.
    """
    picture, values = draft.picture, draft.values
    if not picture.indexed or draft.outside is not None:
        return
    colors = [draft.color(code) for code in values]
    if len(set(colors)) < len(colors) and draft.survey().exact:
        draft.ids = values
        return
    davis = [davis_id(color) for color in colors]
    if davis == list(values.values()):
        draft.ids = values
        return
    ramp = len(picture.palette) == 256 and all(sum(picture.palette[i]) == 3 * (255 - i) for i in range(256))
    if ramp or (is_even_ramp(values, colors) and draft.survey().exact):
        draft.ids = values
    elif len(set(colors)) == len(colors) and (0, 0, 0) in colors:
        gray = [color[0] for color in colors if color[0] == color[1] == color[2]]
        if None not in davis and draft.survey().exact:  # Shades of DAVIS's colors may be DAVIS's, too.
            draft.ids = dict(zip(values, (int(number or 0) for number in davis), strict=True))
            draft.notes.append("its palette is DAVIS's in another order: the colors give the ids")
        elif len(gray) == len(colors):
            draft.picture, draft.codes = as_gray(picture, gray)
            draft._survey = None
            if gray != list(values.values()):
                draft.notes.append("its palette is gray in another order: the grays count, not the indices")


def background(draft: Draft) -> None:
    """Find the background by color: black, else the one color of all corners and most of the border."""
    if draft.ids is not None or draft.background is not None:
        return
    black = next((code for code in draft.used if draft.color(code) == (0, 0, 0)), None)
    if black is None and len(draft.used) == 1:
        return
    if black is None and draft.picture.lossy:
        darkest = min(draft.used, key=lambda code: max(draft.color(code)))
        black = darkest if max(draft.color(darkest)) <= 16 else None
    around = surrounding(draft.survey().codes if draft.picture.lossy else draft.codes)
    if black is not None:
        draft.background = black
        if around not in (None, black) and black not in border(draft.codes):
            draft.notes.append(f"black is the background, and {draft.shade(around)}, all around it, an object")
        return
    if draft.picture.indexed and around is not None and draft.values.get(around) == 0:
        draft.background = around
    elif around is not None:
        draft.background = around
        draft.notes.append(f"its background is {draft.shade(around)}, the color of its border")


def shades(draft: Draft) -> None:
    """Give rare colors between two frequent ones to the nearer; refuse photographs."""
    if draft.ids is not None:
        doubtful = draft.picture.indexed and len(draft.used) >= MANY and not _known(draft)
        if doubtful and draft.outside is None and draft.survey().photograph:
            raise _photograph(draft)
    elif draft.used:
        found = draft.survey()
        if found.photograph:
            raise _photograph(draft)
        if not found.exact:
            merge(draft)


def merge(draft: Draft) -> None:
    """Give every color that is none of an area to the nearest area; see `survey.without_shades`."""
    found, back, colors = draft.survey(), draft.background, draft.picture.colors
    areas = list(found.areas)
    if back not in (None, -1, *areas):
        alike = [code for code in areas if np.abs(colors[code] - colors[back]).max() <= 16]
        draft.background = alike[0] if alike else back
        areas += [] if alike or back is None else [back]
    codes = without_shades(found.codes, colors, areas, -1 if draft.background is None else draft.background)
    draft.codes = codes if draft.outside is None else np.where(draft.outside, areas[0], codes)
    draft.areas, draft._survey = areas, None
    count = len([code for code in areas if code != draft.background])
    words = "one object" if count == 1 else f"{count} objects"
    draft.notes.append(f"its shades belong to the nearest color, half and more is the object's: {words}")


def _known(draft: Draft) -> bool:
    """Tell whether the colors in use are DAVIS's."""
    return all(davis_id(draft.color(code)) is not None for code in draft.used)


def _photograph(draft: Draft) -> Unclear:
    many = len(draft.used)
    if many > MOST_OBJECTS and draft.picture.values is not None:
        return Unclear(
            f"is a photograph, or has {many} objects, and at most {MOST_OBJECTS} can be told apart; give fewer"
        )
    words = "is a photograph, or a drawing with too many shades, and no mask; give a picture of the objects alone"
    return Unclear(words, ("soft",))


def gray(draft: Draft) -> None:
    """Read gray values: small ids with 255 for void, labels stretched over 0 to 255 by rank, or ids as they are."""
    values = draft.values
    if draft.picture.values is None or (draft.ids is not None and not draft.picture.indexed):
        return
    if draft.picture.indexed:
        draft.ids = _without_void(draft, draft.ids or _indices(draft, values))
        return
    top = draft.picture.top
    if top > VOID and max(values.values(), default=0) > VOID and set(values.values()) - {0, top} and not draft.areas:
        return  # Wide values.
    if draft.background == -1:
        draft.ids = values if 0 not in values.values() and max(values.values()) < SMALL else ranked(values)
        return
    objects = sorted(v for code, v in values.items() if code != draft.background)
    if objects in ([top], [VOID]) or (draft.areas is not None and len(objects) == 1):
        draft.ids = {code: int(code != draft.background) for code in values}
    elif draft.background is not None and values[draft.background] == 0 and _is_stretched(objects, top):
        draft.ids = ranked({code: value for code, value in values.items() if code != draft.background})
        draft.notes.append(f"its grays {listed([0, *objects])} are evenly spread labels, by rank: {_pairs(draft)}")
    else:
        _small(draft, values)


def _small(draft: Draft, values: dict[int, int]) -> None:
    """Set the ids of a gray picture whose values are ids."""
    if 0 in values.values():
        draft.background = next(code for code, value in values.items() if value == 0)
    elif _looks_void(values):
        around = [code for code in values if values[code] != VOID and touches_all_sides(draft.codes == code)]
        draft.background = around[0] if len(around) == 1 else None
        if around:
            draft.notes.append(f"it has no 0: {values[around[0]]}, on all four sides, is the background")
    if draft.background is None:
        around = [code for code in values if touches_all_sides(draft.codes == code)]
        if len(around) != 1 or len(values) == 1:
            if len(values) == 1:
                draft.ids = {code: _single(value) for code, value in values.items()}
                return
            raise Unclear(f"has no 0, and no color all around: values {listed(values.values())}", ("ids", "ranks"))
        draft.background = around[0]
        draft.notes.append(f"it has no 0: {values[around[0]]}, on all four sides, is the background")
    ids = _without_void(draft, {code: value for code, value in values.items() if code != draft.background})
    drawn = draft.areas is not None or values[draft.background] != 0  # Shades of gray for colors, and no ids.
    if drawn and max(ids.values(), default=0) >= SMALL:
        ids = ranked(ids)
    draft.ids = ids


def _indices(draft: Draft, values: dict[int, int]) -> dict[int, int]:
    """Return the ids of an indexed picture with a background: its indices, or their ranks if 0 is an object."""
    if draft.background is None:
        raise _no_background(len(values), "ids", "colors")
    ids = {code: value for code, value in values.items() if code != draft.background}
    if len(ids) == 1:
        return {code: _single(value) for code, value in ids.items()}
    if draft.areas is not None:
        return _in_order(draft, list(ids))
    return ids if 0 not in ids.values() else ranked(ids)


def _looks_void(values: dict[int, int]) -> bool:
    """Tell whether 255 beside the other values is void: they are small ids."""
    others = [value for value in values.values() if value not in (0, VOID)]
    return VOID in values.values() and bool(others) and max(others) < SMALL


def _without_void(draft: Draft, ids: dict[int, int]) -> dict[int, int]:
    if not _looks_void(ids):
        return {code: int(value == VOID) or value for code, value in ids.items()} if _only_white(ids) else ids
    draft.notes.append("255 beside small ids is void: background")
    return {code: value for code, value in ids.items() if value != VOID}


def _only_white(ids: dict[int, int]) -> bool:
    return set(ids.values()) - {0} == {VOID}


def _is_stretched(objects: list[int], top: int) -> bool:
    """Tell whether gray values above 0 are k * top / n, for most k from 1 to n."""
    if len(objects) < 2 or objects[-1] != top or top < VOID:
        return False
    return any(
        2 * len(objects) >= n and all(abs(value - round(value * n / top) * top / n) < 1 for value in objects)
        for n in range(2, 2 * len(objects) + 1)
    ) and objects != list(range(1, len(objects) + 1))


def ranked(values: dict[int, int]) -> dict[int, int]:
    """Return {code: rank of its value, from 1}."""
    order = sorted(set(values.values()))
    return {code: order.index(value) + 1 for code, value in values.items()}


def _pairs(draft: Draft) -> str:
    values, ids = draft.values, draft.ids or {}
    return listed_pairs({values[code]: number for code, number in ids.items() if number})


def wide(draft: Draft) -> None:
    """Read values above 255 as ids, class * 1000 + number if they look so, and colors as ids if all look black."""
    values = draft.values
    if draft.ids is not None:
        return
    if draft.picture.values is None:
        colored(draft)
        return
    ids = {code: value for code, value in values.items() if value}
    left_out = [value for value in ids.values() if value < 100 or value in (MOTS_VOID, draft.picture.top)]
    counted = [value for value in ids.values() if value not in left_out]
    if counted and all(value >= CLASS and value % CLASS < 100 for value in counted) and max(counted) < 256 * CLASS:
        ids = {code: value for code, value in ids.items() if value in counted}
        if left_out:
            draft.notes.append(f"values are class * 1000 + number: {listed(sorted(left_out))} are no objects")
    draft.ids = renumbered(draft, ids)


def renumbered(draft: Draft, ids: dict[int, int]) -> dict[int, int]:
    """Return {code: id} renumbered by rank, with a note; Unclear if they are too many."""
    if len(ids) > MOST_OBJECTS:
        raise Unclear(f"has {len(ids)} objects, and at most {MOST_OBJECTS} can be told apart; give fewer")
    found = ranked(ids)
    draft.notes.append(f"ids are renumbered: {listed_pairs({ids[code]: number for code, number in found.items()})}")
    return found


def _no_background(colors: int, *readings: str) -> Unclear:
    if colors <= 1:
        return Unclear("is of one color all over, and shows no object; paint objects", ("colors",))
    words = f"has {colors} colors, and neither black nor a color all around for its background"
    return Unclear(f"{words}; paint that black", readings)


def colored(draft: Draft, panoptic_too: bool = True) -> None:
    """Set the ids of a color picture: panoptic ids if all colors look black, DAVIS's, else in order of appearance."""
    codes = [code for code in (draft.used if draft.areas is None else draft.areas) if code != draft.background]
    colors = {code: draft.color(code) for code in codes}
    if draft.background is None and panoptic_too:
        raise _no_background(len(codes), "colors", "panoptic")
    if len(codes) > MOST_OBJECTS:
        raise Unclear(f"has {len(codes)} colors, and at most {MOST_OBJECTS} objects can be told apart; give fewer")
    is_black = draft.background not in (None, -1) and draft.color(draft.background) == (0, 0, 0)
    if panoptic_too and is_black and draft.areas is None and codes and max(map(max, colors.values())) < SMALL:
        panoptic(draft)
        return
    davis = {code: davis_id(color, draft.picture.lossy) for code, color in colors.items()}
    if is_black and None not in davis.values():
        draft.ids = {code: int(number or 0) for code, number in davis.items()}
        draft.notes.append(f"its colors are DAVIS's: {_counted(draft.ids)}")
    else:
        draft.ids = _in_order(draft, codes)
        draft.notes.append(f"its colors are objects, in order of appearance: {_counted(draft.ids)}")


def _in_order(draft: Draft, codes: list[int]) -> dict[int, int]:
    """Return {color's number: id} in the order in which colors appear, row by row."""
    return ranked({code: int(np.argmax(_inside(draft, code))) for code in codes})


def _inside(draft: Draft, code: int) -> np.ndarray:
    here = draft.codes == code
    return (here if draft.outside is None else here & ~draft.outside).ravel()


def _counted(ids: dict[int, int]) -> str:
    shown = sorted(ids.values())
    return f"object{'s' if len(shown) > 1 else ''} {listed(shown)}"


def panoptic(draft: Draft) -> None:
    """Read colors as ids R + 256 G + 65536 B."""
    ids = {code: int(np.dot(draft.color(code), (1, 256, 65536))) for code in draft.used if code != draft.background}
    ids = {code: value for code, value in ids.items() if value}
    draft.notes.append("its colors are ids, R + 256 G + 65536 B")
    draft.ids = ids if max(ids.values(), default=0) <= MOST_OBJECTS else renumbered(draft, ids)


Rule = Callable[[Draft], None]
RULES: tuple[tuple[str, Rule], ...] = (
    ("Transparent pixels, if any, are the background, they alone.", transparent),
    ("Indices stay, unless their colors prove a permutation.", permuted),
    ("The background is black; else the color of all corners and of most of the border.", background),
    ("Shades belong to the nearer of two colors; a photograph is no mask.", shades),
    (
        "255 is void beside small ids alone; evenly spread grays are ranks; without a 0 the background is all around.",
        gray,
    ),
    ("Wide values are ids, renumbered; so are colors that all look black; other colors count in order.", wide),
)
