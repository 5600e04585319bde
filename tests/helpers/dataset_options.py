"""What holds for each option of segmenting that came later than the results of datasets."""

import json

import pytest

import osmn_train_eval
from helpers.own_videos import mask, segment
from helpers.scripts import words


def options_of(folder):
    """Return the options that `run.json` of a result folder notes."""
    return json.loads((folder / "run.json").read_text())["options"]


def check_is_off_and_keeps_results_apart(name, davis, folder, capsys):
    """Check that DAVIS is segmented without the option `name` unless it is given, and that results are not mixed."""
    given = ("--data_path", davis, "--only_testing", "--whole_model_path", "m", "--im_size", 64, 48)
    testing = words(*given, "--result_path", folder)
    osmn_train_eval.main(testing)
    assert name not in options_of(folder)
    with pytest.raises(SystemExit) as stopped:
        osmn_train_eval.main([*testing, f"--{name}"])
    assert stopped.value.code == 2 and f"{name} was null, is true" in capsys.readouterr().err
    osmn_train_eval.main([*testing, f"--{name}", "--overwrite"])
    assert options_of(folder)[name] is True


def check_ones_own_video_keeps_results_apart(name, by_default, clip, folder, capsys):
    """Check that one's own video is segmented with the option `name` or without by default, and results not mixed."""
    first, out = mask(folder / "first.png", {1: (20, 12, 44, 36)}), folder / "out"
    other = f"--no_{name}" if by_default else f"--{name}"
    segment(clip, out, "--mask", first)
    assert options_of(out).get(name, "not noted") is (True if by_default else "not noted")
    with pytest.raises(SystemExit) as stopped:
        segment(clip, out, "--mask", first, other)
    was, asked = ("true", "null") if by_default else ("null", "true")
    assert stopped.value.code == 2 and f"{name} was {was}, is {asked}" in capsys.readouterr().err
    segment(clip, out, "--mask", first, other, "--overwrite")
    assert options_of(out).get(name, "not noted") is ("not noted" if by_default else True)
