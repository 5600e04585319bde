"""How a script that fails ends: with a single clear line on stderr and an exit status, never with a traceback.

Status 2 is for a mistake in the user's input and for files that cannot be read or written, 130 for an interruption by
the keyboard, 143 for a request to terminate and 141 for output that nobody reads any more. They are the statuses of
shells.
"""

import _thread
import contextlib
import functools
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from types import FrameType
from typing import TypeVar

from osmn.cli import messages, quiet
from osmn.errors import InputError, missing_package, naming_options

STOPPED = "stopped: all files that are finished are whole; give the same command again to go on from there"
UNREAD = "stopped: nobody reads the output any more; give the same command again to go on from there"
OUT_OF_MEMORY = "error: there is not enough memory; give a smaller --im_size, or where there is one, --batch_size"

LATER = 0.02  # Seconds after which a signal is tried again that came at a wrong moment; see `_is_deaf`.
LATEST = 20.0  # Seconds for which imports may put it off; that of TensorFlow takes 3 to 8.

Result = TypeVar("Result")

# Threads of NumPy and OpenCV wait busily after their work, while a network computes. Here, where scripts begin, because
# both look at it only when they are imported.
for _name in ("OPENBLAS_NUM_THREADS", "OPENCV_FOR_THREADS_NUM"):
    os.environ.setdefault(_name, "1")


class Terminated(KeyboardInterrupt):
    """The process is asked to terminate."""


def reports_input_errors(main: Callable[..., Result]) -> Callable[..., Result]:
    """Decorate a script's `main(argv)` so that errors and signals end the script with a line and an exit status."""

    @functools.wraps(main)
    def wrapped(argv: Sequence[str] | None = None) -> Result:
        _open_standard_streams()
        try:
            _check_current_folder()
            with _signals_are_exceptions(), naming_options(), messages.shown(), quiet.tensorflow():
                result = main(argv)
                sys.stdout.flush()  # An error of the stream is reported below.
                return result
        except BrokenPipeError:
            line, status = UNREAD, 141
            _forget_output()
        except MemoryError:
            line, status = OUT_OF_MEMORY, 2
        except InputError as error:
            line, status = f"error: {error}", 2
        except ModuleNotFoundError as error:
            missing = missing_package(error)
            if missing is None:
                raise
            line, status = f"error: {missing}", 2
        except KeyboardInterrupt as stop:
            line, status = STOPPED, 143 if isinstance(stop, Terminated) else 130
        except OSError as error:  # The error of a file that no other code has named.
            where = ": ".join(str(name) for name in (error.filename, error.filename2) if name is not None)
            line, status = f"error: {where or 'a file'}: {error.strerror or error}; mend that and run this again", 2
            if not where:
                _forget_output()
        except Exception as error:
            if not _is_lack_of_memory(error):
                raise
            line, status = OUT_OF_MEMORY, 2
        with _signals_ignored(), contextlib.suppress(OSError):  # Perhaps nobody reads stderr either.
            print(_in_one_line(line), file=sys.stderr, flush=True)
        raise SystemExit(status)

    return wrapped


def _is_lack_of_memory(error: Exception) -> bool:
    """Tell whether an error says that memory ran out: in TensorFlow, or while a library was being loaded.

    TensorFlow's error is known by its name, because TensorFlow may not be imported.
    """
    if isinstance(error, ImportError):
        return "failed to map segment" in str(error)  # The C library says so.
    return type(error).__name__ == "ResourceExhaustedError"


def _check_current_folder() -> None:
    """Raise InputError if the current folder has been removed: no relative path leads anywhere from there."""
    try:
        os.getcwd()
    except FileNotFoundError:
        raise InputError("the current folder is there no more; go to another one (cd) and run this again") from None


def _open_standard_streams() -> None:
    """Open those of the three standard streams that are closed, and make stdout and stderr take every character.

    If a stream were closed, the next opened file would take its number and receive what is printed. Characters that a
    stream's encoding lacks, such as those of a file's name, are written as escapes.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # It takes the lowest free number.
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            sink = open(os.devnull, "w", encoding="utf-8", errors="backslashreplace")  # noqa: SIM115, open to the end
            setattr(sys, name, sink)
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def _forget_output() -> None:
    """Drop what is still to be printed, so that Python does not fail again when it ends."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _in_one_line(text: str) -> str:
    """Return a text with escapes for its control characters, such as those of a file's name."""
    return "".join(repr(character)[1:-1] if ord(character) < 32 else character for character in text)


@contextlib.contextmanager
def _signals_are_exceptions() -> Iterator[None]:
    """Make SIGINT and SIGTERM raise in this block, so that open files are closed and temporary files removed.

    Where Python would lose the exception, or a library would make another error of it, it is raised a little later.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    first: float | None = None
    later: threading.Timer | None = None

    def interrupt(number: int, frame: FrameType | None) -> None:
        nonlocal first, later
        first = time.monotonic() if first is None else first
        if _is_deaf(frame) and time.monotonic() - first < LATEST:
            later = threading.Timer(LATER, _thread.interrupt_main, [number])
            later.daemon = True
            later.start()
            return
        first = None
        raise Terminated if number == signal.SIGTERM else KeyboardInterrupt

    before = {signal.SIGTERM: signal.getsignal(signal.SIGTERM)}
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # Not ignored, as in a shell's background.
        before[signal.SIGINT] = signal.default_int_handler
    for number in before:
        signal.signal(number, interrupt)
    try:
        yield
    finally:
        if later is not None:
            later.cancel()
        for number, handler in before.items():
            signal.signal(number, handler)


def _is_deaf(frame: FrameType | None) -> bool:
    """Tell whether an exception in a frame would do harm: in an import, where Python removes an object, or in a start.

    Of a thread that was interrupted in its start, nobody knows that it runs.
    """
    starts = threading.Thread.start.__code__
    while frame is not None:
        code = frame.f_code
        if code is starts or code.co_name == "__del__" or code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False


@contextlib.contextmanager
def _signals_ignored() -> Iterator[None]:
    """Ignore SIGINT in this block, which is short: Ctrl-C is often pressed twice."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
