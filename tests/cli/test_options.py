"""Options of the scripts: published names and defaults, help texts, values that are refused."""

import re
import subprocess
import sys

import pytest

import osmn_coco_pretrain
import osmn_online_finetune
import osmn_train_eval
import osmn_train_eval_ytvos
from helpers import ROOT
from helpers.scripts import error
from osmn.cli.options import model_options
from osmn.config import ModelConfig, resolve

SCRIPTS = sorted(
    str(path.relative_to(ROOT))
    for path in (*ROOT.glob("*.py"), *ROOT.glob("preprocessing/*.py"))
    if path.name not in ("demo.py", "__init__.py")
)

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
    **{"unroll": 1, "occluders": 0, "damaged_masks": 0, "look_alikes": 0, "negative_pairs": 0},
}


def test_new_options_of_training_default_to_what_is_published():
    paths = ["--result_path", "r", "--model_save_path", "m"]
    for parse in (osmn_train_eval.parse, osmn_train_eval_ytvos.parse):
        args = vars(parse(paths))
        assert {name: args[name] for name in NEW_DEFAULTS} == NEW_DEFAULTS
    args = osmn_coco_pretrain.parse(["--model_save_path", "m"])
    assert (args.data_path, args.data_shares, args.embedding_start) == (["data/COCO"], None, "published")


TRAINING = ("--lr_schedule", "--warmup_iters", "--loss", "--ema")
CLIPS = ("--unroll", "--occluders", "--damaged_masks", "--look_alikes")
STILLS = ("--distractors", "--negative_pairs", "--own_masks", "--random_crop_ratio", *CLIPS)
VIDEOS = (*STILLS, "--longest_gap", "--flip_target", "--coco_path", "--coco_share", "--more_videos", "--video_shares")


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
            line = error(capsys, script.main, *small, *more)
            assert "--embedding_start small is for the visual modulator of --base_model lite" in line
        line = error(capsys, script.main, *small, "--base_model", "lite", "--whole_model_path", "w")
        assert "--embedding_start small does nothing to the weights of --whole_model_path" in line
    testing = ["--only_testing", "--whole_model_path", "w", "--result_path", "r"]
    assert osmn_train_eval_ytvos.parse([*testing, "--embedding_start", "small"])


def test_shares_of_another_number_than_there_are_folders_are_refused(capsys):
    paths = ["--model_save_path", "m", "--data_path", "a", "b", "--data_shares", 1]
    line = error(capsys, osmn_coco_pretrain.main, *paths)
    assert line == "error: --data_shares has 1 numbers; give one for each --data_path: 2"


@pytest.mark.parametrize("text", ["3/3", "0", "a/2", "-1/2", "1/"])
def test_a_shard_that_is_none_is_refused(text, capsys):
    with pytest.raises(SystemExit):
        osmn_train_eval_ytvos.parse([f"--shard={text}"])
    assert "is not I/N with I from 0 to N - 1" in capsys.readouterr().err


@pytest.mark.parametrize("text", [str(2**63), str(-(2**63) - 1), "1e3", "one"])
def test_a_seed_that_is_no_integer_of_64_bits_is_refused(text, capsys):
    with pytest.raises(SystemExit) as stopped:
        osmn_train_eval_ytvos.parse([f"--seed={text}"])
    assert stopped.value.code == 2
    assert "--seed" in capsys.readouterr().err.splitlines()[-1]
