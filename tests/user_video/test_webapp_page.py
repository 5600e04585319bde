"""The web page, in a real browser: headless Chromium, by Playwright, with a tiny model."""

import sys

import numpy as np
import pytest
from PIL import Image

import osmn_app
from helpers.web_page import FRAMES, SIZE, Visitor, encode


def test_without_gradio_a_line_says_what_to_install(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "gradio", None)
    with pytest.raises(SystemExit) as stopped:
        osmn_app.main([])
    assert stopped.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: gradio is not installed") and line.endswith("pip install -r requirements-app.txt")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        *((["--host", host], "is no address") for host in ("a b", "é" * 70, "..", "999.1.1.1", "[::1", "http://x")),
        (["--port", "65536"], "argument --port: 65536 is not at most 65535"),
        (["--max_upload", "0"], "argument --max_upload: 0 is not a number above zero"),
        (["--keep", "-1"], "argument --keep: -1 is not a number from zero up"),
    ],
)
def test_options_that_cannot_be_served_are_one_line_before_a_model_is_loaded(capsys, options, said):
    with pytest.raises(SystemExit) as stopped:
        osmn_app.main([*options, "--whole_model_path", "none"])
    assert stopped.value.code == 2
    assert said in capsys.readouterr().err.splitlines()[-1]


def test_upload_paint_segment_correct_download(visitor, disc, tmp_path):
    visitor.start(disc)
    assert "my clip.mp4, 6 frames of 128x96" in visitor.page.locator("#osmn header").inner_text()
    visitor.paint((32, 48), (48, 48))
    visitor.given("Frame 0: 1")
    visitor.segment()
    visitor.status(f"All {FRAMES} frames are segmented")
    name, first, shown = visitor.download()
    assert name == "my clip_masks.zip"
    assert set(np.unique(first[0])) == {0, 1} and first[0][48, 30:50].all() and not first[0][:, 70:].any()
    assert all((mask == 1).all() for mask in first[1:])  # That is what the model makes of it.
    assert len(shown) == FRAMES and shown[3][..., 0].mean() > shown[3][..., 2].mean() + 50

    visitor.go_to(3)
    assert visitor.painted() == SIZE[0] * SIZE[1]  # The result is there to be changed.
    visitor.press("New object 2")
    visitor.drag((64, 20), (64, 70))
    visitor.given("Frame 0: 1", "Frame 3: 1, 2")
    assert visitor.page.locator("#osmn .download[aria-disabled=true]").count() == 1  # Old results are not given out.
    assert "of before the last change" in visitor.page.locator("#osmn .hint").inner_text()
    visitor.status("Segment again: from frame 3 on")
    visitor.segment()
    visitor.page.screenshot(path=tmp_path / "page.png")
    _, second, shown = visitor.download()
    for number in range(3):
        np.testing.assert_array_equal(second[number], first[number])
    assert (second[3][25:65, 64] == 2).all() and (second[3][:, :50] == 1).all()
    assert len(shown) == FRAMES


def test_a_box_is_filled_with_what_is_found_and_a_second_one_asks_whether_it_replaces(visitor, disc):
    visitor.start(disc)
    visitor.drag((14, 22), (66, 74))
    visitor.given("Frame 0: 1")
    visitor.until_painted((40, 48))
    disc = visitor.painted()
    assert disc == pytest.approx(np.pi * 20**2, rel=0.25)
    visitor.drag((14, 22), (66, 74))
    visitor.page.get_by_text("Frame 0 has object 1 already.").wait_for()
    visitor.key("Escape")
    visitor.drag((14, 22), (66, 74))
    visitor.press("It is new: object 2")
    visitor.page.get_by_text("That belongs to object 1 already; choose its number").wait_for()
    assert visitor.painted() == disc
    visitor.given("Frame 0: 1")
    visitor.key("1")
    visitor.paint((100, 20), (110, 20))
    more = visitor.painted()
    assert more > disc
    visitor.press("Box")
    visitor.drag((14, 22), (66, 74))
    visitor.press("Replace object 1")
    visitor.until_painted((105, 20), False)
    visitor.key("Control+z")
    visitor.until_painted((105, 20))
    assert visitor.painted() == more


def test_by_clicks_alone_from_upload_to_download_with_undo_and_by_keys(visitor, disc, tmp_path):
    visitor.start(disc)
    visitor.press("Click")
    visitor.click((40, 48))
    visitor.given("Frame 0: 1")
    visitor.until_painted((40, 48))
    disc = visitor.painted()
    assert disc == pytest.approx(np.pi * 20**2, rel=0.3)
    visitor.click((100, 20))  # The corner is not the object's: it is added, ...
    visitor.page.wait_for_function("before => document.querySelectorAll('#osmn .undo:enabled').length", arg=disc)
    visitor.click((100, 20), beside=True)  # ... and taken away.
    visitor.until_painted((100, 20), painted=False)
    visitor.until_painted((40, 48))
    for _ in range(3):
        visitor.key("Control+z")
    visitor.until_painted((40, 48), painted=False)
    visitor.key("Control+Shift+z")
    visitor.until_painted((40, 48))
    visitor.press("New object 2")
    visitor.page.locator("#osmn canvas.pen").focus()
    visitor.key("c", *["Alt+Shift+ArrowRight"] * 5, "Enter")  # At (100, 0): a click by keys.
    visitor.page.wait_for_timeout(1500)
    visitor.segment()
    visitor.status(f"All {FRAMES} frames are segmented")
    name, masks, shown = visitor.download()
    assert name == "my clip_masks.zip" and len(shown) == FRAMES and (masks[0][40:56, 32:48] == 1).all()
    visitor.page.screenshot(path=tmp_path / "clicks.png")


def test_undo_and_redo_of_a_stroke_an_erasure_a_correction_and_clearings(visitor, disc):
    visitor.start(disc)
    visitor.paint((20, 48), (100, 48))
    whole = visitor.painted()
    visitor.press("Erase")
    visitor.drag((60, 20), (60, 80))
    erased = visitor.painted()
    assert 0 < erased < whole
    visitor.press("Undo")
    visitor.until_painted((60, 48))
    assert visitor.painted() == whole
    visitor.key("Control+Shift+z")
    visitor.until_painted((60, 48), False)
    assert visitor.painted() == erased
    visitor.segment()

    visitor.go_to(3)
    visitor.paint((20, 30), (30, 30))
    visitor.press("New object 2")
    visitor.drag((64, 20), (64, 70))
    visitor.given("Frame 0: 1", "Frame 3: 1, 2")
    visitor.go_to(1)
    visitor.key("Control+z")
    visitor.at_frame(3)  # The page shows where something was taken back.
    visitor.given("Frame 0: 1")
    assert visitor.page.locator("#osmn .download[href]").count() == 1  # The results are those of what is given, again.
    visitor.press("Redo")
    visitor.given("Frame 0: 1", "Frame 3: 1, 2")

    for clear, left in (
        ("Clear this frame", ["Frame 0: 1"]),
        ("Clear object 2", ["Frame 0: 1", "Frame 3: 1"]),
        ("Remove what is given in frame 0", ["Frame 3: 1, 2"]),
        ("Clear all", []),
    ):
        visitor.press(clear)
        visitor.given(*left)
        visitor.key("Control+z")
        visitor.given("Frame 0: 1", "Frame 3: 1, 2")
    visitor.page.get_by_role("button", name="Frame 0", exact=False).first.click()
    visitor.at_frame(0)


def test_keys_step_choose_play_and_paint(visitor, disc):
    visitor.start(disc)
    visitor.key("p", "3", "ArrowRight", "ArrowRight", "ArrowLeft")
    visitor.at_frame(1)
    visitor.key("End")
    visitor.at_frame(FRAMES - 1)
    visitor.key("Home")
    visitor.at_frame(0)
    visitor.page.evaluate("document.activeElement.blur()")
    for _ in range(40):  # The canvas is reached by Tab.
        visitor.key("Tab")
        if visitor.page.evaluate("document.activeElement.matches('canvas.pen')"):
            break
    visitor.key("Alt+ArrowRight", "Alt+ArrowDown", "Enter")
    visitor.given("Frame 0: 3")
    assert visitor.painted([SIZE[0] // 2 + 4, SIZE[1] // 2 + 4]) == [0xFF, 0xFF, 0, 255]  # Yellow, as DAVIS has it.
    visitor.key("b", "2", "Alt+ArrowLeft", "Enter", "Alt+Shift+ArrowLeft", "Alt+Shift+ArrowUp", "Enter")
    visitor.page.locator("#osmn .problem:visible, #osmn .given .dot:nth-of-type(2)").first.wait_for()

    slow_motion(visitor)
    visitor.key(" ")
    visitor.page.wait_for_function("() => Number(document.querySelector('#osmn [name=number]').value) >= 2")
    visitor.key(" ")
    visitor.page.wait_for_function("() => document.querySelector('#osmn video').hidden")
    number = visitor.page.locator("#osmn [name=number]").input_value()
    assert int(number) >= 2
    visitor.at_frame(number)


def slow_motion(visitor):
    visitor.page.evaluate("document.querySelector('#osmn video').defaultPlaybackRate = 0.0625")


def test_there_is_one_picture_and_one_timeline_and_a_paused_film_leaves_its_frame_to_be_corrected(visitor, disc):
    visitor.start(disc)
    visitor.paint((32, 48), (48, 48))
    visitor.segment()
    assert visitor.page.locator("#osmn .marks .given-mark").count() == 1
    done = visitor.page.locator("#osmn .marks .done").bounding_box()["width"]
    assert done == pytest.approx(visitor.page.locator("#osmn .marks").bounding_box()["width"], abs=2)
    slow_motion(visitor)
    visitor.press("Play")
    visitor.page.wait_for_function("() => document.querySelector('#osmn [name=number]').value === '2'")
    assert visitor.page.evaluate("document.querySelector('#osmn video').src").endswith("overlay.mp4")
    visitor.press("Pause")
    visitor.page.wait_for_function("() => document.querySelector('#osmn video').hidden")
    visitor.at_frame(2)
    visitor.press("New object 2")
    visitor.paint((64, 20), (64, 70))
    visitor.given("Frame 0: 1", "Frame 2: 1, 2")
    visitor.page.locator("#osmn .marks .given-mark").first.click()
    visitor.at_frame(0)


def test_a_masks_file_that_can_be_read_in_several_ways_asks_which(visitor, disc, tmp_path):
    visitor.start(disc)
    picture = np.full((96, 128), 4, np.uint8)
    picture[:, 64:] = 6
    Image.fromarray(picture).save(tmp_path / "halves.png")
    mask = visitor.page.locator("#osmn [name=mask]")
    mask.set_input_files(tmp_path / "halves.png")
    visitor.page.get_by_text("halves.png has no 0, and no color all around: values 4, 6. How is it to be").wait_for()
    visitor.press("Cancel")
    assert visitor.painted() == 0
    mask.set_input_files(tmp_path / "halves.png")
    visitor.press("Values count in their order, the lowest is the background")
    visitor.given("Frame 0: 1")
    assert visitor.painted() == 64 * 96 and visitor.painted([100, 50])[3] == 255
    mask.set_input_files(tmp_path / "halves.png")
    visitor.press("Values are numbers of objects")
    visitor.until_painted((10, 50))
    mask.set_input_files(tmp_path / "halves.png")
    visitor.press("Values are numbers of objects")
    visitor.page.get_by_text("Object 4, 6 is given in frame 0 already.").wait_for()
    visitor.press("Replace object 4, 6")
    visitor.until_painted((10, 50))


def test_a_masks_file_is_painted_on_the_frame_and_replaces_only_after_a_question(visitor, disc, tmp_path):
    visitor.start(disc)
    picture = np.zeros((96, 128, 3), np.uint8)
    picture[20:60, 20:60], picture[10:30, 80:120] = (255, 0, 0), (0, 0, 255)
    Image.fromarray(picture).save(tmp_path / "two colors.png")
    mask = visitor.page.locator("#osmn [name=mask]")
    mask.set_input_files(tmp_path / "two colors.png")
    visitor.page.get_by_text("its colors are objects, in order of appearance: objects 1, 2").wait_for()
    visitor.given("Frame 0: 1, 2")
    assert visitor.painted() == 40 * 40 + 20 * 40
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (96, 128, 3), np.uint8)).save(tmp_path / "frame.png")
    mask.set_input_files(tmp_path / "frame.png")
    visitor.page.get_by_text("frame.png is a photograph").wait_for()
    visitor.press("Cancel")
    Image.fromarray(picture[::-1]).save(tmp_path / "turned.png")
    mask.set_input_files(tmp_path / "turned.png")
    visitor.page.get_by_text("Object 1, 2 is given in frame 0 already.").wait_for()
    visitor.press("Cancel")
    assert visitor.painted([30, 30])[3] == 255
    mask.set_input_files(tmp_path / "turned.png")
    visitor.press("Replace object 1, 2")
    visitor.until_painted((30, 30), False)
    visitor.key("Control+z")
    visitor.until_painted((30, 30))


def test_the_box_for_both_ways_follows_backward_what_is_painted_later(visitor, disc):
    visitor.start(disc)
    visitor.go_to(2)
    visitor.paint((32, 48), (48, 48))
    visitor.given("Frame 2: 1")
    visitor.page.get_by_label("Backward, too").check()
    visitor.segment()
    _, masks, _ = visitor.download()
    assert all((mask == 1).all() for mask in masks[:2])  # That is what the model makes of it.
    assert not (masks[2] == 1).all()


RED = """() => {} === (document.querySelector("#osmn canvas.paint").getContext("2d")
    .getImageData(40, 48, 1, 1).data[0] === 255)"""


def test_the_paint_can_be_hidden_and_has_other_colors_and_the_picture_is_zoomed(visitor, disc):
    visitor.start(disc)
    visitor.paint((32, 48), (48, 48))
    visitor.given("Frame 0: 1")
    assert visitor.painted([40, 48]) == [255, 0, 0, 255]
    visitor.page.locator("#osmn [type=color]").fill("#0a14ff")
    visitor.page.wait_for_function(RED.format("false"))
    visitor.key("Control+z")
    visitor.page.wait_for_function(RED.format("true"))
    visitor.key("Control+Shift+z")
    visitor.page.wait_for_function(RED.format("false"))
    visitor.segment()
    _, masks, shown = visitor.download()
    assert set(np.unique(masks[0])) == {0, 1} and shown[3][..., 2].mean() > shown[3][..., 0].mean() + 50
    visitor.key("h")
    assert (
        visitor.page.locator("#osmn canvas.paint").evaluate("canvas => getComputedStyle(canvas).visibility") == "hidden"
    )
    visitor.key("h")
    before = visitor.page.locator("#osmn .picture").bounding_box()["width"]
    visitor.key("+", "+")
    assert visitor.page.locator("#osmn .picture").bounding_box()["width"] == pytest.approx(2 * before, rel=0.02)
    visitor.go_to(1)
    visitor.press("Fit")
    assert visitor.page.locator("#osmn .picture").bounding_box()["width"] == pytest.approx(before, abs=1)


@pytest.mark.parametrize("size", [(1366, 768), (390, 844)])
def test_the_page_fits_the_window(browser, server, disc, size):
    visitor = Visitor(browser, server[0], size)
    visitor.start(disc)
    visitor.paint((32, 48), (48, 48))
    visitor.given("Frame 0: 1")
    width, height = visitor.page.evaluate(
        "[document.documentElement.scrollWidth, document.documentElement.scrollHeight]"
    )
    assert width <= size[0] and (height <= size[1] or size[0] < 400)
    for element in ("canvas.pen", ".segment", ".play", ".download"):
        box = visitor.page.locator(f"#osmn {element}").bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= size[0] + 1
    visitor.leave()


def test_a_clip_of_one_frame_is_segmented(visitor, tmp_path):
    visitor.start(encode(tmp_path / "one.mp4", "libx264", SIZE, 1, None))
    assert "one.mp4, 1 frame of 128x96" in visitor.page.locator("#osmn header").inner_text()
    visitor.paint((32, 48), (48, 48))
    visitor.segment()
    visitor.status("The frame is segmented. Where an object is wrong")
    visitor.press("Play")
    visitor.page.wait_for_function("() => document.querySelector('#osmn video').hidden")
    visitor.at_frame(0)


def test_a_file_that_is_no_video_is_told_and_another_one_can_be_chosen(visitor, disc, tmp_path):
    letter = tmp_path / "letter.mp4"
    letter.write_text("Dear Sir")
    visitor.upload(letter)
    visitor.page.get_by_text("letter.mp4 cannot be opened as a video. Phones, cameras").wait_for()
    visitor.start(disc)


def test_a_file_that_is_too_large_is_told(visitor, tmp_path):
    large = tmp_path / "large.mp4"
    large.write_bytes(bytes(1_200_000))
    visitor.upload(large)
    visitor.page.get_by_text("large.mp4 is larger than 1 MB, the most that this page takes", exact=False).wait_for()


def test_a_port_that_is_taken_is_one_line(server, capsys):
    port = server[0].rpartition(":")[2]
    model = server[1].parent / "tiny"
    with pytest.raises(SystemExit) as stopped:
        osmn_app.main(["--port", port, "--whole_model_path", str(model), "--precision", "float32"])
    assert stopped.value.code == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert line == f"error: 127.0.0.1:{port} cannot be listened on; give another --port or --host"
