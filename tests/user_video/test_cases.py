"""What people really have: the small inputs of shared/cases, made anew, and what is right for each."""

import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from osmn.user_video.given.masks import read_mask
from osmn.user_video.media.reader import open_frames
from osmn.user_video.prompts import parse_prompt, read

MAKERS = ("clip.py", "masks.py", "tools.py", "drone.py", "folders.py", "other.py")
SIZE = WIDTH, HEIGHT = 192, 108
Y, X = np.mgrid[:HEIGHT, :WIDTH]
DISC = (X - 48) ** 2 + (Y - 54) ** 2 < 430
BOX = (X >= 120) & (X < 160) & (Y >= 40) & (Y < 70)


@pytest.fixture(scope="module")
def cases(shared, tmp_path_factory):
    """Make the inputs in a folder, by the scripts of shared/cases."""
    if not (shared / "cases").is_dir():
        pytest.skip(f"{shared} has no cases/")
    folder = tmp_path_factory.mktemp("cases")
    for name in MAKERS:
        subprocess.run([sys.executable, str(shared / "cases" / name)], cwd=folder, check=True, capture_output=True)
    return folder


@pytest.mark.parametrize("name", ["antialiased.png", "quantized.png", "rgb.png", "rgba.png", "mask.jpg"])
def test_one_drawn_disc_is_one_object(cases, name):
    found = read_mask(cases / name)
    drawn = np.asarray(Image.open(cases / "object_1.png")) > 0
    assert np.unique(found.labels).tolist() == [0, 1] and found.note
    assert (found.labels.astype(bool) & drawn).sum() > 0.96 * (found.labels.astype(bool) | drawn).sum()


@pytest.mark.parametrize(
    ("name", "right"),
    [
        ("white_canvas.png", DISC + 2 * BOX),
        ("white_canvas_indexed.png", None),  # By index: 1 the disc, 0 the box, which becomes 2 or more.
        ("stretched.png", DISC + 2 * BOX),
        ("imagej_mask.png", 1 * DISC),
        ("sam_overlay.png", None),
        ("small_panoptic.png", 2 * DISC + BOX),
    ],
)
def test_masks_of_many_programs_have_their_objects(cases, name, right):
    labels = read_mask(cases / name).labels
    disc, box = labels[54, 48], labels[55, 140]
    if right is None:
        right = np.where(DISC, disc, 0) + np.where(BOX, box, 0)
        assert disc and box and disc != box
    np.testing.assert_array_equal(labels, right)


@pytest.mark.parametrize(("name", "count"), [("coloured_soft_indexed.png", 2), ("silhouette.png", 1)])
def test_smoothed_borders_are_cut_at_half(cases, name, count):
    labels = read_mask(cases / name).labels
    assert np.unique(labels).tolist() == list(range(count + 1))
    assert abs(int((labels == labels[54, 48]).sum()) - DISC.sum()) < 60


def test_a_file_for_each_object_is_two_objects(cases):
    given = [parse_prompt(str(cases / f"object_{number}.png")) for number in (1, 2)]
    assert [list(each.objects) for each in read(given, SIZE)] == [[1], [2]]


def test_the_drones_film_is_the_video(cases):
    with open_frames(cases / "drone.mp4") as frames:
        assert len(list(frames)) == 6 and "is the video; the other is" in frames.remarks[0]


def test_the_folders_frames_are_read_without_the_mask(cases):
    (mask,) = (path for path in (cases / "with_mask").iterdir() if "mask" in path.name)
    with open_frames(cases / "with_mask", leave_out=[mask]) as frames:
        assert len(list(frames)) == 6 and "is given as a mask, and is no frame" in frames.remarks[0]
    with open_frames(cases / "tiff") as frames:
        assert len(list(frames)) == 6


def test_a_mask_of_the_anamorphic_films_pixels_is_stretched(cases):
    with open_frames(cases / "anamorphic.mp4") as frames:
        assert frames.size == SIZE
        given = [parse_prompt(str(cases / "anamorphic_as_stored.png"))]
        (found,) = read(given, frames.size, frames.as_shown)
        mask = found.objects[1]
    drawn = np.asarray(Image.open(cases / "object_1.png")) > 0
    assert (mask & drawn).sum() > 0.94 * (mask | drawn).sum()
