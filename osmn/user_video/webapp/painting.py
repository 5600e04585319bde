"""Objects painted on a frame: from a picture with a color for each object to ids, and back."""

import base64
import contextlib
import io
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from osmn.errors import InputError
from osmn.files.images import named_image_errors
from osmn.masks import Size, bright_palette, with_objects
from osmn.user_video.given.annotations import At
from osmn.user_video.given.objects import objects_and_note

OBJECTS = range(1, 7)  # Those whose colors in the palette are far apart.
_NEAR = 24  # How far a channel may be from an object's color, of 255.


def colors() -> dict[int, str]:
    """Return {object id: color, "#rrggbb"}, with the colors of the overlay."""
    palette = bright_palette()
    return {i: "#" + bytes(palette[i]).hex() for i in OBJECTS}


def painted(labels: np.ndarray) -> np.ndarray:
    """Return the objects of `labels`, uint8 (H, W), in their colors, RGBA uint8 (H, W, 4); transparent elsewhere."""
    picture = np.zeros((*labels.shape, 4), np.uint8)
    picture[..., :3] = bright_palette()[labels]
    picture[..., 3] = 255
    picture[labels == 0] = 0
    return picture


def labels_of(picture: np.ndarray) -> np.ndarray:
    """Return the object ids, uint8 (H, W), of what is painted, RGBA uint8 (H, W, 4).

    Where brush strokes meet, browsers mix their colors: such a pixel gets the id of the nearest pixel with an id.
    """
    labels = np.zeros(picture.shape[:2], np.uint8)
    for object_id in OBJECTS:
        distance = np.abs(picture[..., :3] - bright_palette()[object_id].astype(np.int16)).max(axis=-1)
        labels[(distance <= _NEAR) & (picture[..., 3] > 127)] = object_id
    mixed = (picture[..., 3] > 127) & (labels == 0)
    if mixed.any() and labels.any():
        uncertain = (labels == 0).astype(np.uint8)
        how = cv2.DIST_L2, cv2.DIST_MASK_5
        _, nearest = cv2.distanceTransformWithLabels(uncertain, *how, labelType=cv2.DIST_LABEL_PIXEL)
        known = np.zeros(nearest.max() + 1, np.uint8)  # OpenCV numbers the pixels that are certain.
        known[nearest[labels > 0]] = labels[labels > 0]
        labels[mixed] = known[nearest[mixed]]
    return labels


def picture_in(url: str, size: tuple[int, int]) -> np.ndarray:
    """Return the picture in a data URL, RGBA uint8 (H, W, 4).

    Raises InputError if it is no picture, or not of `size`, (width, height).
    """
    with contextlib.suppress(InputError), named_image_errors("the picture", ["PNG"]):
        image = Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2], validate=True)), formats=["PNG"])
        if image.size == tuple(size):  # Before it is decoded.
            return np.asarray(image.convert("RGBA"))
    raise InputError(f"what was painted is no picture of {size[0]}x{size[1]} pixels; step to the frame and paint again")


def with_mask_file(labels: np.ndarray, path: Path | str, number: int) -> tuple[np.ndarray, str]:
    """Return labels, uint8 (H, W), with the objects of a mask's file, and what was made of the file.

    Ids that the page does not have become those that are free. Raises InputError, with the file's name, for a file that
    is no mask, and for more objects than the page has.

    Args:
        labels: the object ids in the frame.
        path: of a picture, or a labeling tool's file.
        number: of the frame.
    """
    name = Path(path).name
    try:
        objects, note = objects_and_note(path, Size.of(labels), at=At(number))
    except InputError as error:
        raise InputError(str(error).replace(str(path), name)) from None
    if not objects:
        raise InputError(f"{name} shows no object")
    others = [object_id for object_id in objects if object_id not in OBJECTS]
    free = [object_id for object_id in OBJECTS if object_id not in objects]
    if len(others) > len(free):
        raise InputError(f"{name} has {len(objects)} objects; the page follows {len(OBJECTS)}, osmn_segment.py 255")
    became = dict(zip(others, free, strict=False))
    shown = {became.get(object_id, object_id): mask for object_id, mask in objects.items()}
    notes = [note, *(f"{old} is object {new} here" for old, new in became.items())]
    return with_objects(labels, shown), "; ".join(filter(None, notes))
