"""Stand-ins that several scripts' tests use."""

import pytest

from helpers.stand_ins import ColourKey, stand_in


@pytest.fixture
def by_colour(monkeypatch):
    stand_in(monkeypatch, ColourKey)
