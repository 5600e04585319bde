"""Masks as arrays: objects merged into labels, labels at another size, their colours, and over a photograph."""

import numpy as np
from PIL import Image

OPACITY = 0.5  # of an overlay


def merge(probabilities, object_ids, background=0.5):
    """Return uint8 (H, W) ids from probability maps (H, W), one per object: the largest wins, if above `background`.

    Elsewhere the id is 0. Objects are taken in numeric order, whatever the order given: of equal probabilities the
    smaller id wins.
    """
    pairs = sorted(zip(object_ids, probabilities, strict=True), key=lambda pair: pair[0])
    best = np.full(np.shape(probabilities[0]), background, np.float32)
    labels = np.zeros(best.shape, np.uint8)
    for object_id, probability in pairs:
        ahead = probability > best
        labels[ahead] = object_id
        best = np.where(ahead, probability, best)
    return labels


def labelled(objects, shape):
    """Return ids, uint8 of `shape` (H, W), from {object id: bool (H, W)}; 0 elsewhere, the last one's in an overlap."""
    labels = np.zeros(shape, np.uint8)
    for object_id, mask in objects.items():
        labels[mask] = object_id
    return labels


def with_objects(labels, objects):
    """Return `labels`, uint8 (H, W), in which {object id: bool (H, W)} are where their masks say, and nowhere else."""
    for object_id, mask in objects.items():
        labels = np.where(labels == object_id, 0, labels)
        labels = np.where(mask, object_id, labels).astype(np.uint8)
    return labels


def resized(labels, size):
    """Return labels, uint8 (H, W), or a mask, bool (H, W), at `size` (width, height), nearest neighbour."""
    if labels.shape[::-1] == tuple(size):
        return labels
    if labels.dtype == bool:
        return resized(labels.astype(np.uint8), size).astype(bool)
    return np.asarray(Image.fromarray(labels).resize(tuple(size), Image.Resampling.NEAREST))


def covered_shares(mask):
    """Return the share of the image and of its own box that a bool (H, W) mask covers; (0, 0) for an empty mask."""
    rows, columns = mask.any(axis=1).nonzero()[0], mask.any(axis=0).nonzero()[0]
    if not rows.size:
        return 0.0, 0.0
    area = mask.sum()
    return area / mask.size, area / ((rows[-1] - rows[0] + 1) * (columns[-1] - columns[0] + 1))


def davis_palette():
    """Return the DAVIS (PASCAL VOC) palette, 768 ints in 0..255: colour i spreads the bits of i over R, G, B."""
    ids = np.arange(256)
    palette = np.zeros((256, 3), int)
    for bit in range(8):
        for channel in range(3):
            palette[:, channel] |= (ids >> channel & 1) << (7 - bit)
        ids >>= 3
    return palette.ravel().tolist()


def bright_palette():
    """Return the colours of an overlay, uint8 (256, 3): those of DAVIS, but as bright as can be, so as to stand out."""
    colors = np.reshape(davis_palette(), (256, 3))
    return (colors * (255 / np.maximum(colors.max(axis=-1, keepdims=True), 1))).astype(np.uint8)


def overlay(image, labels):
    """Return an RGB image, uint8 (H, W, 3), with the objects of `labels`, uint8 (H, W), tinted and outlined."""
    import cv2  # Only where something is drawn.

    drawn = image.copy()
    left, top, width, height = cv2.boundingRect(labels)
    if not width:
        return drawn
    # All that changes, which is mostly a small part: the objects and a pixel around them.
    part = np.s_[max(0, top - 1) : top + height + 1, max(0, left - 1) : left + width + 1]
    labels = np.where(labels[part] == 255, np.uint8(1), labels[part])  # Binary results are 0 and 255.
    inside = (labels > 0).astype(np.uint8)
    colors = cv2.LUT(cv2.merge([labels] * 3), bright_palette()[None])
    square, cross = np.ones((3, 3), np.uint8), np.uint8([[0, 1, 0], [1, 1, 1], [0, 1, 0]])
    edge = (cv2.dilate(labels, square) != cv2.erode(labels, square)).astype(np.uint8)
    outline = cv2.dilate(edge & inside, cross) & inside
    pixels = np.ascontiguousarray(drawn[part])
    # The last number has halves rounded down.
    cv2.copyTo(cv2.addWeighted(pixels, 1 - OPACITY, colors, OPACITY, -0.25), inside, pixels)
    cv2.copyTo(colors, outline, pixels)
    cv2.copyTo(np.full_like(pixels, 255), edge & ~inside & 1, pixels)
    drawn[part] = pixels
    return drawn
