"""Results are never written over what is read, and never over anything but a file."""

import os
import shutil

import numpy as np
import pytest
from PIL import Image

import davis_eval
import osmn_online_finetune
import osmn_segment
import osmn_train_eval
import ytvos_eval
import ytvos_merge_result
from helpers.scripts import error, words
from helpers.stand_ins import ColourKey, Follower, Pixelwise, stand_in
from helpers.trees import tree
from helpers.ytvos_videos import write_video
from osmn.errors import InputError
from osmn.files.atomic import replacing
from osmn.files.images import write_labels
from osmn.files.overlap import refuse_writing_over_inputs

NETWORK = ["--whole_model_path", "stand-in", "--im_size", 64, 48, "--precision", "float32"]


@pytest.fixture
def data(davis, tmp_path):
    """Return a DAVIS folder that a test may spoil."""
    return shutil.copytree(davis, tmp_path / "davis")


def refused(capsys, root, main, *arguments):
    """Run a script that must refuse, and leave every file under `root` as it was; return its line."""
    before = tree(root)
    line = error(capsys, main, *arguments)
    assert tree(root) == before
    return line


@pytest.mark.parametrize("place", ["Annotations/480p", "JPEGImages/480p", "elsewhere/../Annotations/480p"])
def test_results_of_davis_do_not_replace_annotations_or_frames(data, monkeypatch, capsys, place):
    stand_in(monkeypatch, ColourKey)
    arguments = ["--data_path", data, "--result_path", data / place, "--only_testing", *NETWORK]
    assert "would be written, but" in refused(capsys, data, osmn_train_eval.main, *arguments)


def test_a_link_to_the_annotations_is_them(data, tmp_path, monkeypatch, capsys):
    stand_in(monkeypatch, Follower)
    (tmp_path / "link").symlink_to(data / "Annotations/480p")
    arguments = ["--data_path", data, "--result_path", tmp_path / "link", "--only_testing", *NETWORK]
    assert "would be written, but" in refused(capsys, data, osmn_train_eval.main, *arguments)


def test_results_may_be_in_a_folder_of_their_own_within_the_data(data, monkeypatch):
    stand_in(monkeypatch, Follower)
    arguments = ["--data_path", data, "--result_path", data / "Results/480p", "--only_testing", *NETWORK]
    osmn_train_eval.main(words(*arguments))
    assert (data / "Results/480p/iou.txt").is_file()


def test_results_of_online_finetuning_do_not_replace_annotations(data, tmp_path, monkeypatch, capsys):
    stand_in(monkeypatch, Pixelwise)
    arguments = ["--data_path", data, "--result_path", data / "Annotations/480p", *NETWORK]
    arguments += ["--model_save_path", tmp_path / "models", "--training_iters", 1, "--batch_size", 1]
    assert "would be written, but" in refused(capsys, data, osmn_online_finetune.main, *arguments)
    assert not (tmp_path / "models").exists()


def test_pictures_of_what_was_scored_do_not_replace_annotations(data, tmp_path, capsys):
    results = shutil.copytree(data / "Annotations/480p", tmp_path / "results")
    arguments = [data, results, 2017, "val", data / "Annotations/480p"]
    assert "would be written, but" in refused(capsys, data, davis_eval.main, *arguments)
    assert "would be written, but" in refused(capsys, tmp_path, davis_eval.main, *arguments[:4], results / ".")


def test_merging_does_not_replace_annotations_or_what_is_merged(tmp_path, capsys):
    labels = np.ones((48, 64), np.uint8)
    write_video(tmp_path / "data/valid", "v", {0: labels, 5: labels}, {1: (0, 5)})
    results = tmp_path / "data/valid/Annotations"
    arguments = [tmp_path / "data", results, tmp_path / "data", "valid"]
    assert "would be written, but" in refused(capsys, tmp_path, ytvos_merge_result.main, *arguments)


@pytest.mark.parametrize(
    "place", ["data/valid/meta.json", "results/v/1/5.npy", "out/valid/Annotations/v/00005.png", "a"]
)
def test_the_archive_of_merged_results_replaces_nothing_that_is_no_archive(tmp_path, capsys, place):
    labels = np.ones((48, 64), np.uint8)
    write_video(tmp_path / "data/valid", "v", {0: labels, 5: labels}, {1: (0, 5)})
    write_labels(tmp_path / "results/v/00005.png", labels)
    arguments = [tmp_path / "data", tmp_path / "results", tmp_path / "out", "valid", "--zip"]
    line = refused(capsys, tmp_path, ytvos_merge_result.main, *arguments, tmp_path / place)
    assert line.endswith(f"{place} is not an archive's name; end it in .zip")


@pytest.mark.parametrize("split", ["../elsewhere", "/elsewhere", ".", "a/b", ".hidden", ""])
@pytest.mark.parametrize("main", [ytvos_merge_result.main, davis_eval.main, ytvos_eval.main])
def test_a_split_is_a_name_that_leads_nowhere_else(tmp_path, capsys, main, split):
    version = [2017] if main is davis_eval.main else [tmp_path] if main is ytvos_merge_result.main else []
    line = refused(capsys, tmp_path, main, tmp_path, tmp_path, *version, split)
    assert f"_SPLIT: {split!r} is not the name of a visible file or folder" in line


def test_masks_do_not_replace_the_frames_of_an_own_video(tmp_path, monkeypatch, capsys):
    stand_in(monkeypatch, Follower)
    frames = tmp_path / "out/masks"
    frames.mkdir(parents=True)
    for number in range(2):
        Image.new("RGB", (64, 48)).save(frames / f"{number}.png")
    labels = np.zeros((48, 64), np.uint8)
    labels[8:30, 8:30] = 1
    write_labels(tmp_path / "first.png", labels)
    arguments = [frames, "--mask", tmp_path / "first.png", "--result_path", tmp_path / "out", *NETWORK]
    assert "would be written, but" in refused(capsys, tmp_path, osmn_segment.main, *arguments)


def test_what_is_beside_or_above_is_apart(tmp_path):
    refuse_writing_over_inputs([tmp_path / "a"], [tmp_path / "a/b", tmp_path / "ab", tmp_path / "b"])
    for written in ("a", "a/b/c", "b/../a/x"):
        with pytest.raises(InputError, match=r"would be written, but \S+ is read; give another place"):
            refuse_writing_over_inputs([tmp_path / written], [tmp_path / "a"])


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo])
def test_only_files_are_replaced(tmp_path, make):
    make(tmp_path / "there")
    with pytest.raises(InputError, match="there is not a regular file"), replacing(tmp_path / "there") as temporary:
        temporary.write_text("never")
    assert [path.name for path in tmp_path.iterdir()] == ["there"]


def test_a_device_stays_one():
    with pytest.raises(InputError, match="/dev/full is not a regular file"), replacing("/dev/full"):
        pass
