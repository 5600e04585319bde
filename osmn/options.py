"""How a dataclass's field declares an option of the command line, and what the text of an option may be.

The field is the declaration: its name and its default are the option's, and `option` gives the rest, what `-h` says of
it and which texts it takes:

    learning_rate: float = field(default=1e-5, metadata=option("of Adam", positive(float)))

`osmn.cli.parser` makes the command line of such fields, and reads it into them. Here is neither: a package can declare
its options, and be used from Python, without a command line.
"""

import dataclasses
import math
import os
from collections.abc import Callable
from typing import Any, NamedTuple

from osmn.files.names import plain_name

MOST = {int: 2**31 - 1, float: 3.4028234e38}  # what the 32 bits hold in which TensorFlow computes
_KEY = "option"


class WrongValue(ValueError):
    """A text that an option does not take; the message is a sentence without a subject, for the option's name."""


@dataclasses.dataclass(frozen=True)
class Option:
    """What a field does not say of an option.

    A field whose default is False is a switch, without a value.

    Attributes:
        help: what `-h` says, without the default.
        type: from a text to a value. It raises `WrongValue`, or ValueError where the text is none of its kind at all.
        choices: all values that there are; None for any.
        nargs: how many values: a number, "+" or "?"; None for one.
        metavar: what `-h` calls a value, or each of several.
        repeated: the option may be given several times, and its value is the list of what was given.
        positional: it is given by its place, not by its name.
        changes_results: it belongs to what two runs must agree on to have the same results; see `identity`.
        came_later: the option is newer than some results, which were made as its default says. `identity` leaves it
            out while it has its default, so that these results stay valid.
    """

    help: str
    type: Callable[[str], Any] | None = None
    choices: tuple | None = None
    nargs: int | str | None = None
    metavar: str | tuple[str, ...] | None = None
    repeated: bool = False
    positional: bool = False
    changes_results: bool = True
    came_later: bool = False


def option(help, type=None, **more):
    """Return the metadata of a dataclass's field that is an option; the arguments are those of `Option`."""
    return {_KEY: Option(help, type, **more)}


def declared(kind):
    """Return {name: (Option, default)} of a dataclass's fields that are options; None for a field without default."""
    found = {field.name: field for field in dataclasses.fields(kind) if _KEY in field.metadata}
    return {
        name: (field.metadata[_KEY], None if field.default is dataclasses.MISSING else field.default)
        for name, field in found.items()
    }


def identity(options):
    """Return {field: value} of what changes results: all fields but options that say otherwise, and nested options."""
    fields = dataclasses.fields(options)
    left_out = {
        name
        for name, (each, default) in declared(options).items()
        if not each.changes_results or (each.came_later and getattr(options, name) == default)
    }
    values = {field.name: getattr(options, field.name) for field in fields if field.name not in left_out}
    return {name: value for name, value in values.items() if not dataclasses.is_dataclass(value)}


class Shard(NamedTuple):
    """A share of the videos: the `index`-th, from 0, of `count`."""

    index: int
    count: int

    def __str__(self):
        return f"{self.index}/{self.count}"


def positive(kind, most=None):
    """Return the type of a number of `kind`, int or float, above zero, and at most `most` if it is given."""
    return _number(kind, most, lambda value: value > 0, "a number above zero")


def non_negative(kind, most=None):
    """Return the type of a number of `kind`, int or float, zero or more, and at most `most` if it is given."""
    return _number(kind, most, lambda value: value >= 0, "a number from zero up")


def _number(kind, most, fits, description):
    most = MOST[kind] if most is None else most

    def convert(text):
        try:
            value = kind(text)
        except ValueError:
            number = "a whole number" if kind is int else "a number"
            raise WrongValue(f"{text[:50]} is not {number}") from None
        if not fits(value) or value == math.inf:  # Nothing fits for NaN.
            raise WrongValue(f"{text} is not {description}")
        if value > most:
            raise WrongValue(f"{text} is not at most {most:g}")
        return value

    return convert


def finite(text):
    """Parse a number that is neither infinite nor NaN, in 32 bits either."""
    value = float(text)
    if not abs(value) <= MOST[float]:
        raise WrongValue(f"{text} is not a finite number")
    return value


def share(text):
    """Parse a number from 0 to 1."""
    value = float(text)
    if not 0 <= value <= 1:
        raise WrongValue(f"{text} is not from 0 to 1")
    return value


def below_one(text):
    """Parse a number from 0 to below 1."""
    value = share(text)
    if value == 1:
        raise WrongValue(f"{text} is not below 1")
    return value


def seed(text):
    """Parse an integer of 64 bits."""
    value = int(text)
    if not -(2**63) <= value < 2**63:
        raise WrongValue(f"{text} is not an integer of 64 bits")
    return value


def shard(text):
    """Parse "I/N" into a `Shard`."""
    index, _, count = text.partition("/")
    if not (index.isdecimal() and count.isdecimal() and int(index) < int(count)):
        raise WrongValue(f"{text} is not I/N with I from 0 to N - 1")
    return Shard(int(index), int(count))


def davis_split(text):
    """Parse "VERSION/SPLIT", as "2016/val", into (2016, "val")."""
    version, _, split = text.partition("/")
    try:
        if version not in ("2016", "2017"):
            raise ValueError(f"{version!r} is neither 2016 nor 2017")
        return int(version), plain_name(split)
    except ValueError as error:
        raise WrongValue(f"{text} is not VERSION/SPLIT, such as 2016/val: {error}") from None


def file_name(text):
    """Check the name of a split or of a sequence, which becomes part of a path; it leads nowhere else."""
    try:
        return plain_name(text)
    except ValueError as error:
        raise WrongValue(str(error)) from None


def folder(text):
    """Check the path of a folder that is there."""
    if not os.path.isdir(text):  # Path.is_dir() takes "" for ".", and fails for names that are too long.
        raise WrongValue(f"{text[:200]} is not a folder that is there")
    return text
