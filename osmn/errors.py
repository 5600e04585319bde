"""How a script ends that does not succeed: one clear line on stderr and an exit status, never a traceback.

Status 2 is for a mistake in the user's input and for files that cannot be read or written, 130 for an interruption by
the keyboard and 143 for a request to terminate, as shells count them.
"""

import contextlib
import functools
import signal
import sys
import threading

STOPPED = "stopped: all files that are finished are whole; give the same command again to go on from there"


class InputError(ValueError):
    """A file or an argument that the program cannot use; the message names it and says what to do."""


def in_short(error):
    """Return what another library's error says as part of a line: at most 200 characters."""
    return " ".join(str(error).split())[:200]


class Terminated(KeyboardInterrupt):
    """The process is asked to terminate."""


def reports_input_errors(main):
    """Decorate a script's `main(argv)` so that its errors and signals end it in one line and with their status."""

    @functools.wraps(main)
    def wrapped(argv=None):
        try:
            with _termination_is_an_exception():
                return main(argv)
        except InputError as error:
            line, status = f"error: {error}", 2
        except KeyboardInterrupt as stop:
            line, status = STOPPED, 143 if isinstance(stop, Terminated) else 130
        except OSError as error:  # Of a file that nothing nearer to it has named.
            where = ": ".join(str(name) for name in (error.filename, error.filename2) if name is not None)
            line, status = f"error: {where or 'a file'}: {error.strerror or error}; mend that and run this again", 2
        print(line, file=sys.stderr)
        raise SystemExit(status)

    return wrapped


@contextlib.contextmanager
def _termination_is_an_exception():
    """Have SIGTERM raise `Terminated` in this block, so that what is open is closed and removed on the way out."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def terminate(number, frame):
        raise Terminated

    before = signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
