"""A script's command line: an argparse parser made of the fields that declare options, and read into these fields.

Nothing here imports TensorFlow, so that `-h` and errors in arguments are shown at once.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import sys
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn, TypeVar

from osmn.cli import recipes
from osmn.errors import InputError
from osmn.options import Option, WrongValue, declared, option

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Options = TypeVar("Options", bound="DataclassInstance")
AnyParser = TypeVar("AnyParser", bound=argparse.ArgumentParser)
RECIPE = option(
    "text file with one option per line, such as training_iters 200000; the command line wins over it",
    metavar="FILE",
    repeated=True,
)["option"]


class HelpWithDefaults(argparse.ArgumentDefaultsHelpFormatter):
    """Shows the defaults, except those that stand for an option that is not given."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        shows_none = action.default in (None, "", []) or isinstance(action, argparse._StoreFalseAction)
        return action.help if shows_none else super()._get_help_string(action)


class Added(NamedTuple):
    """An option of a script.

    Attributes:
        name: the name of the field, of the option and of the attribute of the parsed arguments.
        option: the rest of the option's declaration.
        default: the option's value if it is not given.
        title: the title of the option's group; None for an option outside of the groups.
        only_given: parsed arguments have no attribute for the option if it is not given.
    """

    name: str
    option: Option
    default: Any
    title: str | None = None
    only_given: bool = False


class Group:
    """Options that `-h` shows under one title."""

    def __init__(self, title: str | None, added: list[Added]) -> None:
        self.title, self.added = title, added

    def add(
        self,
        kind: type[DataclassInstance],
        *names: str,
        help: str | None = None,
        metavar: str | tuple[str, ...] | None = None,
        only_given: bool = False,
        **defaults: Any,
    ) -> None:
        """Add the options that a dataclass declares.

        Args:
            kind: the dataclass.
            names: names of the dataclass's fields; without names, all fields that are options are added.
            help: what `-h` says of the option in this script; None for the field's own text.
            metavar: what `-h` calls the option's values in this script, likewise.
            only_given: parsed arguments have no attribute for an option that is not given.
            defaults: {name: value} of options whose default in this script differs from the field's.

        Raises:
            KeyError: if a name is no option of the dataclass.
        """
        found = declared(kind)
        for name in names or found:
            each, default = found[name]
            if help is not None:
                each = dataclasses.replace(each, help=help)
            if metavar is not None:
                each = dataclasses.replace(each, metavar=metavar)
            self.added.append(Added(name, each, defaults.get(name, default), self.title, only_given))

    def add_rest(self, kind: type[DataclassInstance], without: Collection[str] = ()) -> None:
        """Add all options of a dataclass that the script does not have yet, except those in `without`.

        A new field of the dataclass becomes an option of the group without a change here.
        """
        there = {*without, *(each.name for each in self.added)}
        names = [name for name in declared(kind) if name not in there]
        if names:
            self.add(kind, *names)


class Parser(Group):
    """The options of a script, and how they are read.

    Attributes:
        added: all options, those of the groups too, in the order in which `-h` shows them.
        groups: {title: description} of the groups; the options outside of the groups come first.
    """

    def __init__(
        self,
        description: str | None,
        formatter: type[argparse.HelpFormatter] = HelpWithDefaults,
        prog: str | None = None,
    ) -> None:
        super().__init__(None, [Added("recipe", RECIPE, [])])
        self.groups: dict[str, str | None] = {}
        self._how: dict[str, Any] = {"description": description, "formatter_class": formatter, "prog": prog}

    def group(self, title: str, description: str | None = None) -> Group:
        """Return a new `Group` of the script's options."""
        self.groups[title] = description
        return Group(title, self.added)

    def parse(self, argv: Sequence[str] | None = None) -> argparse.Namespace:
        """Return the parsed arguments of a command line and of the recipes that it names.

        A recipe's options count as if they stood at the start of the command line.

        Args:
            argv: the command line's words; None for those of the process.

        Raises:
            InputError: for a recipe that cannot be read.
            SystemExit: for `-h`, and with status 2 for a command line that cannot be read.
        """
        whole = self._argparse(argparse.ArgumentParser)
        argv = [self._with_underscores(word) for word in (sys.argv[1:] if argv is None else argv)]
        args = whole.parse_args(argv)
        if args.recipe:
            args = whole.parse_args(argv, self._of_recipes(args.recipe))
        del args.recipe
        return args

    def _with_underscores(self, word: str) -> str:
        """Return a word of a command line; of an option that is written with hyphens it has the underscores."""
        name, equals, value = word.partition("=")
        known = name.removeprefix("--").replace("-", "_")
        return f"--{known}{equals}{value}" if name.startswith("--") and known in self._names() else word

    def _names(self) -> set[str]:
        """Return the names of the options, without dashes, and those that turn off what is on by default."""
        return {each.name for each in self.added} | {f"no_{each.name}" for each in self.added if each.default is True}

    def _of_recipes(self, paths: Iterable[str]) -> argparse.Namespace:
        """Return a Namespace of the options that the recipes give, and of no others."""
        lines = self._argparse(_LineParser, only_given=True)
        names = self._names() - {"recipe", *(each.name for each in self.added if each.option.positional)}
        found = argparse.Namespace()
        for path in paths:
            for number, words in recipes.read(path):
                try:
                    recipes.check(words, names)
                    lines.parse_args([f"--{words[0]}", *words[1:]], found)
                except WrongValue as error:
                    raise InputError(f"{path}, line {number}: {error}") from None
        return found

    def _argparse(self, kind: type[AnyParser], only_given: bool = False) -> AnyParser:
        """Return an argparse parser of this `kind`; with `only_given`, without positionals, defaults and `-h`."""
        parser = kind(**self._how, add_help=not only_given)
        groups: dict[str | None, argparse._ActionsContainer] = {None: parser}
        for title, about in self.groups.items():
            groups[title] = parser.add_argument_group(title, about)
        for each in self.added:
            if not (only_given and each.option.positional):
                _add_to_argparse(groups[each.title], each._replace(only_given=only_given or each.only_given))
        return parser


class _LineParser(argparse.ArgumentParser):
    """Raises `WrongValue` for a line of a recipe that cannot be read."""

    def error(self, message: str) -> NoReturn:
        raise WrongValue(message)


def _add_to_argparse(group: argparse._ActionsContainer, added: Added) -> None:
    """Add an option to an argparse parser, or to one of its groups."""
    each, default = added.option, added.default
    if type(default) is tuple:  # A NamedTuple is shown by its own text.
        default = list(default)
    how: dict[str, Any] = {"nargs": each.nargs, "metavar": each.metavar, "choices": each.choices}
    if each.type is not None:
        how["type"] = _argument_type(each.type)
    if isinstance(default, bool):
        how = {"action": "store_true"}
    if each.repeated:
        how["action"] = "append"
    how = {name: value for name, value in how.items() if value is not None}
    help = each.help
    if added.only_given:
        help, default = _with_default(help, default), argparse.SUPPRESS
    if each.positional:
        group.add_argument(added.name, help=help, **how)
    else:
        group.add_argument(f"--{added.name}", help=help, default=default, **how)
        if added.default is True:
            off = {"dest": added.name, "action": "store_false", "default": default}
            group.add_argument(f"--no_{added.name}", help=f"without --{added.name}", **off)


def _with_default(help: str, default: object) -> str:
    """Return a help text with the default, if there is a default; argparse does not know it."""
    if default is None or default is False:
        return help
    return f"{help} (default: {in_words(default)})"


def in_words(value: object) -> str:
    """Return a value as it is given on the command line."""
    if isinstance(value, list) or type(value) is tuple:
        return " ".join(map(in_words, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def _argument_type(kind: Callable[[str], Any]) -> Callable[[str], Any]:
    """Return a type of `osmn.options` as a type of argparse, which shows the type's name and its errors."""

    @functools.wraps(kind)
    def convert(text: str) -> Any:
        try:
            return kind(text)
        except WrongValue as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return convert


def given(args: argparse.Namespace, kind: type[DataclassInstance]) -> dict[str, Any]:
    """Return {field: value} of those of a dataclass's options that parsed arguments have; lists become tuples."""
    found = {name: getattr(args, name) for name in declared(kind) if hasattr(args, name)}
    return {name: tuple(value) if isinstance(value, list) else value for name, value in found.items()}


def read(args: argparse.Namespace, kind: type[Options], **more: Any) -> Options:
    """Return a dataclass of parsed arguments.

    Args:
        args: the parsed arguments. Options that the script does not take keep their fields' defaults.
        kind: the dataclass.
        more: {field: value} of fields that are no options, or that get another value than the option of their name.
    """
    return kind(**given(args, kind) | more)
