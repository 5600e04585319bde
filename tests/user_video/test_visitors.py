"""Visitors of the web page: whose work is kept, and that nothing else stays on disk."""

import threading

import numpy as np
import pytest

from helpers.moving_square import Bright, square, write_square
from osmn.errors import InputError
from osmn.inference.predictor import Predictor
from osmn.user_video.webapp import clip as clip_module
from osmn.user_video.webapp import visitors as visitors_module
from osmn.user_video.webapp.clip import EXAMPLES
from osmn.user_video.webapp.uploads import UNTAKEN
from osmn.user_video.webapp.visitors import SILENT, Visitors

KEEP = 3600.0
PATIENCE = 60
ANNA, BEN = "a" * 32, "b" * 32  # What their browsers remember.


class Clock:
    """A clock that the test sets."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture(autouse=True)
def small_examples(monkeypatch):
    monkeypatch.setattr(clip_module, "EXAMPLE_FRAMES", 3)
    monkeypatch.setattr(clip_module, "EXAMPLE_SIZE", (96, 64))


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def made(tmp_path, clock):
    """Return a function that makes `Visitors` with a time for which work is kept."""
    return lambda keep=KEEP: Visitors(lambda size: Predictor(Bright(), size), keep, clock)


@pytest.fixture
def visitors(made):
    with made() as visitors:
        yield visitors


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    return write_square(tmp_path_factory.mktemp("clip") / "dog.mkv").read_bytes()


def uploaded(visitors, content, name="dog.mkv"):
    """Upload a video; return its token."""
    with visitors.uploads.coming(name) as (token, path):
        path.write_bytes(content)
    return token


def opened(visitors, key, content, visitor=None):
    """Open a video in a page; return its session."""
    visitors.hear(key, visitor)
    task = visitors.open_upload(key, uploaded(visitors, content))
    assert task.wait(PATIENCE) and task.problem is None
    return visitors.session(key)


def give(session):
    session.paint(0, np.where(square(0), np.uint8(1), np.uint8(0)))


def segmented(visitors, key):
    task = visitors.segment(key)
    assert task.wait(PATIENCE) and task.problem is None


def kept(visitors):
    """Return the names of all entries of the folder of all files."""
    return sorted(path.name for path in visitors.folder.iterdir())


def test_a_page_without_a_video_says_so(visitors):
    visitors.hear("page")
    for use in (visitors.session, visitors.segment):
        with pytest.raises(InputError, match="choose a video first"):
            use("page")


def test_two_visitors_with_the_same_file_of_the_same_name_are_apart(visitors, video):
    first, second = opened(visitors, "one", video), opened(visitors, "two", video)
    assert first.clip.path.name == second.clip.path.name == "dog.mkv"
    assert not first.folder.is_relative_to(second.folder) and not second.folder.is_relative_to(first.folder)
    give(first)
    assert not second.edits.frames
    visitors.leave("one")
    second.clip.frame(3)  # It is still there.


def test_an_upload_is_taken_once_by_its_token_and_by_nobody_else(visitors, video):
    token = uploaded(visitors, video)
    visitors.hear("page")
    folder = kept(visitors)
    for wrong in (None, "", "0" * 32, str(visitors.folder / folder[0] / "dog.mkv"), folder[0], ["a"]):
        with pytest.raises(InputError, match="no more there"):
            visitors.open_upload("page", wrong)
    visitors.open_upload("page", token).wait(PATIENCE)
    with pytest.raises(InputError, match="no more there"):
        visitors.open_upload("page", token)


def test_after_a_reload_the_work_is_offered_and_goes_on_as_it_was(visitors, video):
    session = opened(visitors, "before", video, ANNA)
    give(session)
    segmented(visitors, "before")
    visitors.leave("before")
    visitors.hear("after", ANNA)
    assert visitors.offers("after") == [session]
    visitors.go_on("after", session.token)
    assert visitors.session("after") is session and session.done == 8 and session.overlay.exists()
    assert visitors.offers("after") == []


def test_a_page_that_is_reloaded_is_offered_its_work_though_it_still_seems_to_be_there(visitors, video):
    session = opened(visitors, "before", video, ANNA)
    visitors.hear("after", ANNA)
    assert visitors.offers("after") == [session]
    visitors.go_on("after", session.token)
    visitors.leave("before")
    assert visitors.session("after") is session and session.clip.path.exists()


def test_a_page_that_seemed_gone_finds_its_work_again(visitors, video, clock):
    session = opened(visitors, "laptop", video)
    visitors.leave("laptop")
    clock.now += KEEP / 2
    visitors.sweep()
    visitors.hear("laptop")
    assert visitors.session("laptop") is session


def test_work_that_goes_on_in_another_page_is_segmented_on_there_and_the_first_page_stops_nothing(
    visitors, video, monkeypatch
):
    session, prepared = opened(visitors, "first", video, ANNA), threading.Event()
    give(session)
    monkeypatch.setattr(
        session, "_new_predictor", lambda size: Predictor(Bright(), size) if prepared.wait(PATIENCE) else None
    )
    task = visitors.segment("first")
    visitors.hear("second", ANNA)
    assert visitors.is_open(session)
    visitors.go_on("second", session.token)
    assert visitors.task("second") is task and visitors.task("first") is None
    assert visitors.session_or_none("first") is None
    visitors.stop("first")
    visitors.leave("first")
    prepared.set()
    assert task.wait(PATIENCE) and task.problem is None and session.done == 8
    visitors.leave("second")
    assert not visitors.is_open(session)


def test_nobody_else_is_offered_a_visitors_work(visitors, video):
    session = opened(visitors, "anna", video, ANNA)
    visitors.leave("anna")
    for key, secret in (("ben", BEN), ("nobody", None), ("short", "a"), ("key", "anna")):
        visitors.hear(key, secret)
        assert visitors.offers(key) == []
        for use in (visitors.go_on, visitors.discard):
            with pytest.raises(InputError, match="no more kept"):
                use(key, session.token)
    assert session.clip.path.exists()


def test_work_is_removed_when_its_time_is_over_and_not_before(visitors, video, clock):
    session = opened(visitors, "page", video, ANNA)
    visitors.leave("page")
    clock.now += KEEP - 1
    visitors.sweep()
    assert session.clip.path.exists()
    clock.now += 1
    visitors.sweep()
    visitors.hear("later", ANNA)
    assert not kept(visitors) and visitors.offers("later") == []


def test_work_is_removed_at_once_where_nothing_is_to_be_kept(made, video):
    with made(keep=0.0) as visitors:
        session = opened(visitors, "page", video, ANNA)
        give(session)
        visitors.leave("page")
        assert not kept(visitors)


def test_another_video_takes_the_place_of_work_that_is_kept_and_of_a_video_without_work_that_is_removed(
    visitors, video
):
    first = opened(visitors, "page", video, ANNA)
    second = opened(visitors, "page", video, ANNA)
    assert not first.folder.exists()  # Nothing had been given in it.
    give(second)
    visitors.open_example("page", next(iter(EXAMPLES))).wait(PATIENCE)
    assert visitors.offers("page") == [second]
    visitors.go_on("page", second.token)
    assert visitors.session("page") is second and second.edits.frames == {0: [1]}


def test_what_is_no_video_leaves_the_work_of_before_and_nothing_on_disk(visitors, video):
    session = opened(visitors, "page", video)
    before = kept(visitors)
    task = visitors.open_upload("page", uploaded(visitors, b"Dear Sir", "letter.mp4"))
    assert task.wait(PATIENCE) and task.problem.startswith("letter.mp4 cannot be opened")
    assert visitors.session("page") is session and kept(visitors) == before


def test_work_that_is_offered_can_be_removed(visitors, video):
    session = opened(visitors, "before", video, ANNA)
    visitors.leave("before")
    visitors.hear("after", ANNA)
    visitors.discard("after", session.token)
    assert not kept(visitors) and visitors.offers("after") == []


def test_a_visitor_who_leaves_while_waiting_or_segmenting_is_stopped(visitors, video, monkeypatch):
    sessions = [opened(visitors, key, video, key * 32) for key in "abc"]
    for session in sessions:
        give(session)
    held = sessions[0].segment()  # The first visitor's video is being segmented, as far as this one frame.
    next(held)
    tasks = [visitors.segment(key) for key in "bc"]
    visitors.leave("c")
    assert tasks[0].wait(PATIENCE) and tasks[1].wait(PATIENCE)
    assert sessions[1].done == 8 and sessions[2].done in (0, 1)
    held.close()


def test_uploads_that_nobody_takes_or_that_are_cut_off_are_removed(visitors, video, clock):
    with pytest.raises(ConnectionError), visitors.uploads.coming("dog.mkv") as (_, path):
        path.write_bytes(video[:100])
        visitors.sweep()
        assert path.exists()  # It is still coming.
        raise ConnectionError
    assert not kept(visitors)
    uploaded(visitors, video)
    clock.now += UNTAKEN - 1
    visitors.sweep()
    assert kept(visitors)
    clock.now += 1
    visitors.sweep()
    assert not kept(visitors)


def test_an_upload_that_is_opened_after_its_page_has_gone_is_kept_as_work_is(visitors, video, clock):
    visitors.hear("page", ANNA)
    token = uploaded(visitors, video)
    task = visitors.open_upload("page", token)
    visitors.leave("page")
    assert task.wait(PATIENCE)
    clock.now += KEEP
    visitors.sweep()
    assert not kept(visitors)


def test_a_video_that_is_being_opened_can_be_stopped_and_leaves_the_work_of_before(visitors, video, monkeypatch):
    before = opened(visitors, "page", video)
    there, read, go_on = kept(visitors), threading.Event(), threading.Event()

    def slow(path, title, note):
        note(1, 9)
        read.set()
        assert go_on.wait(PATIENCE)
        note(2, 9)
        pytest.fail("it goes on")

    monkeypatch.setattr(visitors_module, "Clip", slow)
    task = visitors.open_upload("page", uploaded(visitors, video, "cat.mkv"))
    assert read.wait(PATIENCE) and task.state()["count"] == 1
    visitors.stop("page")
    go_on.set()
    assert task.wait(PATIENCE) and task.problem is None
    assert visitors.session("page") is before and kept(visitors) == there


def test_what_belongs_to_nobody_is_removed_once_it_is_old(visitors, monkeypatch):
    (visitors.folder / "stray").mkdir()
    (visitors.folder / "stray" / "file").write_text("what a server left")
    (visitors.folder / "file").write_text("the same")
    visitors.sweep()
    assert kept(visitors) == ["file", "stray"]
    late = visitors_module.time.time() + UNTAKEN + 1
    monkeypatch.setattr(visitors_module.time, "time", lambda: late)
    visitors.sweep()
    assert not kept(visitors)


def test_a_page_that_is_not_heard_of_has_gone(visitors, video, clock):
    opened(visitors, "page", video)
    clock.now += SILENT
    visitors.sweep()
    assert visitors.session_or_none("page") is None and kept(visitors)
    clock.now += KEEP
    visitors.sweep()
    assert not kept(visitors)


def test_nothing_is_left_at_the_end(made, video):
    with made() as visitors:
        give(opened(visitors, "page", video))
        visitors.segment("page")
        uploaded(visitors, video)
        opened(visitors, "gone", video, ANNA)
        visitors.leave("gone")
    assert not visitors.folder.exists()


STEPS = ("upload cut off", "upload not taken", "leave while opening", "leave after painting", "leave while segmenting")


@pytest.mark.parametrize("keep", [KEEP, 0.0])
def test_after_fifty_visitors_of_whom_each_third_leaves_at_some_step_nothing_stays_but_what_is_kept(
    made, video, clock, keep
):
    with made(keep) as visitors:
        expected = set()
        for number in range(50):
            key, leaves_at = f"page {number}", STEPS[number // 3 % len(STEPS)] if number % 3 == 0 else None
            visitors.hear(key, f"{number:032d}")
            if leaves_at == "upload cut off":
                with pytest.raises(ConnectionError), visitors.uploads.coming("dog.mkv") as (_, path):
                    path.write_bytes(video[: number * 10])
                    raise ConnectionError
                visitors.leave(key)
                continue
            token = uploaded(visitors, video)
            if leaves_at == "upload not taken":
                visitors.leave(key)
                continue
            task = visitors.open_upload(key, token)
            if leaves_at == "leave while opening":
                visitors.leave(key)
                assert task.wait(PATIENCE)
            else:
                assert task.wait(PATIENCE) and task.problem is None
                session = visitors.session(key)
                give(session)
                if leaves_at != "leave after painting":
                    task = visitors.segment(key)
                    if leaves_at != "leave while segmenting":
                        assert task.wait(PATIENCE)
                visitors.leave(key)
                assert task.wait(PATIENCE)
            visitors.hear("next", f"{number:032d}")
            expected |= {each.folder.name for each in visitors.offers("next")}
            visitors.leave("next")
        clock.now += UNTAKEN
        visitors.sweep()
        assert set(kept(visitors)) == expected and len(expected) == (50 - 8 if keep else 0)
        clock.now += KEEP
        visitors.sweep()
        assert not kept(visitors)
