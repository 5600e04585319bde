"""Score sequences: J and F of every object in every frame, in several processes.

A frame is not kept after it is scored, so memory does not grow with the number or the length of the sequences.
"""

import contextlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from osmn.data.folders import VOID
from osmn.errors import InputError
from osmn.evaluation.metrics import frame_scores
from osmn.files import locks
from osmn.files.atomic import named_write_errors, remove_unfinished
from osmn.files.images import read_labels, write_labels
from osmn.files.overlap import refuse_writing_over_inputs
from osmn.files.scores import read_scores
from osmn.masks import Size, merge, of_object, resized
from osmn.parallel import in_processes, worthwhile_processes
from osmn.progress import progress_bar
from osmn.results.layout import MASKS, OBJECTS, SCORES

FRAMES_PER_JOB = 16


class Sequence(NamedTuple):
    """The frames and objects of a sequence that are scored.

    Attributes:
        name: the sequence's name.
        truths: the paths of the annotations of the scored frames.
        result_folder: the folder of the sequence's results.
        source: MASKS, MERGED, SCORES or OBJECTS: the files that hold the results.
        object_ids: the ids of the scored objects.
        own: {object id: {frame name: path}} of annotations that show one object each, which is scored in these frames;
            `truths` then has one of each frame. Empty where annotations show all objects.
        others: ids of objects that results may show, and that are not scored.
        frames: the names of the scored frames, where the annotations have other names.
    """

    name: str
    truths: tuple[Path, ...]
    result_folder: Path
    source: str
    object_ids: tuple[int, ...]
    own: Mapping[int, Mapping[str, Path]] = {}
    others: tuple[int, ...] = ()
    frames: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the scored frames."""
        return self.frames or tuple(path.stem for path in self.truths)

    def part(self, start: int, count: int) -> "Sequence":
        """Return the sequence of `count` frames from the one of number `start` on."""
        part = slice(start, start + count)
        return self._replace(truths=self.truths[part], frames=self.names[part])


class Scored(NamedTuple):
    """A `Sequence` and J and F of its objects in its frames."""

    sequence: Sequence
    values: np.ndarray  # (frames, objects, 2); NaN where an object is not scored in a frame.

    def of(self, column: int) -> np.ndarray:
        """Return the scores (n, 2) of the object of a column, in the n frames in which it is scored."""
        values = self.values[:, column]
        scored: np.ndarray = values[~np.isnan(values[:, 0])]
        return scored


def require_folders(result_path: Path | str, names: Iterable[str]) -> None:
    """Raise InputError, naming all sequences among `names` that have no folder in `result_path`."""
    missing = [name for name in names if not (Path(result_path) / name).is_dir()]
    if missing:
        others = f", nor do those of {', '.join(missing[1:])}" if missing[1:] else ""
        raise InputError(f"{Path(result_path) / missing[0]} does not exist{others}; run the evaluation that writes it")


def result_files(sequence: Sequence, frame: str) -> list[Path]:
    """Return the paths that the result of a frame is read from: a path per object or, of MASKS and MERGED, one path."""
    if sequence.source in (SCORES, OBJECTS):
        suffix = "npy" if sequence.source == SCORES else "png"
        ids = [i for i in sequence.object_ids if not sequence.own or frame in sequence.own[i]]
        return [sequence.result_folder / str(object_id) / f"{frame}.{suffix}" for object_id in ids]
    return [sequence.result_folder / f"{frame}.png"]


def read_result(sequence: Sequence, frame: str, size: tuple[int, int]) -> np.ndarray:
    """Return the uint8 (H, W) object ids of a frame's result at `size` (width, height).

    Raises InputError if a file of the result is missing or damaged, or if the files do not fit the sequence.
    """
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
    if sequence.source == OBJECTS:  # Where they overlap, the smaller id is shown.
        merged = np.zeros(Size(*size).shape, np.uint8)
        for object_id in reversed(sequence.object_ids):
            path = sequence.result_folder / str(object_id) / f"{frame}.png"
            if path in paths:
                merged[read_labels(path, size) != 0] = object_id
        return merged
    labels = read_labels(paths[0], size)
    if sequence.source == MASKS:
        shown: np.ndarray = labels != 0
        return shown.astype(np.uint8)
    last = max(sequence.object_ids + sequence.others)
    if labels.max() > last:
        raise InputError(
            f"{paths[0]} holds object {labels.max()}, but the last object of {sequence.name} is {last};"
            " merged PNGs hold object ids, not 0/255 masks"
        )
    return labels


def read_truth(sequence: Sequence, number: int, size: tuple[int, int]) -> np.ndarray:
    """Return the uint8 (H, W) object ids that the annotations of the frame of a number show, at `size`."""
    if sequence.own:
        frame, merged = sequence.names[number], np.zeros(Size(*size).shape, np.uint8)
        for object_id in reversed(sequence.object_ids):
            if frame in sequence.own[object_id]:
                merged[of_object(read_labels(sequence.own[object_id][frame], size))] = object_id
        return merged
    labels = read_labels(sequence.truths[number], size)
    shown: np.ndarray = (labels != 0).astype(np.uint8) if sequence.source == MASKS else labels
    return shown


def score(
    sequences: list[Sequence],
    vis_path: Path | str | None = None,
    processes: int | None = None,
    absent: float = 1.0,
    mose2: bool = False,
) -> list[np.ndarray]:
    """Return, for each of `sequences` in order, an array (frames, objects, 2) of J and F.

    Args:
        sequences: what is scored.
        vis_path: a folder for the results as they are scored, as indexed PNGs, <sequence>/<frame>.png; None to write
            no files.
        processes: how many processes to use; by default as many as the work is worth, at most one per processor.
        absent: J and F of an object that neither truth nor result shows.
        mose2: measure J and F as MOSE v2 does.

    Raises:
        InputError: if a result is missing or damaged, or if `vis_path` is among the data or the results.
    """
    if vis_path is not None:
        refuse_writing_over_inputs(
            (Path(vis_path) / sequence.name / f"{name}.png" for sequence in sequences for name in sequence.names),
            {folder for sequence in sequences for folder in _folders_read(sequence)},
        )
    for sequence in sequences:
        _require_results(sequence)
    jobs, owners = [], []
    for index, sequence in enumerate(sequences):
        for start in range(0, len(sequence.truths), FRAMES_PER_JOB):
            jobs.append((sequence.part(start, FRAMES_PER_JOB), vis_path, absent, mose2))
            owners.append(index)
    frames = sum(len(sequence.truths) for sequence in sequences)
    scores: list[list[np.ndarray]] = [[] for _ in sequences]
    held: contextlib.AbstractContextManager[object] = contextlib.nullcontext()
    if vis_path is not None:
        held = locks.writing(vis_path)
    with held, progress_bar(total=frames, desc="scoring", unit="frame", brief=True) as progress:
        if vis_path is not None:
            for sequence in sequences:
                remove_unfinished(Path(vis_path) / sequence.name)
        scored = in_processes(_score_job, jobs, processes or worthwhile_processes(frames))
        for owner, values in zip(owners, scored, strict=True):
            scores[owner].append(values)
            progress.update(len(values))
    return [np.concatenate(values) for values in scores]


def _folders_read(sequence: Sequence) -> set[Path]:
    results = result_files(sequence, sequence.names[0])
    return {sequence.result_folder, *(path.parent for path in (sequence.truths[0], *results))}


def _require_results(sequence: Sequence) -> None:
    """Raise InputError for a missing result, before the others are scored for minutes."""
    for truth, name in zip(sequence.truths, sequence.names, strict=True):
        for path in result_files(sequence, name):
            if not path.is_file():
                raise InputError(
                    f"{path} does not exist, though {truth.parent} has that frame; run the evaluation again"
                )


def _score_job(sequence: Sequence, vis_path: Path | str | None, absent: float, mose2: bool) -> np.ndarray:
    """Return the scores, (frames, objects, 2), of a few frames of a sequence."""
    scores = []
    for path, name in zip(sequence.truths, sequence.names, strict=True):
        if sequence.own:
            scores.append(_own_scores(sequence, name, absent, mose2))
            continue
        truth = read_labels(path)
        if sequence.source == MASKS:
            truth = (truth != 0).astype(np.uint8)
        elif truth.max() == VOID > max(sequence.object_ids):
            # It counts as background.
            truth = np.where(truth == VOID, np.uint8(0), truth)
        result = read_result(sequence, name, Size.of(truth))
        scores.append(frame_scores(truth, result, sequence.object_ids, absent, mose2))
        if vis_path is not None:
            shown = Path(vis_path) / sequence.name / f"{name}.png"
            with named_write_errors(shown):
                write_labels(shown, result)
    return np.stack(scores)


def _own_scores(sequence: Sequence, frame: str, absent: float, mose2: bool) -> np.ndarray:
    """Return the scores, (objects, 2), of objects with masks of their own in a frame; NaN of those without a mask."""
    scores = np.full((len(sequence.object_ids), 2), np.nan)
    for row, object_id in zip(scores, sequence.object_ids, strict=True):
        if frame in sequence.own[object_id]:
            truth = of_object(read_labels(sequence.own[object_id][frame]))
            path = sequence.result_folder / str(object_id) / f"{frame}.png"
            result = read_labels(path, Size.of(truth)) != 0
            row[:] = frame_scores(truth.astype(np.uint8), result.astype(np.uint8), (1,), absent, mose2)[0]
    return scores
