"""A dataclass's fields become a command line, and what is given there becomes the dataclass again."""

import argparse
import dataclasses
import importlib
import subprocess
import sys
from dataclasses import field

import pytest

from doc import options as document
from osmn.cli.parser import Parser, given, read
from osmn.options import declared, file_name, identity, option, positive, shard


@dataclasses.dataclass(frozen=True)
class Baking:
    bread: str = field(default="rye", metadata=option("what is baked", choices=("rye", "wheat")))
    hours: float = field(default=1.5, metadata=option("in the oven", positive(float, 9)))
    sizes: tuple[int, ...] = field(default=(20, 30), metadata=option("of the tin", positive(int), nargs=2))
    seeds: bool = field(default=False, metadata=option("on top", changes_results=False))
    name: str | None = field(default=None, metadata=option("of the loaf", file_name, metavar="LOAF"))
    oven: str = "stone"


def parser(*names, **defaults):
    made = Parser("Bake.", prog="bake")
    made.add(Baking, *names, **defaults)
    return made


def shown(made, capsys):
    with pytest.raises(SystemExit) as stopped:
        made.parse(["-h"])
    assert stopped.value.code == 0
    return " ".join(capsys.readouterr().out.split())


def refusal(made, capsys, *words):
    with pytest.raises(SystemExit) as stopped:
        made.parse(words)
    assert stopped.value.code == 2
    return capsys.readouterr().err.splitlines()[-1]


def test_a_fields_help_choices_metavar_and_default_reach_the_help(capsys):
    text = shown(parser(), capsys)
    assert "--bread {rye,wheat} what is baked (default: rye)" in text
    assert "--hours HOURS in the oven (default: 1.5)" in text
    assert "--sizes SIZES SIZES of the tin (default: [20, 30])" in text
    assert "--seeds on top (default: False)" in text
    assert "--name LOAF of the loaf" in text
    assert "oven " not in text.replace("in the oven", "")  # It is no option.


def test_options_that_are_not_given_are_the_dataclasses_defaults():
    assert read(parser().parse([]), Baking) == Baking()


def test_what_is_given_comes_back_with_its_type():
    words = ["--bread", "wheat", "--hours", "2", "--sizes", "3", "4", "--seeds", "--name", "one"]
    assert read(parser().parse(words), Baking) == Baking("wheat", 2.0, (3, 4), True, "one")


def test_an_option_that_a_script_does_not_take_keeps_its_default(capsys):
    made = parser("bread", "hours")
    assert read(made.parse(["--hours", "3"]), Baking) == Baking(hours=3.0)
    assert "--seeds" in refusal(made, capsys, "--seeds")


def test_a_script_may_have_a_default_of_its_own_and_more_fields_are_the_callers(capsys):
    made = parser(hours=4.0)
    assert read(made.parse([]), Baking, oven="iron") == Baking(hours=4.0, oven="iron")
    assert "in the oven (default: 4.0)" in shown(made, capsys)


@pytest.mark.parametrize(
    "words, about",
    [
        (["--hours", "0"], "argument --hours: 0 is not a number above zero"),
        (["--hours", "10"], "argument --hours: 10 is not at most 9"),
        (["--hours", "long"], "argument --hours: long is not a number"),
        (["--bread", "oat"], "argument --bread: invalid choice: 'oat'"),
        (["--sizes", "3"], "argument --sizes: expected 2 arguments"),
        (["--name", "a/b"], "argument --name: "),
    ],
)
def test_a_wrong_value_is_refused_with_the_options_name(capsys, words, about):
    assert refusal(parser(), capsys, *words).startswith(f"bake: error: {about}")


def test_an_option_of_given_ones_alone_has_no_attribute_without_being_given(capsys):
    made = Parser("Bake.", prog="bake")
    made.add(Baking, "bread", "sizes", only_given=True)
    assert vars(made.parse([])) == {}
    assert given(made.parse(["--sizes", "1", "2"]), Baking) == {"sizes": (1, 2)}
    assert "of the tin (default: 20 30)" in shown(made, capsys)


def test_groups_are_titled_and_help_may_be_the_scripts(capsys):
    made = Parser("Bake.", prog="bake")
    made.group("loaf", "as it is sold").add(Baking, "name", help="as it is called")
    assert "loaf: as it is sold --name LOAF as it is called" in shown(made, capsys)
    with pytest.raises(KeyError):
        made.add(Baking, "oven")


def test_a_positional_and_a_repeated_option_come_back():
    @dataclasses.dataclass(frozen=True)
    class Delivery:
        towns: tuple[str, ...] = field(metadata=option("where", nargs="+", metavar="TOWN", positional=True))
        stop: tuple[str, ...] = field(default=(), metadata=option("on the way", repeated=True))
        share: tuple[int, int] = field(default=(0, 1), metadata=option("of all", shard))

    made = Parser("Deliver.")
    made.add(Delivery)
    read_back = read(made.parse(["a", "b", "--stop", "x", "--stop", "y", "--share", "1/3"]), Delivery)
    assert read_back == Delivery(("a", "b"), ("x", "y"), (1, 3))
    assert str(read_back.share) == "1/3"
    assert read(made.parse(["a"]), Delivery) == Delivery(("a",))


def test_the_identity_is_of_all_fields_but_of_options_that_change_no_result():
    assert identity(Baking(hours=2.0)) == {
        "bread": "rye",
        "hours": 2.0,
        "sizes": (20, 30),
        "name": None,
        "oven": "stone",
    }


@dataclasses.dataclass(frozen=True)
class Glazing:
    glaze: float = field(default=0.0, metadata=option("of egg", came_later=True))


def test_at_its_default_an_option_that_came_later_is_no_part_of_the_identity():
    assert identity(Glazing()) == {}
    assert identity(Glazing(0.5)) == {"glaze": 0.5}


def test_the_rest_are_the_options_that_the_script_does_not_have_yet_and_takes():
    made = Parser("Bake.")
    made.add(Baking, "sizes")
    group = made.group("more")
    group.add(Baking, "seeds")
    group.add_rest(Baking, without=["hours"])
    assert [each.name for each in made.added] == ["recipe", "sizes", "seeds", "bread", "name"]
    group.add_rest(Baking, without=["hours"])
    assert len(made.added) == 5


@pytest.mark.parametrize("module", document.SCRIPTS.values())
def test_every_script_declares_all_of_its_options_and_takes_recipes(module, monkeypatch):
    made = importlib.import_module(module).parser()
    names = [added.name for added in made.added]
    assert len(names) == len(set(names))
    assert names[0] == "recipe"
    used = []
    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", lambda self, *_: used.append(self) or self.exit())
    with pytest.raises(SystemExit):
        importlib.import_module(module).main([])
    assert {action.dest for action in used[0]._actions} == {*names, "help"}


def test_options_are_declared_without_the_packages_that_take_time_to_import():
    code = "import sys; from osmn.cli import options, training; sys.exit(bool({'numpy', 'PIL'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], cwd=document.ROOT).returncode == 0


def test_the_page_of_all_options_is_what_the_declarations_say():
    assert document.OUTPUT.read_text(encoding="utf-8") == document.document(), "run `make options`"


def test_the_page_of_all_options_is_of_every_script_that_takes_some():
    scripts = {path.stem for path in document.ROOT.glob("*.py")}
    assert set(document.SCRIPTS.values()) - {"osmn.report.__main__", "preprocessing.rescale_vgg"} == scripts - {"demo"}


def test_a_field_that_is_no_option_is_not_declared():
    assert "oven" not in declared(Baking)
