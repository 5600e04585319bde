"""What is painted on a frame, on its way between the browser and the server; and the colors of the objects."""

import base64
import contextlib
import io
import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image

from osmn.errors import InputError
from osmn.files.images import named_image_errors
from osmn.inference import arguments
from osmn.masks import Size, bright_palette, labels_in
from osmn.user_video.given.annotations import At
from osmn.user_video.given.objects import objects_and_note

OBJECTS = range(1, 10)  # The digits of a keyboard.
UNTOUCHED = OBJECTS[-1] + 1  # In a stroke, in place of an id: what is there stays.
STEP = 25  # The gray of an object is its id times this: browsers may change colors by a little.
_MORE_COLORS = {8: "#ff8000", 9: "#8000ff"}  # The palette repeats red there.


def default_colors() -> dict[int, str]:
    """Return {object id: color, "#rrggbb"}: the bright colors of DAVIS."""
    palette = bright_palette()
    return {i: "#" + bytes(palette[i]).hex() for i in OBJECTS} | _MORE_COLORS


def checked_object(object_id: object) -> None:
    """Raise InputError unless a number is one of `OBJECTS`."""
    if arguments.object_id(object_id) not in OBJECTS:
        raise InputError(f"objects are {OBJECTS[0]} to {OBJECTS[-1]}, not {object_id}")


def checked_color(color: object) -> str:
    """Return a color, "#rrggbb"; InputError for anything else."""
    if isinstance(color, str) and re.fullmatch("#[0-9a-f]{6}", color):
        return color
    raise InputError("a color is #rrggbb, such as #ff8000")


def palette(colors: Mapping[int, str]) -> np.ndarray:
    """Return the palette of an overlay, uint8 (256, 3), with the colors {object id: "#rrggbb"}."""
    found = bright_palette().copy()
    for object_id, color in colors.items():
        found[object_id] = tuple(bytes.fromhex(color[1:]))
    return found


def url_of(labels: np.ndarray) -> str:
    """Return the data URL of a gray PNG of object ids, uint8 (H, W), each times `STEP`."""
    content = io.BytesIO()
    Image.fromarray(labels * np.uint8(STEP)).save(content, "png", compress_level=1)
    return f"data:image/png;base64,{base64.b64encode(content.getvalue()).decode()}"


def stroke_of(url: str, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Return what was painted, (object ids, bool: where), both (H, W), of a picture that the browser made.

    The picture is as `url_of` makes it, with `UNTOUCHED` where nothing was painted; an id of 0 is erased there. Raises
    InputError as `labels_of`.
    """
    stroke = labels_of(url, size, UNTOUCHED)
    return np.where(stroke == UNTOUCHED, np.uint8(0), stroke), stroke != UNTOUCHED


def labels_of(url: str, size: tuple[int, int], largest: int = OBJECTS[-1]) -> np.ndarray:
    """Return the object ids, uint8 (H, W), of a picture as `url_of` makes it.

    Raises InputError if it is no picture, not of `size`, (width, height), or of other grays.
    """
    with contextlib.suppress(InputError), named_image_errors("the picture", ["PNG"]):
        image = Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2], validate=True)), formats=["PNG"])
        if image.size == tuple(size):  # Before it is decoded.
            gray = np.asarray(image.convert("RGB"))[..., 0]
            labels: np.ndarray = ((gray.astype(np.int16) + STEP // 2) // STEP).astype(np.uint8)
            if labels.max() <= largest:
                return labels
    raise InputError(f"what was painted is no picture of {size[0]}x{size[1]} pixels; step to the frame and paint again")


def mask_file(
    labels: np.ndarray, path: Path | str, number: int, reading: str | None = None
) -> tuple[dict[int, np.ndarray], str]:
    """Return the objects of a mask's file, {object id: bool (H, W)}, and what was made of the file.

    Ids that the page does not have become those that are free. Raises InputError, with the file's name, for a file that
    is no mask, and for more objects than the page has; `masks.UnclearMask` for one that can be read in several ways.

    Args:
        labels: the object ids in the frame.
        path: of a picture, or a labeling tool's file.
        number: of the frame.
        reading: as in `masks.read_mask`.
    """
    name = Path(path).name
    try:
        objects, note = objects_and_note(path, Size.of(labels), reading=reading, at=At(number))
    except InputError as error:
        error.args = (str(error).replace(str(path), name),)
        raise
    if not objects:
        raise InputError(f"{name} shows no object")
    others = [object_id for object_id in objects if object_id not in OBJECTS]
    there = labels_in(labels)
    free = sorted((i for i in OBJECTS if i not in objects), key=lambda i: i in there)  # New ones first.
    if len(others) > len(free):
        raise InputError(f"{name} has {len(objects)} objects; the page follows {len(OBJECTS)}, osmn_segment.py 255")
    became = dict(zip(others, free, strict=False))
    shown = {became.get(object_id, object_id): mask for object_id, mask in objects.items()}
    notes = [note, *(f"{old} is object {new} here" for old, new in became.items())]
    return shown, "; ".join(filter(None, notes))
