"""`osmn_train_eval.py` as its users call it: training, testing, mistakes."""

import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

import osmn_segment
import osmn_train_eval
from helpers import ROOT
from helpers.clips import LOSSLESS, make_video
from helpers.processes import interruptible
from helpers.scripts import error, words
from helpers.trees import tree
from osmn.files.images import read_image, read_labels
from osmn.files.scores import read_scores

LITE = ["--base_model", "lite", "--mean_value", "127.5", "127.5", "127.5", "--scale_value", "0.00787"]
TINY = [*LITE, "--im_size", "64", "48", "--precision", "float32"]


@pytest.fixture(scope="module")
def trained(davis, tmp_path_factory):
    """Train `lite` for two steps, segment and score; return the folder of `model` and `results`."""
    folder = tmp_path_factory.mktemp("trained")
    paths = ["--data_path", davis, "--model_save_path", folder / "model", "--result_path", folder / "results"]
    options = ["--training_iters", 2, "--batch_size", 2, "--data_aug_scales", 1, "--learning_rate", 0.001]
    osmn_train_eval.main(words(*paths, *TINY, *options, "--save_score"))
    yield folder
    shutil.rmtree(folder / "model")  # Hundreds of megabytes.


def test_training_leaves_a_checkpoint_summaries_masks_and_scores(davis, trained):
    assert (trained / "model/osmn.ckpt-2.index").exists()
    assert list((trained / "model").glob("events.out.tfevents.*"))
    val = (davis / "ImageSets/2017/val.txt").read_text().split()
    for name, objects in zip(val, (1, 2), strict=True):
        for folder in (".", *range(1, objects + 1)):
            masks = sorted((trained / "results" / name / str(folder)).glob("*.png"))
            assert [path.stem for path in masks] == [f"{number:05d}" for number in range(5)]
    lines = (trained / "results/iou.txt").read_text().splitlines()
    assert len(lines) == 4  # Three objects, and all.
    assert lines[-1].startswith("all ")


def test_testing_a_folder_of_checkpoints_gives_the_same_bytes_and_prints_the_miu(davis, trained, tmp_path, capsys):
    testing = ["--data_path", davis, "--only_testing", "--whole_model_path", trained / "model", *TINY]
    osmn_train_eval.main(words(*testing, "--result_path", tmp_path, "--save_score"))
    assert tree(tmp_path) == tree(trained / "results")
    score = (tmp_path / "iou.txt").read_text().split()[-1]
    assert capsys.readouterr().out.splitlines()[-1] == f"mIU: {float(score):.3f}"
    for path in tmp_path.rglob("*.npy"):
        scores = read_scores(path)
        assert scores.shape == (48, 64)
        np.testing.assert_array_equal(read_labels(path.with_suffix(".png")), 255 * (scores > 0.5))


def test_a_trained_model_says_itself_what_it_is(davis, trained, tmp_path, capsys):
    testing = ["--data_path", davis, "--only_testing", "--whole_model_path", trained / "model"]
    osmn_train_eval.main(words(*testing, "--result_path", tmp_path, "--im_size", 64, 48, "--save_score"))
    assert f"lite of {trained / 'model/osmn.ckpt-2'}, 64x48, float32, " in capsys.readouterr().out
    assert tree(tmp_path) == tree(trained / "results")


@pytest.mark.parametrize("size", [(64, 48), (96, 64)])
def test_a_lossless_video_gets_the_masks_that_its_frames_get_as_a_dataset(davis, trained, tmp_path, size):
    testing = ["--data_path", davis, "--only_testing", "--whole_model_path", trained / "model", "--im_size", *size]
    osmn_train_eval.main(words(*testing, "--result_path", tmp_path / "dataset"))
    name = (davis / "ImageSets/2017/val.txt").read_text().split()[1]  # The one with two objects.
    frames = map(read_image, sorted((davis / "JPEGImages/480p" / name).glob("*.jpg")))
    clip = make_video(tmp_path / "clip.mkv", frames, **LOSSLESS)
    first = davis / "Annotations/480p" / name / "00000.png"
    options = ["--mask", first, "--whole_model_path", trained / "model", "--im_size", *size, "--no_target_model"]
    osmn_segment.main(words(clip, *options, "--result_path", tmp_path / "video"))
    masks = sorted((tmp_path / "video/masks").iterdir())
    assert len(masks) == 5
    seen = set()
    for ours, theirs in zip(masks, sorted((tmp_path / "dataset" / name).glob("*.png")), strict=True):
        np.testing.assert_array_equal(read_labels(ours), read_labels(theirs))
        seen |= set(np.unique(read_labels(ours)))
    assert seen == {0, 1, 2}


def test_an_option_that_contradicts_the_models_configuration_is_one_line(davis, trained, tmp_path, capsys):
    testing = ["--data_path", davis, "--only_testing", "--whole_model_path", trained / "model"]
    line = error(capsys, osmn_train_eval.main, *testing, "--result_path", tmp_path, "--base_model", "osvos")
    assert f"--base_model osvos contradicts {trained}/model/osmn.ckpt-2.json, which says lite" in line
    assert not list(tmp_path.iterdir())


def test_a_split_without_annotations_is_segmented_and_not_scored(davis, trained, tmp_path, capsys):
    data = tmp_path / "davis"
    shutil.copytree(davis, data)
    for name in (data / "ImageSets/2017/val.txt").read_text().split():
        for path in (data / "Annotations/480p" / name).glob("0000[1-4].png"):
            path.unlink()
    testing = ["--data_path", data, "--only_testing", "--whole_model_path", trained / "model", *TINY]
    osmn_train_eval.main(words(*testing, "--result_path", tmp_path / "results"))
    assert f"masks are in {tmp_path / 'results'}" in capsys.readouterr().out
    assert tree(tmp_path / "results", "*.png") == tree(trained / "results", "*.png")
    assert not (tmp_path / "results/iou.txt").exists()


def test_training_from_random_weights_is_said_once(davis, trained, tmp_path, capsys):
    said = "no --whole_model_path: training starts from random weights"
    paths = ["--data_path", davis, "--result_path", tmp_path / "results"]
    nothing = [*paths, *TINY, "--no_visual_modulator", "--training_iters", 0]
    osmn_train_eval.main(words(*nothing, "--model_save_path", tmp_path / "model"))
    assert said in capsys.readouterr().out.splitlines()
    finished = [*paths, "--model_save_path", trained / "model", *TINY, "--training_iters", 2]
    osmn_train_eval.main(words(*finished))
    assert said not in capsys.readouterr().out


def test_paths_that_must_be_given_are_named(capsys):
    assert "--result_path and --model_save_path must be given" in error(capsys, osmn_train_eval.main)
    assert "--whole_model_path must be given" in error(
        capsys, osmn_train_eval.main, "--only_testing", "--result_path", "r"
    )


def test_a_missing_dataset_is_named(tmp_path, capsys):
    line = error(capsys, osmn_train_eval.main, "--data_path", tmp_path, "--result_path", "r", "--model_save_path", "m")
    assert f"{tmp_path}/ImageSets/2017/val.txt does not exist" in line


def test_missing_preprocessing_is_named(davis, tmp_path, capsys):
    shutil.copytree(davis, tmp_path / "davis", ignore=shutil.ignore_patterns("480p_split"))
    paths = ["--data_path", tmp_path / "davis", "--result_path", tmp_path / "r", "--model_save_path", tmp_path / "m"]
    assert "run python preprocessing/preprocess_davis.py" in error(capsys, osmn_train_eval.main, *paths, *TINY)


@pytest.mark.parametrize("model", ["nowhere", "."])
def test_a_missing_model_is_named(davis, tmp_path, capsys, model):
    testing = ["--data_path", davis, "--only_testing", "--result_path", tmp_path / "results", *TINY]
    line = error(capsys, osmn_train_eval.main, *testing, "--whole_model_path", tmp_path / model)
    assert str(tmp_path / model) in line
    assert not (tmp_path / "results").exists()


def cut(path):
    path.write_bytes(path.read_bytes()[:300])


def test_a_damaged_frame_in_testing_is_named(davis, trained, tmp_path, capsys):
    shutil.copytree(davis, tmp_path / "davis")
    name = (davis / "ImageSets/2017/val.txt").read_text().split()[0]
    cut(tmp_path / f"davis/JPEGImages/480p/{name}/00003.jpg")
    testing = ["--only_testing", "--whole_model_path", trained / "model", *TINY]
    line = error(
        capsys, osmn_train_eval.main, "--data_path", tmp_path / "davis", "--result_path", tmp_path / "results", *testing
    )
    assert f"{name}/00003.jpg is not a readable image" in line
    for path in (tmp_path / "results").rglob("*.png"):
        read_labels(path)  # What is there is whole.


def test_a_damaged_frame_in_training_is_named(davis, tmp_path, capsys):
    shutil.copytree(davis, tmp_path / "davis")
    split = tmp_path / "davis/ImageSets/2017/train.txt"
    name = split.read_text().split()[0]
    split.write_text(f"{name}\n")
    cut(tmp_path / f"davis/JPEGImages/480p/{name}/00003.jpg")
    paths = ["--data_path", tmp_path / "davis", "--result_path", tmp_path / "r", "--model_save_path", tmp_path / "m"]
    # The sequence has four pairs: all are in the first batch.
    line = error(
        capsys, osmn_train_eval.main, *paths, *TINY, "--batch_size", 4, "--training_iters", 2, "--no_visual_modulator"
    )
    assert f"{name}/00003.jpg is not a readable image" in line
    assert not list((tmp_path / "m").glob("osmn.ckpt*"))


def test_an_interrupted_test_run_leaves_no_half_written_file(davis, trained, tmp_path):
    results = tmp_path / "results"
    testing = ["--data_path", davis, "--only_testing", "--whole_model_path", trained / "model", *TINY]
    command = words(sys.executable, ROOT / "osmn_train_eval.py", *testing, "--result_path", results, "--save_score")
    with interruptible():
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    with process:
        while process.poll() is None and not list(results.rglob("00001.png")):
            time.sleep(0.005)
        process.send_signal(signal.SIGINT)
        assert process.wait(60) != 0
    whole, written = tree(trained / "results"), tree(results)
    assert 0 < len(written) < len(whole)
    assert all(whole[name] == content for name, content in written.items())
