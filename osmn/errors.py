"""Errors of users: a file or an argument that cannot be used."""


class InputError(ValueError):
    """A file or an argument that the program cannot use; the message names it and says what to do."""


def in_short(error):
    """Return what another library's error says as part of a line: at most 200 characters."""
    return " ".join(str(error).split())[:200]
