"""The library's log, as a script shows it: information on stdout, warnings on stderr, each as a plain line."""

import contextlib
import logging
import sys
from collections.abc import Iterator

LIBRARY = "osmn"  # The names of the loggers of all modules of the package begin with it.


class _Lines(logging.Handler):
    """Prints a record's message above progress bars; an error of the stream reaches the caller, as print's would."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print a record on the process's present stdout or stderr."""
        from tqdm import tqdm  # Here, because `-h` has no bars and answers at once.

        stream = sys.stderr if record.levelno >= logging.WARNING else sys.stdout
        tqdm.write(record.getMessage(), stream)


@contextlib.contextmanager
def shown() -> Iterator[None]:
    """Show the library's log, of level INFO and above, in this block; inside another such block, change nothing."""
    logger = logging.getLogger(LIBRARY)
    if any(isinstance(handler, _Lines) for handler in logger.handlers):
        yield
        return
    handler, level, propagate = _Lines(), logger.level, logger.propagate
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False  # Otherwise a handler of the root logger would show it again.
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
        logger.propagate = propagate
