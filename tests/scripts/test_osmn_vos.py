"""osmn_vos.py: videos in folders are segmented, scored and packed."""

import zipfile

import numpy as np
import pytest
from PIL import Image

import osmn_train_eval_ytvos
import osmn_vos
import ytvos_eval
import ytvos_merge_result
from helpers.folder_videos import box, write_frames, write_label_masks, write_own_masks
from helpers.scripts import error, words
from helpers.trees import tree
from helpers.ytvos_videos import SIZE as FRAME_SIZE
from helpers.ytvos_videos import VIDEOS, paint, write_video
from osmn.evaluation import presets
from osmn.files.images import read_labels
from osmn.results.manifest import read_run

ONE, TWO = box(4, 4, 30, 24), box(36, 20, 24, 20)
NAMES = [f"{number:05d}" for number in range(5)]
TRUTH = [{1: ONE}, {1: ONE}, *[{1: ONE, 2: TWO}] * 3]
MODEL = ("--whole_model_path", "models/osmn_lite")
SMALL = ("--im_size", 64, 48)

pytestmark = pytest.mark.usefixtures("follower")


@pytest.fixture
def mose(tmp_path):
    """A folder of MOSE's layout whose second object comes in the third frame."""
    root = tmp_path / "MOSE"
    write_frames(root / "valid/JPEGImages/00f7ab12", TRUTH, NAMES)
    write_label_masks(root / "valid/Annotations/00f7ab12", TRUTH, NAMES)
    return root


def run(*arguments):
    osmn_vos.main(words(*arguments))


def test_an_object_that_comes_later_is_followed_from_its_first_mask_on(mose, tmp_path, capsys):
    run(mose, "--dataset", "mose", "--rule", "lvos", *SMALL, "--result_path", tmp_path / "out")
    merged = [set(np.unique(read_labels(tmp_path / f"out/00f7ab12/{name}.png"))) for name in NAMES]
    assert [2 in labels for labels in merged] == [False, False, True, True, True]
    printed = capsys.readouterr().out.splitlines()
    assert printed[-1] == "objects given by the first mask: 1, later: 1"
    assert any(line.startswith("J&F: ") for line in printed)


def test_a_rule_that_leaves_late_objects_out_says_so(mose, tmp_path, capsys):
    run(mose, "--dataset", "mose", *SMALL, "--result_path", tmp_path / "out")
    expected = "objects given by the first mask: 1, later: 1, which the rule of davis leaves out of the scores"
    assert capsys.readouterr().out.splitlines()[-1] == expected


def test_later_masks_change_no_result(mose, tmp_path):
    run(mose, "--dataset", "mose", *SMALL, "--result_path", tmp_path / "out")
    for name in NAMES[3:]:
        write_label_masks(mose / "valid/Annotations/00f7ab12", [{1: TWO, 2: ONE}], [name])
    run(mose, "--dataset", "mose", *SMALL, "--result_path", tmp_path / "again")
    for name in NAMES:
        first, second = (tmp_path / f"{folder}/00f7ab12/{name}.png" for folder in ("out", "again"))
        assert first.read_bytes() == second.read_bytes()


def test_only_first_masks_are_segmented_and_packed_without_scores(mose, tmp_path, capsys):
    for name in NAMES[1:]:
        (mose / f"valid/Annotations/00f7ab12/{name}.png").unlink()
    run(mose, "--dataset", "mose", *SMALL, "--result_path", tmp_path / "out", "--zip", tmp_path / "mose.zip")
    with zipfile.ZipFile(tmp_path / "mose.zip") as archive:
        assert archive.namelist() == [f"00f7ab12/{name}.png" for name in NAMES]
        with archive.open("00f7ab12/00003.png") as file:
            assert Image.open(file).mode == "P"
    assert "there are no masks to score them by" in capsys.readouterr().out


def test_archives_of_lvos_lie_in_a_folder_annotations(mose, tmp_path):
    run(mose, "--dataset", "lvos", *SMALL, "--result_path", tmp_path / "out", "--zip", tmp_path / "lvos.zip")
    with zipfile.ZipFile(tmp_path / "lvos.zip") as archive:
        assert archive.namelist() == [f"Annotations/00f7ab12/{name}.png" for name in NAMES]


@pytest.fixture
def sav(tmp_path):
    """A folder of SA-V's layout: overlapping objects, every other frame annotated."""
    root = tmp_path / "sav"
    write_frames(root / "JPEGImages_24fps/sav_000102", [{1: ONE}] * 5, NAMES)
    annotated = NAMES[::2]
    write_own_masks(
        root / "Annotations_6fps/sav_000102", [{1: ONE, 2: box(4, 4, 12, 24)}] * 3, annotated, {1: "000", 2: "001"}
    )
    (root / "sav_val.txt").write_text("sav_000102\n")
    return root


def test_overlapping_objects_are_scored_and_packed_each_alone(sav, tmp_path, capsys):
    run(sav, "--dataset", "sav", *SMALL, "--result_path", tmp_path / "out", "--zip", tmp_path / "sav.zip")
    with zipfile.ZipFile(tmp_path / "sav.zip") as archive:
        wanted = {f"sav_000102/{name}/{frame}.png" for name in ("000", "001") for frame in NAMES}
        assert set(archive.namelist()) == wanted
        with archive.open("sav_000102/001/00000.png") as file:
            np.testing.assert_array_equal(np.asarray(Image.open(file)), box(4, 4, 12, 24))
    printed = capsys.readouterr().out
    assert "sav_000102/000" in printed and "sav_000102/001" in printed


def test_davis_2016_is_one_object_packed_at_the_size_of_its_mask(tmp_path):
    root = tmp_path / "DAVIS"
    write_frames(root / "JPEGImages/480p/bear", TRUTH, NAMES)
    write_label_masks(root / "Annotations/480p/bear", TRUTH, NAMES)
    (root / "ImageSets/2016").mkdir(parents=True)
    (root / "ImageSets/2016/val.txt").write_text("bear\n")
    places = ("--result_path", tmp_path / "out", "--zip", tmp_path / "out.zip")
    run(root, "--dataset", "davis2016", "--im_size", 32, 32, *places)
    with zipfile.ZipFile(tmp_path / "out.zip") as archive:
        assert archive.namelist() == [f"bear/{name}.png" for name in NAMES]
        with archive.open("bear/00000.png") as file:
            np.testing.assert_array_equal(np.asarray(Image.open(file)), ONE)
        with archive.open("bear/00003.png") as file:
            assert Image.open(file).size == (64, 48)
    assert (tmp_path / "out/per_object.csv").read_text().splitlines()[1].startswith("bear,1,3,")


def test_davis_2016_as_its_authors_first_shipped_it_has_a_list_of_paths(tmp_path, capsys):
    root = tmp_path / "DAVIS"
    for name in ("bear", "camel"):
        write_frames(root / f"JPEGImages/480p/{name}", TRUTH, NAMES)
        write_label_masks(root / f"Annotations/480p/{name}", TRUTH, NAMES)
    (root / "ImageSets/480p").mkdir(parents=True)
    lines = [f"/JPEGImages/480p/camel/{name}.jpg /Annotations/480p/camel/{name}.png \n" for name in NAMES]
    (root / "ImageSets/480p/val.txt").write_text("".join(lines))
    run(root, "--dataset", "davis2016", "--im_size", 32, 32, "--result_path", tmp_path / "out")
    assert "camel/1" in capsys.readouterr().out and not (tmp_path / "out/bear").exists()


def test_frames_keep_their_shape_at_a_short_side(mose, tmp_path):
    run(mose, "--dataset", "mose", "--short_side", 32, "--result_path", tmp_path / "out")
    assert read_labels(tmp_path / "out/00f7ab12/1/00003.png").shape == (32, 43)  # Of 64x48: 42.7.
    assert read_labels(tmp_path / "out/00f7ab12/00003.png").shape == (48, 64)
    assert read_run(tmp_path / "out")["options"]["short_side"] == 32


def test_the_short_side_of_the_videos_themselves_gives_the_results_of_their_size(mose, tmp_path):
    run(mose, "--dataset", "mose", *SMALL, "--result_path", tmp_path / "sized")
    run(mose, "--dataset", "mose", "--short_side", 48, "--result_path", tmp_path / "out")
    assert tree(tmp_path / "out/00f7ab12") == tree(tmp_path / "sized/00f7ab12")


@pytest.mark.parametrize(
    ("short_side", "said"),
    [
        (32, "frames keep their shape, at a short side of 32 pixels (--short_side sets it)"),
        (60, "at a short side of 60 pixels; 1 of 1 videos are smaller, and are enlarged (--short_side sets it)"),
    ],
)
def test_a_line_says_the_short_side_and_which_videos_are_enlarged(mose, tmp_path, capsys, short_side, said):
    run(mose, "--dataset", "mose", "--short_side", short_side, "--result_path", tmp_path / "out")
    assert said in capsys.readouterr().out


def test_windows_are_seen_unless_whole_frames_are_asked_for_or_images_have_one_size(mose, tmp_path):
    windows = {}
    for name, more in {"default": (), "whole": ("--no_window",), "padded": ("--aligned_size", 64, 64)}.items():
        run(mose, "--dataset", "mose", *SMALL, "--result_path", tmp_path / name, *more)
        windows[name] = read_run(tmp_path / name)["options"].get("window", False)
    assert windows == {"default": True, "whole": False, "padded": False}


def test_the_same_command_again_leaves_finished_videos_out_and_scores_them(mose, tmp_path, capsys):
    command = (mose, "--dataset", "mose", *SMALL, "--result_path", tmp_path / "out")
    run(*command)
    first = capsys.readouterr().out
    run(*command)
    second = capsys.readouterr().out
    assert "1 of 1 videos are finished" in second
    assert [line for line in first.splitlines() if line.startswith("J")] == [
        line for line in second.splitlines() if line.startswith("J")
    ]


def test_results_can_be_scored_alone_with_a_report(mose, tmp_path, capsys):
    run(mose, "--dataset", "mose", *SMALL, "--result_path", tmp_path / "out")
    run(mose, "--dataset", "mose", "--result_path", tmp_path / "out", "--only_scoring", "--report")
    assert (tmp_path / "out/report.html").is_file()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--dataset", "mose"), "give DATA_PATH, the folder of mose"),
        (("--frames", "F"), "give DATA_PATH and --dataset NAME, or --frames FOLDER and --masks FOLDER"),
        (("nope", "--dataset", "vost"), "nope/JPEGImages_10fps does not exist, as vost has it; check DATA_PATH"),
        (("--frames", "F", "--masks", "M", "--zip", "a.tar"), "a.tar is not an archive's name; end it in .zip"),
        (("--frames", "F", "--masks", "M"), "M does not exist; check the data path"),
    ],
)
def test_what_is_wrong_is_one_line(tmp_path, capsys, arguments, said):
    assert said in error(capsys, osmn_vos.main, *arguments, "--result_path", tmp_path / "out")


def test_the_dataset_that_a_folder_looks_like_is_named(sav, tmp_path, capsys):
    line = error(capsys, osmn_vos.main, sav, "--dataset", "vost", "--result_path", tmp_path / "out")
    assert f"{sav / 'JPEGImages_10fps'} does not exist, as vost has it; {sav} looks like sav;" in line


def layout(root, *paths):
    """Make a folder of a dataset's layout, without videos: paths that end in "/" are folders, others empty files."""
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        if path.endswith("/"):
            (root / path).mkdir(parents=True, exist_ok=True)
        else:
            (root / path).touch()
    return root


SPLIT_FIRST = ("valid/JPEGImages/", "valid/Annotations/")


@pytest.mark.parametrize(
    ("paths", "given", "dataset", "said"),
    [
        (SPLIT_FIRST, "valid", "mose", "{root} looks like mose;"),
        (SPLIT_FIRST, "", "davis2017", "{root} looks like mose;"),
        ((*SPLIT_FIRST, "valid/meta.json"), "", "vost", "{root} looks like ytvos;"),
        ((*SPLIT_FIRST, "valid/valid_meta.json"), "", "ytvos", "{root} looks like lvos;"),
        ((*SPLIT_FIRST, "meta_valid.json"), "", "ytvos", "{root} looks like mosev2;"),
        (("sav_val/JPEGImages_24fps/", "sav_val/Annotations_6fps/"), "", "sav", "{root}/sav_val looks like sav;"),
        (
            ("uvo_videos_dense/", "VideoDenseSet/UVO_video_val_dense.json"),
            "",
            "uvo",
            "osmn_import.py frames {root}/uvo_videos_dense {root}/uvo_videos_dense_frames makes it",
        ),
        (
            ("JPEGImages/480p/", "Annotations/480p/", "ImageSets/2017/test-dev.txt"),
            "",
            "mose",
            "{root} looks like davis2017;",
        ),
        (
            ("JPEGImages/480p/", "Annotations/480p/", "ImageSets/2017/test-dev.txt"),
            "",
            "davis2017",
            "2017/val.txt does not exist; give --list the file that names the videos, or --split one of test-dev",
        ),
    ],
)
def test_what_a_folder_or_one_near_it_looks_like_is_said(tmp_path, capsys, paths, given, dataset, said):
    root = layout(tmp_path / "data", *paths)
    line = error(capsys, osmn_vos.main, root / given, "--dataset", dataset, "--result_path", tmp_path / "out")
    assert said.format(root=root) in line


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ([], "{folder}/frames does not exist"),
        (["--split", "val"], "--split val is of a --dataset; for folders, --list FILE names their videos"),
    ],
)
def test_of_folders_what_is_wrong_is_named(tmp_path, capsys, more, said):
    (tmp_path / "masks/clip").mkdir(parents=True)
    folders = ["--frames", tmp_path / "frames", "--masks", tmp_path / "masks", "--result_path", tmp_path / "out"]
    assert said.format(folder=tmp_path) in error(capsys, osmn_vos.main, *folders, *more)


def test_a_file_of_another_dataset_is_said(mose, tmp_path, capsys):
    (mose / "valid/valid_meta.json").touch()
    run(mose, "--dataset", "mose", *SMALL, "--result_path", tmp_path / "out")
    assert "valid/valid_meta.json is that of lvos: --dataset lvos takes" in capsys.readouterr().err


def test_a_rule_that_counts_no_object_at_all_says_which_one_would(mose, tmp_path, capsys):
    write_label_masks(mose / "valid/Annotations/00f7ab12", [{}], NAMES[:1])
    line = error(capsys, osmn_vos.main, mose, "--dataset", "mose", *SMALL, "--result_path", tmp_path / "out")
    assert "has nothing that the rule davis counts, of objects of the first annotated frames; try --rule ytvos" in line


def test_a_frame_of_another_size_is_named(mose, tmp_path, capsys):
    path = mose / f"valid/JPEGImages/00f7ab12/{NAMES[3]}.png"
    Image.open(path).resize((48, 64)).save(path)
    out = ("--short_side", 48, "--result_path", tmp_path / "out")
    line = error(capsys, osmn_vos.main, mose, "--dataset", "mose", *out)
    assert f"{path}: this frame is 48x64, the frames before it 64x48" in line


def test_youtube_vos_gets_the_results_scores_and_archive_of_its_own_scripts(tmp_path, capsys):
    for name, (frames, listed) in VIDEOS.items():
        write_video(tmp_path / "YTVOS/valid", name, {n: paint(boxes) for n, boxes in frames.items()}, listed)
    data, out, own = tmp_path / "YTVOS", tmp_path / "out", tmp_path / "own"
    small = (*MODEL, "--im_size", *FRAME_SIZE)
    run(data, "--dataset", "ytvos", *small, "--result_path", out, "--zip", tmp_path / "out.zip")
    printed = capsys.readouterr().out.splitlines()
    osmn_train_eval_ytvos.main(words("--only_testing", "--data_path", data, *small, "--result_path", own))
    ytvos_merge_result.main(words(data, own, tmp_path / "merged", "valid", "--zip", tmp_path / "own.zip"))
    capsys.readouterr()
    ytvos_eval.main(words(data, own, "valid"))
    assert [line for line in capsys.readouterr().out.splitlines() if line.startswith("G:")] == printed[-2:-1]
    assert tree(out) == tree(own)
    assert (tmp_path / "out.zip").read_bytes() == (tmp_path / "own.zip").read_bytes()
    assert printed[-1] == "objects given by the first mask: 23, later: 2"


def test_a_split_of_youtube_vos_with_first_masks_alone_is_not_scored(tmp_path, capsys):
    data = tmp_path / "YTVOS"
    write_video(data / "valid", "v", {n: paint({1: (2, 2, 10, 10)}) for n in (0, 5)}, {1: (0, 5)})
    (data / "valid/Annotations/v/00005.png").unlink()
    run(data, "--dataset", "ytvos", *MODEL, "--im_size", *FRAME_SIZE, "--result_path", tmp_path / "out")
    assert "there are no masks to score them by" in capsys.readouterr().out


def test_what_meta_json_says_of_youtube_vos_is_not_said_again(tmp_path, capsys):
    line = error(
        capsys, osmn_vos.main, tmp_path, "--dataset", "ytvos", "--rule", "davis", "--result_path", tmp_path / "out"
    )
    assert "--rule does nothing for ytvos, whose meta.json says it; leave it out" in line


def test_a_dataset_that_nobody_has_seen_is_a_row(tmp_path, capsys, monkeypatch):
    row = presets.Preset("clips/{split}/rgb", "clips/{split}/ids", "{split}.lst", "dev", "lvos", "annotations")
    monkeypatch.setitem(presets.PRESETS, "vost", row)
    write_frames(tmp_path / "NEW/clips/dev/rgb/park", TRUTH, NAMES)
    write_label_masks(tmp_path / "NEW/clips/dev/ids/park", TRUTH, NAMES)
    (tmp_path / "NEW/dev.lst").write_text("park\n")
    places = ("--result_path", tmp_path / "out", "--zip", tmp_path / "out.zip")
    run(tmp_path / "NEW", "--dataset", "vost", *SMALL, *places)
    printed = capsys.readouterr().out.splitlines()
    assert printed[-1] == "objects given by the first mask: 1, later: 1"
    assert any(line.startswith("J&F: ") for line in printed)
    with zipfile.ZipFile(tmp_path / "out.zip") as archive:
        assert archive.namelist() == [f"Annotations/park/{name}.png" for name in NAMES]
