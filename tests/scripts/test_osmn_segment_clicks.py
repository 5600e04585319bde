"""Objects that are given by clicks and boxes to `osmn_segment.py` and to the predictor, with a network by hand."""

import json

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
from osmn.inference.predictor import Predictor
from osmn.inputs import clicks
from osmn.user_video import boxes

RED, GREEN, GRAY = (220, 40, 40), (40, 200, 60), (90, 90, 90)
AREAS = {RED: (slice(10, 40), slice(8, 28)), GREEN: (slice(10, 40), slice(36, 56))}  # Rows and columns.

pytestmark = pytest.mark.usefixtures("follower")


class ByColor:
    """A click network by hand: the object has the colors under clicks, or in a box; colors clicked away are not its."""

    def __init__(self):
        self.asked = 0

    def probabilities(self, image, maps):
        self.asked += 1
        near = maps[..., clicks.POSITIVE] > 0
        inside = near if near.any() else maps[..., clicks.BOX] > 0
        kinds = {tuple(color) for color in (image[inside] // 32).tolist()} - {tuple(np.array(GRAY) // 32)}
        kinds -= {tuple(color) for color in (image[maps[..., clicks.NEGATIVE] > 0] // 32).tolist()}
        codes = (image // 32).astype(int) @ (64, 8, 1)
        return np.isin(codes, [np.array(kind) @ (64, 8, 1) for kind in kinds]).astype(np.float32)


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
    labels = read_labels(out / "first_mask.png")
    edges = {i: clicks.box_of(labels == i) for i in np.unique(labels) if i}
    return {i: (slice(top, bottom), slice(left, right)) for i, (left, top, right, bottom) in edges.items()}


def near(area, other):
    """Tell whether two areas have edges at most two pixels apart: the window is resized."""
    ends = [(a.start, a.stop, b.start, b.stop) for a, b in zip(area, other, strict=True)]
    return all(abs(a - c) <= 2 and abs(b - d) <= 2 for a, b, c, d in ends)


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
        (("--click", 18, 20, "--mask", "m.png"), "and not both"),
    ],
)
def test_mistakes_are_one_clear_line(engine, frames, tmp_path, capsys, words, said):
    out = ["--result_path", tmp_path / "out", "--whole_model_path", "stand-in", "--im_size", *SIZE]
    assert said in error(capsys, osmn_segment.main, frames, *out, *words)
    assert not (tmp_path / "out/masks").exists()


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
    for wrong in ([(1,)], ["ab"], [(1, 2, 3, 4)], [(90, 2)], [(2, 2)]):
        with pytest.raises(ValueError, match=r"a click is \(x, y\)|outside the frame|nothing is found there"):
            predictor.add_clicks(3, wrong)
    assert predictor.object_ids == (1, 2)


def areas_of(mask):
    left, top, right, bottom = clicks.box_of(mask)
    return slice(top, bottom), slice(left, right)


def follower_engine():
    from osmn.models.engines.tensorflow import TensorFlowEngine

    return TensorFlowEngine(Follower())
