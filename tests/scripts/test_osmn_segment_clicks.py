"""Objects that are given by clicks and boxes to `osmn_segment.py` and to the predictor, with a network by hand."""

import json
from fractions import Fraction

import numpy as np
import pytest
from PIL import Image

import osmn_segment
from helpers.own_videos import SIZE, segment
from helpers.scripts import error
from helpers.stand_ins import Follower
from osmn.files.images import read_labels
from osmn.inference import pointing
from osmn.inference import predictor as predictor_module
from osmn.inference.pointing import Click
from osmn.inference.predictor import Predictor
from osmn.inputs import clicks
from osmn.user_video import boxes
from osmn.user_video.media.reader import Frame
from osmn.user_video.prompts import Prompt

RED, GREEN, GRAY = (220, 40, 40), (40, 200, 60), (90, 90, 90)
AREAS = {RED: (slice(10, 40), slice(8, 28)), GREEN: (slice(10, 40), slice(36, 56))}  # Rows and columns.

pytestmark = pytest.mark.usefixtures("follower")


class ByColor:
    """A click network by hand: the object has the colors under clicks, or in a box, and what is there so far.

    Colors that are clicked away are not its.
    """

    def __init__(self):
        self.asked = 0

    def probabilities(self, image, maps):
        self.asked += 1
        near = maps[..., clicks.POSITIVE] > 0
        inside = near if near.any() else maps[..., clicks.BOX] > 0
        kinds = {tuple(color) for color in (image[inside] // 32).tolist()} - {tuple(np.array(GRAY) // 32)}
        away = {tuple(color) for color in (image[maps[..., clicks.NEGATIVE] > 0] // 32).tolist()}
        codes = (image // 32).astype(int) @ (64, 8, 1)
        on, off = (np.isin(codes, [np.array(kind) @ (64, 8, 1) for kind in each]) for each in (kinds - away, away))
        return (on | ((maps[..., clicks.MASK] > 0) & ~off)).astype(np.float32)


@pytest.fixture
def engine(monkeypatch):
    """Have the scripts and the predictor take `ByColor` for whatever click network they name."""
    made = ByColor()
    monkeypatch.setattr(boxes, "load_click_engine", lambda path: made)
    monkeypatch.setattr(boxes, "fingerprint", lambda path: "0123")
    monkeypatch.setattr(predictor_module, "load_click_engine", lambda path: made)
    monkeypatch.setattr(pointing, "SIDE", 64)
    return made


def picture():
    image = np.full((*SIZE[::-1], 3), GRAY, np.uint8)
    for color, area in AREAS.items():
        image[area] = color
    return image


@pytest.fixture
def frames(tmp_path):
    folder = tmp_path / "frames"
    folder.mkdir()
    for number in range(3):
        Image.fromarray(picture()).save(folder / f"{number}.png")
    return folder


def found(out):
    """Return {object id: (rows, columns) of its box} of the first mask."""
    return boxes_in(read_labels(out / "first_mask.png"))


def boxes_in(labels):
    """Return {object id: (rows, columns) of its box}."""
    edges = {i: clicks.box_of(labels == i) for i in np.unique(labels) if i}
    return {i: (slice(top, bottom), slice(left, right)) for i, (left, top, right, bottom) in edges.items()}


def near(area, other):
    """Tell whether two areas have edges at most four pixels apart: windows are resized, and masks followed."""
    ends = [(a.start, a.stop, b.start, b.stop) for a, b in zip(area, other, strict=True)]
    return all(abs(a - c) <= 4 and abs(b - d) <= 4 for a, b, c, d in ends)


def test_a_click_finds_the_object_and_its_video_is_segmented(engine, frames, tmp_path):
    segment(frames, tmp_path / "out", "--click", 18, 20)
    areas = found(tmp_path / "out")
    assert areas.keys() == {1} and near(areas[1], AREAS[RED])
    np.testing.assert_array_equal(
        read_labels(tmp_path / "out/masks/0.png"), read_labels(tmp_path / "out/first_mask.png")
    )
    made = json.loads((tmp_path / "out/run.json").read_text())["options"]
    assert made["clicks"] == {"1": [[18, 20, True]]} and made["click_model_sha256"] == "0123"


def test_several_objects_have_numbers_and_clicks_take_away(engine, frames, tmp_path):
    words = ("--click", 18, 20, "--click", 44, 20, 2, "--click", 18, 30, 2, "--no-click", 20, 25, 2)
    segment(frames, tmp_path / "out", *words)
    areas = found(tmp_path / "out")
    assert areas.keys() == {1, 2} and near(areas[1], AREAS[RED]) and near(areas[2], AREAS[GREEN])


def test_a_box_is_refined_by_clicks(engine, frames, tmp_path):
    segment(frames, tmp_path / "box", "--box", 4, 4, 56, 40)
    assert set(np.unique(read_labels(tmp_path / "box/first_mask.png"))) == {0, 1}
    both = found(tmp_path / "box")[1]
    assert near(both, (AREAS[RED][0], slice(8, 56)))
    segment(frames, tmp_path / "clicked", "--box", 4, 4, 56, 40, "--click", 44, 20, "--no_click", 18, 20)
    assert near(found(tmp_path / "clicked")[1], AREAS[GREEN])


@pytest.mark.parametrize("by", ["network", "grabcut"])
def test_a_box_that_reaches_outside_the_frame_counts_inside_and_a_line_says_so(engine, frames, tmp_path, capsys, by):
    segment(frames, tmp_path / "out", "--box", 4, 4, 500, 40, "--box_by", by)
    assert "the box 4 4 500 40 reaches outside the frame, 64x48; what is inside counts" in capsys.readouterr().out
    assert read_labels(tmp_path / "out/first_mask.png").any()


def test_the_same_clicks_again_find_finished_results_and_others_are_refused(engine, frames, tmp_path, capsys):
    segment(frames, tmp_path / "out", "--click", 18, 20)
    capsys.readouterr()
    segment(frames, tmp_path / "out", "--click", 18, 20)
    assert "finished already" in capsys.readouterr().out
    out = ["--result_path", tmp_path / "out", "--whole_model_path", "stand-in", "--im_size", *SIZE]
    line = error(capsys, osmn_segment.main, frames, *out, "--precision", "float32", "--click", 44, 20)
    assert "clicks" in line


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--click", 18), "--click 18 is neither X Y nor X Y OBJECT"),
        (("--click", 18, 20, 0), "--click 18 20 0 is neither X Y nor X Y OBJECT, an object's number from 1 to 255"),
        (("--click", 18, 20, 256), "an object's number from 1 to 255"),
        (("--no_click", 18, 20), "of object 1 nothing says where it is; give --click X Y 1, too, or a box"),
        (("--click", 90, 20), "the click 90 20 is outside the frame, 64x48; give another one"),
        (("--box", 90, 0, 5, 5), "the box 90 0 5 5 is outside the frame, 64x48, or too small"),
        (("--click", 2, 2), "nothing is found of object 1; click on it, or draw a mask instead"),
        (("--click", 18, 20, "--box_by", "grabcut"), "GrabCut knows no clicks"),
        (("--click", 18, "1:20"), "--click 18 1:20 is neither X Y nor X Y OBJECT"),
        (("--click", "1:", 18, 20), "argument --click: 1: is no number after a place, as 120:310"),
        (("--click", "x:18", 20), "x is neither a frame (120) nor a time (4.5s or 1:02.5)"),
        (("--click", "1:18"), "--click 1:18 is neither X Y nor X Y OBJECT"),
        (("--box", 4, 4, 9), "--box 4 4 9 is neither X Y W H nor X Y W H OBJECT"),
        (("--box", 4, 4, 9, 9, "--box", 1, 1, 9, 9, 1), "--box 1 1 9 9 1: object 1 has a box there already"),
        (("--click", 18, 20, "--click", "1:90", 20), "the click 90 20 is outside the frame, 64x48"),
        (("--click", 18, 20, "--box", "1:90", 0, 5, 5), "the box 90 0 5 5 is outside the frame"),
        (("--click", 18, 20, "--click", "9:18", 20, "--both_ways"), "a click or a box at frame 9 is for a place after"),
    ],
)
def test_mistakes_are_one_clear_line(engine, frames, tmp_path, capsys, words, said):
    out = ["--result_path", tmp_path / "out", "--whole_model_path", "stand-in", "--im_size", *SIZE]
    assert said in error(capsys, osmn_segment.main, frames, *out, *words)
    assert not (tmp_path / "out/masks").exists()


def shown(out):
    """Return the ids in the middle of the red and of the green area, in the mask of each frame."""
    labels = [read_labels(out / f"masks/{number}.png") for number in range(3)]
    return [(int(each[24, 18]), int(each[24, 46])) for each in labels]


@pytest.mark.parametrize("place", ["1", "0.04s", "0:00.04"])
def test_clicks_at_a_later_place_correct_what_is_followed_from_there_on(engine, frames, tmp_path, place):
    segment(frames, tmp_path / "out", "--click", 18, 20, "--click", f"{place}:44", 20, "--no-click", "2:18", 20)
    assert shown(tmp_path / "out") == [(1, 0), (1, 1), (0, 1)]
    np.testing.assert_array_equal(read_labels(tmp_path / "out/given/1.png"), read_labels(tmp_path / "out/masks/1.png"))
    assert not (tmp_path / "out/given/0.png").exists() and near(found(tmp_path / "out")[1], AREAS[RED])


@pytest.mark.parametrize("both_ways", [False, True])
def test_an_object_is_given_first_at_a_later_place_and_is_followed_backward_if_asked_for(
    engine, frames, tmp_path, both_ways
):
    words = ("--click", 18, 20, "--click", "2:44", 20, 2, "--cutout", *(["--both_ways"] if both_ways else []))
    segment(frames, tmp_path / "out", *words)
    assert shown(tmp_path / "out") == ([(1, 2)] * 3 if both_ways else [(1, 0), (1, 0), (1, 2)])
    assert (tmp_path / "out/cutout_2.webm").exists()


def test_clicks_correct_masks_that_are_given_in_the_first_frame_or_later(engine, frames, tmp_path):
    mask = np.zeros(SIZE[::-1], np.uint8)
    mask[AREAS[RED]] = 1
    Image.fromarray(mask).save(tmp_path / "first.png")
    segment(frames, tmp_path / "later", "--mask", tmp_path / "first.png", "--click", "1:44", 20)
    assert shown(tmp_path / "later") == [(1, 0), (1, 1), (1, 1)]
    segment(frames, tmp_path / "first", "--mask", tmp_path / "first.png", "--click", 44, 20)
    assert shown(tmp_path / "first")[0] == (1, 1)
    assert not (tmp_path / "first/first_mask.png").exists() and (tmp_path / "first/given/0.png").exists()


def test_a_place_before_the_first_frame_that_is_used_is_told_and_counts_there(engine, frames, tmp_path, capsys):
    segment(frames, tmp_path / "out", "--click", "0:18", 20, "--start", 1)
    told = "a click or a box at frame 0 is for a place before the first frame that is used, 1: it counts there"
    assert told in capsys.readouterr().out
    assert read_labels(tmp_path / "out/masks/1.png")[24, 18] == 1


def test_a_box_at_a_later_place_replaces_the_object_whose_number_it_has(engine, frames, tmp_path):
    segment(frames, tmp_path / "out", "--box", 4, 4, 28, 40, "--box", "1:32", 4, 28, 40, 1)
    assert shown(tmp_path / "out") == [(1, 0), (0, 1), (0, 1)]


def test_what_belongs_to_another_object_stays_with_it_at_a_later_place(engine, frames, tmp_path, capsys):
    words = ("--click", 18, 20, "--click", 44, 20, 2)
    segment(frames, tmp_path / "out", *words, "--box", "1:4", 4, 56, 40, 2)
    assert shown(tmp_path / "out") == [(1, 2)] * 3
    told = capsys.readouterr().out
    out = ["--result_path", tmp_path / "none", "--whole_model_path", "stand-in", "--im_size", *SIZE]
    line = error(capsys, osmn_segment.main, frames, *out, *words[:3], "--no-click", "1:44", 20, 2)
    assert "of object 2 nothing says where it is in frame 1; give --click X Y 2, too, or a box" in line
    assert "a part of what is found of object 2 in frame 1 is object 1, and stays so" in told


def test_clicks_at_later_places_are_part_of_what_made_the_results(engine, frames, tmp_path, capsys):
    words = ("--click", 18, 20, "--click", "1:44", 20)
    segment(frames, tmp_path / "out", *words)
    segment(frames, tmp_path / "out", *words)
    assert "finished already" in capsys.readouterr().out
    made = json.loads((tmp_path / "out/run.json").read_text())["options"]
    assert made["pointed_later"] == [["1", {}, {"1": [[44, 20, True]]}]]
    out = ["--result_path", tmp_path / "out", "--whole_model_path", "stand-in", "--im_size", *SIZE]
    other = (*words[:3], "--click", "2:44", 20, "--precision", "float32")
    assert "pointed_later" in error(capsys, osmn_segment.main, frames, *out, *other)


def test_new_objects_are_found_before_a_training_and_corrections_are_left(engine):
    images = [Frame(n, str(n), Fraction(n), picture()) for n in range(3)]
    red, both = Click(18, 20), {1: [Click(44, 20)], 2: [Click(44, 20)]}
    given = [
        Prompt(None, None, pointed=boxes.PointedAt({}, {1: [red]}, engine)),
        Prompt(2, None, pointed=boxes.PointedAt({}, both, engine)),
    ]
    first, new, correction = boxes.with_new_found(images, given)
    assert first.objects.keys() == {1} and new.objects.keys() == {2} and new.place == 2
    assert near(areas_of(new.objects[2]), AREAS[GREEN])
    assert correction.pointed.object_ids == [1] and correction.objects is None


def test_the_predictor_finds_objects_in_boxes_and_by_clicks(engine):
    predictor = Predictor(follower_engine())
    predictor.start(picture())
    mask = predictor.add_clicks(1, [(18, 20)])
    assert near(areas_of(mask), AREAS[RED])
    assert near(areas_of(predictor.add_box(2, (32, 4, 28, 40))), AREAS[GREEN])
    both = predictor.add_clicks(1, [(44, 20), (18, 20)])
    assert near(areas_of(both), (AREAS[RED][0], slice(8, 56)))
    corrected = predictor.add_clicks(1, [(18, 20), (44, 20, False)])
    assert near(areas_of(corrected), AREAS[RED])
    assert predictor.object_ids == (1, 2)
    for wrong in ([(1,)], ["ab"], [(1, 2, 3, 4)], [(90, 2)], [(2, 2)], [(18, 20, "x")], None):
        said = r"a click is \(x, y\)|outside the frame|nothing is found there|clicks are a list of \(x, y\)"
        with pytest.raises(ValueError, match=said):
            predictor.add_clicks(3, wrong)
    with pytest.raises(ValueError, match="a box is"):
        predictor.add_box(1, None)
    assert predictor.object_ids == (1, 2)


def areas_of(mask):
    left, top, right, bottom = clicks.box_of(mask)
    return slice(top, bottom), slice(left, right)


def follower_engine():
    from osmn.models.engines.tensorflow import TensorFlowEngine

    return TensorFlowEngine(Follower())
