"""Score files: an object's probabilities in a frame, with a checksum."""

import io
import zlib

import numpy as np

from osmn.errors import InputError
from osmn.files.atomic import regular_bytes, replacing


def write_scores(path, scores):
    """Write a float32 (H, W) array of probabilities as .npy, with its checksum behind it, where NumPy does not look."""
    content = io.BytesIO()
    np.save(content, np.asarray(scores, np.float32))
    content.write(_seal(content.getvalue()))
    with replacing(path) as temporary:
        temporary.write_bytes(content.getvalue())


def _seal(content):
    return b"CRC-32 %08x\n" % zlib.crc32(content)


def read_scores(path):
    """Return the float32 (H, W) probabilities, 0 to 1, at `path`.

    Raises InputError, naming the file, if it is missing or damaged, or if that is not what it holds.
    """
    try:
        content = regular_bytes(path)
        file = io.BytesIO(content)
        scores = np.load(file, allow_pickle=False)
        if isinstance(scores, np.ndarray):
            end = file.tell()
            if content[end:] not in (b"", _seal(content[:end])):  # Other programs write none.
                raise ValueError("it is not as it was written")
    except FileNotFoundError:
        raise InputError(f"{path} does not exist; run the evaluation with --save_score") from None
    except Exception as error:  # A damaged header raises whatever its reader meets.
        raise InputError(f"{path} is not a score file ({error}); run the evaluation again") from None
    if not isinstance(scores, np.ndarray):  # An archive of arrays, open.
        scores.close()
        raise InputError(f"{path} is not a score file (it is an archive); run the evaluation again")
    if scores.ndim != 2 or not scores.size:
        raise InputError(
            f"{path} holds an array of shape {scores.shape}, not (height, width); run the evaluation again"
        )
    if scores.dtype.kind != "f" or not (scores.min() >= 0 and scores.max() <= 1):  # Neither holds for NaN.
        raise InputError(f"{path} does not hold probabilities from 0 to 1; run the evaluation again")
    return scores.astype(np.float32, copy=False)
