"""What visitors of the web page come back to, and where they meet each other, in a real browser with a tiny model."""

import time

import pytest

from helpers.web_page import FRAMES, SIZE, Visitor, encode, served


@pytest.fixture(scope="module")
def long_clip(tmp_path_factory):
    return encode(tmp_path_factory.mktemp("clip") / "long.mp4", "libx264", SIZE, 900, None)


def test_after_a_reload_the_work_is_offered_and_another_video_takes_its_place_only_after_a_question(visitor, disc):
    visitor.start(disc)
    visitor.go_to(2)
    visitor.paint((32, 48), (48, 48))
    visitor.given("Frame 2: 1")
    visitor.page.reload()
    visitor.press(f"Go on with my clip.mp4, 0 of {FRAMES} frames segmented")
    visitor.given("Frame 2: 1")
    visitor.segment()
    visitor.press("Another video")
    visitor.upload(disc)
    visitor.press("Stay with my clip.mp4")
    visitor.press("Back to the video")
    visitor.given("Frame 2: 1")
    visitor.press("Another video")
    visitor.press("Example: 1 object")
    visitor.page.get_by_text("are kept for an hour, and offered on this page").wait_for()
    visitor.press("Open Example: 1 object")
    visitor.page.get_by_text("Example: 1 object, 32 frames").wait_for()
    visitor.given()
    visitor.press("Another video")
    visitor.press(f"Go on with my clip.mp4, {FRAMES} of {FRAMES} frames segmented")
    visitor.given("Frame 2: 1")
    visitor.page.wait_for_selector("#osmn .download[href]")


def test_a_page_that_lost_its_connection_goes_on_where_it_was(visitor, disc):
    visitor.start(disc)
    visitor.paint((32, 48), (48, 48))
    visitor.given("Frame 0: 1")
    visitor.page.context.set_offline(True)
    visitor.drag((64, 20), (64, 70))
    visitor.status("The connection to the program is lost")
    visitor.page.wait_for_timeout(5000)  # Until Gradio has noticed it too.
    with visitor.page.expect_navigation():
        visitor.page.context.set_offline(False)
    visitor.page.locator("#osmn canvas.paint").wait_for(state="attached")
    visitor.until_painted((64, 45))  # Gradio has loaded the page anew.
    visitor.given("Frame 0: 1")
    visitor.key("Control+z")  # The stroke had arrived, once.
    visitor.until_painted((64, 45), False)
    visitor.until_painted((40, 48))


def test_two_visitors_with_the_same_file_are_apart_and_what_a_visitor_leaves_is_kept(browser, server, visitor, disc):
    address, temporary = server
    before = set(temporary.rglob("my clip.mp4"))
    others = [Visitor(browser, address) for _ in range(2)]
    for other in others:
        other.start(disc)
    theirs = set(temporary.rglob("my clip.mp4")) - before
    assert len(theirs) == 2
    others[0].paint((32, 48), (48, 48))
    others[0].given("Frame 0: 1")
    others[1].given()
    for other in others:
        other.leave()
    time.sleep(2)
    assert all(path.exists() for path in theirs)
    assert visitor.page.locator("#osmn .offers button").count() == 0  # It is offered to nobody else.


def test_a_visitor_in_the_queue_sees_that_it_waits_and_stop_holds(browser, server, visitor, long_clip, disc):
    other = Visitor(browser, server[0])
    other.start(long_clip)
    other.paint((32, 48), (48, 48))
    visitor.start(disc)
    visitor.paint((32, 48), (48, 48))
    visitor.given("Frame 0: 1")
    other.press("Segment")
    other.status("Segmenting frame")
    visitor.press("Segment")
    visitor.status("Waiting: the video of another visitor is segmented before yours")
    visitor.press("Stop")
    visitor.status("Segment when every object is shown")
    other.press("Stop")
    other.page.wait_for_function(
        "() => /^Stopped: [0-9]+ of 900 frames/.test(document.querySelector('#osmn .status').innerText)"
    )
    time.sleep(2)
    assert visitor.page.locator("#osmn .marks .done").count() == 0  # Nothing was segmented for who had stopped.
    visitor.segment()

    other.press("Segment")
    other.status("Segmenting frame")
    other.press("Object 1")  # The page answers while it is busy.
    other.page.reload()
    other.page.get_by_role("button", name="Go on with long.mp4, ").click()
    # It has stopped, or gone on where the server heard of the new page before it heard that the old one had gone.
    other.status("frames are segmented")
    assert int(other.page.locator("#osmn .status").inner_text().split()[1]) > 0
    other.leave()


def test_work_that_another_window_of_a_visitor_takes_goes_on_there_and_is_told_here(
    browser, server, visitor, long_clip
):
    visitor.start(long_clip)
    visitor.paint((32, 48), (48, 48))
    visitor.press("Segment")
    visitor.status("Segmenting frame")
    second = Visitor(browser, server[0], context=visitor.page.context)
    second.page.get_by_role("button", name="Go on with long.mp4, ").click()
    visitor.page.get_by_text("long.mp4 is shown in another window now. It can be brought back here.").wait_for()
    second.status("All 900 frames are segmented")  # Nobody has stopped it.
    visitor.page.get_by_role("button", name="Go on with long.mp4, ").click()
    visitor.status("All 900 frames are segmented")
    second.press("Erase")
    second.drag((100, 48), (110, 48))
    second.page.get_by_text("long.mp4 is shown in another window now").wait_for()
    second.press("Remove long.mp4")
    second.page.get_by_text("It seems to be open in another window.").wait_for()
    second.press("Remove")
    second.page.wait_for_function("() => !document.querySelector('#osmn .offers li')")
    visitor.page.evaluate("document.querySelector('#osmn .undo').click()")
    visitor.page.get_by_text("long.mp4 is no more here. Work is kept for an hour after its page has gone").wait_for()


def test_a_visitor_who_goes_back_and_comes_again_finds_their_work(visitor, server, disc):
    visitor.start(disc)
    visitor.paint((32, 48), (48, 48))
    visitor.given("Frame 0: 1")
    visitor.page.goto("about:blank")
    visitor.page.go_back()
    visitor.press(f"Go on with my clip.mp4, 0 of {FRAMES} frames segmented")
    visitor.given("Frame 0: 1")
    visitor.until_painted((40, 48))


def test_where_nothing_is_kept_a_reload_asks_first_and_work_of_before_is_gone(browser, chromium, disc, tmp_path):
    pytest.importorskip("gradio", reason="gradio is not installed (make browser)")
    with served(tmp_path, "--keep", 0) as (address, _):
        visitor = Visitor(browser, address)
        asked = []
        visitor.page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.accept()))
        visitor.start(disc)
        visitor.page.reload()
        visitor.page.get_by_text("It is removed when you leave.").wait_for()
        assert asked == []  # There was nothing to lose.
        visitor.start(disc)
        visitor.paint((32, 48), (48, 48))
        visitor.given("Frame 0: 1")
        visitor.page.reload()
        assert asked == ["beforeunload"]
        visitor.page.get_by_text("It is removed when you leave.").wait_for()
        assert visitor.page.locator("#osmn .offers button").count() == 0
        visitor.leave()
