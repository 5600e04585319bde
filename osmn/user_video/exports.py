"""The masks of a user's video in files of other programs: COCO, CVAT, labelme, boxes, and black and white videos."""

from __future__ import annotations

import base64
import contextlib
import csv
import functools
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree import ElementTree

import numpy as np
from PIL import Image
from pycocotools import mask as coco_mask

from osmn.data.tracks import coco_rle
from osmn.files.atomic import named_write_errors, replacing
from osmn.files.images import read_labels
from osmn.masks import Size
from osmn.user_video.media.reader import Frame, Frames
from osmn.user_video.media.writer import WriteFrame, write_matte
from osmn.user_video.tracking import mask_name

LABELME = "labelme"  # A kind, and its folder.
LABELME_VERSION = "6.3.1"  # Whose form is written; 5.2 is the first that has masks.
JPEG = {"quality": 95, "subsampling": 0}
CSV_COLUMNS = ("frame", "name", "seconds", "object", "left", "top", "width", "height", "area")


class Shown(NamedTuple):
    """An object in a frame: its box (left, top, width, height) in pixels, and COCO's run lengths."""

    box: tuple[int, int, int, int]
    rle: dict[str, Any]

    @property
    def area(self) -> int:
        """The number of its pixels."""
        return int(coco_mask.area(self.rle))


class Masks(NamedTuple):
    """The masks of a video.

    Attributes:
        name: of the video.
        size: of its frames.
        frames: (number in its file, name, seconds) of each frame.
        objects: {object id: [`Shown`, or None where it is absent]}.
    """

    name: str
    size: Size
    frames: list[tuple[int, str, float]]
    objects: dict[int, list[Shown | None]]

    def each(self) -> Iterator[tuple[tuple[int, str, float], int, Shown]]:
        """Yield (frame, object id, `Shown`), frame by frame."""
        for place, frame in enumerate(self.frames):
            for object_id, shown in self.objects.items():
                here = shown[place]
                if here is not None:
                    yield frame, object_id, here


def youtube_vis(masks: Masks) -> str:
    """Return the JSON of YouTube-VIS: each annotation is an object, null in frames without it."""
    names = [f"{masks.name}/{name}.jpg" for _, name, _ in masks.frames]
    sides = {"width": masks.size.width, "height": masks.size.height, "length": len(names)}
    annotations = [
        {
            "id": object_id,
            "video_id": 1,
            "category_id": 1,
            "iscrowd": 0,
            "segmentations": [each and each.rle for each in shown],
            "bboxes": [each and list(each.box) for each in shown],
            "areas": [each and each.area for each in shown],
            **sides,
        }
        for object_id, shown in masks.objects.items()
    ]
    videos = [{"id": 1, "file_names": names, **sides}]
    return json.dumps({"info": {}, "videos": videos, "categories": _categories(), "annotations": annotations})


def coco_images(masks: Masks) -> str:
    """Return the JSON of COCO's instances: an image for each frame, an object's `track_id` is one in all images."""
    sides = {"width": masks.size.width, "height": masks.size.height}
    images = [{"id": number + 1, "file_name": f"{name}.jpg", **sides} for number, name, _ in masks.frames]
    annotations = [
        {
            "id": count,
            "image_id": number + 1,
            "category_id": 1,
            "iscrowd": 0,
            "segmentation": shown.rle,
            "bbox": list(shown.box),
            "area": shown.area,
            "track_id": object_id,
            "attributes": {"track_id": object_id},
        }
        for count, ((number, _, _), object_id, shown) in enumerate(masks.each(), 1)
    ]
    return json.dumps({"info": {}, "images": images, "categories": _categories(), "annotations": annotations})


def _categories() -> list[dict[str, Any]]:
    return [{"id": 1, "name": "object", "supercategory": ""}]


def cvat(masks: Masks) -> str:
    """Return the XML of CVAT 1.1 for images, with a label `object_<id>` for each object.

    CVAT has no tracks of masks: of a track in its XML for video it takes the first mask alone. It takes this form for
    videos too, by the frames' numbers.
    """
    root = ElementTree.Element("annotations")
    ElementTree.SubElement(root, "version").text = "1.1"
    task = ElementTree.SubElement(ElementTree.SubElement(root, "meta"), "task")
    ElementTree.SubElement(task, "name").text = masks.name
    ElementTree.SubElement(task, "size").text = str(len(masks.frames))
    labels = ElementTree.SubElement(task, "labels")
    for object_id in masks.objects:
        ElementTree.SubElement(ElementTree.SubElement(labels, "label"), "name").text = object_name(object_id)
    sides = dict(zip(("width", "height"), map(str, masks.size), strict=True))
    images = {
        number: ElementTree.SubElement(root, "image", {"id": str(number), "name": f"{name}.jpg"} | sides)
        for number, name, _ in masks.frames
    }
    for (number, _, _), object_id, shown in masks.each():
        placed = dict(zip(("left", "top", "width", "height"), map(str, shown.box), strict=True))
        given = {"label": object_name(object_id), "source": "auto", "occluded": "0", "z_order": "0"}
        ElementTree.SubElement(images[number], "mask", given | {"rle": _runs_by_rows(shown)} | placed)
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _runs_by_rows(shown: Shown) -> str:
    """Return the run lengths of a mask in its box, row by row, first of zeros."""
    part = _in_box(shown)
    edges = np.flatnonzero(np.diff(part.ravel(), prepend=0))
    return ", ".join(map(str, np.diff([0, *edges, part.size]).tolist()))


def _in_box(shown: Shown) -> np.ndarray:
    """Return a mask in its box, uint8 (height, width), 0 or 1."""
    left, top, width, height = shown.box
    part: np.ndarray = coco_mask.decode(shown.rle)[top : top + height, left : left + width]
    return part


def boxes(masks: Masks) -> str:
    """Return a table (CSV) of boxes, with `CSV_COLUMNS`: frames and pixels count from 0."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(CSV_COLUMNS)
    for (number, name, seconds), object_id, shown in masks.each():
        table.writerow([number, name, f"{seconds:.6f}", object_id, *shown.box, shown.area])
    return text.getvalue()


def mot(masks: Masks) -> str:
    """Return the lines of MOTChallenge: frame, object, left, top, width, height, 1, -1, -1, -1; all count from 1."""
    return "".join(
        f"{number + 1},{object_id},{shown.box[0] + 1},{shown.box[1] + 1},{shown.box[2]},{shown.box[3]},1,-1,-1,-1\n"
        for (number, _, _), object_id, shown in masks.each()
    )


TEXTS: dict[str, tuple[str, Callable[[Masks], str]]] = {
    "coco": ("coco.json", youtube_vis),
    "coco_images": ("coco_images.json", coco_images),
    "cvat": ("cvat.xml", cvat),
    "boxes": ("boxes.csv", boxes),
    "mot": ("mot.txt", mot),
}


def labelme(frame: Frame, objects: Mapping[int, Shown | None]) -> str:
    """Return the JSON of labelme for a frame, `<frame>.jpg` beside it: a shape "mask" for each object that is seen.

    Its label is `object_<id>`, its `group_id` the id. The box includes its last row and column.
    """
    shapes = []
    for object_id, shown in objects.items():
        if shown is not None:
            left, top, width, height = shown.box
            picture = io.BytesIO()
            Image.fromarray(_in_box(shown)).save(picture, "png")
            shapes.append(
                {
                    "label": object_name(object_id),
                    "points": [[float(left), float(top)], [float(left + width - 1), float(top + height - 1)]],
                    "group_id": object_id,
                    "description": "",
                    "shape_type": "mask",
                    "flags": {},
                    "mask": base64.b64encode(picture.getvalue()).decode(),
                }
            )
    height, width = frame.image.shape[:2]
    sides = {"imageHeight": height, "imageWidth": width}
    image = {"imagePath": f"{frame.name}.jpg", "imageData": None}
    return json.dumps({"version": LABELME_VERSION, "flags": {}, "shapes": shapes} | image | sides)


VIDEOS: dict[str, tuple[str, Callable[..., contextlib.AbstractContextManager[WriteFrame]]]] = {
    "matte": ("matte_{}.mkv", write_matte),
    "prores": ("matte_{}.mov", functools.partial(write_matte, prores=True)),
}


def object_name(object_id: int) -> str:
    """Return an object's label in other programs; `given.annotations` knows it again."""
    return f"object_{object_id}"


def names(kind: str, object_ids: Sequence[int], first: str) -> list[str]:
    """Return the names of the files of a kind that are known before they are written.

    Args:
        kind: one of `options.EXPORTS`.
        object_ids: of all objects.
        first: name of the first frame.
    """
    if kind == LABELME:
        return labelme_files(first)
    return [TEXTS[kind][0]] if kind in TEXTS else [VIDEOS[kind][0].format(object_id) for object_id in object_ids]


def labelme_files(frame: str) -> list[str]:
    """Return the names of labelme's two files of a frame, by its name."""
    return [f"{LABELME}/{frame}.jpg", f"{LABELME}/{frame}.json"]


def tell_nobody(*names: str) -> None:
    """Do nothing with names of files."""


def write(
    kinds: Sequence[str],
    folder: Path,
    frames: Frames,
    name: str,
    object_ids: Sequence[int],
    tell: Callable[..., object] = tell_nobody,
) -> None:
    """Write files of several kinds of the masks in a folder of results, `masks/<frame>.png`.

    Args:
        kinds: each one of `options.EXPORTS`.
        folder: of the results.
        frames: of the video, whose times the mattes get.
        name: of the video.
        object_ids: of all objects.
        tell: called with the names of labelme's files, before they are written.

    Raises:
        InputError: if a mask cannot be read or a file cannot be written.
    """
    masks = Masks(name, Size(*frames.size), [], {object_id: [] for object_id in object_ids})
    with contextlib.ExitStack() as stack:
        mattes = [
            (object_id, stack.enter_context(open_video(folder / path.format(object_id), like=frames)))
            for path, open_video in (VIDEOS[kind] for kind in kinds if kind in VIDEOS)
            for object_id in object_ids
        ]
        for frame in frames:
            labels = read_labels(folder / mask_name(frame))
            _collect(masks, frame, labels)
            if LABELME in kinds:
                tell(*labelme_files(frame.name))
                _write_labelme(folder, frame, {object_id: shown[-1] for object_id, shown in masks.objects.items()})
            for object_id, write_frame in mattes:
                write_frame(functools.partial(_matte, labels, object_id), frame.seconds)
    for path, text in (TEXTS[kind] for kind in kinds if kind in TEXTS):
        _write_text(folder / path, text(masks))


def _write_text(path: Path, text: str) -> None:
    with named_write_errors(path), replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _write_labelme(folder: Path, frame: Frame, objects: Mapping[int, Shown | None]) -> None:
    """Write a frame and its JSON: labelme lists a folder by its pictures, and looks for the JSON beside each."""
    picture, text = (folder / path for path in labelme_files(frame.name))
    with named_write_errors(picture), replacing(picture) as temporary:
        Image.fromarray(frame.image).save(temporary, "jpeg", **JPEG)
    _write_text(text, labelme(frame, objects))


def _matte(labels: np.ndarray, object_id: int) -> np.ndarray:
    return np.where(labels == object_id, np.uint8(255), np.uint8(0))


def _collect(masks: Masks, frame: Frame, labels: np.ndarray) -> None:
    """Add the masks of a frame."""
    masks.frames.append((frame.number, frame.name, float(frame.seconds)))
    for object_id, shown in masks.objects.items():
        rle = coco_rle(labels == object_id)
        box = () if rle is None else tuple(int(side) for side in coco_mask.toBbox(rle))
        shown.append(Shown(box, rle) if rle is not None and len(box) == 4 else None)
