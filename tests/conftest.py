"""Data that several test files use."""

import os
import shutil
from pathlib import Path

import pytest
from hypothesis import settings

pytest.register_assert_rewrite("helpers")  # Before their import.

from helpers import ROOT, cases  # noqa: E402

settings.register_profile("osmn", deadline=None, derandomize=True, database=None)
settings.load_profile("osmn")


# The files that take longest, a minute or half of one: started first, so that at the end no process waits for another.
LONGEST = ("test_killed_runs.py", "test_golden_networks.py", "test_export.py", "test_webapp_page.py")
LONGEST += (
    "test_webapp_lasting.py",
    "test_webapp_gestures.py",
    "test_replicas.py",
    "test_backend.py",
    "test_online.py",
    "test_osmn_train_eval.py",
)


def pytest_collection_modifyitems(items):
    """Put the longest files first; the others stay in their order."""
    ranks = {name: rank for rank, name in enumerate(LONGEST)}
    items.sort(key=lambda item: ranks.get(item.path.name, len(ranks)))


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


@pytest.fixture(scope="session")
def synthetic(tmp_path_factory):
    """Return a synthetic dataset of 48x32, two sequences of 4 frames per split, not preprocessed.

    Not to be written to: copy it.
    """
    from osmn.data.synthetic import make_dataset

    root = tmp_path_factory.mktemp("synthetic")
    make_dataset(root, train_sequences=2, val_sequences=2, frames=4, size=(48, 32), seed=3)
    return root


@pytest.fixture
def video(davis):
    """Return the `Video` of that folder that has two objects."""
    from osmn.data.davis import videos

    return videos(davis, 2017, "val")[1]


@pytest.fixture
def held_out(tmp_path):
    """Return a folder of a YouTube-VOS split and results of which all J are known: `ytvos_results.write_held_out`."""
    from helpers.ytvos_results import write_held_out

    return write_held_out(tmp_path)


@pytest.fixture
def clip(tmp_path):
    """Return the path of a clip of dark frames, lossless, at uneven times."""
    from helpers.own_videos import write_clip

    return write_clip(tmp_path / "my holiday é.mkv")


@pytest.fixture
def follower(monkeypatch):
    """Have the scripts take `Follower` for whatever model they name."""
    from helpers.stand_ins import Follower, stand_in

    stand_in(monkeypatch, Follower)


@pytest.fixture
def devices_stay(monkeypatch):
    """Have the choice of devices do nothing: other tests in this process may compute on a GPU already."""
    from osmn.networks import devices

    monkeypatch.setattr(devices, "use_gpus", lambda numbers: None)


@pytest.fixture(scope="session")
def chromium():
    """Return the path of the browser; skip where there is none, or nothing to drive it."""
    pytest.importorskip("playwright", reason="playwright is not installed (make browser)")
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("there is no Chromium (make browser)")
    return path


@pytest.fixture(scope="module")
def browser(chromium):
    """Return a headless Chromium, driven by Playwright."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield browser
        browser.close()
