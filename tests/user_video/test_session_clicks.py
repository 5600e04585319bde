"""What a visitor of the web page points at, by clicks, with a network by hand; without the page."""

import cv2
import numpy as np
import pytest

from helpers.moving_square import SIZE, Bright, write_square
from osmn.errors import InputError
from osmn.inference import pointing
from osmn.inference.predictor import Predictor
from osmn.inputs import clicks
from osmn.user_video.webapp.clip import Clip
from osmn.user_video.webapp.pointing import Pointer
from osmn.user_video.webapp.session import Session


class Growing:
    """A click network by hand: disks around clicks on the object, box, mask so far, without what is clicked away."""

    def probabilities(self, image, maps):
        near = [cv2.dilate(maps[..., n], np.ones((side, side), np.uint8)) > 0 for n, side in ((0, 15), (1, 31))]
        known = near[0] | (maps[..., clicks.MASK] > 0) | (maps[..., clicks.BOX] > 0)
        return (known & ~near[1]).astype(np.float32)


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
    assert clicked.click(0, 1, 20, 20, True) == ""
    before = clicked.labels(0) == 1
    note = clicked.click(0, 2, 30, 20, True)
    assert note == "A part of what is found belongs to object 1 already, and stays with it."
    np.testing.assert_array_equal(clicked.labels(0) == 1, before)
    assert area(clicked, object_id=2) > 0


@pytest.fixture
def taken(monkeypatch):
    """Return a list of what the network is asked for: (places of all clicks that count, the box)."""
    asked, answer = [], pointing.answer

    def noted(engine, frame, pointed, box, mask):
        asked.append(([(click.x, click.y) for click in pointed], box))
        return answer(engine, frame, pointed, box, mask)

    monkeypatch.setattr(pointing, "answer", noted)
    return asked


def test_all_clicks_on_an_object_count_though_a_part_of_what_is_found_stays_with_another(clicked, taken):
    left = np.arange(SIZE[0])[None] < 20
    clicked.paint(0, np.where(left, np.uint8(2), np.uint8(0)).repeat(SIZE[1], 0))
    places = [(22, 20), (40, 10), (50, 40)]
    for place in places:
        assert "belongs to object 2" in clicked.click(0, 1, *place, True)
    clicked.edits.undo()
    clicked.click(0, 1, 55, 30, False)
    assert [pointed for pointed, _ in taken] == [places[:1], places[:2], places, [*places[:2], (55, 30)]]


def test_a_box_counts_for_the_clicks_that_correct_what_was_found_in_it(clicked, taken):
    clicked.click(0, 1, 10, 10, True)
    clicked.find_in_box(0, 1, (4, 4, 20, 20), replace=True)
    clicked.click(0, 1, 30, 30, True)
    clicked.click(2, 1, 30, 30, True)  # Another frame.
    assert taken[1:] == [([], (4, 4, 20, 20)), ([(30, 30)], (4, 4, 20, 20)), ([(30, 30)], None)]


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
