"""Recipes: options in a text file, as if they stood on the command line before all that is given there."""

import importlib
import re
import shlex
from pathlib import Path

import pytest

import osmn_online_finetune
import osmn_segment
import osmn_train_eval
from osmn.cli import training
from osmn.cli.parser import read
from osmn.inference.options import SegmentingOptions

ROOT = Path(__file__).resolve().parents[2]
RECIPES = sorted(path.relative_to(ROOT) for path in ROOT.glob("recipes/*/*.txt"))
PATHS = ["--result_path", "r", "--model_save_path", "m"]


@pytest.fixture
def recipe(tmp_path):
    """Return a function that writes a recipe of a text and returns its path."""

    def write(text, name="recipe.txt"):
        (tmp_path / name).write_text(text, encoding="utf-8")
        return str(tmp_path / name)

    return write


def refusal(capsys, *words, script=osmn_train_eval):
    """Return the one line with which a script refuses a command line, and its recipes."""
    with pytest.raises(SystemExit) as stopped:
        script.main([str(word) for word in words])
    assert stopped.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line


# -- What a recipe does -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text, words",
    [
        ("training_iters 7\nfix_bn\n", ["--training_iters", "7", "--fix_bn"]),
        ("data_aug_scales 0.7 0.85 1 1.2", ["--data_aug_scales", "0.7", "0.85", "1", "1.2"]),
        ("# none\n\n  \t\n", []),
        ("seed -3  # of all\nloss jaccard#and no other", ["--seed", "-3", "--loss", "jaccard"]),
        ("data_path \"my data#1\"\ntest_split 'a b'", ["--data_path", "my data#1", "--test_split", "a b"]),
        ("base_model lite\nmean_value 1 2 3", ["--base_model", "lite", "--mean_value", "1", "2", "3"]),
        ("validate_split 2016/val\nvalidate_iters 5", ["--validate_split", "2016/val", "--validate_iters", "5"]),
        ("shard 1/3\r\nseed 4\r\n", ["--shard", "1/3", "--seed", "4"]),
        ("\ufeffseed 4", ["--seed", "4"]),
    ],
)
def test_a_recipe_is_the_same_options_on_the_command_line(recipe, text, words):
    assert osmn_train_eval.parse([*PATHS, "--recipe", recipe(text)]) == osmn_train_eval.parse([*words, *PATHS])


@pytest.mark.parametrize("recipe_first", [True, False])
def test_the_command_line_wins_wherever_the_recipe_stands(recipe, recipe_first):
    named, rest = ["--recipe", recipe("seed 1\nbatch_size 2\nim_size 64 48")], ["--seed", "5", "--im_size", "8", "6"]
    args = osmn_train_eval.parse([*PATHS, *(named + rest if recipe_first else rest + named)])
    assert (args.seed, args.batch_size, args.im_size) == (5, 2, [8, 6])


def test_the_later_of_two_recipes_wins(recipe):
    first, second = recipe("seed 1\nbatch_size 2", "a.txt"), recipe("seed 3", "b.txt")
    args = osmn_train_eval.parse([*PATHS, "--recipe", first, "--recipe", second])
    assert (args.seed, args.batch_size) == (3, 2)


def test_an_option_that_may_be_repeated_has_what_the_recipe_and_then_the_command_line_give(recipe):
    path = recipe("mask first.png\nmask 12:second.png\nresult_path out")
    args = osmn_segment.parse(["clip.mp4", "--recipe", path, "--mask", "20:third.png"])
    assert args.mask == ["first.png", "12:second.png", "20:third.png"]
    assert args.input == ["clip.mp4"]


def test_values_of_a_recipe_end_with_their_line(recipe):
    path = recipe("mask m.png\nresult_path out\nim_size 64 48")
    args = osmn_segment.parse(["--recipe", path, "clip.mp4"])
    assert (args.input, args.im_size) == (["clip.mp4"], [64, 48])


def test_what_a_recipe_gives_reaches_training_and_testing_and_what_makes_results(recipe):
    path = recipe("training_iters 7\nema 0.5\nflip_test\nvg_random_crop_ratio 0.25\nim_size 64 48")
    args = osmn_train_eval.parse([*PATHS, "--recipe", path])
    trained, tested = training.training_run(args).identity_options, read(args, SegmentingOptions).identity_options
    assert (trained["training_iters"], trained["ema"], trained["vg_random_crop_ratio"]) == (7, 0.5, 0.25)
    assert (tested["flip_test"], tested["im_size"]) == (True, (64, 48))
    assert "recipe" not in {*trained, *tested, *vars(args)}


# -- Recipes that are wrong -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line, about",
    [
        ("trainings 3", "trainings is no option of this script; see -h for those that there are"),
        ("training_it 3", "training_it is no option of this script; see -h for those that there are"),
        ("--seed 3", "--seed is no option of this script; write seed, without dashes"),
        ("recipe other.txt", "recipe is no option of this script; see -h for those that there are"),
        ("help", "help is no option of this script; see -h for those that there are"),
        ("seed", "argument --seed: expected one argument"),
        ("seed x", "argument --seed: invalid seed value: 'x'"),
        ("batch_size 0", "argument --batch_size: 0 is not a number above zero"),
        ("loss dice", "argument --loss: invalid choice: 'dice' (choose from "),
        ("fix_bn yes", "unrecognized arguments: yes"),
        ("im_size 64 48 3", "unrecognized arguments: 3"),
        ("fix_bn -h", "unrecognized arguments: -h"),
        ("fix_bn --seed 3", "--seed is one option more; give each a line of its own, without dashes"),
        ('data_path "my data', "no closing quotation"),
    ],
)
def test_a_line_that_cannot_be_read_is_named_with_its_file_and_number(recipe, capsys, line, about):
    path = recipe(f"# Two lines before.\n\n{line}\nfix_bn\n")
    assert refusal(capsys, *PATHS, "--recipe", path).startswith(f"error: {path}, line 3: {about}")


def test_a_positional_argument_is_not_given_by_a_recipe(recipe, capsys):
    path = recipe("input clip.mp4")
    line = refusal(capsys, "clip.mp4", "--result_path", "r", "--recipe", path, script=osmn_segment)
    assert line.startswith(f"error: {path}, line 1: input is no option of this script")


def test_a_recipe_that_is_missing_or_no_text_is_named(tmp_path, capsys):
    missing, binary = tmp_path / "none.txt", tmp_path / "binary.txt"
    binary.write_bytes(b"seed 3\n\xff\xfe\n")
    line = refusal(capsys, *PATHS, "--recipe", missing)
    assert line == f"error: --recipe {missing}: No such file or directory; give a text file of options"
    line = refusal(capsys, *PATHS, "--recipe", tmp_path)
    assert line == f"error: --recipe {tmp_path}: Is a directory; give a text file of options"
    line = refusal(capsys, *PATHS, "--recipe", binary)
    assert line == f"error: --recipe {binary} is not text in UTF-8; give a text file of options"


def test_what_a_script_refuses_of_the_command_line_it_refuses_of_a_recipe(recipe, capsys):
    path = recipe("validate_split 2016/val")
    line = refusal(capsys, *PATHS, "--recipe", path)
    assert line == "error: --validate_path and --validate_split do nothing without --validate_iters; give it too"


# -- The recipes that are here ----------------------------------------------------------------------------------------


def head(path):
    """Return {word: text} of a recipe's first comments, "# word: text", which may go on in the next lines."""
    lines = []
    for line in (ROOT / path).read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            break
        lines.append(line.lstrip("# "))
    text = " ".join(lines)
    return dict(re.findall(r"(command|data|time|expect): (.*?)(?= (?:data|time|expect): |$)", text))


def command(path):
    """Return the script's module and the arguments that a recipe's head names."""
    script, *words = shlex.split(head(path)["command"])
    return importlib.import_module(script.removesuffix(".py")), words


def test_there_are_recipes_of_the_published_program_and_of_the_shipped_model():
    names = {str(path) for path in RECIPES}
    published = {f"recipes/published/{name}.txt" for name in ("stage1", "stage1_slow", "stage2", "online", "ytvos")}
    lite = {f"recipes/lite/T{number}.txt" for number in range(1, 8)}
    assert names > published | lite | {f"recipes/lite/{name}.txt" for name in ("calibrate", "export", "online")}


@pytest.mark.parametrize("path", RECIPES, ids=str)
def test_a_recipe_says_what_it_makes_and_its_command_is_accepted(path, monkeypatch):
    said = head(path)
    assert set(said) == {"command", "data", "time", "expect"}
    module, words = command(path)
    assert words[:2] == ["--recipe", str(path)]
    monkeypatch.chdir(ROOT)
    args = vars(module.parse(words))
    without = [word for word in words if word not in ("--recipe", str(path))]
    changed = {name for name, value in args.items() if vars(module.parser().parse(without)).get(name) != value}
    lines = [line.split()[0] for line in (ROOT / path).read_text().splitlines() if line and line[0] != "#"]
    once = [line for line in lines if line != "more_videos"]  # It may be repeated.
    assert len(once) == len(set(once))
    assert changed <= set(lines)


PUBLISHED = {
    "stage1": "--training_iters 200000",
    "stage1_slow": "--training_iters 300000 --learning_rate 1e-6",
    "stage2": "--batch_size 4 --fix_bn --randomize_guide --training_iters 50000 --learning_rate 1e-6",
    "online": "--batch_size 1 --training_iters 100",
    "ytvos": "--randomize_guide --training_iters 200000",
    "ytvos_slow": "--randomize_guide --training_iters 300000 --learning_rate 1e-6",
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_published_recipe_is_the_published_command(name, monkeypatch):
    module, words = command(f"recipes/published/{name}.txt")
    monkeypatch.chdir(ROOT)
    assert module.parse(words) == module.parse([*PUBLISHED[name].split(), *words[2:]])


def test_the_recipe_of_online_fine_tuning_is_the_command_that_it_was_measured_with(monkeypatch):
    measured = "--whole_model_path models/osmn_lite --data_version 2016 --im_size 640 360 --loss jaccard --fix_bn"
    measured += " --learning_rate 5e-5 --training_iters 120 --lr_schedule cosine --batch_size 4 --rehearsal_share 0.75"
    measured += " --rehearsal_split 2017/train --data_aug_scales 0.7 0.85 1 1.2 --sg_center_perturb_ratio 0.8"
    measured += " --sg_std_perturb_ratio 1"
    _, words = command("recipes/lite/online.txt")
    monkeypatch.chdir(ROOT)
    assert osmn_online_finetune.parse(words) == osmn_online_finetune.parse([*measured.split(), *words[2:]])


def test_each_training_of_the_shipped_model_starts_where_another_recipe_ends(monkeypatch):
    monkeypatch.chdir(ROOT)
    args = {
        path.stem: vars(module.parse(words))
        for path in RECIPES
        if path.parent.name == "lite"
        for module, words in [command(path)]
    }
    made = {each.get("model_save_path") or each["output"] for name, each in args.items() if name != "online"}
    made |= {f"build/osmn_lite/T{seed}" for seed in (13, 14, 15)}  # By T12.txt, with another seed.
    for name, each in args.items():
        if name not in ("T1", "online"):
            starts = [each["whole_model_path"], *each.get("average_with", ())]
            assert {re.sub(r"/osmn\.ckpt-\d+$", "", start) for start in starts} <= made, name
    for name, step in (("T4", 1200), ("T10", 1400)):  # The steps whose checkpoints others start from.
        assert args[name]["training_iters"] >= step and step % args[name]["save_iters"] == 0
