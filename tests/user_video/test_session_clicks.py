"""What a visitor of the web page points at, by clicks, with a network by hand; without the page."""

import cv2
import numpy as np
import pytest

from helpers.moving_square import Bright, write_square
from osmn.errors import InputError
from osmn.inference import pointing
from osmn.inference.predictor import Predictor
from osmn.inputs import clicks
from osmn.user_video.webapp.clip import Clip
from osmn.user_video.webapp.pointing import Pointer
from osmn.user_video.webapp.session import Session


class Growing:
    """A click network by hand: a disk around each click on the object; the mask so far without those beside it."""

    def probabilities(self, image, maps):
        near = [cv2.dilate(maps[..., n], np.ones((side, side), np.uint8)) > 0 for n, side in ((0, 15), (1, 31))]
        return ((near[0] | (maps[..., clicks.MASK] > 0)) & ~near[1]).astype(np.float32)


@pytest.fixture
def clicked(tmp_path, monkeypatch):
    """Return a session with a click network by hand."""
    clip = write_square(tmp_path / "visitor" / "bird.mkv")
    monkeypatch.setattr(pointing, "SIDE", 64)
    return Session(Clip(clip, clip.name), lambda size: Predictor(Bright(), size), Pointer(Growing))


def area(session, number=0, object_id=1):
    return int((session.labels(number) == object_id).sum())


def test_a_click_gives_an_object_and_further_ones_correct_it_until_they_are_undone(clicked):
    clicked.click(0, 1, 10, 10, True)
    first = area(clicked)
    clicked.click(0, 1, 30, 30, True)
    second = area(clicked)
    clicked.click(0, 1, 30, 30, False)
    assert 0 < first < second and area(clicked) < second
    clicked.edits.undo()
    assert area(clicked) == second
    clicked.edits.undo()
    assert area(clicked) == first
    clicked.click(0, 1, 30, 30, True)
    assert area(clicked) == second  # The first click still counts.
    clicked.edits.undo()
    clicked.edits.undo()
    assert area(clicked) == 0 and clicked.edits.objects == []


def test_a_click_leaves_other_objects_their_pixels(clicked):
    clicked.click(0, 1, 20, 20, True)
    before = clicked.labels(0) == 1
    clicked.click(0, 2, 30, 20, True)
    np.testing.assert_array_equal(clicked.labels(0) == 1, before)
    assert area(clicked, object_id=2) > 0


def test_clicks_that_find_nothing_are_told(clicked):
    with pytest.raises(InputError, match="object 2 is not in this frame: there is nothing to take away"):
        clicked.click(0, 2, 10, 10, False)
    with pytest.raises(InputError, match="the click 900 10 is outside the frame"):
        clicked.click(0, 1, 900, 10, True)
    clicked.click(0, 1, 10, 10, True)
    with pytest.raises(InputError, match="nothing is found there"):
        clicked.click(0, 1, 10, 10, False)
    with pytest.raises(InputError, match=r"a click is \(x, y\)"):
        clicked.click(0, 1, "a", 10, True)
