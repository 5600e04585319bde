"""A script's command line: argparse made of the fields that declare options, and read into them.

Nothing here imports TensorFlow, so that `-h` and mistakes in arguments answer at once.
"""

import argparse
import dataclasses
import functools
from typing import Any, NamedTuple

from osmn.cli import recipes
from osmn.errors import InputError
from osmn.options import Option, WrongValue, declared, option

RECIPE = option(
    "text file with one option per line, such as training_iters 200000; the command line wins over it",
    metavar="FILE",
    repeated=True,
)["option"]


class HelpWithDefaults(argparse.ArgumentDefaultsHelpFormatter):
    """Shows the defaults, but for those that are only the word for nothing given."""

    def _get_help_string(self, action):
        return action.help if action.default in (None, "", []) else super()._get_help_string(action)


class Added(NamedTuple):
    """An option of a script.

    Attributes:
        name: of the field, of the option and of the attribute of the parsed arguments.
        option: `Option`.
        default: what the option is where it is not given.
        title: of its group; None for the script's own.
        only_given: there is no attribute where it is not given.
    """

    name: str
    option: Option
    default: Any
    title: str | None = None
    only_given: bool = False


class Group:
    """Options that `-h` shows under one title."""

    def __init__(self, title, added):
        self.title, self.added = title, added

    def add(self, kind, *names, help=None, only_given=False, **defaults):
        """Add the options that a dataclass declares.

        Args:
            kind: the dataclass.
            names: of its fields; without any, all that are options.
            help: what `-h` says here, of one option; None for what the field says.
            only_given: what is not given has no attribute among the arguments: it keeps what it is otherwise.
            defaults: {name: value} of fields whose default is another one in this script.

        Raises:
            KeyError: for a name that is no option of the dataclass.
        """
        found = declared(kind)
        for name in names or found:
            each, default = found[name]
            if help is not None:
                each = dataclasses.replace(each, help=help)
            self.added.append(Added(name, each, defaults.get(name, default), self.title, only_given))

    def add_rest(self, kind, without=()):
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
        added: list of `Added`, in the order in which `-h` shows them, those of its groups too.
        groups: {title: description} of the groups; the options outside of them come first.
    """

    def __init__(self, description, formatter=HelpWithDefaults, prog=None):
        super().__init__(None, [Added("recipe", RECIPE, [])])
        self.groups = {}
        self._how = {"description": description, "formatter_class": formatter, "prog": prog}

    def group(self, title, description=None):
        """Return a new `Group` of options, which belong to the script too."""
        self.groups[title] = description
        return Group(title, self.added)

    def parse(self, argv=None):
        """Return the parsed arguments, an argparse.Namespace, of a command line and the recipes that it names.

        A recipe's options are taken as if they stood on the command line before all that is given there.

        Raises:
            InputError: for a recipe that cannot be read.
            SystemExit: for `-h`, and with status 2 for a command line that cannot be read.
        """
        whole = self._argparse(argparse.ArgumentParser)
        args = whole.parse_args(argv)
        if args.recipe:
            args = whole.parse_args(argv, self._of_recipes(args.recipe))
        del args.recipe
        return args

    def _of_recipes(self, paths):
        """Return a Namespace of what the recipes give, and of nothing else."""
        lines = self._argparse(_LineParser, only_given=True)
        names = {each.name for each in self.added if not each.option.positional} - {"recipe"}
        found = argparse.Namespace()
        for path in paths:
            for number, words in recipes.read(path):
                try:
                    recipes.check(words, names)
                    lines.parse_args([f"--{words[0]}", *words[1:]], found)
                except WrongValue as error:
                    raise InputError(f"{path}, line {number}: {error}") from None
        return found

    def _argparse(self, kind, only_given=False):
        """Return an argparse parser of this `kind`; with `only_given` of options alone, without defaults and `-h`."""
        parser = kind(**self._how, add_help=not only_given)
        groups = {title: parser.add_argument_group(title, about) for title, about in self.groups.items()}
        groups[None] = parser
        for each in self.added:
            if not (only_given and each.option.positional):
                _add_to_argparse(groups[each.title], each._replace(only_given=only_given or each.only_given))
        return parser


class _LineParser(argparse.ArgumentParser):
    """Raises `WrongValue` for a line of a recipe that cannot be read."""

    def error(self, message):
        raise WrongValue(message)


def _add_to_argparse(group, added):
    """Add an option to an argparse parser, or to one of its groups."""
    each, default = added.option, added.default
    if type(default) is tuple:  # Not a NamedTuple, which has words of its own.
        default = list(default)
    how = {"nargs": each.nargs, "metavar": each.metavar, "choices": each.choices}
    if each.type is not None:
        how["type"] = _argument_type(each.type)
    if default is False:
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


def _with_default(help, default):
    """Return a help text with the default that argparse does not know, where there is one."""
    if default is None or default is False:
        return help
    return f"{help} (default: {in_words(default)})"


def in_words(value):
    """Return a value as one gives it on the command line."""
    if isinstance(value, list) or type(value) is tuple:
        return " ".join(map(in_words, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def _argument_type(kind):
    """Return a type of `osmn.options` as argparse has them: its name and its errors are shown."""

    @functools.wraps(kind)
    def convert(text):
        try:
            return kind(text)
        except WrongValue as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return convert


def given(args, kind):
    """Return {field: value} of a dataclass's options that parsed arguments have; lists as tuples."""
    found = {name: getattr(args, name) for name in declared(kind) if hasattr(args, name)}
    return {name: tuple(value) if isinstance(value, list) else value for name, value in found.items()}


def read(args, kind, **more):
    """Return a dataclass of parsed arguments.

    Args:
        args: from `Parser.parse`. Options that the script does not take keep their fields' defaults.
        kind: the dataclass.
        more: {field: value} of what is no option, or not by this name.
    """
    return kind(**given(args, kind) | more)
