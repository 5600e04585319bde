"""How late live overlays are, by a clip with a clock in it: `python -m benchmarks.live`.

This program is the camera and the viewer of `osmn_live.py`, which runs as a user starts it. A strip in each picture
shows the picture's number in black and white; the camera notes when it sends a number, and the viewer, which asks for
pictures as the page does, when an overlay with that number has come. So all of the way counts: pipe or network,
decoding, segmenting, drawing, JPEG, the page's server. A picture that is left out, or never seen, was not in time.

The camera sends y4m through a pipe, or JPEGs over HTTP (`--source mjpeg`), as network cameras do. Pictures are counted
from when the network has been prepared.
"""

import argparse
import contextlib
import http.client
import http.server
import io
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import cv2
import numpy as np

from benchmarks.targets import draw, to_and_fro
from osmn.files.images import write_labels

ROOT = Path(__file__).resolve().parent.parent
BITS, SQUARE = 16, 16  # Of the clock: squares of so many pixels, at the left of the lowest rows.
SETTLED = 20  # Pictures that are shown before they count.
IN_TIME = 0.1  # Seconds.
TARGET = 95  # Percent.
SOURCES = ("y4m", "mjpeg")


def with_clock(image, number):
    """Write a number into a picture, RGB uint8 (H, W, 3), in place; return the picture."""
    for bit in range(BITS):
        image[-SQUARE:, bit * SQUARE : (bit + 1) * SQUARE] = 255 * (number >> bit & 1)
    return image


def read_clock(image):
    """Return the number in a picture, also where an object's color lies over it."""
    strip = image[-SQUARE + 4 : -4, : BITS * SQUARE].reshape(SQUARE - 8, BITS, SQUARE, 3)[:, :, 4:-4]
    return sum(1 << bit for bit in range(BITS) if strip[:, bit].mean() > 128)


def y4m(image, first):
    """Return a picture as a y4m stream has it."""
    height, width = image.shape[:2]
    head = f"YUV4MPEG2 W{width} H{height} F20:1 Ip A1:1 C420jpeg\n".encode() if first else b""
    return head + b"FRAME\n" + cv2.cvtColor(image, cv2.COLOR_RGB2YUV_I420).tobytes()


def multipart(image, first):
    """Return a picture as a stream of JPEGs has it."""
    jpeg = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 90])[1].tobytes()
    head = b"--pictures\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % len(jpeg)
    return head + jpeg + b"\r\n"


class Camera:
    """Sends pictures at a rate; `sent` has the time of each."""

    def __init__(self, images, rate, encode):
        self.sent, self.over = [], threading.Event()
        self._images, self._rate, self._encode = images, rate, encode

    def film(self, write):
        """Send by `write` until it is over; each picture is encoded before it is due."""
        begin, number = time.perf_counter(), 0
        with contextlib.suppress(OSError):
            while not self.over.is_set():
                content = self._encode(with_clock(self._images[to_and_fro(number)].copy(), number), not number)
                time.sleep(max(0.0, begin + number / self._rate - time.perf_counter()))
                self.sent.append(time.perf_counter())
                write(content)
                number += 1

    @contextlib.contextmanager
    def served(self):
        """Serve the pictures over HTTP; give the address."""
        film, over = self.film, self.over

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=pictures")
                self.end_headers()
                film(self.wfile.write)

            def log_message(self, *_):
                """Say nothing."""

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            over.set()
            server.shutdown()
            server.server_close()


class Viewer:
    """Asks for pictures as the page does; `seen` has the time and the JPEG of each, `state` what was told last."""

    def __init__(self, port):
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        page = self._asked("/").decode()
        self._token = re.search("token&quot;: &quot;([0-9a-f]+)", page)[1]
        self.seen, self.state, self._serial = [], {}, 0

    def _asked(self, path, **headers):
        self._connection.request("GET", path, headers=headers)
        answer = self._connection.getresponse()
        content = answer.read()
        if state := answer.headers["X-Osmn-State"]:
            self.state = json.loads(state)
        return content

    def look(self):
        """Wait for the next picture; return whether there was one."""
        jpeg = self._asked(f"/frame?after={self._serial}", **{"X-Osmn-Token": self._token})
        if jpeg:
            self.seen.append((time.perf_counter(), jpeg))
            self._serial = self.state["serial"]
        return bool(jpeg)


@contextlib.contextmanager
def program(arguments, stdin=None):
    """Run `osmn_live.py` with a page; give its process and the page's port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "osmn_live.py", *map(str, arguments), "--port", str(port)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdin=stdin, stdout=subprocess.PIPE, text=True)
    try:
        yield process, port
    finally:
        process.terminate()
        process.wait()


def measured(images, first, options):
    """Return (seconds until each counted picture was seen, infinite where it was not; frames a second; last line)."""
    camera = Camera(images, options.rate, y4m if options.source == "y4m" else multipart)
    arguments = ["--mask", first, *options.more]
    with contextlib.ExitStack() as stack:
        stdin = subprocess.PIPE if options.source == "y4m" else None
        where = "-" if options.source == "y4m" else stack.enter_context(camera.served())
        process, port = stack.enter_context(program([where, *arguments], stdin))
        lines = iter(process.stdout.readline, "")
        for line in lines:
            print(line.rstrip())
            if "open http" in line:
                break
        if stdin is not None:
            pipe = io.FileIO(process.stdin.fileno(), "w", closefd=False)

            def write(content):
                while content:
                    content = content[pipe.write(content) :]

            threading.Thread(target=camera.film, args=(write,), daemon=True).start()
        viewer = Viewer(port)
        while len(viewer.seen) < SETTLED:
            viewer.look()
        begin, count = len(camera.sent), len(viewer.seen)
        while len(camera.sent) < begin + options.frames + 2 * options.rate:
            viewer.look()
        camera.over.set()
    last = [line.rstrip() for line in process.stdout][-1]
    came = {}
    for seconds, jpeg in viewer.seen[count:]:
        number = read_clock(cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)[..., ::-1])
        came.setdefault(number, seconds)
    numbers = range(begin, begin + options.frames)
    late = np.array([came.get(number, np.inf) - camera.sent[number] for number in numbers])
    spent = camera.sent[numbers[-1]] - camera.sent[begin] + 1 / options.rate
    return late, np.isfinite(late).sum() / spent, last


def summary(late, rate, shown):
    """Return what was measured, in words."""
    seen = late[np.isfinite(late)]
    share = 100 * np.mean(late < IN_TIME)
    half, most = 1000 * np.quantile(seen if seen.size else [np.nan], [0.5, 0.95])
    return (
        f"{share:.1f} % of {late.size} frames at {rate:g} frames/s have their overlay within {1000 * IN_TIME:.0f} ms"
        f" (target: {TARGET} %); {shown:.1f} frames/s shown, {late.size - seen.size} left out; of those"
        f" shown, half within {half:.0f} ms, 95 % within {most:.0f} ms"
    )


def main():
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, nargs=2, default=[1280, 720], metavar=("W", "H"), help="of the pictures")
    parser.add_argument("--rate", type=float, default=20.0, help="pictures a second")
    parser.add_argument("--frames", type=int, default=200, help="that count")
    parser.add_argument("--source", choices=SOURCES, default="y4m")
    options, options.more = parser.parse_known_args()  # The rest is for osmn_live.py, such as --engine.
    images, labels = draw(tuple(options.size))
    with tempfile.TemporaryDirectory() as folder:
        write_labels(Path(folder) / "first.png", labels[0])
        late, shown, last = measured(images, Path(folder) / "first.png", options)
    print(last)
    print(summary(late, options.rate, shown))


if __name__ == "__main__":
    main()
