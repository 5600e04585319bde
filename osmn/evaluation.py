"""Score result folders: which frames and objects, J and F of each in several processes, then tables and files.

A frame is read, scored and forgotten, so memory does not grow with the number or the length of the sequences. No
TensorFlow here: scoring starts at once.
"""

import csv
import io
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from osmn.data import davis, youtube_objects
from osmn.errors import InputError
from osmn.files import named_write_errors, read_labels, read_scores, replacing, write_labels
from osmn.masks import merge, resized
from osmn.metrics import Statistics, frame_scores, statistics
from osmn.processes import in_processes, worthwhile_processes
from osmn.results import MASKS, SCORES, find_source, score_folders

FRAMES_PER_JOB = 16


class Sequence(NamedTuple):
    """What is scored of a sequence: these objects in these frames."""

    name: str
    truths: tuple  # the paths of the annotations, <frame>.png
    result_folder: Path
    source: str
    object_ids: tuple


class ObjectScore(NamedTuple):
    """J and F of an object over its sequence; `object_id` is None where a sequence has a single, binary object."""

    sequence: str
    object_id: int | None
    j: Statistics
    f: Statistics


# -- Results ---------------------------------------------------------------------------------------


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
        for start in range(0, len(sequence.truths), FRAMES_PER_JOB):
            jobs.append((sequence._replace(truths=sequence.truths[start : start + FRAMES_PER_JOB]), vis_path))
            owners.append(index)
    frames = sum(len(sequence.truths) for sequence in sequences)
    scores = [[] for _ in sequences]
    with tqdm(total=frames, desc="scoring", unit="frame", disable=None) as progress:
        scored = in_processes(_score_job, jobs, processes or worthwhile_processes(frames))
        for owner, values in zip(owners, scored, strict=True):
            scores[owner].append(values)
            progress.update(len(values))
    return [np.concatenate(values) for values in scores]


def _require_results(sequence):
    """Name a missing result before minutes are spent on the others."""
    for truth in sequence.truths:
        for path in result_files(sequence, truth.stem):
            if not path.is_file():
                raise InputError(
                    f"{path} does not exist, though {truth.parent} has that frame; run the evaluation again"
                )


def _score_job(sequence, vis_path):
    """Score a few frames of a sequence: (frames, objects, 2)."""
    scores = []
    for path in sequence.truths:
        truth = read_labels(path)
        if sequence.source == MASKS:
            truth = (truth != 0).astype(np.uint8)
        result = read_result(sequence, path.stem, truth.shape[::-1])
        scores.append(frame_scores(truth, result, sequence.object_ids))
        if vis_path is not None:
            shown = Path(vis_path) / sequence.name / f"{path.stem}.png"
            with named_write_errors(shown):
                write_labels(shown, result)
    return np.stack(scores)


# -- DAVIS -----------------------------------------------------------------------------------------


def davis_sequences(data_path, result_path, version, split):
    """Return the Sequences of a DAVIS split: objects 1..max label of frame 0, every frame but the first and the last.

    For `version` 2016 all labels above 0 are one object; for 2017 a sequence's score files are used where it has
    some, else its merged PNGs.
    """
    sequences = []
    for name in davis.sequence_names(data_path, version, split):
        truths, result_folder = tuple(davis.annotations(data_path, name).values()), Path(result_path) / name
        if len(truths) < 3:
            raise InputError(f"{truths[0].parent} has {len(truths)} annotations; the first and the last are not scored")
        object_ids, source = (1,), MASKS
        if version == 2017:
            object_ids, source = davis.object_ids(truths[0], version), find_source(result_folder)
            if source == SCORES and max(score_folders(result_folder)) > len(object_ids):
                raise InputError(
                    f"{result_folder}/{max(score_folders(result_folder))} is a result for an object that"
                    f" {truths[0]} does not have; remove it, or score the data it was made for"
                )
        sequences.append(Sequence(name, truths[1:-1], result_folder, source, object_ids))
    return sequences


def score_if_annotated(args, videos):
    """Score the results of a DAVIS script if every frame of its `videos` has an annotation."""
    if args.shard[1] > 1:
        print("this was one share of the videos: score all of them by davis_eval.py")
    elif davis.is_annotated(args.data_path, videos):
        evaluate_davis(args.data_path, args.result_path, args.data_version, args.test_split)
    else:
        print(f"masks are in {args.result_path}; not every frame has an annotation to score them with")


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
    sequences, skipped = [], []
    for name in youtube_objects.sequence_names(data_path):
        truths = tuple(youtube_objects.labels(data_path, name).values())
        if len(truths) < 2:
            skipped.append(name)
        else:
            sequences.append(Sequence(name, truths[1:], Path(result_path) / name, MASKS, (1,)))
    if not sequences:
        raise InputError(
            f"{Path(data_path) / 'Labels'} has no sequence with two labels; run preprocess_youtube.py again"
        )
    return sequences, skipped


def evaluate_youtube(data_path, result_path, processes=None):
    """Score `result_path`, print IoUs, write `iou.txt` and `per_sequence.csv` there; return the mean over sequences."""
    sequences, skipped = youtube_sequences(data_path, result_path)
    # A sequence is named <class>_<number>.
    rows = [
        (sequence.name, sequence.name.rpartition("_")[0], len(sequence.truths), float(scores[..., 0].mean()))
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


def _iou_lines(ious, mean):
    return "".join(f"{name} {iou:.4f}\n" for name, iou in (*ious, ("all", mean)))


def _csv(rows):
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def _write(path, text):
    with named_write_errors(path), replacing(path) as temporary:
        temporary.write_text(text)
