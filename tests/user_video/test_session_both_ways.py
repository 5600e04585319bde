"""What visitors of the web page do with objects that they paint in the middle: followed both ways, and lost."""

import zipfile
from fractions import Fraction

import numpy as np
import pytest

from helpers.clips import LOSSLESS, make_video
from osmn.files.images import read_labels
from osmn.inference.predictor import Predictor
from osmn.user_video.webapp.clip import Clip
from osmn.user_video.webapp.session import Session

SIZE, FRAMES = (64, 48), 8
TOPS = {1: 4, 2: 30}


def square(number, object_id=1):
    """Return where a square is, bool (48, 64): it moves to the right."""
    mask = np.zeros(SIZE[::-1], bool)
    mask[TOPS[object_id] : TOPS[object_id] + 10, 4 + 5 * number : 14 + 5 * number] = True
    return mask


class Squares:
    """An engine that finds the bright square in the half of the frame in which the object was."""

    def __init__(self):
        self.frames = 0

    def gammas(self, frame, mask):
        return [np.ones((1, 1, 1, 1), np.float32)]

    def segment(self, frame, masks, gammas):
        self.frames += 1
        halves = np.zeros((2, *SIZE[::-1]), bool)
        halves[0, :24], halves[1, 24:] = True, True
        found = [(frame[..., 0] > 100) & (halves * (halves & mask).any((1, 2), keepdims=True)).any(0) for mask in masks]
        return np.where(found, np.float32(0.9), np.float32(0.1)), np.stack(found)


@pytest.fixture
def engine():
    return Squares()


@pytest.fixture
def session(tmp_path, engine):
    images = [np.dstack([np.where(square(n) | square(n, 2), np.uint8(200), np.uint8(20))] * 3) for n in range(FRAMES)]
    images[6] = np.where(square(6)[..., None], np.uint8(20), images[6])  # The first one is away in frame 6.
    clip = make_video(tmp_path / "clip.mkv", images, time_base=Fraction(1, 25), **LOSSLESS)
    return Session(Clip(clip, clip.name), lambda size: Predictor(engine, size))


def numbers(session, **options):
    return [step.number for step in session.segment(**options)]


def seen(session):
    return [set(np.unique(session.labels(number)).tolist()) - {0} for number in range(FRAMES)]


def test_an_object_painted_in_the_middle_is_followed_to_the_first_frame(session, engine):
    session.paint(3, square(3).astype(np.uint8))
    assert numbers(session) == list(range(FRAMES))
    assert seen(session) == [set()] * 3 + [{1}] * 3 + [set(), set()]
    forward = [session.labels(number) for number in range(FRAMES)]
    assert numbers(session, both_ways=True) == [2, 1, 0, *range(FRAMES)]
    for number in range(FRAMES):
        expected = forward[number] if number >= 3 else square(number)
        np.testing.assert_array_equal(session.labels(number), expected)
    with zipfile.ZipFile(session.archive) as archive, archive.open("masks/00000.png") as file:
        (session.folder / "first.png").write_bytes(file.read())
    np.testing.assert_array_equal(read_labels(session.folder / "first.png"), square(0))
    before = engine.frames
    assert numbers(session, both_ways=True) == []  # Nothing has changed.
    assert engine.frames == before
    assert numbers(session) == list(range(FRAMES))
    assert seen(session)[:3] == [set()] * 3


def test_a_correction_after_it_keeps_what_was_followed_backward(session):
    session.paint(3, square(3).astype(np.uint8))
    numbers(session, both_ways=True)
    session.paint(6, square(6).astype(np.uint8))
    assert numbers(session, both_ways=True) == [6, 7]
    assert seen(session)[:6] == [{1}] * 6


def test_a_second_object_that_is_painted_later_is_followed_backward_too(session):
    session.paint(3, square(3).astype(np.uint8))
    numbers(session, both_ways=True)
    session.paint(5, session.labels(5) + 2 * square(5, 2))
    assert numbers(session, both_ways=True) == [4, 3, 2, 1, 0, *range(FRAMES)]
    assert seen(session) == [{1, 2}] * 6 + [{2}] * 2


def test_an_object_that_is_erased_on_its_way_back_ends_there(session):
    session.paint(4, square(4).astype(np.uint8))
    numbers(session, both_ways=True)
    session.paint(1, np.zeros(SIZE[::-1], np.uint8))
    numbers(session, both_ways=True)
    assert seen(session)[:6] == [set(), set(), {1}, {1}, {1}, {1}]


def test_a_run_that_is_stopped_on_its_way_back_begins_there_again(session):
    session.paint(3, square(3).astype(np.uint8))
    for _ in session.segment(both_ways=True):
        session.stop()
    assert session.done == 1
    assert session.overlay.is_file()
    assert numbers(session, both_ways=True) == [2, 1, 0, *range(FRAMES)]
    assert seen(session)[:6] == [{1}] * 6


def test_an_object_that_is_lost_is_named(session):
    session.paint(0, square(0).astype(np.uint8))
    numbers(session)
    assert session.presence.words() == ["object 1 is lost from frame 6 on"]
    session.paint(7, square(7).astype(np.uint8))
    numbers(session)
    assert session.presence.words() == ["object 1 is lost in frame 6 and found again in frame 7"]
