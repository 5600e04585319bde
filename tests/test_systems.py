"""The program on other systems than Linux: as on Windows and macOS, as far as Python tells."""

import os
import re
import subprocess
import sys

import numpy as np
import pytest

from helpers import ROOT
from helpers.clips import LOSSLESS, make_video, pictures
from helpers.own_videos import mask
from osmn.errors import InputError
from osmn.files.images import read_labels
from osmn.user_video.tracking import jobs

CHILD = """
import sys
import helpers.as_windows
import osmn_live, osmn_segment, osmn_train_eval, davis_eval
davis, model, out, clip, first, own = sys.argv[1:]
tiny = "--base_model lite --mean_value 127.5 127.5 127.5 --scale_value 0.00787 --im_size 64 48".split()
train = "--precision float32 --training_iters 1 --batch_size 2 --data_aug_scales 1".split()
osmn_train_eval.main(["--data_path", davis, "--model_save_path", model, "--result_path", out, *tiny, *train])
davis_eval.main([davis, out, "2017", "val"])
fixed = ["--whole_model_path", model, "--im_size", "64", "48", "--engine", "tensorflow"]
osmn_segment.main([clip, "--mask", first, "--mask", f"2:{first}", "--result_path", own, "--both_ways", *fixed])
osmn_segment.main(
    [clip, "--mask", first, "--mask", f"2:{first}", "--result_path", own, "--both_ways", *fixed]
    + ["--cutout", "--overwrite", "--output_format", "coco", "cvat", "labelme", "boxes", "matte"]
)
osmn_segment.main([clip, "--box", "0", "0", "28", "24", "--result_path", own + " box", *fixed])
osmn_live.main([clip, "--mask", first, "--no_page", "--result_path", own + " live", *fixed])
"""


def requirements(path):
    """Return the names of the packages that a file of requirements asks for, also by others."""
    found = set()
    for line in (ROOT / path).read_text(encoding="utf-8").splitlines():
        if line.startswith("-r "):
            found |= requirements(line[3:])
        elif line.startswith("-e .[train]"):
            found |= requirements("requirements-segment.txt") | requirements("requirements-train.txt")
        elif line and not line.startswith("#"):
            found.add(re.split(r"[=<>!~\[; ]", line)[0])
    return found


def test_an_install_needs_no_compiler():
    installed = requirements("requirements.txt")
    assert {"tensorflow", "av", "numpy"} <= installed
    assert requirements("requirements-crf.txt") == {"pydensecrf2"}  # The one package without wheels.
    assert "pydensecrf2" not in installed


def test_the_pythons_that_pip_accepts_are_those_of_the_readme():
    (accepted,) = re.findall(r'requires-python = "(.*)"', (ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    lowest, last = re.findall(r"# Python 3\.(\d+) to 3\.(\d+);", (ROOT / "README.md").read_text(encoding="utf-8"))[0]
    assert accepted == f">=3.{lowest},<3.{int(last) + 1}"


def as_windows(arguments, **environment):
    """Run `CHILD` in the child process that is as on Windows; return what it printed."""
    python_path = os.pathsep.join(map(str, (ROOT, ROOT / "tests")))
    environment = os.environ | {"PYTHONPATH": python_path, "PYTHONWARNDEFAULTENCODING": "1"} | environment
    command = [sys.executable, "-c", CHILD, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, env=environment, cwd=ROOT)
    assert done.returncode == 0, done.stderr.decode(errors="replace")[-3000:]
    return done.stdout


def test_training_scoring_and_own_videos_run_as_on_windows(davis, tmp_path):
    # Every path of Windows has backslashes; here the folder's name has one, and a console has an old encoding.
    folder = tmp_path / "C:\\films 影片"
    folder.mkdir()
    clip = make_video(folder / "my holiday é.mkv", pictures(4), **LOSSLESS)
    first = mask(folder / "first.png", {1: (8, 8, 30, 30)})
    out = [folder / name for name in ("model", "out")]
    printed = as_windows([davis, *out, clip, first, folder / "own"], PYTHONIOENCODING="cp1252")
    assert b"J&F" in printed or b"mIU" in printed
    assert b"\\u5f71" in printed  # What the console's encoding lacks is an escape.
    assert (folder / "out/iou.txt").exists()
    for name in ("own", "own box"):
        assert len(list((folder / name / "masks").iterdir())) == 4
        assert (folder / name / "overlay.mp4").exists()
        assert not [path for path in (folder / name).iterdir() if path.name.startswith(".osmn-lock")]
    assert (folder / "own live/overlay.mp4").exists() and (folder / "own live/frames.csv").exists()
    for name in ("own", "own live"):
        np.testing.assert_array_equal(read_labels(folder / name / "masks/00000.png"), read_labels(first))


@pytest.mark.parametrize("system", ["linux", "darwin", "win32"])
def test_videos_whose_names_differ_by_case_alone_share_no_folder(tmp_path, monkeypatch, system):
    monkeypatch.setattr("osmn.user_video.tracking.sys.platform", system)
    paths = [tmp_path / name for name in ("Clip.mp4", "clip.mp4")]
    if system == "linux":
        assert [job.folder.name for job in jobs(paths, [], tmp_path)] == ["Clip", "clip"]
        return
    with pytest.raises(InputError, match=r"Clip.mp4 and .*clip.mp4 would have one folder of results, clip; rename one"):
        jobs(paths, [], tmp_path)


@pytest.mark.parametrize(
    "code",
    [
        "import os; os.sysconf_names",
        "import fcntl",
        "import os; os.fork()",
        "import signal; signal.SIGHUP",
        "from signal import SIGKILL",
        "import os; os.symlink('a', 'b')",
        "open('/proc/cpuinfo')",
        "import os; file = open('kept', 'w', encoding='utf-8'); os.remove('kept')",
        "open('kept', 'w')",
        "import os; os.mkdir('a'); os.mkdir('b'); os.rename('a', 'b')",
        "import os; os.mkdir('12:30')",
        "import os; os.mkdir('nul.png')",
        "open('what?.png', 'wb')",
        "open('a name.', 'wb')",
        "import multiprocessing as m; m.get_context('fork')",
        "import shutil, os; os.mkdir('a'); file = open('a/b', 'wb'); shutil.rmtree('a')",
    ],
)
def test_the_simulation_refuses_what_windows_has_not(tmp_path, code):
    (tmp_path / "osmn_code.py").write_text(
        f"refused = AttributeError, ImportError, OSError, ValueError, Warning\n"
        f"try:\n    {code}\nexcept refused:\n    raise SystemExit(7)\n"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT / "tests"), "PYTHONWARNDEFAULTENCODING": "1"}
    command = [sys.executable, "-c", "import helpers.as_windows, sys; sys.path.insert(0, '.'); import osmn_code"]
    assert subprocess.run(command, env=environment, cwd=tmp_path).returncode == 7
