"""A video segmented by `osmn_segment.py` where results are already: which are kept, made again or refused."""

import itertools
import os
import shutil

import numpy as np
import pytest
from PIL import Image

import osmn_segment
from helpers.clips import make_video
from helpers.own_videos import FRAMES, GRABCUT, SIZE, mask, segment
from helpers.scripts import error
from helpers.trees import files, names
from osmn.files import sealed_json
from osmn.files.images import read_labels
from osmn.masks import overlay
from osmn.user_video import tracking

pytestmark = pytest.mark.usefixtures("follower")


def test_a_finished_video_is_left_alone_and_another_run_into_its_folder_is_refused(clip, tmp_path, capsys):
    first = mask(tmp_path / "first.png", {1: (8, 8, 30, 30)})
    segment(clip, tmp_path / "out", "--mask", first)
    before = (tmp_path / "out/overlay.mp4").stat().st_mtime_ns
    segment(clip, tmp_path / "out", "--mask", first)
    assert "finished already" in capsys.readouterr().out
    assert (tmp_path / "out/overlay.mp4").stat().st_mtime_ns == before
    with pytest.raises(SystemExit):
        segment(clip, tmp_path / "out", "--mask", first, "--stride", 2)
    assert "stride was 1, is 2" in capsys.readouterr().err
    segment(clip, tmp_path / "out", "--mask", first, "--stride", 2, "--overwrite")
    assert (tmp_path / "out/overlay.mp4").stat().st_mtime_ns != before


@pytest.mark.parametrize("killed", [False, True])
def test_of_a_run_that_is_overwritten_nothing_stays_but_what_is_the_users(clip, tmp_path, monkeypatch, killed):
    first = mask(tmp_path / "first.png", {1: (8, 8, 30, 30)})
    segment(clip, tmp_path / "alone", "--mask", first, "--stride", 2)
    more = ("--save_score", "--cutout")
    if killed:
        shown = itertools.count()
        with monkeypatch.context() as patched, pytest.raises(SystemExit):
            patched.setattr(tracking, "overlay", lambda *given: stop() if next(shown) == 4 else overlay(*given))
            segment(clip, tmp_path / "out", "--mask", first, *more)
    else:
        segment(clip, tmp_path / "out", "--mask", first, *more)
    users = [tmp_path / "out/masks/notes.txt", tmp_path / "out/masks/99999.png", tmp_path / "out/scores/2/00001.npy"]
    for path in users:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("mine")
    assert len(files(tmp_path / "out")) > len(files(tmp_path / "alone")) + len(users)
    segment(clip, tmp_path / "out", "--mask", first, "--stride", 2, "--overwrite")
    assert all(path.read_text() == "mine" for path in users)
    for path in users:
        path.unlink()
    assert files(tmp_path / "out") == files(tmp_path / "alone")
    for name in files(tmp_path / "out/masks"):
        assert (tmp_path / "out/masks" / name).read_bytes() == (tmp_path / "alone/masks" / name).read_bytes()


def stop():
    raise KeyboardInterrupt


def test_a_mask_that_an_earlier_run_found_is_kept_where_it_is_given_and_may_not_be_where_masks_go(
    clip, tmp_path, capsys
):
    first = mask(tmp_path / "first.png", {1: (8, 8, 30, 30)})
    segment(clip, tmp_path / "out", "--mask", first)
    given = tmp_path / "out/masks/00003.png"
    before = given.read_bytes()
    message = error(capsys, osmn_segment.main, clip, "--mask", given, "--result_path", tmp_path / "out", "--overwrite")
    assert message.startswith(f"error: {given} is read, and is in {tmp_path / 'out/masks'}, which is written anew; ")
    assert given.read_bytes() == before

    image = np.zeros((*SIZE[::-1], 3), np.uint8)
    image[12:36, 16:44] = 200
    folder = tmp_path / "frames"
    folder.mkdir()
    Image.fromarray(image).save(folder / "0.png")
    segment(folder, tmp_path / "found", "--box", 10, 8, 40, 32, *GRABCUT)
    found = tmp_path / "found/first_mask.png"
    before = found.read_bytes()
    segment(folder, tmp_path / "found", "--mask", found, "--overwrite")
    assert found.read_bytes() == before
    assert not (tmp_path / "found/first_frame.png").exists()


@pytest.fixture
def bright(tmp_path):
    """Return a folder of frames with a bright box, which GrabCut finds."""
    image = np.zeros((*SIZE[::-1], 3), np.uint8)
    image[12:36, 16:44] = 200
    (tmp_path / "frames").mkdir()
    for number in range(2):
        Image.fromarray(image).save(tmp_path / f"frames/{number}.png")
    return tmp_path / "frames"


BOX = ("--box", 10, 8, 40, 32, *GRABCUT)


@pytest.mark.parametrize("name", ["overlay.mp4", "masks/0.png", "masks/1.png", "first_mask.png"])
@pytest.mark.parametrize("linked", [False, True])
def test_files_of_the_users_in_the_place_of_results_stay(bright, tmp_path, capsys, name, linked):
    first = mask(tmp_path / "first.png", {1: (16, 12, 44, 36)})
    mine = tmp_path / "out" / name
    if linked and mine.parent.name == "masks":  # A link to a folder is followed, and files there are kept as well.
        (tmp_path / "elsewhere").mkdir()
        (tmp_path / "out").mkdir()
        mine.parent.symlink_to(tmp_path / "elsewhere")
    mine.parent.mkdir(parents=True, exist_ok=True)
    mine.write_text("mine")
    given = BOX if name == "first_mask.png" else ("--mask", first)
    for _ in range(2):
        with pytest.raises(SystemExit):
            segment(bright, tmp_path / "out", *given)
        line = capsys.readouterr().err.splitlines()[-1]
        assert line.startswith(f"error: {mine} would be replaced, and no run has noted that it made it; ")
        assert mine.read_text() == "mine"
    mine.rename(tmp_path / "kept")
    segment(bright, tmp_path / "out", *given)
    (tmp_path / "kept").rename(mine)
    segment(bright, tmp_path / "out", *given, "--overwrite")
    assert mine.read_bytes() != b"mine"


@pytest.mark.parametrize(("number", "counts"), [((), True), ((2,), False)])
def test_a_line_says_where_a_box_counts_instead_of_the_mask_of_the_same_object(
    bright, tmp_path, capsys, number, counts
):
    first = mask(tmp_path / "first.png", {1: (0, 0, 6, 6)})
    segment(bright, tmp_path / "out", "--mask", first, "--box", 10, 8, 40, 32, *number, *GRABCUT)
    assert (f"object 1 is what is in its box, not what {first} has of it" in capsys.readouterr().out) is counts
    labels = read_labels(tmp_path / "out/masks/0.png")
    assert (labels[20, 30], labels[2, 2]) == ((1, 0) if counts else (2, 1))


@pytest.mark.parametrize("name", ["first_mask.png", "first_frame.png"])
def test_a_mask_or_a_frame_that_was_found_and_then_drawn_on_is_kept(bright, tmp_path, capsys, name):
    segment(bright, tmp_path / "out", *BOX)
    drawn = tmp_path / "out" / name
    image = Image.open(drawn)
    image.putpixel((2, 2), 2 if image.mode == "P" else (9, 9, 9))
    image.save(drawn)
    before = drawn.read_bytes()
    with pytest.raises(SystemExit):
        segment(bright, tmp_path / "out", *BOX)
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.endswith(
        f"{name} has been changed since it was written; give --mask {drawn} --overwrite for --box or --click, or move"
        " it"
    )
    assert drawn.read_bytes() == before
    if name == "first_mask.png":
        segment(bright, tmp_path / "out", "--mask", drawn, "--overwrite")
        assert drawn.read_bytes() == before
        np.testing.assert_array_equal(read_labels(tmp_path / "out/masks/0.png"), read_labels(drawn))
    drawn.write_bytes(before[:60])  # Damaged, it is made again.
    segment(bright, tmp_path / "again", *BOX)
    shutil.copy(drawn, tmp_path / "again" / name)
    segment(bright, tmp_path / "again", *BOX)
    assert (tmp_path / "again" / name).read_bytes() != before[:60]


@pytest.mark.parametrize("kind", ["P", "RGB"])  # As we write masks, and as a paint program saves them.
def test_a_mask_that_was_corrected_by_hand_is_kept_and_the_line_says_how_to_go_on_from_it(clip, tmp_path, capsys, kind):
    given = ["--mask", mask(tmp_path / "first.png", {1: (8, 8, 30, 30)})]
    segment(clip, tmp_path / "out", *given)
    corrected = tmp_path / "out/masks/00003.png"
    first = corrected.read_bytes()
    image = Image.open(corrected)
    image.paste(1, (0, 0, 9, 9))
    image.convert(kind).save(corrected)
    before = corrected.read_bytes()
    line = error(capsys, lambda argv: segment(clip, tmp_path / "out", *argv), *given, "--save_score")
    assert line == (
        f"error: {corrected} has been changed since it was written; move it, and give it as --mask PLACE:FILE to go on"
        " from it, or --overwrite it"
    )
    assert corrected.read_bytes() == before
    moved = corrected.rename(tmp_path / "corrected.png")
    segment(clip, tmp_path / "out", *given)
    assert corrected.read_bytes() == first
    segment(clip, tmp_path / "out", *given, "--mask", f"3:{moved}", "--overwrite")
    assert read_labels(corrected)[:9, :9].all()


def test_scores_that_are_asked_for_later_are_made_and_stay_finished(clip, tmp_path, capsys):
    first = mask(tmp_path / "first.png", {1: (8, 8, 30, 30)})
    segment(clip, tmp_path / "out", "--mask", first)
    masks = {path.name: path.read_bytes() for path in (tmp_path / "out/masks").iterdir()}
    segment(clip, tmp_path / "out", "--mask", first, "--save_score")
    assert len(names(tmp_path / "out/scores/1")) == FRAMES - 1
    assert {path.name: path.read_bytes() for path in (tmp_path / "out/masks").iterdir()} == masks
    for more in (("--save_score",), ()):
        capsys.readouterr()
        segment(clip, tmp_path / "out", "--mask", first, *more)
        assert "finished already" in capsys.readouterr().out
    min((tmp_path / "out/scores/1").iterdir()).unlink()
    min((tmp_path / "out/masks").iterdir()).unlink()
    segment(clip, tmp_path / "out", "--mask", first)
    segment(clip, tmp_path / "out", "--mask", first, "--save_score")
    assert len(names(tmp_path / "out/scores/1")) == FRAMES - 1


def test_a_video_is_the_same_by_any_path_that_leads_to_it_and_only_then(clip, tmp_path, capsys, monkeypatch):
    first = mask(tmp_path / "first.png", {1: (8, 8, 30, 30)})
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        shutil.copy(clip, tmp_path / folder / "x.mkv")
    monkeypatch.chdir(tmp_path / "a")
    segment("x.mkv", tmp_path / "out", "--mask", first)
    capsys.readouterr()
    segment(tmp_path / "a/x.mkv", tmp_path / "out", "--mask", first)
    assert "finished already" in capsys.readouterr().out
    monkeypatch.chdir(tmp_path / "b")
    with pytest.raises(SystemExit):
        segment("x.mkv", tmp_path / "out", "--mask", first)
    assert "holds results of another run (input was" in capsys.readouterr().err


def test_results_of_another_run_are_named_before_a_model_is_loaded(clip, tmp_path, capsys, monkeypatch):
    first, other = (
        mask(tmp_path / f"{name}.png", {1: (8, 8, end, end)}) for name, end in (("first", 30), ("other", 20))
    )
    segment(clip, tmp_path / "out", "--mask", first)
    monkeypatch.setattr(osmn_segment.options, "load_user_model", lambda args: pytest.fail("the model is loaded"))
    for words, said in (
        (("--mask", other), "(masks was "),
        (("--mask", first, "--stride", 2), "(stride was 1, is 2)"),
        (("--box", 1, 1, 9, 9, "--box_by", "grabcut"), "(boxes was [], is [[1, 1, 9, 9]])"),
    ):
        with pytest.raises(SystemExit):
            segment(clip, tmp_path / "out", *words)
        assert f"holds results of another run {said}" in capsys.readouterr().err


def test_a_finished_video_lacks_a_cutout_that_is_asked_for_later_or_a_mask_that_was_removed(clip, tmp_path, capsys):
    first = mask(tmp_path / "first.png", {1: (8, 8, 30, 30)})
    segment(clip, tmp_path / "out", "--mask", first)
    segment(clip, tmp_path / "out", "--mask", first, "--cutout")
    assert (tmp_path / "out/cutout_1.webm").is_file()
    removed = max((tmp_path / "out/masks").iterdir())
    removed.unlink()
    segment(clip, tmp_path / "out", "--mask", first, "--cutout")
    assert removed.is_file()
    assert "finished already" not in capsys.readouterr().out


def test_boxes_of_a_run_that_is_refused_leave_what_was_found_before(clip, tmp_path, capsys):
    folder = tmp_path / "frames"
    folder.mkdir()
    image = np.zeros((*SIZE[::-1], 3), np.uint8)
    image[12:36, 16:44] = 200
    Image.fromarray(image).save(folder / "0.png")
    segment(folder, tmp_path / "out", "--box", 10, 8, 40, 32, *GRABCUT)
    before = (tmp_path / "out/first_mask.png").read_bytes()
    out = ["--result_path", tmp_path / "out", "--whole_model_path", "stand-in", "--im_size", *SIZE]
    assert "boxes was" in error(
        capsys, osmn_segment.main, folder, *out, "--precision", "float32", "--box", 8, 6, 44, 36, *GRABCUT
    )
    assert (tmp_path / "out/first_mask.png").read_bytes() == before


def pictures(path, count, red):
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir()
    for number in range(count):
        Image.new("RGB", SIZE, (red, 10, number)).save(path / f"{number}.png")
    return path


def video(path, count, red):
    path.unlink(missing_ok=True)
    return make_video(path, [np.full((*SIZE[::-1], 3), red, np.uint8)] * count)


@pytest.mark.parametrize("finished", [True, False])
@pytest.mark.parametrize(("name", "make"), [("clip.mp4", video), ("frames", pictures)])
def test_results_of_what_a_video_was_before_it_was_changed_are_not_mixed_with_new_ones(
    tmp_path, capsys, monkeypatch, name, make, finished
):
    first = mask(tmp_path / "first.png", {1: (8, 8, 30, 30)})
    path = make(tmp_path / name, FRAMES, red=10)
    if finished:
        segment(path, tmp_path / "out", "--mask", first)
    else:
        shown = itertools.count()
        with monkeypatch.context() as patched, pytest.raises(SystemExit):
            patched.setattr(tracking, "overlay", lambda *given: stop() if next(shown) == 4 else overlay(*given))
            segment(path, tmp_path / "out", "--mask", first)
    before = files(tmp_path / "out")
    make(path, 3, red=60)
    with pytest.raises(SystemExit):
        segment(path, tmp_path / "out", "--mask", first, "--output_format", "boxes")
    assert f"{path} had another content); give another --result_path, or --overwrite" in capsys.readouterr().err
    assert files(tmp_path / "out") == before
    segment(path, tmp_path / "out", "--mask", first, "--overwrite")
    assert len(names(tmp_path / "out/masks")) == 3


def test_a_copy_of_a_video_in_its_place_is_the_same_and_so_are_results_that_do_not_say_what_they_are_of(
    clip, tmp_path, capsys
):
    first = mask(tmp_path / "first.png", {1: (8, 8, 30, 30)})
    segment(clip, tmp_path / "out", "--mask", first)
    content = clip.read_bytes()
    clip.unlink()
    clip.write_bytes(content)
    os.utime(clip, (0, 0))
    run = tmp_path / "out/run.json"
    for earlier in (False, True):  # Earlier versions did not note the content.
        made_by = sealed_json.from_json(run.read_text())
        if earlier:
            del made_by["options"]["input_content"]
        run.write_text(sealed_json.to_json(made_by))
        capsys.readouterr()
        segment(clip, tmp_path / "out", "--mask", first)
        assert "finished already" in capsys.readouterr().out
        assert len(sealed_json.from_json(run.read_text())["options"]["input_content"]) == 64
