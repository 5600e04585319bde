"""What a visitor of the web page does: a video of their own, what they paint in its frames, the results until now.

Nothing here knows the page: `page` holds its layout and events.
"""

from __future__ import annotations

import bisect
import contextlib
import functools
import itertools
import os
import secrets
import shutil
import threading
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from osmn.data.synthetic import write_clip
from osmn.errors import InputError
from osmn.files.images import read_labels
from osmn.inference import arguments
from osmn.inference.predictor import Predictor
from osmn.masks import Size, overlay, with_objects
from osmn.user_video.both_ways import Backward
from osmn.user_video.boxes import grabcut
from osmn.user_video.media.backward import Mark, checksum
from osmn.user_video.media.reader import frame_at, open_frames
from osmn.user_video.presence import Presence
from osmn.user_video.prompts import Prompt
from osmn.user_video.tracking import MASKS, History, Results, track
from osmn.user_video.webapp.painting import OBJECTS

# Examples, which are drawn and not downloaded: {name: (number of objects, seed)}.
EXAMPLES = {"Example: 1 object": (1, 146), "Example: 2 objects": (2, 198)}
EXAMPLE_FRAMES, EXAMPLE_SIZE = 32, (320, 192)


class Step(NamedTuple):
    """A frame that has just been segmented; `draw()` returns it with its objects, RGB uint8 (H, W, 3)."""

    number: int
    draw: Callable[[], np.ndarray]
    backward: bool = False


class Session:
    """A visitor's video, the objects that are given in it, and the results; all files are in a folder of the session.

    Attributes:
        folder: of the session.
        size: (width, height) of the video; (0, 0) without a video.
        token: differs from video to video.
        presence: `Presence` of the objects in the newest results.
        remarks: lines that say what was made of the video where that may surprise.
        overlay: path of the newest overlay; None without results.
        archive: path of the newest archive of results; None without results.

    Args:
        folder: to work in; made here.
        predictor: (width, height) of the frames -> `Predictor`.
    """

    def __init__(self, folder: Path | str, predictor: Callable[[tuple[int, int]], Predictor]) -> None:
        self.folder, self._new_predictor = Path(folder), predictor
        self.folder.mkdir(parents=True)
        self._running, self._closed = threading.Lock(), False
        self._reset(None, [], (0, 0))

    def _reset(self, path: Path | None, frames: Sequence[Mark], size: tuple[int, int]) -> None:
        self._path, self.size = path, size
        self.presence, self.remarks = Presence(), list[str]()
        self._marks = frames
        self._names, self._seconds = [mark.name for mark in frames], [mark.seconds for mark in frames]
        self._given: dict[int, dict[int, np.ndarray]] = {}  # {frame number: {object id: bool (H, W)}}
        self._results = self.folder / f"results-{secrets.token_hex(4)}"
        self._history = History(self._results)
        self._first_changed = 0
        self._backward: object = None  # What was followed backward, see `Backward.key`.
        self.token = secrets.token_hex(8)
        self._last: tuple[int, np.ndarray] | None = None  # The frame looked at: number, image.
        self._stopping = False
        self.overlay: Path | None = None
        self.archive: Path | None = None

    # -- The video ----------------------------------------------------------------------------------------------------

    def take(self, path: str | os.PathLike[str]) -> None:
        """Open a video that the visitor uploaded; it is moved into the session's folder."""
        if not Path(arguments.path(path, "a video")).is_file():
            raise InputError(f"{Path(path).name} is not there; choose the video again")
        with self._new_folder() as folder:
            own = folder / Path(path).name
            shutil.move(path, own)
            try:
                self._open(own)
            except InputError as error:
                raise InputError(str(error).replace(str(own), own.name)) from None

    def take_example(self, name: str) -> None:
        """Open one of `EXAMPLES`, which is drawn now."""
        if not isinstance(name, str) or name not in EXAMPLES:
            raise InputError(f"an example is one of {', '.join(EXAMPLES)}; choose one of these")
        objects, seed = EXAMPLES[name]
        with self._new_folder() as folder:
            write_clip(folder / "clip", objects, EXAMPLE_FRAMES, EXAMPLE_SIZE, seed)
            self._open(folder / "clip")

    @contextlib.contextmanager
    def _new_folder(self) -> Iterator[Path]:
        """Make a folder for a video; it is removed if the block fails."""
        folder = self.folder / f"video-{secrets.token_hex(4)}"
        folder.mkdir()
        try:
            yield folder
        except BaseException:
            shutil.rmtree(folder)
            raise

    def _open(self, path: Path) -> None:
        """Read a video once, for the number and the times of its frames; it replaces the video before."""
        with open_frames(path) as frames:
            found = [Mark.of(frame) for frame in frames]
            size, remarks = frames.size, [remark.replace(str(path), path.name) for remark in frames.remarks]
        with self._idle():
            if self._path is not None:
                shutil.rmtree(self._path.parent)
            shutil.rmtree(self._results, ignore_errors=True)
            self._reset(path, found, size)
            self.remarks = remarks

    @property
    def frames(self) -> int:
        """The number of frames; 0 without a video."""
        return len(self._names)

    def frame(self, number: int) -> np.ndarray:
        """Return a frame, RGB uint8 (H, W, 3)."""
        path, number = self._video(), self._checked(number)
        if self._last is not None and self._last[0] == number:
            return self._last[1]
        image = frame_at(path, self._seconds[number]) if path.is_file() else None
        # Some files' key frames are no full pictures.
        if image is None or checksum(image) != self._marks[number].checksum:
            with open_frames(path, start=number, ahead=1) as frames:
                image = frames.first.image
        self._last = (number, image)
        return image

    def _video(self) -> Path:
        """Return the path of the video; InputError without a video, or if its file is lost."""
        if self._path is None:
            raise InputError("choose a video first")
        if not self._path.exists():  # Some machines clear their temporary files.
            raise InputError("the video is no more among this machine's temporary files; choose it again")
        return self._path

    def _checked(self, number: int) -> int:
        """Return a frame's number as an int; InputError without a video, or for a frame that does not exist."""
        self._video()
        number = arguments.whole(number, "a frame's number")
        if not 0 <= number < self.frames:
            raise InputError(f"there is no frame {number}: the last one is {self.frames - 1}")
        return number

    def seconds(self, number: int) -> float:
        """Return the time of a frame, in seconds."""
        return float(self._seconds[self._checked(number)])

    def frame_at(self, seconds: float) -> int:
        """Return the number of the frame that is shown at a time, in seconds."""
        self._video()
        seconds = arguments.seconds(seconds)
        return max(0, bisect.bisect_right(self._seconds, seconds + 1e-3) - 1)  # Browsers round to microseconds.

    # -- What is given ------------------------------------------------------------------------------------------------

    def labels(self, number: int) -> np.ndarray:
        """Return the object ids in a frame, uint8 (H, W): the objects that are given there over the newest result."""
        number = self._checked(number)
        path = self._mask_file(self._names[number])
        labels = read_labels(path) if path.exists() else np.zeros(Size(*self.size).shape, np.uint8)
        return with_objects(labels, self._given.get(number, {}))

    def paint(self, number: int, labels: np.ndarray) -> None:
        """Give the objects of a frame by their ids, uint8 (H, W); objects that do not change stay as they are.

        An object that is no longer in the frame is gone from there on, until it is painted again. Raises InputError for
        labels that are not `OBJECTS`, or not of the video's size.
        """
        number = self._checked(number)
        labels = arguments.labels(labels, self.size, OBJECTS)
        before = self.labels(number)
        changed = {i: labels == i for i in OBJECTS if ((labels == i) != (before == i)).any()}
        if changed:
            objects = self._given.get(number, {}) | changed
            # An object that was never there before cannot disappear.
            backward = self._backward is not None
            known = {i for other, given in self._given.items() if backward or other < number for i in given}
            self._given[number] = {i: mask for i, mask in objects.items() if mask.any() or i in known}
            self._first_changed = min(self._first_changed, number)

    def find_in_box(self, number: int, object_id: int, box: Sequence[int]) -> None:
        """Give the object that GrabCut finds in a box, (x, y, width, height) in pixels, as an object of a frame."""
        if arguments.object_id(object_id) not in OBJECTS:
            raise InputError(f"objects are {OBJECTS[0]} to {OBJECTS[-1]}, not {object_id}")
        found = grabcut(self.frame(number), box)
        self.paint(number, with_objects(self.labels(number), {object_id: found}))

    @property
    def painted_frames(self) -> list[int]:
        """The numbers of the frames in which objects are given."""
        return sorted(number for number, objects in self._given.items() if objects)

    # -- Segmenting ---------------------------------------------------------------------------------------------------

    def segment(self, both_ways: bool = False) -> Iterator[Step]:
        """Yield a `Step` for each frame that is segmented anew: from the first frame with a change on.

        Frames before it keep their masks. Afterwards there is an `overlay`, also if `stop` ended the segmenting early;
        the next call goes on from there. With `both_ways`, objects are first followed backward from where they are
        given first; where these change, all frames are segmented anew.
        """
        path = self._video()
        if not any(mask.any() for objects in self._given.values() for mask in objects.values()):
            raise InputError("paint an object first, in the first frame that shows it")
        with self._idle():
            self._stopping = self._closed
            given = [Prompt(number, None, objects) for number, objects in sorted(self._given.items())]
            backward, anew = self._prepared(path, given if both_ways else [])
            # Earlier results, as far as their files still exist.
            there = itertools.takewhile(lambda name: self._mask_file(name).is_file(), self._names)
            self._history.go_on_from(min(self._first_changed, sum(1 for _ in there)))
            self._first_changed = self.frames
            known = len(self._history)
            for name in self._names[known:]:
                self._mask_file(name).unlink(missing_ok=True)
            predictor = self._new_predictor(self.size)
            if anew:
                yield from self._follow_backward(backward, predictor)
            with (
                open_frames(path) as frames,
                Results(self._results, frames) as results,
                contextlib.closing(track(predictor, frames, given, self._history)) as steps,
            ):
                self.presence = Presence()
                for number, followed in enumerate(steps):
                    if not followed.known:
                        followed = followed._replace(labels=backward.filled(followed.frame, followed.labels))
                    results.add(followed)
                    self.presence.see(followed.frame, followed.labels, followed.object_ids)
                    if not followed.known:
                        yield Step(number, followed.overlay)
                    if self._stopping:
                        break
            self._hand_over()

    def _prepared(self, path: Path, given: Sequence[Prompt]) -> tuple[Backward, bool]:
        """Return the `Backward` of what is given, and whether it differs from the one of the results until now."""
        folder = self._results / "backward"
        backward = Backward(folder, path)
        backward.prepare(self._marks, given)
        anew = backward.key != self._backward
        if anew:
            shutil.rmtree(folder)
            folder.mkdir()
            self._first_changed, self._backward = 0, None
        return backward, anew

    def _follow_backward(self, backward: Backward, predictor: Predictor) -> Iterator[Step]:
        with contextlib.closing(backward.follow(predictor)) as steps:
            for found in steps:
                yield Step(found.frame.number, functools.partial(overlay, found.frame.image, found.labels), True)
                if self._stopping:
                    return
        self._backward = backward.key

    def _mask_file(self, name: str) -> Path:
        return self._results / MASKS / f"{name}.png"

    def _hand_over(self) -> None:
        """Make the archive; give it and the overlay new paths, so that no browser shows old files instead."""
        before, folder = self.overlay, self._results / secrets.token_hex(4)
        folder.mkdir()
        os.replace(self._results / "overlay.mp4", folder / "overlay.mp4")
        # Stored without compression: the files are compressed. Times before 1980 are allowed, of clocks that are wrong.
        with zipfile.ZipFile(folder / "osmn.zip", "w", strict_timestamps=False) as archive:
            for name in self._names[: self.done]:
                archive.write(self._mask_file(name), f"{MASKS}/{name}.png")
            archive.write(folder / "overlay.mp4", "overlay.mp4")
        self.overlay, self.archive = folder / "overlay.mp4", folder / "osmn.zip"
        if before is not None:
            shutil.rmtree(before.parent)

    @property
    def done(self) -> int:
        """How many frames, from the first on, have a result."""
        return len(self._history)

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
