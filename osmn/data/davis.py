"""DAVIS: its splits, which frames are annotated and with which objects, its videos and training examples."""

import concurrent.futures
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from osmn.data.folders import VOID, Annotations, starts
from osmn.data.types import Example, Guide, Reference, Video
from osmn.errors import InputError
from osmn.files.images import read_labels
from osmn.files.names import frame_files, mask_files, read_names, subfolders
from osmn.masks import covered_shares, labels_in, shows_enough
from osmn.progress import progress_bar

ANNOTATIONS = "Annotations/480p"


def sequence_names(data_path: Path | str, version: int, split: str) -> list[str]:
    """Return the names of the sequences in `ImageSets/<version>/<split>.txt`."""
    lists = Path(data_path) / "ImageSets" / str(version)
    known = ", ".join(sorted(path.stem for path in lists.glob("*.txt")))
    hint = f"the splits there are {known}" if known else "the data path must be a DAVIS folder"
    return read_names(lists / f"{split}.txt", hint)


def annotations(data_path: Path | str, name: str) -> dict[str, Path]:
    """Return {frame name: path} of a sequence's annotations, in order; raise InputError if it has no annotation."""
    return mask_files(Path(data_path) / ANNOTATIONS / name)


def object_ids(annotation: Path, version: int) -> tuple[int | None, ...]:
    """Return the ids of a sequence's objects: those in its first annotation (2017), or None for all labels (2016).

    Raises InputError, naming the file, for an annotation of 2017 without objects, or with a label that is no object id.
    """
    if version == 2016:
        read_labels(annotation)  # A damaged annotation raises its error now.
        return (None,)
    return shown_ids(annotation)


def shown_ids(annotation: Path) -> tuple[int, ...]:
    """Return the ids of the objects in an annotation of DAVIS 2017.

    Raises InputError, naming the file, for an annotation without objects, or with 255 as its only label.
    """
    labels = read_labels(annotation)
    ids = labels_shown(labels)
    if not ids and labels.any():
        raise InputError(f"{annotation} has 255 as its largest label, not an object's id; take it as version 2016")
    if not ids:
        raise InputError(f"{annotation} shows no object: every pixel is 0; replace it")
    return ids


def labels_shown(labels: np.ndarray) -> tuple[int, ...]:
    """Return the object ids in labels, uint8 (H, W); 255 is void."""
    return tuple(label for label in labels_in(labels) if label != VOID)


def videos(data_path: Path | str, version: int, split: str, use_full_res: bool = False) -> list[Video]:
    """Return the `Video`s of a split.

    Args:
        data_path: a DAVIS folder.
        version: 2016 (all objects are a single object) or 2017 (each object, from the first annotation on that shows
            it; 255 beside objects is void).
        split: the split's name, as "val".
        use_full_res: take the frames of JPEGImages/Full-Resolution instead of 480p.

    Raises:
        InputError: if a folder, or the annotation of a first frame, does not exist or is damaged.
    """
    images = Path(data_path) / "JPEGImages" / ("Full-Resolution" if use_full_res else "480p")
    found = []
    for name in sequence_names(data_path, version, split):
        frames = frame_files(images / name)
        first = next(iter(frames))
        masks = annotations(data_path, name)
        if first not in masks:
            path = Path(data_path) / ANNOTATIONS / name / f"{first}.png"
            raise InputError(f"{path} does not exist; it must show the objects in the first frame")
        references = {0: Reference(masks[first], object_ids(masks[first], version))}
        if version == 2017:
            references |= _late(masks, frames)
        found.append(Video(name, tuple(frames.values()), references))
    return found


def _late(masks: Mapping[str, Path], frames: Mapping[str, Path]) -> dict[int, Reference]:
    """Return {frame number: Reference} of the objects that appear after the first frame."""
    numbers = {name: number for number, name in enumerate(frames)}
    begun = starts(Annotations(masks, {}, {}), frames).items()
    return {numbers[name]: Reference(masks[name], tuple(ids)) for name, ids in begun if numbers[name]}


def is_annotated(data_path: Path | str, found: Iterable[Video]) -> bool:
    """Tell whether every frame of the videos `found`, of DAVIS, has an annotation to score it with."""
    return all(annotations(data_path, video.name).keys() >= {frame.stem for frame in video.frames} for video in found)


def complete_annotations(data_path: Path | str, found: Iterable[Video]) -> dict[str, dict[str, Path]]:
    """Return {video name: {frame name: path}} of the annotations of the videos `found`, of DAVIS.

    Raises InputError if a frame has no annotation; it names the first missing annotation.
    """
    complete = {}
    for video in found:
        masks = annotations(data_path, video.name)
        missing = next((frame.stem for frame in video.frames if frame.stem not in masks), None)
        if missing is not None:
            path = Path(data_path) / ANNOTATIONS / video.name / f"{missing}.png"
            raise InputError(f"{path} does not exist; every frame of {video.name} must be annotated")
        complete[video.name] = masks
    return complete


def example_folders(data_path: Path | str, version: int, split: str) -> list[tuple[Path, dict[str, Path], Path]]:
    """Return (folder of the frames, {frame name: path}, folder of the masks) of every object to train on in a split.

    Raises InputError if a folder does not exist.
    """
    data_path = Path(data_path)
    folders = []
    for name in sequence_names(data_path, version, split):
        root = data_path / "Annotations" / ("480p_all" if version == 2016 else "480p_split") / name
        if not root.is_dir():
            raise InputError(f"{root} does not exist; run python preprocessing/preprocess_davis.py {data_path}")
        images = data_path / "JPEGImages/480p" / name
        frames = frame_files(images)
        objects = [root] if version == 2016 else [path for path in subfolders(root) if path.name.isdecimal()]
        folders += [(images, frames, folder) for folder in objects]
    return folders


def examples(
    data_path: Path | str, version: int, split: str, validity: tuple[float, float] | None = None
) -> list[Example]:
    """Return the training `Example`s of a split: consecutive frames (t - 1, t) of every object.

    Args:
        data_path: a DAVIS folder that `preprocessing/preprocess_davis.py` has prepared.
        version: 2016 (all objects are a single object) or 2017 (each object).
        split: the split's name, as "train".
        validity: None for the first frame as guide, or (label ratio, box ratio): the guides are the frames in which the
            object covers more than these shares of the image and of its box, or the first frame if there are no such
            frames; pairs with a frame that does not show the object are left out.

    Raises:
        InputError: if a folder or a frame does not exist, or if the split has no two consecutive frames.
    """
    folders = example_folders(data_path, version, split)
    found = []
    with concurrent.futures.ThreadPoolExecutor() as pool:
        shown: dict[str, Any] = {"desc": "masks", "unit": "object", "disable": validity is None, "leave": False}
        for images, frames, folder in progress_bar(folders, brief=True, **shown):
            masks = mask_files(folder)
            missing = next((name for name in masks if name not in frames), None)
            if missing is not None:
                raise InputError(f"{images / missing}.jpg does not exist, though {folder} has its mask")
            guides = [Guide(str(frames[name]), str(mask)) for name, mask in masks.items()]
            found += _object_examples(guides, validity, pool)
    if not found:
        raise InputError(f"{Path(data_path)}: no two consecutive frames in the split {split}")
    return found


def _object_examples(
    guides: Sequence[Guide], validity: tuple[float, float] | None, pool: concurrent.futures.Executor
) -> list[Example]:
    present = [True] * len(guides)
    valid = guides[:1]
    if validity is not None:
        shares = list(pool.map(lambda guide: covered_shares(read_labels(guide.mask) > 0), guides))
        present = [area > 0 for area, _ in shares]
        valid = [guide for guide, of_guide in zip(guides, shares, strict=True) if shows_enough(of_guide, validity)]
    return [
        Example(tuple(valid or guides[:1]), guides[t - 1].mask, guides[t].frame, guides[t].mask)
        for t in range(1, len(guides))
        if present[t - 1] and present[t]
    ]
