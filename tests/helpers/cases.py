"""How many cases the fault tests ran and how many of them were clean, by family: printed at the end of the run."""

import collections
import contextlib

BEGUN, CLEAN = collections.Counter(), collections.Counter()


@contextlib.contextmanager
def case(family, number=1):
    """Count the block as so many cases of a family; they are clean unless it raises."""
    BEGUN[family] += number
    yield
    CLEAN[family] += number


def counted():
    """Return the two counts as they go from a worker of pytest-xdist to the process that prints them."""
    return dict(BEGUN), dict(CLEAN)


def add(begun, clean):
    """Add what a worker `counted`."""
    BEGUN.update(begun)
    CLEAN.update(clean)


def summary():
    """Return the lines to print."""
    lines = [f"{family}: {begun} cases, {CLEAN[family]} clean" for family, begun in sorted(BEGUN.items())]
    return [*lines, f"all families: {BEGUN.total()} cases, {CLEAN.total()} clean"]
