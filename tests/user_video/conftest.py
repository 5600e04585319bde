"""The web page in a browser, for the test files that visit it."""

import importlib.util

import numpy as np
import pytest

from helpers.web_page import FRAMES, SIZE, Visitor, encode, served


@pytest.fixture(scope="session")
def disc(tmp_path_factory):
    """Return the path of a clip of a bright disc."""
    return encode(tmp_path_factory.mktemp("clip") / "my clip.mp4", "libx264", SIZE, FRAMES, np.random.default_rng(0))


@pytest.fixture(scope="module")
def server(chromium, tmp_path_factory):
    """Return the address of the page, and the folder of its temporary files."""
    if importlib.util.find_spec("gradio") is None:
        pytest.skip("gradio is not installed (make browser)")
    with served(tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture
def visitor(browser, server):
    """Return a visitor of the page, who leaves at the end of the test."""
    visitor = Visitor(browser, server[0])
    yield visitor
    visitor.leave()
    assert visitor.errors == []
    outside = [url for url in visitor.asked if not url.startswith((server[0], "data:", "blob:"))]
    assert outside == []  # Neither fonts nor scripts nor statistics.
