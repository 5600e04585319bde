"""What the page asks for, and what it is told: each action of a visitor is a function here, and each has an answer."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from typing import Any

from osmn.errors import InputError
from osmn.files.images import data_url
from osmn.inference import arguments
from osmn.inference.load import has_click_model
from osmn.user_video.given import READINGS
from osmn.user_video.given.masks import UnclearMask
from osmn.user_video.webapp import painting
from osmn.user_video.webapp.session import Session
from osmn.user_video.webapp.tasks import Run
from osmn.user_video.webapp.visitors import Visitors

Asked = Mapping[str, Any]
Answer = dict[str, Any]
REMEMBERED = 200  # Requests that may come again, because their answers did not arrive.


class Actions:
    """Answers what pages ask for.

    A page asks with a dict: `action`, a name of `_ACTIONS`; `seq`, the number of the request, and `id`, which no other
    request has; `token` of the session that the page shows, so that nothing is done to another one; and what the action
    needs.

    Args:
        visitors: `Visitors`.
    """

    def __init__(self, visitors: Visitors) -> None:
        self._visitors = visitors
        self._doing: set[str] = set()  # Ids of requests.
        self._done: dict[str, Answer] = {}  # {id of a request: what was answered}

    def is_doing(self, request_id: str) -> bool:
        """Tell whether the request of an id is being answered; if not, it was lost on its way, or its answer was."""
        return request_id in self._doing

    def answer(self, key: str, asked: Asked) -> Answer:
        """Do what the page of a key asks for, and return what it shall show.

        The answer has `seq` of the request, `problem` if it could not be done, `offers`, `task`, the state of the
        session (see `_session`), and `picture` where the action changes it (see `_picture`). A request that comes again
        is answered again, but nothing is done twice.
        """
        self._visitors.hear(key, asked.get("visitor"))
        request_id = str(asked.get("id"))
        more = self._done.get(request_id)
        if more is None:
            self._doing.add(request_id)
            try:
                more = self._done[request_id] = self._do(key, asked)
            finally:
                self._doing.discard(request_id)
            for old in list(self._done)[:-REMEMBERED]:
                self._done.pop(old, None)
        return {"seq": asked.get("seq"), **self._state(key, asked), **more}

    def _do(self, key: str, asked: Asked) -> Answer:
        try:
            action = _ACTIONS.get(str(asked.get("action")))
            if action is None:
                raise InputError("the page is older than the program; reload it")
            return action(self._visitors, key, asked) or {}
        except InputError as error:
            return {"problem": self._without_folders(str(error))}
        except KeyError as error:
            return {"problem": f"the page left {error} out; reload it"}

    def _state(self, key: str, asked: Asked) -> Answer:
        session, task = self._visitors.session_or_none(key), self._visitors.task(key)
        state: Answer = {
            "keep": self._visitors.keep,
            "clicks": has_click_model(),
            "offers": [_offer(each, self._visitors.is_open(each)) for each in self._visitors.offers(key)],
            "task": None,
            "session": None if session is None else _session(session, known=session.token == asked.get("token")),
        }
        if task is not None and not task.over:
            state["task"] = task.state()
        elif task is not None and task.problem is not None:
            state["problem"], task.problem = self._without_folders(task.problem), None  # It is told once.
        return state

    def _without_folders(self, words: str) -> str:
        return words.replace(f"{self._visitors.folder}{os.sep}", "")


def _offer(session: Session, is_open: bool) -> Answer:
    """Return what the page offers to go on with; `is_open` in another window, as far as the program knows."""
    return {
        "open": is_open,
        "token": session.token,
        "title": session.clip.title,
        "done": session.done,
        "frames": len(session.clip),
        "given": len(session.edits.frames),
    }


def _session(session: Session, known: bool) -> Answer:
    """Return the state of a session: the video only if the page does not know it, and what is given and made."""
    clip, edits = session.clip, session.edits
    state: Answer = {
        "token": session.token,
        "given": [{"frame": number, "objects": objects} for number, objects in edits.frames.items()],
        "objects": edits.objects,
        "undo": edits.can_undo,
        "redo": edits.can_redo,
        "colors": {str(i): color for i, color in edits.colors.items()},
        "done": session.done,
        "lost": [{"object": i, "first": first, "last": last} for i, first, last in session.lost],
        "found": session.presence.words(),
        "current": session.current,
        "outdated": session.outdated_from,
        "work": session.has_work,
        # With "/" on every system: the page makes addresses and names of them.
        "overlay": session.overlay and session.overlay.as_posix(),
        "archive": session.archive and session.archive.as_posix(),
    }
    if not known:
        state["video"] = {
            "title": clip.title,
            "size": clip.size,
            "seconds": clip.seconds,
            "preview": clip.preview.as_posix(),
            "remarks": clip.remarks,
        }
    return state


def _picture(session: Session, number: object) -> Answer:
    """Return a frame and what is painted on it, as data URLs, for the page."""
    number = session.clip.checked(number)
    frame, paint = data_url(session.clip.frame(number)), painting.url_of(session.labels(number))
    return {"picture": {"number": number, "frame": frame, "paint": paint}}


def _shown(visitors: Visitors, key: str, asked: Asked) -> Session:
    """Return the session that the page shows; InputError if it works on another one by now, or on none."""
    session = visitors.session(key)
    if session.token != asked["token"]:
        raise InputError("this video is shown in another window now, or no more kept; go on with it, or choose one")
    return session


def _look(visitors: Visitors, key: str, asked: Asked) -> Answer:
    """Show how far the work is; `live` asks for the newest frame too, unless it has the number `seen`."""
    task = visitors.task(key)
    if asked.get("live") and isinstance(task, Run) and task.step is not None:
        step = task.step
        if step.number != asked.get("seen"):
            return {"live": {"number": step.number, "frame": data_url(step.draw())}}
    return {}


def _show(visitors: Visitors, key: str, asked: Asked) -> Answer:
    return _picture(_shown(visitors, key, asked), asked["number"])


def _open(visitors: Visitors, key: str, asked: Asked) -> None:
    if "example" in asked:
        visitors.open_example(key, asked["example"])
    else:
        visitors.open_upload(key, asked["upload"])


def _go_on(visitors: Visitors, key: str, asked: Asked) -> None:
    visitors.go_on(key, asked["work"])


def _discard(visitors: Visitors, key: str, asked: Asked) -> None:
    visitors.discard(key, asked["work"])


def _paint(visitors: Visitors, key: str, asked: Asked) -> Answer:
    """Paint a stroke; `picture` says that the page asked for other changes before, which it has not seen yet."""
    session = _shown(visitors, key, asked)
    session.paint(asked["number"], *painting.stroke_of(asked["paint"], session.clip.size))
    return _picture(session, asked["number"]) if asked.get("picture") is True else {}


def _box(visitors: Visitors, key: str, asked: Asked) -> Answer:
    session = _shown(visitors, key, asked)
    note = session.find_in_box(asked["number"], asked["object"], asked["box"], asked.get("replace") is True)
    return {"note": note, **_picture(session, asked["number"])}


def _click(visitors: Visitors, key: str, asked: Asked) -> Answer:
    session = _shown(visitors, key, asked)
    note = session.click(asked["number"], asked["object"], asked["x"], asked["y"], asked["positive"] is True)
    return {"note": note, **_picture(session, asked["number"])}


def _mask(visitors: Visitors, key: str, asked: Asked) -> Answer:
    """Give a mask's file, which was uploaded, read by one of `READINGS` if `reading` says so.

    Where it would replace something, `clash` asks first; where it can be read in several ways, `unclear` does.
    """
    session, number, reading = _shown(visitors, key, asked), asked["number"], asked.get("reading")
    if reading not in (None, *READINGS):
        raise InputError(f"a mask's file is read by {', '.join(READINGS)}, not by {reading}")
    session.clip.checked(number)
    path = visitors.uploads.take(asked["upload"])
    question: Answer = {}
    try:
        given, note = session.give_file(number, path, asked.get("replace") is True, reading)
        if given:
            question = {"clash": {"objects": given, "upload": visitors.uploads.put_back(path)}}
    except UnclearMask as error:
        why = error.why.replace(str(path), path.name)
        question = {"unclear": {"why": why, "readings": error.readings, "upload": visitors.uploads.put_back(path)}}
    finally:
        if not question:
            shutil.rmtree(path.parent, ignore_errors=True)
    return question or {"note": note, **_picture(session, number)}


def _undo(visitors: Visitors, key: str, asked: Asked) -> Answer:
    session = _shown(visitors, key, asked)
    shown = session.clip.checked(asked["number"])
    number = session.edits.undo()
    return _picture(session, shown if number is None else number)


def _redo(visitors: Visitors, key: str, asked: Asked) -> Answer:
    session = _shown(visitors, key, asked)
    shown = session.clip.checked(asked["number"])
    number = session.edits.redo()
    return _picture(session, shown if number is None else number)


def _clear(visitors: Visitors, key: str, asked: Asked) -> Answer:
    """Take back what is given in the frame `frame`, of the object `object`; without them in all, of all."""
    session = _shown(visitors, key, asked)
    shown, frame = session.clip.checked(asked["number"]), asked.get("frame")
    object_id = arguments.object_id(asked.get("object"))
    session.edits.clear(None if frame is None else session.clip.checked(frame), object_id)
    return _picture(session, shown)


def _color(visitors: Visitors, key: str, asked: Asked) -> None:
    _shown(visitors, key, asked).set_color(asked["object"], asked["color"])


def _segment(visitors: Visitors, key: str, asked: Asked) -> None:
    _shown(visitors, key, asked).check_given()
    visitors.segment(key, asked.get("both") is True)


def _stop(visitors: Visitors, key: str, asked: Asked) -> None:
    visitors.stop(key)


_ACTIONS: dict[str, Callable[[Visitors, str, Asked], Answer | None]] = {
    "look": _look,
    "show": _show,
    "open": _open,
    "go on": _go_on,
    "discard": _discard,
    "paint": _paint,
    "box": _box,
    "click": _click,
    "mask": _mask,
    "undo": _undo,
    "redo": _redo,
    "clear": _clear,
    "color": _color,
    "segment": _segment,
    "stop": _stop,
}
