"""Target models: what tells an object from the rest of its reference frame; `--target_model`."""

import numpy as np
import pytest
from PIL import Image

import osmn_app
import osmn_live
from helpers.dataset_options import (
    check_is_off_and_keeps_results_apart,
    check_ones_own_video_keeps_results_apart,
    options_of,
)
from helpers.own_videos import mask as mask_file
from helpers.own_videos import segment
from helpers.squares import colored, near
from helpers.squares import square as any_square
from helpers.stand_ins import Follower, SeeingFollower, stand_in
from osmn.errors import InputError
from osmn.inference import target
from osmn.inference.options import SegmentingOptions
from osmn.inference.predictor import Predictor
from osmn.inference.segmenting import start_predictor
from osmn.inference.stills import Shot, catch_up
from osmn.inference.window import Box
from osmn.masks import Size

SHAPE = (64, 96)


def square(left, top, side=16, shape=SHAPE):
    return any_square(left, top, side, shape)


def frame(shape=SHAPE, **places):
    """Return a gray frame with colored squares; an argument is a color's name and its place."""
    return colored({color: square(*place, shape=shape) for color, place in places.items()}, shape)


class Near:
    """An engine that segments what is not gray where the last mask or a pixel beside it is; features are colors."""

    follows_weights = False

    def __init__(self):
        self.seen = []

    def gammas(self, frame, mask):
        return [np.ones((1, 1, 1, 1), np.float32)]

    def segment(self, frame, masks, gammas):
        return near(frame, masks)

    def appearance(self, frame):
        self.seen.append(frame.shape[:2])
        return tuple(
            np.asarray(Image.fromarray(frame).reduce(factor), np.float32).transpose(2, 0, 1) for factor in (8, 16)
        )


def following(engine=None, window=False, **places):
    predictor = Predictor(engine or Near(), window=window, target_model=True)
    predictor.start(frame(**places))
    for number, place in enumerate(places.values(), 1):
        predictor.add_object(number, square(*place))
    return predictor


def features(*arguments, **places):
    return target.features_of(Near(), frame(**places), *arguments)


def test_scores_are_high_on_the_object_and_low_elsewhere_wherever_it_is():
    model = target.fitted(features(red=(16, 16), blue=(64, 16)), square(16, 16))
    scores = features(red=(64, 40), blue=(0, 0)).scores(model)
    assert scores.shape == (8, 12)
    is_red = square(64, 40)[::8, ::8]
    assert scores[is_red].min() > 0.5 and scores[~is_red].max() < 0


def test_an_object_that_was_hidden_is_found_far_from_where_it_was_and_followed():
    predictor = following(red=(16, 16))
    assert not predictor.step(frame()).masks.any()
    found = predictor.step(frame(red=(64, 40), blue=(0, 0))).masks[0]
    for place in ((65, 40), (66, 40)):
        assert found.sum() > 150 and not (found & ~square(place[0] - 1, 40)).any()
        found = predictor.step(frame(red=place)).masks[0]


def test_what_does_not_look_like_the_object_is_not_taken_up():
    predictor = following(red=(16, 16))
    predictor.step(frame())
    assert not predictor.step(frame(blue=(64, 40))).masks.any()
    assert not predictor.step(frame()).masks.any()


def test_of_two_objects_that_touch_each_keeps_its_own():
    predictor = following(red=(16, 16), blue=(48, 16))
    labels = predictor.step(frame(red=(17, 16), blue=(33, 16))).labels()
    assert set(np.unique(labels[square(17, 16)])) == {1}
    assert 1 not in labels[square(33, 16)]


def test_without_a_target_model_it_stays_lost():
    predictor = Predictor(Near())
    predictor.start(frame(red=(16, 16)))
    predictor.add_object(1, square(16, 16))
    predictor.step(frame())
    assert not predictor.step(frame(red=(64, 40))).masks.any()


def test_it_is_fitted_anew_in_every_16th_frame_to_a_mask_that_lives():
    first = model = target.fitted(features(red=(16, 16)), square(16, 16))
    now = features(dark_red=(16, 16))
    for age in range(1, 2 * target.EVERY):
        model = target.followed(model, now, square(16, 16), 256)
        assert (model.weights is first.weights) == (age < target.EVERY), age
    assert now.scores(model)[2, 2] > now.scores(first)[2, 2]
    before = model
    model = target.followed(model, now, square(16, 16, 2), 256)
    assert model.age == 2 * target.EVERY and model.weights is before.weights  # The mask has died.


def test_the_reference_frame_counts_for_half_however_long_ago_it_was():
    first = model = target.fitted(features(red=(16, 16)), square(16, 16))
    now = features(blue=(16, 16))
    for _ in range(100 * target.EVERY):
        model = target.followed(model, now, square(16, 16), 256)
    reference = features(red=(16, 16))
    assert reference.scores(model)[2, 2] > 0.3 and now.scores(model)[2, 2] > 0.3 > now.scores(first)[2, 2]


@pytest.mark.parametrize("mask", [np.zeros(SHAPE, bool), np.ones(SHAPE, bool)], ids=["empty", "whole frame"])
def test_a_mask_that_tells_nothing_has_no_target_model(mask):
    assert target.fitted(features(red=(16, 16)), mask) is None
    predictors = [Predictor(Near(), target_model=on) for on in (True, False)]
    for predictor in predictors:
        predictor.start(frame(red=(16, 16)))
        predictor.follow(1, mask)
    ours, without = (predictor.step(frame(red=(17, 16))) for predictor in predictors)
    np.testing.assert_array_equal(ours.probabilities, without.probabilities)


def test_a_resumed_predictor_goes_on_as_the_one_whose_state_it_has():
    frames = [frame(red=(16 + number, 16), blue=(64, 40)) for number in range(2 * target.EVERY + 2)]
    whole = following(red=(16, 16))
    wanted = [whole.step(each).probabilities for each in frames[1:]]
    for stop in (3, target.EVERY, target.EVERY + 1):
        first = following(red=(16, 16))
        for each in frames[1 : stop + 1]:
            first.step(each)
        second = Predictor(Near(), target_model=True)
        second.resume(frames[stop], first.state())
        first.step(frames[0])  # A state does not change when the predictor goes on.
        found = [second.step(each).probabilities for each in frames[stop + 1 :]]
        np.testing.assert_array_equal(found, wanted[stop:])


def test_an_object_that_joins_late_brings_its_target_model():
    predictor = following(red=(16, 16))
    for number in range(3):
        predictor.step(frame(red=(17 + number, 16), blue=(64, 40)))
    pictures = [frame(red=(17 + number, 16), blue=(64, 40)) for number in range(3)]
    shots = [Shot(number, each, each, 0.0, None) for number, each in enumerate(pictures)]
    catch_up(predictor, {2: square(64, 40)}, frame(red=(16, 16), blue=(64, 40)), shots, shots[-1])
    ages = {number: model.age for number, model in predictor.state().targets.items()}
    assert ages == {1: 3, 2: 3}
    predictor.remove_object(2)
    assert list(predictor.state().targets) == [1]


def test_a_window_has_the_whole_frames_scores_and_minus_one_outside():
    shape = (360, 640)
    engine, image = Near(), frame(shape, red=(320, 160))
    model = target.fitted(target.features_of(engine, image), square(320, 160, shape=shape))
    whole = target.features_of(engine, image).scores(model)
    part = target.features_of(engine, image, Box(320, 160, 336, 176))
    assert engine.seen == [shape, shape, (192, 192)]
    found, (rows, columns) = part.scores(model), part.places
    np.testing.assert_allclose(found[part.places][4:-4, 4:-4], whole[part.places][4:-4, 4:-4], atol=1e-3)
    assert rows.stop - rows.start == columns.stop - columns.start == 24
    found[part.places] = -1
    assert (found == -1).all()


@pytest.mark.parametrize("size", [(640, 360), (854, 480), (569, 320), (7, 5), (300, 1200)])
def test_places_are_whole_at_any_size_and_windows_begin_with_one(size):
    engine = Near()
    for box in (None, Box(0, 0, *size), Box(size[0] // 2, size[1] // 2, size[0] // 2 + 1, size[1])):
        found = target.features_of(engine, np.zeros((size[1], size[0], 3), np.uint8), box)
        height, width = engine.seen[-1]
        assert height % target.STRIDE == width % target.STRIDE == 0
        assert [part.stop - part.start for part in found.places] == [height // target.STRIDE, width // target.STRIDE]
        for part, most in zip(found.places, found.size.shape, strict=True):
            assert part.start >= 0 and part.stop <= most
        assert min(found.size) * target.STRIDE <= max(target.SIDE, target.STRIDE)
    assert found.cover(np.ones((size[1], size[0]), bool)).min() == 1


@pytest.mark.parametrize("window", [True, False])
def test_with_windows_objects_are_seen_in_one_while_all_of_them_live(window):
    engine, shape = Near(), (360, 640)
    predictor = Predictor(engine, window=window, target_model=True)
    predictor.start(frame(shape, red=(96, 96), blue=(160, 96)))
    for number, left in enumerate((96, 160), 1):
        predictor.add_object(number, square(left, 96, shape=shape))
    engine.seen.clear()
    predictor.step(frame(shape, red=(97, 96), blue=(161, 96)))
    predictor.step(frame(shape, red=(98, 96)))
    assert engine.seen == [(192, 192) if window else shape, shape]


def test_masks_that_are_refined_are_what_is_learnt():
    predictor = Predictor(Near(), refine=lambda image, mask: np.zeros_like(mask), target_model=True)
    predictor.start(frame(red=(16, 16)))
    predictor.add_object(1, square(16, 16))
    first = predictor.state().targets[1]
    for _ in range(target.EVERY):
        assert not predictor.step(frame(red=(16, 16))).masks.any()
    assert predictor.state().targets[1].weights is first.weights


def test_it_is_refused_where_there_are_no_features():
    class Without:
        has_appearance, only_size = False, None

    with pytest.raises(InputError, match="target_model: this model has no features of whole frames"):
        start_predictor(Without, SegmentingOptions("r", (640, 360), target_model=True))


def test_a_dataset_has_them_where_they_are_asked_for_and_its_results_are_not_mixed(
    monkeypatch, davis, tmp_path, capsys
):
    stand_in(monkeypatch, SeeingFollower)
    check_is_off_and_keeps_results_apart("target_model", davis, tmp_path / "out", capsys)


def test_ones_own_video_has_them_unless_they_are_turned_off(monkeypatch, clip, tmp_path, capsys):
    stand_in(monkeypatch, SeeingFollower)
    check_ones_own_video_keeps_results_apart("target_model", True, clip, tmp_path, capsys)
    assert osmn_app.parse([]).target_model and not osmn_app.parse(["--no_target_model"]).target_model
    assert osmn_live.parse(["0", "--box", "1", "1", "9", "9"]).target_model


def test_a_model_without_features_segments_ones_own_video_without_them(monkeypatch, clip, tmp_path):
    stand_in(monkeypatch, Follower)
    segment(clip, tmp_path / "out", "--mask", mask_file(tmp_path / "first.png", {1: (20, 12, 44, 36)}))
    assert "target_model" not in options_of(tmp_path / "out")


@pytest.mark.parametrize("offset", [-1e6, -1e3, 0, 1e3, 1e6])
@pytest.mark.parametrize("probability", [0, 0.5, 1])
def test_scores_of_any_size_give_probabilities(offset, probability):
    class Unsure(Near):
        def segment(self, frame, masks, gammas):
            return np.full(masks.shape, probability, np.float32), np.zeros(masks.shape, bool)

    image, here = frame(red=(16, 16)), square(16, 16)
    found = target.features_of(Near(), image)
    model = target.fitted(found, here)._replace(offset=offset)
    engine = Unsure()
    with np.errstate(all="raise"):
        segmented = engine.segment(image, here[None], None)
        probabilities, _ = target.with_scores(engine, image, found, segmented, [(model, None, 256)])
    assert ((probabilities >= 0) & (probabilities <= 1)).all()
    assert (probabilities == probability).all() or probability == 0.5


def test_probabilities_in_a_window_are_those_of_the_whole_frame_and_0_outside():
    shape = (360, 640)
    engine, image, here = Near(), frame(shape, red=(320, 160)), square(320, 160, shape=shape)
    segmented = np.full((1, *shape), 0.4, np.float32), here[None]
    whole, part = (target.features_of(engine, image, *box) for box in ((), (Box(320, 160, 336, 176),)))
    known = [(target.fitted(whole, here), None, 256)]
    wanted, found = (target.with_scores(engine, image, seen, segmented, known)[0][0] for seen in (whole, part))
    left, top, width, height = part.window_in(Size(640, 360))
    assert (width, height) == (224, 224) and wanted[here].max() > 0.5
    inner = np.s_[top + 64 : top + height - 64, left + 64 : left + width - 64]
    np.testing.assert_allclose(found[inner], wanted[inner], atol=1e-3)
    outside = np.ones(shape, bool)
    outside[top : top + height, left : left + width] = False
    assert not found[outside].any()


def test_the_size_of_a_mask_does_not_matter():
    found = features(red=(16, 16))
    small = np.asarray(Image.fromarray(square(16, 16)).resize((48, 32), Image.Resampling.NEAREST))
    np.testing.assert_allclose(found.cover(small), found.cover(square(16, 16)), atol=1e-6)
    assert found.size == Size(12, 8)
