"""Work in threads, ahead of its use and behind it, and in several processes."""

import os
import signal
import threading
import time

import pytest
from PIL import Image

from helpers.processes import interrupted
from osmn.errors import InputError
from osmn.files.images import read_image, read_labels
from osmn.parallel import WriteBehind, in_processes, read_ahead, run_ahead, wait_for


def test_read_ahead_keeps_the_order_and_takes_only_some_paths_ahead():
    taken = []

    def paths():
        for number in range(12):
            taken.append(number)
            yield number

    def read(path):
        time.sleep(0.001 * (path % 3))
        return -path

    for count, value in enumerate(read_ahead(read, paths(), ahead=3)):
        assert value == -count
        assert len(taken) == min(count + 4, 12)


def test_read_ahead_of_fewer_paths_than_it_may_read():
    assert list(read_ahead(str, [1, 2], ahead=4)) == ["1", "2"]
    assert list(read_ahead(str, [])) == []


def test_read_ahead_passes_an_error_on_where_its_path_comes(tmp_path):
    for number in (0, 2):
        Image.new("RGB", (4, 4)).save(tmp_path / f"{number}.jpg")
    frames = read_ahead(read_image, [tmp_path / f"{number}.jpg" for number in range(3)])
    next(frames)
    with pytest.raises(InputError, match=r"1\.jpg does not exist"):
        next(frames)


def test_what_is_run_ahead_comes_in_order_made_by_another_thread_and_only_some_of_it_ahead():
    made = []

    def items():
        for number in range(12):
            made.append(threading.current_thread())
            yield number

    for count, value in enumerate(run_ahead(items(), ahead=3)):
        assert value == count
        time.sleep(0.01)
        assert len(made) <= count + 4
    assert len(set(made)) == 1 and threading.current_thread() not in made


def test_what_is_run_ahead_gives_its_error_after_what_was_made_before():
    def items():
        yield 1
        yield 2
        raise InputError("damaged")

    ahead, got = run_ahead(items(), ahead=4), []
    with pytest.raises(InputError, match="damaged"):
        for item in ahead:
            time.sleep(0.01)
            got.append(item)
    assert got == [1, 2]


def test_closing_what_is_run_ahead_early_ends_its_thread_first():
    running = []

    def items():
        while True:
            running.append(True)
            time.sleep(0.005)
            running.pop()
            yield 0

    source = items()
    ahead = run_ahead(source)
    next(ahead)
    ahead.close()
    assert not running
    source.close()  # Python refuses that while a thread is in it.


def test_writes_are_done_in_order_by_the_end_of_the_block():
    done = []
    with WriteBehind() as write:
        for number in range(100):
            write(done.append, number)
    assert done == list(range(100))


def test_at_most_a_limit_of_writes_is_pending():
    go, done = threading.Event(), []

    def slow(number):
        go.wait(10)
        done.append(number)

    with WriteBehind(limit=3) as write:
        for number in range(3):
            write(slow, number)
        assert not done
        threading.Timer(0.05, go.set).start()
        for number in range(3, 20):
            write(slow, number)
            assert number + 1 - len(done) <= 3


def fail():
    raise OSError("disk full")


def test_a_write_error_comes_out_at_the_end_of_the_block():
    with pytest.raises(OSError, match="disk full"), WriteBehind() as write:
        write(fail)


def test_a_write_error_comes_out_at_a_later_call():
    calls = 0
    with pytest.raises(OSError, match="disk full"), WriteBehind(limit=2) as write:
        write(fail)
        for _ in range(10):
            write(str)
            calls += 1
    assert calls == 1  # The next but one waits for the failed write.


def test_an_error_in_the_block_is_not_hidden_by_one_in_a_write():
    with pytest.raises(KeyError), WriteBehind() as write:
        write(fail)
        raise KeyError


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


def test_a_signal_that_another_thread_was_handed_ends_a_wait_of_the_main_thread():
    event = threading.Event()
    with interrupted(event.set):
        wait_for(event)
