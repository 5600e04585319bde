"""What people bring to `osmn_segment.py`: masks among the frames, places in words, boxes that give the same again."""

import cv2
import numpy as np
import pytest
from PIL import Image

import osmn_segment
from helpers.clips import make_video, pictures
from helpers.own_videos import GRABCUT, mask, segment
from helpers.scripts import error
from helpers.stand_ins import ColourKey, stand_in
from helpers.trees import names
from osmn.files.images import read_labels
from osmn.results.manifest import read_run

SEEDS = (33, 40, 56)  # Patchworks in which GrabCut finds one object or another, by chance.
pytestmark = pytest.mark.usefixtures("follower")


def test_a_mask_among_the_frames_is_no_frame(tmp_path, capsys):
    folder = tmp_path / "frames"
    folder.mkdir()
    for number, image in enumerate(pictures()):
        Image.fromarray(image).save(folder / f"{number:05d}.jpg")
    first = mask(folder / "00000.png", {1: (8, 8, 30, 30)})
    segment(folder, tmp_path / "out", "--mask", first)
    assert names(tmp_path / "out/masks") == [f"{number:05d}.png" for number in range(6)]
    assert f"{first} is given as a mask, and is no frame" in capsys.readouterr().out
    assert (read_labels(tmp_path / "out/masks/00000.png") == read_labels(first)).all()


def patchwork(path, seed):
    """Write a clip of a patchwork, some patches of which look like the ground: GrabCut's guesses decide."""
    rng, (y, x) = np.random.default_rng(seed), np.mgrid[:48, :64]
    image = np.dstack([x * 2, y * 3, x + y]).astype(np.uint8) + rng.integers(0, 60, (48, 64, 3), np.uint8)
    patches = rng.integers(0, 200, (4, 4, 3), np.uint8).repeat(6, axis=0).repeat(7, axis=1)
    image[12:36, 16:44] = patches + rng.integers(0, 40, (24, 28, 3), np.uint8)
    return make_video(path, [image] * 3, "ffv1", "bgr0")


def test_a_box_gives_the_same_mask_whatever_ran_before(tmp_path):
    box = ("--box", 10, 8, 40, 32, *GRABCUT)
    clips = [patchwork(tmp_path / f"clip{seed}.mkv", seed) for seed in SEEDS]
    segment(clips, tmp_path / "all", *box)
    cv2.randu(np.zeros((7, 7), np.uint8), 0, 255)  # Draws from OpenCV's random numbers.
    for share in (2, 0, 1):
        segment(clips, tmp_path / "shared", *box, "--shard", f"{share}/3")
    for clip in clips:
        cv2.randu(np.zeros((3, 3), np.uint8), 0, 255)
        segment(clip, tmp_path / "alone" / clip.stem, *box, *box)
        found = [read_labels(tmp_path / run / clip.stem / "first_mask.png") for run in ("all", "shared", "alone")]
        np.testing.assert_array_equal(found[0], found[1])
        np.testing.assert_array_equal(found[0] > 0, found[2] > 0)
        assert set(np.unique(found[2])) == {0, 2}  # The second of two equal boxes has the same object.
        segment(clip, tmp_path / "alone" / clip.stem, *box, *box)  # Nothing has changed.


def labels_of(folder):
    return [read_labels(path) for path in sorted((folder / "masks").iterdir())]


def test_an_empty_mask_ends_the_objects_there_without_a_word_of_loss(clip, tmp_path, capsys):
    first = mask(tmp_path / "first.png", {1: (8, 8, 30, 30), 2: (36, 16, 60, 44)})
    one, empty = mask(tmp_path / "one.png", {1: (8, 8, 30, 30)}), mask(tmp_path / "empty.png", {})
    segment(clip, tmp_path / "plain", "--mask", first)
    segment(clip, tmp_path / "all", "--mask", first, "--mask", f"3:{empty}")
    plain, ended = labels_of(tmp_path / "plain"), labels_of(tmp_path / "all")
    for number in range(3):
        np.testing.assert_array_equal(ended[number], plain[number])
    assert not np.any(ended[3:])
    out = capsys.readouterr().out
    assert "empty.png: it shows no object: what is followed ends there" in out
    assert "is lost" not in out
    assert "6 frames, objects none at the end: " in out
    # One of two objects ends: the other one is given again at the same place.
    segment(clip, tmp_path / "one", "--mask", first, "--mask", f"3:{empty}", "--mask", f"3:{one}")
    assert [set(np.unique(labels)) for labels in labels_of(tmp_path / "one")] == [{0, 1, 2}] * 3 + [{0, 1}] * 3


def test_an_empty_file_of_an_objects_name_ends_that_object(clip, tmp_path, capsys):
    for folder in ("first", "later"):
        (tmp_path / folder).mkdir()
    first = [mask(tmp_path / f"first/object_{i}.png", {1: (8 + 28 * i, 8, 30 + 28 * i, 30)}) for i in (0, 1)]
    later = mask(tmp_path / "later/object_1.png", {})
    segment(clip, tmp_path / "out", "--mask", first[0], "--mask", first[1], "--mask", f"3:{later}")
    assert [set(np.unique(labels)) for labels in labels_of(tmp_path / "out")] == [{0, 1, 2}] * 3 + [{0, 1}] * 3


def test_an_empty_mask_that_ends_nothing_is_refused(clip, tmp_path, capsys):
    first, empty = mask(tmp_path / "first.png", {1: (8, 8, 30, 30)}), mask(tmp_path / "empty.png", {})
    out = ["--result_path", tmp_path / "out", "--whole_model_path", "stand-in"]
    for masks in ([empty], [f"3:{empty}"], [empty, f"3:{first}"]):
        given = [word for each in masks for word in ("--mask", each)]
        assert "empty.png shows no object" in error(capsys, osmn_segment.main, clip, *out, *given)


def blinking(path):
    """Write six frames, grey, with a green square; and a red square, which frames 2 and 3 lack."""
    frames = np.full((6, 48, 64, 3), 60, np.uint8)
    frames[:, 10:30, 36:60] = 30, 200, 30
    frames[[0, 1, 4, 5], 10:30, 4:28] = 220, 30, 30
    return make_video(path, frames, "ffv1", "bgr0")


def test_objects_that_are_lost_and_found_are_named_in_the_line_and_in_run_json(tmp_path, monkeypatch, capsys):
    stand_in(monkeypatch, ColourKey)
    clip = blinking(tmp_path / "clip.mkv")
    first = mask(tmp_path / "first.png", {1: (4, 10, 28, 30), 2: (36, 10, 60, 30)})
    words, numbers = "object 1 is lost in frame 2 and found again in frame 4", {"lost": {"1": [[2, 4]]}}
    segment(clip, tmp_path / "out", "--mask", first)
    assert capsys.readouterr().out.splitlines()[-1].endswith(f"/masks/; {words}")
    assert read_run(tmp_path / "out")["found"] == numbers
    segment(clip, tmp_path / "out", "--mask", first)  # The next run of the same keeps it.
    assert "finished already" in capsys.readouterr().out
    assert read_run(tmp_path / "out")["found"] == numbers
    segment(clip, tmp_path / "out", "--mask", first, "--end", 4, "--overwrite")
    assert "; object 1 is lost from frame 2 on" in capsys.readouterr().out
    assert read_run(tmp_path / "out")["found"] == {"lost": {"1": [[2, None]]}}
    segment(clip, tmp_path / "out", "--mask", first, "--end", 2, "--overwrite")
    assert "is lost" not in capsys.readouterr().out
    assert read_run(tmp_path / "out")["found"] == {"lost": {}}
