"""Clicks and boxes as the network sees them, and simulated clicks."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from osmn.inference import pointing
from osmn.inference.pointing import Click
from osmn.inputs import click_samples, clicks
from osmn.inputs.clicks import Window, box_of, guide_maps, next_click, whole_frame, window_around
from osmn.masks import Size


def disk(center, radius, shape=(60, 80)):
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    return (columns - center[0]) ** 2 + (rows - center[1]) ** 2 <= radius**2


def test_the_next_click_is_in_the_middle_of_the_largest_error():
    truth = disk((40, 30), 15)
    assert next_click(truth, np.zeros_like(truth)) == ((40, 30), clicks.POSITIVE)
    too_much = truth | disk((70, 10), 6)
    assert next_click(truth, too_much) == ((70, 10), clicks.NEGATIVE)
    assert next_click(truth, too_much & ~disk((40, 30), 10)) == ((40, 30), clicks.POSITIVE)


def test_a_window_stays_in_the_frame_where_the_frame_has_room():
    size = Size(80, 60)
    assert window_around((0, 0, 20, 10), 1.4, size) == Window(0, 0, 36)  # At least 8 pixels on each side.
    assert window_around((30, 20, 50, 40), 1.5, size) == Window(22, 12, 36)
    assert window_around((60, 50, 80, 60), 1.4, size) == Window(44, 24, 36)
    assert window_around((0, 0, 80, 60), 1.4, size) == whole_frame(size) == Window(0, -10, 80)


@given(st.integers(0, 60), st.integers(0, 40), st.integers(3, 20), st.floats(1, 3))
def test_what_is_cut_out_of_a_frame_is_pasted_back_to_its_place(left, top, side, factor):
    mask = np.zeros((60, 80), bool)
    mask[top : top + side, left : left + side] = True
    window = window_around((left, top, left + side, top + side), factor, Size(80, 60))
    cut = window.cut(mask.astype(np.uint8), window.side, 0)
    pasted = window.paste(cut.astype(np.float32), Size(80, 60), 0.0) > 0.5
    np.testing.assert_array_equal(pasted, mask)


def test_clicks_go_with_the_window():
    window = Window(10, 20, 40)
    assert window.inside([(10, 20), (30, 40)], 80) == [(0.5, 0.5), (40.5, 40.5)]


def test_maps_show_clicks_box_and_mask():
    mask = disk((20, 20), 8, (40, 40))
    maps = guide_maps(40, [(20, 10)], [(5, 5)], (8, 9, 30, 31), mask)
    assert maps[..., clicks.POSITIVE].sum() == maps[..., clicks.NEGATIVE].sum() == disk((20, 20), 5, (40, 40)).sum()
    assert box_of(maps[..., clicks.BOX] > 0) == (8, 9, 30, 31)
    np.testing.assert_array_equal(maps[..., clicks.MASK] > 0, mask)
    assert not guide_maps(40, [], []).any()


def test_a_sample_is_a_function_of_its_seed_and_shows_the_object():
    frame = np.random.default_rng(0).integers(0, 255, (60, 80, 3), np.uint8)
    label = disk((40, 30), 12)
    frame[label] = (250, 20, 20)
    for number in range(40):
        seed = np.array([number, -5])
        image, maps, truth = click_samples.pointed_at(frame, label, 64, seed)
        again = click_samples.pointed_at(frame, label, 64, seed)
        for array, other in zip((image, maps, truth), again, strict=True):
            np.testing.assert_array_equal(array, other)
        assert image.shape == (64, 64, 3) and maps.shape == (64, 64, 4) and truth.shape == (64, 64)
        assert truth.any() and maps.any()
        red = (image[truth > 0] == (250, 20, 20)).all(axis=-1).mean()
        assert red > 0.6, number  # Pixels at the edge are mixed.


def test_a_sample_without_the_object_says_so_by_a_click_beside_it():
    _, maps, truth = click_samples.pointed_at(np.zeros((30, 40, 3), np.uint8), np.zeros((30, 40), bool), 32, (1, 2))
    assert not truth.any() and maps[..., clicks.NEGATIVE].any() and not maps[..., clicks.POSITIVE].any()


@pytest.mark.parametrize("seed", range(20))
def test_a_spoilt_mask_differs_and_stays_a_mask_of_the_window(seed):
    truth = disk((40, 30), 18)
    mask = click_samples.spoilt(truth, np.random.default_rng(seed))
    assert mask.dtype == bool and mask.shape == truth.shape and (mask != truth).any()


def test_a_click_takes_an_earlier_one_of_the_other_kind_at_its_place_back():
    class Recorder:
        def probabilities(self, image, maps):
            self.maps = maps
            return np.zeros(maps.shape[:2], np.float32)

    engine, frame, mask = Recorder(), np.zeros((60, 80, 3), np.uint8), disk((40, 30), 15)
    pointing.answer(engine, frame, [Click(40, 30), Click(60, 30), Click(60.5, 30, False)], None, mask)
    assert engine.maps[..., clicks.NEGATIVE].any()
    one = int(engine.maps[..., clicks.POSITIVE].sum())
    pointing.answer(engine, frame, [Click(40, 30), Click(60, 30)], None, mask)
    assert int(engine.maps[..., clicks.POSITIVE].sum()) == pytest.approx(2 * one, rel=0.1)
