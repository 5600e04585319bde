"""The datasets whose results can be scored, and which of them a folder holds."""

from pathlib import Path

from osmn.errors import InputError
from osmn.evaluation import davis, youtube_objects, ytvos

DATASETS = (davis.DATASET, youtube_objects.DATASET, ytvos.DATASET)


def dataset_in(folder):
    """Return the `Dataset` that a folder holds; InputError if it holds none of them."""
    for dataset in DATASETS:
        if dataset.looks_like(Path(folder)):
            return dataset
    signs = ", nor ".join(f"{dataset.sign} ({dataset.name})" for dataset in DATASETS)
    raise InputError(f"{folder} has neither {signs}; give the dataset's folder")
