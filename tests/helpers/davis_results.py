"""Annotations of DAVIS and results to be scored."""

import csv

import numpy as np

from osmn.files.images import write_labels
from osmn.files.scores import write_scores


def blobs(seed, shape=(60, 90), objects=3):
    """Return labels with a few random boxes per object, some cut by the border."""
    rng = np.random.default_rng(seed)
    labels = np.zeros(shape, np.uint8)
    for object_id in range(1, objects + 1):
        for _ in range(3):
            y, x = rng.integers(0, shape[0]), rng.integers(0, shape[1])
            labels[y : y + rng.integers(1, 20), x : x + rng.integers(1, 30)] = object_id
    return labels


def write_davis(root, frames, version=2017, name="seq", split="val"):
    """Write annotations, one (H, W) label image per frame, as a DAVIS folder."""
    listing = root / "ImageSets" / str(version) / f"{split}.txt"
    listing.parent.mkdir(parents=True, exist_ok=True)
    with listing.open("a") as lines:
        lines.write(f"{name}\n")
    for index, labels in enumerate(frames):
        write_labels(root / f"Annotations/480p/{name}/{index:05d}.png", labels)
    return root


def read_csv(path):
    """Return the rows of a table, each as {column: text}."""
    with path.open() as lines:
        return list(csv.DictReader(lines))


def write_score_files(folder, results, object_ids):
    """Write labels, (H, W) for each frame, as score files: 0.9 where an object is and 0.1 elsewhere."""
    for index, labels in enumerate(results):
        for object_id in object_ids:
            probability = np.where(labels == object_id, 0.9, 0.1)
            write_scores(folder / str(object_id) / f"{index:05d}.npy", probability)
