"""The parts of a run's work, and the notes on them in `.osmn-finished/`: which files a part has, finished or not."""

import contextlib
import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from osmn.errors import InputError
from osmn.files.atomic import named_write_errors, regular_bytes
from osmn.files.generated import plain_names
from osmn.files.names import LONGEST_NAME

FINISHED = ".osmn-finished"
MAKING = ".making"  # The ending of the name of a list of files that are being made.


class Part:
    """A piece of a run's work, from `Run.part`.

    Attributes:
        finished: an earlier run finished the part, and its files have not changed.
        files: paths, in the folder, of the part's files; by default those that were announced.
    """

    def __init__(self, finished: bool, announce: Callable[..., None]) -> None:
        self.finished, self._announce = finished, announce
        self.files: list[str] = []

    def announce(self, *names: str) -> None:
        """Note paths of files, in the folder, before they are made; raise InputError for a file of the user's."""
        self._announce(*names)
        self.files += names


def announce_nothing(*names: str) -> None:
    """Raise RuntimeError: a part that is finished makes no files."""
    raise RuntimeError(f"{names} are announced for a part that is finished")


def marker(folder: Path, part: str) -> Path:
    """Return the path of the note that a part of a folder's results is finished."""
    return _note(folder, part, ".json")


def journal(folder: Path, part: str) -> Path:
    """Return the path of the list of a part's files that are being made."""
    return _note(folder, part, MAKING)


def _note(folder: Path, part: str, ending: str) -> Path:
    path = folder / FINISHED / part
    name = os.fsencode(path.name)
    if len(name) + len(MAKING) > LONGEST_NAME:
        path = path.with_name(hashlib.sha256(name).hexdigest())
    return path.with_name(f"{path.name}{ending}")


def files_of_runs(folder: Path) -> set[str] | None:
    """Return the names of the files in a folder that runs have noted; None if a note is damaged."""
    found = files_by_note(folder)
    return None if None in found else {name for names in found for name in names or ()}


def files_by_note(folder: Path) -> list[set[str] | None]:
    """Return the result of `files_in` for each note of a folder."""
    notes = (path for path in (folder / FINISHED).rglob("*") if not path.is_dir() and not path.name.startswith("."))
    return [files_in(path) for path in notes]


def files_in(note: Path) -> set[str] | None:
    """Return the names of the files in a note, of a part that is finished or in progress; None if it is damaged."""
    try:
        content = regular_bytes(note)
        if note.suffix == MAKING:
            return plain_names(_whole_lines(content))
        noted = json.loads(content)
        return plain_names([*noted["files"], *noted.get("others", ())])
    except FileNotFoundError:
        return set()
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def _whole_lines(content: bytes) -> Iterator[object]:
    """Yield the names in a list of files that are being made, without lines that were cut short."""
    for line in content.split(b"\n"):
        with contextlib.suppress(ValueError):
            yield json.loads(line)


@contextlib.contextmanager
def adding_to(journal: Path) -> Iterator[Callable[[Iterable[str]], None]]:
    """Give the block a function that adds names to a list of files that are being made.

    Raises InputError if the list cannot be written.
    """
    with contextlib.ExitStack() as stack:
        with named_write_errors(journal):
            journal.parent.mkdir(parents=True, exist_ok=True)
            if journal.exists() and not journal.is_file():
                raise InputError(f"{journal} is not a regular file; remove it")
            file = stack.enter_context(journal.open("ab", buffering=0))
            file.write(b"\n")  # A line that a killed run cut short ends here.

        def note(names: Iterable[str]) -> None:
            with named_write_errors(journal):
                file.write("".join(f"{json.dumps(name)}\n" for name in names).encode())

        yield note
