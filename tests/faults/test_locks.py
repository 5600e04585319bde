"""Two runs into one folder: the second names it and ends; the lock goes with its process, however that ends."""

import contextlib
import errno
import os
import signal
import subprocess
import sys

import children
import commands
import filelock
import pytest

from helpers import ROOT
from helpers.trees import names, tree
from osmn.errors import InputError
from osmn.files import locks
from osmn.models import checkpoints

HOLD = """
import sys
from osmn.files import locks
with locks.writing(sys.argv[1], (int(sys.argv[2]), int(sys.argv[3]))) as held:
    held.admit()
    print("held", flush=True)
    sys.stdin.read()
"""


@contextlib.contextmanager
def another_run(folder, shard=(0, 1)):
    """Have another process write into a folder, for a share of the work."""
    command = [sys.executable, "-c", HOLD, str(folder), *map(str, shard)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.stdin.close()


def test_a_folder_that_another_run_writes_into_is_named(tmp_path):
    refused = pytest.raises(InputError, match=f"^{tmp_path} is being written by another run; ")
    with another_run(tmp_path), refused, locks.writing(tmp_path):
        pass
    with locks.writing(tmp_path):
        assert names(tmp_path) == [locks.LOCK]
    assert names(tmp_path) == []


def test_a_killed_run_holds_nothing_and_what_it_left_is_removed(tmp_path):
    for shard in ((0, 1), (1, 2)):
        with another_run(tmp_path, shard) as process:
            process.send_signal(signal.SIGKILL)
            process.wait()
        assert names(tmp_path)
        with locks.writing(tmp_path):
            pass
        assert names(tmp_path) == []


def test_a_folder_is_held_until_the_outermost_block_ends(tmp_path):
    with locks.writing(tmp_path), locks.writing(tmp_path), locks.writing(tmp_path / "model"):
        pass
    with locks.writing(tmp_path):
        with locks.writing(tmp_path):
            pass
        assert names(tmp_path) == [locks.LOCK]


def test_folders_that_were_made_for_nothing_are_removed(tmp_path):
    with pytest.raises(ZeroDivisionError), locks.writing(tmp_path / "a/b"):
        raise ZeroDivisionError
    assert names(tmp_path) == []
    with locks.writing(tmp_path / "a/b"):
        (tmp_path / "a/result").touch()
    assert names(tmp_path / "a") == ["result"]


@pytest.mark.parametrize(
    ("theirs", "ours", "together"),
    [
        ((0, 2), (1, 2), True),
        ((0, 2), (0, 2), False),
        ((0, 2), (0, 1), False),
        ((0, 1), (0, 2), False),
        ((0, 2), (1, 3), False),  # Shares of another number have videos in common.
    ],
)
def test_different_shares_of_the_same_work_run_at_the_same_time_and_no_others(
    tmp_path, monkeypatch, theirs, ours, together
):
    monkeypatch.setattr(locks, "MOMENT", 0.2)
    refused = contextlib.nullcontext() if together else pytest.raises(InputError, match="written by another run")
    with another_run(tmp_path, theirs), refused, locks.writing(tmp_path, ours) as held:
        assert not held.alone
    assert names(tmp_path) == []


def test_nothing_is_replaced_while_another_share_is_at_work(tmp_path):
    refused = pytest.raises(InputError, match="written by another run")
    with another_run(tmp_path, (0, 2)), refused, locks.writing(tmp_path, (1, 2)) as held:
        held.require_alone()
    with locks.writing(tmp_path, (1, 2)) as held:
        held.require_alone()


@pytest.mark.parametrize("number", sorted(locks.NO_LOCKS))
def test_a_file_system_without_locks_is_named_and_does_without(tmp_path, monkeypatch, messages, capsys, number):
    def refuse(*_, **__):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(filelock.FileLock, "acquire", refuse)
    with locks.writing(tmp_path, (0, 2)) as held:
        held.admit()
    (line, *_) = capsys.readouterr().err.splitlines()
    assert line == f"{tmp_path} is on a file system without locks: see to it that no other run writes there"


def test_other_failures_of_a_lock_are_errors(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(filelock.FileLock, "acquire", refuse)
    with pytest.raises(InputError, match=f"{tmp_path} cannot be written .Input/output error."), locks.writing(tmp_path):
        pass


def test_a_model_is_not_exported_into_a_folder_that_is_being_trained_in(tmp_path, monkeypatch):
    monkeypatch.setattr(locks, "MOMENT", 0.2)
    with another_run(tmp_path), pytest.raises(InputError, match="written by another run"):
        checkpoints.write_variables(tmp_path / "model", {"x": 1.0})
    checkpoints.write_variables(tmp_path / "model", {"x": 1.0})


@pytest.mark.parametrize("name", commands.COMMANDS)
def test_every_script_refuses_a_folder_that_another_run_writes_into(name, data, tmp_path, monkeypatch, capsys):
    command, out = commands.COMMANDS[name], tmp_path / "out"
    monkeypatch.setattr(locks, "MOMENT", 0.2)
    commands.with_stand_in(monkeypatch, command.network)
    commands.begin(name, data, out)
    before = tree(out)
    with another_run(out / command.writes):
        with pytest.raises(SystemExit) as stopped:
            command.main()(command.argv(data, out))
        assert stopped.value.code == 2
        line = capsys.readouterr().err.splitlines()[-1]
        assert line.startswith(f"error: {out / command.writes} is being written by another run")
        written = tree(out)
        # A training, or the model of an online one, is in a folder of its own; nothing is in the one that is held.
        assert {file: content for file, content in written.items() if file.startswith(command.writes)} == {
            file: content for file, content in before.items() if file.startswith(command.writes)
        }


@pytest.mark.slow
@pytest.mark.parametrize("name", ["testing ytvos", "training", "online", "preprocessing davis"])
def test_of_two_runs_at_once_one_makes_the_results_and_the_other_names_the_folder(name, data, whole, tmp_path):
    expected, out = whole(name), tmp_path / "out"
    commands.begin(name, data, out)
    ended = [child.wait() for child in [children.Child(name, data, out) for _ in range(2)]]
    assert sorted(status for status, _ in ended) in ([0, 2], [0, 0])  # Or one was done before the other began.
    for status, printed in ended:
        assert status == 0 or printed.splitlines()[-1].startswith("error: "), printed[-2000:]
        assert status == 0 or "is being written by another run" in printed
    assert commands.results(out) == expected
    assert not commands.leftovers(out)
