"""The weights of the boundary net, in a file of NumPy's."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from osmn.config import BOUNDARY_DILATIONS
from osmn.errors import InputError
from osmn.files.atomic import replacing

SHIPPED = Path(__file__).resolve().parents[2] / "models/osmn_boundaries.npz"


def wanted(width: int) -> dict[str, tuple[int, ...]]:
    """Return {name: shape} of all weights of a net of so many channels, with Keras's order of axes."""
    shapes: dict[str, tuple[int, ...]] = {"stem/kernel": (5, 5, 4, width), "stem/bias": (width,)}
    for number in range(1, len(BOUNDARY_DILATIONS) + 1):
        shapes |= {f"depthwise{number}/kernel": (3, 3, width, 1), f"depthwise{number}/bias": (width,)}
        for name in ("inner", "outer"):
            shapes |= {f"{name}{number}/kernel": (1, 1, width, width), f"{name}{number}/bias": (width,)}
    return shapes | {"score/kernel": (3, 3, width, 4), "score/bias": (4,)}


def save(path: Path | str, weights: Mapping[str, np.ndarray]) -> None:
    """Write {name: array}, as float32; the file appears whole or not."""
    content = io.BytesIO()
    arrays: dict[str, Any] = {name: np.asarray(value, np.float32) for name, value in weights.items()}
    np.savez(content, **arrays)
    with replacing(path) as temporary:
        temporary.write_bytes(content.getvalue())


def load(path: Path | str = SHIPPED) -> dict[str, np.ndarray]:
    """Return {name: float32 array}. Raises InputError, naming the file, for what is no such file."""
    try:
        with np.load(path, allow_pickle=False) as file:
            found = {name: file[name].astype(np.float32) for name in file.files}
    except FileNotFoundError:
        raise InputError(f"{path} does not exist; give the file that osmn_boundary_train.py has written") from None
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(f"{path} is damaged or no boundary net ({type(error).__name__}); train it again") from None
    width = found["stem/bias"].size if "stem/bias" in found else 0
    if {name: value.shape for name, value in found.items()} != wanted(width):
        raise InputError(f"{path} is no boundary net; give the file that osmn_boundary_train.py has written")
    return found
