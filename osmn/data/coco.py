"""COCO 2017 for stage 1: which instances are examples."""

import collections
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from osmn.data import coco_masks
from osmn.errors import InputError
from osmn.files.cache import cached
from osmn.files.names import plain_name
from osmn.files.sealed_json import read_json
from osmn.parallel import in_processes, processors
from osmn.progress import progress_bar

MIN_FOREGROUND = 0.03  # As published: an instance must cover more than this share of its image.
CACHE_VERSION = 4
CHUNK = 2000  # Annotations that a process encodes at a time.


class Instances(NamedTuple):
    """Instances of COCO: of each the image's path, its [height, width] and the mask as COCO's run-length text."""

    images: list[str]
    sizes: list[list[int]]
    codes: list[str]


def read_instances(
    data_path: Path | str, split: str, min_foreground: float = MIN_FOREGROUND, cache: bool = True
) -> Instances:
    """Return the `Instances` of `annotations/instances_<split>.json` that are no crowds and are large enough.

    Filtering the full COCO takes minutes. The result is cached beside the annotations, keyed by their file's name, size
    and modification time and by the threshold; a stale or damaged cache is made again.

    Args:
        data_path: a COCO folder, with annotations/.
        split: the split's name, as "train2017".
        min_foreground: an instance must cover more than this share of its image, 0 to 1.
        cache: read and write the cache.

    Raises:
        InputError: if the annotations do not exist or are damaged; it names their file.
    """
    annotations = _annotations(data_path, split)
    state = annotations.stat()
    kept = annotations.with_name(f".osmn-{annotations.stem}.json")
    key = [CACHE_VERSION, annotations.name, state.st_size, state.st_mtime_ns, min_foreground]

    def make() -> list[list[Any]]:
        return _filter(annotations, min_foreground)

    names, sizes, codes = cached(kept, key, make) if cache else make()
    return Instances([str(Path(data_path) / split / name) for name in names], sizes, codes)


def check_folders(data_paths: Sequence[Path | str], split: str) -> None:
    """Raise InputError if a COCO folder in `data_paths` is given twice, or has no annotations of a split."""
    for path, count in collections.Counter(map(os.path.realpath, data_paths)).items():
        if count > 1:
            raise InputError(f"{path} is given {count} times, and its images would count as often; give it once")
    for folder in data_paths:
        _annotations(folder, split)


def _annotations(data_path: Path | str, split: str) -> Path:
    """Return the path of a split's annotations; raise InputError if they do not exist."""
    path = Path(data_path) / "annotations" / f"instances_{split}.json"
    if not path.is_file():
        raise InputError(f"{path} does not exist; give a COCO folder, with annotations/ (README, 'Data')")
    return path


def _filter(annotations: Path, min_foreground: float) -> list[list[Any]]:
    """Return [image names, sizes, codes] of the instances in an annotation file, in the order of the file."""
    try:
        content = read_json(annotations)
        images = _by_id(content["images"])
        for image in images.values():
            plain_name(image["file_name"])
            coco_masks.check_size(image["height"], image["width"])
        entries = []
        for identity, entry in _by_id(content["annotations"]).items():
            if not entry.get("iscrowd", 0):
                image = images[entry["image_id"]]
                size = image["height"], image["width"]
                entries.append((identity, entry["segmentation"], image["file_name"], *size))
    except OSError as error:
        raise InputError(f"{annotations} cannot be read ({error.strerror}); give a folder that can be") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        reason = error if isinstance(error, ValueError) else repr(error)
        raise InputError(f"{annotations} is not COCO's instance annotations ({reason}); download it again") from None
    del content, images
    chunks = [entries[start : start + CHUNK] for start in range(0, len(entries), CHUNK)]
    names, sizes, codes = [], [], []
    with progress_bar(total=len(entries), desc=annotations.name, unit="instance") as bar:
        jobs = [(chunk, min_foreground, str(annotations)) for chunk in chunks]
        encoded = in_processes(_encode, jobs, processors())
        for chunk, kept in zip(chunks, encoded, strict=True):
            for number, code in kept:
                names.append(chunk[number][2])
                sizes.append(list(chunk[number][3:]))
                codes.append(code)
            bar.update(len(chunk))
    if not names:
        raise InputError(f"{annotations} has no instance that covers more than {min_foreground:.0%} of its image")
    return [names, sizes, codes]


def _by_id(entries: Iterable[dict[str, Any]]) -> dict[int | str, dict[str, Any]]:
    """Return {id: entry} of a list of dictionaries; entries of another kind raise an error of any kind."""
    found = {}
    for entry in entries:
        identity = entry["id"]
        if type(identity) not in (int, str):
            raise ValueError(f"{identity!r} is not an id")
        if identity in found:
            raise ValueError(f"the id {identity} is there more than once")
        found[identity] = entry
    return found


def _encode(chunk: Sequence[tuple[Any, ...]], min_foreground: float, annotations: str) -> list[tuple[int, str]]:
    """Return [(number in the chunk, code)] of a chunk's instances that cover more than a share of their image."""
    kept = []
    for number, (identity, segmentation, _, height, width) in enumerate(chunk):
        try:
            code = coco_masks.encode(segmentation, height, width)
        except (ValueError, OverflowError) as error:
            raise InputError(
                f"{annotations}: annotation {identity} is damaged ({error}); remove or replace it"
            ) from None
        if coco_masks.area(code, height, width) / (height * width) > min_foreground:
            kept.append((number, code))
    return kept
