"""Between a dataset's own files of masks and folders: its masks, and results for its scorer."""

import functools
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from osmn.data.folders import Folders, annotations
from osmn.data.tracks import FORMATS, TrackedVideo, are_first_masks, mask_names, read_file, write_masks
from osmn.errors import InputError
from osmn.files import locks
from osmn.files.atomic import named_write_errors, replacing
from osmn.files.images import read_labels, read_wide_labels, write_mask
from osmn.files.names import mask_files, subfolders
from osmn.files.overlap import refuse_inputs_inside_outputs, refuse_writing_over_inputs
from osmn.masks import Size
from osmn.progress import progress_bar

WIDE = "png16"  # The kind of masks of 16 bits in a folder of folders.
WIDE_VOID = {0, 10000}  # No object: void in VIPSeg and background in MOTS, and what MOTS ignores.


NOTE = ".osmn-imported"  # In a folder of masks that are imported, from before the first is written.


def _claim(folder: Path) -> None:
    """Note that a folder's masks are imported; raise InputError if it holds what no import has written."""
    there = next((path for path in folder.iterdir() if not path.name.startswith(".")), None)
    if there is not None and not (folder / NOTE).is_file():
        raise InputError(f"{there} is there, and no import has made {folder}; give a new folder")
    with named_write_errors(folder / NOTE), replacing(folder / NOTE) as temporary:
        temporary.write_text("", encoding="utf-8")


def import_masks(path: Path | str, videos: Sequence[TrackedVideo], folder: Path | str) -> int:
    """Write the masks of the videos of the file `path` into a folder; return their number.

    If the file has each object's first mask alone, the folder has no others, by which results could be scored.

    Raises InputError for a file whose masks cannot be read, or if the folder cannot be written.
    """
    folder, count, black = Path(folder), 0, not are_first_masks(videos)
    refuse_writing_over_inputs((folder / name for name in mask_names(videos, black)), [path])
    with locks.writing(folder), progress_bar(total=len(videos), brief=True, desc="masks", unit="video") as bar:
        _claim(folder)
        for video in videos:
            try:
                with named_write_errors(folder / video.name):
                    count += write_masks(video, folder, black)
            except ValueError as error:
                if isinstance(error, InputError):
                    raise
                raise InputError(f"{path}: {error}; download it again") from None
            bar.update()
    return count


def import_wide_labels(source: Path | str, folder: Path | str) -> tuple[int, int]:
    """Write the masks of PNGs of 16 bits, <source>/<video>/<frame>.png, into a folder; return (masks, videos).

    As in VIPSeg and MOTS, each value is an object, and its folder's name; 0 and 10000 are none. Raises InputError for a
    file that cannot be read, or if the folder cannot be written.
    """
    source, folder, count = Path(source), Path(folder), 0
    videos = {path.name: mask_files(path) for path in subfolders(source)}
    if not videos:
        raise InputError(f"{source} has no folders of masks; give the folder that has a folder for each video")
    refuse_inputs_inside_outputs([path for frames in videos.values() for path in frames.values()], [folder])
    with locks.writing(folder), progress_bar(total=len(videos), brief=True, desc="masks", unit="video") as bar:
        _claim(folder)
        for name, frames in videos.items():
            values = {frame: np.unique(read_wide_labels(path)).tolist() for frame, path in frames.items()}
            objects = sorted({value for of_frame in values.values() for value in of_frame} - WIDE_VOID)
            for frame, path in frames.items():
                labels = read_wide_labels(path)
                for value in objects:
                    output = folder / name / str(value) / f"{frame}.png"
                    with named_write_errors(output):
                        output.parent.mkdir(parents=True, exist_ok=True)
                        write_mask(output, labels == value)
                    count += 1
            bar.update()
    return count, len(videos)


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
        temporary.write_text(results_text(kind, content, masks, result_path), encoding="utf-8")


def results_text(kind: str, content: Mapping[str, Any], masks: Path | str, result_path: Path | str) -> str:
    """Return the text of the file that `export_results` writes."""
    return json.dumps(FORMATS[kind].results(content, functools.partial(_result, Path(masks), Path(result_path))))


def prepare(where: Folders) -> None:
    """Make the folder of masks of a dataset that has them in another form, unless it has been made of these very files.

    Raises InputError as `import_masks` and `import_wide_labels` do.
    """
    if where.tracks is None:
        return
    files = sorted(where.tracks.glob("*/*")) if where.kind == WIDE else [where.tracks]
    states = [path.stat() for path in files]
    of_files = f"{sum(state.st_size for state in states)} {max((state.st_mtime_ns for state in states), default=0)}"
    note = where.masks / NOTE
    if note.is_file() and note.read_text(encoding="utf-8") == of_files:
        return
    if where.kind == WIDE:
        import_wide_labels(where.tracks, where.masks)
    else:
        import_masks(where.tracks, read_file(where.tracks, where.kind)[1], where.masks)
    with named_write_errors(note), replacing(note) as temporary:
        temporary.write_text(of_files, encoding="utf-8")


def _result(masks: Path, result_path: Path, video: TrackedVideo, name: str, frame: str) -> np.ndarray:
    """Return an object's result in a frame, bool (H, W); of its first mask it is that mask, and before it is empty."""
    number = next(number for number, title in _names(masks, video.name) if title == name)
    start = next((each for each in video.frames if each in video.tracks[name]), None)
    if start is None:
        return np.zeros(video.size.shape, bool)
    given = read_labels(masks / video.name / name / f"{start}.png") > 0
    numbers = video.frames.index(frame), video.frames.index(start)
    return result_of_object(given, *numbers, result_path / video.name / str(number) / f"{frame}.png")


def result_of_object(given: np.ndarray, number: int, start: int, path: Path) -> np.ndarray:
    """Return an object's result in a frame, bool (H, W).

    Args:
        given: the object's first mask, bool (H, W).
        number: of the frame.
        start: number of the frame of that mask: before it the result is empty, and there it is that mask.
        path: of the PNG that a later frame has.
    """
    if number <= start:
        return given if number == start else np.zeros_like(given)
    return read_labels(path, Size.of(given)) > 0


@functools.lru_cache(1)
def _names(masks: Path, name: str) -> list[tuple[int, str]]:
    return list(annotations(Folders(masks, masks), name).names.items())
