"""Objects in a file of a labeling tool: which tool's it is, which of its images is meant, and the objects' masks."""

from __future__ import annotations

import json
import re
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from osmn.errors import InputError, in_short
from osmn.files.atomic import regular_bytes
from osmn.user_video.given import cvat, tools
from osmn.user_video.given.annotated import Annotated, Annotations

SUFFIXES = (".json", ".xml")


class At(NamedTuple):
    """The frame whose objects are wanted.

    Attributes:
        number: of the frame; None if it is not known.
        name: of the frame; None if it is not known.
        ids: {label: object id} of what earlier files of the video show; a file adds its own. None: it stands alone.
    """

    number: int | None = None
    name: str | None = None
    ids: dict[str, int] | None = None


def is_annotation(path: Path | str) -> bool:
    """Tell whether a path is that of a labeling tool's file, by its suffix."""
    return Path(path).suffix.lower() in SUFFIXES


def read_annotation(path: Path | str, at: At) -> tuple[dict[int, np.ndarray], str]:
    """Return ({object id: bool (H, W)}, what was made of the file) of a labeling tool's file, for a frame.

    Raises InputError, naming the file, if it is missing, damaged, of no known tool, or without objects in this frame.
    """
    try:
        content = regular_bytes(path)
        if content.lstrip()[:1] == b"<":
            found = cvat.read(content)
        else:
            found = tools.read(json.loads(content))
        image = _image(path, found, at)
        return _objects(path, found, image, at.ids)
    except InputError:
        raise
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); give a mask, --mask FILE") from None
    except Exception as error:  # A tool's file may be damaged in any way.
        reason = in_short(error) if isinstance(error, ValueError) else f"it lacks {in_short(error)}"
        raise InputError(f"{path} is damaged, or of another version ({reason}); export the mask as a PNG") from None


def _image(path: Path | str, found: Annotations, at: At) -> Annotated:
    """Return the image that is meant: the only one, that of the frame's name, or that of its number."""
    if not found.images:
        raise InputError(f"{path} holds no object ({found.tool}); draw some")
    if len(found.images) == 1 and found.images[0].number is None:
        return found.images[0]
    named = [image for image in found.images if image.name and image.name == at.name]
    if len(named) == 1:
        return named[0]
    numbered = [image for image in found.images if at.number is not None and _number(image) == at.number]
    if len(numbered) == 1:
        return numbered[0]
    names = [image.name or f"frame {image.number}" for image in found.images]
    shown = ", ".join(names[:6]) + (", ..." if len(names) > 6 else "")
    where = "this time" if at.number is None else f"frame {at.number}"
    of_video = found.images[0].number is not None
    hint = "give the frame's number, --mask NUMBER:FILE" if of_video else "rename it as the frame"
    raise InputError(f"{path} annotates {shown} ({found.tool}), not {where}; {hint}")


def _number(image: Annotated) -> int | None:
    """Return the number of a frame, or that at the end of an image's name."""
    if image.number is not None:
        return image.number
    end = re.search(r"\d+$", image.name)
    return int(end[0]) if end else None


def _own_numbers(image: Annotated) -> dict[str, int]:
    """Return {label: object id} where all labels are as this program writes them, `object_<id>`; else nothing."""
    ends = {shape.label: re.fullmatch(r"object_([1-9]\d*)", shape.label) for shape in image.shapes}
    numbers = {label: int(end[1]) for label, end in ends.items() if end}
    return numbers if len(numbers) == len(ends) and max(numbers.values(), default=0) <= 255 else {}


def _by_label(labels: Mapping[Hashable, str], ids: dict[str, int]) -> dict[Hashable, int]:
    """Return {key of an object: id}: what has the label of an object of an earlier file is that object.

    `ids` are those of earlier files, and get those of new labels. Where two objects have one label, the order counts.
    """
    if len(set(labels.values())) < len(labels) or "" in labels.values():
        return {key: place for place, key in enumerate(labels, 1)}
    for place, label in enumerate(labels.values(), 1):
        if label not in ids:
            taken = set(ids.values())
            ids[label] = next(number for number in (place, *range(1, 256)) if number not in taken)
    return {key: ids[label] for key, label in labels.items()}


def _numbers(found: Annotations, image: Annotated, ids: dict[str, int] | None) -> Mapping[Hashable, int]:
    """Return {key of an object in an image: its id}."""
    labels = {shape.key: shape.label for shape in image.shapes}
    own = _own_numbers(image)
    if own:
        return {key: own[label] for key, label in labels.items()}
    if found.keys is not None and len(found.keys) <= 255:
        return {key: found.keys.index(key) + 1 for key in labels}
    return _by_label(labels, {} if ids is None else ids)


def _objects(
    path: Path | str, found: Annotations, image: Annotated, ids: dict[str, int] | None
) -> tuple[dict[int, np.ndarray], str]:
    """Return the objects of an image and what was made of the file; `ids` as in `At`."""
    count = len({shape.key for shape in image.shapes})
    if count > 255:
        raise InputError(f"{path} has {count} objects, and at most 255 can be told apart; give fewer")
    numbers = _numbers(found, image, ids)
    objects: dict[int, np.ndarray] = {}
    labels: dict[int, str] = {}
    for shape in image.shapes:
        number, mask = numbers[shape.key], shape.mask()
        if mask.any():
            objects[number] = objects[number] | mask if number in objects else mask
            labels[number] = shape.label
    if not objects:
        left = f", only {', '.join(sorted(set(image.left_out)))}" if image.left_out else ""
        raise InputError(f"{path} shows no object{left} ({found.tool}); draw areas")
    words = ", ".join(
        f"{number} ({labels[number]})" if labels[number] else str(number) for number in list(objects)[:12]
    )
    note = f"objects of {found.tool}: {words}" + (", ..." if len(objects) > 12 else "")
    if image.left_out:
        note += f"; left out, for they are no areas: {', '.join(sorted(set(image.left_out)))}"
    return objects, note
