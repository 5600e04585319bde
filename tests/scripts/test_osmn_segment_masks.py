"""Masks of a stranger's programs, through `osmn_segment.py`: which objects come out, and what is said of them."""

import json

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_mask

import osmn_segment
from helpers.mask_files import BOX, DISK, IDS, RED, SIZE, colors, gray, indexed, photograph
from helpers.own_videos import segment
from helpers.scripts import error
from helpers.trees import names
from osmn.files.images import read_labels

pytestmark = pytest.mark.usefixtures("follower")


@pytest.fixture
def frames(tmp_path):
    """Return a folder of three frames of the size of the masks."""
    folder = tmp_path / "frames"
    folder.mkdir()
    for number in range(3):
        Image.fromarray(photograph(number)).save(folder / f"{number:05d}.png")
    return folder


def first_labels(out):
    return read_labels(out / "masks/00000.png")


def saved(path, picture):
    picture.save(path)
    return path


def one(mask):
    return gray([0, 255], mask.astype(np.uint8))


@pytest.mark.parametrize(
    ("name", "picture", "right"),
    [
        ("white.png", indexed([1, 0], [(255, 255, 255), (0, 0, 0)], DISK.astype(np.uint8)), DISK.astype(np.uint8)),
        ("red.jpg", colors([(0, 0, 0), RED], DISK.astype(np.uint8)), DISK.astype(np.uint8)),
        ("stretched.png", gray([0, 128, 255]), IDS),
        ("void.png", gray([0, 1, 255]), DISK.astype(np.uint8)),
    ],
)
def test_what_was_made_of_a_mask_is_said_and_shown(frames, tmp_path, capsys, name, picture, right):
    mask = saved(tmp_path / name, picture)
    segment(frames, tmp_path / "out", "--mask", mask)
    assert f"{mask}: " in capsys.readouterr().out
    found = read_labels(tmp_path / "out/given/00000.png")
    assert ((found == right).mean() > 0.99 if name.endswith("jpg") else np.array_equal(found, right)) and found.any()
    np.testing.assert_array_equal(found, first_labels(tmp_path / "out"))
    segment(frames, tmp_path / "out", "--mask", mask)  # The results, with this file, are as they were left.
    assert "finished already" in capsys.readouterr().out


def test_a_usual_mask_is_read_without_a_word(frames, tmp_path, capsys):
    mask = saved(tmp_path / "first.png", gray([0, 1, 2]))
    segment(frames, tmp_path / "out", "--mask", mask)
    assert "first.png" not in capsys.readouterr().out
    assert names(tmp_path / "out") == [".osmn-finished", "masks", "overlay.mp4", "run.json"]


def test_a_file_for_each_object_gives_an_object_each(frames, tmp_path, capsys):
    files = [saved(tmp_path / f"object_{number}.png", one(mask)) for number, mask in ((1, DISK), (2, BOX))]
    segment(frames, tmp_path / "out", "--mask", files[0], "--mask", files[1])
    np.testing.assert_array_equal(first_labels(tmp_path / "out"), IDS)
    assert f"{files[1]}: it is object 2" in capsys.readouterr().out
    (tmp_path / "again").mkdir()
    again = saved(tmp_path / "again/object_2.png", one(np.roll(BOX, 4, 1)))
    segment(frames, tmp_path / "later", "--mask", files[0], "--mask", files[1], "--mask", f"1:{again}")
    labels = read_labels(tmp_path / "later/masks/00001.png")
    np.testing.assert_array_equal(labels == 2, np.roll(BOX, 4, 1))
    assert (labels[DISK] == 1).any()


def test_a_folder_of_files_gives_an_object_each(frames, tmp_path):
    folder = tmp_path / "objects"
    folder.mkdir()
    saved(folder / "dog.png", one(DISK))
    saved(folder / "cat.png", one(BOX))
    segment(frames, tmp_path / "out", "--mask", folder)
    np.testing.assert_array_equal(first_labels(tmp_path / "out"), np.where(IDS == 0, 0, 3 - IDS))
    (tmp_path / "masks").mkdir()
    folder.rename(tmp_path / "masks/frames")
    segment(frames, tmp_path / "named", "--mask", tmp_path / "masks")
    np.testing.assert_array_equal(first_labels(tmp_path / "named"), first_labels(tmp_path / "out"))


def test_an_object_that_is_given_twice_at_one_place_is_refused(frames, tmp_path, capsys):
    both, box = saved(tmp_path / "both.png", gray([0, 1, 2])), saved(tmp_path / "box.png", gray([0, 0, 2]))
    out = ["--result_path", tmp_path / "out", "--whole_model_path", "stand-in"]
    line = error(capsys, osmn_segment.main, frames, *out, "--mask", both, "--mask", box)
    assert f"{both} and {box} both show object 2; give each object a number of its own" in line


def test_the_frame_itself_is_no_mask(frames, tmp_path, capsys):
    out = ["--result_path", tmp_path / "out", "--whole_model_path", "stand-in"]
    line = error(capsys, osmn_segment.main, frames, *out, "--mask", frames / "00000.png")
    assert "00000.png is a photograph, or a drawing with too many shades, and no mask" in line
    assert not (tmp_path / "out").exists()


def test_an_unclear_mask_names_the_option_that_settles_it(frames, tmp_path, capsys):
    halves = np.where(np.arange(SIZE[0]) < 60, 1, 2)[None].repeat(SIZE[1], 0)
    mask = saved(tmp_path / "halves.png", gray([0, 40, 90], halves))
    out = ["--result_path", tmp_path / "out", "--whole_model_path", "stand-in"]
    line = error(capsys, osmn_segment.main, frames, *out, "--mask", mask)
    assert "halves.png has no 0" in line and "--mask_reading ids or --mask_reading ranks" in line
    segment(frames, tmp_path / "out", "--mask", mask, "--mask_reading", "ranks")
    np.testing.assert_array_equal(first_labels(tmp_path / "out"), halves - 1)
    again = error(capsys, osmn_segment.main, frames, *out, "--im_size", 64, 48, "--mask", mask, "--mask_reading", "ids")
    assert 'mask_reading was "ranks", is "ids"' in again


def test_a_labeling_tools_file_gives_the_objects_of_the_frame_at_its_place(frames, tmp_path, capsys):
    of_frame = {0: [(DISK, "dog")], 1: [(BOX, "cat")]}
    images = [{"id": i, "file_name": f"{i:05d}.png", "width": SIZE[0], "height": SIZE[1]} for i in of_frame]
    runs = [
        (i, coco_mask.encode(np.asfortranarray(mask, np.uint8))["counts"].decode())
        for i, [(mask, _)] in of_frame.items()
    ]
    annotations = [
        {
            "id": i,
            "image_id": i,
            "category_id": 1,
            "segmentation": {"size": SIZE[::-1], "counts": counts},
            "track_id": i + 5,
        }
        for i, counts in runs
    ]
    content = {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "animal"}]}
    path = tmp_path / "instances.json"
    path.write_text(json.dumps(content))
    segment(frames, tmp_path / "out", "--mask", path, "--mask", f"1:{path}")
    np.testing.assert_array_equal(first_labels(tmp_path / "out"), DISK)
    later = read_labels(tmp_path / "out/masks/00001.png")
    np.testing.assert_array_equal(later == 2, BOX)
    assert f"{path}: objects of COCO: 2 (animal)" in capsys.readouterr().out


def test_a_mask_of_a_frame_that_is_not_used_counts_in_the_next_one_and_a_line_says_so(frames, tmp_path, capsys):
    first, later = saved(tmp_path / "first.png", one(DISK)), saved(tmp_path / "later.png", one(BOX))
    segment(frames, tmp_path / "out", "--mask", first, "--mask", f"1:{later}", "--stride", 2)
    assert f"{later} at frame 1 is for a frame that is not used: it counts in frame 2" in capsys.readouterr().out
    np.testing.assert_array_equal(read_labels(tmp_path / "out/masks/00002.png") > 0, BOX)
    segment(frames, tmp_path / "used", "--mask", first, "--mask", f"2:{later}", "--stride", 2)
    assert "that is not used" not in capsys.readouterr().out
