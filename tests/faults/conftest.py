"""Data of the fault tests, and what their commands write without faults."""

import time

import children
import commands
import pytest


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    """Return the folder of the data that the commands read; not to be written to."""
    root = tmp_path_factory.mktemp("fault data")
    commands.make_data(root)
    return root


class Whole:
    """Runs without faults, each made once: `whole(name)` are its `commands.results`."""

    def __init__(self, data, make_folder):
        self._data, self._make_folder, self._made, self._seconds = data, make_folder, {}, {}

    def __call__(self, name):
        if name not in self._made:
            out = self._make_folder(name) / "out"
            commands.begin(name, self._data, out)
            start = time.monotonic()
            status, printed = children.run(name, self._data, out)
            self._seconds[name] = time.monotonic() - start
            assert status == 0, printed[-3000:]
            assert not commands.leftovers(out)
            self._made[name] = commands.results(out)
        return self._made[name]

    def seconds(self, name):
        """Return how long a run takes."""
        self(name)
        return self._seconds[name]


@pytest.fixture(scope="session")
def whole(data, tmp_path_factory):
    """Return the `Whole` of this session."""
    children.run("drawing", data, tmp_path_factory.mktemp("first") / "out")  # The one that all are forked from starts.
    return Whole(data, tmp_path_factory.mktemp)
