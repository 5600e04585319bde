"""Masks in the JSON of labeling platforms: Label Studio, Supervisely, V7, Encord."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from osmn.masks import Size
from osmn.user_video.given import shapes
from osmn.user_video.given.annotated import Annotated, Annotations, Shape, size_of, stem

Mask = Callable[[], np.ndarray]


def label_studio(content: Any) -> Annotations:
    """Return the `Annotations` of tasks of Label Studio, exported as JSON or JSON-MIN."""
    tasks = content if isinstance(content, list) else [content]
    found = [_task(task) for task in tasks]
    return Annotations("Label Studio", [image for image in found if image.shapes or image.left_out])


def _task(task: Mapping[str, Any]) -> Annotated:
    """Return the image of a task, of the export JSON or JSON-MIN."""
    if "annotations" in task or "completions" in task:
        made = task.get("annotations") or task.get("completions") or ()
        results: list[dict[str, Any]] = next((each["result"] for each in made if not each.get("was_cancelled")), [])
        texts = [value for value in (task.get("data") or {}).values() if isinstance(value, str)]
        image = next((text for text in texts if "." in text), task.get("file_upload") or "")
    else:
        lists = [value for value in task.values() if isinstance(value, list)]
        results = [each for value in lists for each in value if isinstance(each, dict)]
        results = [each if "value" in each else each | {"value": each} for each in results]
        image = next((value for value in task.values() if isinstance(value, str) and "." in value), "")
    drawn, left_out = [], []
    for number, result in enumerate(results):
        value = result["value"]
        mask = _region(value, result)
        if mask is not None:
            labels = next((value[name] for name in value if name.endswith("labels") and value[name]), [""])
            drawn.append(Shape(result.get("id", number), str(labels[0]), mask))
        elif "original_width" in result or result.get("type", "").endswith("labels"):
            left_out.append(str(result.get("type", "a region")))
    return Annotated(_uploaded(image), None, drawn, left_out)


def _uploaded(image: str) -> str:
    """Return an image's name as it was before its upload, which puts 8 hexadecimal digits and "-" before it."""
    name = stem(image)
    head, dash, rest = name.partition("-")
    return rest if dash and len(head) == 8 and all(letter in "0123456789abcdef" for letter in head) else name


def _region(value: Mapping[str, Any], result: Mapping[str, Any]) -> Mask | None:
    """Return the mask of a region of Label Studio, whose numbers are percent; None for a region that is no area."""
    if "original_width" not in result:
        return None
    size = size_of(result["original_width"], result["original_height"])
    x, y = size.width / 100, size.height / 100
    turned = float(value.get("rotation") or 0)
    if "rle" in value:
        return functools.partial(shapes.brush, value["rle"], *size)
    if "points" in value:
        return functools.partial(shapes.polygons, [[(a * x, b * y) for a, b in value["points"]]], size)
    if "radiusX" in value:
        placed = value["x"] * x, value["y"] * y, value["radiusX"] * x, value["radiusY"] * y
        return functools.partial(shapes.ellipse, placed, size, turned)
    if {"x", "y", "width", "height"} <= value.keys():
        left, top, wide, high = value["x"] * x, value["y"] * y, value["width"] * x, value["height"] * y
        return functools.partial(shapes.hung_box, left, top, wide, high, size, turned)
    return None


def supervisely(content: Mapping[str, Any]) -> Annotations:
    """Return the `Annotations` of an image or a video of Supervisely."""
    size = size_of(content["size"]["width"], content["size"]["height"])
    if "frames" not in content:
        numbered = enumerate(content["objects"])
        found = [_figure(number, each.get("classTitle", ""), each, size) for number, each in numbered]
        return Annotations("Supervisely", [Annotated("", None, *_sorted(found))])
    titles = {each["key"]: each.get("classTitle", "") for each in content["objects"]}
    frames = []
    for frame in content["frames"]:
        figures = [(each["objectKey"], each | {"bitmap": None} | each["geometry"]) for each in frame["figures"]]
        found = [_figure(key, titles[key], each, size) for key, each in figures]
        if found:
            frames.append(Annotated("", int(frame["index"]), *_sorted(found)))
    return Annotations("Supervisely", frames, list(titles))


def _sorted(found: Iterable[Shape | str]) -> tuple[list[Shape], list[str]]:
    """Return the shapes, and the kinds of those that are no areas."""
    listed = list(found)
    return [each for each in listed if isinstance(each, Shape)], [each for each in listed if isinstance(each, str)]


def _figure(key: Any, label: str, figure: Mapping[str, Any], size: Size) -> Shape | str:
    kind = figure["geometryType"]
    if kind == "bitmap":
        left, top = map(int, figure["bitmap"]["origin"])
        data = figure["bitmap"]["data"]
        return Shape(key, label, lambda: shapes.placed(shapes.picture(data, packed=True), left, top, size))
    if kind == "polygon":
        points = figure["points"]
        return Shape(key, label, lambda: shapes.filled(points["exterior"], points.get("interior") or (), size))
    if kind == "rectangle":
        corners = figure["points"]["exterior"]
        return Shape(key, label, lambda: shapes.drawn("rectangle", corners, size))
    return str(kind)


def v7(content: Mapping[str, Any]) -> Annotations:
    """Return the `Annotations` of an image or a video of V7 (Darwin JSON 2)."""
    item = content["item"]
    slot = item["slots"][0]
    size = size_of(slot["width"], slot["height"])
    annotations = content["annotations"]
    keys = [each["id"] for each in annotations if "raster_layer" not in each and "raster_layer" not in _any_frame(each)]
    numbers = sorted({int(number) for each in annotations for number in each.get("frames") or ()})
    if not any("frames" in each for each in annotations):
        return Annotations("V7", [Annotated(stem(item["name"]), None, *_v7_shapes(annotations, size))])
    frames = []
    for number in numbers:
        here = [each | each["frames"][str(number)] for each in annotations if str(number) in (each.get("frames") or ())]
        frames.append(Annotated("", number, *_v7_shapes(here, size)))
    return Annotations("V7", [frame for frame in frames if frame.shapes], keys)


def _any_frame(annotation: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = next(iter((annotation.get("frames") or {}).values()), {})
    return found


def _v7_shapes(annotations: Iterable[Mapping[str, Any]], size: Size) -> tuple[list[Shape], list[str]]:
    listed = list(annotations)
    values: dict[str, tuple[np.ndarray, int]] = {}
    for each in listed:
        layer = each.get("raster_layer")
        if layer:
            pairs = np.asarray(layer["dense_rle"], np.int64).reshape(-1, 2)
            if pairs[:, 1].sum() != size.width * size.height:
                raise ValueError(f"run lengths of {pairs[:, 1].sum()} pixels, not of {size.width}x{size.height}")
            labels = np.repeat(pairs[:, 0], pairs[:, 1]).reshape(size.shape)
            values |= {key: (labels, value) for key, value in layer["mask_annotation_ids_mapping"].items()}
    found, left_out = [], []
    for each in listed:
        key, label = each["id"], str(each.get("name", ""))
        if key in values:
            found.append(Shape(key, label, functools.partial(np.equal, *values[key])))
        elif each.get("polygon"):
            rings = [[(point["x"], point["y"]) for point in ring] for ring in each["polygon"]["paths"]]
            found.append(Shape(key, label, functools.partial(shapes.even_odd, rings, size)))
        elif each.get("ellipse"):
            center, radius, turned = (each["ellipse"].get(name) for name in ("center", "radius", "angle"))
            placed = center["x"], center["y"], radius["x"], radius["y"]
            found.append(Shape(key, label, functools.partial(shapes.ellipse, placed, size, math.degrees(turned or 0))))
        elif each.get("bounding_box") and not {"raster_layer", "line", "keypoint", "skeleton", "mask"} & each.keys():
            b = each["bounding_box"]
            corners = b["x"], b["y"], b["x"] + b["w"], b["y"] + b["h"]
            found.append(Shape(key, label, functools.partial(shapes.box, corners, size)))
        elif "raster_layer" not in each and "mask" not in each:
            left_out.append(next((kind for kind in ("line", "keypoint", "skeleton", "tag") if kind in each), "a shape"))
    return found, left_out


def encord(content: Any) -> Annotations:
    """Return the `Annotations` of label rows of Encord, of images or a video."""
    rows = content if isinstance(content, list) else [content]
    images, keys = [], dict[Any, None]()
    for row in rows:
        for unit in row["data_units"].values():
            labels = unit["labels"]
            is_image = "objects" in labels or not labels
            frames = {None: labels} if is_image else {int(i): each for i, each in labels.items()}
            for number, of_frame in frames.items():
                size = size_of(unit["width"], unit["height"])
                found = [_encord_object(each, size) for each in of_frame.get("objects", ())]
                keys |= dict.fromkeys(each.key for each in found if isinstance(each, Shape))
                name = stem(unit.get("data_title", "")) if number is None else ""
                if found:
                    images.append(Annotated(name, number, *_sorted(found)))
    return Annotations("Encord", images, list(keys))


def _encord_object(each: Mapping[str, Any], size: Size) -> Shape | str:
    """Return an object of Encord: points and boxes are shares of the sides; run lengths are COCO's code, by rows."""
    key, label = each["objectHash"], str(each.get("name", ""))
    if "bitmask" in each:
        part = each["bitmask"]
        turned = Size(int(part["height"]), int(part["width"]))
        left, top = int(part.get("left", 0)), int(part.get("top", 0))
        return Shape(key, label, lambda: shapes.placed(shapes.coco_rle(part["rleString"], turned).T, left, top, size))
    if "polygon" in each:
        ordered = [each["polygon"][i] for i in sorted(each["polygon"], key=int)]
        points = [(point["x"] * size.width, point["y"] * size.height) for point in ordered]
        return Shape(key, label, lambda: shapes.polygons([points], size))
    if "boundingBox" in each:
        left, top, wide, high = (each["boundingBox"][name] for name in ("x", "y", "w", "h"))
        edges = np.multiply((left, top, left + wide, top + high), (*size, *size)).tolist()
        return Shape(key, label, lambda: shapes.box(edges, size))
    return str(each.get("shape", "a shape"))
