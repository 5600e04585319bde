"""Shapes of labeling tools as masks: polygons, boxes, ellipses, run lengths, small pictures; all bool (H, W)."""

from __future__ import annotations

import base64
import io
import math
import zlib
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from PIL import Image, ImageDraw
from pycocotools import mask as coco_mask

from osmn.masks import Size

Points = Sequence[tuple[float, float]]  # (x, y) in pixels.
MOST_BYTES = 2**27  # Of a picture that is unpacked.
ROUND = 72  # Corners of an ellipse.


def polygons(rings: Sequence[Points], size: Size) -> np.ndarray:
    """Return the pixels in any of several polygons, as COCO's tools count them."""
    flat = [[number for point in ring for number in point] for ring in rings if len(ring) > 2]
    if not flat:
        return np.zeros(size.shape, bool)
    return np.asarray(coco_mask.decode(coco_mask.merge(coco_mask.frPyObjects(flat, *size.shape))), bool)


def box(edges: Sequence[float], size: Size, turned: float = 0) -> np.ndarray:
    """Return the pixels whose centers are in a box, (left, top, right, bottom), turned by degrees around its center."""
    left, top, right, bottom = edges
    if turned % 360:
        x, y = (left + right) / 2, (top + bottom) / 2
        corners = [(left, top), (right, top), (right, bottom), (left, bottom)]
        return polygons([[_turned(a, b, x, y, turned) for a, b in corners]], size)
    found = np.zeros(size.shape, bool)
    rows, columns = (_whole(top, bottom), _whole(left, right))
    found[rows, columns] = True
    return found


def _whole(begin: float, end: float) -> slice:
    """Return the pixels whose centers are between two places."""
    return slice(max(0, math.ceil(begin - 0.5)), max(0, math.ceil(end - 0.5)))


def hung_box(left: float, top: float, wide: float, high: float, size: Size, turned: float = 0) -> np.ndarray:
    """Return the pixels in a box that is turned clockwise around its first corner, in degrees."""
    if not turned % 360:
        return box((left, top, left + wide, top + high), size)
    corners = [(left, top), (left + wide, top), (left + wide, top + high), (left, top + high)]
    return polygons([[_turned(a, b, left, top, turned) for a, b in corners]], size)


def ellipse(placed: Sequence[float], size: Size, turned: float = 0) -> np.ndarray:
    """Return the pixels in an ellipse, (x, y, radius along x, along y), turned clockwise, in degrees."""
    x, y, across, high = placed
    angles = [2 * math.pi * i / ROUND for i in range(ROUND)]
    points = [(x + across * math.cos(angle), y + high * math.sin(angle)) for angle in angles]
    return polygons([[_turned(a, b, x, y, turned) for a, b in points]], size)


def _turned(a: float, b: float, x: float, y: float, degrees: float) -> tuple[float, float]:
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return x + (a - x) * cos - (b - y) * sin, y + (a - x) * sin + (b - y) * cos


def drawn(kind: str, points: Points, size: Size) -> np.ndarray:
    """Return a shape of labelme, drawn as labelme draws it: "polygon", "rectangle" or "circle", borders included."""
    picture = Image.new("1", size)
    pen = ImageDraw.Draw(picture)
    xy = [(float(x), float(y)) for x, y in points]
    if kind == "circle":
        (x, y), edge = xy
        radius = math.dist((x, y), edge)
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), outline=1, fill=1)
    elif kind == "rectangle" and len(xy) == 2:
        (left, right), (top, bottom) = (sorted(pair) for pair in zip(*xy, strict=True))
        pen.rectangle((left, top, right, bottom), outline=1, fill=1)
    else:  # X-AnyLabeling's rectangles have four points.
        pen.polygon(xy, outline=1, fill=1)
    return np.array(picture, bool)


def filled(outside: Points, holes: Sequence[Points], size: Size) -> np.ndarray:
    """Return a polygon of whole pixels without its holes, borders included, as OpenCV fills it."""
    found = np.zeros(size.shape, np.uint8)
    for value, ring in [(1, outside), *((0, hole) for hole in holes)]:
        cv2.fillPoly(found, [np.round(np.asarray(ring)).astype(np.int32)], value)
    return found > 0


def even_odd(rings: Sequence[Points], size: Size) -> np.ndarray:
    """Return the pixels in an odd number of polygons of whole pixels, borders included, as V7's tools count them."""
    found = np.zeros(size.shape, np.uint8)
    last = np.subtract(size, 1)
    cv2.fillPoly(found, [np.round(np.clip(np.asarray(ring, float), 0, last)).astype(np.int32) for ring in rings], 1)
    return found > 0


def placed(part: np.ndarray, left: int, top: int, size: Size) -> np.ndarray:
    """Return a mask, bool (h, w), at a place of an empty one of `size`; what is outside is cut off."""
    found = np.zeros(size.shape, bool)
    rows, columns = max(0, -top), max(0, -left)
    part = part[rows : max(0, size.height - top), columns : max(0, size.width - left)]
    found[top + rows : top + rows + part.shape[0], left + columns : left + columns + part.shape[1]] = part
    return found


def picture(text: str, packed: bool = False) -> np.ndarray:
    """Return the mask in a base64 text of a PNG, which is `packed` by zlib or not: of its alpha, else not black."""
    content = base64.b64decode(text)
    image = Image.open(
        io.BytesIO(zlib.decompressobj().decompress(content, MOST_BYTES) if packed else content), formats=["PNG"]
    )
    if image.mode in ("RGBA", "LA") or "transparency" in image.info:
        return np.asarray(image.convert("RGBA"))[..., 3] > 0
    return np.asarray(image.convert("L")) > 0 if image.mode != "P" else np.asarray(image) > 0


def runs_by_rows(counts: Sequence[int], width: int, height: int) -> np.ndarray:
    """Return the mask of run lengths row by row, first of zeros; ValueError if they are not of its size."""
    lengths = np.asarray(counts, np.int64)
    if (lengths < 0).any() or lengths.sum() != width * height:
        raise ValueError(f"run lengths of {lengths.sum()} pixels, not of {width}x{height}")
    return np.repeat(np.arange(len(lengths)) % 2 == 1, lengths).reshape(height, width)


def coco_rle(counts: Any, size: Size) -> np.ndarray:
    """Return the mask of COCO's run lengths, column by column, compressed (a text) or a list."""
    packed = counts if isinstance(counts, str | bytes) else None
    if packed is None:
        if sum(counts) != size.width * size.height:
            raise ValueError(f"run lengths of {sum(counts)} pixels, not of {size.width}x{size.height}")
        runs = {"size": list(size.shape), "counts": list(counts)}
        return np.asarray(coco_mask.decode(coco_mask.frPyObjects(runs, *size.shape)), bool)
    return np.asarray(coco_mask.decode({"size": list(size.shape), "counts": packed}), bool)


def brush(rle: Sequence[int], width: int, height: int) -> np.ndarray:
    """Return the mask of a brush of Label Studio: a packed RGBA picture, whose alpha counts.

    The packing is that of @thi.ng/rle-pack: a head (32 bits: number of values; 5: bits of a value - 1; four times 4:
    bits of a length - 1), then runs: a bit for "repeated", 2 bits for the length's bits, the length - 1, the values.
    """
    bits = np.unpackbits(np.asarray(rle, np.uint8))
    at = 0

    def read(count: int) -> int:
        nonlocal at
        if at + count > len(bits):
            raise ValueError("its brush is cut short")
        found = int.from_bytes(np.packbits(bits[at : at + count]).tobytes(), "big") >> (-count % 8)
        at += count
        return found

    number, word = read(32), read(5) + 1
    sizes = [read(4) + 1 for _ in range(4)]
    if number != width * height * 4 or word != 8:
        raise ValueError(f"a brush of {number} values, not of {width}x{height} pixels")
    values, done = np.zeros(number, np.uint8), 0
    while done < number:
        repeated = read(1)
        length = min(1 + read(sizes[read(2)]), number - done)
        if repeated:
            values[done : done + length] = read(word)
        else:
            values[done : done + length] = np.packbits(bits[at : at + 8 * length])[:length]
            at += 8 * length
        done += length
    alpha = values.reshape(height, width, 4)[..., 3]
    return alpha.astype(int) * 2 >= max(int(alpha.max()), 1)
