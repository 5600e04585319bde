"""Live pictures that a test sends by hand, an engine that can be worked out, and what is asked of the page."""

import contextlib
import functools
import http.client
import json
import queue
import re

import numpy as np

from helpers.live_streams import PATIENCE, until
from osmn.inference.predictor import Predictor
from osmn.user_video.live.server import Server
from osmn.user_video.live.session import Session
from osmn.user_video.live.sources import Live
from osmn.user_video.webapp.pointing import Pointer

SHAPE = (96, 128)


class Stay:
    """An engine: an object stays where it is."""

    def gammas(self, frame, mask):
        return [np.ones((1, 1, 1, 1), np.float32)]

    def segment(self, frame, masks, gammas):
        return np.where(masks, np.float32(0.9), np.float32(0.1)), masks.copy()


class Bright:
    """A click network: an object is what is bright."""

    def probabilities(self, image, maps):
        return (image[..., 0] > 128).astype(np.float32)


def disc(left=40, shape=SHAPE):
    """Return a picture of a bright disc on a dark ground, RGB uint8 (H, W, 3), and where the disc is."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    there = np.hypot(x - left, y - 48) < 20
    return np.where(there[..., None], np.uint8([240, 200, 40]), np.uint8(20)), there


class ByHand(Live):
    """A source of the pictures that a test sends."""

    def __init__(self, waits=False):
        super().__init__("by hand é", 5.0)
        self.waits, self.gone, self._sent = waits, False, queue.Queue()

    def send(self, image):
        self._sent.put(image)

    def go(self):
        self.gone = True

    def stop(self):
        super().stop()
        self._sent.put(None)

    def pictures(self):
        while not self.stopped.is_set() and (image := self._sent.get()) is not None:
            yield self.came(functools.partial(np.copy, image))


class Client:
    """What a browser sends to the page of a port of this machine."""

    def __init__(self, port):
        self.port = port
        self.token = re.search("token&quot;: &quot;([0-9a-f]{32})", self.ask("GET", "/")[2].decode())[1]

    def ask(self, method, path, content=None, headers=None, host=None):
        """Return the status, the headers and the content of an answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        connection.request(method, path, content, {"Host": host or f"127.0.0.1:{self.port}", **(headers or {})})
        answer = connection.getresponse()
        found = answer.status, answer.headers, answer.read()
        connection.close()
        return found

    def told(self, name, **asked):
        """Return the status and what an action of the page is told."""
        status, _, content = self.ask("POST", f"/{name}", json.dumps(asked), {"X-Osmn-Token": self.token})
        return status, json.loads(content)

    def frame(self, after=0):
        """Return the state and the JPEG of the picture after a result; no JPEG where there is none in time."""
        _, headers, content = self.ask("GET", f"/frame?after={after}", headers={"X-Osmn-Token": self.token})
        return json.loads(headers["X-Osmn-State"]), content


class Site(Client):
    """A session with its page."""

    def __init__(self, session, server):
        self.session, self.server, self.source = session, server, session.source
        super().__init__(int(server.address.rpartition(":")[2]))

    def send(self, image):
        """Send a picture, and wait until it is segmented."""
        before = self.session.shown
        self.source.send(image)
        until(lambda: self.session.shown > before)


@contextlib.contextmanager
def site(source=None, engine=None, pointer=None, clicks=True, host="127.0.0.1", on_result=lambda result: None):
    """Serve the page of a session in this process; give its `Site`."""
    source = source or ByHand()
    server = Server(host, 0, pointer or Pointer(lambda: Bright() if clicks else None), clicks)
    try:
        with (
            Session(source, lambda size: Predictor(engine or Stay()), on_result) as session,
            server.serving(session),
        ):
            yield Site(session, server)
    finally:
        server.close()
