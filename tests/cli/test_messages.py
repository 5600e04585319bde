"""What the library logs: shown by scripts as plain lines, and to users of the library warnings alone."""

import ast
import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from osmn.cli.entry import reports_input_errors
from osmn.errors import InputError
from osmn.files.cache import cached

ROOT = Path(__file__).resolve().parents[2]
PRINTING = ("cli", "report", "progress.py")  # Command lines, the tables that scripts print, and bars.
logger = logging.getLogger("osmn.somewhere")


@reports_input_errors
def script(argv):
    print("first")
    logger.info("50% of a.png")
    print("third")
    logger.warning("b.png is damaged")
    if argv:
        raise InputError(argv)


def test_a_script_shows_information_on_stdout_in_order_and_warnings_on_stderr(capsys):
    script()
    printed = capsys.readouterr()
    assert printed.out == "first\n50% of a.png\nthird\n"
    assert printed.err == "b.png is damaged\n"


def test_a_scripts_error_comes_after_what_was_logged(capsys):
    with pytest.raises(SystemExit):
        script("c.png is missing")
    assert capsys.readouterr().err == "b.png is damaged\nerror: c.png is missing\n"


def test_a_script_within_a_script_shows_each_message_once(capsys):
    @reports_input_errors
    def outer(argv):
        script()
        logger.info("fourth")

    outer()
    assert capsys.readouterr().out == "first\n50% of a.png\nthird\nfourth\n"


def test_after_a_script_logging_is_as_it_was(capsys):
    library = logging.getLogger("osmn")
    before = library.level, library.propagate, list(library.handlers)
    with pytest.raises(SystemExit):
        script("c.png is missing")
    assert (library.level, library.propagate, list(library.handlers)) == before


def test_a_message_that_nobody_reads_ends_a_script_as_a_printed_line_does(tmp_path):
    (tmp_path / "script.py").write_text(
        "import logging\nfrom osmn.cli.entry import reports_input_errors\n"
        "@reports_input_errors\ndef main(argv):\n  for _ in range(10 ** 5): logging.getLogger('osmn').info('x' * 99)\n"
        "main()\n"
    )
    command = f"{sys.executable} {tmp_path}/script.py | true; exit ${{PIPESTATUS[0]}}"
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(["bash", "-c", command], env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 141
    assert "Traceback" not in done.stderr


def in_python(code, folder):
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.decode(), done.stderr.decode()


CODE = """
from pathlib import Path
import numpy as np
from osmn.files.cache import cached
from osmn.files.images import write_labels
from osmn.user_video.given.objects import read_objects
Path("kept.json").write_text("damaged")
cached(Path("kept.json"), [1], lambda: 2)  # It warns.
write_labels(Path("mask.png"), np.ones((20, 30), np.uint8))
read_objects(Path("mask.png"), (60, 40))  # It says that the mask is resized.
"""


def test_a_user_of_the_library_sees_warnings_alone_on_stderr(tmp_path):
    out, err = in_python(CODE, tmp_path)
    assert out == ""
    (line,) = err.splitlines()
    assert line.startswith("kept.json is damaged (") and line.endswith("; making it again")


def test_a_user_of_the_library_who_configures_logging_gets_all_of_it(tmp_path):
    configured = "import logging, sys; logging.basicConfig(level='INFO', format='%(name)s', stream=sys.stdout)\n"
    out, err = in_python(configured + CODE, tmp_path)
    assert out.splitlines() == ["osmn.files.cache", "osmn.user_video.given.objects"]
    assert err == ""


def test_the_library_prints_nothing_itself():
    files = [path for path in (ROOT / "osmn").rglob("*.py") if path.stem not in ("__main__", "progress")]
    printing = {
        path.relative_to(ROOT / "osmn").as_posix()
        for path in files
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and getattr(node.func, "id", None) == "print"
    }
    assert [name for name in printing if not name.startswith(PRINTING)] == []
    assert "report/write.py" in printing


def test_a_message_of_the_real_library_is_shown_by_a_script(tmp_path, capsys):
    @reports_input_errors
    def main(argv):
        (tmp_path / "kept.json").write_text("damaged")
        return cached(tmp_path / "kept.json", [1], lambda: 2)

    assert main() == 2
    assert capsys.readouterr().err.startswith(f"{tmp_path}/kept.json is damaged (")
