"""Calls of the scripts' `main` in this process."""

import pytest


def words(*arguments):
    """Return arguments as a script's `main` takes them, as texts."""
    return [str(word) for word in arguments]


def error(capsys, main, *arguments):
    """Return the line with which a script refuses its arguments: one line, the last that it prints."""
    with pytest.raises(SystemExit) as stopped:
        main(words(*arguments))
    assert stopped.value.code == 2
    *before, line = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")
    assert not [text for text in before if text.startswith(("error: ", "Traceback"))]
    return line
