"""J and F of masks, on masks whose scores can be worked out by hand."""

import numpy as np
import pytest

from helpers.davis_results import blobs
from osmn.evaluation.metrics import (
    contour,
    contour_accuracy,
    contour_tolerance,
    dilate,
    frame_scores,
    region_similarity,
    statistics,
)


def square(top, left, side, shape=(12, 12)):
    mask = np.zeros(shape, bool)
    mask[top : top + side, left : left + side] = True
    return mask


def test_j_is_the_shared_area_over_the_joint_area():
    assert region_similarity(square(0, 0, 4), square(2, 2, 4)) == pytest.approx(4 / 28)


def test_j_is_1_for_two_empty_masks_and_0_for_one():
    empty = square(0, 0, 0)
    assert region_similarity(empty, empty) == 1
    assert region_similarity(empty, square(1, 1, 2)) == 0
    assert region_similarity(square(1, 1, 2), empty) == 0


def test_contour_marks_pixels_that_differ_from_right_lower_or_lower_right_neighbour():
    expected = np.zeros((5, 5), bool)
    expected[0, 0:3] = expected[1, [0, 2]] = expected[2, 0:3] = (
        True  # the ring that starts above and left of the square
    )
    np.testing.assert_array_equal(contour(square(1, 1, 2, (5, 5))), expected)


def test_contour_ignores_the_border_of_the_image():
    expected = np.zeros((4, 4), bool)
    expected[1, 1:] = expected[2:, 1] = True  # nothing on the right and below, where the image ends
    np.testing.assert_array_equal(contour(square(2, 2, 2, (4, 4))), expected)
    assert not contour(np.ones((4, 4), bool)).any()


@pytest.mark.parametrize("radius", [0, 1, 2, 3, 8])
@pytest.mark.parametrize("shape", [(30, 40), (3, 50), (50, 2), (1, 1)])
def test_dilation_reaches_every_pixel_within_the_radius(radius, shape):
    mask = np.random.default_rng(0).random(shape) > 0.95
    mask[0, 0] = True
    y, x = np.nonzero(mask)
    rows, columns = np.indices(shape)
    near = ((rows[..., None] - y) ** 2 + (columns[..., None] - x) ** 2 <= radius**2).any(-1)
    np.testing.assert_array_equal(dilate(mask, radius), near)


def test_f_forgives_a_shift_within_the_tolerance():
    truth, result = square(3, 3, 4), square(3, 4, 4)
    assert contour_accuracy(truth, result, 1) == 1
    # Without tolerance: both contours are rings of 16 pixels; shifted by one column, they share 4 pixels of their upper
    # side and 4 of their lower one.
    assert contour_accuracy(truth, result, 0) == pytest.approx(8 / 16)


def test_f_is_the_harmonic_mean_of_precision_and_recall():
    truth = square(2, 2, 3)
    result = truth | square(8, 8, 3)  # all of the truth's 12 contour pixels are found, and 12 more
    assert contour_accuracy(truth, result, 0) == pytest.approx(2 * 0.5 * 1 / 1.5)


def test_f_is_1_for_two_empty_masks_and_0_for_one():
    empty = square(0, 0, 0)
    assert contour_accuracy(empty, empty, 1) == 1
    assert contour_accuracy(empty, square(1, 1, 2), 1) == 0
    assert contour_accuracy(square(1, 1, 2), empty, 1) == 0
    assert contour_accuracy(square(1, 1, 2), square(8, 8, 2), 1) == 0


def test_tolerance_grows_with_the_diagonal():
    assert contour_tolerance((480, 854)) == 8  # 0.008 * 979.7 = 7.84
    assert contour_tolerance((3, 4)) == 1


@pytest.mark.parametrize("seed", range(5))
def test_cropped_scores_equal_those_of_the_whole_image(seed):
    truth, result = blobs(seed), blobs(seed + 100)
    result[:, seed::7] = truth[:, seed::7]
    tolerance = contour_tolerance(truth.shape)
    whole = [
        (region_similarity(truth == i, result == i), contour_accuracy(truth == i, result == i, tolerance))
        for i in (1, 2, 3, 4)
    ]
    np.testing.assert_array_equal(frame_scores(truth, result, (1, 2, 3, 4)), whole)


def test_an_object_absent_from_both_images_scores_1():
    empty = np.zeros((6, 6), np.uint8)
    np.testing.assert_array_equal(frame_scores(empty, empty, (1, 2)), np.ones((2, 2)))


def test_recall_counts_the_frames_above_one_half():
    assert statistics([0.5, 0.51, 0.2, 1.0]).recall == 0.5


def test_decay_is_the_first_quarter_minus_the_last_sharing_end_frames():
    # 9 frames: quarters are frames 0-2, 2-4, 4-6 and 6-8.
    values = [1, 0.8, 0.6, 0, 0, 0, 0.3, 0.2, 0.1]
    assert statistics(values).decay == pytest.approx(0.8 - 0.2)


def test_decay_of_a_sequence_of_600_frames_does_not_wrap():
    assert statistics(np.linspace(1, 0, 600)).decay == pytest.approx(0.75, abs=0.01)
    assert statistics([0.7]) == (0.7, 1, 0)
