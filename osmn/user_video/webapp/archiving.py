"""The archive of results that a visitor takes home."""

import zipfile
from collections.abc import Mapping
from pathlib import Path

LONGEST_STEM = 60  # Characters of the video's name in the archive's name.


def archive_name(title: str) -> str:
    """Return the name of the archive of a video's results; `title` is the video's name."""
    return f"{Path(title).stem[:LONGEST_STEM]}_masks.zip"


def write_archive(path: Path, files: Mapping[str, Path]) -> None:
    """Write an archive of files, {name in it: path}.

    They are stored without compression: PNGs and videos are compressed. Times before 1980 are allowed, of clocks that
    are wrong.
    """
    with zipfile.ZipFile(path, "w", strict_timestamps=False) as archive:
        for name, file in files.items():
            archive.write(file, name)
