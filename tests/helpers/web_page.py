"""The web page of osmn_app.py as a program of its own, and its visitors, each in a browser window of theirs."""

import contextlib
import io
import os
import signal
import socket
import subprocess
import sys
import zipfile
from pathlib import Path

import av
import numpy as np
from PIL import Image

from helpers import ROOT
from helpers.zero_networks import build
from osmn.config import ModelConfig
from osmn.models import checkpoints

SIZE, FRAMES = (128, 96), 6
PATIENCE = 90  # seconds, of a slow machine


def encode(path, codec, size, frames, rng):
    """Write a clip: a bright disc that moves to the right over noise, or, without `rng`, over black."""
    y, x = np.mgrid[: size[1], : size[0]]
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=10)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        for number in range(frames):
            shape = (*size[::-1], 3)
            image = np.zeros(shape, np.uint8) if rng is None else rng.integers(0, 60, shape, np.uint8)
            image[np.hypot(x - 40 - 6 * number % size[0], y - 48) < 20] = (240, 200, 40)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image)))
        container.mux(stream.encode())
    return path


@contextlib.contextmanager
def served(folder, *options):
    """Start the page with a model that finds the object in every pixel; give its address and its temporary folder.

    `options` are further ones of osmn_app.py.
    """
    network = build(ModelConfig("lite", im_size=(64, 64)))
    network.tf1_variables()["osmn/score/biases"].assign([1.0])
    checkpoints.write_variables(str(folder / "tiny"), checkpoints.model_values(network), network.config)
    temporary = folder / "temporary"
    temporary.mkdir()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "osmn_app.py", "--port", port, "--max_upload", 1, "--whole_model_path", folder / "tiny"]
    command.append("--no_target_model")  # The model's masks are what the tests expect; target models mend them.
    process = subprocess.Popen(
        [*map(str, [*command, *options]), "--precision", "float32"],
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
        # As the kernel does now and then under load, this hands the signal to a thread that is not the main one.
        os.kill(max(int(task.name) for task in Path(f"/proc/{process.pid}/task").iterdir()), signal.SIGTERM)
        rest, _ = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0
        assert "removed" in rest and "Traceback" not in (folder / "stderr").read_text()
        assert not list(temporary.glob("osmn_app-*"))
    finally:
        process.kill()
        process.wait()


class Visitor:
    """A visitor of the page, in a browser window of its own."""

    def __init__(self, browser, address, size=(1366, 768), context=None):
        self.asked, self.errors = [], []
        viewport = {"width": size[0], "height": size[1]}
        self.page = (context or browser.new_context(viewport=viewport)).new_page()
        self.page.set_default_timeout(1000 * PATIENCE)
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("pageerror", lambda error: self.errors.append(f"{error}\n{error.stack}"))
        self.page.goto(address)
        self.page.wait_for_selector("#osmn .examples button")

    def upload(self, path):
        self.page.locator("#osmn [name=video]").set_input_files(path)

    def press(self, name):
        self.page.get_by_role("button", name=name, exact=True).click()

    def key(self, *keys):
        for key in keys:
            self.page.keyboard.press(key)

    def at_frame(self, number):
        """Wait until the picture is of a frame."""
        self.page.wait_for_selector(f'#osmn [data-number="{number}"]')
        self.page.wait_for_function(f"document.querySelector('#osmn [name=number]').value === '{number}'")

    def start(self, path):
        """Upload a video and wait for its first frame."""
        self.upload(path)
        self.at_frame(0)
        self.page.locator("#osmn .picture").wait_for()

    def on_screen(self, place):
        """Return where a place (x, y) in pixels of the frame is on the screen."""
        area = self.page.locator("#osmn canvas.pen").bounding_box()
        scale = area["width"] / SIZE[0]
        return area["x"] + place[0] * scale, area["y"] + place[1] * scale

    def down_at(self, place):
        """Press the mouse's button on the picture."""
        self.page.mouse.move(*self.on_screen(place))
        self.page.mouse.down()

    def move_to(self, place):
        """Move the mouse over the picture."""
        self.page.mouse.move(*self.on_screen(place), steps=8)

    def drag(self, start, end):
        """Drag the mouse over the picture, from (x, y) to (x, y) in pixels of the frame."""
        self.down_at(start)
        self.move_to(end)
        self.page.mouse.up()

    def click(self, place, beside=False):
        """Click on the picture at (x, y) in pixels of the frame, or with the right button on what is not the object."""
        self.page.mouse.click(*self.on_screen(place), button="right" if beside else "left")

    def paint(self, start, end):
        self.press("Paint")
        self.drag(start, end)

    def given(self, *rows):
        """Wait until the list of given frames has these rows, each "Frame 3: 1, 2"."""
        self.page.wait_for_function(
            """rows => JSON.stringify(rows) === JSON.stringify([...document.querySelectorAll("#osmn .given li")]
            .filter(row => row.querySelector("button")).map(row => row.firstChild.firstChild.data + ": "
            + [...row.querySelectorAll(".dot")].map(dot => dot.innerText).join(", ")))""",
            arg=list(rows),
        )

    def go_to(self, number):
        self.page.locator("#osmn [name=number]").fill(str(number))
        self.page.locator("#osmn [name=number]").press("Enter")
        self.at_frame(number)

    def status(self, words):
        """Wait until the page says this."""
        self.page.wait_for_function(
            "words => document.querySelector('#osmn .status').innerText.includes(words)", arg=words
        )

    def painted(self, place=None):
        """Return the number of pixels that are painted, or the color of the pixel at a place, (r, g, b, a)."""
        return self.page.evaluate(
            """(place) => { const canvas = document.querySelector("#osmn canvas.paint");
            const context = canvas.getContext("2d");
            if (place) return [...context.getImageData(...place, 1, 1).data];
            return context.getImageData(0, 0, canvas.width, canvas.height).data
            .filter((value, place) => place % 4 === 3 && value > 127).length; }""",
            place,
        )

    def until_painted(self, place, painted=True):
        """Wait until the pixel at a place is painted, or is not."""
        self.page.wait_for_function(
            """([x, y, painted]) => painted === (document.querySelector("#osmn canvas.paint").getContext("2d")
            .getImageData(x, y, 1, 1).data[3] > 127)""",
            arg=[*place, painted],
        )

    def segment(self):
        """Segment to the end."""
        self.press("Segment")
        self.page.wait_for_selector("#osmn .download[href]")

    def download(self):
        """Return the name of the zip file, its masks, and the frames of the overlay."""
        with self.page.expect_download() as download:
            self.press("Download")
        with zipfile.ZipFile(download.value.path()) as archive:
            masks = [np.asarray(Image.open(archive.open(f"masks/{number:05d}.png"))) for number in range(FRAMES)]
            assert len(archive.namelist()) == FRAMES + 1
            with av.open(io.BytesIO(archive.read("overlay.mp4"))) as container:
                shown = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
        return download.value.suggested_filename, masks, shown

    def leave(self):
        self.page.context.close()
