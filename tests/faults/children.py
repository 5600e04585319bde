"""Commands as processes of their own, forked from one that has imported TensorFlow: they start at once."""

import multiprocessing
import os
import resource
import signal
import sys
import threading
import time

import commands

from helpers import ROOT
from helpers.processes import alive

HERE = [str(ROOT), str(ROOT / "tests"), str(ROOT / "tests/faults")]


def _context():
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["children_preload"])
    os.environ["PYTHONPATH"] = os.pathsep.join(HERE)
    return context


CONTEXT = _context()


class Child:
    """A command that runs in a process group of its own, on the data in `data`, with results in `out`."""

    def __init__(self, name, data, out, limit=None):
        reader, writer = CONTEXT.Pipe(duplex=False)  # Not a file: its size would be limited.
        self._process = CONTEXT.Process(target=_run, args=(name, data, out, limit, writer))
        self._process.start()
        writer.close()
        self._printed = bytearray()
        self._reading = threading.Thread(target=self._read, args=(reader,), daemon=True)
        self._reading.start()

    def _read(self, reader):
        while block := os.read(reader.fileno(), 2**16):
            self._printed += block
        reader.close()

    def wait(self, timeout=300):
        """Return the exit status and what was printed, once the process has ended; kill it if it does not."""
        self._process.join(timeout)
        if self._process.exitcode is None:
            self.kill()
            raise TimeoutError(self.printed)
        self._reading.join(20)  # It ends with the last process that may print.
        return self._process.exitcode, self.printed

    @property
    def printed(self):
        """What was printed until now."""
        return self._printed.decode(errors="replace")

    def kill(self):
        """Kill the process, with no chance to do anything, but none of those that it started."""
        os.kill(self._process.pid, signal.SIGKILL)
        self._process.join()

    def is_running(self):
        """Tell whether it is."""
        return self._process.exitcode is None

    def processes_left(self, seconds=20):
        """Return how many processes of the group are alive, after waiting for them to end."""
        deadline = time.monotonic() + seconds
        while (left := alive(self._process.pid)) and time.monotonic() < deadline:
            time.sleep(0.02)
        return left


def _run(name, data, out, limit, writer):
    os.setsid()
    os.dup2(writer.fileno(), 1)
    os.dup2(writer.fileno(), 2)
    writer.close()
    sys.stdout = open(1, "w", closefd=False, buffering=1)  # noqa: SIM115
    sys.stderr = open(2, "w", closefd=False, buffering=1)  # noqa: SIM115
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    if limit is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    command = commands.COMMANDS[name]
    commands.take_stand_in(command.network)
    command.main()(command.argv(data, out))


def run(name, data, out, limit=None):
    """Run a command to its end; return its exit status and what it printed."""
    return Child(name, data, out, limit).wait()
