"""`benchmarks.targets`: what it counts, and what it says of a program that fails."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks import targets
from benchmarks.targets import Spent, in_turns, without_start
from osmn.errors import InputError

OURS, THEIRS = Path("ours"), Path("theirs")


def test_trees_take_turns_and_the_first_run_of_each_is_not_counted(monkeypatch):
    ran = []

    def run(tree, clip):
        ran.append(tree)
        return Spent(*[{OURS: 1.0, THEIRS: 4.0}[tree] * (100 if len(ran) <= 2 else len(ran) // 2)] * 3)

    monkeypatch.setattr(targets, "run", run)
    found = in_turns([OURS, THEIRS], 3, "clip")
    assert ran == [OURS, THEIRS] * 4
    assert found[OURS].clock == 2.0  # Of 1, 2 and 3.
    assert found[THEIRS].memory == 12.0  # Of 4 times 2, 3 and 4.


@pytest.mark.parametrize(("start", "shown"), [(5.0, "10.00 frames/s"), (-9.0, "nan frames/s")])
def test_frames_per_second_leave_the_start_out(start, shown, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(targets, "make_clip", lambda folder, size, count: (count, None))
    seconds = {10: 1.0 if start > 0 else 99.0, 100: 10.0}
    monkeypatch.setattr(targets, "run", lambda tree, count, mask, options: Spent(*[abs(start) + seconds[count]] * 3))
    without_start("clip", [OURS], 1, tmp_path, (64, 48), 100)
    first, second = capsys.readouterr().out.splitlines()
    assert shown in first
    assert "ms/frame" in second


def test_a_program_that_fails_is_named_with_its_last_line(tmp_path):
    (tmp_path / "osmn_segment.py").write_text("raise SystemExit('no such clip')")
    with pytest.raises(InputError, match=r"osmn_segment.py of .* failed: no such clip"):
        targets.run(tmp_path, "clip.mp4", "first.png", ())


def test_a_folder_that_is_no_checkout_is_refused(tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        targets.main(["--against", str(tmp_path)])
    assert ended.value.code == 2
    assert "is no checkout of this repository" in capsys.readouterr().err


@pytest.mark.parametrize("taken", [0, 200])
def test_memory_is_that_of_the_program_alone(tmp_path, taken):
    (tmp_path / "osmn_segment.py").write_text(f"b'x' * ({taken} * 2**20)\n")
    own = np.ones(300 * 2**17)  # 300 MiB, which are not to be counted.
    spent = targets.run(tmp_path, "clip", "mask", ())
    assert own.nbytes == 300 * 2**20
    assert taken * 2**20 <= spent.memory < (taken + 50) * 2**20
