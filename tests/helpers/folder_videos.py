"""Hand-made videos in folders: rectangles on a ground, with masks in either layout."""

import numpy as np

from osmn.files.images import write_image, write_labels

SIZE = (64, 48)  # Width and height.
COLORS = {1: (230, 60, 40), 2: (40, 80, 230), 3: (240, 220, 60)}


def box(left, top, width, height):
    """Return a mask, bool."""
    mask = np.zeros(SIZE[::-1], bool)
    mask[top : top + height, left : left + width] = True
    return mask


def write_frames(folder, masks, names):
    """Write a frame for each {object id: mask}: the objects in their colors on gray, as PNGs, which lose nothing."""
    folder.mkdir(parents=True)
    for name, objects in zip(names, masks, strict=True):
        frame = np.full((*SIZE[::-1], 3), 90, np.uint8)
        for object_id, mask in objects.items():
            frame[mask] = COLORS[object_id]
        write_image(folder / f"{name}.png", frame)


def write_label_masks(folder, masks, names, void=None):
    """Write an indexed PNG of each {object id: mask}; `void` is a mask of pixels of label 255."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, objects in zip(names, masks, strict=True):
        labels = np.zeros(SIZE[::-1], np.uint8)
        for object_id, mask in objects.items():
            labels[mask] = object_id
        if void is not None:
            labels[void] = 255
        write_labels(folder / f"{name}.png", labels)


def write_own_masks(folder, masks, names, objects):
    """Write a binary PNG for each object and frame, <folder of `objects`, {object id: name}>/<name>.png."""
    for object_id, title in objects.items():
        (folder / title).mkdir(parents=True)
        for name, of_frame in zip(names, masks, strict=True):
            write_labels(folder / title / f"{name}.png", of_frame[object_id].astype(np.uint8))
