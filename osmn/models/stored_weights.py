"""A network's weights in a checkpoint, whoever reads it: their names, and whether they fit. Without TensorFlow."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from osmn.errors import InputError, argument
from osmn.models.checkpoint_files import model_files

ADAM_SLOTS = ("Adam", "Adam_1")  # first and second moments
AVERAGE = "ExponentialMovingAverage"  # TF1's name for it
NETWORK_SWITCHES = ("base_model", "mod_early_conv", "no_visual_modulator", "no_spatial_modulator")
COUNTERS = ("beta1_power", "beta2_power", "global_step", "loss_scale", "loss_scale_steps")


class Reader(Protocol):
    """What reads a checkpoint: `checkpoints.CheckpointReader` or `bundles.Bundle`."""

    path: Path
    shapes: Mapping[str, Sequence[int]]

    def read(self, name: str) -> np.ndarray:
        """Return the value of a variable."""


class StoredWeights(Mapping[str, np.ndarray]):
    """{name: array} of the variables `wanted`, {name: shape}, the average of a training where there is one.

    A value is read whenever it is asked for, so that no more than what is being built is in memory. Raises InputError
    listing what is missing or does not fit.
    """

    def __init__(self, reader: Reader, wanted: Mapping[str, tuple[int, ...]]) -> None:
        check_fit(reader, wanted)
        self._reader = reader
        self._stored = {name: average_name(name) if average_name(name) in reader.shapes else name for name in wanted}

    def __getitem__(self, name: str) -> np.ndarray:
        return self._reader.read(self._stored[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self._stored)

    def __len__(self) -> int:
        return len(self._stored)


def unused(reader: Reader, wanted: Mapping[str, tuple[int, ...]]) -> list[str]:
    """Return the names in a checkpoint, sorted, that `wanted` lacks, without those of training alone."""
    return sorted(name for name in set(reader.shapes) - set(wanted) if not is_optimizer_state(name))


def average_name(name: str) -> str:
    """Return the name of the average of the variable `name`."""
    return f"{name}/{AVERAGE}"


def is_optimizer_state(name: str) -> bool:
    """Tell whether a TF1 variable name is an optimizer slot, an average or a counter."""
    return name.rpartition("/")[2] in (*COUNTERS, *ADAM_SLOTS, AVERAGE)


def check_fit(reader: Reader, wanted: Mapping[str, tuple[int, ...]]) -> None:
    """Raise InputError unless a checkpoint has every variable of `wanted`, {name: shape}."""
    missing = [name for name in wanted if name not in reader.shapes]
    misfits = [
        f"{name} is {tuple(reader.shapes[name])}, not {shape}"
        for name, shape in wanted.items()
        if name in reader.shapes and tuple(reader.shapes[name]) != shape
    ]
    if missing or misfits:
        problems = [listing(misfits)] if misfits else []
        if missing:
            problems.insert(0, f"lacks {listing(missing)}")
        raise InputError(
            f"{reader.path} does not fit this network: {'; '.join(problems)} (check"
            f" {', '.join(map(argument, NETWORK_SWITCHES))})"
        )


def listing(items: Sequence[str], limit: int = 8) -> str:
    """Return names as text: at most `limit` of them, and how many more there are."""
    more = f" and {len(items) - limit} more" if len(items) > limit else ""
    return ", ".join(items[:limit]) + more


def fingerprint(path: Path | str) -> str:
    """Return the SHA-256, in hex, of a checkpoint's weights, given its prefix or file."""
    parts = [Path(path)]
    if Path(f"{path}.index").is_file():
        parts = sorted(part for part in model_files(path) if part.suffix.startswith(".data-"))
    digest = hashlib.sha256()
    for part in parts:
        with part.open("rb") as file:
            while block := file.read(2**20):
                digest.update(block)
    return digest.hexdigest()
