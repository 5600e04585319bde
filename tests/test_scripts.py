"""The scripts as their users call them: `main([...])` and the command line."""

import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from test_video import LOSSLESS, make_video
from trees import tree

import osmn_coco_pretrain
import osmn_online_finetune
import osmn_segment
import osmn_train_eval
import osmn_train_eval_ytvos
from osmn.cli.options import model_options
from osmn.config import ModelConfig, resolve
from osmn.files.images import read_image, read_labels
from osmn.files.scores import read_scores

ROOT = Path(__file__).resolve().parent.parent
SCRIPTS = sorted(
    str(path.relative_to(ROOT))
    for path in (*ROOT.glob("*.py"), *ROOT.glob("preprocessing/*.py"))
    if path.name not in ("demo.py", "__init__.py")
)
LITE = ["--base_model", "lite", "--mean_value", "127.5", "127.5", "127.5", "--scale_value", "0.00787"]
TINY = [*LITE, "--im_size", "64", "48", "--precision", "float32"]


def words(*arguments):
    return [str(word) for word in arguments]


def error(capsys, *arguments, script=osmn_train_eval):
    """Return the line with which a script refuses its arguments."""
    with pytest.raises(SystemExit) as stopped:
        script.main(words(*arguments))
    assert stopped.value.code == 2
    stderr = capsys.readouterr().err
    assert "Traceback" not in stderr
    (line,) = [line for line in stderr.splitlines() if line.startswith("error: ")]
    assert stderr.endswith(f"{line}\n")
    return line


# -- Every script -----------------------------------------------------------------------------------------------------

HELP = """
import runpy, sys
try:
    runpy.run_path(sys.argv[0], run_name="__main__")
except SystemExit as stopped:
    sys.exit(stopped.code or ("TensorFlow was imported" if "tensorflow" in sys.modules else 0))
"""


@pytest.mark.parametrize("script", SCRIPTS)
def test_help_is_shown_without_importing_tensorflow(script):
    code = HELP.replace("import runpy, sys", f"import runpy, sys; sys.argv = [{script!r}, '-h']")
    shown = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.startswith("usage: ")
    assert shown.stderr == ""


PUBLISHED_DEFAULTS = {
    **{"im_size": [854, 480], "data_aug_scales": [0.5, 0.8, 1]},
    **{"vg_random_crop_ratio": 0.1, "vg_pad_ratio": 0.03, "vg_random_rotate_angle": 10},
    **{"sg_center_perturb_ratio": 0.2, "sg_std_perturb_ratio": 0.4},
    **{"batch_size": 8, "gpu_id": [0], "training_iters": 200000, "save_iters": 1000, "learning_rate": 1e-5},
    **{"max_to_keep": 2, "display_iters": 20, "data_version": 2017, "test_split": "val"},
    **{"label_valid_ratio": 0.003, "bbox_valid_ratio": 0.2},
}
PUBLISHED_SWITCHES = (
    *("fix_bn", "fix_seg", "crf_postprocessing", "vg_color_aug", "save_score"),
    *("use_image_summary", "only_testing", "restart_training", "use_full_res", "randomize_guide"),
)
PUBLISHED_MODEL_SWITCHES = (
    *("mod_early_conv", "no_spatial_modulator", "no_visual_modulator", "bbox_sup", "use_original_mask"),
    "vg_keep_aspect_ratio",
)


def test_options_have_the_published_names_and_defaults():
    args = vars(osmn_train_eval.parse(["--result_path", "r", "--model_save_path", "m"]))
    assert {name: args[name] for name in PUBLISHED_DEFAULTS} == PUBLISHED_DEFAULTS
    assert not any(args[name] for name in PUBLISHED_SWITCHES)
    switched = [f"--{name}" for name in PUBLISHED_SWITCHES]
    args = vars(osmn_train_eval.parse(["--result_path", "r", "--whole_model_path", "w", *switched]))
    assert all(args[name] for name in PUBLISHED_SWITCHES)


def test_options_of_the_model_have_the_published_names_and_the_models_own_values_where_not_given():
    args = osmn_train_eval.parse(["--result_path", "r", "--model_save_path", "m"])
    assert model_options(args) == {}
    assert resolve({}, None, None) == ModelConfig("osvos", mean_value=(104, 117, 123), scale_value=1)
    values = ["--base_model", "lite", "--aligned_size", "480", "480", "--mean_value", "1", "2", "3"]
    switched = [*values, "--scale_value", "0.5", *(f"--{name}" for name in PUBLISHED_MODEL_SWITCHES)]
    args = osmn_train_eval.parse(["--result_path", "r", "--model_save_path", "m", *switched])
    given = {"base_model": "lite", "aligned_size": (480, 480), "mean_value": (1, 2, 3), "scale_value": 0.5}
    assert model_options(args) == given | dict.fromkeys(PUBLISHED_MODEL_SWITCHES, True)


NEW_DEFAULTS = {  # As published: nothing of it.
    **{"lr_schedule": "constant", "warmup_iters": 0, "loss": "balanced", "ema": None},
    **{"distractors": 0, "own_masks": 0, "flip_target": False, "coco_path": [], "random_crop_ratio": 0},
}


def test_new_options_of_training_default_to_what_is_published():
    paths = ["--result_path", "r", "--model_save_path", "m"]
    for parse in (osmn_train_eval.parse, osmn_train_eval_ytvos.parse):
        args = vars(parse(paths))
        assert {name: args[name] for name in NEW_DEFAULTS} == NEW_DEFAULTS
    args = osmn_coco_pretrain.parse(["--model_save_path", "m"])
    assert (args.data_path, args.data_shares, args.embedding_start) == (["data/COCO"], None, "published")


TRAINING = ("--lr_schedule", "--warmup_iters", "--loss", "--ema")
STILLS = ("--distractors", "--own_masks", "--random_crop_ratio")
VIDEOS = (*STILLS, "--flip_target", "--coco_path", "--coco_share")


@pytest.mark.parametrize(
    "script, options",
    [
        (osmn_coco_pretrain, (*TRAINING, *STILLS, "--data_shares", "--embedding_start")),
        (osmn_train_eval, (*TRAINING, *VIDEOS)),
        (osmn_train_eval_ytvos, (*TRAINING, *VIDEOS, "--embedding_start")),
        (osmn_online_finetune, TRAINING),
    ],
)
def test_help_explains_the_new_options_of_training(capsys, script, options):
    with pytest.raises(SystemExit):
        script.main(["-h"])
    shown = capsys.readouterr().out
    for option in options:
        # After the option and its values, on its line or the next, some words.
        assert re.search(rf"^  {option}\b[^\n]*(\n +|  +)[A-Za-z][^\n]* [a-z]", shown, re.M), option


def test_help_shows_defaults_and_none_where_there_is_none(capsys):
    with pytest.raises(SystemExit):
        osmn_train_eval.main(["-h"])
    shown = " ".join(capsys.readouterr().out.split())
    assert "(default: [854, 480])" in shown and "(default: val)" in shown and "(default: 0)" in shown
    assert not re.search(r"\(default: (\[\]|None)?\)", shown)


@pytest.mark.parametrize("value", ["1", "1.5", "-0.1", "nan"])
def test_a_decay_is_from_0_to_below_1(capsys, value):
    with pytest.raises(SystemExit) as stopped:
        osmn_coco_pretrain.main(["--model_save_path", "m", "--ema", value])
    assert stopped.value.code == 2
    assert f"argument --ema: {value} is not " in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize("option, value", [("--learning_rate", "nan"), ("--distractors", "nan"), ("--scale", "inf")])
def test_numbers_that_are_none_are_refused(capsys, option, value):
    option = {"--scale": "--data_aug_scales"}.get(option, option)
    with pytest.raises(SystemExit) as stopped:
        osmn_coco_pretrain.main(["--model_save_path", "m", option, value])
    assert stopped.value.code == 2
    assert f"argument {option}: {value} is not " in capsys.readouterr().err.splitlines()[-1]


def test_options_that_would_do_nothing_are_refused(capsys):
    for script, paths in (
        (osmn_coco_pretrain, ["--model_save_path", "m"]),
        (osmn_train_eval_ytvos, ["--model_save_path", "m", "--result_path", "r"]),
    ):
        small = [*paths, "--embedding_start", "small"]
        for more in ([], ["--base_model", "lite", "--no_visual_modulator"]):
            line = error(capsys, *small, *more, script=script)
            assert "--embedding_start small is for the visual modulator of --base_model lite" in line
        line = error(capsys, *small, "--base_model", "lite", "--whole_model_path", "w", script=script)
        assert "--embedding_start small does nothing to the weights of --whole_model_path" in line
    testing = ["--only_testing", "--whole_model_path", "w", "--result_path", "r"]
    assert osmn_train_eval_ytvos.parse([*testing, "--embedding_start", "small"])


def test_shares_of_another_number_than_there_are_folders_are_refused(capsys):
    paths = ["--model_save_path", "m", "--data_path", "a", "b", "--data_shares", 1]
    line = error(capsys, *paths, script=osmn_coco_pretrain)
    assert line == "error: --data_shares has 1 numbers; give one for each --data_path: 2"


# -- osmn_train_eval.py -----------------------------------------------------------------------------------------------


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
    options = ["--mask", first, "--whole_model_path", trained / "model", "--im_size", *size]
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
    line = error(capsys, *testing, "--result_path", tmp_path, "--base_model", "osvos")
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
    assert "--result_path and --model_save_path must be given" in error(capsys)
    assert "--whole_model_path must be given" in error(capsys, "--only_testing", "--result_path", "r")


def test_a_missing_dataset_is_named(tmp_path, capsys):
    line = error(capsys, "--data_path", tmp_path, "--result_path", "r", "--model_save_path", "m")
    assert f"{tmp_path}/ImageSets/2017/val.txt does not exist" in line


def test_missing_preprocessing_is_named(davis, tmp_path, capsys):
    shutil.copytree(davis, tmp_path / "davis", ignore=shutil.ignore_patterns("480p_split"))
    paths = ["--data_path", tmp_path / "davis", "--result_path", tmp_path / "r", "--model_save_path", tmp_path / "m"]
    assert "run python preprocessing/preprocess_davis.py" in error(capsys, *paths, *TINY)


@pytest.mark.parametrize("model", ["nowhere", "."])
def test_a_missing_model_is_named(davis, tmp_path, capsys, model):
    testing = ["--data_path", davis, "--only_testing", "--result_path", tmp_path / "results", *TINY]
    line = error(capsys, *testing, "--whole_model_path", tmp_path / model)
    assert str(tmp_path / model) in line
    assert not (tmp_path / "results").exists()


def cut(path):
    path.write_bytes(path.read_bytes()[:300])


def test_a_damaged_frame_in_testing_is_named(davis, trained, tmp_path, capsys):
    shutil.copytree(davis, tmp_path / "davis")
    name = (davis / "ImageSets/2017/val.txt").read_text().split()[0]
    cut(tmp_path / f"davis/JPEGImages/480p/{name}/00003.jpg")
    testing = ["--only_testing", "--whole_model_path", trained / "model", *TINY]
    line = error(capsys, "--data_path", tmp_path / "davis", "--result_path", tmp_path / "results", *testing)
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
    line = error(capsys, *paths, *TINY, "--batch_size", 4, "--training_iters", 2, "--no_visual_modulator")
    assert f"{name}/00003.jpg is not a readable image" in line
    assert not list((tmp_path / "m").glob("osmn.ckpt*"))


def test_an_interrupted_test_run_leaves_no_half_written_file(davis, trained, tmp_path):
    results = tmp_path / "results"
    testing = ["--data_path", davis, "--only_testing", "--whole_model_path", trained / "model", *TINY]
    command = words(sys.executable, ROOT / "osmn_train_eval.py", *testing, "--result_path", results, "--save_score")
    # A process that a shell started in its background ignores SIGINT, and so would the one it starts here.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        signal.signal(signal.SIGINT, before)
        while process.poll() is None and not list(results.rglob("00001.png")):
            time.sleep(0.005)
        process.send_signal(signal.SIGINT)
        assert process.wait(60) != 0
    whole, written = tree(trained / "results"), tree(results)
    assert 0 < len(written) < len(whole)
    assert all(whole[name] == content for name, content in written.items())
