"""COCO 2017 for stage 1: which instances are examples."""

import collections
import logging
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from osmn.data import coco_masks
from osmn.errors import InputError, argument
from osmn.files.cache import cached
from osmn.files.names import path_inside
from osmn.files.sealed_json import read_json
from osmn.parallel import in_processes, processors
from osmn.progress import progress_bar

MIN_FOREGROUND = 0.03  # As published: an instance must cover more than this share of its image.
CACHE_VERSION = 5
CHUNK = 2000  # Annotations that a process encodes at a time.
NAMED = 10  # Files or annotations that a message names, of many.

logger = logging.getLogger(__name__)


class Instances(NamedTuple):
    """Instances of COCO: of each the image's path, its [height, width] and the mask as COCO's run-length text."""

    images: list[str]
    sizes: list[list[int]]
    codes: list[str]


def read_instances(
    data_path: Path | str,
    split: str,
    min_foreground: float = MIN_FOREGROUND,
    cache: bool = True,
    skip_bad: bool = False,
) -> Instances:
    """Return the `Instances` of `annotations/instances_<split>.json` that are no crowds and are large enough.

    Filtering the full COCO takes minutes. The result is cached beside the annotations, keyed by their file's name, size
    and modification time and by the threshold; a stale or damaged cache is made again.

    Args:
        data_path: a COCO folder, with annotations/.
        split: the split's name, as "train2017".
        min_foreground: an instance must cover more than this share of its image, 0 to 1.
        cache: read and write the cache.
        skip_bad: leave out annotations that are damaged, and those of images that are not there, with a line.

    Raises:
        InputError: if the annotations do not exist or are damaged, or if images are not there; it names all of them, as
            far as a line can.
    """
    annotations = _annotations(data_path, split)
    state = annotations.stat()
    kept = annotations.with_name(f".osmn-{annotations.stem}.json")
    key = [CACHE_VERSION, annotations.name, state.st_size, state.st_mtime_ns, min_foreground]

    def make() -> list[list[Any]]:
        found = _filter(annotations, min_foreground)
        if found[3] and not skip_bad:
            raise InputError(f"{annotations}: {_damage_in_words(found[3])}; correct that, or {_left_out()}")
        if not found[0]:
            raise InputError(f"{annotations} has no instance that covers more than {min_foreground:.0%} of its image")
        return found

    *found, damage = cached(kept, [*key, skip_bad], make) if cache else make()
    if damage:
        logger.info(f"{annotations}: {_damage_in_words(damage)}; left out")
    return _with_images(Instances(*found), Path(data_path) / split, annotations, skip_bad)


def _left_out() -> str:
    return f"leave that out by {argument('skip_bad_annotations', True)}"


def _damage_in_words(damage: Sequence[tuple[int | str, str]]) -> str:
    """Return in words which annotations are damaged, of a list of (id, reason)."""
    if len(damage) == 1:
        ((identity, reason),) = damage
        return f"annotation {identity} is damaged ({reason})"
    by_reason: dict[str, list[str]] = {}
    for identity, reason in damage:
        by_reason.setdefault(reason, []).append(str(identity))
    kinds = [f"{len(ids)} x {reason} ({_listed(ids)})" for reason, ids in by_reason.items()]
    more = f"; and {len(kinds) - NAMED} more kinds" if len(kinds) > NAMED else ""
    return f"{len(damage)} annotations are damaged: {'; '.join(kinds[:NAMED])}{more}"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:NAMED]) + (f" and {len(names) - NAMED} more" if len(names) > NAMED else "")


def _with_images(instances: Instances, folder: Path, annotations: Path, skip_bad: bool) -> Instances:
    """Return the `Instances` with the paths of their images; InputError, or a line, for images that are not there."""
    parents = {str(Path(name).parent) for name in instances.images}
    there = {parent: _names_in(folder / parent) for parent in parents}  # A look at each folder, not at each file.
    missing = {name for name in instances.images if Path(name).name not in there[str(Path(name).parent)]}
    if missing:
        words = f"{annotations}: {len(missing)} of {len(set(instances.images))} images are not in {folder}"
        words += f": {_listed(sorted(missing))}"
        if not skip_bad or missing.issuperset(instances.images):
            raise InputError(f"{words}; copy them there, or {_left_out()}")
        logger.info(f"{words}; left out")
    kept = [number for number, name in enumerate(instances.images) if name not in missing]
    paths = [str(folder / instances.images[number]) for number in kept]
    return Instances(paths, [instances.sizes[n] for n in kept], [instances.codes[n] for n in kept])


def _names_in(folder: Path) -> set[str]:
    return set(os.listdir(folder)) if folder.is_dir() else set()


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
    """Return [image names, sizes, codes, damage] of the instances in an annotation file, in the order of the file.

    The damage is a list of [annotation's id, reason].
    """
    try:
        content = read_json(annotations)
        images = _by_id(content["images"])
        if not images:
            raise ValueError("it lists no images")
        for image in images.values():
            image["file_name"] = path_inside(image["file_name"])
            coco_masks.check_size(image["height"], image["width"])
        entries, damage = [], []
        for identity, entry in _by_id(content["annotations"]).items():
            if not entry.get("iscrowd", 0):
                if entry["image_id"] in images:
                    image = images[entry["image_id"]]
                    where = image["file_name"], image["height"], image["width"]
                    entries.append((identity, entry.get("segmentation"), *where))
                else:
                    damage.append([identity, "its image is not in the list of images"])
    except OSError as error:
        raise InputError(f"{annotations} cannot be read ({error.strerror}); give a folder that can be") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        reason = error if isinstance(error, ValueError) else repr(error)
        raise InputError(f"{annotations} is not COCO's instance annotations ({reason}); download it again") from None
    del content, images
    chunks = [entries[start : start + CHUNK] for start in range(0, len(entries), CHUNK)]
    names, sizes, codes = [], [], []
    with progress_bar(total=len(entries), desc=annotations.name, unit="instance") as bar:
        encoded = in_processes(_encode, [(chunk, min_foreground) for chunk in chunks], processors())
        for chunk, (kept, damaged) in zip(chunks, encoded, strict=True):
            damage += damaged
            for number, code in kept:
                names.append(chunk[number][2])
                sizes.append(list(chunk[number][3:]))
                codes.append(code)
            bar.update(len(chunk))
    return [names, sizes, codes, damage]


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


def _encode(
    chunk: Sequence[tuple[Any, ...]], min_foreground: float
) -> tuple[list[tuple[int, str]], list[list[int | str]]]:
    """Return what `_filter` keeps of a chunk, and its damage.

    Those are [(number in the chunk, code)] of the instances that cover more than a share of their image, and [[id,
    reason]] of the annotations that are damaged.
    """
    kept, damage = [], []
    for number, (identity, segmentation, _, height, width) in enumerate(chunk):
        try:
            code = coco_masks.encode(segmentation, height, width)
        except (ValueError, OverflowError) as error:
            damage.append([identity, str(error)])
            continue
        if coco_masks.area(code, height, width) / (height * width) > min_foreground:
            kept.append((number, code))
    return kept, damage
