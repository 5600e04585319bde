"""Mistakes in a user's input: one clear line and exit status 2, never a traceback."""

import functools
import sys


class InputError(ValueError):
    """A file or an argument that the program cannot use; the message names it and says what to do."""


def reports_input_errors(main):
    """Decorate a script's `main(argv)` so that an `InputError` prints one line to stderr and exits with status 2."""

    @functools.wraps(main)
    def wrapped(argv=None):
        try:
            return main(argv)
        except InputError as error:
            print(f"error: {error}", file=sys.stderr)
            raise SystemExit(2) from None

    return wrapped
