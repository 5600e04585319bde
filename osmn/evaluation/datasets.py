"""The datasets whose results can be scored, and the choice of a folder's dataset."""

from pathlib import Path

from osmn.errors import InputError
from osmn.evaluation import davis, youtube_objects, ytvos
from osmn.evaluation.dataset import Dataset

DATASETS = (davis.DATASET, youtube_objects.DATASET, ytvos.DATASET)


def dataset_in(folder: Path | str) -> Dataset:
    """Return the `Dataset` that a folder holds; raise InputError if it holds no known dataset."""
    for dataset in DATASETS:
        if dataset.looks_like(Path(folder)):
            return dataset
    signs = ", nor ".join(f"{dataset.sign} ({dataset.name})" for dataset in DATASETS)
    raise InputError(f"{folder} has neither {signs}; give the dataset's folder")
