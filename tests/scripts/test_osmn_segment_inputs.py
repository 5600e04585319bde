"""What people bring to `osmn_segment.py`: masks among the frames, places in words, boxes that give the same again."""

import cv2
import numpy as np
import pytest
from PIL import Image

from helpers.clips import make_video, pictures
from helpers.own_videos import mask, segment
from helpers.trees import names
from osmn.files.images import read_labels

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
    box = ("--box", 10, 8, 40, 32)
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
