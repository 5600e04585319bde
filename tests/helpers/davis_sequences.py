"""Hand-made sequences in the layout of DAVIS, preprocessed."""

import numpy as np
from PIL import Image

from osmn.files.images import write_labels, write_mask

SIZE = (50, 20)  # Width and height of the hand-made datasets: 1000 pixels.


def rectangle(left, top, width, height):
    """Return a mask of the hand-made size, bool."""
    mask = np.zeros(SIZE[::-1], bool)
    mask[top : top + height, left : left + width] = True
    return mask


BOX = rectangle(5, 5, 10, 10)
EMPTY = rectangle(0, 0, 0, 0)


def write_sequence(root, name, objects, split="train"):
    """Write black frames and {object id: masks} as `preprocess_davis.py` leaves them, and add `name` to the split."""
    for masks in zip(*objects.values(), strict=True):
        folder = root / "JPEGImages/480p" / name
        folder.mkdir(parents=True, exist_ok=True)
        frame = f"{len(list(folder.iterdir())):05d}"
        Image.new("RGB", SIZE).save(folder / f"{frame}.jpg")
        for object_id, mask in zip(objects, masks, strict=True):
            write_mask(root / f"Annotations/480p_split/{name}/{object_id}/{frame}.png", mask)
        write_mask(root / f"Annotations/480p_all/{name}/{frame}.png", np.any(masks, axis=0))
        write_labels(root / f"Annotations/480p/{name}/{frame}.png", masks[0])
    for version in (2016, 2017):
        path = root / f"ImageSets/{version}/{split}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a") as file:
            file.write(f"{name}\n")


def names_of_split(root, name):
    """Return the names of the sequences of a split."""
    return (root / f"ImageSets/2017/{name}.txt").read_text().split()
