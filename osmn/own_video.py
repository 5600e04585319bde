"""A stranger's own video: objects that are given by masks or boxes, followed to masks and an overlay to look at."""

import hashlib
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from osmn.errors import InputError
from osmn.files import read_labels, replacing, write_labels, write_scores
from osmn.masks import overlay, resized
from osmn.threads import WriteBehind
from osmn.video import position
from osmn.video_writer import write_overlay

ASPECT_TOLERANCE = 0.02  # Of a mask's width over height, relative to the video's: rounded sides differ by less.


class Given(NamedTuple):
    """Objects that are given at a place of a video.

    Attributes:
        place: a frame's number (int) or time (Fraction, seconds); None for the first frame that is used.
        path: the mask: a PNG of object ids, 0 for the background.
    """

    place: object
    path: Path

    def is_at(self, frame):
        """Tell whether a `video.Frame` is the first one at or after the place."""
        if self.place is None:
            return True
        return (frame.number if isinstance(self.place, int) else frame.seconds) >= self.place


def parse_given(text):
    """Return the `Given` of "FILE", or of "PLACE:FILE" with a frame (120) or a time (4.5s, 1:02.5)."""
    place, colon, path = text.rpartition(":")
    if not colon or Path(text).is_file():
        return Given(None, Path(text))
    try:
        return Given(position(place), Path(path))
    except ValueError as error:
        raise InputError(f"--mask {text}: {error}") from None


def check(given, size):
    """Read all masks for a video of `size` before hours are spent on it; say which of them are resized."""
    for each in given:
        if read_objects(each.path, size)[1]:
            print(f"{each.path} is resized to the video's size, {size[0]}x{size[1]}")


def described(path, given):
    """Return {option: value} of a video and of what is given in it, for a manifest."""
    masks = [[str(each.place), hashlib.sha256(each.path.read_bytes()).hexdigest()] for each in given]
    return {"input": str(path), "masks": masks}


def give_boxes(frames, boxes, folder):
    """Return the `Given` of boxes in the first frame: `first_mask.png` in `folder`, beside `first_frame.png`."""
    image = frames.first.image
    path = Path(folder) / "first_mask.png"
    write_box_mask(path, image, boxes)
    with replacing(path.with_name("first_frame.png")) as temporary:
        Image.fromarray(image).save(temporary)
    print(f"{path} is what GrabCut finds in the boxes of {path.with_name('first_frame.png')}; look at it")
    return [Given(None, path)]


def read_objects(path, size):
    """Return {object id: bool (H, W)} of a mask's file for a video of `size`, and whether it was resized to that.

    `size` is (width, height). A mask of 0 and 255 alone is one object, 1. Raises InputError, naming the file, for a
    mask without objects or of another aspect ratio than the video.
    """
    labels = read_labels(path)
    height, width = labels.shape
    if abs(width / height / (size[0] / size[1]) - 1) > ASPECT_TOLERANCE:
        raise InputError(
            f"{path} is {width}x{height}, the video {size[0]}x{size[1]}; draw the mask on one of its frames"
        )
    ids = [int(i) for i in np.unique(labels) if i]
    if not ids:
        raise InputError(f"{path} shows no object: every pixel is 0; paint objects in 1, 2, ...")
    if ids == [255]:
        labels, ids = labels // 255, [1]
    whole = resized(labels, size)
    return {i: whole == i for i in ids}, (width, height) != tuple(size)


def grabcut(image, box):
    """Return the object in a box, bool (H, W), by GrabCut.

    Args:
        image: uint8 (H, W, 3), RGB.
        box: (x, y, width, height) in pixels, wholly or partly in the image.
    """
    import cv2  # Only where there is a box.

    mask = np.zeros(image.shape[:2], np.uint8)
    models = np.zeros((2, 1, 65))
    cv2.grabCut(image[..., ::-1].copy(), mask, tuple(box), *models, 5, cv2.GC_INIT_WITH_RECT)
    return (mask == cv2.GC_FGD) | (mask == cv2.GC_PR_FGD)


class Summary(NamedTuple):
    """What was done: frames segmented, ids of the objects, and packets skipped because they are damaged."""

    frames: int
    object_ids: tuple
    damaged: int


def segment(predictor, frames, given, folder, save_score=False, progress=lambda: None):
    """Follow the objects of a video; write `masks/<frame>.png` and `overlay.mp4` into `folder`.

    Masks are indexed, of the video's size. In a frame where objects are given, theirs are the given masks.

    Args:
        predictor: `Predictor`.
        frames: `video.Frames`.
        given: list of `Given`; an object that is given again is corrected from there on.
        folder: of the results.
        save_score: write `scores/<object>/<frame>.npy` too, float32 probabilities of the network's size.
        progress: called per frame.

    Returns:
        Summary.
    """
    folder, left, count = Path(folder), list(given), 0
    with WriteBehind() as write, write_overlay(folder / "overlay.mp4", like=frames) as show:
        for frame in frames:
            if count:
                segmentation = predictor.step(frame.image)
                labels = segmentation.labels()
                if save_score:
                    for object_id, scores in zip(segmentation.object_ids, segmentation.probabilities, strict=True):
                        write(write_scores, folder / f"scores/{object_id}/{frame.name}.npy", scores)
            else:
                predictor.start(frame.image)
                labels = np.zeros(frame.image.shape[:2], np.uint8)
            for each in [g for g in left if g.is_at(frame)]:
                left.remove(each)
                for object_id, mask in read_objects(each.path, frames.size)[0].items():
                    predictor.add_object(object_id, mask)
                    labels = np.where(labels == object_id, 0, labels)  # Where it was thought to be.
                    labels = np.where(mask, np.uint8(object_id), labels).astype(np.uint8)
            write(write_labels, folder / f"masks/{frame.name}.png", labels)
            show(overlay(frame.image, labels), frame.seconds)
            count += 1
            progress()
    if left:
        raise InputError(f"{left[0].path} is for a place after the video's last frame; correct its time or frame")
    return Summary(count, predictor.object_ids, frames.damaged)


def write_box_mask(path, image, boxes):
    """Write the mask of the objects in some boxes, 1, 2, ..., by GrabCut; InputError for a box without an object."""
    labels = np.zeros(image.shape[:2], np.uint8)
    for object_id, box in enumerate(boxes, 1):
        x, y, width, height = box
        if x >= image.shape[1] or y >= image.shape[0] or width < 2 or height < 2:
            raise InputError(f"--box {x} {y} {width} {height} is outside the frame, {image.shape[1]}x{image.shape[0]}")
        found = grabcut(image, box)
        if not found.any():
            raise InputError(f"--box {x} {y} {width} {height}: GrabCut finds no object in it; draw a mask instead")
        labels[found] = object_id
    write_labels(path, labels)
