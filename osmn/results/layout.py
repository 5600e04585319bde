"""Result files of videos (doc/results_format.md): where they are, which there are to be, and writing them."""

from pathlib import Path, PurePath
from typing import NamedTuple

from osmn.errors import InputError
from osmn.files.atomic import remove_unfinished
from osmn.files.images import read_labels, write_labels
from osmn.files.overlap import refuse_writing_over_inputs
from osmn.masks import labelled, merge, resized

# Where the results of a video are found in its folder.
MASKS = "masks"  # <frame>.png, foreground where not 0
MERGED = "merged PNGs"  # <frame>.png, indexed: object ids
SCORES = "score files"  # <id>/<frame>.npy, one probability map per object


class Output(NamedTuple):
    """Which files are written of a video.

    Attributes:
        save_score: each object's probabilities too, `<frame>.npy`.
        merged: where objects have ids, all objects of a frame in one indexed PNG too.
    """

    save_score: bool = False
    merged: bool = True

    def merges(self, video):
        """Tell whether a `Video` gets merged PNGs."""
        return self.merged and None not in video.object_ids


NO_SCORES = Output()


def object_folder(folder, object_id):
    """Return the folder of an object's results: of the video's, `<id>`, or itself for an object without id."""
    return folder if object_id is None else folder / str(object_id)


def video_files(video, output=NO_SCORES):
    """Return the paths of all result files of a `Video`, relative to the result folder, as text."""
    folder, merged, paths = PurePath(video.name), set(), []
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


def remove_leftovers(folder, video):
    """Remove from a video's result folder what a run that was killed left unfinished, and scores of an earlier run."""
    remove_unfinished(folder)
    remove_scores(folder, video)


def remove_scores(folder, video):
    """Remove the score files of a `Video`'s objects, and no others, from its result folder."""
    for object_id in video.object_ids:
        for number in video.result_numbers(object_id):
            path = object_folder(folder, object_id) / f"{video.frames[number].stem}.npy"
            path.unlink(missing_ok=True)


def reference_masks(reference):
    """Return {object id: bool (H, W)} of a `Reference`, of its file's size."""
    labels = read_labels(reference.mask)
    return {i: labels > 0 if i is None else labels == i for i in reference.object_ids}


def write_merged(path, size, probabilities, given):
    """Write a frame's object ids as an indexed PNG of `size` (width, height).

    `probabilities` are {object id: float32 (h, w)}; `given` are the masks {object id: bool (H, W)} of objects whose
    reference frame it is: beside probabilities they count as 0 and 1 at their size, alone they are the result.
    """
    if probabilities:
        small = next(iter(probabilities.values())).shape[::-1]
        maps = probabilities | {i: resized(mask, small) for i, mask in given.items()}
        labels = merge(list(maps.values()), list(maps))
    else:
        labels = labelled(given, size[::-1])
    write_labels(path, resized(labels, size))


def check_places(folder, videos):
    """Raise InputError if results of `videos` in `folder` would be written where one of them is read from."""
    written = (Path(folder) / name for video in videos for name in video_files(video))
    refuse_writing_over_inputs(written, set().union(*(video.folders_read for video in videos)))


def find_source(folder, frames):
    """Return SCORES or MERGED, whichever a video's `folder` holds for some of the frames named; SCORES if both.

    Other files are not looked at, whatever their names end in. Raises InputError if there is neither.
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


def score_folders(folder):
    """Return the object ids that a video's `folder` has folders for, in numeric order."""
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"{folder} does not exist; run the evaluation that writes it")
    return sorted(int(path.name) for path in folder.iterdir() if path.name.isdecimal() and path.is_dir())
