"""The web page, in a real browser: headless Chromium, by Playwright, with a tiny model."""

import importlib.util
import io
import signal
import socket
import subprocess
import sys
import time
import zipfile

import av
import numpy as np
import pytest
from PIL import Image

import osmn_app
from helpers import ROOT
from helpers.zero_networks import build
from osmn.config import ModelConfig
from osmn.models import checkpoints

SIZE, FRAMES = (128, 96), 6
PATIENCE = 90  # seconds, of a slow machine


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
    ],
)
def test_options_that_cannot_be_served_are_one_line_before_a_model_is_loaded(capsys, options, said):
    with pytest.raises(SystemExit) as stopped:
        osmn_app.main([*options, "--whole_model_path", "none"])
    assert stopped.value.code == 2
    assert said in capsys.readouterr().err.splitlines()[-1]


def encode(path, codec, size, frames, rng):
    """Write a clip: a bright disc that moves to the right over noise."""
    y, x = np.mgrid[: size[1], : size[0]]
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=10)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        for number in range(frames):
            image = rng.integers(0, 60, (*size[::-1], 3), np.uint8)
            image[np.hypot(x - 40 - 6 * number, y - 48) < 20] = (240, 200, 40)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image)))
        container.mux(stream.encode())
    return path


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return encode(tmp_path_factory.mktemp("clip") / "my clip.mp4", "libx264", SIZE, FRAMES, np.random.default_rng(0))


@pytest.fixture(scope="module")
def server(chromium, tmp_path_factory):
    """Start the page with a model that finds the object in every pixel; return (address, folder of temporary files)."""
    if importlib.util.find_spec("gradio") is None:
        pytest.skip("gradio is not installed (make browser)")
    network = build(ModelConfig("lite", im_size=(64, 64)))
    network.tf1_variables()["osmn/score/biases"].assign([1.0])
    folder = tmp_path_factory.mktemp("server")
    checkpoints.write_variables(str(folder / "tiny"), checkpoints.model_values(network), network.config)
    temporary = folder / "temporary"
    temporary.mkdir()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "osmn_app.py", "--port", port, "--max_upload", 1, "--whole_model_path", folder / "tiny"]
    process = subprocess.Popen(
        [*map(str, command), "--precision", "float32"],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "TMPDIR": str(temporary), "HOME": str(temporary)},
        stdout=subprocess.PIPE,
        stderr=(folder / "stderr").open("w"),
        text=True,
    )
    try:
        line = process.stdout.readline()
        while line and "open http" not in line:
            line = process.stdout.readline()
        assert f"open http://127.0.0.1:{port} in a browser" in line, (folder / "stderr").read_text()
        yield f"http://127.0.0.1:{port}", temporary
        process.send_signal(signal.SIGTERM)
        rest, _ = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0
        assert "removed" in rest and "Traceback" not in (folder / "stderr").read_text()
        assert not list(temporary.glob("osmn_app-*"))
    finally:
        process.kill()
        process.wait()


class Visitor:
    """A visitor of the page, in a browser window of its own."""

    def __init__(self, browser, address):
        self.asked, self.errors = [], []
        self.page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
        self.page.set_default_timeout(1000 * PATIENCE)
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.goto(address)
        self.page.wait_for_selector("#painter .objects button")

    def upload(self, path):
        self.page.locator("#upload input[type=file]").set_input_files(path)

    def give(self, path):
        """Choose a mask's file."""
        with self.page.expect_file_chooser() as chooser:
            self.press("Or give a mask's file")
        chooser.value.set_files(path)

    def press(self, name):
        self.page.get_by_role("button", name=name, exact=True).click()

    def at_frame(self, number):
        """Wait until the painter shows a frame."""
        self.page.wait_for_selector(f'[data-number="{number}"]')

    def drag(self, start, end):
        """Drag the mouse over the painter, from (x, y) to (x, y) in pixels of the frame."""
        area = self.page.locator("#painter canvas").bounding_box()
        scale = area["width"] / SIZE[0]
        places = [(area["x"] + x * scale, area["y"] + y * scale) for x, y in (start, end)]
        self.page.mouse.move(*places[0])
        self.page.mouse.down()
        self.page.mouse.move(*places[1], steps=8)
        self.page.mouse.up()

    def go_to(self, number):
        self.page.locator("#number input[type=number]").fill(str(number))
        self.page.locator("#number input[type=number]").press("Enter")
        self.at_frame(number)

    def status(self, words):
        """Wait until the page says this."""
        self.page.wait_for_function("words => document.querySelector('#status').innerText.includes(words)", arg=words)

    def painted(self):
        """Return the number of pixels that are painted."""
        return self.page.evaluate(
            """() => { const canvas = document.querySelector("#painter canvas");
            const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
            return data.filter((value, place) => place % 4 === 3 && value > 127).length; }"""
        )

    def download(self):
        """Return the masks in the zip file, and the frames of the overlay."""
        with self.page.expect_download() as download:
            self.page.locator("#download").click()
        with zipfile.ZipFile(download.value.path()) as archive:
            masks = [np.asarray(Image.open(archive.open(f"masks/{number:05d}.png"))) for number in range(FRAMES)]
            assert len(archive.namelist()) == FRAMES + 1
            with av.open(io.BytesIO(archive.read("overlay.mp4"))) as container:
                return masks, [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]

    def leave(self):
        self.page.context.close()


@pytest.fixture
def visitor(browser, server):
    visitor = Visitor(browser, server[0])
    yield visitor
    visitor.leave()
    assert visitor.errors == []
    outside = [url for url in visitor.asked if not url.startswith((server[0], "data:", "blob:"))]
    assert outside == []  # Neither fonts nor scripts nor statistics.


def test_upload_paint_segment_correct_download(visitor, clip, tmp_path):
    visitor.upload(clip)
    visitor.status(f"{FRAMES} frames, 128x96")
    visitor.at_frame(0)
    visitor.drag((32, 48), (48, 48))
    visitor.status("Painted: frame 0.")
    visitor.press("Segment")
    visitor.status(f"{FRAMES} frames segmented")
    first, shown = visitor.download()
    assert set(np.unique(first[0])) == {0, 1} and first[0][48, 30:50].all() and not first[0][:, 70:].any()
    assert all((mask == 1).all() for mask in first[1:])  # That is what the model makes of it.
    assert len(shown) == FRAMES and shown[3][..., 0].mean() > shown[3][..., 2].mean() + 50

    visitor.go_to(3)
    assert visitor.painted() == SIZE[0] * SIZE[1]  # The result is there to be changed.
    visitor.press("Object 2")
    visitor.drag((64, 20), (64, 70))
    visitor.press("Segment")
    visitor.status("3 frames segmented")
    visitor.page.screenshot(path=tmp_path / "page.png")
    second, shown = visitor.download()
    for number in range(3):
        np.testing.assert_array_equal(second[number], first[number])
    assert (second[3][25:65, 64] == 2).all() and (second[3][:, :50] == 1).all()
    assert len(shown) == FRAMES
    assert visitor.page.evaluate("document.querySelector('#screen video').readyState") >= 1  # The browser plays it.


def test_a_masks_file_is_painted_on_the_frame_and_a_wrong_one_is_told(visitor, clip, tmp_path):
    visitor.upload(clip)
    visitor.status(f"{FRAMES} frames, 128x96")
    visitor.at_frame(0)
    picture = np.zeros((96, 128, 3), np.uint8)
    picture[20:60, 20:60], picture[10:30, 80:120] = (255, 0, 0), (0, 0, 255)
    Image.fromarray(picture).save(tmp_path / "two colors.png")
    visitor.give(tmp_path / "two colors.png")
    visitor.status("Painted: frame 0. its colors are objects, in order of appearance: objects 1, 2")
    assert visitor.painted() == 40 * 40 + 20 * 40
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (96, 128, 3), np.uint8)).save(tmp_path / "frame.png")
    visitor.give(tmp_path / "frame.png")
    visitor.page.get_by_text("frame.png is a photograph").wait_for()
    visitor.press("Segment")
    visitor.status(f"{FRAMES} frames segmented")
    first, _ = visitor.download()
    assert (first[0][20:60, 20:60] == 2).all() and (first[0][10:30, 80:120] == 1).all()


def test_the_box_for_both_ways_follows_backward_what_is_painted_later(visitor, clip):
    visitor.upload(clip)
    visitor.at_frame(0)
    visitor.go_to(2)
    visitor.drag((32, 48), (48, 48))
    visitor.page.get_by_label("Backward, too").check()
    visitor.press("Segment")
    visitor.status(f"{FRAMES + 2} frames segmented")
    masks, _ = visitor.download()
    assert all((mask == 1).all() for mask in masks[:2])  # That is what the model makes of it.
    assert not (masks[2] == 1).all()


def test_an_eraser_an_undo_and_pausing_the_overlay(visitor, clip):
    visitor.upload(clip)
    visitor.at_frame(0)
    visitor.drag((20, 48), (100, 48))
    whole = visitor.painted()
    visitor.press("Eraser")
    visitor.drag((60, 20), (60, 80))
    assert 0 < visitor.painted() < whole
    visitor.press("Undo")
    assert visitor.painted() == whole
    visitor.status("Painted: frame 0.")
    visitor.press("Segment")
    visitor.status("segmented")
    visitor.page.evaluate(
        """() => { const video = document.querySelector("#screen video");
        video.currentTime = 0.25; video.dispatchEvent(new Event("pause")); }"""
    )
    visitor.at_frame(2)
    assert visitor.page.locator("#number input[type=number]").input_value() == "2"


def test_a_box_is_filled_with_what_grabcut_finds(visitor, clip):
    visitor.upload(clip)
    visitor.at_frame(0)
    visitor.press("Box")
    visitor.drag((14, 22), (66, 74))
    visitor.status("Painted: frame 0.")
    visitor.page.wait_for_function(
        """() => { const canvas = document.querySelector("#painter canvas");
        return canvas.getContext("2d").getImageData(40, 48, 1, 1).data[3] === 255; }"""
    )
    assert visitor.painted() == pytest.approx(np.pi * 20**2, rel=0.1)


def test_two_visitors_are_apart_and_leave_nothing(browser, server, visitor, clip):
    address, temporary = server
    other = Visitor(browser, address)
    other.upload(clip)
    other.at_frame(0)
    (theirs,) = [path.parents[1] for path in temporary.rglob("my clip.mp4")]
    visitor.press("Segment")
    visitor.page.get_by_text("choose a video first", exact=True).wait_for()
    other.leave()
    deadline = time.monotonic() + PATIENCE
    while theirs.exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not theirs.exists()


def test_a_file_that_is_no_video_is_told_and_another_one_can_be_chosen(visitor, tmp_path):
    letter = tmp_path / "letter.mp4"
    letter.write_text("Dear Sir")
    visitor.upload(letter)
    visitor.page.get_by_text("letter.mp4 is not a video").wait_for()
    visitor.page.wait_for_selector("input[type=file]", state="attached")  # For another one.


def test_a_file_that_is_too_large_is_told(visitor, tmp_path):
    large = tmp_path / "large.mp4"
    large.write_bytes(bytes(1_200_000))
    visitor.upload(large)
    visitor.page.get_by_text("exceed the maximum allowed size").wait_for()


def test_a_port_that_is_taken_is_one_line(server, capsys):
    port = server[0].rpartition(":")[2]
    model = server[1].parent / "tiny"
    with pytest.raises(SystemExit) as stopped:
        osmn_app.main(["--port", port, "--whole_model_path", str(model), "--precision", "float32"])
    assert stopped.value.code == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert line == f"error: 127.0.0.1:{port} cannot be listened on; give another --port or --host"
