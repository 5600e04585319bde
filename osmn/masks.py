"""Masks as arrays: merging objects into labels, resizing labels, their colors, and drawing them over an image."""

import functools
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image

OPACITY = 0.5  # Of the colors in an overlay.
FEW = 8  # Labels that are looked for one by one.
HALF = 128  # Of a gray mask with soft borders: from here on it shows the object.


class Size(NamedTuple):
    """A size in pixels, in the order of image files and options: the width first. Arrays have the height first."""

    width: int
    height: int

    @classmethod
    def of(cls, image: np.ndarray) -> "Size":
        """Return the size of an image or a mask, (H, W) or (H, W, C)."""
        return cls(image.shape[1], image.shape[0])

    @property
    def shape(self) -> tuple[int, int]:
        """The (height, width), as arrays have it."""
        return self.height, self.width


def merge(
    probabilities: Sequence[np.ndarray] | np.ndarray, object_ids: Sequence[int], background: float = 0.5
) -> np.ndarray:
    """Return uint8 (H, W) ids from probability maps (H, W), one per object: the largest wins, if above `background`.

    Other pixels get the id 0. The order of the objects does not matter: of equal probabilities the smaller id wins.
    """
    pairs = sorted(zip(object_ids, probabilities, strict=True), key=lambda pair: pair[0])
    best = np.full(np.shape(probabilities[0]), background, np.float32)
    labels = np.zeros(best.shape, np.uint8)
    for object_id, probability in pairs:
        ahead = probability > best
        np.copyto(labels, object_id, where=ahead)
        np.copyto(best, probability, where=ahead)
    return labels


def labelled(objects: Mapping[int, np.ndarray], shape: tuple[int, int]) -> np.ndarray:
    """Return ids, uint8 of `shape` (H, W), from {object id: bool (H, W)}, else 0; the last object wins an overlap."""
    labels = np.zeros(shape, np.uint8)
    for object_id, mask in objects.items():
        labels[mask] = object_id
    return labels


def with_objects(labels: np.ndarray, objects: Mapping[int, np.ndarray]) -> np.ndarray:
    """Return `labels`, uint8 (H, W), with the objects {object id: bool (H, W)} exactly where their masks are."""
    for object_id, mask in objects.items():
        labels = np.where(labels == object_id, 0, labels)
        labels = np.where(mask, object_id, labels).astype(np.uint8)
    return labels


def labels_in(labels: np.ndarray) -> tuple[int, ...]:
    """Return the values above 0 in labels, uint8 (H, W), in their order."""
    largest = int(labels.max(initial=0))
    if largest <= FEW:  # A tenth of the time of counting, of which a video has one per frame.
        return tuple(label for label in range(1, largest + 1) if label == largest or (labels == label).any())
    return tuple((np.flatnonzero(np.bincount(labels.ravel())[1:]) + 1).tolist())


def of_object(labels: np.ndarray) -> np.ndarray:
    """Return the mask, bool (H, W), of the object that labels, uint8 (H, W), show alone; 255 beside others is void."""
    shown: np.ndarray = (labels > 0) & (labels < 255)
    return shown if shown.any() else labels == 255


def without_soft_borders(labels: np.ndarray) -> np.ndarray:
    """Return a gray mask, uint8 (H, W), with soft borders as 0 and 255: half and more is the object; others as it is.

    Borders are soft where smoothing or resizing has left shades between black and white: three shades at least, one of
    them in the upper half, in bands where hardly a pixel is like its neighbors, as pixels of an object are.
    """
    counts = Image.fromarray(labels).histogram()  # A quarter of the time of NumPy's.
    if not any(counts[HALF:]) or np.count_nonzero(counts[1:255]) < 3:
        return labels
    inner = labels[:-1, :-1].astype(np.int16)
    shades = (inner > 0) & (inner < 255)
    steps = np.stack([labels[:-1, 1:] - inner, labels[1:, :-1] - inner])[:, shades]
    if not steps.size or np.mean((steps == 0).all(axis=0)) > 0.3:
        return labels
    gentle = np.abs(steps).mean() < 48  # A blurred border; smoothed ones have narrow bands.
    soft = gentle or sum(counts[1:255]) <= counts[255]
    return np.where(labels >= HALF, np.uint8(255), np.uint8(0)) if soft else labels


def resized(labels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return labels, uint8 (H, W), or a mask, bool (H, W), at `size` (width, height), nearest neighbor."""
    width, height = size
    if labels.shape == (height, width):
        return labels
    if labels.dtype == bool:
        return resized(labels.astype(np.uint8), size).astype(bool)
    rows, columns = _nearest(labels.shape[0], height), _nearest(labels.shape[1], width)
    if height < len(labels):
        return labels.take(rows, 0).take(columns, 1)
    return labels.take(columns, 1).take(rows, 0)


@functools.lru_cache(64)
def _nearest(old: int, new: int) -> np.ndarray:
    """Return the pixels, int (new,), of `old` in a row that `new` pixels are nearest to.

    They are Pillow's, as in the published program, in half of its time: it adds up steps from pixel to pixel, whose
    rounding decides where a new pixel's center is between two old ones.
    """
    step = old / new
    return np.cumsum(np.append(step / 2, np.full(new - 1, step))).astype(np.intp)


def covered_shares(mask: np.ndarray) -> tuple[float, float]:
    """Return the share of the image and of its own box that a bool (H, W) mask covers; (0, 0) for an empty mask."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not rows.size:
        return 0.0, 0.0
    area = mask.sum()
    return area / mask.size, area / ((rows[-1] - rows[0] + 1) * (columns[-1] - columns[0] + 1))


def shows_enough(shares: tuple[float, float], validity: tuple[float, float]) -> bool:
    """Tell whether `covered_shares` are above those that a mask for a visual guide must cover, of image and box."""
    return shares[0] > validity[0] and shares[1] > validity[1]


@functools.cache
def davis_palette() -> tuple[int, ...]:
    """Return the DAVIS (PASCAL VOC) palette, 768 ints in 0..255: color i spreads the bits of i over R, G, B."""
    ids = np.arange(256)
    palette = np.zeros((256, 3), int)
    for bit in range(8):
        for channel in range(3):
            palette[:, channel] |= (ids >> channel & 1) << (7 - bit)
        ids >>= 3
    return tuple(palette.ravel().tolist())


@functools.cache
def bright_palette() -> np.ndarray:
    """Return the colors of an overlay, uint8 (256, 3), read-only: those of DAVIS, as bright as possible."""
    colors = np.reshape(davis_palette(), (256, 3))
    bright: np.ndarray = (colors * (255 / np.maximum(colors.max(axis=-1, keepdims=True), 1))).astype(np.uint8)
    bright.flags.writeable = False
    return bright


def overlay(image: np.ndarray, labels: np.ndarray, palette: np.ndarray | None = None) -> np.ndarray:
    """Return an RGB image, uint8 (H, W, 3), with the objects of `labels`, uint8 (H, W), tinted and outlined.

    `palette` has the objects' colors, uint8 (256, 3); by default `bright_palette()`.
    """
    import cv2  # Here, because most callers of this module draw nothing.

    drawn: np.ndarray = image.copy()
    left, top, width, height = cv2.boundingRect(labels)
    if not width:
        return drawn
    # Only the box of the objects, one pixel wider, changes; it is mostly a small part of the image.
    part = np.s_[max(0, top - 1) : top + height + 1, max(0, left - 1) : left + width + 1]
    labels = labels[part]
    if labels.max() == 255:  # A binary mask has the values 0 and 255.
        labels = np.where(labels == 255, np.uint8(1), labels)
    inside = (labels > 0).astype(np.uint8)
    colors = cv2.LUT(cv2.merge([labels] * 3), (bright_palette() if palette is None else palette)[None])
    square, cross = np.ones((3, 3), np.uint8), np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], np.uint8)
    edge = (cv2.dilate(labels, square) != cv2.erode(labels, square)).astype(np.uint8)
    outline: np.ndarray = cv2.dilate(edge & inside, cross)
    outline = outline & inside
    pixels = np.ascontiguousarray(drawn[part])
    # The last number rounds halves down.
    cv2.copyTo(cv2.addWeighted(pixels, 1 - OPACITY, colors, OPACITY, -0.25), inside, pixels)
    cv2.copyTo(colors, outline, pixels)
    cv2.copyTo(np.full_like(pixels, 255), edge & ~inside & 1, pixels)
    drawn[part] = pixels
    return drawn
