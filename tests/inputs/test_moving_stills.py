"""Short videos out of stills."""

import numpy as np
import pytest
import tensorflow as tf

from helpers.pictures import box_mask, seeds
from osmn.inputs import moving_stills
from osmn.inputs.moving_stills import filled, moving_still

HEIGHT, WIDTH = 60, 80
SIZE = (WIDTH, HEIGHT)
RED, BLUE, GRAY = (210, 0, 0), (0, 0, 210), (120, 120, 120)
MASK = box_mask(HEIGHT, WIDTH, 30, 20, 54, 44)
STILL = np.where(MASK[..., None], np.uint8(RED), np.uint8(GRAY))
COUNT = 4


def made(count=COUNT, number=40, mask=MASK):
    """Return the frames and masks of so many videos of the still, before its own ground or a blue one."""
    backdrop = tf.constant(np.full((30, 40, 3), BLUE, np.uint8))
    compiled = tf.function(
        lambda seed: moving_still(tf.constant(STILL), tf.constant(mask), lambda: backdrop, SIZE, count, seed)
    )
    return [tuple(x.numpy() for x in compiled(seed)) for seed in seeds(number)]


@pytest.fixture(scope="module")
def videos():
    return made()


def reds(frames):
    frames = frames.astype(int)
    return frames[..., 0] - frames[..., 1:].max(-1) > 90


def test_the_masks_are_exactly_where_the_object_is(videos):
    for frames, masks in videos:
        assert frames.shape == (COUNT, HEIGHT, WIDTH, 3) and frames.dtype == np.uint8
        assert (reds(frames) == masks).mean() > 0.99  # But for its soft edges.


def test_the_object_moves_turns_and_changes_its_size(videos):
    present = [masks for _, masks in videos if masks.any((1, 2)).all()]
    assert len(present) > 20
    centers = np.array([[np.argwhere(mask).mean(0) for mask in masks] for masks in present])
    ways = np.linalg.norm(np.diff(centers, axis=1), axis=-1)
    assert np.quantile(ways, 0.1) < 2 and np.quantile(ways, 0.9) > 6  # Mostly a little, sometimes by half its size.
    areas = np.array([masks.sum((1, 2)) for masks in present])
    assert areas.min() < 0.3 * MASK.sum() and areas.max() > MASK.sum()
    assert np.mean(areas.max(1) / areas.min(1) > 1.2) > 0.3


def test_half_of_the_videos_have_the_stills_own_ground(videos):
    blue = [(frames[..., 2] > frames[..., 0].astype(int) + 100).mean() > 0.3 for frames, _ in videos]
    assert np.mean(blue) == pytest.approx(0.5, abs=0.2)


def test_some_objects_leave_between_the_first_frame_and_the_last_and_come_back(videos):
    shown = np.array([masks.any((1, 2)) for _, masks in videos])
    assert shown[:, 0].all() and shown[:, -1].all()
    left = ~shown[:, 1:-1].any(1)
    assert left.any() and left.mean() == pytest.approx(moving_stills.LEAVES, abs=0.12)


def test_light_changes_from_video_to_video_and_from_frame_to_frame(videos):
    levels = np.array(
        [
            [frame[mask].mean() for frame, mask in zip(*video, strict=True)]
            for video in videos
            if video[1].any((1, 2)).all()
        ]
    )
    assert levels[:, 0].std() > 2 and (levels.std(1) > 1).mean() > 0.3


def test_a_video_is_a_function_of_its_seed():
    for ours, theirs in zip(made(number=3), made(number=3), strict=True):
        for a, b in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(a, b)


def test_two_frames_are_enough_and_a_still_without_object_has_none():
    for frames, masks in made(count=2, number=3, mask=np.zeros_like(MASK)):
        assert frames.shape[0] == 2 and not masks.any()


def test_an_object_is_filled_with_what_is_around_it():
    frame = np.where(np.arange(WIDTH) < 40, np.uint8(0), np.uint8(200))[None, :, None] + np.zeros(
        (HEIGHT, 1, 3), np.uint8
    )
    frame[MASK] = RED
    ground = filled(tf.constant(frame), tf.constant(MASK)).numpy()
    away = box_mask(HEIGHT, WIDTH, 25, 15, 59, 49)
    np.testing.assert_array_equal(ground[~away], frame[~away])
    assert (ground[..., 0] == ground[..., 1]).all()  # Nothing red is left.
    assert ground[32, 31].mean() < 60 and ground[32, 52].mean() > 140


def test_a_still_that_is_all_object_has_some_ground():
    ground = filled(tf.constant(STILL), tf.ones((HEIGHT, WIDTH), tf.bool)).numpy()
    assert ground.shape == STILL.shape
