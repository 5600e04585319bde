"""Finding an object again whose mask has died: `--search`."""

import numpy as np
import pytest

import osmn_app
import osmn_live
from helpers.dataset_options import check_ones_own_video_keeps_results_apart
from helpers.squares import COLORS, colored, near
from helpers.squares import square as any_square
from osmn.inference.predictor import Predictor
from osmn.inference.search import SURE, agreement, candidates, windows
from osmn.inference.segmentation import State

SHAPE = (32, 48)
RED, BLUE = COLORS["red"], COLORS["blue"]


def square(left, top, side=8):
    return any_square(left, top, side, SHAPE)


def frame(**boxes):
    """Return a gray frame with colored squares; an argument is a color's name and its place."""
    return colored({color: square(*place) for color, place in boxes.items()}, SHAPE)


class Near:
    """An engine that segments what is not gray where the last mask or a pixel beside it is; its gammas are colors."""

    follows_weights = False

    def __init__(self):
        self.segmented = []

    def gammas(self, frame, mask):
        color = frame[mask].mean(0) if mask.any() else np.zeros(3)
        return [np.float32(color)[None, None, None] + 1]

    def segment(self, frame, masks, gammas):
        self.segmented.append(len(masks))
        assert all(len(layer) == len(masks) for layer in gammas)
        return near(frame, masks)


def following(search, engine=None, **places):
    predictor = Predictor(engine or Near(), search=search)
    predictor.start(frame(**places))
    for number, place in enumerate(places.values(), 1):
        predictor.add_object(number, square(*place))
    return predictor


def test_an_object_that_was_hidden_is_found_far_from_where_it_was_and_followed():
    predictor = following(True, red=(4, 4))
    assert not predictor.step(frame()).masks.any()
    found = predictor.step(frame(red=(30, 20), blue=(4, 4)))
    np.testing.assert_array_equal(found.masks[0], square(30, 20))
    assert (found.probabilities[0][square(30, 20)] == 0.75).all()
    np.testing.assert_array_equal(predictor.step(frame(red=(31, 20))).masks[0], square(31, 20))


def test_without_search_it_stays_lost():
    predictor = following(False, red=(4, 4))
    predictor.step(frame())
    assert not predictor.step(frame(red=(30, 20))).masks.any()


def test_what_does_not_look_like_the_object_is_not_taken_up():
    predictor = following(True, red=(4, 4))
    predictor.step(frame())
    assert not predictor.step(frame(blue=(30, 20))).masks.any()


def test_what_is_much_smaller_than_the_object_was_is_not_taken_up():
    predictor = following(True, red=(4, 4))
    predictor.step(frame())
    speck = frame()
    speck[20:22, 30:32] = RED
    assert not predictor.step(speck).masks.any()


def test_each_object_finds_what_looks_like_itself_and_the_others_stay():
    predictor = following(True, red=(4, 4), blue=(30, 4))
    predictor.step(frame(blue=(30, 4)))
    found = predictor.step(frame(blue=(30, 4), red=(20, 20)))
    np.testing.assert_array_equal(found.masks, [square(20, 20), square(30, 4)])


def test_nothing_is_looked_for_while_masks_live():
    engine = Near()
    predictor = following(True, engine, red=(4, 4), blue=(30, 4))
    predictor.step(frame(red=(5, 4), blue=(29, 4)))
    assert engine.segmented == [2]
    predictor.step(frame(blue=(29, 4)))
    assert engine.segmented[1:] == [2, 6]  # One of the two has died.


def test_a_resumed_predictor_searches_as_the_one_whose_state_it_has():
    first = following(True, red=(4, 4))
    first.step(frame())
    state = first.state()
    second = Predictor(Near(), search=True)
    second.resume(frame(), state)
    np.testing.assert_array_equal(second.step(frame(red=(30, 20))).masks[0], square(30, 20))
    assert state.areas == {1: 64} and State({}, {}, None).areas == {}


def test_the_windows_are_the_frame_its_middle_and_its_quarters():
    found = windows(*SHAPE)
    assert found[0].all() and found[2:].sum(0).tolist() == np.ones(SHAPE, int).tolist()
    assert [window.sum() for window in found[1:]] == [32 * 48 / 4] * 5
    assert windows(1, 1).any((1, 2)).all()


def test_candidates_are_the_largest_parts_and_not_too_small():
    mask = square(0, 0) | square(20, 0, 6) | square(40, 0, 4)
    found = list(candidates(mask[None], 20))
    np.testing.assert_array_equal(found, [square(0, 0), square(20, 0, 6)])
    assert not list(candidates(mask[None], 65))


@pytest.mark.parametrize("cosine, expected", [(1.0, 6.0), (0.99, 2.0), (0.0, 0.0)])
def test_the_agreement_is_the_number_of_nines_of_the_cosine(cosine, expected):
    other = np.array([cosine, np.sqrt(1 - cosine**2)])
    assert agreement([np.array([3.0, 0.0])], [2 * other]) == pytest.approx(expected, abs=1e-6)
    assert 0 < SURE < 6


def test_ones_own_video_is_searched_where_it_is_asked_for_and_results_are_not_mixed(follower, clip, tmp_path, capsys):
    check_ones_own_video_keeps_results_apart("search", False, clip, tmp_path, capsys)


def test_the_page_and_live_pictures_take_it_too():
    assert (
        osmn_app.parse(["--search"]).search and osmn_live.parse(["0", "--box", "1", "1", "9", "9", "--search"]).search
    )
    assert not osmn_app.parse([]).search
