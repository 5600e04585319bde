"""What the text of an option may be: argparse types, whose errors name the option and the text."""

import argparse
import math


def positive(kind):
    """Return an argparse type: a number of `kind` above zero."""

    def convert(text):
        value = kind(text)
        if not 0 < value < math.inf:
            raise argparse.ArgumentTypeError(f"{text} is not a number above zero")
        return value

    return convert


def non_negative(kind):
    """Return an argparse type: a number of `kind`, zero or more."""

    def convert(text):
        value = kind(text)
        if not 0 <= value < math.inf:
            raise argparse.ArgumentTypeError(f"{text} is not a number from zero up")
        return value

    return convert


def finite(text):
    """Parse a number that is neither infinite nor NaN."""
    value = float(text)
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"{text} is not a finite number")
    return value


def share(text):
    """Parse a number from 0 to 1."""
    value = float(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not from 0 to 1")
    return value


def decay(text):
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
    from osmn.video import position

    try:
        return position(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
