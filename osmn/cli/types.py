"""What the text of an option may be: argparse types, whose errors name the option and the text."""

import argparse
import math
import os

from osmn.files.names import plain_name

MOST = {int: 2**31 - 1, float: 3.4028234e38}  # what the 32 bits hold in which TensorFlow computes


def positive(kind, most=None):
    """Return an argparse type: a number of `kind` above zero, and at most `most` if it is given."""
    return _number(kind, most, lambda value: value > 0, "a number above zero")


def non_negative(kind, most=None):
    """Return an argparse type: a number of `kind`, zero or more, and at most `most` if it is given."""
    return _number(kind, most, lambda value: value >= 0, "a number from zero up")


def _number(kind, most, fits, description):
    most = MOST[kind] if most is None else most

    def convert(text):
        try:
            value = kind(text)
        except ValueError:
            number = "a whole number" if kind is int else "a number"
            raise argparse.ArgumentTypeError(f"{text[:50]} is not {number}") from None
        if not fits(value) or value == math.inf:  # Nothing fits for NaN.
            raise argparse.ArgumentTypeError(f"{text} is not {description}")
        if value > most:
            raise argparse.ArgumentTypeError(f"{text} is not at most {most:g}")
        return value

    return convert


def finite(text):
    """Parse a number that is neither infinite nor NaN, in 32 bits either."""
    value = float(text)
    if not abs(value) <= MOST[float]:
        raise argparse.ArgumentTypeError(f"{text} is not a finite number")
    return value


def share(text):
    """Parse a number from 0 to 1."""
    value = float(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not from 0 to 1")
    return value


def davis_split(text):
    """Parse "VERSION/SPLIT", as "2016/val", into (2016, "val")."""
    version, _, split = text.partition("/")
    try:
        if version not in ("2016", "2017"):
            raise ValueError(f"{version!r} is neither 2016 nor 2017")
        return int(version), plain_name(split)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text} is not VERSION/SPLIT, such as 2016/val: {error}") from None


def below_one(text):
    """Parse a number from 0 to below 1."""
    value = share(text)
    if value == 1:
        raise argparse.ArgumentTypeError(f"{text} is not below 1")
    return value


def seed(text):
    """Parse an integer of 64 bits."""
    value = int(text)
    if not -(2**63) <= value < 2**63:
        raise argparse.ArgumentTypeError(f"{text} is not an integer of 64 bits")
    return value


def shard(text):
    """Parse "I/N" into (I, N)."""
    index, _, count = text.partition("/")
    if not (index.isdecimal() and count.isdecimal() and int(index) < int(count)):
        raise argparse.ArgumentTypeError(f"{text} is not I/N with I from 0 to N - 1")
    return int(index), int(count)


def place(text):
    """Parse a place in a video: a frame's number, or a time such as 4.5s or 1:02.5."""
    from osmn.user_video.media.reader import position

    try:
        return position(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def file_name(text):
    """An argparse type: the name of a split or of a sequence, which becomes part of a path; it leads nowhere else."""
    try:
        return plain_name(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def folder(text):
    """An argparse type: the path of a folder that is there."""
    if not os.path.isdir(text):  # Path.is_dir() takes "" for ".", and fails for names that are too long.
        raise argparse.ArgumentTypeError(f"{text[:200]} is not a folder that is there")
    return text
