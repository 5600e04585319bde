"""The archive of results that a dataset's server takes."""

import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from osmn.data.types import Video
from osmn.errors import InputError
from osmn.files import locks
from osmn.files.atomic import named_write_errors, regular_bytes, replacing
from osmn.files.images import encoded_labels, read_labels
from osmn.results.layout import object_folder, reference_masks, size_of

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


def result_entries(videos: Iterable[Video], result_path: Path | str, form: str) -> Iterator[tuple[str, bytes]]:
    """Yield the entries of an archive of results, in the `form` of a name of `FORMS`.

    Of "objects" there is a PNG of 0 and 1 for each object, of the size of its first mask; of the other forms an indexed
    PNG of all objects. Raises InputError if a result is missing or damaged.
    """
    for video in videos:
        folder = Path(result_path) / video.name
        if form != "objects":
            for frame in (frame for number, frame in enumerate(video.frames) if number >= min(video.references)):
                path = folder / f"{frame.stem}.png"
                content = named_bytes(path)
                yield FORMS[form].format(video=video.name, frame=frame.stem), content
            continue
        for object_id in video.object_ids:
            name = (video.object_names or {}).get(object_id or 1, str(object_id))
            start = video.reference_number(object_id)
            mask = reference_masks(video.references[start].of_object(object_id))
            size = size_of(mask)
            for number, frame in enumerate(video.frames):
                if number < start:
                    labels = np.zeros(size.shape, np.uint8)
                elif number == start:
                    labels = mask[object_id].astype(np.uint8)
                else:
                    shown = read_labels(object_folder(folder, object_id) / f"{frame.stem}.png", size)
                    labels = (shown != 0).astype(np.uint8)
                yield FORMS[form].format(video=video.name, object=name, frame=frame.stem), encoded_labels(labels)


def named_bytes(path: Path) -> bytes:
    """Return the bytes of a result; raise InputError if it is missing."""
    try:
        return regular_bytes(path)
    except FileNotFoundError:
        raise InputError(f"{path} does not exist; run the evaluation that writes it") from None
