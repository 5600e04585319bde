"""A look-alike: the object of a clip in other colors, elsewhere in the frame."""

import numpy as np
import pytest
import tensorflow as tf

from helpers.pictures import box_mask, seeds
from osmn.inputs import look_alikes
from osmn.inputs.clips import Clip

COUNT, HEIGHT, WIDTH = 4, 60, 90
RED, GRAY = (200, 0, 0), (90, 90, 90)


def painted(mask, color):
    return np.where(mask[..., None], np.uint8(color), np.uint8(GRAY))


# A red box, 12x10 pixels, that moves to the right, three pixels a frame; it is wider in its left half's rows.
MASKS = np.stack([box_mask(HEIGHT, WIDTH, 30 + 3 * t, 26, 42 + 3 * t, 36) for t in range(COUNT)])
MASKS[:, 26:30, :] &= np.arange(WIDTH) < 40  # A notch at the right: the box is not its mirror image.
GUIDE = box_mask(30, 40, 3, 5, 19, 25)
CLIP = Clip(painted(GUIDE, RED), GUIDE, painted(MASKS, RED), MASKS, np.zeros_like(MASKS))


@pytest.fixture(scope="module")
def many():
    """Return clips with a look-alike, of many seeds."""
    clip = Clip(*map(tf.constant, CLIP))
    compiled = tf.function(lambda seed: look_alikes.with_look_alike(clip, seed))
    return [Clip(*map(np.asarray, compiled(seed))) for seed in seeds(60)]


def asks_for_the_look_alike(clip):
    return not np.array_equal(clip.guide_frame, CLIP.guide_frame)


def split(clip):
    """Return where the object is and where its look-alike is."""
    return (clip.others, clip.masks) if asks_for_the_look_alike(clip) else (clip.masks, clip.others)


def test_the_object_stays_what_it_is_and_the_look_alike_has_one_other_color(many):
    for clip in many:
        target, copy = split(clip)
        np.testing.assert_array_equal(target, MASKS)
        np.testing.assert_array_equal(clip.frames[target], np.broadcast_to(RED, (MASKS.sum(), 3)))
        assert not (target & copy).any()
        if copy.sum() > MASKS.sum() / 2:  # Of less, most is soft edges.
            colors = np.median(clip.frames[copy], axis=0)
            # A sixth of a turn or more from red, so green or blue is at least as strong.
            assert max(colors[1:]) >= colors[0] - 2
            assert (np.abs(clip.frames[copy] - colors).max(-1) < 3).mean() > 0.7


def test_half_of_the_samples_ask_for_the_look_alike_by_a_guide_of_its_color(many):
    asked = [clip for clip in many if asks_for_the_look_alike(clip)]
    assert len(asked) / len(many) == pytest.approx(0.45, abs=0.15)  # Fewer: some look-alikes are out of the frame.
    for clip in asked:
        np.testing.assert_array_equal(clip.guide_frame[~GUIDE], CLIP.guide_frame[~GUIDE])
        if clip.masks[-1].sum() > 0.8 * MASKS[-1].sum():  # Of less, most is soft edges.
            color = np.median(clip.frames[-1][clip.masks[-1]], axis=0)
            np.testing.assert_allclose(np.median(clip.guide_frame[GUIDE], axis=0), color, atol=2)


def test_the_look_alike_is_beside_the_object_moves_along_and_is_of_its_size(many):
    centers = np.array([[np.argwhere(mask).mean(0) for mask in MASKS]])[0]
    for clip in many:
        copy = split(clip)[1]
        whole = copy.sum((1, 2)) == MASKS.sum((1, 2))
        if not whole.all():
            continue  # Partly out of the frame or behind the object.
        places = np.array([np.argwhere(mask).mean(0) for mask in copy])
        away = np.abs(places - centers)[-1] / (10, 12)
        assert away.max() > 0.9
        drift = np.diff(places - centers, axis=0)
        assert np.abs(drift).max() <= 0.3 * 12 + 1


def test_half_of_the_look_alikes_are_mirrored(many):
    mirrored = []
    for clip in many:
        copy = split(clip)[1][-1]
        if copy.sum() != MASKS[-1].sum():
            continue
        rows, columns = np.nonzero(copy)
        box = copy[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
        mirrored.append(bool(box[0, -1]))
    assert len(mirrored) > 20 and np.mean(mirrored) == pytest.approx(0.5, abs=0.25)


def test_gray_objects_differ_from_their_look_alikes_in_brightness():
    gray = tf.constant(np.full((4, 4, 3), 120, np.uint8))
    found = np.array([look_alikes.recolored(gray, seed).numpy().mean() for seed in seeds(20)])
    assert (np.abs(np.log(found / 120)) > 0.19).all() and (found > 120).any() and (found < 120).any()


def test_a_clip_without_its_object_stays_as_it_is():
    empty = CLIP._replace(masks=np.zeros_like(MASKS), frames=painted(np.zeros_like(MASKS), RED))
    for seed in seeds(3):
        clip = look_alikes.with_look_alike(Clip(*map(tf.constant, empty)), seed)
        for field, expected in zip(clip, empty, strict=True):
            np.testing.assert_array_equal(field, expected)


def test_a_look_alike_of_an_object_that_is_absent_from_a_frame_is_absent_there_too():
    masks = MASKS.copy()
    masks[1] = False
    for seed in seeds(5):
        clip = look_alikes.with_look_alike(Clip(*map(tf.constant, CLIP._replace(masks=masks))), seed)
        assert not clip.masks[1].numpy().any() and not clip.others[1].numpy().any()
