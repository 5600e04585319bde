"""Between a dataset's JSON file of run-length encoded masks and folders: its masks, and results for its scorer."""

import functools
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from osmn.data.folders import Folders, annotations
from osmn.data.tracks import FORMATS, TrackedVideo, mask_names, write_masks
from osmn.errors import InputError
from osmn.files import locks
from osmn.files.atomic import named_write_errors, replacing
from osmn.files.images import read_labels
from osmn.files.overlap import refuse_writing_over_inputs
from osmn.progress import progress_bar


def import_masks(path: Path | str, videos: Sequence[TrackedVideo], folder: Path | str) -> int:
    """Write the masks of the videos of the file `path` into a folder; return their number.

    Raises InputError for a file whose masks cannot be read, or if the folder cannot be written.
    """
    folder, count = Path(folder), 0
    refuse_writing_over_inputs((folder / name for name in mask_names(videos)), [path])
    with locks.writing(folder), progress_bar(total=len(videos), brief=True, desc="masks", unit="video") as bar:
        for video in videos:
            try:
                with named_write_errors(folder / video.name):
                    count += write_masks(video, folder)
            except ValueError as error:
                if isinstance(error, InputError):
                    raise
                raise InputError(f"{path}: {error}; download it again") from None
            bar.update()
    return count


def export_results(
    path: Path | str, kind: str, content: Mapping[str, Any], masks: Path | str, result_path: Path | str
) -> None:
    """Write results as a JSON file that the dataset's scorer takes.

    Args:
        path: the file that is written.
        kind: one of `FORMATS`.
        content: of the dataset's own file.
        masks: the folder that `import_masks` has written.
        result_path: the folder of the results.

    Raises:
        InputError: if a result is missing or damaged, or if the file cannot be written.
    """
    with locks.writing(Path(path).parent, wait=locks.MOMENT), named_write_errors(path), replacing(path) as temporary:
        found = FORMATS[kind].results(content, functools.partial(_result, Path(masks), Path(result_path)))
        temporary.write_text(json.dumps(found))


def _result(masks: Path, result_path: Path, video: TrackedVideo, name: str, frame: str) -> np.ndarray:
    """Return an object's result in a frame, bool (H, W); of its first mask it is that mask, and before it is empty."""
    number = next(number for number, title in _names(masks, video.name) if title == name)
    shown = [each for each in video.frames if each in video.tracks[name]]
    if not shown or video.frames.index(frame) < video.frames.index(shown[0]):
        return np.zeros(video.size.shape, bool)
    if frame == shown[0]:
        return read_labels(masks / video.name / name / f"{frame}.png") > 0
    return read_labels(result_path / video.name / str(number) / f"{frame}.png", video.size) > 0


@functools.lru_cache(1)
def _names(masks: Path, name: str) -> list[tuple[int, str]]:
    return list(annotations(Folders(masks, masks), name).names.items())
