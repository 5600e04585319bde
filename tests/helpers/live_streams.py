"""Servers and pipes that send live pictures as a test says, and what a test asks of them."""

import contextlib
import http.server
import io
import os
import threading
import time
from fractions import Fraction
from typing import NamedTuple

import numpy as np
from PIL import Image

PATIENCE = 30  # Seconds, of a slow machine; nothing waits for as long unless it fails.
HANG = "hang"  # In a connection's parts: send nothing more, and keep the connection.
SIZE = (64, 48)
BOUNDARY = b"--pictures\r\nContent-Type: image/jpeg\r\n"


def picture(level, size=SIZE):
    """Return a picture of one gray, RGB uint8 (H, W, 3)."""
    return np.full((*size[::-1], 3), level, np.uint8)


def jpeg(level, size=SIZE):
    """Return the JPEG of `picture`."""
    content = io.BytesIO()
    Image.fromarray(picture(level, size)).save(content, "jpeg", quality=95)
    return content.getvalue()


def level_of(image):
    """Return the gray of a picture, to the nearest ten."""
    return round(float(image.mean()) / 10) * 10


@contextlib.contextmanager
def mjpeg(*connections, every=0.02):
    """Serve pictures over HTTP as cameras do: a list of JPEGs (or HANG) for each connection in turn; give the address.

    A connection is closed after its list, without a word. A connection for which there is no list is refused.
    """
    left, over = list(connections), threading.Event()

    class Camera(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            if not left:
                self.send_error(503)
                return
            self.send_response(200)
            self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=pictures")
            self.end_headers()
            for part in left.pop(0):
                if part is HANG:
                    over.wait(PATIENCE)
                    return
                with contextlib.suppress(OSError):
                    self.wfile.write(BOUNDARY + b"Content-Length: %d\r\n\r\n" % len(part) + part + b"\r\n")
                over.wait(every)

        def log_message(self, *_):
            pass

    with serving(Camera) as address:
        yield f"{address}/camera"
        over.set()


@contextlib.contextmanager
def served_file(content):
    """Serve one file, with its length; give its address."""

    class File(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_):
            pass

    with serving(File) as address:
        yield f"{address}/clip"


@contextlib.contextmanager
def serving(handler):
    """Serve by a handler on a free port of this machine; give the address."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def y4m(level, size=SIZE, first=False):
    """Return a gray frame as y4m has it; the first one with the header."""
    head = "YUV4MPEG2 W{} H{} F20:1 Ip A1:1 C420jpeg XCOLORRANGE=FULL\n".format(*size).encode() if first else b""
    return head + b"FRAME\n" + yuv420(level, size)


def yuv420(level, size=SIZE):
    """Return a gray frame as raw yuv420p."""
    width, height = size
    return bytes([level]) * (width * height) + bytes([128]) * (2 * (-(-width // 2)) * (-(-height // 2)))


class Pipe:
    """A pipe; `descriptor` is its end to read from."""

    def __enter__(self):
        self.descriptor, self._end = os.pipe()
        return self

    def write(self, content):
        while content:
            content = content[os.write(self._end, content) :]

    def close(self):
        if self._end is not None:
            os.close(self._end)
            self._end = None

    def __exit__(self, *_):
        self.close()
        os.close(self.descriptor)


class Taken(NamedTuple):
    """A picture that a source gave, converted."""

    image: np.ndarray
    seconds: Fraction
    name: str


class Reading:
    """Reads a live source on a thread: `pictures` are those that have come, `error` what it ended with."""

    def __init__(self, source):
        self.source, self.pictures, self.error = source, [], None
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self):
        try:
            for each in self.source.pictures():
                image = each.convert()
                if image is not None:
                    self.pictures.append(Taken(image, each.seconds, each.name))
        except Exception as error:
            self.error = error

    def wait_for(self, count):
        """Wait until so many pictures have come, and return the last one's gray."""
        until(lambda: len(self.pictures) >= count or self.error is not None)
        assert self.error is None, self.error
        return level_of(self.pictures[count - 1].image)

    def levels(self):
        """Wait for the end; return the grays of all pictures."""
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()
        if self.error is not None:
            raise self.error
        return [level_of(each.image) for each in self.pictures]

    def stop(self):
        self.source.stop()
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()


def until(happens):
    """Wait until a function returns what is true, and return that."""
    end = time.monotonic() + PATIENCE
    while not (found := happens()):
        assert time.monotonic() < end, "it has not happened"
        time.sleep(0.005)
    return found
