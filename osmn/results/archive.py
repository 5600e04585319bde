"""The archive of results that a dataset's server takes."""

import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from osmn.data.folders import Folders
from osmn.data.tracks import FORMATS, read_file
from osmn.data.types import Video
from osmn.errors import InputError
from osmn.files import locks
from osmn.files.atomic import named_write_errors, regular_bytes, replacing
from osmn.files.images import encoded_labels
from osmn.results.layout import object_folder, reference_masks
from osmn.results.track_files import result_of_object, results_text

FORMS = {
    "videos": "{video}/{frame}.png",
    "annotations": "Annotations/{video}/{frame}.png",
    "objects": "{video}/{object}/{frame}.png",
}


def check_archive(path: Path | str) -> None:
    """Raise InputError unless `path` ends in .zip, as no file of the data or of the results does."""
    if Path(path).suffix.lower() != ".zip":
        raise InputError(f"{path} is not an archive's name; end it in .zip")


def write_archive(zip_path: Path | str, entries: Iterable[tuple[str, bytes]]) -> None:
    """Write an archive of `entries`, (path in it, content); equal entries make equal archives.

    Raises InputError if it cannot be written.
    """
    with (
        locks.writing(Path(zip_path).parent, wait=locks.MOMENT),
        named_write_errors(zip_path),
        replacing(zip_path) as temporary,
        zipfile.ZipFile(temporary, "w") as archive,
    ):
        for name, content in entries:
            # The date is fixed. PNGs are compressed already.
            entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, content)


def result_entries(
    where: Folders, videos: Iterable[Video], result_path: Path | str, form: str
) -> Iterator[tuple[str, bytes]]:
    """Yield the entries of an archive of results, in the `form` of a name of `FORMS`.

    Of "objects" there is a PNG of 0 and 1 for each object, of the size of its first mask; of the other forms an indexed
    PNG of all objects, of that size too. Of a dataset with masks in a JSON file it is that file, whatever the form,
    with results in their place. Raises InputError if a result is missing or damaged.
    """
    if where.tracks is not None and where.kind in FORMATS:
        dataset, _ = read_file(where.tracks, where.kind)
        yield "results.json", results_text(where.kind, dataset, where.masks, result_path).encode()
        return
    for video in videos:
        folder = Path(result_path) / video.name
        if form == "objects" or None in video.object_ids:
            for object_id in video.object_ids:
                name = (video.object_names or {}).get(object_id or 1, str(object_id))
                for stem, labels in _labels_of_object(video, object_id, object_folder(folder, object_id)):
                    yield FORMS[form].format(video=video.name, object=name, frame=stem), encoded_labels(labels)
        else:
            for frame in video.frames[min(video.references) :]:
                content = _named_bytes(folder / f"{frame.stem}.png")
                yield FORMS[form].format(video=video.name, frame=frame.stem), content


def _labels_of_object(video: Video, object_id: int | None, folder: Path) -> Iterator[tuple[str, np.ndarray]]:
    """Yield (frame name, uint8 (H, W) of 0 and 1) of each frame, of the size of the object's first mask."""
    start = video.reference_number(object_id)
    mask = reference_masks(video.references[start].of_object(object_id))[object_id]
    for number, frame in enumerate(video.frames):
        shown = result_of_object(mask, number, start, folder / f"{frame.stem}.png")
        yield frame.stem, shown.astype(np.uint8)


def _named_bytes(path: Path) -> bytes:
    """Return the bytes of a result; raise InputError if it is missing."""
    try:
        return regular_bytes(path)
    except FileNotFoundError:
        raise InputError(f"{path} does not exist; run the evaluation that writes it") from None
