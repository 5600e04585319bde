"""Data of the fault tests, and what their commands write without faults."""

import children
import commands
import pytest


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    """Return the folder of the data that the commands read; not to be written to."""
    root = tmp_path_factory.mktemp("fault data")
    commands.make_data(root)
    return root


@pytest.fixture(scope="session")
def whole(data, tmp_path_factory):
    """Return a function: a command's name -> `commands.results` of a run without faults."""
    made = {}

    def of(name):
        if name not in made:
            out = tmp_path_factory.mktemp(name) / "out"
            begin(name, data, out)
            status, printed = children.run(name, data, out)
            assert status == 0, printed[-3000:]
            assert not commands.leftovers(out)
            made[name] = commands.results(out)
        return made[name]

    return of


def begin(name, data, out):
    """Put into `out` what a command works on there."""
    out.mkdir(parents=True, exist_ok=True)
    commands.COMMANDS[name].before(data, out)
