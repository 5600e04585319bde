"""A visitor's work on a video: what they give in its frames, and the results until now.

Nothing here knows the page or its other visitors.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import os
import secrets
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from osmn.errors import InputError
from osmn.files.images import read_labels
from osmn.inference import arguments, pointing
from osmn.inference.predictor import Predictor
from osmn.masks import Size, labels_in, overlay, with_objects
from osmn.user_video.both_ways import Backward
from osmn.user_video.media.reader import open_frames
from osmn.user_video.presence import Presence
from osmn.user_video.prompts import Prompt
from osmn.user_video.tracking import MASKS, History, Results, track
from osmn.user_video.webapp import painting
from osmn.user_video.webapp.archiving import archive_name, write_archive
from osmn.user_video.webapp.clip import Clip
from osmn.user_video.webapp.edits import Edits, Given
from osmn.user_video.webapp.painting import OBJECTS, checked_object
from osmn.user_video.webapp.pointing import Found, Pointer


class Step(NamedTuple):
    """A frame that has just been segmented, forward or backward; `draw()` returns it with its objects."""

    number: int
    draw: Callable[[], np.ndarray]
    backward: bool = False


class Lost(NamedTuple):
    """Frames, from `first` to `last`, in which an object, by its id, was not found."""

    object_id: int
    first: int
    last: int


class Session:
    """A visitor's video, the objects that are given in it, and the results; all files are in the video's folder.

    Attributes:
        clip: `Clip`.
        folder: of the video and of all that is made of it.
        token: differs from session to session.
        edits: `Edits`, what is given.
        presence: `Presence` of the objects in the newest results.
        overlay: path of the newest overlay; None without results.
        archive: path of the newest archive of results; None without results.

    Args:
        clip: `Clip`, alone in its folder.
        predictor: (width, height) of the frames -> `Predictor`.
        pointer: finds what the visitor points at; None for a `Pointer` of the shipped click network.
    """

    def __init__(
        self, clip: Clip, predictor: Callable[[tuple[int, int]], Predictor], pointer: Pointer | None = None
    ) -> None:
        self.clip, self.folder, self._new_predictor = clip, clip.path.parent, predictor
        self.token = secrets.token_hex(16)
        self.edits = Edits(Size(*clip.size).shape, painting.default_colors())
        self._pointer = pointer or Pointer()
        self._running, self._closed, self._stopping = threading.Lock(), False, False
        self._results = self.folder / "results"
        self._history, self.presence = History(self._results), Presence()
        self._made_of, self._made_with, self._handed_over = self.edits.now, self.edits.colors, False
        self._backward: object = None  # What was followed backward, see `Backward.key`.
        self.overlay: Path | None = None
        self.archive: Path | None = None

    # -- What is given ------------------------------------------------------------------------------------------------

    def labels(self, number: int) -> np.ndarray:
        """Return the object ids in a frame, uint8 (H, W): the objects that are given there over the newest result.

        Objects of that result that have been taken back since are not shown.
        """
        number = self.clip.checked(number)
        path = self._mask_file(self.clip.names[number])
        labels = read_labels(path) if path.exists() else np.zeros(Size(*self.clip.size).shape, np.uint8)
        given = self.edits.at(number)
        taken_back = set(self._made_of.get(number, ())) - set(given)
        gone = [i for i in labels_in(labels) if i in taken_back or i not in self.edits.objects]
        return with_objects(np.where(np.isin(labels, gone), np.uint8(0), labels), given)

    def paint(self, number: int, labels: np.ndarray, where: np.ndarray | None = None) -> None:
        """Give the objects of a frame by their ids, uint8 (H, W); objects that do not change stay as they are.

        An object that is no longer in the frame is gone from there on, until it is painted again.

        Args:
            number: of the frame.
            labels: ids of `OBJECTS`, and 0.
            where: bool (H, W), what is painted; all else stays as it is. None for the whole frame.

        Raises:
            InputError: for labels that are not `OBJECTS`, or not of the video's size.
        """
        number = self.clip.checked(number)
        labels, before = arguments.labels(labels, self.clip.size, OBJECTS), self.labels(number)
        labels = labels if where is None else np.where(where, labels, before)
        changed = {i: labels == i for i in OBJECTS if ((labels == i) != (before == i)).any()}
        if changed:
            self.edits.give(number, changed, both_ways=self._backward is not None)

    def find_in_box(self, number: int, object_id: int, box: Sequence[int], replace: bool = False) -> str:
        """Give the object that is found in a box, (x, y, width, height) in pixels, as an object of a frame.

        Returns as `click`. Raises InputError if the frame has that object already, unless it is to be replaced, and if
        nothing is found.
        """
        checked_object(object_id)
        box, labels = arguments.box(box), self.labels(number)
        if not replace and (labels == object_id).any():
            raise InputError(f"object {object_id} is in frame {number} already; replace it, or take another number")
        try:
            found = self._pointer.in_box((number, object_id), self.clip.frame(number), labels, box)
        except InputError:
            raise InputError(
                "no object is found in this box: drag it close around the whole object, with a little of what is"
                " around it, or paint the object"
            ) from None
        return self._give_found(number, object_id, found, labels, "no object is found in this box: click on it")

    def _give_found(self, number: int, object_id: int, found: Found, labels: np.ndarray, nothing: str) -> str:
        others = ", ".join(map(str, found.others))
        if not found.mask.any() and others:
            raise InputError(f"that belongs to object {others} already; choose its number to correct it, or erase it")
        if not found.mask.any():
            raise InputError(f"{nothing}, or paint the object")
        self.paint(number, np.where(found.mask, np.uint8(object_id), np.uint8(0)), found.mask | (labels == object_id))
        return f"A part of what is found belongs to object {others} already, and stays with it." if others else ""

    def click(self, number: int, object_id: int, x: float, y: float, positive: bool) -> str:
        """Find an object that is clicked on in a frame, or correct its mask there.

        What belongs to other objects there stays with them: then a sentence is returned that says so, else "".

        Args:
            number: of the frame.
            object_id: of the object.
            x: of the click, in pixels from the left.
            y: of the click, in pixels from the top.
            positive: the click is on the object; else on what is not to be part of it.

        Raises:
            InputError: for a click outside the frame, or where nothing is found.
        """
        checked_object(object_id)
        labels = self.labels(number)
        if not positive and not (labels == object_id).any():
            raise InputError(f"object {object_id} is not in this frame: there is nothing to take away from it")
        click = pointing.as_click((x, y, positive))
        found = self._pointer.clicked((number, object_id), self.clip.frame(number), labels, click)
        return self._give_found(number, object_id, found, labels, "nothing is found there: click in its middle")

    def give_file(self, number: int, path: Path, replace: bool, reading: str | None) -> tuple[list[int], str]:
        """Give the objects of a mask's file, as `painting.mask_file` reads it with a `reading`, in a frame.

        Returns the ids of objects that are given in the frame already, with which nothing is done unless they are to be
        replaced; and what was made of the file. Raises InputError as `painting.mask_file` does.
        """
        labels = self.labels(number)
        objects, note = painting.mask_file(labels, path, self.clip.checked(number), reading)
        given = sorted(objects.keys() & self.edits.at(number).keys())
        if given and not replace:
            return given, ""
        self.paint(number, with_objects(labels, objects))
        return [], note

    def set_color(self, object_id: int, color: str) -> None:
        """Show an object in another color, "#rrggbb", also in the next overlay; InputError for another text."""
        checked_object(object_id)
        self.edits.color(object_id, painting.checked_color(color))

    # -- Segmenting ---------------------------------------------------------------------------------------------------

    @property
    def done(self) -> int:
        """How many frames, from the first on, have a result."""
        return len(self._history)

    @property
    def current(self) -> bool:
        """Whether overlay and archive show what is given now, in the colors of now."""
        objects = self.edits.objects
        return (
            self._handed_over
            and self.edits.first_difference(self._made_of) is None
            and all(self.edits.colors[i] == self._made_with[i] for i in objects)
        )

    @property
    def outdated_from(self) -> int:
        """The number of the first frame that `segment` would segment anew; the number of frames for none."""
        changed = self.edits.first_difference(self._made_of)
        return self.done if changed is None else min(changed, self.done)

    @property
    def has_work(self) -> bool:
        """Whether there is anything that would be lost with the session, besides the video."""
        return self.edits.can_undo or self.edits.can_redo or self.done > 0

    @property
    def lost(self) -> list[Lost]:
        """The frames in which objects that should be there were not found."""
        return [
            Lost(object_id, lost.number, self.done - 1 if found is None else found.number - 1)
            for object_id, absences in self.presence.absences.items()
            for lost, found in absences
        ]

    def segment(self, both_ways: bool = False) -> Iterator[Step]:
        """Yield a `Step` for each frame that is segmented anew: from the first frame with a change on.

        Frames before it keep their masks. Afterwards there is an `overlay`, also if `stop` ended the segmenting early;
        the next call goes on from there. With `both_ways`, objects are first followed backward from where they are
        given first; where these change, all frames are segmented anew.
        """
        self.check_given()
        self.clip.checked(0)
        with self._idle():
            self._stopping = self._closed
            now = self.edits.now
            given = [Prompt(number, None, self.edits.unpacked(now, number)) for number in sorted(now)]
            backward, anew = self._prepared(given if both_ways else [])
            self._forget_outdated(now, anew)
            colors = painting.palette(self._made_with)
            predictor = self._new_predictor(self.clip.size)
            if anew:
                yield from self._follow_backward(backward, predictor, colors)
            with (
                open_frames(self.clip.path) as frames,
                Results(self._results, frames, palette=colors) as results,
                contextlib.closing(track(predictor, frames, given, self._history)) as steps,
            ):
                self.presence = Presence()
                for number, followed in enumerate(steps):
                    if not followed.known:
                        followed = followed._replace(labels=backward.filled(followed.frame, followed.labels))
                    results.add(followed)
                    self.presence.see(followed.frame, followed.labels, followed.object_ids)
                    if not followed.known:
                        yield Step(number, functools.partial(followed.overlay, colors))
                    if self._stopping:
                        break
            self._hand_over()

    def check_given(self) -> None:
        """Raise InputError if no object is given."""
        if not self.edits.objects:
            raise InputError("show an object first, in the first frame in which it is seen: drag a box, or paint it")

    def _prepared(self, given: Sequence[Prompt]) -> tuple[Backward, bool]:
        """Return the `Backward` of what is given, and whether it differs from the one of the results until now."""
        folder = self._results / "backward"
        backward = Backward(folder, self.clip.path)
        backward.prepare(self.clip.marks, given)
        anew = backward.key != self._backward
        if anew:
            shutil.rmtree(folder)
            folder.mkdir()
            self._backward = None
        return backward, anew

    def _follow_backward(self, backward: Backward, predictor: Predictor, colors: np.ndarray) -> Iterator[Step]:
        with contextlib.closing(backward.follow(predictor)) as steps:
            for found in steps:
                draw = functools.partial(overlay, found.frame.image, found.labels, colors)
                yield Step(found.frame.number, draw, backward=True)
                if self._stopping:
                    return
        self._backward = backward.key

    def _forget_outdated(self, now: Given, anew: bool) -> None:
        """Keep the results of the frames before the first change, as far as their files still exist.

        `now` is what is given; `anew`: other objects are followed backward, which changes all frames.
        """
        changed = 0 if anew else self.edits.first_difference(self._made_of)
        there = sum(1 for _ in itertools.takewhile(lambda name: self._mask_file(name).is_file(), self.clip.names))
        self._history.go_on_from(there if changed is None else min(changed, there))
        known = len(self._history)
        for name in self.clip.names[known:]:
            self._mask_file(name).unlink(missing_ok=True)
        self._made_of, self._made_with, self._handed_over = now, self.edits.colors, False

    def _mask_file(self, name: str) -> Path:
        return self._results / MASKS / f"{name}.png"

    def _hand_over(self) -> None:
        """Make the archive; give it and the overlay new paths, so that no browser shows old files instead."""
        before, folder = self.overlay, self._results / secrets.token_hex(16)
        folder.mkdir()
        os.replace(self._results / "overlay.mp4", folder / "overlay.mp4")
        path = folder / archive_name(self.clip.title)
        masks = {f"{MASKS}/{name}.png": self._mask_file(name) for name in self.clip.names[: self.done]}
        write_archive(path, {**masks, "overlay.mp4": folder / "overlay.mp4"})
        self.overlay, self.archive, self._handed_over = folder / "overlay.mp4", path, True
        if before is not None:
            shutil.rmtree(before.parent, ignore_errors=True)  # Windows keeps what a browser is reading.

    @property
    def busy(self) -> bool:
        """Whether the video is being segmented."""
        return self._running.locked()

    def stop(self) -> None:
        """End `segment` after the frame that it is at."""
        self._stopping = True

    @contextlib.contextmanager
    def _idle(self) -> Iterator[None]:
        """Keep all others from changing the results in a `with` block; InputError while the video is segmented."""
        if not self._running.acquire(blocking=False):
            raise InputError("the video is being segmented; stop that first")
        try:
            yield
        finally:
            self._running.release()
            self._remove_if_closed()

    def close(self) -> None:
        """Stop, and remove all of the session's files."""
        self._closed = self._stopping = True
        if not self.busy:
            self._remove_if_closed()

    def _remove_if_closed(self) -> None:
        if self._closed:
            shutil.rmtree(self.folder, ignore_errors=True)
