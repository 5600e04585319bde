"""Result files of videos (doc/results_format.md): where they are, which files a video gets, and writing them."""

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path, PurePath
from typing import NamedTuple, TypeVar

import numpy as np

from osmn.data.types import Reference, Video
from osmn.errors import InputError
from osmn.files.atomic import remove_unfinished
from osmn.files.images import read_labels, write_labels
from osmn.files.overlap import refuse_writing_over_inputs
from osmn.masks import Size, labelled, merge, of_object, resized

# Which files of a video's folder hold its results.
MASKS = "masks"  # <frame>.png, foreground where it is not 0.
MERGED = "merged PNGs"  # <frame>.png, indexed, with object ids.
SCORES = "score files"  # <id>/<frame>.npy, a probability map per object.
OBJECTS = "masks of objects"  # <id>/<frame>.png, foreground where it is not 0; objects may overlap.


class Output(NamedTuple):
    """The kinds of files that are written of a video.

    Attributes:
        save_score: also write each object's probabilities, `<frame>.npy`.
        merged: where objects have ids, also write all objects of a frame into an indexed PNG.
    """

    save_score: bool = False
    merged: bool = True

    def merges(self, video: Video) -> bool:
        """Tell whether a `Video` gets merged PNGs."""
        return self.merged and None not in video.object_ids


NO_SCORES = Output()
Folder = TypeVar("Folder", bound=PurePath)


def object_folder(folder: Folder, object_id: int | None) -> Folder:
    """Return the folder of an object's results, in the video's `folder`: `<id>`, or `folder` itself without an id."""
    return folder if object_id is None else folder / str(object_id)


def video_files(video: Video, output: Output = NO_SCORES) -> list[str]:
    """Return the paths of all result files of a `Video`, relative to the result folder, as text."""
    folder, merged = PurePath(video.name), set[int]()
    paths: list[PurePath] = []
    for object_id in video.object_ids:
        reference, segmented = video.reference_number(object_id), video.result_numbers(object_id)
        masks = object_folder(folder, object_id)
        paths += [masks / f"{video.frames[number].stem}.png" for number in (reference, *segmented)]
        if output.save_score:
            paths += [masks / f"{video.frames[number].stem}.npy" for number in segmented]
        merged |= {reference, *segmented}
    if output.merges(video):
        paths += [folder / f"{video.frames[number].stem}.png" for number in sorted(merged)]
    return [str(path) for path in paths]


def remove_leftovers(folder: Path, video: Video) -> None:
    """Remove unfinished files of a killed run, and score files of an earlier run, from a video's result folder."""
    remove_unfinished(folder)
    remove_scores(folder, video)


def remove_scores(folder: Path, video: Video) -> None:
    """Remove the score files of a `Video`'s objects, and no others, from its result folder."""
    for object_id in video.object_ids:
        for number in video.result_numbers(object_id):
            path = object_folder(folder, object_id) / f"{video.frames[number].stem}.npy"
            path.unlink(missing_ok=True)


def reference_masks(reference: Reference) -> dict[int | None, np.ndarray]:
    """Return {object id: bool (H, W)} of a `Reference`, in its file's size."""
    if reference.own is not None:
        return {object_id: of_object(read_labels(path)) for object_id, path in reference.own.items()}
    labels = read_labels(reference.mask)
    return {i: labels > 0 if i is None else labels == i for i in reference.object_ids}


def size_of(objects: Mapping[int | None, np.ndarray]) -> Size:
    """Return the size of the masks or probabilities of a frame's objects, of which there is at least one."""
    return Size.of(next(iter(objects.values())))


def write_merged(
    path: Path | str,
    size: tuple[int, int],
    probabilities: Mapping[int | None, np.ndarray],
    given: Mapping[int | None, np.ndarray],
) -> None:
    """Write a frame's object ids as an indexed PNG of `size` (width, height).

    Args:
        path: the PNG.
        size: (width, height) of the PNG.
        probabilities: {object id: float32 (h, w)} of the objects that are segmented in the frame.
        given: {object id: bool (H, W)} of the objects whose reference frame it is. Beside probabilities, the masks
            count as probabilities 0 and 1 of the size (h, w); without probabilities, they are the result.
    """
    if probabilities:
        small = size_of(probabilities)
        maps = {**probabilities, **{i: resized(mask, small) for i, mask in given.items()}}
        labels = merge(list(maps.values()), [i for i in maps if i is not None])  # Objects without ids are not merged.
    else:
        labels = labelled({i: mask for i, mask in given.items() if i is not None}, Size(*size).shape)
    write_labels(path, resized(labels, size))


def check_places(folder: Path | str, videos: Collection[Video]) -> None:
    """Raise InputError if results of `videos` in `folder` would be written where a video is read from."""
    written = (Path(folder) / name for video in videos for name in video_files(video))
    refuse_writing_over_inputs(written, {path for video in videos for path in video.folders_read})


def find_source(folder: Path | str, frames: Iterable[str]) -> str:
    """Return SCORES or MERGED, whichever a video's `folder` holds for some of the `frames`; SCORES if it holds both.

    Files of other frames do not count. Raises InputError if the folder holds neither.
    """
    folder, frames = Path(folder), list(frames)
    if any((folder / str(i) / f"{frame}.npy").is_file() for i in score_folders(folder) for frame in frames):
        return SCORES
    if any((folder / f"{frame}.png").is_file() for frame in frames):
        return MERGED
    raise InputError(
        f"{folder} holds neither merged PNGs (<frame>.png) nor score files (<object>/<frame>.npy);"
        " run the evaluation that writes them"
    )


def score_folders(folder: Path | str) -> list[int]:
    """Return the object ids that have folders in a video's `folder`, in numeric order.

    Raises InputError if the folder does not exist.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"{folder} does not exist; run the evaluation that writes it")
    return sorted(int(path.name) for path in folder.iterdir() if path.name.isdecimal() and path.is_dir())
