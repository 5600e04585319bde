"""Objects of a user's video that are lost, and those that are found again: in words and in numbers."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from osmn.user_video.media.reader import Frame
from osmn.user_video.presence import Presence


def presence(seen, name="{:05d}", followed=None):
    """Return the `Presence` after frames that show the objects of each set in `seen`."""
    found = Presence()
    for number, ids in enumerate(seen):
        labels = np.zeros((2, 300), np.uint8)
        labels[0, list(ids)] = list(ids)
        frame = Frame(number, name.format(number), Fraction(number), np.zeros((2, 300, 3), np.uint8))
        found.see(frame, labels, (1, 2) if followed is None else followed[number])
    return found


@pytest.mark.parametrize(
    ("seen", "words", "numbers"),
    [
        ([{1, 2}] * 4, [], {}),
        ([{1, 2}, {2}, {2}], ["object 1 is lost from frame 1 on"], {"1": [[1, None]]}),
        (
            [{1, 2}, {1}, {2}, {1}],
            [
                "object 1 is lost in frame 2 and found again in frame 3",
                "object 2 is lost in frame 1 and found again in frame 2, is lost from frame 3 on",
            ],
            {"1": [[2, 3]], "2": [[1, 2], [3, None]]},
        ),
    ],
)
def test_what_is_lost_is_named_with_its_frames(seen, words, numbers):
    found = presence(seen)
    assert found.words() == words
    assert found.in_json() == numbers


def test_frames_of_a_folder_are_named_too():
    assert presence([{1, 2}, {2}], "img_{}").words() == ["object 1 is lost from frame 1 (img_1) on"]


def test_an_object_that_comes_later_or_has_ended_is_not_lost():
    followed = [(1,), (1, 2), (1, 2), (2,), (2,)]
    assert presence([{1}, {1, 2}, {1, 2}, {2}, {2}], followed=followed).words() == []


def test_an_object_that_flickers_has_a_short_line_that_ends_with_the_last_time():
    (words,) = presence([{1, 2}, {2}] * 20).words()
    assert words.startswith("object 1 is lost in frame 1 and found again in frame 2, ")
    assert words.endswith("is lost from frame 39 on (20 times in all)")
    assert len(words) < 200


def test_an_object_without_an_id_is_1():
    assert presence([{1}, set()], followed=[(None,), (None,)]).in_json() == {"1": [[1, None]]}


@given(st.lists(st.sets(st.sampled_from([1, 2])), max_size=12))
def test_an_object_is_away_exactly_between_where_it_is_lost_and_found(seen):
    away = presence(seen).in_json()
    for object_id in (1, 2):
        frames = {n for lost, found in away.get(str(object_id), []) for n in range(lost, found or len(seen))}
        assert frames == {number for number, ids in enumerate(seen) if object_id not in ids}
