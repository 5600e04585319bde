"""What a folder holds, to compare the results of runs."""

from pathlib import Path

from osmn.manifest import RUN, TRAINING


def tree(folder, pattern="*"):
    """Return {name: bytes} of the files in a folder but hidden ones, those in hidden folders, and the manifest."""
    found = {}
    for path in Path(folder).rglob(pattern):
        name = path.relative_to(folder)
        if path.is_file() and path.name not in (RUN, TRAINING) and not any(part.startswith(".") for part in name.parts):
            found[str(name)] = path.read_bytes()
    return found
