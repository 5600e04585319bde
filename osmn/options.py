"""Options of the command line, which the fields of dataclasses declare, and the texts that an option takes.

The field is the declaration. The option has the field's name and default; `option` gives the rest, which is what `-h`
says of the option and which texts it takes:

    learning_rate: float = field(default=1e-5, metadata=option("of Adam", positive(float)))

`osmn.cli.parser` makes the command line of such fields, and reads the command line into them. This module needs no
command line: a package can declare its options and be used from Python.
"""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from osmn.files.names import plain_name

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Number = TypeVar("Number", int, float)

MOST: dict[type, float] = {int: 2**31 - 1, float: 3.4028234e38}  # The largest numbers of TensorFlow's 32 bits.
_KEY = "option"


class WrongValue(ValueError):
    """A text that an option does not take; the message is a full sentence that names the text."""


@dataclasses.dataclass(frozen=True)
class Option:
    """What a dataclass's field itself does not say of an option.

    An option whose default is False is a switch, without a value; one whose default is True is turned off by a switch
    of its name with "no_" before it.

    Attributes:
        help: what `-h` says, without the default.
        type: converts a text to a value. It raises `WrongValue` for a text that the option does not take, or ValueError
            for a text that is not of the type at all, such as "x" for a number.
        choices: all values that the option takes; None if every value of the type is allowed.
        nargs: how many values the option takes: a number, "+" or "?"; None for a single value.
        metavar: what `-h` calls the value; a tuple has a name for each of several values.
        repeated: the option may be given several times, and its value is the list of what was given.
        positional: the option is given by its place, not by its name.
        changes_results: two runs must have the same value of the option to have the same results; see `identity`.
        came_later: the option is newer than some results, which were made as its default says. `identity` leaves the
            option out while it has its default, so that these results stay valid.
    """

    help: str
    type: Callable[[str], Any] | None = None
    choices: tuple[Any, ...] | None = None
    nargs: int | str | None = None
    metavar: str | tuple[str, ...] | None = None
    repeated: bool = False
    positional: bool = False
    changes_results: bool = True
    came_later: bool = False


def option(help: str, type: Callable[[str], Any] | None = None, **more: Any) -> dict[str, Option]:
    """Return the metadata of a dataclass's field that is an option; the arguments are those of `Option`."""
    return {_KEY: Option(help, type, **more)}


def declared(kind: DataclassInstance | type[DataclassInstance]) -> dict[str, tuple[Option, Any]]:
    """Return {name: (Option, default)} of a dataclass's options; the default is None for a field without a default."""
    found = {field.name: field for field in dataclasses.fields(kind) if _KEY in field.metadata}
    return {
        name: (field.metadata[_KEY], None if field.default is dataclasses.MISSING else field.default)
        for name, field in found.items()
    }


def identity(options: DataclassInstance) -> dict[str, Any]:
    """Return {field: value} of the fields of `options`, a dataclass, that change results.

    It leaves out options that are declared with `changes_results=False`, and fields that are dataclasses themselves.
    """
    fields = dataclasses.fields(options)
    left_out = {
        name
        for name, (each, default) in declared(options).items()
        if not each.changes_results or (each.came_later and getattr(options, name) == default)
    }
    values = {field.name: getattr(options, field.name) for field in fields if field.name not in left_out}
    return {name: value for name, value in values.items() if not dataclasses.is_dataclass(value)}


class Shard(NamedTuple):
    """A part of the videos: the share of number `share`, from 0, of `shares` shares."""

    share: int
    shares: int

    def __str__(self) -> str:
        return f"{self.share}/{self.shares}"


def positive(kind: type[Number], most: float | None = None) -> Callable[[str], Number]:
    """Return the type of an option: a number of `kind`, int or float, above zero and, if given, at most `most`."""
    return _number(kind, most, lambda value: value > 0, "a number above zero")


def non_negative(kind: type[Number], most: float | None = None) -> Callable[[str], Number]:
    """Return the type of an option: a number of `kind`, int or float, from zero up and, if given, at most `most`."""
    return _number(kind, most, lambda value: value >= 0, "a number from zero up")


def _number(
    kind: type[Number], most: float | None, fits: Callable[[float], bool], description: str
) -> Callable[[str], Number]:
    largest = MOST[kind] if most is None else most

    def convert(text: str) -> Number:
        try:
            value = kind(text)
        except ValueError:
            number = "a whole number" if kind is int else "a number"
            raise WrongValue(f"{text[:50]} is not {number}") from None
        if not fits(value) or value == math.inf:  # NaN fits no comparison.
            raise WrongValue(f"{text} is not {description}")
        if value > largest:
            raise WrongValue(f"{text} is not at most {largest:g}")
        return value

    return convert


def finite(text: str) -> float:
    """Parse a number that is finite, also when it is stored in 32 bits; raise ValueError for other texts."""
    value = float(text)
    if not abs(value) <= MOST[float]:
        raise WrongValue(f"{text} is not a finite number")
    return value


def share(text: str) -> float:
    """Parse a number from 0 to 1; raise ValueError for other texts."""
    value = float(text)
    if not 0 <= value <= 1:
        raise WrongValue(f"{text} is not from 0 to 1")
    return value


def below_one(text: str) -> float:
    """Parse a number from 0 to below 1; raise ValueError for other texts."""
    value = share(text)
    if value == 1:
        raise WrongValue(f"{text} is not below 1")
    return value


def seed(text: str) -> int:
    """Parse an integer of 64 bits; raise ValueError for other texts."""
    value = int(text)
    if not -(2**63) <= value < 2**63:
        raise WrongValue(f"{text} is not an integer of 64 bits")
    return value


def shard(text: str) -> Shard:
    """Parse "I/N" into a `Shard`; raise WrongValue for other texts."""
    index, _, count = text.partition("/")
    if not (index.isdecimal() and count.isdecimal() and int(index) < int(count)):
        raise WrongValue(f"{text} is not I/N with I from 0 to N - 1")
    return Shard(int(index), int(count))


def davis_split(text: str) -> tuple[int, str]:
    """Parse "VERSION/SPLIT", as "2016/val", into (2016, "val"); raise WrongValue for other texts."""
    version, _, split = text.partition("/")
    try:
        if version not in ("2016", "2017"):
            raise ValueError(f"{version!r} is neither 2016 nor 2017")
        return int(version), plain_name(split)
    except ValueError as error:
        raise WrongValue(f"{text} is not VERSION/SPLIT, such as 2016/val: {error}") from None


def file_name(text: str) -> str:
    """Return the name of a split or a sequence; raise WrongValue if it, as part of a path, would lead elsewhere."""
    try:
        return plain_name(text)
    except ValueError as error:
        raise WrongValue(str(error)) from None


def folder(text: str) -> str:
    """Return the path of a folder; raise WrongValue if the folder does not exist."""
    if not os.path.isdir(text):  # Path.is_dir() takes "" for "." and raises for names that are too long.
        raise WrongValue(f"{text[:200]} is not a folder that is there")
    return text
