"""Recipes: text files that give a script its options, one per line.

    # What it makes, and how long that takes.
    training_iters 200000
    fix_bn
    data_aug_scales 0.7 0.85 1 1.2
    whole_model_path "models/my model"

A line has an option's name, without dashes, and its values, as on the command line. `#` begins a comment, unless it is
quoted, and quotes are a shell's. Paths are relative to the folder in which the command is given.
"""

import shlex
from collections.abc import Collection, Sequence

from osmn.errors import InputError
from osmn.options import WrongValue


def read(path: str) -> list[tuple[int, list[str]]]:
    """Return (line number, words) of each line of a recipe that has words; the first line has the number 1.

    Raises InputError, naming the file and the line, for a file or a line that cannot be read.
    """
    try:
        with open(path, encoding="utf-8-sig") as file:  # Some editors begin a file with a byte order mark.
            lines = file.readlines()
    except OSError as error:
        raise InputError(f"--recipe {path}: {error.strerror}; give a text file of options") from None
    except ValueError:
        raise InputError(f"--recipe {path} is not text in UTF-8; give a text file of options") from None
    found = [(number, _words(path, number, line)) for number, line in enumerate(lines, 1)]
    return [(number, words) for number, words in found if words]


def _words(path: str, number: int, line: str) -> list[str]:
    try:
        return shlex.split(line, comments=True)
    except ValueError as error:
        raise InputError(f"{path}, line {number}: {str(error).lower()}") from None


def check(words: Sequence[str], names: Collection[str]) -> None:
    """Raise WrongValue unless the words of a line are an option in `names` and its values."""
    if words[0] not in names:
        name = words[0].lstrip("-")
        about = f"write {name}, without dashes" if name in names else "see -h for those that there are"
        raise WrongValue(f"{words[0]} is no option of this script; {about}")
    for word in words[1:]:
        if word.startswith("--"):
            raise WrongValue(f"{word} is one option more; give each a line of its own, without dashes")
