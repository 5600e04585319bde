"""COCO 2017 for stage 1: which instances are examples."""

from pathlib import Path
from typing import NamedTuple

from pycocotools import mask as coco_masks
from tqdm import tqdm

from osmn import files
from osmn.errors import InputError
from osmn.folders import plain_name
from osmn.processes import in_processes, processors

MIN_FOREGROUND = 0.03  # As published: an instance must cover more than this share of its image.
CACHE_VERSION = 3
CHUNK = 2000  # annotations that a process encodes at a time


class Instances(NamedTuple):
    """Instances of COCO: for each its image's path, [height, width], and its mask as COCO's run-length code (text)."""

    images: list
    sizes: list
    codes: list


def read_instances(data_path, split, min_foreground=MIN_FOREGROUND, cache=True):
    """Return the `Instances` of `annotations/instances_<split>.json`: no crowds, and large enough.

    Filtering the full COCO takes minutes; its result is cached beside the annotations, keyed by their file's name,
    size, modification time and the threshold. A stale or damaged cache is made again.

    Raises InputError, naming the file, for damaged annotations.
    """
    annotations = Path(data_path) / "annotations" / f"instances_{split}.json"
    if not annotations.is_file():
        raise InputError(f"{annotations} does not exist; --data_path must be a COCO folder (README, 'Data')")
    state = annotations.stat()
    kept = annotations.with_name(f".osmn-{annotations.stem}.json")
    key = [CACHE_VERSION, annotations.name, state.st_size, state.st_mtime_ns, min_foreground]

    def make():
        return _filter(annotations, min_foreground)

    names, sizes, codes = files.cached(kept, key, make) if cache else make()
    return Instances([str(Path(data_path) / split / name) for name in names], sizes, codes)


def _filter(annotations, min_foreground):
    """Return [image names, sizes, codes] of the instances in an annotation file, in the order of the file."""
    try:
        content = files.read_json(annotations)
        images = {i["id"]: (plain_name(i["file_name"]), i["height"], i["width"]) for i in content["images"]}
        entries = [
            (a["id"], a["segmentation"], *images[a["image_id"]])
            for a in content["annotations"]
            if not a.get("iscrowd", 0)
        ]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{annotations} is not COCO's instance annotations ({error!r}); download it again") from None
    del content
    chunks = [entries[start : start + CHUNK] for start in range(0, len(entries), CHUNK)]
    names, sizes, codes = [], [], []
    with tqdm(total=len(entries), desc=annotations.name, unit="instance", dynamic_ncols=True) as bar:
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


def _encode(chunk, min_foreground, annotations):
    """Return [(number in the chunk, code)] of a chunk's instances that cover more than a share of their image."""
    kept = []
    for number, (identity, segmentation, _, height, width) in enumerate(chunk):
        try:
            if isinstance(segmentation, list):  # polygons
                code = coco_masks.merge(coco_masks.frPyObjects(segmentation, height, width))
            elif isinstance(segmentation["counts"], list):  # uncompressed runs
                code = coco_masks.frPyObjects(segmentation, height, width)
            else:
                code = segmentation
            if list(code["size"]) != [height, width]:
                raise ValueError(f"its mask is of size {code['size']}, its image of {[height, width]}")
            foreground = coco_masks.area(code) / (height * width)
        except Exception as error:  # pycocotools raises whatever the C code meets.
            raise InputError(
                f"{annotations}: annotation {identity} is damaged ({error}); remove or replace it"
            ) from None
        if foreground > min_foreground:
            counts = code["counts"]
            kept.append((number, counts.decode() if isinstance(counts, bytes) else counts))
    return kept
