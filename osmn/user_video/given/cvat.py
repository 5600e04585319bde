"""Masks of CVAT: its XML 1.1, for video and for images."""

from __future__ import annotations

import functools
from collections.abc import Hashable
from typing import cast
from xml.etree import ElementTree

import numpy as np

from osmn.masks import Size
from osmn.user_video.given import shapes
from osmn.user_video.given.annotated import Annotated, Annotations, Shape, size_of, stem

AREAS = ("polygon", "box", "mask", "ellipse")


def read(content: bytes) -> Annotations:
    """Return the `Annotations` of a file of CVAT; raise ValueError for another XML file."""
    root = ElementTree.fromstring(content)
    if root.tag != "annotations":
        raise ValueError("it is no XML of CVAT")
    images = [
        _annotated(stem(image.attrib["name"]), None, list(image), _size(image, root)) for image in root.iter("image")
    ]
    if images:
        return Annotations("CVAT", [image for image in images if image.shapes or image.left_out])
    tracks = list(root.iter("track"))
    shown = [[each for each in track if "frame" in each.attrib and each.get("outside") != "1"] for track in tracks]
    # CVAT has no tracks of masks: it writes each mask as a track of one frame. An object is then known by its label.
    alone = all(len(of_track) == 1 for of_track in shown if any(each.tag == "mask" for each in of_track))
    frames: dict[int, list[tuple[Hashable, str, ElementTree.Element]]] = {}
    keys: list[Hashable] = []
    for number, (track, of_track) in enumerate(zip(tracks, shown, strict=True)):
        for element in of_track:
            here = frames.setdefault(int(element.attrib["frame"]), [])
            label, key = track.attrib["label"], cast(Hashable, number)
            if alone and element.tag == "mask":
                key = label, sum(other == label and each.tag == "mask" for _, other, each in here)
            here.append((key, label, element))
            keys.append(key)
    size = _size(None, root) if frames else Size(1, 1)
    found = []
    for frame, elements in sorted(frames.items()):
        areas = [Shape(key, label, _mask(each, size)) for key, label, each in elements if each.tag in AREAS]
        found.append(Annotated("", frame, areas, [each.tag for _, _, each in elements if each.tag not in AREAS]))
    return Annotations("CVAT", found, list(dict.fromkeys(keys)))


def _annotated(name: str, number: int | None, elements: list[ElementTree.Element], size: Size) -> Annotated:
    ordered = sorted(elements, key=lambda each: int(each.attrib.get("z_order", 0)))
    areas = [Shape(i, e.attrib.get("label", ""), _mask(e, size)) for i, e in enumerate(ordered) if e.tag in AREAS]
    return Annotated(name, number, areas, [each.tag for each in elements if each.tag not in (*AREAS, "tag")])


def _size(image: ElementTree.Element | None, root: ElementTree.Element) -> Size:
    """Return the size of an image, else that of the video."""
    if image is not None and "width" in image.attrib:
        return size_of(image.attrib["width"], image.attrib["height"])
    original = root.find(".//original_size")
    if original is None:
        raise ValueError("it lacks the video's size, original_size")
    return size_of(original.findtext("width"), original.findtext("height"))


def _mask(element: ElementTree.Element, size: Size) -> functools.partial[np.ndarray]:
    return functools.partial(_drawn, element.tag, dict(element.attrib), size)


def _drawn(kind: str, given: dict[str, str], size: Size) -> np.ndarray:
    turned = float(given.get("rotation", 0))
    if kind == "polygon":
        ring = [tuple(map(float, pair.split(","))) for pair in given["points"].split(";")]
        return shapes.polygons([[(x, y) for x, y in ring]], size)
    if kind == "box":
        return shapes.box([float(given[name]) for name in ("xtl", "ytl", "xbr", "ybr")], size, turned)
    if kind == "ellipse":
        return shapes.ellipse([float(given[name]) for name in ("cx", "cy", "rx", "ry")], size, turned)
    width, height = int(given["width"]), int(given["height"])
    part = shapes.runs_by_rows([int(count) for count in given["rle"].split(",")], width, height)
    return shapes.placed(part, int(given["left"]), int(given["top"]), size)
