"""Results with known scores, to be reported."""

import numpy as np
import pytest

from helpers.report_pages import write_frames, write_sequence
from osmn.files.images import write_mask


@pytest.fixture
def root(tmp_path):
    """Return a folder of `davis`, `results` and `better`.

    In `one` object 1 keeps all rows; object 2 keeps 3, 1 and 2 of four, so that its J is 3/4, 1/4 and 1/2. `better`
    loses nothing there, and half of each object in the middle frame of `two`, which `results` have right.
    """
    whole, half = (4, 4), (2, 2)
    write_sequence(tmp_path, "one", [whole, (4, 3), (4, 1), (4, 2), whole])
    write_sequence(tmp_path, "two", [whole] * 5)
    write_sequence(tmp_path, "one", [whole] * 5, "better")
    write_sequence(tmp_path, "two", [whole, whole, half, whole, whole], "better")
    return tmp_path


@pytest.fixture
def youtube(tmp_path):
    """Return a YouTube-Objects whose every second frame has a label, and results that keep 2 and 3 of 4 rows."""
    names = [f"{t:05d}" for t in range(5)]
    write_frames(tmp_path / "data/Images/cat_0001", names, (9, 8))
    rows = np.arange(8)[:, None].repeat(9, 1)
    for name, kept in zip(names, (4, 4, 2, 4, 3), strict=True):
        write_mask(tmp_path / f"results/cat_0001/{name}.png", rows < kept)
    for name in names[::2]:
        write_mask(tmp_path / f"data/Labels/cat_0001/{name}.png", rows < 4)
    (tmp_path / "data/all.txt").write_text("cat_0001\n")
    return tmp_path
