"""Hand-made images and annotations in the layout of COCO."""

import json

import numpy as np
from PIL import Image
from pycocotools import mask as coco_masks

from osmn.files.atomic import replacing

SIZE = (40, 30)  # Width and height of the hand-made images: 1200 pixels, of which 36 are 3 %.


def rectangle(left, top, right, bottom, size=SIZE):
    """Return a mask, uint8 of 0 and 1, of an image of `size`; right and bottom are exclusive."""
    mask = np.zeros(size[::-1], np.uint8)
    mask[top:bottom, left:right] = 1
    return mask


def polygon(left, top, right, bottom):
    """Return the corners of a rectangle as COCO's list x, y, x, y, ..."""
    return [left, top, right, top, right, bottom, left, bottom]


def uncompressed(mask):
    """Return a mask as COCO's runs: column by column, of 0 and 1 in turn."""
    pixels = np.r_[0, mask.ravel(order="F"), 2]
    changes = np.flatnonzero(np.diff(pixels))
    runs = np.diff(np.r_[0, changes]).tolist()
    return {"size": list(mask.shape), "counts": runs}


def compressed(mask):
    """Return a mask as COCO's compressed runs, a text."""
    code = coco_masks.encode(np.asfortranarray(mask))
    return {"size": code["size"], "counts": code["counts"].decode()}


def write_image(root, number, pixels, split="train2017"):
    """Write an image as a JPEG; return its entry in the list of images."""
    with replacing(root / split / f"{number:012d}.jpg") as temporary:
        Image.fromarray(pixels).save(temporary, quality=95)
    return {"id": number, "file_name": f"{number:012d}.jpg", "height": pixels.shape[0], "width": pixels.shape[1]}


def write_annotations(root, images, segmentations, split="train2017"):
    """Write annotations 101, 102, ... of [(image's id, segmentation, other keys)]."""
    annotations = [
        {"id": 101 + n, "image_id": image, "segmentation": segmentation, "category_id": 1, "iscrowd": 0} | more
        for n, (image, segmentation, more) in enumerate(segmentations)
    ]
    path = root / f"annotations/instances_{split}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"images": images, "annotations": annotations}))
    return path


def dataset(root, *segmentations):
    """Write a COCO folder of one image and these segmentations, or (segmentation, other keys)."""
    image = write_image(root, 1, np.full((*SIZE[::-1], 3), 90, np.uint8))
    pairs = [s if isinstance(s, tuple) else (s, {}) for s in segmentations]
    return write_annotations(root, [image], [(1, segmentation, more) for segmentation, more in pairs])


def write_left(root):
    """Write a COCO folder of an object on the left, red in its left half and blue in its right one; return `root`."""
    pixels = np.full((*SIZE[::-1], 3), 90, np.uint8)
    pixels[4:26, 2:10], pixels[4:26, 10:18] = (250, 0, 0), (0, 0, 250)
    write_annotations(root, [write_image(root, 1, pixels)], [(1, [polygon(2, 4, 18, 26)], {})])
    return root
