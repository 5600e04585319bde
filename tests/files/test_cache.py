"""What takes long to make and is kept in a file: made once, made again if damaged, and nothing is left of a kill."""

import json
import os
import pickle
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from helpers import ROOT
from osmn.files import locks
from osmn.files.atomic import UNFINISHED
from osmn.files.cache import cached

KEY, VALUE = [1, "a.json", 0.5], {"v": [[1, 2], "text"]}


@pytest.fixture
def path(tmp_path):
    return tmp_path / ".kept.json"


def no_making():
    raise AssertionError("made again")


def test_a_value_is_made_once_for_a_key(path):
    assert cached(path, KEY, lambda: VALUE) == VALUE
    assert cached(path, KEY, no_making) == VALUE
    assert cached(path, [2], lambda: "other") == "other"
    assert cached(path, [2], no_making) == "other"
    assert [p.name for p in path.parent.iterdir()] == [path.name]


class Payload:
    """Pickled, it makes a file when it is read."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


HEAD = json.dumps({"key": KEY, "sha256": "0" * 64}).encode()


@pytest.mark.parametrize(
    "content",
    [HEAD, HEAD + b'\n"other"', HEAD[:9], b"", b"[]", b"{}", b"\xff", b'{"key": [1, "a.json", 0.5]}', b"[" * 99999],
)
def test_a_damaged_file_is_named_and_made_again(path, content, messages, capsys):
    path.write_bytes(content)
    assert cached(path, KEY, lambda: VALUE) == VALUE
    assert f"{path} is damaged" in capsys.readouterr().err
    assert cached(path, KEY, no_making) == VALUE


def test_a_file_with_any_bit_flipped_or_its_end_missing_is_made_again(path, capsys):
    cached(path, KEY, lambda: VALUE)
    whole = path.read_bytes()
    for place in range(len(whole)):
        flipped = bytearray(whole)
        flipped[place] ^= 1 << place % 8
        for content in (flipped, whole[:place]):
            path.write_bytes(content)
            assert cached(path, KEY, lambda: VALUE) == VALUE
            assert path.read_bytes() == whole


def test_nothing_in_a_file_is_executed(path, capsys):
    path.write_bytes(pickle.dumps(Payload(path.with_name("executed"))))
    assert cached(path, KEY, lambda: VALUE) == VALUE
    assert not path.with_name("executed").exists()


def test_a_value_that_cannot_be_made_leaves_nothing(path):
    with pytest.raises(AssertionError):
        cached(path, KEY, no_making)
    assert not list(path.parent.iterdir())


def test_an_unwritable_folder_is_named_and_does_without(path, monkeypatch, messages, capsys):
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert cached(path, KEY, lambda: VALUE) == VALUE
    assert f"{path.parent} is not writable" in capsys.readouterr().err
    assert not path.exists()


KILLED = """
import os, pathlib, signal, sys
from osmn.files.cache import cached

def kill(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

if sys.argv[2] == "writing":
    os.replace = kill
else:
    pathlib.Path.unlink = kill  # of the lock, once the file is there
cached(pathlib.Path(sys.argv[1]), [1, "a.json", 0.5], lambda: {"v": [[1, 2], "text"]})
"""


@pytest.mark.parametrize(("moment", "left"), [("writing", UNFINISHED), ("letting go", locks.LOCK)])
def test_what_a_kill_leaves_while_a_value_is_kept_is_removed_by_the_next_run(path, moment, left):
    command = [sys.executable, "-c", KILLED, str(path), moment]
    killed = subprocess.run(command, env=os.environ | {"PYTHONPATH": str(ROOT)}, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert any(other.name.startswith(left) for other in path.parent.iterdir())
    assert path.exists() == (moment == "letting go")
    assert cached(path, KEY, lambda: VALUE) == VALUE
    assert [other.name for other in path.parent.iterdir()] == [path.name]


def test_what_another_run_is_writing_stays(path):
    cached(path, KEY, lambda: VALUE)
    unfinished = path.with_name(f"{UNFINISHED}{'0' * 16}.json")
    unfinished.touch()
    holder = """
import sys
from osmn.files import locks
with locks.writing(sys.argv[1]):
    open(sys.argv[2], "w").close()  # After what was left there is removed.
    print(flush=True)
    sys.stdin.read()
"""
    command = [sys.executable, "-c", holder, str(path.parent), str(unfinished)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment) as process:
        process.stdout.readline()
        assert cached(path, KEY, no_making) == VALUE
        assert unfinished.exists()
        process.stdin.close()
    assert cached(path, KEY, no_making) == VALUE
    assert not unfinished.exists()
