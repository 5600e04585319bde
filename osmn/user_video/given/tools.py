"""Masks in the JSON of labeling tools: which tool wrote it; labelme, COCO, YouTube-VIS."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from osmn.masks import Size
from osmn.user_video.given import platforms, shapes
from osmn.user_video.given.annotated import Annotated, Annotations, Shape, size_of, stem

Mask = Callable[[], np.ndarray]
NO_OBJECTS = ("_background_", "__ignore__")  # Labels of labelme.


def read(content: Any) -> Annotations:
    """Return the `Annotations` of a file's content; raise ValueError for a file of no known tool."""
    for looks, reader in TOOLS:
        if looks(content):
            return reader(content)
    raise ValueError("it is of no labeling tool that is known here")


def _labelme(content: Mapping[str, Any]) -> Annotations:
    size = size_of(content["imageWidth"], content["imageHeight"])
    found, left_out = [], []
    for number, shape in enumerate(content["shapes"]):
        kind, label = shape.get("shape_type") or "polygon", str(shape["label"])
        key = number if shape.get("group_id") is None else (label, shape["group_id"])
        if label in NO_OBJECTS:
            continue
        if kind == "mask" or shape.get("mask"):
            found.append(Shape(key, label, functools.partial(_labelme_mask, shape, size)))
        elif kind in ("polygon", "rectangle", "circle", "oriented_rectangle", "rotation"):
            drawn = functools.partial(shapes.drawn, kind, shape["points"], size)
            found.append(Shape(key, label, drawn))
        else:
            left_out.append(kind)
    return Annotations("labelme", [Annotated(stem(content.get("imagePath") or ""), None, found, left_out)])


def _labelme_mask(shape: Mapping[str, Any], size: Size) -> np.ndarray:
    """Return a shape of kind "mask": a picture in a box that includes its last row and column."""
    (left, top), _ = ((int(x), int(y)) for x, y in shape["points"])
    return shapes.placed(shapes.picture(shape["mask"]), left, top, size)


def _coco(content: Mapping[str, Any]) -> Annotations:
    names = {each["id"]: str(each.get("name", "")) for each in content.get("categories") or ()}
    of_image: dict[Any, list[Mapping[str, Any]]] = {image["id"]: [] for image in content["images"]}
    for annotation in content["annotations"]:
        if annotation["image_id"] in of_image:
            of_image[annotation["image_id"]].append(annotation)
    tracks = [_track(annotation) for annotation in content["annotations"]]
    tracked = all(track is not None for track in tracks)
    found = []
    for image in content["images"]:
        size = size_of(image["width"], image["height"])
        drawn = [
            Shape(_track(each) if tracked else number, names.get(each.get("category_id"), ""), _coco_mask(each, size))
            for number, each in enumerate(of_image[image["id"]])
        ]
        found.append(Annotated(stem(image["file_name"]), None, drawn, []))
    shown = [image for image in found if image.shapes] if len(found) > 1 else found
    return Annotations("COCO", shown, list(dict.fromkeys(tracks)) if tracked and tracks else None)


def _track(annotation: Mapping[str, Any]) -> Any:
    """Return the number of an annotation's object in a video, as CVAT writes it; None for an image."""
    attributes = annotation.get("attributes")
    found = annotation.get("track_id", attributes.get("track_id") if isinstance(attributes, dict) else None)
    return found if isinstance(found, int | str) else None


def _coco_mask(annotation: Mapping[str, Any], size: Size) -> Mask:
    segmentation = annotation.get("segmentation")
    if isinstance(segmentation, dict):
        return functools.partial(shapes.coco_rle, segmentation["counts"], Size(*segmentation["size"][::-1]))
    if segmentation:
        rings = [list(zip(ring[::2], ring[1::2], strict=True)) for ring in segmentation]
        return functools.partial(shapes.polygons, rings, size)
    left, top, width, height = annotation["bbox"]
    return functools.partial(shapes.box, (left, top, left + width, top + height), size)


def _youtube_vis(content: Mapping[str, Any]) -> Annotations:
    if len(content["videos"]) != 1:
        raise ValueError(f"{len(content['videos'])} videos; give a file of one video")
    (video,) = content["videos"]
    size = size_of(video["width"], video["height"])
    names = {each["id"]: str(each.get("name", "")) for each in content.get("categories") or ()}
    keys = [annotation["id"] for annotation in content["annotations"]]
    found = []
    for number, path in enumerate(video["file_names"]):
        drawn = []
        for each in content["annotations"]:
            rle, label = each["segmentations"][number], names.get(each.get("category_id"), "")
            if rle:
                drawn.append(Shape(each["id"], label, functools.partial(shapes.coco_rle, rle["counts"], size)))
        if drawn:
            found.append(Annotated(stem(path), None, drawn, []))
    return Annotations("YouTube-VIS", found, keys)


def _has(*names: str) -> Callable[[Any], bool]:
    """Return whether a content, or the first of a list of contents, has all these names."""

    def looks(content: Any) -> bool:
        first = content[0] if isinstance(content, list) and content else content
        return isinstance(first, dict) and set(names) <= first.keys()

    return looks


def _is_label_studio(content: Any) -> bool:
    first = content[0] if isinstance(content, list) and content else content
    if not isinstance(first, dict):
        return False
    regions = [each for value in first.values() if isinstance(value, list) for each in value if isinstance(each, dict)]
    return ("data" in first and ("annotations" in first or "completions" in first)) or any(
        "original_width" in each for each in regions
    )


TOOLS: tuple[tuple[Callable[[Any], bool], Callable[[Any], Annotations]], ...] = (
    (_has("shapes", "imageHeight", "imageWidth"), _labelme),
    (_has("videos", "annotations"), _youtube_vis),
    (_has("images", "annotations"), _coco),
    (_has("size", "objects"), platforms.supervisely),
    (_has("item", "annotations"), platforms.v7),
    (_has("data_units"), platforms.encord),
    (_is_label_studio, platforms.label_studio),
)
