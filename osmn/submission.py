"""YouTube-VOS: merge the objects of each video into the indexed PNGs of the challenge, check them and zip them."""

import json
import zipfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image
from tqdm import tqdm

from osmn.errors import InputError
from osmn.evaluation import (
    SCORES,
    find_source,
    in_processes,
    merge,
    named_write_errors,
    resized,
    worthwhile_processes,
)
from osmn.files import read_labels, read_scores, replacing, write_labels


class Video(NamedTuple):
    """A video of meta.json: the ids of the objects listed for each frame, and the frame where each object starts."""

    name: str
    objects_by_frame: dict
    starts: dict


def read_videos(data_path, split):
    """Return the Videos of DATA_PATH/<split>/meta.json, their frames in order. Raises InputError if it is not one."""
    path = Path(data_path) / split / "meta.json"
    try:
        listed = json.loads(path.read_text())["videos"]
        videos = [_video(name, entry["objects"]) for name, entry in sorted(listed.items())]
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); DATA_PATH must be a YouTube-VOS folder") from None
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise InputError(f"{path} is not a YouTube-VOS meta.json ({error!r}); download it again") from None
    if not videos:
        raise InputError(f"{path} lists no video; download it again")
    return videos


def _video(name, objects):
    frames = {int(object_id): sorted(entry["frames"]) for object_id, entry in objects.items()}
    by_frame = {frame: [] for frame in sorted({frame for listed in frames.values() for frame in listed})}
    for object_id in sorted(frames):
        for frame in frames[object_id]:
            by_frame[frame].append(object_id)
    return Video(name, by_frame, {object_id: listed[0] for object_id, listed in frames.items()})


def merge_videos(data_path, pred_path, output_path, split, height=None, processes=None):
    """Write OUTPUT_PATH/<split>/Annotations/<video>/<frame>.png for every frame of meta.json; return that folder.

    `height`, if given, is what the score files must have.
    """
    videos = read_videos(data_path, split)
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


def _merge_video(job):
    video, annotations, results, output, height = job
    width_height = _annotated_size(video, annotations)
    predicted = any(
        video.starts[object_id] != frame for frame, ids in video.objects_by_frame.items() for object_id in ids
    )
    source = find_source(results) if predicted else SCORES
    for frame, object_ids in video.objects_by_frame.items():
        if source == SCORES:
            labels = _merged_frame(video, frame, object_ids, annotations, results, height)
        else:
            labels = read_labels(results / f"{frame}.png")
        path = output / f"{frame}.png"
        with named_write_errors(path):
            write_labels(path, resized(labels, width_height))


def _annotated_size(video, annotations):
    """Return the (width, height) of a video's annotations."""
    return read_labels(annotations / f"{min(video.starts.values())}.png").shape[::-1]


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
    for object_id, score in scores.items():
        if score.shape != shape:
            raise InputError(f"{paths[object_id]} is not of the size of the frame's others; run the evaluation again")
        if height is not None and score.shape[0] != height:
            raise InputError(f"{paths[object_id]} has {score.shape[0]} rows, not {height}; leave out that argument")
    starting = [object_id for object_id in object_ids if object_id not in scores]
    if starting:
        truth = read_labels(annotations / f"{frame}.png", shape[::-1])
        scores.update({object_id: truth == object_id for object_id in starting})
    return merge(list(scores.values()), list(scores))


def zip_submission(data_path, split, folder, zip_path, processes=None):
    """Check the merged PNGs of `folder` against meta.json, then write them to `zip_path` as the challenge wants them.

    That is Annotations/<video>/<frame>.png: every listed frame, indexed, of the annotations' size, listed ids only.
    """
    videos = read_videos(data_path, split)
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


def _check_video(job):
    video, annotations, folder = job
    width, height = _annotated_size(video, annotations)
    for frame in video.objects_by_frame:
        path = folder / f"{frame}.png"
        labels = read_labels(path)
        with Image.open(path) as image:
            mode = image.mode
        if mode != "P":
            raise InputError(f"{path} is not an indexed PNG; merge the results again")
        if labels.shape != (height, width):
            raise InputError(
                f"{path} is {labels.shape[1]}x{labels.shape[0]}, not {width}x{height} as the annotation;"
                " merge the results again"
            )
        unknown = set(np.unique(labels).tolist()) - {0, *video.starts}
        if unknown:
            raise InputError(f"{path} holds {sorted(unknown)}, which meta.json does not list; merge the results again")
