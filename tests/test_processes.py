"""Work in several processes."""

import os
import signal

import pytest

from osmn.errors import InputError
from osmn.processes import in_processes


def square(number):
    return number * number


def die_at_three(number):
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


@pytest.mark.parametrize("processes", [1, 2])
def test_results_come_in_order(processes):
    assert list(in_processes(square, range(5), processes)) == [0, 1, 4, 9, 16]


def test_a_killed_process_is_reported_in_one_line():
    with pytest.raises(InputError, match=r"^a worker process was killed.*$"):
        list(in_processes(die_at_three, range(5), 2))
