"""YouTube-VOS: merge the objects of each video into the indexed PNGs of the challenge, check and zip them."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from osmn.data.ytvos import Listing, annotations, read_listings
from osmn.errors import InputError
from osmn.files import locks
from osmn.files.atomic import named_write_errors, remove_unfinished
from osmn.files.images import is_indexed, read_labels, write_labels
from osmn.files.overlap import refuse_writing_over_inputs
from osmn.files.scores import read_scores
from osmn.masks import Size, merge, resized
from osmn.parallel import in_processes, worthwhile_processes
from osmn.progress import progress_bar
from osmn.results.archive import check_archive, write_archive
from osmn.results.layout import SCORES, find_source


def merge_videos(
    data_path: Path | str,
    pred_path: Path | str,
    output_path: Path | str,
    split: str,
    height: int | None = None,
    processes: int | None = None,
) -> Path:
    """Write OUTPUT_PATH/<split>/Annotations/<video>/<frame>.png for every frame of meta.json; return that folder.

    Args:
        data_path: a YouTube-VOS folder.
        pred_path: the folder of the results.
        output_path: the folder in which the merged PNGs are written.
        split: the split's name, a folder of `data_path`.
        height: the number of rows that the score files must have; None for any number.
        processes: how many processes to use; by default as many as the work is worth.

    Raises:
        InputError: if data or results are missing or damaged, or if the output is among them.
    """
    folder = Path(output_path) / split / "Annotations"
    merge_results(
        read_listings(data_path, split), annotations(data_path, split), Path(pred_path), folder, height, processes
    )
    return folder


def merge_results(
    listings: Sequence[Listing],
    truths: Path,
    results: Path,
    folder: Path,
    height: int | None = None,
    processes: int | None = None,
) -> None:
    """Write FOLDER/<video>/<frame>.png, indexed, for the frames of `listings`, of the annotations' size.

    Args:
        listings: the videos.
        truths: the folder of the videos' annotations.
        results: the folder of the videos' results: score files if a video has them, else PNGs that are merged already.
        folder: the folder that is written.
        height: the number of rows that the score files must have; None for any number.
        processes: how many processes to use; by default as many as the work is worth.

    Raises:
        InputError: if a result is missing or damaged, or if `folder` is among the data or the results.
    """
    refuse_writing_over_inputs(
        (folder / listing.name / f"{frame}.png" for listing in listings for frame in listing.objects_by_frame),
        _folders_read(listings, truths, results),
    )
    jobs = [
        (listing, truths / listing.name, results / listing.name, folder / listing.name, height) for listing in listings
    ]
    with locks.writing(folder):
        _run(_merge_video, listings, jobs, "merging", processes)


def _folders_read(listings: Sequence[Listing], truths: Path, results: Path) -> list[Path]:
    """Return the folders that the annotations and the results of `listings` are in."""
    folders = [of / listing.name for of in (truths, results) for listing in listings]
    return folders + [results / listing.name / str(i) for listing in listings for i in listing.starts]


def _run(
    function: Callable[..., None],
    listings: Sequence[Listing],
    jobs: Sequence[tuple[Any, ...]],
    title: str,
    processes: int | None,
) -> None:
    frames = sum(len(listing.objects_by_frame) for listing in listings)
    with progress_bar(total=frames, desc=title, unit="frame", brief=True) as progress:
        done = in_processes(function, jobs, processes or worthwhile_processes(frames))
        for listing, _ in zip(listings, done, strict=True):
            progress.update(len(listing.objects_by_frame))


def _merge_video(listing: Listing, truths: Path, results: Path, output: Path, height: int | None) -> None:
    remove_unfinished(output)
    width_height = _annotated_size(listing, truths)
    predicted = any(
        listing.starts[object_id] != frame for frame, ids in listing.objects_by_frame.items() for object_id in ids
    )
    source = find_source(results, listing.objects_by_frame) if predicted else SCORES
    for frame, object_ids in listing.objects_by_frame.items():
        if source == SCORES:
            labels = _merged_frame(listing, frame, object_ids, truths, results, height)
        else:
            labels = _read_whole(results / f"{frame}.png")
        path = output / f"{frame}.png"
        with named_write_errors(path):
            write_labels(path, resized(labels, width_height))


def _annotated_size(listing: Listing, truths: Path) -> Size:
    """Return the size of a video's annotations."""
    return Size.of(read_labels(truths / f"{next(iter(listing.objects_by_frame))}.png"))


def _merged_frame(
    listing: Listing, frame: str, object_ids: Sequence[int], truths: Path, results: Path, height: int | None
) -> np.ndarray:
    """Return a frame's object ids in the scores' size, or in the annotation's size if all its objects start there."""
    paths = {object_id: results / str(object_id) / f"{frame}.npy" for object_id in object_ids}
    scores = {object_id: read_scores(path) for object_id, path in paths.items() if path.is_file()}
    for object_id, path in paths.items():
        # Only an object's first mask is given: an annotation of a later frame must not replace a missing result.
        if object_id not in scores and listing.starts[object_id] != frame:
            raise InputError(f"{path} does not exist; run osmn_train_eval_ytvos.py with --only_testing --save_score")
    if not scores:
        truth = read_labels(truths / f"{frame}.png")
        return np.where(np.isin(truth, object_ids), truth, np.uint8(0))
    shape = next(iter(scores.values())).shape
    for object_id, probabilities in scores.items():
        path = paths[object_id]
        if probabilities.shape != shape:
            raise InputError(f"{path} is not of the size of the frame's others; run the evaluation again")
        if height is not None and shape[0] != height:
            raise InputError(f"{path} has {shape[0]} rows, not {height}; leave out that argument")
    starting = [object_id for object_id in object_ids if object_id not in scores]
    if starting:
        truth = read_labels(truths / f"{frame}.png", Size.of(next(iter(scores.values()))))
        scores.update({object_id: truth == object_id for object_id in starting})
    return merge(list(scores.values()), list(scores))


def zip_submission(
    data_path: Path | str, split: str, folder: Path | str, zip_path: Path | str, processes: int | None = None
) -> None:
    """Check the merged PNGs of `folder` against meta.json, then write them to `zip_path` as the challenge wants them.

    The archive has Annotations/<video>/<frame>.png for every listed frame: indexed, of the annotations' size, with
    listed ids only.

    Args:
        data_path: a YouTube-VOS folder.
        split: the split's name, a folder of `data_path`.
        folder: the folder of the merged PNGs, <video>/<frame>.png.
        zip_path: the archive.
        processes: how many processes to use; by default as many as the work is worth.

    Raises:
        InputError: if a PNG is missing or is not as the challenge wants it, or if the archive cannot be written.
    """
    check_archive(zip_path)
    listings, truths, folder = read_listings(data_path, split), annotations(data_path, split), Path(folder)
    jobs = [(listing, truths / listing.name, folder / listing.name) for listing in listings]
    _run(_check_video, listings, jobs, "checking", processes)
    names = (f"{listing.name}/{frame}.png" for listing in listings for frame in listing.objects_by_frame)
    write_archive(zip_path, ((f"Annotations/{name}", (folder / name).read_bytes()) for name in names))


def _check_video(listing: Listing, truths: Path, folder: Path) -> None:
    wanted = _annotated_size(listing, truths)
    for frame in listing.objects_by_frame:
        path = folder / f"{frame}.png"
        labels = _read_whole(path)
        size = Size.of(labels)
        if size != wanted:
            raise InputError(
                f"{path} is {size.width}x{size.height}, not {wanted.width}x{wanted.height} as the annotation;"
                " merge the results again"
            )
        unknown = set(np.unique(labels).tolist()) - {0, *listing.starts}
        if unknown:
            raise InputError(f"{path} holds {sorted(unknown)}, which meta.json does not list; merge the results again")


def _read_whole(path: Path) -> np.ndarray:
    """Return the labels of an indexed PNG; raise InputError if it is damaged or gray."""
    labels = read_labels(path)
    if not is_indexed(path):
        raise InputError(f"{path} is not an indexed PNG; merge the results again")
    return labels
