"""What the library logs, as a script shows it: information on stdout, warnings on stderr, each as a plain line."""

import contextlib
import logging
import sys

LIBRARY = "osmn"  # The name that the loggers of all modules of the package begin with.


class _Lines(logging.Handler):
    """Prints a record's message, above progress bars; an error of the stream is the caller's, as print's would be."""

    def emit(self, record):
        """Print a record on the stream that is the process's at the time."""
        from tqdm import tqdm  # Here, because `-h` has no bars and answers at once.

        stream = sys.stderr if record.levelno >= logging.WARNING else sys.stdout
        tqdm.write(record.getMessage(), stream)


@contextlib.contextmanager
def shown():
    """Show what the library logs, from information on, in this block; within another such block nothing changes."""
    logger = logging.getLogger(LIBRARY)
    if any(isinstance(handler, _Lines) for handler in logger.handlers):
        yield
        return
    handler, level, propagate = _Lines(), logger.level, logger.propagate
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False  # Or a handler of the root logger would show it again.
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
        logger.propagate = propagate
