"""Masks of objects in a JSON file, run-length encoded, as BURST and YouTube-VIS (also OVIS, UVO) have them.

They become masks in folders (`data.folders`), an object a folder; and results in folders become such a file.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path, PurePath
from typing import Any, NamedTuple

import numpy as np
from pycocotools import mask as coco_mask

from osmn.errors import InputError, in_short
from osmn.files.atomic import regular_bytes
from osmn.files.images import write_mask
from osmn.files.names import plain_name
from osmn.masks import Size


class TrackedVideo(NamedTuple):
    """A video whose objects a JSON file has.

    Attributes:
        name: the folder of its frames, below the folder of all videos; it may have two parts.
        size: of its frames.
        frames: the names of the annotated frames, without suffix, in their order.
        tracks: {object's name: {frame name: run lengths, as COCO compresses them}}; absent frames are left out.
    """

    name: str
    size: Size
    frames: tuple[str, ...]
    tracks: Mapping[str, Mapping[str, bytes]]


def decoded(video: TrackedVideo, counts: bytes) -> np.ndarray:
    """Return the mask, bool (H, W), of run lengths; raise ValueError if they are of another size."""
    try:
        found = coco_mask.decode({"size": list(video.size.shape), "counts": counts})
    except (ValueError, TypeError, RuntimeError) as error:
        raise ValueError(f"{video.name} has run lengths that cannot be read ({in_short(error)})") from None
    return np.asarray(found, bool)


def encoded(mask: np.ndarray) -> bytes:
    """Return the run lengths, as COCO compresses them, of a mask, bool (H, W)."""
    counts: bytes = coco_mask.encode(np.asfortranarray(mask, np.uint8))["counts"]
    return counts


def coco_rle(mask: np.ndarray) -> dict[str, Any] | None:
    """Return a mask, bool (H, W), as COCO and YouTube-VIS have it in JSON; None for an empty mask."""
    return {"size": list(mask.shape), "counts": encoded(mask).decode()} if mask.any() else None


def read_burst(content: Mapping[str, Any]) -> list[TrackedVideo]:
    """Return the videos of a file of BURST: each annotated image has {object: {"rle": run lengths}}."""
    found = []
    for sequence in content["sequences"]:
        frames = [plain_name(PurePath(path).stem) for path in sequence["annotated_image_paths"]]
        tracks: dict[str, dict[str, bytes]] = {}
        for frame, shown in zip(frames, sequence["segmentations"], strict=True):
            for name, segmentation in shown.items():
                tracks.setdefault(plain_name(name), {})[frame] = segmentation["rle"].encode()
        name = f"{plain_name(sequence['dataset'])}/{plain_name(sequence['seq_name'])}"
        found.append(TrackedVideo(name, _size(sequence), tuple(frames), tracks))
    return found


def read_youtube_vis(content: Mapping[str, Any]) -> list[TrackedVideo]:
    """Return the videos of a file of YouTube-VIS: each annotation is an object, null in frames without it."""
    tracks: dict[int, dict[str, dict[str, bytes]]] = {video["id"]: {} for video in content["videos"]}
    frames = {video["id"]: [PurePath(path) for path in video["file_names"]] for video in content["videos"]}
    sizes = {video["id"]: _size(video) for video in content["videos"]}
    for annotation in content["annotations"]:
        video = annotation["video_id"]
        shown = {
            plain_name(path.stem): _counts(segmentation, sizes[video])
            for path, segmentation in zip(frames[video], annotation["segmentations"], strict=True)
            if segmentation is not None
        }
        tracks[video][str(int(annotation["id"]))] = shown
    return [
        TrackedVideo(
            plain_name(frames[number][0].parent.name),
            sizes[number],
            tuple(plain_name(path.stem) for path in frames[number]),
            tracks[number],
        )
        for number in tracks
    ]


def _size(video: Mapping[str, Any]) -> Size:
    return Size(int(video["width"]), int(video["height"]))


def _counts(segmentation: Mapping[str, Any], size: Size) -> bytes:
    counts = segmentation["counts"]
    if isinstance(counts, list):  # Not compressed.
        counts = coco_mask.frPyObjects(dict(segmentation), *size.shape)["counts"]
    return counts.encode() if isinstance(counts, str) else bytes(counts)


Results = Callable[[TrackedVideo, str, str], np.ndarray]  # (video, object's name, frame name) -> mask, bool (H, W)


def burst_results(content: Mapping[str, Any], results: Results) -> dict[str, Any]:
    """Return the content of BURST's file with results in place of its masks; absent objects are left out."""
    sequences = []
    for sequence, video in zip(content["sequences"], read_burst(content), strict=True):
        shown: list[dict[str, Any]] = []
        for frame in video.frames:
            masks = {name: results(video, name, frame) for name in video.tracks}
            shown.append({name: {"rle": encoded(mask).decode()} for name, mask in masks.items() if mask.any()})
        sequences.append({**sequence, "segmentations": shown})
    return {**content, "sequences": sequences}


def youtube_vis_results(content: Mapping[str, Any], results: Results) -> list[dict[str, Any]]:
    """Return results as YouTube-VIS takes them: a list of objects, null in frames without them."""
    videos = dict(zip((video["id"] for video in content["videos"]), read_youtube_vis(content), strict=True))
    found = []
    for annotation in content["annotations"]:
        video = videos[annotation["video_id"]]
        masks = [results(video, str(int(annotation["id"])), frame) for frame in video.frames]
        rles = [coco_rle(mask) for mask in masks]
        kept = {name: annotation[name] for name in ("video_id", "category_id")}
        found.append({**kept, "score": 1.0, "segmentations": rles})
    return found


class Format(NamedTuple):
    """How a kind of file is read, and how results are written as it has them."""

    read: Callable[[Mapping[str, Any]], list[TrackedVideo]]
    results: Callable[[Mapping[str, Any], Results], Any]


FORMATS = {"burst": Format(read_burst, burst_results), "ytvis": Format(read_youtube_vis, youtube_vis_results)}


def read_file(path: Path | str, name: str) -> tuple[dict[str, Any], list[TrackedVideo]]:
    """Return the content of a JSON file and its videos; `name` is one of `FORMATS`.

    Raises InputError if the file cannot be read, or is of another kind.
    """
    try:
        content = json.loads(regular_bytes(path))
        return content, FORMATS[name].read(content)
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); give the JSON file of {name}") from None
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError) as error:
        reason = in_short(error) if isinstance(error, ValueError) else f"it lacks {in_short(error)}"
        raise InputError(f"{path} is no JSON file of {name} ({reason}); give another, or download it again") from None


def are_first_masks(videos: Iterable[TrackedVideo]) -> bool:
    """Tell whether videos have a single mask of each object, which gives it, as where the truth is secret."""
    return all(len(shown) == 1 for video in videos for shown in video.tracks.values())


def write_masks(video: TrackedVideo, folder: Path, black: bool = True) -> int:
    """Write an object's masks of a video, <folder>/<video>/<object>/<frame>.png; return their number.

    An object has a mask of each annotated frame, black where it is absent; without `black`, only of those that show it.
    Raises ValueError as `decoded` does.
    """
    for name, frame in _masks_of(video, black):
        shown = video.tracks[name]
        mask = decoded(video, shown[frame]) if frame in shown else np.zeros(video.size.shape, bool)
        path = folder / video.name / name / f"{frame}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_mask(path, mask)
    return len(_masks_of(video, black))


def _masks_of(video: TrackedVideo, black: bool) -> list[tuple[str, str]]:
    return [(name, frame) for name, shown in video.tracks.items() for frame in video.frames if black or frame in shown]


def mask_names(videos: Iterable[TrackedVideo], black: bool = True) -> list[str]:
    """Return the paths of the files that `write_masks` writes, below its folder."""
    return [f"{video.name}/{name}/{frame}.png" for video in videos for name, frame in _masks_of(video, black)]
