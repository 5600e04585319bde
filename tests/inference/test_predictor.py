"""The predictor: objects through frames, in memory, with an engine that can be worked out by hand."""

import doctest

import numpy as np
import pytest

from osmn.inference import predictor as module
from osmn.inference.predictor import Predictor, network_size


class Shift:
    """An engine: an object moves one pixel to the right in every frame; its gamma is its reference frame's red."""

    def __init__(self):
        self.seen = []

    def gammas(self, frame, mask):
        return [np.full((1, 1, 1, 1), frame[..., 0].max(), np.float32)]

    def segment(self, frame, masks, gammas):
        self.seen.append((frame.shape, [float(g) for g in gammas[0].ravel()]))
        moved = np.roll(masks, 1, axis=2)
        return np.where(moved, np.float32(0.9), np.float32(0.1)), moved


def frame(value=0, shape=(32, 64)):
    return np.full((*shape, 3), value, np.uint8)


def square(left, shape=(32, 64)):
    mask = np.zeros(shape, bool)
    mask[8:16, left : left + 8] = True
    return mask


def test_an_object_is_in_the_results_from_the_frame_after_it_is_given_on():
    predictor = Predictor(Shift())
    predictor.start(frame())
    assert predictor.object_ids == ()
    predictor.add_object(1, square(10))
    first = predictor.step(frame())
    assert first.object_ids == predictor.object_ids == (1,)
    np.testing.assert_array_equal(first.masks[0], square(11))
    np.testing.assert_array_equal(predictor.step(frame()).masks[0], square(12))


def test_without_objects_a_frame_has_an_empty_segmentation():
    predictor = Predictor(Shift())
    predictor.start(frame())
    nothing = predictor.step(frame())
    assert nothing.object_ids == () and nothing.masks.shape == nothing.probabilities.shape == (0, 32, 64)
    assert not nothing.labels().any()


def following_two():
    """Return an engine and a predictor that follows objects 1 and 2, at 10 and 40, from a frame of 7."""
    engine = Shift()
    predictor = Predictor(engine)
    predictor.start(frame(7))
    predictor.add_object(1, square(10))
    predictor.add_object(2, square(40))
    return engine, predictor


def test_an_object_may_join_at_any_frame():
    predictor = Predictor(Shift())
    predictor.start(frame())
    predictor.add_object(1, square(10))
    predictor.step(frame())
    predictor.add_object(5, square(30))
    both = predictor.step(frame())
    assert both.object_ids == (1, 5)
    np.testing.assert_array_equal(both.masks, [square(12), square(31)])


def test_a_corrected_object_goes_on_from_its_new_mask_with_a_new_guide_and_keeps_its_place():
    engine, predictor = following_two()
    predictor.step(frame(9))
    predictor.add_object(1, square(20))
    after = predictor.step(frame())
    assert after.object_ids == (1, 2)
    np.testing.assert_array_equal(after.masks, [square(21), square(42)])
    assert [gammas for _, gammas in engine.seen] == [[7, 7], [9, 7]]


def test_a_reference_frame_of_better_quality_makes_the_visual_guide():
    engine = Shift()
    predictor = Predictor(engine)
    predictor.start(frame(7))
    predictor.add_object(1, square(10), frame(200, (64, 128)))
    predictor.step(frame())
    assert engine.seen[0][1] == [200]


def test_frames_are_resized_for_the_network_and_labels_are_of_the_frames_size():
    engine = Shift()
    predictor = Predictor(engine, im_size=(64, 32))
    predictor.start(frame(shape=(64, 128)))
    predictor.add_object(3, square(10).repeat(2, axis=0).repeat(2, axis=1))
    segmentation = predictor.step(frame(shape=(64, 128)))
    assert engine.seen[0][0] == (32, 64, 3)
    np.testing.assert_array_equal(segmentation.masks[0], square(11))
    np.testing.assert_array_equal(segmentation.labels(), 3 * square(11).repeat(2, axis=0).repeat(2, axis=1))
    assert segmentation.labels((64, 32)).shape == (32, 64)


def test_labels_are_those_of_the_largest_probability_above_a_half():
    probabilities = np.float32([[[0.6, 0.4, 0.9]], [[0.7, 0.3, 0.2]]])
    segmentation = module.Segmentation((2, 1), probabilities, probabilities > 0.5, (3, 1))
    np.testing.assert_array_equal(segmentation.labels(), [[1, 0, 2]])


def test_refined_masks_are_returned_and_propagated():
    calls = []

    def refine(frame, mask):
        calls.append((frame.shape, mask.copy()))
        return square(50)

    predictor = Predictor(Shift(), refine=refine)
    predictor.start(frame())
    predictor.add_object(1, square(10))
    np.testing.assert_array_equal(predictor.step(frame()).masks[0], square(50))
    predictor.step(frame())
    np.testing.assert_array_equal([mask for _, mask in calls], [square(11), square(51)])


def test_an_object_that_is_removed_is_followed_no_more_until_it_is_added_again():
    engine, predictor = following_two()
    predictor.remove_object(1)
    predictor.remove_object(9)  # Nobody follows it.
    only = predictor.step(frame(9))
    assert only.object_ids == (2,)
    np.testing.assert_array_equal(only.masks, [square(41)])
    predictor.add_object(1, square(20))
    assert predictor.step(frame()).object_ids == (2, 1)
    assert [gammas for _, gammas in engine.seen] == [[7], [7, 9]]
    for object_id in (1, 2):
        predictor.remove_object(object_id)
    assert predictor.step(frame()).object_ids == ()


def test_another_predictor_goes_on_from_a_state_as_if_it_had_seen_the_frames_before():
    engine = Shift()
    predictor = Predictor(engine)
    predictor.start(frame(7, (24, 36)))
    predictor.add_object(5, square(10, (24, 36)))
    predictor.step(frame(9, (24, 36)))
    predictor.add_object(2, square(20, (24, 36)))
    state = predictor.state()
    expected = predictor.step(frame(shape=(24, 36)))
    predictor.add_object(5, square(0, (24, 36)))  # Does not change the state.
    other = Predictor(engine)
    other.resume(frame(9, (24, 36)), state)
    after = other.step(frame(shape=(24, 36)))
    assert after.object_ids == expected.object_ids == (5, 2)
    np.testing.assert_array_equal(after.masks, expected.masks)
    assert engine.seen[-1] == engine.seen[-2]
    other.resume(frame(), Predictor(engine).state())
    assert other.step(frame()).object_ids == ()


def test_starting_again_forgets_the_objects_and_the_size():
    predictor = Predictor(Shift())
    predictor.start(frame())
    predictor.add_object(1, square(10))
    predictor.start(frame(shape=(16, 16)))
    assert predictor.object_ids == ()
    assert predictor.step(frame(shape=(16, 16))).masks.shape == (0, 16, 16)


def test_propagation_takes_frames_as_they_are_asked_for():
    predictor = Predictor(Shift())
    predictor.start(frame())
    predictor.add_object(1, square(10))
    taken = []

    def frames():
        for number in range(5):
            taken.append(number)
            yield frame()

    results = predictor.propagate(frames())
    next(results)
    assert taken == [0]
    np.testing.assert_array_equal(list(results)[-1].masks[0], square(15))


@pytest.mark.parametrize(
    "wrong", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3), np.float32), np.zeros((0, 4, 3), np.uint8)]
)
def test_what_is_no_frame_is_refused(wrong):
    with pytest.raises(ValueError, match="a frame is uint8"):
        Predictor(Shift()).start(wrong)


def started(shape=(32, 64), **options):
    predictor = Predictor(Shift(), **options)
    predictor.start(frame(shape=shape))
    return predictor


@pytest.mark.parametrize(
    "wrong", [None, "frame.png", [[[1, 2, 3]]], 5, frame(shape=(64, 32)), frame().astype(np.int64)]
)
def test_a_frame_that_is_none_or_of_another_size_in_mid_video_is_refused_and_changes_nothing(wrong):
    _, predictor = following_two()
    for call in (predictor.step, lambda frame: list(predictor.propagate([frame]))):
        with pytest.raises(ValueError, match=r"^a frame is uint8 .*, not |^this frame is 32x64, .* 64x32; start"):
            call(wrong)
    with pytest.raises(ValueError, match=r"frame is|frames are"):
        list(predictor.propagate(wrong))
    np.testing.assert_array_equal(predictor.step(frame()).masks, [square(11), square(41)])


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (square(10) * 0.9, "`probabilities > 0.5`"),
        (np.full((32, 64), np.nan), "`probabilities > 0.5`"),
        (square(10) * 255, "`labels == object_id`"),
        (square(10) * -1, "0 and 1"),
        (np.full((32, 64), "object"), "0 and 1"),
        (square(10)[..., None], r"\(height, width\), not bool \(32, 64, 1\)"),
        (np.zeros((0, 4), bool), r"\(height, width\)"),
        ([[True], [True, False]], r"\(height, width\), not a list"),
        (None, r"\(height, width\), not None"),
        (square(10).T, "a mask of 32x64 is none of a frame of 64x32"),
        (square(10)[:16], "a mask of 64x16 is none"),
    ],
)
def test_a_mask_that_is_none_of_the_frame_is_refused_and_changes_nothing(wrong, message):
    _, predictor = following_two()
    for object_id in (1, 3):
        with pytest.raises(ValueError, match=message):
            predictor.add_object(object_id, wrong)
    np.testing.assert_array_equal(predictor.step(frame()).masks, [square(11), square(41)])


@pytest.mark.parametrize(
    "mask", [square(10), square(10).astype(np.uint8), square(10).astype(np.int64), square(10).tolist()]
)
def test_a_mask_is_bool_or_of_the_integers_0_and_1(mask):
    predictor = started()
    predictor.add_object(1, mask)
    np.testing.assert_array_equal(predictor.step(frame()).masks, [square(11)])


def test_a_mask_has_the_frames_aspect_but_for_rounded_sides_or_the_networks_size():
    predictor = started((48, 85), im_size=(20, 60))
    for height, width in ((60, 20), (96, 170), (61, 108), (48, 85)):
        predictor.add_object(1, np.ones((height, width), bool))


@pytest.mark.parametrize("shape", [(1, 1), (16, 32), (31, 62)])
def test_a_mask_that_is_coarser_than_what_the_network_sees_is_refused(shape):
    predictor = started()
    with pytest.raises(ValueError, match="coarser than the network's frames, 64x32; give it in the frame's size, 64x3"):
        predictor.add_object(1, np.ones(shape, bool))
    predictor = Predictor(Shift(), im_size=(32, 16))
    predictor.start(frame())
    predictor.add_object(1, np.ones((16, 32), bool))  # Nothing is lost.


def test_an_empty_mask_is_no_new_object_but_an_object_that_is_followed_may_be_absent():
    predictor = started()
    with pytest.raises(ValueError, match="the mask of object 2 is empty; a new object must be seen in the frame"):
        predictor.add_object(2, square(0) & False)
    predictor.add_object(1, square(10))
    predictor.add_object(1, square(0) & False)
    assert predictor.object_ids == (1,)


def test_a_masked_array_is_neither_a_mask_nor_a_frame():
    predictor = started()
    with pytest.raises(ValueError, match=r"a mask is bool \(height, width\), not a masked array; give"):
        predictor.add_object(1, np.ma.masked_array(square(10), square(20)))
    with pytest.raises(ValueError, match="not a masked array"):
        predictor.step(np.ma.masked_array(frame()))


def test_propagation_without_objects_is_refused_at_once():
    predictor = started()
    with pytest.raises(ValueError, match=r"no object is followed; add_object\(object_id, mask\) comes first"):
        predictor.propagate([frame()])


def test_arrays_that_go_in_and_out_are_the_callers():
    expected = [segmentation.masks.copy() for segmentation in following_two()[1].propagate([frame()] * 3)]
    engine, predictor = following_two()
    buffer = frame()
    for masks in expected:
        buffer[:] = 0
        segmentation = predictor.step(buffer)
        np.testing.assert_array_equal(segmentation.masks, masks)
        state = predictor.state()
        gammas = [layer for layers in state.gammas.values() for layer in layers]
        for array in (segmentation.masks, segmentation.probabilities, buffer, *gammas, *state.masks.values()):
            array[:] = 1
    assert {tuple(gammas) for _, gammas in engine.seen} == {(7.0, 7.0)}
    kept = predictor.state()
    predictor.resume(frame(), kept)
    kept.gammas[1][0][:] = 99
    predictor.step(frame())
    assert engine.seen[-1][1] == [7.0, 7.0]


def test_the_visual_guide_is_of_the_frame_as_it_was_when_it_was_given():
    engine = Shift()
    predictor = Predictor(engine)
    buffer = frame(50)
    predictor.start(buffer)
    buffer[:] = 200  # The caller reads the next frame into the same array.
    predictor.add_object(1, square(10))
    predictor.step(buffer)
    buffer[:] = 90
    predictor.add_object(2, square(40))
    predictor.step(buffer)
    assert [gammas for _, gammas in engine.seen] == [[50.0], [50.0, 200.0]]


@pytest.mark.parametrize("wrong", [0, 256, 300, -1, 1.5, 1.0, True, "1", [1], np.float32(1)])
def test_an_id_is_a_whole_number_from_1_to_255(wrong):
    predictor = started()
    for call in (lambda: predictor.add_object(wrong, square(10)), lambda: predictor.remove_object(wrong)):
        with pytest.raises(ValueError, match="id is a whole number from 1 to 255, not"):
            call()
    predictor.add_object(np.uint8(255), square(10))
    assert predictor.step(frame()).labels().max() == 255


def test_a_videos_only_object_needs_no_id_and_is_1_in_the_labels():
    predictor = started()
    predictor.add_object(None, square(10))
    np.testing.assert_array_equal(predictor.step(frame()).labels(), square(11))
    with pytest.raises(ValueError, match="give each of several an id"):
        predictor.add_object(2, square(10))


@pytest.mark.parametrize("wrong", [64, (64,), (64.5, 48), (0, 48), (64, 16385), "ab", (None, 1), (True, True), 0])
def test_a_size_is_two_whole_numbers(wrong):
    calls = (
        lambda: Predictor(Shift(), im_size=wrong),
        lambda: Predictor.from_checkpoint("models/osmn_lite", im_size=wrong),
        lambda: started().step(frame()).labels(wrong),
    )
    for call in calls:
        with pytest.raises(
            ValueError, match=r"size is \(width, height\), whole numbers of pixels from 1 to 16384, not"
        ):
            call()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"path": None}, "a model is given by its path, not by None"),
        ({"path": 5}, "by its path"),
        ({"path": b"models/osmn_lite"}, "by its path"),
        ({"given": {"bogus": 1}}, "given has 'bogus', which is none of base_model, "),
        ({"given": [1]}, "given is a dict, not a list"),
        ({"given": "lite"}, "given is a dict"),
        ({"engine": "foo"}, "engine is auto or tensorflow or openvino, not 'foo'"),
        ({"precision": "int4"}, "precision is float32 or bfloat16 or float16 or int8, not 'int4'"),
        ({"precision": 32}, "precision is"),
    ],
)
def test_a_model_that_is_asked_for_in_words_that_mean_nothing_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Predictor.from_checkpoint(**{"path": "models/osmn_lite"} | arguments)


def test_a_state_is_one_of_frames_that_have_this_size_for_the_network():
    predictor = started()
    predictor.add_object(1, square(10))
    state = predictor.state()
    for wrong, image, message in ((None, frame(), "a state is"), (state, frame(shape=(64, 32)), "64x32 .* has 32x64")):
        with pytest.raises(ValueError, match=message):
            predictor.resume(image, wrong)
    np.testing.assert_array_equal(predictor.step(frame()).masks, [square(11)])


def test_a_predictor_that_was_not_started_says_so():
    predictor = Predictor(Shift())
    calls = (lambda: predictor.add_object(1, square(10)), lambda: predictor.step(frame()))
    for call in (*calls, lambda: list(predictor.propagate([frame()]))):
        with pytest.raises(ValueError, match=r"start\(frame\) comes first"):
            call()


def test_two_predictors_share_an_engine_and_nothing_else():
    engine = Shift()
    one, two = Predictor(engine), Predictor(engine)
    for predictor, left in ((one, 10), (two, 30)):
        predictor.start(frame())
        predictor.add_object(1, square(left))
    np.testing.assert_array_equal(one.step(frame()).masks[0], square(11))
    np.testing.assert_array_equal(two.step(frame()).masks[0], square(31))


@pytest.mark.parametrize(
    "frame_size, short_side, expected",
    [
        ((854, 480), 256, (455, 256)),
        ((480, 854), 256, (256, 455)),
        ((1920, 1080), 256, (455, 256)),
        ((640, 480), 256, (341, 256)),
        ((40, 1000), 256, (102, 2560)),
        ((853, 479), None, (853, 479)),
        ((1000, 8), 256, (5724, 46)),
        ((8, 1000), 256, (46, 5724)),
        ((32768, 64), None, (16384, 32)),
        ((960, 40), 360, (3527, 147)),
        ((1024, 256), 256, (1024, 256)),
    ],
)
def test_without_a_size_frames_keep_their_shape_at_the_short_side_of_the_training(frame_size, short_side, expected):
    assert network_size(frame_size, short_side) == expected


def test_the_example_in_the_docstring_runs(monkeypatch):
    monkeypatch.setattr(Predictor, "from_checkpoint", classmethod(lambda cls, path: cls(Shift())))
    corrected = []
    names = {
        "model_path": "models/osmn_lite",
        "video": [frame(), frame(), frame()],
        "first_mask": square(10),
        "lost": lambda labels: not corrected and not labels[:, 40:].any(),
        "repainted": lambda labels: corrected.append(labels) or square(40),
    }
    example = doctest.DocTestParser().get_doctest(Predictor.__doc__, names, "Predictor", None, 0)
    assert len(example.examples) >= 6
    runner = doctest.DocTestRunner()
    runner.run(example, clear_globs=False)
    assert runner.summarize(verbose=False).failed == 0
    np.testing.assert_array_equal(example.globs["labels"] > 0, square(41))
    assert len(corrected) == 1


def test_objects_of_a_middle_frame_are_followed_to_both_ends():
    predictor = Predictor(Shift())
    found = predictor.propagate_both_ways([frame()] * 5, 2, {1: square(20)})
    lefts = [(number, int(part.masks[0].any(0).argmax())) for number, part in found]
    assert lefts == [(3, 21), (4, 22), (1, 21), (0, 22)]
    with pytest.raises(ValueError, match="no frame 5 among 5"):
        next(predictor.propagate_both_ways([frame()] * 5, 5, {1: square(20)}))
    with pytest.raises(ValueError, match="are a list"):
        next(predictor.propagate_both_ways(iter([frame()] * 5), 2, {1: square(20)}))
