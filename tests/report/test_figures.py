"""Figures of a report."""

import numpy as np
import pytest

from osmn.report import figures


@pytest.mark.parametrize("name", ["$x^2", "漢字", "_hidden_", "a" * 100, "\x7fdel", "%s{{1+1}}"])
def test_any_name_can_be_drawn(name, recwarn):
    values = np.full((3, 1), 0.5)
    svg = figures.curves(name, [name] * 3, [1], values, [(0, 0)], "J")
    assert figures.bars([name], {"J": [0.5]}).startswith("<svg ") and svg.startswith("<svg ")
    assert not recwarn.list
    if len(name) <= 40 and name.isprintable():
        assert name in svg
