"""What the pointer and the keys do on the web page in quick succession, in a real browser with a tiny model."""

from helpers.web_page import FRAMES


def test_a_stroke_stays_what_it_was_begun_as_whatever_key_is_pressed_in_it_and_escape_drops_it(visitor, disc):
    visitor.start(disc)
    visitor.press("Paint")
    visitor.down_at((20, 20))
    visitor.move_to((60, 20))
    visitor.key("2", "e", "b", "ArrowRight", " ")
    visitor.move_to((100, 20))
    visitor.page.mouse.up()
    visitor.given("Frame 0: 1")
    visitor.until_painted((90, 20))
    assert visitor.painted([30, 20]) == visitor.painted([90, 20]) == [255, 0, 0, 255]
    before = visitor.painted()
    visitor.down_at((20, 70))
    visitor.move_to((60, 70))
    visitor.key("Escape")
    visitor.page.mouse.up()
    visitor.at_frame(0)
    assert visitor.painted() == before
    visitor.paint((20, 70), (60, 70))  # The next one is one again.
    visitor.until_painted((40, 70))


def test_what_is_painted_while_a_click_is_answered_is_added_to_the_answer(visitor, disc):
    visitor.start(disc)
    visitor.key("c")
    visitor.click((40, 48))
    visitor.key("p")
    visitor.drag((100, 10), (120, 10))
    visitor.until_painted((40, 48))
    visitor.until_painted((110, 10))
    visitor.key("Control+z")
    visitor.until_painted((110, 10), False)
    visitor.until_painted((40, 48))


def test_a_click_away_needs_no_second_button_and_what_belongs_to_others_is_told(visitor, disc):
    visitor.start(disc)
    visitor.press("Click")
    visitor.click((40, 48))
    visitor.until_painted((40, 48))
    visitor.press("New object 2")
    visitor.click((40, 60))
    visitor.page.get_by_text("belongs to object 1 already").first.wait_for()
    visitor.key("1", "x")
    visitor.click((40, 48))
    visitor.until_painted((40, 48), False)


def test_an_upload_is_stopped_without_a_word_and_a_double_click_segments_once(visitor, disc, tmp_path):
    long = tmp_path / "long.mp4"
    long.write_bytes(bytes(900_000))
    session = visitor.page.context.new_cdp_session(visitor.page)
    session.send("Network.enable")
    slow = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 20_000}
    session.send("Network.emulateNetworkConditions", slow)
    visitor.upload(long)
    visitor.page.get_by_text("Uploading long.mp4: ").wait_for()
    visitor.press("Stop")
    visitor.page.wait_for_function("() => document.querySelector('#osmn .wait').hidden")
    assert visitor.page.locator("#osmn .problem:visible").count() == 0
    session.send("Network.emulateNetworkConditions", slow | {"uploadThroughput": -1})
    visitor.start(disc)
    assert visitor.page.evaluate("document.activeElement.matches('canvas.pen')")
    visitor.paint((32, 48), (48, 48))
    visitor.given("Frame 0: 1")
    visitor.page.get_by_role("button", name="Segment", exact=True).dblclick()
    visitor.page.wait_for_selector("#osmn .download[href]")
    visitor.page.locator("#osmn .segment").press("Enter")
    visitor.page.wait_for_selector("#osmn .download[href]")
    visitor.page.wait_for_function("() => document.activeElement.matches('#osmn .segment')")  # And not lost.
    assert visitor.page.locator("#osmn .problem:visible").count() == 0


def test_the_second_click_of_a_double_click_hits_nothing_that_has_come_into_its_place(visitor, disc):
    visitor.start(disc)
    for number in (0, 2):
        visitor.go_to(number)
        visitor.paint((32, 48), (48, 48))
    visitor.given("Frame 0: 1", "Frame 2: 1")
    area = visitor.page.get_by_role("button", name="Remove what is given in frame 0").bounding_box()
    at = area["x"] + 5, area["y"] + 5
    visitor.page.mouse.click(*at)
    visitor.given("Frame 2: 1")
    visitor.page.mouse.move(*at)
    visitor.page.mouse.down(click_count=2)
    visitor.page.mouse.up(click_count=2)
    visitor.key("Control+z")
    visitor.given("Frame 0: 1", "Frame 2: 1")
    area = visitor.page.get_by_role("button", name="Segment", exact=True).bounding_box()
    at = area["x"] + 5, area["y"] + 5
    visitor.page.mouse.click(*at)
    visitor.page.locator("#osmn .stop, #osmn .download[href]").first.wait_for()
    visitor.page.mouse.down(click_count=2)
    visitor.page.mouse.up(click_count=2)
    visitor.status(f"All {FRAMES} frames are segmented")
