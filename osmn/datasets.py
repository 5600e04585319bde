"""Which samples: a dataset yields videos to segment, and training examples by number."""

import concurrent.futures
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from osmn import files
from osmn.errors import InputError


class FirstAnnotation(NamedTuple):
    """Where objects are given: the annotation's path and the ids in it; the id None is every label above 0."""

    annotation: Path
    object_ids: tuple


class Video(NamedTuple):
    """A video to segment: its frames in order, and {frame number: FirstAnnotation} of its objects.

    `listed` are the frame numbers to write results for, {object id: set}; None for all.
    """

    name: str
    frames: tuple
    starts: dict
    listed: dict | None = None

    @property
    def object_ids(self):
        """The ids of all objects, in order of their first frames."""
        return [object_id for first in self.starts.values() for object_id in first.object_ids]


class Guide(NamedTuple):
    """A frame and the mask in it that an object's visual guide may come from: paths."""

    frame: str
    mask: str


class Example(NamedTuple):
    """A training sample's files: one of `guides`, the previous mask, the frame to segment and its label.

    The masks are where the labels are `object_id`; 0 stands for all labels above 0.
    """

    guides: tuple
    previous_mask: str
    frame: str
    label: str
    object_id: int = 0


def read_split(data_path, version, split):
    """Return the sequence names in `ImageSets/<version>/<split>.txt`."""
    path = Path(data_path) / "ImageSets" / str(version) / f"{split}.txt"
    try:
        names = path.read_text().split()
    except FileNotFoundError:
        raise InputError(f"{path} does not exist; --data_path must be a DAVIS folder") from None
    if not names:
        raise InputError(f"{path} is empty; list sequences in it, one a line")
    return names


def davis_videos(data_path, version, split, use_full_res=False):
    """Return the `Video`s of a DAVIS split. Objects are 1..max label of frame 0 (2017) or all labels as one (2016)."""
    data_path = Path(data_path)
    videos = []
    for name in read_split(data_path, version, split):
        folder = data_path / "JPEGImages" / ("Full-Resolution" if use_full_res else "480p") / name
        frames = list_files(folder, "*.jpg")
        annotation = data_path / "Annotations" / "480p" / name / f"{frames[0].stem}.png"
        last = int(files.read_labels(annotation).max())
        ids = tuple(range(1, last + 1)) if version == 2017 else (None,)
        if version == 2017 and not 0 < last < 255:
            raise InputError(
                f"{annotation} has {last} as its largest label, not an object's id; use --data_version 2016"
            )
        videos.append(Video(name, tuple(frames), {0: FirstAnnotation(annotation, ids)}))
    return videos


def youtube_videos(data_path):
    """Return the `Video`s of YouTube-Objects, one object without id each; a video of one frame is named and left out.

    `data_path` is a folder that `preprocessing/preprocess_youtube.py` has prepared.
    """
    data_path = Path(data_path)
    listing = data_path / "all.txt"
    if not listing.is_file():
        raise InputError(f"{listing} does not exist; run python preprocessing/preprocess_youtube.py {data_path}")
    videos = []
    for name in listing.read_text().split():
        frames = list_files(data_path / "Images" / name, "*.*")
        if len(frames) < 2:
            print(f"{name} has a single frame: left out", file=sys.stderr)
            continue
        label = data_path / "Labels" / name / f"{frames[0].stem}.png"
        videos.append(Video(name, tuple(frames), {0: FirstAnnotation(label, (None,))}))
    return videos


def share(videos, shard):
    """Return the videos of `shard`, (i, n): a deterministic n-th of `videos`, balanced by frames times objects."""
    index, count = shard
    work = [len(v.frames) * len(v.object_ids) for v in videos]
    loads, owners = np.zeros(count), {}
    for number in sorted(range(len(videos)), key=lambda k: (-work[k], videos[k].name)):
        owners[number] = int(np.argmin(loads))
        loads[owners[number]] += work[number]
    return [video for number, video in enumerate(videos) if owners[number] == index]


def list_files(folder, pattern):
    """Return the sorted paths in `folder` that match; InputError if there are none."""
    paths = sorted(path for path in Path(folder).glob(pattern) if not path.name.startswith("."))
    if not paths:
        raise InputError(f"{folder} holds no {pattern}; check --data_path")
    return paths


def davis_examples(data_path, version, split, validity=None):
    """Return the training `Example`s of a DAVIS split: consecutive frames (t - 1, t) of every object.

    Args:
      data_path: a DAVIS folder that `preprocessing/preprocess_davis.py` has prepared.
      version: 2016 (all objects as one) or 2017 (each object).
      split: the split's name, as "train".
      validity: None for the first frame as guide, or (label ratio, box ratio): the guides are the frames in which the
        object covers more than these shares of the image and of its box, or else the first one; pairs with a frame
        in which the object is absent are left out.
    """
    data_path = Path(data_path)
    folders = []
    for name in read_split(data_path, version, split):
        root = data_path / "Annotations" / ("480p_all" if version == 2016 else "480p_split") / name
        if not root.is_dir():
            raise InputError(f"{root} does not exist; run python preprocessing/preprocess_davis.py {data_path}")
        objects = (
            [root]
            if version == 2016
            else sorted((p for p in root.iterdir() if p.name.isdecimal()), key=lambda p: int(p.name))
        )
        folders += [(data_path / "JPEGImages" / "480p" / name, folder) for folder in objects]
    examples = []
    with concurrent.futures.ThreadPoolExecutor() as pool:
        for images, folder in tqdm(folders, desc="masks", unit="object", disable=validity is None, leave=False):
            masks = list_files(folder, "*.png")
            frames = [images / f"{mask.stem}.jpg" for mask in masks]
            missing = next((frame for frame in frames if not frame.is_file()), None)
            if missing is not None:
                raise InputError(f"{missing} does not exist, though {folder} has its mask")
            examples += _object_examples(frames, masks, validity, pool)
    if not examples:
        raise InputError(f"{data_path}: no two consecutive frames in the split {split}")
    return examples


def first_frame_example(video, object_id):
    """Return the `Example` of online fine-tuning: its first frame and mask serve as guide, previous mask and target."""
    number, first = next((n, first) for n, first in video.starts.items() if object_id in first.object_ids)
    frame, annotation = str(video.frames[number]), str(first.annotation)
    return Example((Guide(frame, annotation),), annotation, frame, annotation, object_id or 0)


def _object_examples(frames, masks, validity, pool):
    guides = [Guide(str(frame), str(mask)) for frame, mask in zip(frames, masks, strict=True)]
    present = [True] * len(masks)
    valid = guides[:1]
    if validity is not None:
        ratios = list(pool.map(lambda path: mask_ratios(files.read_labels(path) > 0), masks))
        present = [area > 0 for area, _ in ratios]
        valid = [g for g, (area, fill) in zip(guides, ratios, strict=True) if area > validity[0] and fill > validity[1]]
    return [
        Example(tuple(valid or guides[:1]), guides[t - 1].mask, guides[t].frame, guides[t].mask)
        for t in range(1, len(guides))
        if present[t - 1] and present[t]
    ]


def mask_ratios(mask):
    """Return the share of the image and of its own box that a bool (H, W) mask covers; (0, 0) for an empty mask."""
    rows, columns = mask.any(axis=1).nonzero()[0], mask.any(axis=0).nonzero()[0]
    if not rows.size:
        return 0.0, 0.0
    area = mask.sum()
    return area / mask.size, area / ((rows[-1] - rows[0] + 1) * (columns[-1] - columns[0] + 1))
