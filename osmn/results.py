"""Result folders (README, "Result files"): where a video's results are, and whether they are complete."""

from pathlib import Path

from osmn.errors import InputError

# Where the results of a video are found in its folder.
MASKS = "masks"  # <frame>.png, foreground where not 0
MERGED = "merged PNGs"  # <frame>.png, indexed: object ids
SCORES = "score files"  # <id>/<frame>.npy, one probability map per object


def find_source(folder):
    """Return SCORES or MERGED, whichever a video's `folder` holds; SCORES if both, InputError if neither."""
    if any(_holds(folder / str(object_id), "*.npy") for object_id in score_folders(folder)):
        return SCORES
    if _holds(folder, "*.png"):
        return MERGED
    raise InputError(
        f"{folder} holds neither merged PNGs (<frame>.png) nor score files (<object>/<frame>.npy);"
        " run the evaluation that writes them"
    )


def _holds(folder, pattern):
    return any(not path.name.startswith(".") for path in folder.glob(pattern))


def score_folders(folder):
    """Return the object ids that a video's `folder` has folders for, in numeric order."""
    if not folder.is_dir():
        raise InputError(f"{folder} does not exist; run the evaluation that writes it")
    return sorted(int(path.name) for path in folder.iterdir() if path.name.isdecimal() and path.is_dir())


def is_finished(video, result_path, save_score=False, trained=None):
    """Tell whether the results of a YouTube-VOS `Video` are complete: its last merged frame is written last.

    With `save_score` there must be score files too. Results older than `trained`, the prefix of the checkpoint that a
    training ended with, are those of another model.
    """
    folder = Path(result_path) / video.name
    last = max(max(numbers) for numbers in video.listed.values())
    merged = folder / f"{video.frames[last].stem}.png"
    if not merged.is_file():
        return False
    if trained is not None and merged.stat().st_mtime_ns < Path(f"{trained}.index").stat().st_mtime_ns:
        return False
    given = video.references[last].object_ids if last in video.references else ()
    segmented = [i for i, numbers in video.listed.items() if last in numbers and i not in given]
    return not save_score or all((folder / str(i) / f"{merged.stem}.npy").is_file() for i in segmented)


def unfinished(videos, result_path, save_score=False, trained=None):
    """Return the videos without complete results (see `is_finished`), and say how many have them."""
    left = [video for video in videos if not is_finished(video, result_path, save_score, trained)]
    if len(left) < len(videos):
        print(
            f"{len(videos) - len(left)} of {len(videos)} videos have results in {result_path} already: left out"
            " (another model or other options need another --result_path)"
        )
    return left
