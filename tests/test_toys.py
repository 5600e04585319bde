"""The toy additions of doc/architecture.md, "Where to add": each diff of doc/toys/ is applied to a copy, and run."""

import os
import re
import shutil
import subprocess
import sys

import pytest

from helpers import ROOT
from helpers.ytvos_videos import paint, write_frame
from osmn.files.images import write_labels

COPIED = ("osmn", "preprocessing", "tests/helpers", "tests/conftest.py", "pyproject.toml")
SQUARE = (4, 4, 12, 12)  # 64 pixels.


def files(name):
    """Return the paths of the files that the diff of a toy changes, and of those that it adds: two sets."""
    text = (ROOT / f"doc/toys/{name}.diff").read_text()
    pairs = re.findall(r"^--- (\S+)\n\+\+\+ b/(\S+)$", text, re.M)
    assert len(pairs) == text.count("diff --git ")
    changed = {path for before, path in pairs if before != "/dev/null"}
    return changed, {path for _, path in pairs} - changed


TOYS = ("dataset", "engine", "network", "option")


class Checkout:
    """A copy of the program with the toys."""

    def __init__(self, folder):
        self.folder = folder
        for path in (*COPIED, *(path.name for path in ROOT.glob("*.py"))):
            copy = folder / path
            copy.parent.mkdir(parents=True, exist_ok=True)
            if (ROOT / path).is_dir():
                shutil.copytree(ROOT / path, copy, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(ROOT / path, copy)
        # In a repository above the copy, Git would look for the diff's files at the top of that repository.
        for name in TOYS:
            self._run("git", "apply", ROOT / f"doc/toys/{name}.diff", GIT_CEILING_DIRECTORIES=str(folder.parent))

    def python(self, *words):
        """Run Python in the copy; return what it prints."""
        return self._run(sys.executable, *words)

    def _run(self, *words, **variables):
        # A hook of Git's sets variables that name its own repository.
        environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        environment |= {"PYTHONPATH": str(self.folder), "COLUMNS": "120"} | variables
        done = subprocess.run(list(map(str, words)), cwd=self.folder, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, f"{words}\n{done.stdout}{done.stderr}"
        return done.stdout


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Return a `Checkout`, after the toys' files are linted and their own tests have passed."""
    checkout = Checkout(tmp_path_factory.mktemp("toys") / "copy")
    every = [path for name in TOYS for paths in files(name) for path in paths]
    checkout.python("-m", "ruff", "check", *every)
    checkout.python("-m", "ruff", "format", "--check", *every)
    tests = [path for path in every if path.startswith("tests/")]
    assert len(tests) == len(TOYS)
    checkout.python("-m", "pytest", "-p", "no:cacheprovider", *tests)  # It fails if one of them does.
    return checkout


def test_a_dataset_takes_four_files_and_a_script_and_is_scored_and_reported(made, tmp_path):
    changed, added = files("dataset")
    scripts = {path for path in added if "/" not in path}
    assert scripts == {"toy_eval.py"} and len(changed | added) == 5
    data, results = tmp_path / "data", tmp_path / "results"
    for number, result in enumerate([{}, {1: SQUARE}, {1: (4, 4, 12, 8)}]):  # The last frame has half of it.
        write_frame(data / f"frames/square/{number}.jpg", paint({1: SQUARE}))
        write_labels(data / f"masks/square/{number}.png", paint({1: SQUARE}))
        write_labels(results / f"square/{number}.png", paint(result))
    assert made.python("toy_eval.py", data, results).splitlines()[-1] == "mIU: 0.750"
    assert made.python("-m", "osmn.report", results, data) == f"report: {results}/report.html\n"
    page = (results / "report.html").read_text()
    assert "Toy" in page and "0.750" in page


def test_an_option_takes_three_files_and_joins_every_script_that_segments_datasets(made):
    changed, added = files("option")
    assert len(changed | added) == 3
    for script in ("osmn_train_eval.py", "osmn_train_eval_ytvos.py", "osmn_eval_youtube.py", "osmn_online_finetune.py"):
        assert "  --least_pixels N " in made.python(script, "-h")


def test_an_engine_takes_three_files_and_is_a_choice_of_the_scripts(made):
    changed, added = files("engine")
    assert len(changed | added) == 3
    for script in ("osmn_train_eval.py", "osmn_segment.py", "osmn_app.py"):
        assert "--engine {auto,tensorflow,openvino,copy}" in made.python(script, "-h")


def test_a_network_takes_three_files_and_is_a_base_model_of_the_scripts(made):
    changed, added = files("network")
    assert len(changed | added) == 3
    for script in ("osmn_train_eval.py", "osmn_coco_pretrain.py"):
        assert "--base_model {osvos,masktrack,deeplab,lite,tiny}" in made.python(script, "-h")


def test_the_page_shows_hunks_of_the_diffs():
    blocks = re.findall(r"^```diff\n(.*?)^```", (ROOT / "doc/architecture.md").read_text(), re.M | re.S)
    assert len(blocks) == 4
    for name, block in zip(("dataset", "option", "engine", "network"), blocks, strict=True):
        diff = (ROOT / f"doc/toys/{name}.diff").read_text()
        parts = re.split(r"^(?=--- |@@ )", block, flags=re.M)[1:]
        assert len(parts) >= 2 and all(part in diff for part in parts)
