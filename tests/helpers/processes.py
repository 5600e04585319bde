"""Processes: what the system says of them, and how they are started."""

import contextlib
import os
import signal
import subprocess
from pathlib import Path


def resident_bytes():
    """Return how much memory this process has, as Linux counts it."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def alive(group):
    """Return how many processes of a process group are alive."""
    states = subprocess.run(["ps", "-o", "stat=", "-g", str(group)], capture_output=True, text=True).stdout.split()
    return sum(not state.startswith("Z") for state in states)


@contextlib.contextmanager
def interruptible():
    """Have the processes that are started in a `with` block take SIGINT.

    A process that a shell started in its background ignores SIGINT, and so would those that it starts.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
