"""What visitors of the web page wait for: their turn, the start, the rest."""

import threading

import pytest

from osmn.errors import InputError
from osmn.user_video.webapp.session import Step
from osmn.user_video.webapp.tasks import FAILED, Estimate, Line, Opening

PATIENCE = 30


class Slow:
    """A session whose video is segmented a frame at a time, when the test lets it."""

    def __init__(self, name, order, frames=6):
        self.clip, self.name, self.order, self.stopped = range(frames), name, order, False
        self.let = threading.Semaphore(0)
        self.error = None

    def segment(self, both_ways):
        self.order.append(self.name)
        for number in self.clip:
            assert self.let.acquire(timeout=PATIENCE)
            if self.error:
                raise self.error
            yield Step(number, lambda: None)
            if self.stopped:
                return

    def stop(self):
        self.stopped = True
        self.let.release()


@pytest.fixture
def order():
    return []


@pytest.fixture
def line():
    with Line() as line:
        yield line


def phase(run, wanted):
    """Wait until a run is in a phase."""
    for _ in range(PATIENCE * 100):
        if run.state()["phase"] == wanted:
            return True
        run.wait(0.01)
    return False


def test_visitors_have_the_network_one_after_the_other_and_see_how_many_come_before(line, order):
    sessions = [Slow(name, order, 1) for name in "abc"]
    first, second, third = [line.ask(session) for session in sessions]
    assert phase(first, "preparing")
    assert [run.state() for run in (second, third)] == [
        {"phase": "waiting", "ahead": 1},
        {"phase": "waiting", "ahead": 2},
    ]
    sessions[0].let.release()
    assert first.wait(PATIENCE) and phase(second, "preparing")
    assert third.state() == {"phase": "waiting", "ahead": 1}
    for session in sessions[1:]:
        session.let.release()
    assert third.wait(PATIENCE) and order == ["a", "b", "c"]


def test_a_visitor_who_stops_while_waiting_is_never_segmented_and_the_next_one_moves_up(line, order):
    sessions = [Slow(name, order, 1) for name in "abc"]
    first, second, third = [line.ask(session) for session in sessions]
    assert phase(first, "preparing")
    second.stop()
    assert second.over and third.state()["ahead"] == 1
    for session in sessions:
        session.let.release()
    assert third.wait(PATIENCE) and order == ["a", "c"]


def test_stopping_ends_after_the_frame_at_hand_also_when_the_first_one_is_still_prepared(line, order):
    session = Slow("a", order)
    run = line.ask(session)
    assert phase(run, "preparing")
    run.stop()
    assert run.wait(PATIENCE) and run.step.number == 0


def test_the_phases_of_a_run(line, order):
    session = Slow("a", order)
    run = line.ask(session)
    assert phase(run, "preparing")
    session.let.release()
    assert phase(run, "segmenting")
    assert run.state() == {"phase": "segmenting", "number": 0, "left": None}
    session.let.release(4)
    while run.state()["number"] < 4:
        run.wait(0.01)
    assert run.state()["left"] >= 0 and not run.over
    session.let.release()
    assert run.wait(PATIENCE) and run.problem is None


@pytest.mark.parametrize(
    ("error", "problem"), [(InputError("the disk is full"), "the disk is full"), (OSError("?"), FAILED)]
)
def test_a_run_that_fails_tells_why_and_the_next_visitor_has_the_network(line, order, error, problem):
    session, other = Slow("a", order), Slow("b", order, 1)
    session.error = error
    failing, next_one = line.ask(session), line.ask(other)
    session.let.release()
    assert failing.wait(PATIENCE) and failing.problem == problem
    other.let.release()
    assert next_one.wait(PATIENCE) and next_one.problem is None


def test_the_start_is_no_part_of_the_estimate():
    now = [0.0]
    estimate = Estimate(lambda: now[0])
    for seconds, known in ((9.0, False), (3.0, False), (0.5, False), (0.5, True), (0.5, True)):
        now[0] += seconds
        estimate.count()
        assert (estimate.left(10) is not None) == known
    assert estimate.rate == 2 and estimate.left(10) == 5


def test_opening_tells_how_far_the_video_is_read_and_why_it_failed():
    let, told = threading.Event(), threading.Event()

    def work(read):
        read(7, 5)
        told.set()
        assert let.wait(PATIENCE)
        raise InputError("a.txt cannot be opened as a video")

    opening = Opening("a.txt", work)
    assert told.wait(PATIENCE)
    assert opening.state() == {"phase": "opening", "title": "a.txt", "count": 7, "total": 7}
    let.set()
    assert opening.wait(PATIENCE) and opening.problem == "a.txt cannot be opened as a video"
