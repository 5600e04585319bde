"""The program's version in results names the commit of a checkout."""

import shutil
import subprocess
import sys

import pytest

from helpers import ROOT
from osmn.results.program import __version__


@pytest.fixture
def checkout(tmp_path):
    """A folder with the module of the version alone."""
    (tmp_path / "osmn/results").mkdir(parents=True)
    for name in ("__init__.py", "results/__init__.py"):
        (tmp_path / "osmn" / name).touch()
    shutil.copy(ROOT / "osmn/results/program.py", tmp_path / "osmn/results")
    return tmp_path


def program(folder):
    code = "from osmn.results.program import program; print(program())"
    return subprocess.check_output([sys.executable, "-c", code], cwd=folder, text=True).strip()


def git(folder, *words):
    who = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    return subprocess.check_output(["git", "-C", folder, *who, *words], text=True).strip()


def test_without_a_repository_the_version_is_named_alone(checkout):
    assert program(checkout) == f"osmn {__version__}"


def test_in_a_checkout_the_commit_is_named_and_whether_files_differ_from_it(checkout, monkeypatch):
    git(checkout, "init", "--quiet")
    git(checkout, "add", ".")
    git(checkout, "commit", "--quiet", "--message", "one")
    (checkout / ".git/info/exclude").write_text("__pycache__\n")
    commit = git(checkout, "rev-parse", "--short=12", "HEAD")
    monkeypatch.setenv("GIT_DIR", str(ROOT / ".git"))  # As in a hook of another repository.
    assert program(checkout) == f"osmn {__version__}, commit {commit}"
    monkeypatch.delenv("GIT_DIR")
    with (checkout / "osmn/results/program.py").open("a") as module:
        module.write("# changed\n")
    assert program(checkout) == f"osmn {__version__}, commit {commit}, changed"


def test_a_repository_that_git_cannot_read_leaves_the_version_alone(checkout):
    (checkout / ".git").mkdir()
    assert program(checkout) == f"osmn {__version__}"
