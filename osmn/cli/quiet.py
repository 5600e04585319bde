"""Keeps TensorFlow's own log, which is for its developers, off a script's stderr; its errors are still shown."""

import contextlib
import importlib.abc
import importlib.util
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import IO, Any, cast

LEVEL = "TF_CPP_MIN_LOG_LEVEL"  # If the user sets it, this module does nothing.
WARNINGS, ERRORS = "1", "2"  # Values of LEVEL: the lowest level that is shown.
NVIDIA_DRIVER = Path("/proc/driver/nvidia/version")
# TensorFlow writes these lines before it reads LEVEL: information, and a header.
EARLY = r"I\d{4} |WARNING: All log messages before absl::InitializeLog\(\) is called are written to STDERR"
NO_GPU = r"E\d{4} .*failed call to cuInit"
# The filter is a separate program, so that it passes on what it has read even if this program is aborted. It ends when
# no process holds its input open.
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
def tensorflow() -> Iterator[None]:
    """Make TensorFlow log only errors if it is imported in this block, and also warnings where there may be a GPU.

    Nothing changes if the user has set `TF_CPP_MIN_LOG_LEVEL`, or if TensorFlow is imported already.
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
    """Imports TensorFlow with a filter on stderr."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return how to import TensorFlow, once; return None for all other packages."""
        if name != "tensorflow":
            return None
        self.leave()
        spec = importlib.util.find_spec(name)
        if spec is None or spec.loader is None:
            return spec
        loader: Any = spec.loader
        execute = loader.exec_module

        def exec_module(module: ModuleType) -> None:
            driver = NVIDIA_DRIVER.exists()
            os.environ[LEVEL] = WARNINGS if driver else ERRORS
            with _without_lines(EARLY if driver else f"{EARLY}|{NO_GPU}"):
                execute(module)
                module.config.list_physical_devices()  # It logs a missing driver now, into the filter.

        loader.exec_module = exec_module
        return spec

    def leave(self) -> None:
        """Leave further imports to the other finders."""
        if self in sys.meta_path:
            sys.meta_path.remove(self)


@contextlib.contextmanager
def _without_lines(unwanted: str) -> Iterator[None]:
    """Leave out lines that begin with a pattern from the process's stderr in this block, also those of C++ code."""
    command = [sys.executable, "-I", "-S", "-c", FILTER, unwanted]
    sys.stderr.flush()
    try:
        # The filter has its own session, because the terminal's Ctrl-C is for the script; the filter ends after it.
        passing = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=2, start_new_session=True)
    except OSError:  # If no process can be started, for example, all lines are shown.
        yield
        return
    pipe = cast(IO[bytes], passing.stdin)
    own = os.dup(2)
    os.dup2(pipe.fileno(), 2)
    pipe.close()
    try:
        yield
    finally:
        sys.stderr.flush()
        os.dup2(own, 2)
        os.close(own)
        with contextlib.suppress(subprocess.TimeoutExpired):  # Of a process that the block has left with its stderr.
            passing.wait(timeout=10)
