"""Files that are written whole or not at all."""

import os
import subprocess
import sys

import pytest

from helpers import ROOT
from osmn.errors import InputError
from osmn.files.atomic import UNFINISHED, named_write_errors, remove_unfinished, replacing


def test_a_file_appears_under_its_name_when_it_is_whole(tmp_path):
    (tmp_path / "a.txt").write_text("old")
    with replacing(tmp_path / "a.txt") as temporary:
        temporary.write_text("new")
        assert temporary.suffix == ".txt"
        assert (tmp_path / "a.txt").read_text() == "old"
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("a.txt", "new")]


def test_a_file_that_could_not_be_written_leaves_nothing(tmp_path):
    with pytest.raises(ZeroDivisionError), replacing(tmp_path / "a.txt") as temporary:
        temporary.write_text("half")
        raise ZeroDivisionError
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("named", [True, False])
def test_a_failure_to_write_names_the_file_and_not_the_temporary_one(tmp_path, named):
    def fail(temporary):
        raise OSError(28, "No space left on device", *[str(temporary)] * named)

    refused = pytest.raises(InputError, match=f"^{tmp_path / 'a.txt'} cannot be written .No space left on device.; ")
    with refused, replacing(tmp_path / "a.txt") as temporary:
        fail(temporary)
    with pytest.raises(FileNotFoundError, match="missing"), replacing(tmp_path / "a.txt"):
        (tmp_path / "missing").read_text()
    assert not list(tmp_path.iterdir())


def test_a_place_that_is_a_link_to_nowhere_is_called_that(tmp_path):
    (tmp_path / "results").symlink_to(tmp_path / "gone")
    refused = pytest.raises(
        InputError, match=r"results is a link that leads nowhere; remove it, or make what it leads to$"
    )
    with refused, named_write_errors(tmp_path / "results"):
        (tmp_path / "results").mkdir(exist_ok=True)


def test_files_have_the_permissions_that_the_umask_gives_and_it_is_never_changed(tmp_path, monkeypatch):
    before = os.umask(0o027)
    try:
        with monkeypatch.context() as patched:
            patched.delattr(os, "umask")  # Other threads write files at the same time.
            with replacing(tmp_path / "a.txt") as temporary:
                temporary.write_text("text")
    finally:
        os.umask(before)
    assert (tmp_path / "a.txt").stat().st_mode & 0o777 == 0o640


def test_of_hidden_files_only_those_that_a_killed_write_left_are_removed(tmp_path):
    code = "import os, signal, sys; from osmn.files.atomic import replacing\n"
    code += "with replacing(sys.argv[1]) as path: path.write_bytes(b'half'); os.kill(os.getpid(), signal.SIGKILL)"
    for name in ("00001.png", "video/00001.png"):
        assert subprocess.run([sys.executable, "-c", code, tmp_path / name], cwd=ROOT).returncode == -9
    left = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(left) == 2
    names = (".my-notes.txt", "video/.cache-2/a.png", "video/.00001-abc123.png", ".osmn-writing-notes.txt")
    names += (f"{UNFINISHED}0123456789abcdef/a.png", f"{UNFINISHED}0123456789abcdef.png.txt")  # A folder; two suffixes.
    users = [tmp_path / name for name in names]
    for path in users:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"mine")
    (tmp_path / f"video/{UNFINISHED}0123456789abcdef.folder").mkdir()
    (tmp_path / f"video/{UNFINISHED}0123456789abcdef.folder/half.png").write_bytes(b"half")
    remove_unfinished(tmp_path, deep=False)
    assert len(list(tmp_path.rglob(f"{UNFINISHED}*"))) == 5  # Those in `video` are still there.
    remove_unfinished(tmp_path)
    assert sorted(path for path in tmp_path.rglob("*") if path.is_file()) == sorted(users)
