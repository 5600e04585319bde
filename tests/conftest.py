"""Data that several test files use."""

import os
from pathlib import Path

import cases
import pytest
from hypothesis import settings

settings.register_profile("osmn", deadline=None, derandomize=True, database=None)
settings.load_profile("osmn")

ROOT = Path(__file__).resolve().parent.parent


def pytest_sessionfinish(session):
    """Hand on what a worker of pytest-xdist counted."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["fault cases"] = cases.counted()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node):
    """Add what a worker counted; one that died counted nothing."""
    cases.add(*getattr(node, "workeroutput", {}).get("fault cases", ({}, {})))


def pytest_terminal_summary(terminalreporter):
    """Print how many cases there were, and how many were clean."""
    if cases.BEGUN:
        terminalreporter.section("fault cases")
        for line in cases.summary():
            terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def shared():
    """Return the folder of real data, published masks and weights; skip where it is absent."""
    folder = Path(os.environ.get("OSMN_SHARED", ROOT.parent / "shared"))
    if not folder.is_dir():
        pytest.skip(f"the real data of {folder} (OSMN_SHARED) is absent")
    return folder


@pytest.fixture
def messages():
    """Have what the library logs be printed in the test, as in a script."""
    from osmn.cli.messages import shown

    with shown():
        yield


@pytest.fixture(scope="session")
def davis(tmp_path_factory):
    """Return a preprocessed DAVIS of 64x48: two sequences of 5 frames per split, the second with two objects.

    Not to be written to: copy it.
    """
    from osmn.data.synthetic import make_dataset
    from preprocessing.preprocess_davis import split_sequence

    root = tmp_path_factory.mktemp("data") / "davis"
    make_dataset(root, train_sequences=2, val_sequences=2, frames=5, size=(64, 48), seed=1)
    masks = root / "Annotations"
    for annotations in sorted((masks / "480p").iterdir()):
        split_sequence(masks, annotations.name)
    return root


@pytest.fixture
def video(davis):
    """Return the `Video` of that folder that has two objects."""
    from osmn.data.davis import videos

    return videos(davis, 2017, "val")[1]
