"""Work in several processes."""

import os
import signal

import pytest

from osmn.errors import InputError
from osmn.files import read_labels
from osmn.processes import in_processes


def die_at_three(number):
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


@pytest.mark.parametrize("processes", [1, 2])
def test_results_come_in_order(processes):
    assert list(in_processes(pow, [(n, 2) for n in range(5)], processes)) == [0, 1, 4, 9, 16]


def test_a_killed_process_is_reported_in_one_line():
    with pytest.raises(InputError, match=r"^a worker process was killed.*$"):
        list(in_processes(die_at_three, [(n,) for n in range(5)], 2))


@pytest.mark.parametrize("processes", [1, 2])
def test_an_error_in_one_job_ends_the_others(tmp_path, processes):
    with pytest.raises(InputError, match=r"missing\.png"):
        list(in_processes(read_labels, [(tmp_path / "missing.png",)] * 3, processes))
