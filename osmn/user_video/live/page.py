"""What the page of live pictures asks for, and what it is told; whatever serves it, `server` or the app."""

from __future__ import annotations

import base64
import json
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np

from osmn.errors import InputError
from osmn.inference import arguments, pointing
from osmn.inference.live import MOST_STILLS
from osmn.inference.stills import LiveResult
from osmn.masks import Size, with_objects
from osmn.user_video.live.session import Session
from osmn.user_video.live.sources import Pushed
from osmn.user_video.webapp.painting import OBJECTS, checked_object, default_colors, palette
from osmn.user_video.webapp.pointing import Pointer

STATIC = Path(__file__).parent / "static"
FILES = {"live.js": "text/javascript", "live.css": "text/css"}  # What the page is made of, besides live.html.
WAIT = 1.0  # Seconds that a page waits for a picture until it is told how things are.
QUALITY = 85  # Of JPEGs.
MOST_BYTES = 32_000_000  # Of a request: labels of 8K.
TOO_LARGE = {"problem": "a request has up to 32 MB"}
TOKEN = "X-Osmn-Token"  # In the headers of requests.
STATE = "X-Osmn-State"  # In those of answers: JSON.
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data: blob:; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
}

Asked = Mapping[str, Any]
Told = dict[str, Any]
COLORS = palette(default_colors())


class Answer(NamedTuple):
    """An answer to a request of a page: its status, type and content; `headers` besides `HEADERS`."""

    status: int
    kind: str
    content: bytes
    headers: Mapping[str, str] = {}


def in_json(status: int, told: Asked) -> Answer:
    """Return an answer in JSON."""
    return Answer(status, "application/json", json.dumps(told).encode())


def is_same_origin(headers: Mapping[str, str]) -> bool:
    """Tell whether a request comes from the page that it asks of, as far as the browser says."""
    origin, site = headers.get("Origin"), headers.get("Sec-Fetch-Site", "same-origin")
    host = headers.get("Host", "")
    return site in ("same-origin", "none") and origin in (None, f"http://{host}", f"https://{host}")


def refusal(method: str, name: str, headers: Mapping[str, str]) -> Answer | None:
    """Return the answer to a request that `Page.answer` is not to see, of another page or a wrong method; else None."""
    if not is_same_origin(headers):
        return in_json(403, {"problem": "another page may ask for nothing here"})
    if (method == "POST") == (name == "frame"):
        return in_json(405, {"problem": "the page is older than the program; reload it"})
    return None


def static(name: str, token: str, browser: bool, clicks: bool) -> Answer | None:
    """Return a file that the page is made of; "" for the page itself, None for another name.

    Args:
        name: of the file.
        token: that the page's requests have to have.
        browser: the pictures come from the browser's own camera.
        clicks: there is a click network.
    """
    if name in FILES:
        return Answer(200, f"{FILES[name]}; charset=utf-8", (STATIC / name).read_bytes())
    if name:
        return None
    settings = {
        "token": token,
        "browser": browser,
        "clicks": clicks,
        "colors": {str(i): color for i, color in default_colors().items()},
    }
    text = json.dumps(settings).replace("&", "&amp;").replace('"', "&quot;")
    page = (STATIC / "live.html").read_text(encoding="utf-8").replace("SETTINGS", text)
    return Answer(200, "text/html; charset=utf-8", page.encode())


class _Looked:
    """A frame that a visitor looks at: its result, and the labels as they have been changed, uint8 (H, W)."""

    def __init__(self, result: LiveResult) -> None:
        self.result, self.labels = result, result.labels.copy()


class Page:
    """Answers what pages of a session ask for; threads may share it.

    A page shows one picture after the other (`frame`). To point at an object it takes a still (`still`), in which it
    clicks, drags boxes and paints as often as it likes while pictures go on, and then gives what has changed (`give`),
    which is followed from the still to the present.

    Args:
        session: `Session`.
        pointer: finds what is pointed at; None for a `Pointer` of the shipped click network.
    """

    def __init__(self, session: Session, pointer: Pointer | None = None) -> None:
        self.session, self._pointer = session, pointer or Pointer()
        self._stills: dict[str, _Looked] = {}
        self._lock = threading.Lock()
        self._drawn: tuple[int, bytes] = (0, b"")  # The newest picture: number of its result, JPEG.

    def answer(self, name: str, query: Mapping[str, str], content: bytes) -> Answer:
        """Return the answer to a request by its name, the fields of its address, and its content.

        What cannot be done has the status 400 and, in JSON, a `problem` in words.
        """
        try:
            if name == "frame":
                return self._frame(query)
            if name == "picture":
                return self._picture(content)
            if name == "paint":
                return in_json(200, self._paint(query, content))
            action = _ACTIONS.get(name)
            if action is None:
                return in_json(404, {"problem": f"there is no {name} here; reload the page"})
            asked = json.loads(content or b"{}")
            if not isinstance(asked, dict):
                raise InputError("a request is a JSON object")
            return in_json(200, action(self, asked) or {})
        except (KeyError, TypeError, ValueError) as error:  # InputError is a ValueError.
            known = isinstance(error, InputError)
            return in_json(400, {"problem": str(error) if known else "the page asks for what is none; reload it"})

    def _frame(self, query: Mapping[str, str]) -> Answer:
        """Return the picture after the result `after`, with its objects; 204 where there is none in time."""
        result = self.session.newest(int(query.get("after", 0)), WAIT)
        state = self.session.state()
        if result is None:
            return Answer(204, "", b"", {STATE: json.dumps(state)})
        jpeg = self._jpeg(result)
        age = round(1000 * (time.monotonic() - result.submitted))
        return Answer(200, "image/jpeg", jpeg, {STATE: json.dumps(state | {"serial": result.serial, "age": age})})

    def _jpeg(self, result: LiveResult) -> bytes:
        with self._lock:
            if self._drawn[0] != result.serial:
                self._drawn = result.serial, as_jpeg(result.overlay(COLORS))
            return self._drawn[1]

    def _picture(self, content: bytes) -> Answer:
        """Take a picture of the browser's own camera."""
        if not isinstance(self.session.source, Pushed):
            raise InputError("pictures come from elsewhere; reload the page")
        self.session.source.push(content)
        return in_json(200, {})

    def _still(self, asked: Asked) -> Told:
        """Take a still: the newest picture, to point at objects in it."""
        result = self.session.tracker.hold()
        if result is None:
            raise InputError("there is no picture yet; wait for one")
        still = secrets.token_hex(8)
        with self._lock:
            self._stills[still] = looked = _Looked(result)
            for old in list(self._stills)[:-MOST_STILLS]:
                del self._stills[old]
        height, width = looked.labels.shape
        frame = base64.b64encode(as_jpeg(result.frame, 92)).decode()
        return {"still": still, "width": width, "height": height, "frame": frame} | _told(looked)

    def _looked(self, asked: Mapping[str, Any]) -> _Looked:
        looked = self._stills.get(str(asked.get("still")))
        if looked is None:
            raise InputError("this still is no more kept; go back to the live picture, and take another one")
        return looked

    def _click(self, asked: Asked) -> Told:
        looked, object_id = self._looked(asked), _object(asked)
        click = pointing.as_click((asked["x"], asked["y"], asked["positive"] is True))
        if not click.positive and not (looked.labels == object_id).any():
            raise InputError(f"object {object_id} is not in this picture: there is nothing to take away from it")
        found = self._pointer.clicked((looked.result.serial, object_id), looked.result.frame, looked.labels, click)
        return self._found(looked, object_id, found.mask)

    def _box(self, asked: Asked) -> Told:
        looked, object_id = self._looked(asked), _object(asked)
        box = arguments.box(asked["box"])
        found = self._pointer.in_box((looked.result.serial, object_id), looked.result.frame, looked.labels, box)
        return self._found(looked, object_id, found.mask)

    def _found(self, looked: _Looked, object_id: int, found: np.ndarray) -> Told:
        """Show what was found as an object, of what other objects leave."""
        if not found.any():
            raise InputError("nothing is found there: click in the middle of the object, or paint it")
        looked.labels = with_objects(looked.labels, {object_id: found})
        return _told(looked)

    def _paint(self, query: Mapping[str, str], content: bytes) -> Told:
        """Take the labels of a still as they are painted: a byte for each pixel."""
        looked = self._looked(query)
        if len(content) != looked.labels.size:
            raise InputError("what was painted is not of the picture's size; paint again")
        labels = np.frombuffer(content, np.uint8).reshape(looked.labels.shape)
        looked.labels = arguments.labels(labels, Size.of(labels), OBJECTS)
        return {}

    def _give(self, asked: Asked) -> None:
        """Follow what has been changed in a still, and forget the still."""
        looked = self._looked(asked)
        before = looked.result.labels
        changed: dict[int | None, np.ndarray] = {
            i: looked.labels == i for i in OBJECTS if ((looked.labels == i) != (before == i)).any()
        }
        if not changed:
            raise InputError("nothing is changed: show an object first")
        self.session.give(changed, looked.result)
        self._release(asked)

    def _release(self, asked: Asked) -> None:
        """Forget a still."""
        looked = self._stills.pop(str(asked.get("still")), None)
        if looked is not None:
            self.session.tracker.release(looked.result)

    def _remove(self, asked: Asked) -> None:
        """Follow an object no more."""
        self.session.tracker.remove_object(_object(asked))

    def _stop(self, asked: Asked) -> None:
        """End it."""
        self.session.stop()


_ACTIONS: dict[str, Callable[[Page, Asked], Told | None]] = {
    "still": Page._still,
    "click": Page._click,
    "box": Page._box,
    "give": Page._give,
    "release": Page._release,
    "remove": Page._remove,
    "stop": Page._stop,
}


def as_jpeg(image: np.ndarray, quality: int = QUALITY) -> bytes:
    """Return the JPEG of an image, RGB uint8 (H, W, 3)."""
    _, content = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    return bytes(content)


def _object(asked: Asked) -> int:
    object_id = arguments.whole(asked["object"], "an object's number")
    checked_object(object_id)
    return object_id


def _told(looked: _Looked) -> Told:
    return {"labels": base64.b64encode(looked.labels.tobytes()).decode()}
