"""Windows around the objects in place of the whole frame: `--window`."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import osmn_app
import osmn_live
from helpers.dataset_options import check_is_off_and_keeps_results_apart, options_of
from helpers.own_videos import mask, segment
from osmn.errors import InputError
from osmn.inference import window
from osmn.inference.options import SegmentingOptions
from osmn.inference.predictor import Predictor
from osmn.inference.segmenting import start_predictor
from osmn.inference.window import Box, groups_of, segment_in_windows, window_of

FRAME = (640, 360)
SIDES = (192, 256, 384, 512, 768, 1024, 1536, 2048)
GREY, RED, BLUE = (100, 100, 100), (250, 0, 0), (0, 0, 250)


def square(left, top, side=24, size=FRAME):
    found = np.zeros(size[::-1], bool)
    found[top : top + side, left : left + side] = True
    return found


def frame(*places, color=RED, size=FRAME):
    """Return a gray frame with squares at places."""
    image = np.full((*size[::-1], 3), GREY, np.uint8)
    for place in places:
        image[square(*place, size=size)] = color
    return image


class ByColor:
    """An engine that segments what has an object's color, its gamma, anywhere in the image that it sees."""

    follows_weights = False

    def __init__(self):
        self.seen = []  # (objects, width, height) of each call
        self.noticed = lambda masks: None

    def gammas(self, frame, mask):
        return [np.float32(frame[mask].mean(0) if mask.any() else np.zeros(3))[None, None, None]]

    def segment(self, frame, masks, gammas):
        assert frame.flags.c_contiguous and masks.flags.c_contiguous and len(gammas[0]) == len(masks)
        self.seen.append((len(masks), frame.shape[1], frame.shape[0]))
        self.noticed(masks)
        near = [np.abs(frame - color[0]).max(-1) < 9 for color in gammas[0]]
        found = np.stack(near)
        return np.where(found, np.float32(0.75), np.float32(0.25)), found


def following(*places, engine=None, **options):
    """Return a predictor by windows that follows a red square at each place, and its engine."""
    engine = engine or ByColor()
    predictor = Predictor(engine, **{"window": True} | options)
    predictor.start(frame(*places))
    for number, place in enumerate(places, 1):
        predictor.add_object(number, square(*place))
    return predictor, engine


sizes = st.tuples(st.integers(1, 2000), st.integers(1, 2000))


@st.composite
def boxes(draw):
    """Draw a frame's size and a box in it."""
    width, height = draw(sizes)
    left, top = draw(st.integers(0, width - 1)), draw(st.integers(0, height - 1))
    return (width, height), Box(left, top, draw(st.integers(left + 1, width)), draw(st.integers(top + 1, height)))


@given(boxes())
def test_a_window_contains_its_box_lies_in_the_frame_and_has_one_of_few_sizes(drawn):
    (width, height), box = drawn
    found = window_of(box, (width, height))
    assert 0 <= found.left <= box.left and box.right <= found.left + found.width <= width
    assert 0 <= found.top <= box.top and box.bottom <= found.top + found.height <= height
    assert found.width in (*SIDES, width) and found.height in (*SIDES, height)
    assert found == (0, 0, width, height) or found.width * found.height <= window.WORTH_IT * width * height


@given(boxes())
def test_a_window_has_room_around_its_box_wherever_the_frame_has(drawn):
    (width, height), box = drawn
    found = window_of(box, (width, height))
    room = window.WIDER * (box.right - box.left + box.bottom - box.top) / 2 / 2 - window.GRID
    assert found.left <= max(0, box.left - room) and found.left + found.width >= min(width, box.right + room)
    assert found.top <= max(0, box.top - room) and found.top + found.height >= min(height, box.bottom + room)


@given(st.lists(boxes().map(lambda drawn: drawn[1]), min_size=1, max_size=5), st.sampled_from([1, 200, 10**6]))
def test_each_object_is_in_one_group_whose_window_contains_it_and_costs_no_more_than_apart(drawn, area):
    masks = np.zeros((len(drawn), 2000, 2000), bool)
    for each, box in zip(masks, drawn, strict=True):
        each[box.top : box.bottom, box.left : box.right] = True
    groups = groups_of(masks, [area] * len(drawn))
    assert sorted(number for group in groups for number in group.numbers) == list(range(len(drawn)))
    apart = 0
    for number, (each, box) in enumerate(zip(masks, drawn, strict=True)):
        (group,) = [group for group in groups if number in group.numbers]
        found, lost = group.window((2000, 2000)), each.sum() < window.DEAD * area
        assert found == (0, 0, 2000, 2000) or not lost
        assert found.left <= box.left and found.top <= box.top
        assert found.left + found.width >= box.right and found.top + found.height >= box.bottom
        apart += window.Group((number,), None if lost else box).cost((2000, 2000))
    assert sum(group.cost((2000, 2000)) for group in groups) <= apart


def test_a_small_object_that_moves_is_followed_by_windows_of_one_size_and_its_mask_is_put_back():
    predictor, engine = following((20, 30))
    for number in range(1, 20):
        place = (20 + 30 * number, 30 + 16 * number)
        found = predictor.step(frame(place))
        np.testing.assert_array_equal(found.masks[0], square(*place))
        assert (found.probabilities[0][square(*place)] == 0.75).all()
    assert set(engine.seen) == {(1, 192, 192)} and len(engine.seen) == 19


def test_outside_of_the_window_is_background():
    predictor, _ = following((20, 30))
    found = predictor.step(frame((24, 30), (500, 300)))  # Another of its color, far away.
    np.testing.assert_array_equal(found.masks[0], square(24, 30))
    assert (found.probabilities[0][square(500, 300)] == 0).all()
    assert following((20, 30), window=False)[0].step(frame((24, 30), (500, 300))).masks[0][square(500, 300)].all()


def test_an_object_that_is_lost_is_looked_for_in_the_whole_frame():
    predictor, engine = following((20, 30))
    assert not predictor.step(frame()).masks.any()  # It is hidden.
    np.testing.assert_array_equal(predictor.step(frame((500, 300))).masks[0], square(500, 300))
    predictor.step(frame((500, 300)))
    assert engine.seen == [(1, 192, 192), (1, *FRAME), (1, *FRAME), (1, 192, 192)]


def test_an_object_that_has_left_its_window_is_found_in_the_same_frame_by_the_mask_before():
    predictor, engine = following((20, 30))
    masks = []
    engine.noticed = lambda given: masks.append(given.sum())
    np.testing.assert_array_equal(predictor.step(frame((500, 300))).masks[0], square(500, 300))
    assert engine.seen == [(1, 192, 192), (1, *FRAME)] and masks == [24 * 24] * 2


@pytest.mark.parametrize(("place", "calls"), [((20, 30, 161), 1), ((20, 30, 162), 2), ((0, 0, 30), 1)])
def test_an_object_that_is_cut_by_an_edge_of_its_window_is_seen_whole(place, calls):
    predictor, engine = following((20, 30))
    assert window_of(Box.of(square(20, 30)), FRAME) == (0, 0, 192, 192)
    found = predictor.step(frame(place))
    np.testing.assert_array_equal(found.masks[0], square(*place))
    assert len(engine.seen) == calls


def test_an_object_of_whose_mask_a_speck_is_left_is_looked_for_too():
    predictor, engine = following((20, 30))
    predictor.step(frame((20, 30, 5)))  # Of 576 pixels 25.
    predictor.step(frame((20, 30)))
    assert engine.seen == [(1, 192, 192), (1, *FRAME), (1, *FRAME)]


class Spy(ByColor):
    """Notes what it is given."""

    def segment(self, *given):
        self.given = given
        return super().segment(*given)


@pytest.mark.parametrize("places", [[(20, 30, 300)], [(20, 30, 300), (300, 20, 330)], [(8, 8, 0)]])
def test_where_the_window_is_the_whole_frame_the_engine_gets_what_it_gets_without_windows(places):
    masks = np.stack([square(*place) for place in places])
    image, gammas = frame(*places), [np.ones((len(masks), 1, 1, 3), np.float32)]
    engine = Spy()
    segment_in_windows(engine, image, masks, gammas, [9] * len(masks))
    assert engine.given[0] is image and engine.given[1] is masks and engine.given[2] is gammas


def test_objects_that_are_near_share_a_window_and_others_have_their_own():
    predictor, engine = following((20, 30), (60, 40), (560, 300))
    found = predictor.step(frame((22, 30), (62, 40), (558, 300)))
    assert sorted(engine.seen) == [(1, 192, 192), (2, 192, 192)]
    # Each sees what has its color in its window.
    np.testing.assert_array_equal(found.masks[0], square(22, 30) | square(62, 40))
    np.testing.assert_array_equal(found.masks[2], square(558, 300))


def test_a_lost_object_has_the_whole_frame_and_the_others_their_windows():
    predictor, engine = following((20, 30))
    image = frame((20, 30))
    image[square(400, 200)] = BLUE
    predictor.start(image)
    predictor.add_object(1, square(20, 30))
    predictor.add_object(2, square(400, 200))
    predictor.step(frame((20, 30)))
    engine.seen.clear()
    predictor.step(frame((20, 30)))
    assert sorted(engine.seen) == [(1, 192, 192), (1, 640, 360)]


def test_a_corrected_object_is_followed_from_where_it_is_put():
    predictor, engine = following((20, 30))
    predictor.step(frame((20, 30), (500, 300)))
    predictor.add_object(1, square(500, 300))
    found = predictor.step(frame((20, 30), (504, 300)))
    np.testing.assert_array_equal(found.masks[0], square(504, 300))
    assert len(engine.seen) == 2


def test_a_resumed_predictor_goes_on_as_the_one_whose_state_it_has():
    places = [(20, 30), (60, 30), (540, 300), (540, 300), (500, 280)]  # It is lost at the third, and found again.
    first, engine = following(places[0])
    for number, place in enumerate(places[1:], 1):
        state, image = first.state(), frame(places[number - 1])
        second = Predictor(ByColor(), window=True)
        second.resume(image, state)
        one, other = first.step(frame(place)), second.step(frame(place))
        np.testing.assert_array_equal(one.probabilities, other.probabilities)
        np.testing.assert_array_equal(one.masks, other.masks)
    assert {seen[1:] for seen in engine.seen} == {(192, 192), FRAME}


def test_the_crf_refines_the_mask_in_the_whole_frame():
    sizes = []

    def refine(image, found):
        sizes.append((image.shape[1::-1], found.shape[::-1]))
        return found

    predictor, engine = following((20, 30), refine=refine)
    predictor.step(frame((24, 30)))
    assert sizes == [(FRAME, FRAME)] and engine.seen == [(1, 192, 192)]


def test_a_search_sees_the_whole_frame():
    class Guided(ByColor):
        """Finds nothing where no object was: in the image that it sees, or near the last mask."""

        def segment(self, frame, masks, gammas):
            _, found = super().segment(frame, masks, gammas)
            found &= masks | np.roll(masks, 8, 2)
            return np.where(found, np.float32(0.75), np.float32(0.25)), found

    predictor, engine = following((20, 30), engine=Guided(), search=True)
    assert not predictor.step(frame()).masks.any()
    np.testing.assert_array_equal(predictor.step(frame((500, 300))).masks[0], square(500, 300))
    predictor.step(frame((500, 300)))
    assert engine.seen[-1] == (1, 192, 192) and set(engine.seen[1:-1]) == {(1, *FRAME), (6, *FRAME)}


def test_windows_are_refused_where_a_network_computes_one_size():
    class Aligned:
        only_size = None

        class config:
            aligned_size, im_size = (480, 480), None

    with pytest.raises(InputError, match="window: this model has a single size of images, 480x480"):
        start_predictor(Aligned, SegmentingOptions("r", (640, 360), window=True))


def test_a_dataset_has_windows_where_they_are_asked_for_and_its_results_are_not_mixed(
    follower, davis, tmp_path, capsys
):
    check_is_off_and_keeps_results_apart("window", davis, tmp_path / "out", capsys)


def test_ones_own_video_has_windows_unless_they_are_turned_off(follower, clip, tmp_path, capsys):
    first = mask(tmp_path / "first.png", {1: (20, 12, 44, 36)})
    segment(clip, tmp_path / "out", "--mask", first)
    assert options_of(tmp_path / "out")["window"] is True
    segment(clip, tmp_path / "out", "--mask", first, "--window")
    assert "finished already" in capsys.readouterr().out
    with pytest.raises(SystemExit) as stopped:
        segment(clip, tmp_path / "out", "--mask", first, "--no-window")
    assert stopped.value.code == 2 and "window was true, is null" in capsys.readouterr().err
    for number, off in enumerate((["--no_window"], ["--recipe", tmp_path / "recipe.txt"])):
        (tmp_path / "recipe.txt").write_text("no_window\n")
        segment(clip, tmp_path / f"off{number}", "--mask", first, *off)
        assert "window" not in options_of(tmp_path / f"off{number}")


def test_the_page_has_windows_unless_they_are_turned_off_and_live_pictures_if_asked_for():
    live = ["0", "--box", "1", "1", "9", "9"]
    assert osmn_app.parse([]).window and not osmn_app.parse(["--no_window"]).window
    assert osmn_live.parse([*live, "--window"]).window and not osmn_live.parse(live).window
