"""The notes of a result folder, in `.osmn-finished/`: which files its parts have, finished or being made."""

import contextlib
import hashlib
import json
import os

from osmn.errors import InputError
from osmn.files.atomic import named_write_errors, regular_bytes
from osmn.files.generated import plain_names
from osmn.files.names import LONGEST_NAME

FINISHED = ".osmn-finished"
MAKING = ".making"  # what the names of the lists of files end in that are being made


def marker(folder, part):
    """Return the path of the note that a part of a folder's results is finished."""
    return _note(folder, part, ".json")


def journal(folder, part):
    """Return the path of the list of a part's files that are being made."""
    return _note(folder, part, MAKING)


def _note(folder, part, ending):
    path = folder / FINISHED / part
    name = os.fsencode(path.name)
    if len(name) + len(MAKING) > LONGEST_NAME:
        path = path.with_name(hashlib.sha256(name).hexdigest())
    return path.with_name(f"{path.name}{ending}")


def files_of_runs(folder):
    """Return the names of the files in a folder that runs have made; None if a damaged note leaves that open."""
    found = files_by_note(folder)
    return None if None in found else set().union(*found)


def files_by_note(folder):
    """Return what `files_in` says of each note in a folder."""
    notes = (path for path in (folder / FINISHED).rglob("*") if not path.is_dir() and not path.name.startswith("."))
    return [files_in(path) for path in notes]


def files_in(note):
    """Return the names of the files in a note of a part, finished or being made; None of one that is damaged."""
    try:
        content = regular_bytes(note)
        if note.suffix == MAKING:
            return plain_names(_whole_lines(content))
        content = json.loads(content)
        return plain_names([*content["files"], *content.get("others", ())])
    except FileNotFoundError:
        return set()
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def _whole_lines(content):
    """Yield the values of a list of files that are being made, but for lines that were cut short."""
    for line in content.split(b"\n"):
        with contextlib.suppress(ValueError):
            yield json.loads(line)


@contextlib.contextmanager
def adding_to(journal):
    """Give the block a function that adds names to a list of files that are being made."""
    with contextlib.ExitStack() as stack:
        with named_write_errors(journal):
            journal.parent.mkdir(parents=True, exist_ok=True)
            if journal.exists() and not journal.is_file():
                raise InputError(f"{journal} is not a regular file; remove it")
            file = stack.enter_context(journal.open("ab", buffering=0))
            file.write(b"\n")  # A line that a killed run cut short ends here.

        def note(names):
            with named_write_errors(journal):
                file.write("".join(f"{json.dumps(name)}\n" for name in names).encode())

        yield note
