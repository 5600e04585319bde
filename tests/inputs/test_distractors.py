"""A second object in a training sample."""

import numpy as np
import pytest
import tensorflow as tf

from helpers.pictures import seeds
from osmn.inputs import distractors
from osmn.inputs.distractors import with_distractor
from osmn.inputs.samples import RawSample

SIDES = (48, 64)  # Height and width of the target's frame.


def box(left, top, right, bottom, sides=SIDES):
    mask = np.zeros(sides, bool)
    mask[top:bottom, left:right] = True
    return mask


def painted(mask, colour):
    """Return a black frame whose object has a colour."""
    return np.where(mask[..., None], np.uint8(colour), np.uint8(0))


RED, GREEN = (200, 0, 0), (0, 200, 0)
GUIDE, BEFORE, LABEL = box(2, 2, 12, 12), box(18, 14, 38, 34), box(20, 16, 40, 36)
TARGET = RawSample(painted(GUIDE, RED), GUIDE, BEFORE, painted(LABEL, RED), LABEL)
OTHER_MASK = box(3, 5, 19, 25, (30, 40))
OTHER = RawSample(painted(OTHER_MASK, GREEN), OTHER_MASK, OTHER_MASK, painted(OTHER_MASK, GREEN), OTHER_MASK)


def arrays(views):
    return RawSample(*(np.asarray(x) for x in views))


@pytest.fixture(scope="module")
def many():
    """Return the views of 60 seeds."""
    compiled = tf.function(lambda seed: with_distractor(TARGET, OTHER, seed))
    return [arrays(compiled(seed)) for seed in seeds(60)]


def reds(views):
    return views.frame[..., 0] == 200


def greens(views):
    return views.frame[..., 1] > 60  # Resizing blurs the edge of the pasted object.


def asks_for_pasted(views):
    return np.array_equal(views.guide_mask, OTHER_MASK)


def test_the_frame_is_the_targets_but_for_the_pasted_object(many):
    for views in many:
        assert views.frame.shape == TARGET.frame.shape and views.frame.dtype == np.uint8
        green = views.frame[..., 1] > 0
        np.testing.assert_array_equal(views.frame[~green & ~LABEL], TARGET.frame[~green & ~LABEL])
        assert np.any(views.frame != TARGET.frame) or not asks_for_pasted(views)
    assert np.mean([greens(views).any() for views in many]) > 0.9


def test_half_of_the_samples_ask_for_the_pasted_object(many):
    assert np.mean([asks_for_pasted(views) for views in many]) == pytest.approx(0.5, abs=0.15)


def test_guide_and_previous_mask_are_of_the_object_that_is_asked_for(many):
    for views in many:
        pasted = asks_for_pasted(views)
        np.testing.assert_array_equal(views.guide_frame, (OTHER if pasted else TARGET).guide_frame)
        np.testing.assert_array_equal(views.guide_mask, (OTHER if pasted else TARGET).guide_mask)
        np.testing.assert_array_equal(views.previous_mask, views.label if pasted else BEFORE)


def test_the_label_is_what_can_be_seen_of_the_object_that_is_asked_for(many):
    covered = 0
    for views in many:
        if asks_for_pasted(views):
            assert views.label.any()
            # Its edges are blurred by resizing, but all that is clearly green is asked for, and nothing that is red.
            assert np.all(views.label[greens(views)])
            assert not np.any(views.label & reds(views))
        else:
            np.testing.assert_array_equal(views.label, reds(views))
            covered += views.label.sum() < LABEL.sum()
    assert covered > 3  # In front of the target the pasted object hides a part of it.


def test_the_pasted_object_is_in_front_or_behind(many):
    hides = [np.any(LABEL & ~reds(views)) for views in many]
    behind = 0
    for views in many:
        if asks_for_pasted(views):
            rows, columns = np.nonzero(views.label)
            box_of_it = box(columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
            hidden = box_of_it & ~views.label  # It is a box: what is missing of it is behind the target.
            assert np.all(LABEL[hidden])
            behind += hidden.any()
    assert sum(hides) > 5 and behind > 2


def test_an_object_of_which_little_is_left_is_not_asked_for(many):
    for views in many:
        if not asks_for_pasted(views):
            assert views.label.sum() > distractors.MIN_VISIBLE * LABEL.sum()


def test_the_pasted_object_has_about_the_targets_size(many):
    # The whole of it where it is behind nothing and cut off by nothing: 0.6 to 1.4 times the root of 400 pixels.
    sizes = [np.sqrt(views.label.sum()) for views in many if asks_for_pasted(views)]
    assert max(sizes) < 1.45 * 20
    assert max(sizes) > 1.1 * 20


def test_the_pasted_object_touches_or_is_near_the_target(many):
    for views in many:
        if asks_for_pasted(views):
            rows, columns = np.nonzero(views.label)
            distance = max(20 - columns.max(), columns.min() - 39, 16 - rows.max(), rows.min() - 35)
            assert distance < 0.2 * (20 + 1.4 * 25) + 2


def test_all_targets_are_asked_for_where_the_pasted_object_is_out_of_the_frame(monkeypatch):
    monkeypatch.setattr(distractors, "REACH", 1000.0)
    outside = [arrays(with_distractor(TARGET, OTHER, seed)) for seed in seeds(20)]
    outside = [views for views in outside if not (views.frame[..., 1] > 0).any()]
    assert len(outside) > 10
    for views in outside:
        for ours, theirs in zip(views, TARGET, strict=True):
            np.testing.assert_array_equal(ours, theirs)


EMPTY = np.zeros(SIDES, bool)


@pytest.mark.parametrize(
    "target, other",
    [
        pytest.param(TARGET._replace(label=EMPTY), OTHER, id="no target in the frame"),
        pytest.param(TARGET, OTHER._replace(guide_mask=np.zeros((30, 40), bool)), id="nothing to paste"),
        pytest.param(TARGET._replace(label=EMPTY), OTHER._replace(guide_mask=np.zeros((30, 40), bool)), id="neither"),
    ],
)
def test_without_an_object_the_target_is_left_as_it_is(target, other):
    for seed in seeds(6):
        for ours, theirs in zip(with_distractor(target, other, seed), target, strict=True):
            np.testing.assert_array_equal(ours, theirs)


def corners(sides):
    """Return a mask of two corners, of which nothing is left in a box without its last row and column."""
    mask = np.zeros(sides, bool)
    mask[2, 9] = mask[9, 2] = True
    return mask


@pytest.mark.parametrize(
    "target_mask, other_mask",
    [
        pytest.param(box(0, 0, 64, 48), box(0, 0, 40, 30, (30, 40)), id="both fill their frames"),
        pytest.param(box(5, 5, 6, 6), box(0, 0, 40, 30, (30, 40)), id="a target of one pixel"),
        pytest.param(box(0, 0, 64, 48), box(39, 29, 40, 30, (30, 40)), id="one pixel to paste"),
        pytest.param(box(0, 0, 64, 2), box(3, 0, 4, 30, (30, 40)), id="a thin one on a flat one"),
        pytest.param(box(0, 0, 64, 48), corners((30, 40)), id="two corners"),
    ],
)
def test_objects_of_any_size_fit(target_mask, other_mask):
    target = RawSample(painted(target_mask, RED), target_mask, target_mask, painted(target_mask, RED), target_mask)
    other = OTHER._replace(guide_frame=painted(other_mask, GREEN), guide_mask=other_mask)
    for seed in seeds(12):
        views = arrays(with_distractor(target, other, seed))
        assert views.frame.shape == (*SIDES, 3) and views.label.shape == SIDES
        assert views.label.any()


def test_masks_of_other_sizes_than_their_frames_are_resized_to_them():
    small = RawSample(TARGET.guide_frame, GUIDE[::2, ::2], BEFORE[::2, ::2], TARGET.frame, LABEL[::2, ::2])
    for seed in seeds(6):
        views, expected = (arrays(with_distractor(t, OTHER, seed)) for t in (small, TARGET))
        np.testing.assert_array_equal(views.frame, expected.frame)
        np.testing.assert_array_equal(views.label, expected.label)


def test_it_is_a_function_of_its_seed_also_in_a_dataset(many):
    dataset = tf.data.Dataset.from_tensor_slices(tf.stack(seeds(8)))
    mapped = dataset.map(lambda seed: with_distractor(TARGET, OTHER, seed), num_parallel_calls=2)
    for number, (seed, in_dataset) in enumerate(zip(seeds(8), mapped, strict=True)):
        direct = with_distractor(TARGET, OTHER, seed)
        for ours, theirs, compiled in zip(in_dataset, direct, many[number], strict=True):
            np.testing.assert_array_equal(ours, theirs)
            np.testing.assert_array_equal(ours, compiled)
    assert len({views.frame.tobytes() for views in many[:8]}) == 8
