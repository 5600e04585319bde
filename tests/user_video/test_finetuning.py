"""A model that is fine-tuned on what the user gives of a video."""

import numpy as np
import pytest
from PIL import Image

import osmn_segment
from helpers.own_videos import SIZE, mask, segment
from helpers.scripts import error
from helpers.stand_ins import Pixelwise, stand_in
from osmn.files.images import read_labels

pytestmark = pytest.mark.usefixtures("follower")


def test_a_mask_may_not_be_where_finetuning_writes_its_own(clip, tmp_path, capsys):
    given = mask(tmp_path / "out/finetuned/0.mask.png", {1: (8, 8, 30, 30)})
    before = given.read_bytes()
    more = ("--finetune", 1, "--result_path", tmp_path / "out", "--whole_model_path", "stand-in", "--overwrite")
    line = error(capsys, osmn_segment.main, clip, "--mask", given, *more)
    assert f"{given} is read, and is in {tmp_path / 'out/finetuned'}, which is written anew" in line
    assert given.read_bytes() == before


@pytest.mark.parametrize("name", ["osmn.ckpt-4", "0.mask.png"])
def test_finetuning_does_not_go_on_from_models_that_no_run_has_made(clip, tmp_path, capsys, name):
    first = mask(tmp_path / "first.png", {1: (8, 8, 30, 30)})
    (tmp_path / "out/finetuned").mkdir(parents=True)
    for ending in (".index", ".data-00000-of-00001") if "ckpt" in name else ("",):
        (tmp_path / "out/finetuned" / f"{name}{ending}").write_text("mine")
    more = ("--finetune", 1, "--result_path", tmp_path / "out", "--whole_model_path", "stand-in")
    line = error(capsys, osmn_segment.main, clip, "--mask", first, *more)
    assert f"{tmp_path / 'out/finetuned' / name} is there, and no {tmp_path / 'out/run.json'} that says" in line
    assert not (tmp_path / "out/run.json").exists()


def training_on(*more):
    return ["--scale_value", 0.01, "--finetune", 20, "--learning_rate", 0.1, *more]


def two_colours(folder):
    """Write frames with a bright object on a dark ground, and return their folder."""
    folder.mkdir()
    image = np.full((*SIZE[::-1], 3), 10, np.uint8)
    image[12:36, 16:44] = 200
    for number in range(3):
        Image.fromarray(image).save(folder / f"{number}.png")
    return folder


def test_a_model_is_finetuned_on_what_is_given_and_kept(tmp_path, monkeypatch):
    stand_in(monkeypatch, Pixelwise)
    folder = two_colours(tmp_path / "frames")
    first = mask(tmp_path / "first.png", {1: (16, 12, 44, 36)})
    segment(folder, tmp_path / "plain", "--mask", first, "--scale_value", 0.01)
    segment(folder, tmp_path / "trained", "--mask", first, *training_on())
    truth = read_labels(first) > 0
    overlap = {}
    for name in ("plain", "trained"):
        found = read_labels(tmp_path / name / "masks/2.png") > 0
        overlap[name] = (found & truth).sum() / (found | truth).sum()
    assert overlap["trained"] > overlap["plain"]
    assert (tmp_path / "trained/finetuned/osmn.ckpt-20.index").is_file()
    np.testing.assert_array_equal(read_labels(tmp_path / "trained/finetuned/0.mask.png"), read_labels(first))


def test_finetuning_that_was_stopped_goes_on_and_another_run_does_not_take_over_its_models(
    tmp_path, monkeypatch, capsys
):
    stand_in(monkeypatch, Pixelwise)
    folder = two_colours(tmp_path / "frames")
    first = mask(tmp_path / "first.png", {1: (16, 12, 44, 36)})
    segment(folder, tmp_path / "out", "--mask", first, *training_on())
    masks = [path.read_bytes() for path in sorted((tmp_path / "out/masks").iterdir())]
    (tmp_path / "out/overlay.mp4").unlink()
    capsys.readouterr()
    segment(folder, tmp_path / "out", "--mask", first, *training_on())
    assert "has 20 steps already" in capsys.readouterr().out
    assert masks == [path.read_bytes() for path in sorted((tmp_path / "out/masks").iterdir())]
    other = mask(tmp_path / "other.png", {1: (10, 12, 44, 36)})
    segment(folder, tmp_path / "out", "--mask", other, *training_on("--overwrite"))
    assert "has 20 steps already" not in capsys.readouterr().out


def test_finetuning_takes_the_frame_of_a_later_place(tmp_path, monkeypatch, capsys):
    stand_in(monkeypatch, Pixelwise)
    folder = two_colours(tmp_path / "frames")
    later = np.full((*SIZE[::-1], 3), 90, np.uint8)
    Image.fromarray(later).save(folder / "2.png")
    first = mask(tmp_path / "first.png", {1: (16, 12, 44, 36)})
    segment(folder, tmp_path / "out", "--mask", first, "--mask", f"2:{first}", *training_on())
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "out/finetuned/1.frame.png")), later)
    out = ["--result_path", tmp_path / "late", "--whole_model_path", "stand-in", "--im_size", *SIZE]
    line = error(capsys, osmn_segment.main, folder, *out, "--mask", first, "--mask", f"9:{first}", *training_on())
    assert "first.png at frame 9 is for a place after the video's last frame" in line
    assert not (tmp_path / "late/overlay.mp4").exists()
