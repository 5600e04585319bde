"""Objects that are given in the middle of a video, followed both ways: masks, bounded memory, kills, mistakes."""

import itertools
import os
import subprocess
import sys
from fractions import Fraction

import numpy as np
import pytest
from PIL import Image

import osmn_segment
from helpers import ROOT
from helpers.clips import LOSSLESS, UNEVEN, make_video, pictures, read
from helpers.own_videos import mask, segment
from helpers.scripts import error
from helpers.stand_ins import ColourKey, stand_in
from helpers.trees import names, tree
from osmn.errors import InputError
from osmn.files.images import read_labels
from osmn.files.scores import read_scores
from osmn.results.manifest import read_run
from osmn.user_video.media import backward as backward_module
from osmn.user_video.media.backward import Mark, backward

RED, GREEN = (220, 30, 30), (30, 200, 30)
COUNT = 9


def square(number, top):
    """Return the box of a square that moves to the right, (left, top, right, bottom)."""
    return 2 + 4 * number, top, 12 + 4 * number, top + 12


def images(count=COUNT):
    for number in range(count):
        image = np.full((48, 64, 3), 60, np.uint8)
        for color, top in ((RED, 4), (GREEN, 30)):
            left, upper, right, lower = square(number, top)
            image[upper:lower, left:right] = color
        yield image


@pytest.fixture
def clip(tmp_path):
    times = [Fraction(number * number, 25) for number in range(COUNT)]
    return make_video(tmp_path / "clip.mkv", images(), times=times, **LOSSLESS)


@pytest.fixture(autouse=True)
def color_key(monkeypatch):
    stand_in(monkeypatch, ColourKey)


def given(tmp_path, **objects):
    """Return the mask of the frame `number`, with the objects {"red": id, "green": id}."""
    number = objects.pop("number")
    boxes = {i: square(number, 4 if name == "red" else 30) for name, i in objects.items()}
    return mask(tmp_path / f"mask{number}{'-'.join(objects)}.png", boxes)


def labels_of(out):
    return [read_labels(path) for path in sorted((out / "masks").iterdir())]


def truth(number, **objects):
    labels = np.zeros((48, 64), np.uint8)
    for name, object_id in objects.items():
        left, top, right, bottom = square(number, 4 if name == "red" else 30)
        labels[top:bottom, left:right] = object_id
    return labels


def test_an_object_given_in_the_middle_is_followed_to_both_ends(clip, tmp_path, capsys):
    middle = given(tmp_path, number=4, red=1)
    segment(clip, tmp_path / "forward", "--mask", f"4:{middle}")
    segment(clip, tmp_path / "both", "--mask", f"4:{middle}", "--both_ways")
    forward, both = labels_of(tmp_path / "forward"), labels_of(tmp_path / "both")
    assert [labels.any() for labels in forward] == [False] * 4 + [True] * 5
    for number, labels in enumerate(both):
        np.testing.assert_array_equal(labels, truth(number, red=1))
    for number in range(4, COUNT):
        names_of = f"{number:05d}.png"
        assert (tmp_path / "forward/masks" / names_of).read_bytes() == (tmp_path / "both/masks" / names_of).read_bytes()
    assert "is lost" not in capsys.readouterr().out
    assert not [name for name in os.listdir(tmp_path / "both") if name.startswith(".osmn-writing")]
    with_overlay = read(tmp_path / "both/overlay.mp4")[0].image.astype(int)
    assert np.abs(with_overlay - next(images())).max() > 60  # The object is drawn in the first frame, too.


def test_each_object_is_followed_backward_from_where_it_is_given_first(clip, tmp_path):
    first, middle, late = (
        given(tmp_path, number=0, green=2),
        given(tmp_path, number=4, red=1),
        given(tmp_path, number=7, red=1, green=2),
    )
    masks = ("--mask", first, "--mask", f"4:{middle}", "--mask", f"7:{late}")
    segment(clip, tmp_path / "forward", *masks)
    segment(clip, tmp_path / "both", *masks, "--both_ways")
    forward, both = labels_of(tmp_path / "forward"), labels_of(tmp_path / "both")
    for number in range(COUNT):
        np.testing.assert_array_equal(both[number], truth(number, red=1, green=2))
        np.testing.assert_array_equal(both[number][forward[number] > 0], forward[number][forward[number] > 0])
    segment(
        clip,
        tmp_path / "two",
        "--mask",
        f"2:{given(tmp_path, number=2, red=1)}",
        "--mask",
        f"6:{given(tmp_path, number=6, green=2)}",
        "--both_ways",
    )
    for number, labels in enumerate(labels_of(tmp_path / "two")):
        np.testing.assert_array_equal(labels, truth(number, red=1, green=2))


def test_an_empty_mask_before_it_ends_an_object_on_its_way_back(clip, tmp_path):
    middle, empty = given(tmp_path, number=5, red=1), mask(tmp_path / "empty.png", {})
    segment(clip, tmp_path / "both", "--mask", f"5:{middle}", "--mask", f"2:{empty}", "--both_ways")
    assert [labels.any() for labels in labels_of(tmp_path / "both")] == [False] * 3 + [True] * 6


def test_start_stride_times_scores_and_cutouts_go_both_ways(clip, tmp_path):
    middle = given(tmp_path, number=5, red=1)
    out = tmp_path / "both"
    more = ("--start", 1, "--stride", 2, "--save_score", "--cutout", "--both_ways")
    segment(clip, out, "--mask", f"1.0s:{middle}", *more)  # Frame 5 is at 1 s.
    assert names(out / "masks") == [f"{number:05d}.png" for number in (1, 3, 5, 7)]
    for number, labels in zip((1, 3, 5, 7), labels_of(out), strict=True):
        np.testing.assert_array_equal(labels, truth(number, red=1))
    assert names(out / "scores/1") == [f"{number:05d}.npy" for number in (1, 3, 7)]
    assert (read_scores(out / "scores/1/00001.npy") > 0.5).sum() == 120
    assert len(read(out / "cutout_1.webm")) == 4


def test_a_folder_of_frames_goes_both_ways(tmp_path):
    folder = tmp_path / "frames"
    folder.mkdir()
    for number, image in enumerate(images()):
        Image.fromarray(image).save(folder / f"img_{number}.png")
    middle = given(tmp_path, number=4, red=1).rename(folder / "a mask.png")
    segment(folder, tmp_path / "out", "--mask", f"4:{middle}", "--both_ways")
    assert all(read_labels(tmp_path / f"out/masks/img_{number}.png").any() for number in range(COUNT))
    assert len(names(tmp_path / "out/masks")) == COUNT


def test_run_json_tells_both_ways_apart_and_a_line_says_where_it_changes_nothing(clip, tmp_path, capsys):
    first = given(tmp_path, number=0, red=1)
    segment(clip, tmp_path / "out", "--mask", first, "--both_ways")
    assert "all objects are given in the first frame, --both_ways changes nothing" in capsys.readouterr().out
    assert read_run(tmp_path / "out")["options"]["both_ways"] is True
    fixed = ("--result_path", tmp_path / "out", "--whole_model_path", "stand-in", "--im_size", 64, 48)
    line = error(capsys, osmn_segment.main, clip, *fixed, "--precision", "float32", "--mask", first)
    assert "both_ways was true, is null" in line


def test_a_place_after_the_last_frame_is_named_before_anything_is_segmented(clip, tmp_path, capsys):
    middle = given(tmp_path, number=4, red=1)
    fixed = ("--result_path", tmp_path / "out", "--whole_model_path", "stand-in", "--im_size", 64, 48)
    line = error(capsys, osmn_segment.main, clip, *fixed, "--mask", f"40:{middle}", "--both_ways")
    assert "is for a place after the video's last frame" in line
    assert not (tmp_path / "out/masks").exists()


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("clip.mp4", {"times": UNEVEN, "time_base": Fraction(1, 90000), "options": {"bf": "3", "g": "8"}}),
        ("clip.ts", {"times": itertools.count(10, Fraction(1, 25)), "options": {"g": "8"}}),
        ("clip.mkv", LOSSLESS),
        ("clip.gif", {"codec": "gif", "pixels": "rgb8"}),
        ("clip.avi", {"codec": "mpeg4", "options": {"g": "8"}}),
    ],
)
@pytest.mark.parametrize("stride", [1, 3])
def test_backward_gives_the_images_of_forward_and_holds_few(tmp_path, name, settings, stride):
    path = make_video(tmp_path / name, pictures(40), **settings)
    forward = read(path, stride=stride)
    held = 5 * forward[0].image.nbytes
    got = list(backward(path, [Mark.of(frame) for frame in forward], held=held))
    for frame, other in zip(got, forward[::-1], strict=True):
        assert (frame.number, frame.name, frame.seconds) == (other.number, other.name, other.seconds)
        np.testing.assert_array_equal(frame.image, other.image)


def test_backward_decodes_from_key_frames_and_holds_what_it_may(tmp_path, monkeypatch):
    path = make_video(tmp_path / "clip.mkv", pictures(200), "mpeg4", options={"g": "10"})
    marks = [Mark.of(frame) for frame in read(path)]
    most, parts = 0, []
    sought = backward_module._sought
    monkeypatch.setattr(backward_module, "_from_the_beginning", lambda *_: pytest.fail("reads from the beginning"))
    monkeypatch.setattr(backward_module, "_sought", lambda path, part: parts.append(len(part)) or sought(path, part))
    for _ in backward(path, marks, held=20 * 64 * 48 * 3):
        most = max(most, parts[-1])
    assert most == 20
    assert len(parts) == 11  # Two frames first, then twenty at a time.


def test_a_video_that_changes_meanwhile_is_named(tmp_path):
    path = make_video(tmp_path / "clip.mkv", pictures(10), **LOSSLESS)
    marks = [Mark.of(frame) for frame in read(path)]
    make_video(path, list(pictures(10))[::-1], **LOSSLESS)
    with pytest.raises(InputError, match=r"clip\.mkv has changed while it was read"):
        list(backward(path, marks))


KILLED = """
import os, sys
sys.path[:0] = sys.argv[1:3]
from helpers.own_videos import segment
from helpers.stand_ins import ColourKey, stand_in
import pytest
from osmn.inference.predictor import Predictor
stand_in(pytest.MonkeyPatch(), ColourKey)
steps, step = [], Predictor.step
def counted(self, *frame):
    steps.append(1)
    if len(steps) == int(sys.argv[5]):
        os._exit(9)
    return step(self, *frame)
Predictor.step = counted
segment(sys.argv[3], sys.argv[4], *sys.argv[6:])
"""


@pytest.mark.parametrize("steps", [2, 4, 7])
def test_a_run_that_was_killed_backward_or_forward_gives_the_same_files(clip, tmp_path, steps):
    masks = ("--mask", f"5:{given(tmp_path, number=5, red=1)}", "--both_ways", "--save_score")
    segment(clip, tmp_path / "whole", *masks)
    arguments = [ROOT, ROOT / "tests", clip, tmp_path / "killed", steps, *masks]
    done = subprocess.run([sys.executable, "-c", KILLED, *map(str, arguments)], capture_output=True)
    assert done.returncode == 9, done.stderr
    segment(clip, tmp_path / "killed", *masks)
    whole, killed = (tree(tmp_path / name) for name in ("whole", "killed"))
    assert whole == killed
