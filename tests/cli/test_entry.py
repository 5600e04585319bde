"""How scripts end: by mistakes, by files that fail, by signals."""

import contextlib
import os
import signal
import subprocess
import sys
import time

import pytest

from helpers import ROOT
from helpers.processes import alive, interruptible
from osmn.cli.entry import STOPPED, UNREAD, reports_input_errors
from osmn.errors import InputError

SCRIPT = """
import sys, time
from osmn.cli.entry import reports_input_errors
from osmn.files.atomic import replacing
from osmn.parallel import in_processes

def work(seconds):
    for _ in range(20 * seconds):
        time.sleep(0.05)  # Short, because a signal that comes just before a sleep begins does not end it.

@reports_input_errors
def main(argv):
    with replacing(sys.argv[1] + "/half.txt") as path:
        path.write_text("half")
        jobs = [(60,)] * 2
        print("begun", flush=True)
        list(in_processes(work, jobs, int(sys.argv[2])))

if __name__ == "__main__":
    main(None)
"""


def ends(raised):
    @reports_input_errors
    def main(argv):
        raise raised

    with pytest.raises(SystemExit) as stopped:
        main(None)
    return stopped.value.code


@pytest.mark.parametrize(
    ("raised", "status", "line"),
    [
        (InputError("a.png is damaged; replace it"), 2, "error: a.png is damaged; replace it"),
        (KeyboardInterrupt(), 130, STOPPED),
        (OSError(28, "No space left on device", "out/a.png"), 2, "error: out/a.png: No space left on device; mend"),
        (OSError(28, "No space left on device"), 2, "error: a file: No space left on device; mend"),
        (PermissionError(13, "Permission denied", "a", None, "b"), 2, "error: a: b: Permission denied; mend"),
    ],
)
def test_an_end_is_one_line_and_a_status(capsys, raised, status, line):
    assert ends(raised) == status
    (printed,) = capsys.readouterr().err.splitlines()
    assert printed.startswith(line)


class ResourceExhaustedError(Exception):
    """As TensorFlow's."""


@pytest.mark.parametrize(
    "raised",
    [
        MemoryError(),
        ResourceExhaustedError("OOM when allocating tensor"),
        ImportError("libtensorflow_cc.so.2: failed to map segment from shared object"),
    ],
)
def test_too_little_memory_is_one_line(capsys, raised):
    assert ends(raised) == 2
    assert capsys.readouterr().err.startswith("error: there is not enough memory; give a smaller --im_size")


def test_a_line_stays_one_whatever_the_name_of_a_file(capsys):
    assert ends(InputError("a\nb\x1b[2J.png is damaged; replace it")) == 2
    assert capsys.readouterr().err == "error: a\\nb\\x1b[2J.png is damaged; replace it\n"


PRINTING = """
import os, sys
from pathlib import Path
from osmn.cli.entry import reports_input_errors
from osmn.files.atomic import replacing

@reports_input_errors
def main(argv):
    with replacing(Path(sys.argv[1]) / "result.txt") as path, path.open("w") as file:
        os.system("echo printed; echo warned >&2")  # As C++ does, past Python.
        print(os.fsdecode(b"\\xff \\xf0\\x9f\\xa6\\x86 \\xc3\\xa9") * 10000)
        print("progress", file=sys.stderr)
        file.write("whole")

main()
"""


def printing(tmp_path, redirections, **environment):
    """Run the script above in a shell; return its status and what it printed on stderr."""
    (tmp_path / "script.py").write_text(PRINTING)
    command = f"{{ {sys.executable} {tmp_path}/script.py {tmp_path}; echo $? >{tmp_path}/status; }} {redirections}"
    environment = os.environ | {"PYTHONPATH": str(ROOT)} | environment
    done = subprocess.run(["bash", "-c", command], env=environment, capture_output=True, text=True, timeout=60)
    return int((tmp_path / "status").read_text()), done.stderr.replace("warned\n", "").replace("progress\n", "")


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_with_closed_streams_nothing_that_is_printed_gets_into_a_file(tmp_path, closed):
    status, _ = printing(tmp_path, f"{closed} {'>/dev/null' if '>&-' not in closed else ''}")
    assert status == 0
    assert (tmp_path / "result.txt").read_text() == "whole"


def test_output_that_nobody_reads_or_that_has_no_room_is_one_line(tmp_path):
    status, printed = printing(tmp_path, "| true")
    assert status == 141 and printed.splitlines()[-1] == UNREAD and "Traceback" not in printed
    status, line = printing(tmp_path, ">/dev/full")
    assert status == 2 and "No space left on device" in line.splitlines()[-1] and "Traceback" not in line


@pytest.mark.parametrize(
    "environment", [{"PYTHONIOENCODING": "ascii"}, {"LC_ALL": "C", "PYTHONUTF8": "0"}, {"LANG": "xx"}]
)
def test_names_that_the_terminal_cannot_show_are_written_out(tmp_path, environment):
    assert printing(tmp_path, ">/dev/null", **environment) == (0, "")


def test_a_current_folder_that_was_removed_is_said_to_be(tmp_path, monkeypatch, capsys):
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert ends(None) == 2
    assert capsys.readouterr().err.startswith("error: the current folder is there no more; go to another one (cd)")


@pytest.mark.parametrize("mistake", [ZeroDivisionError(), ImportError("cannot import name 'x'")])
def test_a_mistake_of_ours_keeps_its_traceback(mistake):
    @reports_input_errors
    def main(argv):
        raise mistake

    with pytest.raises(type(mistake)):
        main(None)


@pytest.fixture
def begun(tmp_path):
    """Return a function that starts the script above with so many processes, in the middle of its work."""
    (tmp_path / "script.py").write_text(SCRIPT)
    started = []

    def start(processes):
        command = [sys.executable, tmp_path / "script.py", tmp_path, str(processes)]
        how = {"env": os.environ | {"PYTHONPATH": str(ROOT)}, "text": True, "start_new_session": True}
        with interruptible():
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **how)
        started.append(process)
        assert process.stdout.readline() == "begun\n"
        return process

    yield start
    for process in started:
        if alive(process.pid):
            with contextlib.suppress(ProcessLookupError):  # It may end between.
                os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def wait_for_end(group):
    deadline = time.monotonic() + 20
    while alive(group) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not alive(group)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_in_one_line_and_leaves_no_half_written_file(begun, tmp_path, number, status):
    process = begun(1)
    process.send_signal(number)
    _, stderr = process.communicate(timeout=20)
    assert (process.returncode, stderr) == (status, f"{STOPPED}\n")
    assert [path.name for path in tmp_path.iterdir()] == ["script.py"]


OF_LIBRARY = """
import time
print("begun", flush=True)
try:
    for _ in range(20):
        time.sleep(0.05)
except BaseException as error:  # As some libraries do, of which OpenVINO is one.
    raise ImportError("initialization failed") from error
"""
IMPORTING = """
import sys, threading, time
from osmn.cli.entry import reports_input_errors
from osmn.errors import optional_import

class Removed:
    def __del__(self):
        print("begun", flush=True)
        for _ in range(20):
            time.sleep(0.05)

class Begun(threading.Thread):  # Whose start takes as long as on a machine with much else to do.
    def run(self):
        pass

    def _bootstrap(self):
        print("begun", flush=True)
        time.sleep(1)
        super()._bootstrap()

@reports_input_errors
def main(argv):
    if argv[0] == "start":
        thread = Begun()
        try:
            thread.start()
        finally:
            print("started" if thread._started.is_set() else "lost", flush=True)
    elif argv[0] == "import":
        optional_import("library", "requirements.txt")
    else:
        Removed()
    for _ in range(400):
        time.sleep(0.05)

main(sys.argv[1:])
"""


@pytest.mark.parametrize("where", ["import", "removal", "start"])
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_is_neither_lost_nor_another_error_where_python_cannot_raise_it(tmp_path, where, number, status):
    (tmp_path / "library.py").write_text(OF_LIBRARY)
    (tmp_path / "script.py").write_text(IMPORTING)
    how = {"env": os.environ | {"PYTHONPATH": str(ROOT)}, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with interruptible():
        process = subprocess.Popen([sys.executable, tmp_path / "script.py", where], text=True, **how)
    assert process.stdout.readline() == "begun\n"
    process.send_signal(number)
    stdout, stderr = process.communicate(timeout=15)
    assert (process.returncode, stderr) == (status, f"{STOPPED}\n")
    assert "lost" not in stdout


def test_processes_end_when_the_one_that_started_them_is_killed(begun):
    process = begun(2)
    time.sleep(2)  # Until they have started.
    process.send_signal(signal.SIGKILL)
    assert wait_for_end(process.pid)


@pytest.mark.parametrize("given", [None, "2"])
@pytest.mark.parametrize("script", ["osmn_segment", "osmn_live", "osmn_app", "osmn_vos"])
def test_threads_of_numpy_and_opencv_do_not_wait_busily_beside_a_network(script, given):
    code = f"import {script}, os, cv2; print(cv2.getNumThreads(), os.environ['OPENBLAS_NUM_THREADS'])"
    code += "; import numpy; print(len(os.listdir('/proc/self/task')))" if sys.platform == "linux" else "; print(1)"
    names = "OPENBLAS_NUM_THREADS", "OPENCV_FOR_THREADS_NUM"
    environment = {name: value for name, value in os.environ.items() if name not in names}
    environment |= {} if given is None else dict.fromkeys(names, given)
    done = subprocess.run([sys.executable, "-c", code], env=environment, cwd=ROOT, capture_output=True, text=True)
    threads, blas, running = done.stdout.split()
    assert threads == blas == (given or "1"), done.stderr
    assert given or running == "1"
