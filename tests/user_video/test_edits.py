"""What is given in frames, and taking it back."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from osmn.user_video.webapp.edits import MOST_UNDONE, Edits

SHAPE = (3, 5)


def mask(*pixels):
    """Return a mask with these pixels, counted row by row."""
    found = np.zeros(SHAPE, bool)
    found.flat[list(pixels)] = True
    return found


def content(edits):
    """Return {frame: {object id: pixels}}."""
    return {
        number: {i: tuple(np.flatnonzero(found)) for i, found in edits.at(number).items()} for number in edits.frames
    }


@pytest.fixture
def edits():
    """Return edits with object 1 in frames 0 and 4, and object 2 in frame 4."""
    edits = Edits(SHAPE)
    edits.give(0, {1: mask(0, 1)})
    edits.give(4, {1: mask(5), 2: mask(9, 14)})
    return edits


WHOLE = {0: {1: (0, 1)}, 4: {1: (5,), 2: (9, 14)}}


def test_what_is_given_is_kept_beside_what_was_given_in_the_frame_before(edits):
    assert content(edits) == WHOLE and edits.frames == {0: [1], 4: [1, 2]} and edits.objects == [1, 2]
    edits.give(4, {2: mask(3), 5: mask(7)})
    assert content(edits)[4] == {1: (5,), 2: (3,), 5: (7,)}


@pytest.mark.parametrize(
    ("cleared", "left"),
    [
        ({}, {}),
        ({"number": 4}, {0: {1: (0, 1)}}),
        ({"number": 0}, {4: {1: (5,), 2: (9, 14)}}),
        ({"object_id": 1}, {4: {2: (9, 14)}}),
        ({"object_id": 2}, {0: {1: (0, 1)}, 4: {1: (5,)}}),
        ({"number": 4, "object_id": 1}, {0: {1: (0, 1)}, 4: {2: (9, 14)}}),
    ],
)
def test_a_frame_an_object_or_all_can_be_cleared_and_brought_back(edits, cleared, left):
    edits.clear(**cleared)
    assert content(edits) == left
    assert edits.undo() == cleared.get("number")
    assert content(edits) == WHOLE
    assert edits.redo() == cleared.get("number")
    assert content(edits) == left


def test_undo_and_redo_go_through_all_changes_and_tell_their_frames(edits):
    edits.give(2, {1: np.zeros(SHAPE, bool)})  # Gone from there on.
    assert [edits.undo() for _ in range(4)] == [2, 4, 0, None]
    assert content(edits) == {} and not edits.can_undo
    assert [edits.redo() for _ in range(4)] == [0, 4, 2, None]
    assert content(edits) == {**WHOLE, 2: {1: ()}} and not edits.can_redo


def test_a_new_change_takes_the_place_of_those_that_were_taken_back(edits):
    edits.undo()
    edits.give(7, {3: mask(2)})
    assert not edits.can_redo and content(edits) == {0: {1: (0, 1)}, 7: {3: (2,)}}


def test_what_changes_nothing_is_no_change(edits):
    before = edits.now
    edits.give(0, {1: mask(0, 1)})
    edits.clear(number=3)
    edits.clear(object_id=6)
    edits.give(1, {6: mask()})  # It was never there, so it cannot disappear.
    assert edits.now == before and edits.undo() == 4


def test_changes_of_long_ago_cannot_be_taken_back_any_more(edits):
    for number in range(MOST_UNDONE + 5):
        edits.give(number + 10, {1: mask(number % 15)})
    count = 0
    while edits.can_undo:
        edits.undo()
        count += 1
    assert count == MOST_UNDONE and len(edits.frames) == 2 + 5


def test_the_first_frame_that_differs_is_known_and_none_after_an_undo(edits):
    before = edits.now
    edits.give(9, {1: mask(0)})
    edits.give(6, {1: mask(0)})
    assert edits.first_difference(before) == 6
    edits.undo()
    assert edits.first_difference(before) == 9
    edits.undo()
    assert edits.first_difference(before) is None


CHANGES = st.one_of(
    st.tuples(
        st.just("give"), st.integers(0, 3), st.dictionaries(st.integers(1, 3), st.sets(st.integers(0, 14)), max_size=2)
    ),
    st.tuples(st.just("clear"), st.none() | st.integers(0, 3), st.none() | st.integers(1, 3)),
)


@given(st.lists(CHANGES, max_size=12))
def test_whatever_was_done_undo_goes_back_to_the_start_and_redo_to_the_end(changes):
    edits = Edits(SHAPE)
    states = [content(edits)]
    for kind, number, what in changes:
        if kind == "give":
            edits.give(number, {i: mask(*pixels) for i, pixels in what.items()})
        else:
            edits.clear(number, what)
        if content(edits) != states[-1]:
            states.append(content(edits))
    for state in states[-2::-1]:
        edits.undo()
        assert content(edits) == state
    assert not edits.can_undo
    for state in states[1:]:
        edits.redo()
        assert content(edits) == state
    assert not edits.can_redo


def test_colors_are_undone_and_done_again_among_other_changes():
    edits = Edits(SHAPE, {1: "#ff0000", 2: "#00ff00"})
    edits.color(1, "#0000ff")
    edits.give(3, {1: mask(0)})
    edits.color(2, "#123456")
    edits.color(2, "#123456")  # Nothing new.
    for colors, frames in (
        ({1: "#0000ff", 2: "#00ff00"}, {3: [1]}),
        ({1: "#0000ff", 2: "#00ff00"}, {}),
        ({1: "#ff0000", 2: "#00ff00"}, {}),
    ):
        edits.undo()
        assert (edits.colors, edits.frames) == (colors, frames)
    assert not edits.can_undo
    assert [edits.redo() for _ in range(3)] == [None, 3, None]
    assert edits.colors == {1: "#0000ff", 2: "#123456"} and edits.frames == {3: [1]}
