"""TensorFlow's log: kept off a script's stderr, but for errors; users who ask for it, or use the library, have it."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from osmn.cli import quiet

ROOT = Path(__file__).resolve().parents[2]
STAND_IN = """
import os

def log(text):
    os.write(2, text.encode() + b"\\n")  # As C++ does, past Python.

log("WARNING: All log messages before absl::InitializeLog() is called are written to STDERR")
log("I0000 00:00:1.2 3 port.cc:153] oneDNN custom operations are on. You may see ...")
log("I0000 00:00:1.2 3 cudart_stub.cc:31] Could not find cuda drivers on your machine, GPU will not be used.")
log("W0000 00:00:1.2 3 gpu_device.cc:1] Cannot dlopen some GPU libraries.")
log("E0000 00:00:1.2 3 a.cc:1] an error")
print("printed by Python", file=__import__("sys").stderr)
end = os.environ.get("END")
if end == "abort":
    log("F0000 00:00:1.2 3 cpu_feature_guard.cc:1] your machine has no AVX")
    os.abort()
if end == "raise":
    raise ImportError("libtensorflow_cc.so.2: failed to map segment from shared object")

class config:
    @staticmethod
    def list_physical_devices():
        log("E0000 00:00:1.2 3 cuda_platform.cc:52] failed call to cuInit: UNKNOWN ERROR (303)")
        return []
"""
SCRIPT = """
import sys
from pathlib import Path
from osmn.cli import quiet
from osmn.cli.entry import reports_input_errors
quiet.NVIDIA_DRIVER = Path(sys.argv[1])

@reports_input_errors
def main(argv):
    import os
    import tensorflow
    os.write(2, b"I0000 00:00:9.9 3 later.cc:1] after the import\\n")
    print(os.environ["TF_CPP_MIN_LOG_LEVEL"])

main()
"""
KEPT = ["W0000 00:00:1.2 3 gpu_device.cc:1] Cannot dlopen some GPU libraries.", "E0000 00:00:1.2 3 a.cc:1] an error"]
KEPT += ["printed by Python"]
LATER = "I0000 00:00:9.9 3 later.cc:1] after the import"
CU_INIT = "E0000 00:00:1.2 3 cuda_platform.cc:52] failed call to cuInit: UNKNOWN ERROR (303)"


@pytest.fixture
def run(tmp_path):
    """Return a function that runs a script which imports a stand-in for TensorFlow: its status, stdout and stderr."""
    (tmp_path / "tensorflow").mkdir()
    (tmp_path / "tensorflow/__init__.py").write_text(STAND_IN)

    def call(driver="/nowhere", code=SCRIPT, **environment):
        environment = os.environ | {"PYTHONPATH": f"{tmp_path}:{ROOT}"} | environment
        if "TF_CPP_MIN_LOG_LEVEL" in environment and environment["TF_CPP_MIN_LOG_LEVEL"] is None:
            del environment["TF_CPP_MIN_LOG_LEVEL"]
        done = subprocess.run(
            [sys.executable, "-c", code, str(driver)], env=environment, capture_output=True, text=True, timeout=60
        )
        return done.returncode, done.stdout, done.stderr.splitlines()

    return lambda *arguments, **environment: call(*arguments, **{"TF_CPP_MIN_LOG_LEVEL": None} | environment)


def test_information_is_left_out_while_tensorflow_is_imported_and_errors_are_not(run):
    assert run() == (0, "2\n", [*KEPT, LATER])


def test_where_there_is_a_driver_it_is_said_why_the_gpu_is_not_used(run, tmp_path):
    assert run(tmp_path) == (0, "1\n", [*KEPT, CU_INIT, LATER])


def test_a_user_who_sets_the_level_has_all_of_it(run):
    status, out, err = run(TF_CPP_MIN_LOG_LEVEL="0")
    assert (status, out) == (0, "0\n")
    assert len(err) == 7 and err[1].startswith("I0000") and err[-1] == LATER


def test_what_an_abort_in_the_import_says_is_shown(run):
    status, _, err = run(END="abort")
    assert status == -signal.SIGABRT
    assert "F0000 00:00:1.2 3 cpu_feature_guard.cc:1] your machine has no AVX" in err


def test_an_error_in_the_import_ends_the_script_as_ever(run):
    status, _, err = run(END="raise")
    assert status == 2
    assert err[:3] == KEPT and err[3].startswith("error: there is not enough memory")


def test_using_the_library_changes_neither_the_environment_nor_the_import_of_tensorflow(run):
    code = "import os, sys; before = dict(os.environ), list(sys.meta_path)\nfrom osmn import Predictor\n"
    code += "assert (dict(os.environ), list(sys.meta_path)) == before; import tensorflow"
    status, _, err = run(code=code)
    assert status == 0
    assert sum(line.startswith("I0000") for line in err) == 2


def test_a_script_that_imports_no_tensorflow_leaves_nothing_behind(monkeypatch):
    monkeypatch.delenv(quiet.LEVEL, raising=False)
    monkeypatch.delitem(sys.modules, "tensorflow", raising=False)
    before = list(sys.meta_path)
    with quiet.tensorflow():
        assert len(sys.meta_path) == len(before) + 1
    assert sys.meta_path == before and quiet.LEVEL not in os.environ


def test_the_real_tensorflow_is_silent_on_a_machine_without_gpu():
    if quiet.NVIDIA_DRIVER.exists():
        pytest.skip("there is a GPU's driver here, which may have something to say")
    environment = {name: value for name, value in os.environ.items() if name != quiet.LEVEL}
    environment |= {"PYTHONPATH": str(ROOT)}
    code = "from osmn.cli.entry import reports_input_errors\n@reports_input_errors\ndef main(argv):\n"
    code += "  from osmn.networks import devices\n  devices.configure([])\n  import tensorflow as tf; tf.zeros(1) + 1\n"
    done = subprocess.run([sys.executable, "-c", f"{code}main()"], env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
