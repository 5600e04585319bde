"""Samples of several frames: which frames of a video, a second object, what passes before the object."""

import numpy as np
import pytest
import tensorflow as tf

from helpers.pictures import box_mask, seeds
from osmn.config import ModelConfig
from osmn.data.types import Example, Guide
from osmn.inputs import clips
from osmn.inputs.clips import Clip, Spots
from osmn.inputs.options import Augmentation
from osmn.inputs.samples import RawSample

COUNT, HEIGHT, WIDTH = 4, 48, 64
RED, GREEN, GRAY = (200, 0, 0), (0, 200, 0), (90, 90, 90)
GUIDES = (Guide("0.jpg", "0.png"),)


def painted(mask, color):
    return np.where(mask[..., None], np.uint8(color), np.uint8(GRAY))


# A red box that moves to the right, eight pixels a frame.
MASKS = np.stack([box_mask(HEIGHT, WIDTH, 10 + 8 * t, 16, 22 + 8 * t, 30) for t in range(COUNT)])
GUIDE = box_mask(30, 40, 3, 5, 19, 25)
CLIP = Clip(painted(MASKS[0], RED), MASKS[0], painted(MASKS, RED), MASKS, np.zeros_like(MASKS))
OTHER = RawSample(painted(GUIDE, GREEN), GUIDE, GUIDE, painted(GUIDE, GREEN), GUIDE)


def many(paste, count=60, clip=CLIP):
    """Return what `paste` makes of the clip with so many seeds."""
    clip = Clip(*map(tf.constant, clip))
    compiled = tf.function(lambda seed: paste(clip, OTHER, seed))
    return [Clip(*map(np.asarray, compiled(seed))) for seed in seeds(count)]


def reds(frames):
    return (frames[..., 0] > 150) & (frames[..., 1] < 50)


def greens(frames):
    return (frames[..., 1] > 150) & (frames[..., 0] < 50)


# -- Drawing ----------------------------------------------------------------------------------------------------------


def test_a_picture_is_drawn_where_its_spots_say_turned_and_scaled():
    picture = np.zeros((2, 4, 1), np.float32)
    picture[0, 0] = 8.0
    spots = Spots(tf.constant([[3.5, 2.5], [5.0, 4.0]]), tf.constant([1.0, 1.0]), tf.constant([0.0, np.pi]))
    frames = clips.drawn(tf.constant(picture), spots, (10, 8)).numpy()[..., 0]
    # The middle of the picture, between its pixels, is on the spot; half a turn brings the first corner to the last.
    assert np.argwhere(frames[0] > 7.9).tolist() == [[2, 2]]
    peak = frames[1].sum(), (frames[1] * np.arange(10)).sum() / 8, (frames[1] * np.arange(8)[:, None]).sum() / 8
    np.testing.assert_allclose(peak, (8, 6.5, 4.5), atol=1e-3)
    doubled = clips.drawn(
        tf.ones((3, 3, 1)), Spots(tf.constant([[5.0, 4.0]]), tf.constant([2.0]), tf.zeros(1)), (12, 9)
    )
    assert float(tf.reduce_sum(doubled)) == pytest.approx(36, abs=0.01)  # Six by six.


def test_pixels_beside_a_cutout_stay_what_they_are():
    picture = clips.cutout(tf.constant(painted(GUIDE, GREEN)), tf.constant(GUIDE))
    frames = tf.cast(CLIP.frames, tf.float32)
    spots = Spots(tf.constant([[30.0, 20.0]] * COUNT), tf.ones(COUNT), tf.zeros(COUNT))
    drawn, place = (x.numpy() for x in clips.over(frames, picture, spots, tf.constant([WIDTH, HEIGHT])))
    np.testing.assert_array_equal(drawn[place == 0], CLIP.frames[place == 0])
    assert (drawn[place == 1] == GREEN).all() and (place == 1).any()


# -- Which frames of a video ------------------------------------------------------------------------------------------


def example(number, object_id=1, previous=None):
    return Example(GUIDES, previous or f"{number - 1}.png", f"{number}.jpg", f"{number}.png", object_id)


def test_a_chain_ends_where_the_next_previous_mask_is_another_or_the_object_is():
    examples = [example(1), example(2), example(4), example(5), example(6), example(1, 2), example(2, 2)]
    expected = [[0, 2], [0, 2], [2, 5], [2, 5], [2, 5], [5, 7], [5, 7]]
    np.testing.assert_array_equal(clips.chains(examples), expected)


def gaps_of(number, chain, longest_gap, count=3):
    """Return the places drawn by many seeds, (seeds, count)."""
    start, ends = tf.constant(number, tf.int64), tf.constant(chain, tf.int64)
    draw = tf.function(lambda seed: clips.places(start, ends, longest_gap, count, seed))
    return np.array([draw(seed).numpy() for seed in seeds(400)])


def test_frames_are_up_to_the_longest_gap_apart_in_either_direction_of_time():
    steps = np.diff(gaps_of(50, [0, 101], 10))
    assert (steps[:, 0] == steps[:, 1]).all()  # An even pace.
    assert set(steps[:, 0]) == {*range(-10, 0), *range(1, 11)}
    assert np.mean(abs(steps) == 1) == pytest.approx(np.log(2) / np.log(11), abs=0.06)  # As close as in testing.


def test_the_first_frame_is_the_example_and_all_are_of_its_chain():
    found = gaps_of(9, [7, 19], 10)
    assert (found[:, 0] == 9).all() and found.min() >= 7 and found.max() < 19
    assert (abs(np.diff(found)) <= 5).all()  # Of a chain of 12, no more than half of it.


@pytest.mark.parametrize("chain, expected", [([4, 5], {(4, 4, 4)}), ([4, 6], {(4, 5, 4)})])
def test_in_a_short_chain_time_turns_at_the_ends(chain, expected):
    assert set(map(tuple, gaps_of(4, chain, 10).tolist())) == expected


def test_a_clip_is_mirrored_as_a_whole():
    turned = [Clip(*map(np.asarray, clips.mirrored(Clip(*map(tf.constant, CLIP)), seed))) for seed in seeds(20)]
    flips = [not np.array_equal(each.masks, MASKS) for each in turned]
    assert 3 < sum(flips) < 17
    for each, flipped in zip(turned, flips, strict=True):
        np.testing.assert_array_equal(each.frames[reds(each.frames)], np.broadcast_to(RED, (MASKS.sum(), 3)))
        np.testing.assert_array_equal(reds(each.frames), each.masks)
        np.testing.assert_array_equal(each.masks, MASKS[:, :, ::-1] if flipped else MASKS)
        np.testing.assert_array_equal(each.guide_mask, CLIP.guide_mask)


# -- A second object --------------------------------------------------------------------------------------------------


def test_a_second_object_goes_along_and_half_of_the_samples_ask_for_it():
    found = many(clips.with_second_object)
    asked = [np.array_equal(clip.guide_mask, GUIDE) for clip in found]
    assert np.mean(asked) == pytest.approx(0.5, abs=0.15)
    for clip, pasted in zip(found, asked, strict=True):
        target, other = (clip.others, clip.masks) if pasted else (clip.masks, clip.others)
        np.testing.assert_array_equal(target & ~MASKS, False)
        assert not (clip.masks & clip.others).any()
        # But for the soft edges of what is pasted.
        assert reds(clip.frames)[target].mean() > 0.7 and (not other.any() or greens(clip.frames)[other].mean() > 0.6)
    # In the target's box's sides it drifts by less than 0.3 a frame, while the target moves by 0.7.
    moved = [np.diff([np.argwhere(m)[:, 1].mean() for m in c.others]) for c in found if c.others.any((1, 2)).all()]
    assert np.median(moved) == pytest.approx(8, abs=2)


def test_what_passes_hides_the_object_between_the_first_frame_and_the_last():
    found = many(clips.with_occluder)
    seen = np.array([clip.masks.sum((1, 2)) / MASKS.sum((1, 2)) for clip in found])
    lost = seen.min(1) < 0.5  # Of an occluder that is an object, not a box, some may be seen behind.
    assert lost.mean() > 0.8
    where = seen.argmin(1)[lost]
    assert set(where) == {1, 2, 3} and np.mean(where == 3) == pytest.approx(clips.LAST_FRAME_HIDDEN, abs=0.15)
    assert np.mean(seen[:, -1] > 0.5) > 0.6  # There it is to be found again.
    for clip in found:
        np.testing.assert_array_equal(clip.masks & ~MASKS, False)
        assert reds(clip.frames)[clip.masks].mean() > 0.9
        np.testing.assert_array_equal(clip.guide_mask, CLIP.guide_mask)


@pytest.mark.parametrize("paste", [clips.with_second_object, clips.with_occluder])
def test_a_clip_without_its_object_stays_as_it_is(paste):
    empty = CLIP._replace(masks=np.zeros_like(MASKS))
    for clip in many(paste, 5, empty):
        np.testing.assert_array_equal(clip.frames, CLIP.frames)
        assert not clip.masks.any() and not clip.others.any()


@pytest.mark.parametrize("paste", [clips.with_second_object, clips.with_occluder])
def test_an_object_that_is_absent_from_some_frames_may_get_company(paste):
    masks = MASKS.copy()
    masks[1:3] = False
    for clip in many(paste, 10, CLIP._replace(masks=masks)):
        assert clip.frames.shape == CLIP.frames.shape and clip.frames.dtype == np.uint8


# -- The sample -------------------------------------------------------------------------------------------------------


def test_a_sample_asks_for_the_last_frame_and_starts_where_the_object_was_before_the_first():
    others = MASKS[::-1]
    config = ModelConfig(mean_value=(0, 0, 0))
    still = Augmentation(sg_center_perturb_ratio=0.0, sg_std_perturb_ratio=0.0)
    clip = Clip(*map(tf.constant, CLIP._replace(others=others)))
    sample = clips.clip_sample(clip, config, still, seeds(1)[0])
    np.testing.assert_array_equal(sample.label[..., 0], MASKS[-1])
    np.testing.assert_array_equal(sample.image, CLIP.frames[-1][..., ::-1])
    np.testing.assert_array_equal(sample.earlier, CLIP.frames[1:-1][..., ::-1])
    np.testing.assert_array_equal(sample.other[..., 0], others[-2])
    assert np.unravel_index(sample.spatial[..., 0].numpy().argmax(), (HEIGHT, WIDTH)) in [(22, 15), (22, 16), (23, 15)]
    assert [part.shape.rank for part in sample] == [len(shape) for shape in clips.SHAPES]
