"""YouTube-VOS: merge the objects of each video into the indexed PNGs of the challenge, check and zip or score them."""

import csv
import tempfile
import zipfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image
from tqdm import tqdm

from osmn.data.ytvos import read_listings
from osmn.errors import InputError
from osmn.evaluation import Sequence, score
from osmn.files import named_write_errors, read_labels, read_scores, replacing, write_labels
from osmn.masks import merge, resized
from osmn.processes import in_processes, worthwhile_processes
from osmn.results import MERGED, SCORES, find_source

PNG_END = b"\0\0\0\0IEND\xaeB`\x82"


def merge_videos(data_path, pred_path, output_path, split, height=None, processes=None):
    """Write OUTPUT_PATH/<split>/Annotations/<video>/<frame>.png for every frame of meta.json; return that folder.

    `height`, if given, is what the score files must have.
    """
    videos = read_listings(data_path, split)
    annotations = Path(data_path) / split / "Annotations"
    folder = Path(output_path) / split / "Annotations"
    jobs = [
        (video, annotations / video.name, Path(pred_path) / video.name, folder / video.name, height) for video in videos
    ]
    _run(_merge_video, videos, jobs, "merging", processes)
    return folder


def _run(function, videos, jobs, title, processes):
    frames = sum(len(video.objects_by_frame) for video in videos)
    with tqdm(total=frames, desc=title, unit="frame", disable=None) as progress:
        done = in_processes(function, jobs, processes or worthwhile_processes(frames))
        for video, _ in zip(videos, done, strict=True):
            progress.update(len(video.objects_by_frame))


def _merge_video(video, annotations, results, output, height):
    width_height = _annotated_size(video, annotations)
    predicted = any(
        video.starts[object_id] != frame for frame, ids in video.objects_by_frame.items() for object_id in ids
    )
    source = find_source(results) if predicted else SCORES
    for frame, object_ids in video.objects_by_frame.items():
        if source == SCORES:
            labels = _merged_frame(video, frame, object_ids, annotations, results, height)
        else:
            labels = _read_whole(results / f"{frame}.png")
        path = output / f"{frame}.png"
        with named_write_errors(path):
            write_labels(path, resized(labels, width_height))


def _annotated_size(video, annotations):
    """Return the (width, height) of a video's annotations."""
    return read_labels(annotations / f"{next(iter(video.objects_by_frame))}.png").shape[::-1]


def _merged_frame(video, frame, object_ids, annotations, results, height):
    """Return the object ids of a frame at the scores' size, or at the annotation's where all of its objects start."""
    paths = {object_id: results / str(object_id) / f"{frame}.npy" for object_id in object_ids}
    scores = {object_id: read_scores(path) for object_id, path in paths.items() if path.is_file()}
    for object_id, path in paths.items():
        # Only an object's first frame is given: where a later annotation is at hand, it must not stand in for a result.
        if object_id not in scores and video.starts[object_id] != frame:
            raise InputError(f"{path} does not exist; run osmn_train_eval_ytvos.py with --only_testing --save_score")
    if not scores:
        truth = read_labels(annotations / f"{frame}.png")
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
        truth = read_labels(annotations / f"{frame}.png", shape[::-1])
        scores.update({object_id: truth == object_id for object_id in starting})
    return merge(list(scores.values()), list(scores))


def zip_submission(data_path, split, folder, zip_path, processes=None):
    """Check the merged PNGs of `folder` against meta.json, then write them to `zip_path` as the challenge wants them.

    That is Annotations/<video>/<frame>.png: every listed frame, indexed, of the annotations' size, listed ids only.
    """
    videos = read_listings(data_path, split)
    annotations, folder = Path(data_path) / split / "Annotations", Path(folder)
    jobs = [(video, annotations / video.name, folder / video.name) for video in videos]
    _run(_check_video, videos, jobs, "checking", processes)
    with named_write_errors(zip_path), replacing(zip_path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for video in videos:
            for frame in video.objects_by_frame:
                # A fixed date, so that equal results make equal archives. PNGs are compressed already.
                entry = zipfile.ZipInfo(f"Annotations/{video.name}/{frame}.png", (1980, 1, 1, 0, 0, 0))
                entry.external_attr = 0o644 << 16
                archive.writestr(entry, (folder / video.name / f"{frame}.png").read_bytes())


def _check_video(video, annotations, folder):
    width, height = _annotated_size(video, annotations)
    for frame in video.objects_by_frame:
        path = folder / f"{frame}.png"
        labels = _read_whole(path)
        if labels.shape != (height, width):
            raise InputError(
                f"{path} is {labels.shape[1]}x{labels.shape[0]}, not {width}x{height} as the annotation;"
                " merge the results again"
            )
        unknown = set(np.unique(labels).tolist()) - {0, *video.starts}
        if unknown:
            raise InputError(f"{path} holds {sorted(unknown)}, which meta.json does not list; merge the results again")


def _read_whole(path):
    """Return the labels of an indexed PNG after checking every byte of it: Pillow alone reads some damaged ones."""
    labels = read_labels(path)
    with Image.open(path) as image:
        if (image.format, image.mode) != ("PNG", "P"):
            raise InputError(f"{path} is not an indexed PNG; merge the results again")
        try:
            image.verify()
        except Exception as error:  # Pillow raises several kinds.
            raise InputError(f"{path} is damaged ({error}); run the evaluation again") from None
    if not path.read_bytes().endswith(PNG_END):
        raise InputError(f"{path} is cut short; run the evaluation again")
    return labels


# -- Scores ----------------------------------------------------------------------------------------


class ObjectMeans(NamedTuple):
    """The mean J and F of an object over its frames, and whether its category is among those of training."""

    video: str
    object_id: int
    category: str | None
    seen: bool
    frames: int
    j: float
    f: float


def evaluate(data_path, result_path, split, unseen_path=None, processes=None):
    """Score a split whose annotations are there, print a table, write `per_object.csv` to `result_path`; return G.

    An object is scored in the frames that meta.json lists for it after its first, where it is given. `unseen_path` is a
    list of the categories that training did not have, one a line; without it every category is seen.
    """
    videos = read_listings(data_path, split)
    annotations, result_path = Path(data_path) / split / "Annotations", Path(result_path)
    unseen = set() if unseen_path is None else _categories(Path(unseen_path), Path(data_path) / split, videos)
    scored = [(video, frames) for video in videos if (frames := _scored_frames(video))]
    if not scored:
        raise InputError(f"{data_path}/{split}/meta.json lists no object with two frames: there is nothing to score")
    for video, frames in scored:
        for frame in frames:
            if not (annotations / video.name / f"{frame}.png").is_file():
                raise InputError(
                    f"{annotations / video.name / frame}.png does not exist; only a split with all of its annotations"
                    " can be scored, such as videos held out from train"
                )
    with tempfile.TemporaryDirectory() as merged:
        sequences = _merged_sequences(scored, annotations, result_path, Path(merged), processes)
        tables = score(sequences, processes=processes)
    objects = []
    for (video, frames), sequence, table in zip(scored, sequences, tables, strict=True):
        for column, object_id in enumerate(sequence.object_ids):
            rows = [row for row, frame in enumerate(frames) if object_id in frames[frame]]
            if rows:
                category = video.categories[object_id]
                means = table[rows, column].mean(axis=0).tolist()
                objects.append(ObjectMeans(video.name, object_id, category, category not in unseen, len(rows), *means))
    path = result_path / "per_object.csv"
    with named_write_errors(path), replacing(path) as temporary, temporary.open("w", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["video", "object", "category", "seen", "frames", "J_mean", "F_mean"])
        table.writerows([*o[:3], int(o.seen), o.frames, f"{o.j:.6f}", f"{o.f:.6f}"] for o in objects)
    overall = _print_scores(objects, unseen_path)
    left_out = sum(len(video.starts) for video in videos) - len(objects)
    if left_out:
        print(f"not scored, listed for a single frame: {left_out} objects")
    print(f"written: {path}")
    print(f"G: {overall:.3f}")
    return overall


def _scored_frames(video):
    """Return {frame: ids of the objects listed for it that do not start there}, without frames that have none."""
    frames = {
        frame: [i for i in object_ids if video.starts[i] != frame]
        for frame, object_ids in video.objects_by_frame.items()
    }
    return {frame: object_ids for frame, object_ids in frames.items() if object_ids}


def _categories(path, split, videos):
    """Return the categories in the list at `path`; InputError if meta.json does not say an object's category."""
    try:
        categories = {line.strip() for line in path.read_text().splitlines()} - {""}
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read ({getattr(error, 'strerror', 'not text')})") from None
    for video in videos:
        for object_id, category in video.categories.items():
            if category is None:
                raise InputError(f"{split}/meta.json has no category for object {object_id} of {video.name}")
    return categories


def _merged_sequences(scored, annotations, result_path, merged, processes):
    """Return the Sequences to score; videos that have score files are merged into the folder `merged` first."""
    sequences, jobs = [], []
    for video, frames in scored:
        results = result_path / video.name
        if find_source(results) == SCORES:
            jobs.append((video, annotations / video.name, results, merged / video.name, None))
            results = merged / video.name
        truths = tuple(annotations / video.name / f"{frame}.png" for frame in frames)
        sequences.append(Sequence(video.name, truths, results, MERGED, tuple(video.starts)))
    if jobs:
        _run(_merge_video, [job[0] for job in jobs], jobs, "merging", processes)
    return sequences


def _print_scores(objects, unseen_path):
    """Print the means over the objects of seen and of unseen categories; return G, the mean of those there are."""
    print(f"{'':6}  {'objects':>7}{'categories':>12}{'J':>8}{'F':>8}")
    available = []
    for title, of in (("seen", [o for o in objects if o.seen]), ("unseen", [o for o in objects if not o.seen])):
        means = [sum(values) / len(of) for values in zip(*((o.j, o.f) for o in of), strict=True)]
        shown = "".join(f"{mean:8.3f}" for mean in means) or f"{'-':>8}{'-':>8}"
        print(f"{title:6}  {len(of):7}{len({o.category for o in of}):12}{shown}")
        available += means
    if unseen_path is None:
        print("no --unseen FILE: every category counts as seen")
    print(f"G is the mean of {'these four' if len(available) == 4 else 'the two that there are'}")
    return sum(available) / len(available)
