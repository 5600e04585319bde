"""Which frames a report shows."""

import numpy as np

from osmn.report import choice


def one_measure(*columns):
    return np.transpose(columns).astype(float)[:, :, None]


def test_worst_frames_of_an_object_are_apart():
    values = np.ones((32, 1, 1))
    values[10:14, 0, 0] = 0.2, 0.1, 0.15, 0.3
    values[20, 0, 0] = 0.9
    assert choice.worst_frames(values) == [(11, [0]), (20, [0])]


def test_a_frame_that_is_bad_for_several_objects_is_shown_once_and_frames_that_do_not_count_never():
    nan = float("nan")
    values = one_measure([0.5, 0.1, nan], [0.6, 0.2, 1.0], [nan, nan, nan])
    assert choice.worst_frames(values) == [(1, [0, 1]), (0, [0])]
    assert choice.worst_frames(np.ones((4, 2, 2))) == []


def test_frames_of_a_sheet_are_spread_from_the_first_to_the_last():
    assert choice.spread_frames(1) == [0]
    assert choice.spread_frames(3) == [0, 1, 2]
    assert choice.spread_frames(51) == [0, 10, 20, 30, 40, 50]
