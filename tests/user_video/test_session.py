"""What a visitor of the web page does with a video, without the page: paint, results, undo."""

import zipfile

import av
import numpy as np
import pytest
from PIL import Image

from helpers.moving_square import FRAMES, JUMP, SIZE, Bright, square, write_square
from osmn.errors import InputError
from osmn.files.images import read_labels
from osmn.inference.predictor import Predictor
from osmn.user_video.media.reader import open_frames
from osmn.user_video.prompts import Prompt
from osmn.user_video.tracking import segment
from osmn.user_video.webapp.clip import Clip
from osmn.user_video.webapp.pointing import Pointer
from osmn.user_video.webapp.session import Session


@pytest.fixture
def clip(tmp_path):
    """Return the path of a lossless clip of a bright square, alone in its folder."""
    return write_square(tmp_path / "visitor" / "bird é.mkv")


@pytest.fixture
def engine():
    return Bright()


@pytest.fixture
def session(clip, engine):
    """Return a session of the clip, without a click network: boxes are GrabCut's."""
    return Session(Clip(clip, clip.name), lambda size: Predictor(engine, size), Pointer(lambda: None))


def painted(mask, object_id=1):
    return np.where(mask, np.uint8(object_id), np.uint8(0))


def results(session):
    """Return the labels of all frames that are in the session's archive."""
    with zipfile.ZipFile(session.archive) as archive:
        names = [name for name in archive.namelist() if name.startswith("masks/")]
        return [np.asarray(Image.open(archive.open(name))) for name in names]


def run(session):
    return [step.number for step in session.segment()]


# -- Mistakes ---------------------------------------------------------------------------------------------------------


def test_mistakes_are_told(session):
    with pytest.raises(InputError, match="there is no frame 8: the last one is 7"):
        session.labels(8)
    with pytest.raises(InputError, match="show an object first"):
        run(session)
    for use in (lambda: session.find_in_box(0, 10, (0, 0, 9, 9)), lambda: session.set_color(10, "#ff0000")):
        with pytest.raises(InputError, match="objects are 1 to 9, not 10"):
            use()


@pytest.mark.parametrize(
    "use",
    [
        *(lambda s, wrong=wrong: s.labels(wrong) for wrong in (None, "1", 0.5, float("nan"), [1], True)),
        lambda s: s.labels(9),
        lambda s: s.paint(9, painted(square(0))),
        *(
            lambda s, wrong=wrong: s.paint(0, wrong)
            for wrong in (None, square(0)[:5], painted(square(0)).T, painted(square(0), 10), 0.9 * square(0))
        ),
        *(
            lambda s, wrong=wrong: s.find_in_box(0, 1, wrong)
            for wrong in (
                None,
                (1, 2, 3),
                (0.5, 0, 9, 9),
                (0, 0, float("nan"), 9),
                (0, 0, *SIZE),
                (0, 0, 10**30, 10**30),
            )
        ),
        *(lambda s, wrong=wrong: s.find_in_box(0, wrong, (1, 3, 17, 17)) for wrong in (None, 0, 1.5, "1", [1])),
        *(lambda s, wrong=wrong: s.set_color(1, wrong) for wrong in (None, "red", "#ff00", "#GG0000", 1)),
    ],
)
def test_what_means_nothing_is_refused_in_one_sentence_and_changes_nothing(session, use):
    before = dict(session.edits.colors)
    with pytest.raises(InputError) as error:
        use(session)
    assert "\n" not in str(error.value) and "--" not in str(error.value)
    assert session.edits.colors == before and not session.edits.frames and not session.labels(0).any()
    assert not session.labels(1.0).any()  # As sliders may have it.


def test_results_that_somebody_removed_are_made_again_and_a_video_is_asked_for_again(session):
    session.paint(0, painted(square(0)))
    run(session)
    before = results(session)
    next(session.folder.glob("results/masks/00002.png")).unlink()
    assert run(session) == [2, 3, 4, 5, 6, 7]
    for ours, others in zip(results(session), before, strict=True):
        np.testing.assert_array_equal(ours, others)
    session.clip.path.unlink()
    for use in (lambda: session.clip.frame(3), lambda: run(session), lambda: session.paint(1, painted(square(1)))):
        with pytest.raises(InputError, match=r"^the video is no more among this machine's temporary files; choose it"):
            use()


# -- Painting ---------------------------------------------------------------------------------------------------------


def test_painted_objects_are_kept_for_each_frame(session):
    session.paint(2, painted(square(2), 3))
    session.paint(0, painted(square(0)))
    assert list(session.edits.frames) == [0, 2]
    np.testing.assert_array_equal(session.labels(2), painted(square(2), 3))
    assert not session.labels(1).any()


def test_what_is_painted_as_it_is_already_changes_nothing(session, engine):
    session.paint(0, painted(square(0)))
    run(session)
    before = engine.frames
    session.paint(2, session.labels(2))
    assert list(session.edits.frames) == [0]
    assert run(session) == [] and engine.frames == before


def test_an_object_that_is_painted_and_erased_again_was_never_there(session):
    session.paint(0, painted(square(0)))
    session.paint(0, np.zeros(SIZE[::-1], np.uint8))
    assert session.edits.frames == {}
    with pytest.raises(InputError, match="show an object first"):
        run(session)


def test_a_box_gives_what_grabcut_finds_beside_what_is_painted(session):
    other = np.zeros(SIZE[::-1], np.uint8)
    other[40:, :6] = 2
    session.paint(0, other)
    session.find_in_box(0, 1, (1, 3, 17, 17))
    np.testing.assert_array_equal(session.labels(0) == 1, square(0))
    np.testing.assert_array_equal(session.labels(0) == 2, other == 2)


# -- Segmenting -------------------------------------------------------------------------------------------------------


def test_an_object_lost_at_a_frame_and_painted_again_there_is_followed_again_and_frames_before_are_unchanged(
    session, engine
):
    session.paint(0, painted(square(0)))
    assert run(session) == list(range(FRAMES))
    before = results(session)
    for number in range(JUMP):
        np.testing.assert_array_equal(before[number], painted(square(number)))
    assert not before[JUMP].any() and not before[FRAMES - 1].any()
    session.paint(JUMP, painted(square(JUMP)))
    engine.frames = 0
    assert run(session) == [4, 5, 6, 7]
    assert engine.frames == 4  # Only from there on.
    after = results(session)
    for number in range(JUMP):
        np.testing.assert_array_equal(after[number], before[number])
    for number in range(JUMP, FRAMES):
        np.testing.assert_array_equal(after[number], painted(square(number)))


def test_going_on_gives_the_masks_of_one_run_with_all_that_is_given(session, engine, tmp_path):
    other = np.zeros(SIZE[::-1], np.uint8)
    other[2:12, 2:30] = 2  # Holds the square, whose pixels both objects then want.
    session.paint(0, other)
    run(session)
    session.paint(3, painted(square(3)) | np.where(square(3), 0, session.labels(3)))
    run(session)
    session.paint(5, painted(square(5), 2))
    run(session)
    given = [Prompt(number, None, session.edits.at(number)) for number in session.edits.frames]
    with open_frames(session.clip.path) as frames:
        segment(Predictor(engine, SIZE), frames, given, tmp_path / "once")
    masks = [read_labels(path) for path in sorted((tmp_path / "once/masks").iterdir())]
    np.testing.assert_array_equal(results(session), masks)


def test_an_erased_object_is_gone_from_there_on_until_it_is_painted_again(session):
    session.paint(0, painted(square(0)))
    run(session)
    session.paint(2, np.zeros(SIZE[::-1], np.uint8))
    session.paint(5, painted(square(5)))
    run(session)
    assert [labels.any() for labels in results(session)] == [True, True, False, False, False, True, True, True]


def test_an_object_may_be_given_first_in_a_later_frame(session):
    session.paint(5, painted(square(5), 6))
    run(session)
    assert [set(np.unique(labels)) for labels in results(session)] == [{0}] * 5 + [{0, 6}] * 3


def test_segmenting_that_is_stopped_leaves_what_plays_and_goes_on_from_there(session):
    session.paint(0, painted(square(0)))
    seen = []
    for step in session.segment():
        seen.append(step.number)
        if step.number == 2:
            session.stop()
    assert seen == [0, 1, 2] and session.done == 3
    with av.open(str(session.overlay)) as container:
        assert sum(1 for _ in container.decode(video=0)) == 3
    assert len(results(session)) == 3
    assert run(session) == [3, 4, 5, 6, 7]
    np.testing.assert_array_equal(results(session)[3], painted(square(3)))
    with av.open(str(session.overlay)) as container:
        assert [frame.time for frame in container.decode(video=0)] == pytest.approx([n / 10 for n in range(FRAMES)])


def test_each_step_shows_the_overlay(session):
    session.paint(0, painted(square(0)))
    for step in session.segment():
        shown = step.draw()
        red = (shown[..., 0] > 200) & (shown[..., 1] < 110)
        assert red[square(step.number)].all() == (step.number < JUMP)  # Then it is lost.


def test_what_is_painted_while_it_is_segmented_counts_next_time(session):
    session.paint(0, painted(square(0)))
    for step in session.segment():
        if step.number == 5:
            session.paint(4, painted(square(4)))
            with pytest.raises(InputError, match="is being segmented; stop that first"):
                next(session.segment())
    assert not results(session)[6].any()
    assert run(session) == [4, 5, 6, 7]
    np.testing.assert_array_equal(results(session)[6], painted(square(6)))


def test_the_archive_holds_indexed_masks_of_the_videos_size_and_the_overlay(session):
    session.paint(0, painted(square(0)))
    run(session)
    first = session.archive
    with zipfile.ZipFile(first) as archive:
        assert archive.testzip() is None
        assert sorted(archive.namelist()) == [*(f"masks/{n:05d}.png" for n in range(FRAMES)), "overlay.mp4"]
        assert archive.read("overlay.mp4") == session.overlay.read_bytes()
    run(session)
    assert session.archive != first and not first.exists()  # No browser may show the old one.


def test_segmenting_that_the_page_drops_leaves_a_session_that_goes_on(session):
    session.paint(0, painted(square(0)))
    steps = session.segment()
    next(steps), next(steps)
    steps.close()
    assert run(session) == list(range(FRAMES))[2:]
    np.testing.assert_array_equal(results(session)[3], painted(square(3)))


# -- Undo, and what is outdated ---------------------------------------------------------------------------------------


def test_a_correction_that_is_taken_back_leaves_the_results_as_they_were_with_nothing_to_compute(session, engine):
    session.paint(0, painted(square(0)))
    run(session)
    before, engine.frames = results(session), 0
    session.paint(2, np.zeros(SIZE[::-1], np.uint8))
    assert not session.current and session.outdated_from == 2
    session.edits.undo()
    assert session.outdated_from == FRAMES
    assert session.current and run(session) == [] and engine.frames == 0
    for ours, others in zip(results(session), before, strict=True):
        np.testing.assert_array_equal(ours, others)


def test_a_correction_that_was_segmented_can_still_be_taken_back(session):
    session.paint(0, painted(square(0)))
    run(session)
    before = results(session)
    session.paint(2, np.zeros(SIZE[::-1], np.uint8))
    run(session)
    assert not results(session)[3].any()
    session.edits.undo()
    assert run(session) == list(range(2, FRAMES))
    for ours, others in zip(results(session), before, strict=True):
        np.testing.assert_array_equal(ours, others)


def test_what_is_taken_back_is_no_longer_shown_in_results_of_before(session):
    session.paint(0, painted(square(0)))
    session.paint(1, painted(square(5), 2) | session.labels(1))
    run(session)
    assert set(np.unique(session.labels(1))) == {0, 1, 2}
    session.edits.clear(object_id=2)
    assert [set(np.unique(session.labels(number))) for number in (1, 3)] == [{0, 1}, {0, 1}]
    session.edits.clear()
    assert not any(session.labels(number).any() for number in range(FRAMES))
    session.edits.undo()
    assert set(np.unique(session.labels(3))) == {0, 1}


def test_a_second_box_with_the_same_number_changes_nothing_unless_it_is_to_replace(session):
    session.paint(0, painted(square(5), 2))
    with pytest.raises(InputError, match="object 2 is in frame 0 already; replace it, or take another number"):
        session.find_in_box(0, 2, (1, 3, 17, 17))
    np.testing.assert_array_equal(session.labels(0), painted(square(5), 2))
    session.find_in_box(0, 2, (1, 3, 17, 17), replace=True)
    np.testing.assert_array_equal(session.labels(0), painted(square(0), 2))
    session.edits.undo()
    np.testing.assert_array_equal(session.labels(0), painted(square(5), 2))


def test_a_box_without_an_object_says_what_to_do_in_words_without_grabcut(session):
    with pytest.raises(InputError, match="no object is found in this box: drag it close around") as error:
        session.find_in_box(0, 1, (30, 30, 1, 1))
    assert "GrabCut" not in str(error.value)


def test_only_what_a_stroke_touches_changes_though_all_else_is_segmented_anew_meanwhile(session):
    session.paint(0, painted(square(0)))
    run(session)
    session.paint(2, painted(square(6), 2), square(6))
    assert session.edits.frames == {0: [1], 2: [2]}
    np.testing.assert_array_equal(session.labels(2) == 1, square(2))


def test_results_are_current_until_something_is_given_or_a_color_that_is_seen_changes(session, engine):
    assert not session.current
    session.paint(0, painted(square(0)))
    run(session)
    assert session.current
    session.set_color(5, "#123456")  # No object has it.
    assert session.current
    session.set_color(1, "#0a14ff")
    assert not session.current
    engine.frames = 0
    assert run(session) == [] and engine.frames == 0 and session.current  # Drawn again, not segmented again.
    with av.open(str(session.overlay)) as container:
        image = next(container.decode(video=0)).to_ndarray(format="rgb24")
    assert image[10, 8, 2] > 180 > image[10, 8, 0] + 60


def test_frames_in_which_an_object_is_not_found_are_told_and_none_after_it_is_erased(session):
    session.paint(0, painted(square(0)) | painted(square(5), 2))
    run(session)
    found = {(number, i) for i, first, last in session.lost for number in range(first, last + 1)}
    shown = {(number, i) for number, labels in enumerate(results(session)) for i in (1, 2) if not (labels == i).any()}
    assert found == shown and (JUMP, 1) in found and (0, 1) not in found
    session.paint(JUMP, painted(square(JUMP)))
    session.paint(6, np.zeros(SIZE[::-1], np.uint8))
    run(session)
    found = {(number, i) for i, first, last in session.lost for number in range(first, last + 1)}
    assert not {(4, 1), (5, 1), (6, 1), (7, 1)} & found


def test_the_archive_is_named_after_the_video(session):
    session.paint(0, painted(square(0)))
    run(session)
    assert session.archive.name == "bird é_masks.zip"


def test_a_session_that_is_closed_while_it_is_segmented_leaves_nothing(session):
    session.paint(0, painted(square(0)))
    steps = session.segment()
    next(steps)
    session.close()
    assert list(steps) == [] and not session.folder.exists()


def test_a_box_leaves_other_objects_their_pixels(session):
    session.paint(0, painted(square(0) & (np.arange(SIZE[0]) < 9), 2))
    session.find_in_box(0, 1, (1, 3, 17, 17))
    labels = session.labels(0)
    np.testing.assert_array_equal(labels > 0, square(0))
    assert (labels[:, :9][square(0)[:, :9]] == 2).all() and (labels[:, 9:][square(0)[:, 9:]] == 1).all()
    with pytest.raises(InputError, match="that belongs to object 1, 2 already; choose its number"):
        session.find_in_box(0, 3, (1, 3, 17, 17))
    assert session.edits.frames == {0: [1, 2]}
