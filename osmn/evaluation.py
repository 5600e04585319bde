"""Score result folders: which frames and objects, J and F of each in several processes, then tables and files.

A frame is read, scored and forgotten, so memory does not grow with the number or the length of the sequences. No
TensorFlow here: scoring starts at once.
"""

import contextlib
import csv
import io
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from osmn.errors import InputError
from osmn.files import read_labels, read_scores, replacing, write_labels
from osmn.masks import merge, resized
from osmn.metrics import Statistics, frame_scores, statistics
from osmn.processes import in_processes, worthwhile_processes

# Where the results of a sequence are found in its folder.
MASKS = "masks"  # <frame>.png, foreground where not 0
MERGED = "merged PNGs"  # <frame>.png, indexed: object ids
SCORES = "score files"  # <id>/<frame>.npy, one probability map per object

FRAMES_PER_JOB = 16


class Sequence(NamedTuple):
    """What is scored of a sequence: these objects in these frames."""

    name: str
    truth_folder: Path
    result_folder: Path
    source: str
    object_ids: tuple
    frames: tuple


class ObjectScore(NamedTuple):
    """J and F of an object over its sequence; `object_id` is None where a sequence has a single, binary object."""

    sequence: str
    object_id: int | None
    j: Statistics
    f: Statistics


# -- Results ---------------------------------------------------------------------------------------


def find_source(result_folder):
    """Return SCORES or MERGED, whichever `result_folder` holds; SCORES if both, InputError if neither."""
    if any(any((result_folder / str(object_id)).glob("*.npy")) for object_id in score_folders(result_folder)):
        return SCORES
    if any(result_folder.glob("*.png")):
        return MERGED
    raise InputError(
        f"{result_folder} holds neither merged PNGs (<frame>.png) nor score files (<object>/<frame>.npy);"
        " run the evaluation that writes them"
    )


def score_folders(result_folder):
    """Return the object ids that `result_folder` has folders for, in numeric order."""
    if not result_folder.is_dir():
        raise InputError(f"{result_folder} does not exist; run the evaluation that writes it")
    return sorted(int(path.name) for path in result_folder.iterdir() if path.name.isdecimal() and path.is_dir())


def result_files(sequence, frame):
    """Return the paths that the result of a frame is read from: one per object for SCORES, else one."""
    if sequence.source == SCORES:
        return [sequence.result_folder / str(object_id) / f"{frame}.npy" for object_id in sequence.object_ids]
    return [sequence.result_folder / f"{frame}.png"]


def read_result(sequence, frame, size):
    """Return the uint8 (H, W) object ids of a frame's result at `size` (width, height)."""
    paths = result_files(sequence, frame)
    if sequence.source == SCORES:
        scores = [read_scores(path) for path in paths]
        for path, score in zip(paths, scores, strict=True):
            if score.shape != scores[0].shape:
                raise InputError(
                    f"{path} is {score.shape[1]}x{score.shape[0]}, but {paths[0]} is"
                    f" {scores[0].shape[1]}x{scores[0].shape[0]}; run the evaluation again for this sequence"
                )
        return resized(merge(scores, sequence.object_ids), size)
    labels = read_labels(paths[0], size)
    if sequence.source == MASKS:
        return (labels != 0).astype(np.uint8)
    if labels.max() > max(sequence.object_ids):
        raise InputError(
            f"{paths[0]} holds object {labels.max()}, but the last object of {sequence.name} is"
            f" {max(sequence.object_ids)}; merged PNGs hold object ids, not 0/255 masks"
        )
    return labels


# -- Scoring ---------------------------------------------------------------------------------------


def score(sequences, vis_path=None, processes=None):
    """Return, for each of `sequences` in order, an array (frames, objects, 2) of J and F.

    `vis_path` gets the results as they are scored: indexed PNGs, VIS_PATH/<sequence>/<frame>.png. `processes` is the
    number of processes to use; by default one per core, but only as many as the work is worth.
    """
    for sequence in sequences:
        _require_results(sequence)
    jobs, owners = [], []
    for index, sequence in enumerate(sequences):
        for start in range(0, len(sequence.frames), FRAMES_PER_JOB):
            jobs.append((sequence._replace(frames=sequence.frames[start : start + FRAMES_PER_JOB]), vis_path))
            owners.append(index)
    frames = sum(len(sequence.frames) for sequence in sequences)
    scores = [[] for _ in sequences]
    with tqdm(total=frames, desc="scoring", unit="frame", disable=None) as progress:
        scored = in_processes(_score_job, jobs, processes or worthwhile_processes(frames))
        for owner, values in zip(owners, scored, strict=True):
            scores[owner].append(values)
            progress.update(len(values))
    return [np.concatenate(values) for values in scores]


def _require_results(sequence):
    """Name a missing result before minutes are spent on the others."""
    for frame in sequence.frames:
        for path in result_files(sequence, frame):
            if not path.is_file():
                raise InputError(
                    f"{path} does not exist, though {sequence.truth_folder} has that frame; run the evaluation again"
                )


def _score_job(sequence, vis_path):
    """Score a few frames of a sequence: (frames, objects, 2)."""
    scores = []
    for frame in sequence.frames:
        truth = read_labels(sequence.truth_folder / f"{frame}.png")
        if sequence.source == MASKS:
            truth = (truth != 0).astype(np.uint8)
        result = read_result(sequence, frame, truth.shape[::-1])
        scores.append(frame_scores(truth, result, sequence.object_ids))
        if vis_path is not None:
            path = Path(vis_path) / sequence.name / f"{frame}.png"
            with named_write_errors(path):
                write_labels(path, result)
    return np.stack(scores)


# -- DAVIS -----------------------------------------------------------------------------------------


def davis_sequences(data_path, result_path, version, split):
    """Return the Sequences of a DAVIS split: objects 1..max label of frame 0, every frame but the first and the last.

    For `version` 2016 all labels above 0 are one object; for 2017 a sequence's score files are used where it has
    some, else its merged PNGs.
    """
    data_path, result_path = Path(data_path), Path(result_path)
    sequences = []
    lists = data_path / "ImageSets" / str(version)
    known = ", ".join(sorted(path.stem for path in lists.glob("*.txt")))
    hint = f"the splits there are {known}" if known else "DATA_PATH must be a DAVIS folder"
    for name in _lines(lists / f"{split}.txt", hint):
        truth_folder, result_folder = data_path / "Annotations" / "480p" / name, result_path / name
        frames = _frames(truth_folder)
        if len(frames) < 3:
            raise InputError(f"{truth_folder} has {len(frames)} annotations; the first and the last are not scored")
        object_ids, source = (1,), MASKS
        if version == 2017:
            object_ids, source = _davis_objects(truth_folder / f"{frames[0]}.png"), find_source(result_folder)
            if source == SCORES and max(score_folders(result_folder)) > len(object_ids):
                raise InputError(
                    f"{result_folder}/{max(score_folders(result_folder))} is a result for an object that"
                    f" {truth_folder}/{frames[0]}.png does not have; remove it, or score the data it was made for"
                )
        sequences.append(Sequence(name, truth_folder, result_folder, source, object_ids, frames[1:-1]))
    return sequences


def score_if_annotated(args, videos):
    """Score the results of a DAVIS script if every frame of its `videos` (`datasets.Video`) has an annotation."""
    folder = Path(args.data_path) / "Annotations" / "480p"
    if args.shard[1] > 1:
        print("this was one share of the videos: score all of them by davis_eval.py")
    elif all((folder / video.name / f"{frame.stem}.png").is_file() for video in videos for frame in video.frames):
        evaluate_davis(args.data_path, args.result_path, args.data_version, args.test_split)
    else:
        print(f"masks are in {args.result_path}; not every frame has an annotation to score them with")


def _davis_objects(annotation):
    """Return the object ids 1..max label of a sequence's first annotation."""
    last = int(read_labels(annotation).max())
    if not 0 < last < 255:
        raise InputError(f"{annotation} has {last} as its largest label, not an object's id; score it as version 2016")
    return tuple(range(1, last + 1))


def evaluate_davis(data_path, result_path, version, split, vis_path=None, processes=None):
    """Score `result_path`, print the table, write `iou.txt` and `per_object.csv` there; return the mIU (the mean J)."""
    if vis_path is not None and Path(vis_path).resolve() == Path(result_path).resolve():
        raise InputError(f"{vis_path} is the folder of the results; give VIS_PATH another one")
    sequences = davis_sequences(data_path, result_path, version, split)
    rows = []
    for sequence, scores in zip(sequences, score(sequences, vis_path, processes), strict=True):
        for object_id, values in zip(sequence.object_ids, scores.transpose(1, 2, 0), strict=True):
            rows.append(ObjectScore(sequence.name, object_id if version == 2017 else None, *map(statistics, values)))
    overall = ObjectScore(
        "all",
        None,
        Statistics(*np.mean([row.j for row in rows], axis=0).tolist()),
        Statistics(*np.mean([row.f for row in rows], axis=0).tolist()),
    )
    result_path = Path(result_path)
    _write(result_path / "iou.txt", _iou_lines([(_title(row), row.j.mean) for row in rows], overall.j.mean))
    _write(
        result_path / "per_object.csv",
        _csv(
            [
                ["sequence", "object", "J_mean", "J_recall", "J_decay", "F_mean", "F_recall", "F_decay"],
                *([row.sequence, row.object_id or 1, *(f"{value:.6f}" for value in (*row.j, *row.f))] for row in rows),
            ]
        ),
    )
    _print_davis(rows, overall)
    counts = {
        source: sum(s.source == source for s in sequences) for source in dict.fromkeys(s.source for s in sequences)
    }
    print(f"\nread: {', '.join(f'{source} of {count} sequences' for source, count in counts.items())}")
    print(f"written: {result_path / 'iou.txt'}, {result_path / 'per_object.csv'}")
    print(f"J&F: {(overall.j.mean + overall.f.mean) / 2:.3f}")
    print(f"mIU: {overall.j.mean:.3f}")
    return overall.j.mean


def _title(row):
    return row.sequence if row.object_id is None else f"{row.sequence}/{row.object_id}"


def _print_davis(rows, overall):
    width = max(len(_title(row)) for row in (*rows, overall))
    print(f"{'':{width}}  {'J mean':>7}{'recall':>8}{'decay':>8}  {'F mean':>7}{'recall':>8}{'decay':>8}")
    for row in (*rows, overall):
        j, f = (f"{s.mean:7.3f}{s.recall:8.3f}{s.decay:8.3f}" for s in (row.j, row.f))
        print(f"{_title(row):{width}}  {j}  {f}")


# -- YouTube-Objects -------------------------------------------------------------------------------


def youtube_sequences(data_path, result_path):
    """Return the Sequences of YouTube-Objects, all labelled frames but the first, and the names with fewer than two."""
    data_path = Path(data_path)
    names = _lines(data_path / "all.txt", "run preprocessing/preprocess_youtube.py DATA_PATH first")
    sequences, skipped = [], []
    for name in names:
        labels = data_path / "Labels" / name
        frames = _frames(labels) if labels.is_dir() else ()
        if len(frames) < 2:
            skipped.append(name)
        else:
            sequences.append(Sequence(name, labels, Path(result_path) / name, MASKS, (1,), frames[1:]))
    if not sequences:
        raise InputError(f"{data_path / 'Labels'} has no sequence with two labels; run preprocess_youtube.py again")
    return sequences, skipped


def evaluate_youtube(data_path, result_path, processes=None):
    """Score `result_path`, print IoUs, write `iou.txt` and `per_sequence.csv` there; return the mean over sequences."""
    sequences, skipped = youtube_sequences(data_path, result_path)
    # A sequence is named <class>_<number>.
    rows = [
        (sequence.name, sequence.name.rpartition("_")[0], len(sequence.frames), float(scores[..., 0].mean()))
        for sequence, scores in zip(sequences, score(sequences, processes=processes), strict=True)
    ]
    classes = {name: [iou for _, of, _, iou in rows if of == name] for name in sorted({row[1] for row in rows})}
    mean = float(np.mean([iou for *_, iou in rows]))
    result_path = Path(result_path)
    _write(result_path / "iou.txt", _iou_lines([(name, iou) for name, _, _, iou in rows], mean))
    _write(
        result_path / "per_sequence.csv",
        _csv([("sequence", "class", "frames", "IoU"), *((*row[:3], f"{row[3]:.6f}") for row in rows)]),
    )
    width = max(len(name) for name, *_ in rows)
    for name, _, frames, iou in rows:
        print(f"{name:{width}}  {iou:.3f}  ({frames} frames)")
    if skipped:
        print(f"skipped, fewer than two labelled frames: {', '.join(skipped)}", file=sys.stderr)
    print(f"\n{'class':{width}}  IoU    (mean over its sequences)")
    for name, ious in classes.items():
        print(f"{name:{width}}  {np.mean(ious):.3f}  ({len(ious)} sequences)")
    print(f"\nwritten: {result_path / 'iou.txt'}, {result_path / 'per_sequence.csv'}")
    print(f"mean over {len(classes)} classes: {np.mean([np.mean(ious) for ious in classes.values()]):.3f}")
    print(f"mIU: {mean:.3f}")
    return mean


# -- Files -----------------------------------------------------------------------------------------


def _lines(path, hint):
    """Return the non-blank lines of a list of sequences."""
    try:
        lines = path.read_text().split()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read ({getattr(error, 'strerror', 'not text')}); {hint}") from None
    if not lines:
        raise InputError(f"{path} names no sequence; {hint}")
    return lines


def _frames(folder):
    """Return the names, without .png, of a folder's frames in order."""
    if not folder.is_dir():
        raise InputError(f"{folder} does not exist; check DATA_PATH")
    return tuple(sorted(path.stem for path in folder.glob("*.png")))


def _iou_lines(ious, mean):
    return "".join(f"{name} {iou:.4f}\n" for name, iou in (*ious, ("all", mean)))


def _csv(rows):
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def _write(path, text):
    with named_write_errors(path), replacing(path) as temporary:
        temporary.write_text(text)


@contextlib.contextmanager
def named_write_errors(path):
    """Turn a failure to write `path` into an InputError that names it."""
    try:
        yield
    except OSError as error:
        raise InputError(f"{path} cannot be written ({error.strerror}); give a folder that can be") from None
