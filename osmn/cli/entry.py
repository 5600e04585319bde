"""How a script ends that does not succeed: one clear line on stderr and an exit status, never a traceback.

Status 2 is for a mistake in the user's input and for files that cannot be read or written, 130 for an interruption by
the keyboard, 143 for a request to terminate and 141 for output that nobody reads any more, as shells count them.
"""

import contextlib
import functools
import os
import signal
import sys
import threading

from osmn.cli import messages, quiet
from osmn.errors import InputError, naming_options

STOPPED = "stopped: all files that are finished are whole; give the same command again to go on from there"
UNREAD = "stopped: nobody reads the output any more; give the same command again to go on from there"
OUT_OF_MEMORY = "error: there is not enough memory; give a smaller --im_size, or where there is one, --batch_size"


class Terminated(KeyboardInterrupt):
    """The process is asked to terminate."""


def reports_input_errors(main):
    """Decorate a script's `main(argv)` so that its errors and signals end it in one line and with their status."""

    @functools.wraps(main)
    def wrapped(argv=None):
        _open_standard_streams()
        try:
            _check_current_folder()
            with _termination_is_an_exception(), naming_options(), messages.shown(), quiet.tensorflow():
                result = main(argv)
                sys.stdout.flush()  # Here, where its errors are reported.
                return result
        except BrokenPipeError:
            line, status = UNREAD, 141
            _forget_output()
        except MemoryError:
            line, status = OUT_OF_MEMORY, 2
        except InputError as error:
            line, status = f"error: {error}", 2
        except KeyboardInterrupt as stop:
            line, status = STOPPED, 143 if isinstance(stop, Terminated) else 130
        except OSError as error:  # Of a file that nothing nearer to it has named.
            where = ": ".join(str(name) for name in (error.filename, error.filename2) if name is not None)
            line, status = f"error: {where or 'a file'}: {error.strerror or error}; mend that and run this again", 2
            if not where:
                _forget_output()
        except Exception as error:
            if not _is_lack_of_memory(error):
                raise
            line, status = OUT_OF_MEMORY, 2
        with contextlib.suppress(OSError):  # Nobody may read that either.
            print(_in_one_line(line), file=sys.stderr, flush=True)
        raise SystemExit(status)

    return wrapped


def _is_lack_of_memory(error):
    """Tell whether an error is TensorFlow's, which may not even be imported, or a library's that was not loaded."""
    if isinstance(error, ImportError):
        return "failed to map segment" in str(error)  # The C library's words.
    return type(error).__name__ == "ResourceExhaustedError"


def _check_current_folder():
    """Raise InputError where the current folder has been removed: no relative path leads anywhere from there."""
    try:
        os.getcwd()
    except FileNotFoundError:
        raise InputError("the current folder is there no more; go to another one (cd) and run this again") from None


def _open_standard_streams():
    """Have each of the three streams open, and none that fails for a name that its encoding has not.

    Where one is closed, the next file to be opened would take its number, and get what is printed.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # The lowest number that is free.
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", errors="backslashreplace"))  # noqa: SIM115, for the rest of its life
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def _forget_output():
    """Have what is still to be printed go nowhere, lest Python fail again when it ends."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _in_one_line(text):
    """Return a text whose control characters, such as those of a file's name, are written out."""
    return "".join(repr(character)[1:-1] if ord(character) < 32 else character for character in text)


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
