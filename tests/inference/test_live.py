"""A tracker for frames that come by themselves: the newest one is segmented, corrections come at any time."""

import threading
import time

import numpy as np
import pytest

from osmn.errors import InputError
from osmn.inference.live import LiveTracker
from osmn.inference.predictor import Predictor
from osmn.inference.stills import MOST_KEPT, Still

PATIENCE = 20  # Seconds, of a slow machine; nothing here waits for as long unless it fails.


class Gate:
    """An engine: an object moves one pixel to the right in every frame; it can be made to wait.

    `seen` has the first pixel of each frame, and how many objects were followed in it.
    """

    def __init__(self):
        self.open, self.entered, self.seen = threading.Event(), threading.Semaphore(0), []
        self.open.set()

    def gammas(self, frame, mask):
        return [np.full((1, 1, 1, 1), frame[0, 0, 0], np.float32)]

    def segment(self, frame, masks, gammas):
        self.entered.release()
        assert self.open.wait(PATIENCE)
        self.seen.append((int(frame[0, 0, 0]), len(masks)))
        moved = np.roll(masks, 1, axis=2)
        return np.where(moved, np.float32(0.9), np.float32(0.1)), moved


def frame(value, shape=(32, 64)):
    return np.full((*shape, 3), value, np.uint8)


def square(left, shape=(32, 64)):
    mask = np.zeros(shape, bool)
    mask[8:16, left : left + 8] = True
    return mask


def left_of(labels, object_id=1):
    return int(np.flatnonzero((labels == object_id).any(axis=0))[0])


def at(live, value, **how):
    """Submit a frame and return its result."""
    newest = live.newest(timeout=0)
    live.submit(frame(value), **how)
    result = live.newest(newest.serial if newest else 0, PATIENCE)
    assert result.frame[0, 0, 0] == value
    return result


def test_an_object_that_is_given_is_in_the_results_from_the_next_frame_on():
    with LiveTracker(Predictor(Gate())) as live:
        first = at(live, 0, tag="a")
        assert (first.number, first.tag, first.object_ids, first.labels.any()) == (0, "a", (), False)
        live.add_object(3, square(10))
        given = live.newest(first.serial, PATIENCE)  # The same frame, with the object as it was given.
        assert given.number == 0 and given.object_ids == live.object_ids == (3,)
        np.testing.assert_array_equal(given.labels, np.where(square(10), 3, 0))
        second = at(live, 1)
        assert second.number == 1 and left_of(second.labels, 3) == 11
        live.remove_object(3)
        assert live.object_ids == ()
        assert not live.newest(second.serial, PATIENCE).labels.any()
        assert not at(live, 2).labels.any()


def test_an_object_given_at_once_is_in_the_result_of_the_first_frame_as_it_is_given():
    engine = Gate()
    engine.open.clear()  # The network is being prepared.
    with LiveTracker(Predictor(engine)) as live:
        live.submit(frame(0))
        live.add_object(1, square(10))
        engine.open.set()
        np.testing.assert_array_equal(live.newest(timeout=PATIENCE).labels, square(10))
        assert left_of(at(live, 1).labels) == 11


def test_a_first_frame_that_comes_with_objects_is_not_left_out():
    engine, results = Gate(), []
    engine.open.clear()
    with LiveTracker(Predictor(engine), on_result=results.append) as live:
        live.submit(frame(0), objects={1: square(10), 2: square(30)})
        live.submit(frame(1))
        engine.open.set()
        with pytest.raises(InputError, match="go with the first frame"):
            live.submit(frame(2), objects={1: square(10)})
    first, second = results
    assert first.number == 0 and left_of(first.labels, 1) == 10 and left_of(first.labels, 2) == 30
    assert second.number == 1 and left_of(second.labels, 1) == 11


def test_of_frames_that_come_while_the_network_is_busy_the_newest_is_segmented_and_the_others_are_counted():
    engine = Gate()
    with LiveTracker(Predictor(engine)) as live:
        at(live, 0)
        live.add_object(1, square(10))
        before = live.newest(1, PATIENCE)
        while engine.entered.acquire(blocking=False):
            pass
        engine.open.clear()
        live.submit(frame(1))
        assert engine.entered.acquire(timeout=PATIENCE)
        for value in range(2, 9):
            live.submit(frame(value))  # It returns although the network is busy.
        assert live.newest(before.serial, timeout=0) is None
        engine.open.set()
    results = [live.newest()]
    assert [value for value, _ in engine.seen[-2:]] == [1, 8]
    assert results[0].number == 8 and results[0].dropped == 6
    assert left_of(results[0].labels) == 12  # Two frames were segmented.


def test_the_network_is_prepared_before_the_first_frame_and_what_comes_meanwhile_is_not_missed():
    engine = Gate()
    engine.open.clear()
    with LiveTracker(Predictor(engine), warm_up=2) as live:
        live.submit(frame(0))
        assert engine.entered.acquire(timeout=PATIENCE)
        for value in range(1, 5):
            live.submit(frame(value))
        time.sleep(1)
        engine.open.set()
        first = live.newest(timeout=PATIENCE)
    assert engine.seen == [(0, 2), (0, 2)]
    assert first.seconds < 1 <= time.monotonic() - first.submitted
    assert (first.number, first.dropped, first.object_ids, first.labels.any()) == (4, 0, (), False)


def test_a_correction_in_an_earlier_frame_comes_to_the_present_through_the_frames_since_then():
    with LiveTracker(Predictor(Gate())) as live:
        at(live, 0)
        live.give({1: square(4), 2: square(30)})
        live.newest(1, PATIENCE)
        still = live.hold()
        for value in range(1, 6):
            last = at(live, value)
        assert left_of(last.labels, 1) == 9
        live.add_object(1, square(20), still)  # Of frame 0: five frames ago.
        corrected = live.newest(last.serial, PATIENCE)
        assert corrected.number == 5
        after = at(live, 6)
        assert left_of(after.labels, 1) == 20 + 6 and left_of(after.labels, 2) == 30 + 6
        live.release(still)
        live.add_object(1, square(4), still)  # The frames since then are forgotten: it goes on from where it was.
        live.newest(after.serial, PATIENCE)
        last = at(live, 7)
        assert left_of(last.labels, 1) == 5
        live.give({2: np.zeros((32, 64), bool)}, still)
        assert 2 not in live.newest(last.serial, PATIENCE).labels
        assert 2 not in at(live, 8).object_ids


def test_an_object_that_is_lost_on_the_way_to_the_present_is_followed_from_where_it_was():
    class Losing(Gate):
        def segment(self, frame, masks, gammas):
            probabilities, moved = super().segment(frame, masks, gammas)
            lost = frame[0, 0, 0] == 1
            return (probabilities * 0, moved & False) if lost else (probabilities, moved)

    with LiveTracker(Predictor(Losing())) as live:
        at(live, 0)
        still = live.hold()
        at(live, 1)
        last = at(live, 2)
        live.add_object(1, square(20), still)
        live.newest(last.serial, PATIENCE)
        assert left_of(at(live, 3).labels) == 21


@pytest.mark.parametrize("count", [0, 1, MOST_KEPT, MOST_KEPT + 1, 50, 1000])
def test_the_frames_since_a_still_are_thinned_out_evenly(count):
    still = Still()
    for number in range(count):
        still.add(number)
    assert len(still.kept) <= MOST_KEPT and len(still.kept) >= min(count, MOST_KEPT // 2)
    assert still.kept[:1] == [0][:count]
    assert len(set(np.diff(still.kept))) <= 1


def test_results_are_iterated_over_once_each_until_the_tracker_is_closed():
    seen, called = [], []
    live = LiveTracker(Predictor(Gate()), on_result=called.append)
    reader = threading.Thread(target=lambda: seen.extend(result.number for result in live))
    reader.start()
    for value in range(5):
        at(live, value)
    live.close()
    reader.join(PATIENCE)
    assert not reader.is_alive()
    assert [result.number for result in called] == list(range(5))
    assert seen[-1] == 4 and seen == sorted(set(seen))
    assert live.newest(after=100) is None
    with pytest.raises(InputError, match="closed"):
        live.submit(frame(0))


def test_an_error_of_the_network_is_raised_by_the_next_call_and_at_the_end():
    class Broken(Gate):
        def segment(self, frame, masks, gammas):
            raise InputError("it does not fit")

    live = LiveTracker(Predictor(Broken()))
    live.submit(frame(0))
    with pytest.raises(InputError, match="does not fit"):
        live.newest(timeout=PATIENCE)
    for call in (lambda: live.submit(frame(0)), lambda: live.give({}), live.close):
        with pytest.raises(InputError, match="does not fit"):
            call()


def test_what_is_no_frame_or_no_mask_of_it_is_refused_at_once_and_changes_nothing():
    with LiveTracker(Predictor(Gate())) as live:
        with pytest.raises(InputError, match="comes first"):
            live.add_object(1, square(0))
        first = at(live, 0)
        for wrong in (frame(0, (30, 64)), np.zeros((32, 64, 3)), None):
            with pytest.raises(InputError):
                live.submit(wrong)
        for object_id, mask in ((0, square(0)), (1, square(0).T), (1, square(0) * 0.5), (1, np.ones((2, 4), bool))):
            with pytest.raises(InputError):
                live.add_object(object_id, mask)
        assert live.newest(first.serial, timeout=0) is None and live.object_ids == ()
        assert at(live, 1).number == 1


def test_a_submitted_frame_is_the_callers_again():
    with LiveTracker(Predictor(Gate())) as live:
        image = frame(0)
        live.submit(image)
        image[:] = 200
        assert not live.newest(timeout=PATIENCE).frame.any()
