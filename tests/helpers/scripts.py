"""Calls of the scripts' `main` in this process."""

import re

import pytest


def words(*arguments):
    """Return arguments as a script's `main` takes them, as texts."""
    return [str(word) for word in arguments]


def error(capsys, main, *arguments):
    """Return the line with which a script refuses its arguments: the last that it prints, with no other error before.

    The line begins with "error: ", or with the program's name before that where argparse has written it.
    """
    with pytest.raises(SystemExit) as stopped:
        main(words(*arguments))
    assert stopped.value.code == 2
    *before, line = capsys.readouterr().err.splitlines()
    assert re.match(r"(\S+: )?error: ", line), line
    assert not [text for text in before if re.match(r"(\S+: )?error: |Traceback", text)]
    return line
