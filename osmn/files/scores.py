"""Score files: an object's probabilities in a frame, with a checksum."""

import io
import zlib
from pathlib import Path

import numpy as np

from osmn.errors import InputError
from osmn.files.atomic import regular_bytes, replacing


def write_scores(path: Path | str, scores: np.ndarray) -> None:
    """Write a float32 (H, W) array of probabilities as .npy, with its checksum behind it, which NumPy ignores."""
    content = io.BytesIO()
    np.save(content, np.asarray(scores, np.float32))
    content.write(_seal(content.getvalue()))
    with replacing(path) as temporary:
        temporary.write_bytes(content.getvalue())


def _seal(content: bytes) -> bytes:
    return b"CRC-32 %08x\n" % zlib.crc32(content)


def read_scores(path: Path | str) -> np.ndarray:
    """Return the float32 (H, W) probabilities, 0 to 1, at `path`.

    Raises InputError, naming the file, if it is missing or damaged, or if it holds anything else.
    """
    try:
        content = regular_bytes(path)
        file = io.BytesIO(content)
        scores = np.load(file, allow_pickle=False)
        if isinstance(scores, np.ndarray):
            end = file.tell()
            if content[end:] not in (b"", _seal(content[:end])):  # Other programs write no checksum.
                raise ValueError("it is not as it was written")
    except FileNotFoundError:
        raise InputError(f"{path} does not exist; run the evaluation with --save_score") from None
    except Exception as error:  # A damaged header raises errors of many types.
        raise InputError(f"{path} is not a score file ({error}); run the evaluation again") from None
    if not isinstance(scores, np.ndarray):  # np.load returns an open archive of arrays.
        scores.close()
        raise InputError(f"{path} is not a score file (it is an archive); run the evaluation again")
    if scores.ndim != 2 or not scores.size:
        raise InputError(
            f"{path} holds an array of shape {scores.shape}, not (height, width); run the evaluation again"
        )
    if scores.dtype.kind != "f" or not (scores.min() >= 0 and scores.max() <= 1):  # NaN fits neither comparison.
        raise InputError(f"{path} does not hold probabilities from 0 to 1; run the evaluation again")
    return scores.astype(np.float32, copy=False)
