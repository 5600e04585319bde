"""A stranger's own video: the objects that are given in it, followed to masks and an overlay to look at."""

import contextlib
import hashlib
from pathlib import Path
from typing import NamedTuple

import numpy as np

from osmn.errors import InputError
from osmn.files import remove_unfinished, write_labels, write_scores
from osmn.given import all_objects, parse_given, too_late
from osmn.masks import overlay
from osmn.threads import WriteBehind
from osmn.video_writer import write_cutout, write_overlay

FINETUNED = "finetuned"  # Folder, among a video's results, of the model that was trained on it.


class Job(NamedTuple):
    """A video to segment: its path, the folder of its results, and a list of what is `Given` in it."""

    path: Path
    folder: Path
    given: list


def jobs(paths, masks, folder):
    """Return a `Job` for each of some videos; those of several have a folder each, of the video's name, in `folder`.

    Args:
        paths: of videos.
        masks: texts as `given.parse_given` takes them, for all of the videos.
        folder: of the results.

    Raises:
        InputError: for a mask's file that is not there, and for two videos of one name.
    """
    found = {}
    for path in map(Path, paths):
        name = _name(path)
        if name in found:
            raise InputError(f"{found[name].path} and {path} would have one folder of results, {name}; rename one")
        own = Path(folder, name) if len(paths) > 1 else Path(folder)
        found[name] = Job(path, own, [parse_given(text, name) for text in masks])
    return list(found.values())


def _name(path):
    return path.resolve().name if path.is_dir() else path.stem


def described(path, given, boxes):
    """Return {option: value} of a video and of what is given in it, for a manifest."""
    masks = [] if boxes else [[str(each.place), hashlib.sha256(each.path.read_bytes()).hexdigest()] for each in given]
    return {"input": str(path), "masks": masks, "boxes": boxes}


def videos_written(given, cutout):
    """Return the names of the videos that `segment` writes: the overlay, and each object's cutout if there is to be."""
    return ["overlay.mp4", *(f"cutout_{object_id}.webm" for object_id in all_objects(given) if cutout)]


class Summary(NamedTuple):
    """What was done: frames segmented, ids of the objects, damaged packets skipped, and names of the files written."""

    frames: int
    object_ids: tuple
    damaged: int
    files: list


def segment(predictor, frames, given, folder, save_score=False, cutout=False, progress=lambda: None):
    """Follow the objects of a video; write `masks/<frame>.png` and `overlay.mp4` into `folder`.

    Masks are indexed, of the video's size. In a frame where objects are given, theirs are the given masks.

    Args:
        predictor: `Predictor`.
        frames: `video.Frames`.
        given: list of `Given`, from `given.read`; an object that is given again is corrected from there on.
        folder: of the results.
        save_score: write `scores/<object>/<frame>.npy` too, float32 probabilities of the network's size.
        cutout: write `cutout_<object>.webm` too, a video that is transparent around the object.
        progress: called per frame.

    Returns:
        Summary.
    """
    folder, left, count, files = Path(folder), list(given), 0, videos_written(given, cutout)
    for name in ("masks", "scores"):
        remove_unfinished(folder / name)
    with contextlib.ExitStack() as stack:
        write = stack.enter_context(WriteBehind())
        show = stack.enter_context(write_overlay(folder / "overlay.mp4", like=frames))
        shown = all_objects(given) if cutout else []
        cutouts = {i: stack.enter_context(write_cutout(folder / f"cutout_{i}.webm", like=frames)) for i in shown}

        def keep(write_file, name, content):
            files.append(name)
            write(write_file, folder / name, content)

        for frame in frames:
            if count:
                segmentation = predictor.step(frame.image)
                labels = segmentation.labels()
                if save_score:
                    for object_id, scores in zip(segmentation.object_ids, segmentation.probabilities, strict=True):
                        keep(write_scores, f"scores/{object_id}/{frame.name}.npy", scores)
            else:
                predictor.start(frame.image)
                labels = np.zeros(frame.image.shape[:2], np.uint8)
            for each in [g for g in left if g.is_at(frame)]:
                left.remove(each)
                for object_id, mask in each.objects.items():
                    predictor.add_object(object_id, mask)
                    labels = np.where(labels == object_id, 0, labels)  # Where it was thought to be.
                    labels = np.where(mask, np.uint8(object_id), labels).astype(np.uint8)
            keep(write_labels, f"masks/{frame.name}.png", labels)
            show(overlay(frame.image, labels), frame.seconds)
            for object_id, write_frame in cutouts.items():
                alpha = np.where(labels == object_id, np.uint8(255), np.uint8(0))
                write_frame(np.dstack([frame.image, alpha]), frame.seconds)
            count += 1
            progress()
    if left:
        raise too_late(left[0])
    return Summary(count, predictor.object_ids, frames.damaged, files)
