"""Errors in the user's input: a file, an argument or a missing package that the program cannot do with."""

import contextlib
import importlib
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

# The packages that segmenting one's own video does without: requirements-segment.txt.
LEFT_OUT = ("tensorflow", "keras", "tensorboard", "h5py", "scipy", "matplotlib", "jinja2")
_in_script = False  # Whether the caller gives options on a command line, and not arguments in Python.


class InputError(ValueError):
    """A file or an argument that the program cannot use; the message names it and says what to do."""


@contextlib.contextmanager
def naming_options() -> Iterator[None]:
    """Make the messages of this block, in any thread, name the options of a command line."""
    global _in_script
    before, _in_script = _in_script, True
    try:
        yield
    finally:
        _in_script = before


def argument(name: str, value: object = None, words: Callable[[Any], str] = str) -> str:
    """Return how the caller gives an argument: `--name value` in a command line, `name=value` in Python.

    Args:
        name: the argument's name.
        value: the argument's value; None leaves the value out, as a command line leaves out True.
        words: returns a value as the command line writes it.
    """
    if _in_script:
        return f"--{name}" if value is None or value is True else f"--{name} {words(value)}"
    return name if value is None else f"{name}={value!r}"


def argument_kind() -> str:
    """Return what the caller calls an argument: "option" in a command line, "argument" in Python."""
    return "option" if _in_script else "argument"


def in_short(error: object) -> str:
    """Return the message of another library's error for use within a line: at most 200 characters."""
    return " ".join(str(error).split())[:200]


def missing_package(error: ModuleNotFoundError) -> InputError | None:
    """Return the error of a package that requirements-segment.txt leaves out and requirements.txt has, or None."""
    name = (error.name or "").partition(".")[0]
    if name not in LEFT_OUT:
        return None
    return InputError(f"this needs {name}, which is not installed; pip install -r requirements.txt")


def optional_import(name: str, requirements: str) -> ModuleType:
    """Return the package `name`; raise InputError, which names the file `requirements`, if the package is missing."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise InputError(f"{name} is not installed ({error}); pip install -r {requirements}") from None
