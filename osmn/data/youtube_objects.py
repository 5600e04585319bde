"""YouTube-Objects, as `preprocessing/preprocess_youtube.py` prepares it: its videos and the labels of its frames."""

import logging
from pathlib import Path

from osmn.data.types import Reference, Video
from osmn.files.names import frame_files, mask_files, read_names

logger = logging.getLogger(__name__)


def sequence_names(data_path: Path | str) -> list[str]:
    """Return the names of the sequences, <class>_<number>."""
    return read_names(Path(data_path) / "all.txt", f"run python preprocessing/preprocess_youtube.py {data_path}")


def labels(data_path: Path | str, name: str) -> dict[str, Path]:
    """Return {frame name: path} of a sequence's labels, in order; it may be empty."""
    folder = Path(data_path) / "Labels" / name
    return mask_files(folder, required=False) if folder.is_dir() else {}


def videos(data_path: Path | str) -> list[Video]:
    """Return the `Video`s, each with a single object, without id.

    A video of one frame is left out, with a warning.
    """
    data_path = Path(data_path)
    found = []
    for name in sequence_names(data_path):
        frames = frame_files(data_path / "Images" / name)
        if len(frames) < 2:
            logger.warning(f"{name} has a single frame: left out")
            continue
        mask = data_path / "Labels" / name / f"{next(iter(frames))}.png"
        found.append(Video(name, tuple(frames.values()), {0: Reference(mask, (None,))}))
    return found
