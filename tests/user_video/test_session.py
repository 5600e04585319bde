"""What visitors of the web page do, without the page: videos, paint, results, and that sessions are apart."""

import zipfile
from fractions import Fraction

import av
import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from helpers.clips import LOSSLESS, UNEVEN, decoded_frames, make_video, pictures
from osmn.errors import InputError
from osmn.files.images import read_labels
from osmn.inference.predictor import Predictor
from osmn.user_video.media.reader import open_frames
from osmn.user_video.prompts import Prompt
from osmn.user_video.tracking import segment
from osmn.user_video.webapp import session as session_module
from osmn.user_video.webapp.session import EXAMPLES
from osmn.user_video.webapp.sessions import Sessions

SIZE = (64, 48)
FRAMES, JUMP = 8, 4


def square(number):
    """Return where the bright square of the clip is, bool (48, 64): it moves, and at frame 4 it jumps."""
    mask = np.zeros(SIZE[::-1], bool)
    left, top = (4 + 2 * number, 6) if number < JUMP else (36 + 2 * number, 30)
    mask[top : top + 10, left : left + 10] = True
    return mask


@pytest.fixture
def clip(tmp_path):
    """Return the path of a lossless clip of it, 10 frames a second."""
    images = [np.dstack([np.where(square(number), np.uint8(200), np.uint8(20))] * 3) for number in range(FRAMES)]
    times = [Fraction(number, 10) for number in range(FRAMES)]
    return make_video(tmp_path / "bird é.mkv", images, times=times, time_base=Fraction(1, 10), **LOSSLESS)


class Bright:
    """An engine that finds what is bright near to where the object was."""

    def __init__(self):
        self.frames = 0

    def gammas(self, frame, mask):
        return [np.ones((1, 1, 1, 1), np.float32)]

    def segment(self, frame, masks, gammas):
        self.frames += 1
        found = np.stack([ndimage.binary_dilation(mask, iterations=4) & (frame[..., 0] > 100) for mask in masks])
        return np.where(found, np.float32(0.9), np.float32(0.1)), found


@pytest.fixture(autouse=True)
def small_examples(monkeypatch):
    monkeypatch.setattr(session_module, "EXAMPLE_FRAMES", FRAMES + 1)
    monkeypatch.setattr(session_module, "EXAMPLE_SIZE", (96, 64))


@pytest.fixture
def engine():
    return Bright()


@pytest.fixture
def sessions(engine):
    with Sessions(lambda size: Predictor(engine, size)) as sessions:
        yield sessions


@pytest.fixture
def session(sessions, clip):
    """Return a session that has taken the clip."""
    sessions["ours"].take(clip)
    return sessions["ours"]


def painted(mask, object_id=1):
    return np.where(mask, np.uint8(object_id), np.uint8(0))


def results(session):
    """Return the labels of all frames that are in the session's archive."""
    with zipfile.ZipFile(session.archive) as archive:
        names = [name for name in archive.namelist() if name.startswith("masks/")]
        return [np.asarray(Image.open(archive.open(name))) for name in names]


def run(session):
    return [step.number for step in session.segment()]


# -- The video --------------------------------------------------------------------------------------------------------


def test_an_uploaded_video_is_moved_into_the_session_and_its_frames_can_be_stepped_to(session, clip):
    assert not clip.exists()
    assert session.frames == FRAMES and session.size == SIZE
    for number in (5, 0, 7):
        np.testing.assert_array_equal(session.frame(number)[..., 0] > 100, square(number))


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("uneven.mp4", {"times": UNEVEN, "time_base": Fraction(1, 90000), "options": {"g": "8"}}),
        ("refresh.mp4", {"options": {"g": "12", "x264-params": "intra-refresh=1"}}),  # Its key frames are none.
        ("bare.h264", {"options": {"g": "4"}}),  # It has no times, and cannot be sought in.
        ("pictures.gif", {"codec": "gif", "pixels": "rgb8"}),
    ],
)
def test_every_frame_that_is_stepped_to_is_the_one_that_is_decoded_from_the_start(sessions, tmp_path, name, settings):
    path = make_video(tmp_path / name, pictures(40), **settings)
    with open_frames(path) as frames:
        whole = list(frames)
    sessions["ours"].take(path)
    for frame in whole[::-3]:
        np.testing.assert_array_equal(sessions["ours"].frame(frame.number), frame.image)


def test_a_frame_far_into_a_video_is_not_decoded_from_the_start(sessions, tmp_path, monkeypatch):
    path = make_video(tmp_path / "clip.mp4", pictures(40), options={"g": "8"})
    sessions["ours"].take(path)
    decoded = decoded_frames(monkeypatch)
    sessions["ours"].frame(39)
    assert 1 <= len(decoded) <= 2 * 8


def test_a_time_of_the_overlay_is_the_frame_that_is_shown_then(session):
    assert [session.frame_at(seconds) for seconds in (0, 0.05, 0.1, 0.34, 0.7, 9)] == [0, 0, 1, 3, 7, 7]


def test_a_file_that_is_no_video_is_told_by_its_name_and_the_video_before_stays(session, tmp_path):
    other = tmp_path / "letter.mp4"
    other.write_text("Dear Sir")
    with pytest.raises(InputError, match=r"^letter.mp4 is not a video") as error:
        session.take(other)
    assert str(session.folder) not in str(error.value)
    assert session.frames == FRAMES
    assert not list(session.folder.rglob("letter*"))


def test_another_video_replaces_the_one_before_with_all_that_was_made_of_it(session):
    session.paint(0, painted(square(0)))
    run(session)
    before = session.token
    session.take_example(next(iter(EXAMPLES)))
    assert not list(session.folder.rglob("bird*")) and not list(session.folder.rglob("*.mp4"))
    assert session.frames > FRAMES and not session.painted_frames and session.overlay is None
    assert session.token != before
    assert not session.labels(0).any()


def test_mistakes_are_told(sessions, session):
    empty = sessions["another visitor"]
    for use in (lambda: empty.frame(0), lambda: run(empty)):
        with pytest.raises(InputError, match="choose a video first"):
            use()
    with pytest.raises(InputError, match="there is no frame 8: the last one is 7"):
        session.frame(8)
    with pytest.raises(InputError, match="paint an object first"):
        run(session)
    with pytest.raises(InputError, match="objects are 1 to 6, not 7"):
        session.find_in_box(0, 7, (0, 0, 9, 9))


@pytest.mark.parametrize(
    "use",
    [
        *(lambda s, wrong=wrong: s.frame(wrong) for wrong in (None, "1", 0.5, float("nan"), [1], True)),
        *(lambda s, wrong=wrong: s.frame_at(wrong) for wrong in (None, "1", float("nan"), float("inf"))),
        lambda s: s.seconds(None),
        lambda s: s.labels(9),
        lambda s: s.paint(9, painted(square(0))),
        *(
            lambda s, wrong=wrong: s.paint(0, wrong)
            for wrong in (None, square(0)[:5], painted(square(0)).T, painted(square(0), 7), 0.9 * square(0))
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
        *(lambda s, wrong=wrong: s.take(wrong) for wrong in (None, "missing.mp4", "")),
        *(lambda s, wrong=wrong: s.take_example(wrong) for wrong in ("no", None, [])),
    ],
)
def test_what_means_nothing_is_refused_in_one_sentence_and_changes_nothing(session, use):
    before = session.token
    with pytest.raises(InputError) as error:
        use(session)
    assert "\n" not in str(error.value) and "--" not in str(error.value)
    assert session.token == before and not session.painted_frames and not session.labels(0).any()
    assert session.frame(1.0).shape == (*SIZE[::-1], 3)  # As sliders may have it.


def test_results_that_somebody_removed_are_made_again_and_a_video_is_asked_for_again(session):
    session.paint(0, painted(square(0)))
    run(session)
    before = results(session)
    next(session.folder.glob("results-*/masks/00002.png")).unlink()
    assert run(session) == [2, 3, 4, 5, 6, 7]
    for ours, others in zip(results(session), before, strict=True):
        np.testing.assert_array_equal(ours, others)
    next(session.folder.glob("video-*/*")).unlink()
    for use in (lambda: session.frame(3), lambda: run(session), lambda: session.paint(1, painted(square(1)))):
        with pytest.raises(InputError, match=r"^the video is no more among this machine's temporary files; choose it"):
            use()


# -- Painting ---------------------------------------------------------------------------------------------------------


def test_painted_objects_are_kept_for_each_frame(session):
    session.paint(2, painted(square(2), 3))
    session.paint(0, painted(square(0)))
    assert session.painted_frames == [0, 2]
    np.testing.assert_array_equal(session.labels(2), painted(square(2), 3))
    assert not session.labels(1).any()


def test_what_is_painted_as_it_is_already_changes_nothing(session, engine):
    session.paint(0, painted(square(0)))
    run(session)
    before = engine.frames
    session.paint(2, session.labels(2))
    assert session.painted_frames == [0]
    assert run(session) == [] and engine.frames == before


def test_an_object_that_is_painted_and_erased_again_was_never_there(session):
    session.paint(0, painted(square(0)))
    session.paint(0, np.zeros(SIZE[::-1], np.uint8))
    assert session.painted_frames == []
    with pytest.raises(InputError, match="paint an object first"):
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
    given = [Prompt(number, None, objects) for number, objects in session._given.items()]
    with open_frames(next(session.folder.rglob("*.mkv"))) as frames:
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


# -- Visitors ---------------------------------------------------------------------------------------------------------


def test_two_visitors_do_not_see_each_others_videos_and_results(sessions, session, clip):
    other = sessions["other"]
    other.take_example(next(iter(EXAMPLES)))
    session.paint(0, painted(square(0)))
    run(session)
    assert other.size != session.size and not other.painted_frames and other.overlay is None
    assert not other.folder.is_relative_to(session.folder) and not session.folder.is_relative_to(other.folder)
    assert sessions["ours"] is session and sessions["other"] is other
    assert "ours" not in str(session.folder) and len(session.folder.name) == 32  # It cannot be guessed.


def test_a_visitor_who_leaves_leaves_nothing_and_the_others_stay(sessions, session):
    other = sessions["other"]
    sessions.close("ours")
    assert not session.folder.exists() and other.folder.exists()
    assert sessions["ours"] is not session and sessions["ours"].frames == 0
    sessions.close("nobody")


def test_a_visitor_who_leaves_while_a_video_is_segmented_leaves_nothing(sessions, session):
    session.paint(0, painted(square(0)))
    steps = session.segment()
    next(steps)
    sessions.close("ours")
    assert list(steps) == []
    assert not session.folder.exists()


def test_segmenting_that_the_page_drops_leaves_a_session_that_goes_on(session):
    session.paint(0, painted(square(0)))
    steps = session.segment()
    next(steps), next(steps)
    steps.close()
    assert run(session) == list(range(session.frames))[2:]
    np.testing.assert_array_equal(results(session)[3], painted(square(3)))


def test_nothing_is_left_at_the_end(clip, engine):
    with Sessions(lambda size: Predictor(engine, size)) as sessions:
        session = sessions["ours"]
        session.take(clip)
        session.paint(0, painted(square(0)))
        run(session)
        assert session.folder.is_relative_to(sessions.folder) and session.archive.exists()
        (sessions.folder / "what the page keeps").write_text("an upload that was broken off")
    assert not sessions.folder.exists()


def test_examples_are_drawn_here(sessions):
    for name in EXAMPLES:
        sessions["ours"].take_example(name)
        assert sessions["ours"].frame(sessions["ours"].frames - 1).std() > 10
