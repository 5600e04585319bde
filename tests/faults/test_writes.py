"""Files that cannot be written: one line, status 2, nothing half written; then the same command finishes as ever."""

import contextlib
import os
import subprocess

import children
import commands
import pytest

from helpers.cases import case
from osmn.errors import InputError
from osmn.training.tensorboard import Summaries
from osmn.training.trainer import Losses

FAST = ("testing ytvos", "preprocessing davis", "merging", "scoring")
SLOW = [pytest.param(name, marks=pytest.mark.slow) for name in commands.COMMANDS if name not in FAST]
ROOM = (0.05, 0.5, 0.9)  # of the space that the results take, which is less than what they take in between
SPARE = 2**20


def mount(*arguments):
    return subprocess.run(["mount", *map(str, arguments)], capture_output=True).returncode == 0


@pytest.fixture
def disk(tmp_path):
    """Return a function: bytes -> a file system of that size, in which nothing is yet."""
    with contextlib.ExitStack() as mounted:

        def make(size):
            folder = tmp_path / f"disk {size}"
            folder.mkdir()
            if not mount("-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder):
                pytest.skip("this machine does not let the tests mount a small file system")
            mounted.callback(subprocess.run, ["umount", "-l", str(folder)], check=True)
            return folder

        yield make


def free(folder):
    state = os.statvfs(folder)
    return state.f_bavail * state.f_frsize


def space(out):
    """Return the bytes that the files in a folder take, in pages."""
    return sum(-(-path.stat().st_size // 4096) * 4096 for path in out.rglob("*") if path.is_file())


def failed(name, data, out, whole, before, limit=None):
    """Run a command that must fail, in one line and with nothing half written; return the line."""
    with case("failures to write"):
        status, printed = children.run(name, data, out, limit)
        assert status == 2, printed[-2000:]
        assert "Traceback" not in printed, printed[-3000:]
        (line,) = (line for line in printed.splitlines() if line.startswith("error: "))
        assert not commands.leftovers(out)
        for file, content in commands.results(out).items():
            # What an overlay holds when there is no more room is kept, and plays.
            if file in whole and before.get(file) != content and not file.endswith(".mp4"):
                assert content == whole[file], file
        return line


@pytest.mark.parametrize("name", [*FAST, *SLOW])
def test_what_cannot_be_written_is_one_line_and_afterwards_the_same_command_finishes(name, data, whole, disk, tmp_path):
    expected = whole(name)
    command = commands.COMMANDS[name]
    commands.begin(name, data, tmp_path / "before")
    before, taken = commands.results(tmp_path / "before"), space(tmp_path / "before")
    needed = sum(-(-len(content) // 4096) * 4096 for file, content in expected.items() if file not in before)
    place = disk(taken + 3 * needed + SPARE)
    out = place / "out"
    commands.begin(name, data, out)

    obstacle = out / command.writes / command.file
    obstacle.mkdir(parents=True)
    assert command.file.removesuffix(".index") in failed(name, data, out, expected, before)
    obstacle.rmdir()

    assert mount("-o", "remount,ro", place)
    assert "Read-only file system" in failed(name, data, out, expected, before)
    assert mount("-o", "remount,rw", place)

    for share in ROOM:
        filler, room = place / "filler", int(share * needed)
        with filler.open("wb") as file:
            left = space(out) - taken  # What earlier attempts have finished needs no room any more.
            os.posix_fallocate(file.fileno(), 0, max(4096, free(place) - max(0, room - left) // 4096 * 4096))
        assert str(out) in failed(name, data, out, expected, before)
        filler.unlink()

    status, printed = children.run(name, data, out)
    assert status == 0, printed[-3000:]
    assert commands.results(out) == expected
    assert not commands.leftovers(out)


@pytest.mark.parametrize("name", [*FAST, *SLOW])
def test_files_beyond_a_limit_of_size_are_one_line_and_afterwards_the_same_command_finishes(
    name, data, whole, tmp_path
):
    expected, out = whole(name), tmp_path / "out"
    commands.begin(name, data, out)
    before = commands.results(out)
    largest = max(len(content) for file, content in expected.items() if file not in before and ".mp4" not in file)
    failed(name, data, out, expected, before, limit=largest // 2)
    status, printed = children.run(name, data, out)
    assert status == 0, printed[-3000:]
    assert commands.results(out) == expected
    assert not commands.leftovers(out)


def test_summaries_for_which_there_is_no_room_are_one_line(disk):
    place = disk(2**16)
    refused = pytest.raises(InputError, match=f"^{place} cannot be written .*No space left on device")
    with refused as error, Summaries(place) as summaries:
        (place / "filler").write_bytes(bytes(free(place)))
        for step in range(100):
            summaries.write(step, Losses(1.0, 2.0), 0.1, batch=None, logits=None)
    assert "\n" not in str(error.value)


def test_a_file_where_the_folder_of_summaries_is_to_be_is_one_line(tmp_path):
    (tmp_path / "model").write_text("mine")
    with pytest.raises(InputError, match=f"^{tmp_path / 'model'} cannot be written .Not a directory.;") as error:
        Summaries(tmp_path / "model")
    assert "\n" not in str(error.value)
