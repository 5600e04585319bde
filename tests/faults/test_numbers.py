"""Every option of every script that takes a number: what is none, out of range or too large is refused by its name."""

import argparse
import importlib
import math
import re
from pathlib import Path

import commands
import pytest

from helpers import ROOT
from helpers.cases import case
from osmn.options import MOST, file_name

SCRIPTS = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for path in (*ROOT.glob("*.py"), *ROOT.glob("preprocessing/*.py"))
)
SCRIPTS.append("osmn.report.__main__")
NEVER = ("nan", "inf", "-inf", "infinity", "NaN", "1e999", "-1e999", "x", "", "1j", "9" * 5000)
SOMETIMES = ("-1", "0", "1e30", "-1e30", "1e39", str(10**30), str(2**31), "1e-30", "0.5", "1", "2")
# All others are refused.
MAY_BE_NEGATIVE = {"mean_value", "scale_value", "seed", "shifts"}
MAY_BE_ZERO = MAY_BE_NEGATIVE | {
    *(
        "training_iters",
        "warmup_iters",
        "validate_iters",
        "ema",
        "num_loader",
        "video_share",
        "click",
        "no_click",
        "keep",
        "finetune",
        "gpu_id",
        "box",
        "start",
        "end",
    ),
    *("vg_random_crop_ratio", "vg_random_rotate_angle", "sg_center_perturb_ratio", "sg_std_perturb_ratio"),
    *(
        "random_crop_ratio",
        "distractors",
        "own_masks",
        "occluders",
        "damaged_masks",
        "look_alikes",
        "negative_pairs",
        "coco_share",
        "rehearsal_share",
        "label_valid_ratio",
        "bbox_valid_ratio",
        "vg_pad_ratio",
    ),
}


class Captured(Exception):
    pass


def parser_of(script, monkeypatch):
    """Return a script's module and its argument parser."""

    def capture(self, *_):
        raise Captured(self)

    module = importlib.import_module(script)
    with monkeypatch.context() as patched:
        patched.setattr(argparse.ArgumentParser, "parse_args", capture)
        with pytest.raises(Captured) as captured:
            module.main([])
    return module, captured.value.args[0]


def numeric(parser):
    """Return the actions of a parser that take numbers, or places in a video."""
    kinds = {a: getattr(a.type, "__wrapped__", a.type) for a in parser._actions}
    return [action for action, kind in kinds.items() if kind not in (None, str, Path, file_name)]


def command(parser, action, text):
    """Return a command line that gives `text` for one of an option's values, and what a script must have beside."""
    words = []
    for other in parser._actions:
        if not other.option_strings and (other is action or other.nargs != "?"):
            words.append(text if other is action else str(other.choices[0]) if other.choices else "a")
    if action.option_strings:
        values = action.nargs if isinstance(action.nargs, int) else 1
        # With an equals sign a text may start with a minus.
        option = [f"{action.option_strings[0]}={text}"]
        words += option if values == 1 else [action.option_strings[0], *["1"] * (values - 1), text]
    return words


def numbers_in(value):
    """Return the numbers in what an option is parsed to."""
    if isinstance(value, list | tuple):
        return [number for each in value for number in numbers_in(each)]
    return [value]


def line_of(capsys):
    *_, line = capsys.readouterr().err.splitlines()
    return line


def test_every_script_takes_part_here_and_all_that_write_where_commands_run():
    assert len(SCRIPTS) == 25
    assert set(SCRIPTS) - {command.module for command in commands.COMMANDS.values()} == {"demo", "osmn_app"}


@pytest.mark.parametrize("script", SCRIPTS)
def test_what_is_no_number_is_refused_by_the_options_name(script, monkeypatch, capsys):
    module, parser = parser_of(script, monkeypatch)
    for action in numeric(parser):
        name = action.option_strings[0] if action.option_strings else action.metavar
        for text in NEVER:
            with case("numbers"), pytest.raises(SystemExit) as stopped:
                module.main(command(parser, action, text))
            assert stopped.value.code == 2, (name, text)
            line = line_of(capsys)
            assert f"argument {name}: " in line or text.startswith("-"), line  # "-inf" may be taken for an option.


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_number_is_refused_or_finite_and_in_range(script, monkeypatch, capsys):
    _, parser = parser_of(script, monkeypatch)
    for action in numeric(parser):
        for text in SOMETIMES:
            with case("numbers"):
                try:
                    parsed = parser.parse_args(command(parser, action, text))
                except SystemExit as stopped:
                    assert stopped.code == 2
                    assert re.search("is not|is neither|invalid|expected|unrecognized", line_of(capsys))
                    continue
                for number in numbers_in(getattr(parsed, action.dest)):
                    assert math.isfinite(number) and abs(number) <= MOST[float]
                    assert number >= 0 or action.dest in MAY_BE_NEGATIVE, (action.dest, text)
                    assert number != 0 or action.dest in MAY_BE_ZERO, (action.dest, text)
                    if isinstance(number, int) and action.dest not in ("start", "end", "shard"):
                        assert abs(number) <= 2**31 - 1 or action.dest == "seed", (action.dest, text)
