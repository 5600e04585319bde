"""TensorFlow's own log, which is for its developers, kept off a script's stderr; its errors still come through."""

import contextlib
import importlib.abc
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

LEVEL = "TF_CPP_MIN_LOG_LEVEL"  # A user who sets it sees what TensorFlow makes of that, and nothing is filtered.
WARNINGS, ERRORS = "1", "2"  # The lowest that is shown.
NVIDIA_DRIVER = Path("/proc/driver/nvidia/version")
# Written before TensorFlow has read LEVEL: information, and a header of it.
EARLY = r"I\d{4} |WARNING: All log messages before absl::InitializeLog\(\) is called are written to STDERR"
NO_GPU = r"E\d{4} .*failed call to cuInit"
# A program of its own, which passes on what it has read even if this one is aborted; it ends when nobody writes to it.
FILTER = """
import re, sys
unwanted = re.compile(sys.argv[1].encode())
try:
    for line in sys.stdin.buffer:
        if not unwanted.match(line):
            sys.stdout.buffer.write(line)
            sys.stdout.buffer.flush()
except OSError:
    pass  # Nobody reads it.
"""


@contextlib.contextmanager
def tensorflow():
    """Have TensorFlow log errors alone if it is imported in this block, and warnings where there may be a GPU.

    It does nothing where the user has set `TF_CPP_MIN_LOG_LEVEL`, or where TensorFlow is imported already.
    """
    if LEVEL in os.environ or "tensorflow" in sys.modules:
        yield
        return
    finder = _Finder()
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        finder.leave()


class _Finder(importlib.abc.MetaPathFinder):
    """Has TensorFlow be imported with a filter on stderr."""

    def find_spec(self, name, path=None, target=None):
        """Return how to import TensorFlow, once; None of all other packages."""
        if name != "tensorflow":
            return None
        self.leave()
        spec = importlib.util.find_spec(name)
        if spec is None or spec.loader is None:
            return spec
        execute = spec.loader.exec_module

        def exec_module(module):
            driver = NVIDIA_DRIVER.exists()
            os.environ[LEVEL] = WARNINGS if driver else ERRORS
            with _without_lines(EARLY if driver else f"{EARLY}|{NO_GPU}"):
                execute(module)
                module.config.list_physical_devices()  # Where there is no driver it says that it finds none.

        spec.loader.exec_module = exec_module
        return spec

    def leave(self):
        """Have no part in further imports."""
        if self in sys.meta_path:
            sys.meta_path.remove(self)


@contextlib.contextmanager
def _without_lines(unwanted):
    """Leave out lines that begin with a pattern of what is written to the process's stderr, by C++ too, in a block."""
    command = [sys.executable, "-I", "-S", "-c", FILTER, unwanted]
    sys.stderr.flush()
    try:
        # In a session of its own: the terminal's Ctrl-C is for the script, which ends the filter by ending itself.
        passing = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=2, start_new_session=True)
    except OSError:  # No room for another process, say; then all lines are shown.
        yield
        return
    own = os.dup(2)
    os.dup2(passing.stdin.fileno(), 2)
    passing.stdin.close()
    try:
        yield
    finally:
        sys.stderr.flush()
        os.dup2(own, 2)
        os.close(own)
        with contextlib.suppress(subprocess.TimeoutExpired):  # Of a process that the block has left with its stderr.
            passing.wait(timeout=10)
