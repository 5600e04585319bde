"""Processes: what the system says of them, and how they are started."""

import contextlib
import os
import signal
import subprocess
import threading
import time
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


@contextlib.contextmanager
def interrupted(release):
    """Interrupt what is waited for in a `with` block, by a signal that another thread is handed.

    `release` ends the wait after a minute, if the signal did not: then the test fails.
    """
    late = threading.Timer(60, release)

    def interrupt():
        time.sleep(0.2)  # Until the main thread waits.
        signal.pthread_kill(threading.get_ident(), signal.SIGINT)

    with interruptible():
        late.start()
        threading.Thread(target=interrupt).start()
        try:
            yield
        except KeyboardInterrupt:
            assert late.is_alive(), "the main thread did not notice the signal"
        else:
            raise AssertionError("the wait ended without an interruption")
        finally:
            late.cancel()
