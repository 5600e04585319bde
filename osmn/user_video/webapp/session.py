"""What a visitor of the web page does: a video of their own, what they paint in its frames, the results until now.

Nothing here knows the page: `osmn_app.py` holds its layout and events.
"""

import bisect
import contextlib
import itertools
import os
import secrets
import shutil
import tempfile
import threading
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from osmn.data.synthetic import write_clip
from osmn.errors import InputError
from osmn.files.images import read_labels
from osmn.inference import arguments
from osmn.masks import with_objects
from osmn.user_video.media.reader import frame_at, open_frames
from osmn.user_video.prompts import Prompt, grabcut
from osmn.user_video.tracking import MASKS, History, Results, track
from osmn.user_video.webapp.painting import OBJECTS

# Examples that nobody has to download: {name: (number of objects, seed)}.
EXAMPLES = {"Example: 1 object": (1, 146), "Example: 2 objects": (2, 198)}
EXAMPLE_FRAMES, EXAMPLE_SIZE = 32, (320, 192)


class Step(NamedTuple):
    """A frame that is done while a video is segmented: its number, and `draw()`, which returns the overlay's image."""

    number: int
    draw: Callable


class Session:
    """One visitor's video, what is given in it, and the results; all files are in one folder, of this session alone.

    Args:
        folder: to work in; made here.
        predictor: (width, height) of the frames -> `Predictor`.
    """

    def __init__(self, folder, predictor):
        self.folder, self._new_predictor = Path(folder), predictor
        self.folder.mkdir(parents=True)
        self._running, self._closed = threading.Lock(), False
        self._reset(None, [], None)

    def _reset(self, path, frames, size):
        self._path, self.size = path, size
        self._names, self._seconds, self._checksums = ([frame[part] for frame in frames] for part in range(3))
        self._given = {}  # {frame number: {object id: bool (H, W)}}
        self._results = self.folder / f"results-{secrets.token_hex(4)}"
        self._history = History(self._results)
        self._first_changed = 0
        self.token = secrets.token_hex(8)  # Which video this is.
        self._last = (None, None)  # The frame looked at: number, image.
        self._stopping = False
        self.overlay = self.archive = None  # The paths of the newest ones.

    # -- The video ----------------------------------------------------------------------------------------------------

    def take(self, path):
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

    def take_example(self, name):
        """Open one of `EXAMPLES`, which is drawn on the spot."""
        if not isinstance(name, str) or name not in EXAMPLES:
            raise InputError(f"an example is one of {', '.join(EXAMPLES)}; choose one of these")
        objects, seed = EXAMPLES[name]
        with self._new_folder() as folder:
            write_clip(folder / "clip", objects, EXAMPLE_FRAMES, EXAMPLE_SIZE, seed)
            self._open(folder / "clip")

    @contextlib.contextmanager
    def _new_folder(self):
        """Make a folder for a video; it goes if the block fails."""
        folder = self.folder / f"video-{secrets.token_hex(4)}"
        folder.mkdir()
        try:
            yield folder
        except BaseException:
            shutil.rmtree(folder)
            raise

    def _open(self, path):
        """Read a video once, for the number and the times of its frames; replace the video before by it."""
        with open_frames(path) as frames:
            found = [(frame.name, frame.seconds, _checksum(frame.image)) for frame in frames]
            size = frames.size
        with self._idle():
            if self._path is not None:
                shutil.rmtree(self._path.parent)
            shutil.rmtree(self._results, ignore_errors=True)
            self._reset(path, found, size)

    @property
    def frames(self):
        """The number of frames; 0 without a video."""
        return len(self._names)

    def frame(self, number):
        """Return a frame, RGB uint8 (H, W, 3)."""
        number = self._checked(number)
        if self._last[0] != number:
            image = frame_at(self._path, self._seconds[number]) if self._path.is_file() else None
            # Some files' key frames are no full pictures.
            if image is None or _checksum(image) != self._checksums[number]:
                with open_frames(self._path, start=number, ahead=1) as frames:
                    image = frames.first.image
            self._last = (number, image)
        return self._last[1]

    def _checked(self, number):
        if not self.frames:
            raise InputError("choose a video first")
        if not self._path.exists():  # Some machines clear their temporary files.
            raise InputError("the video is no more among this machine's temporary files; choose it again")
        number = arguments.whole(number, "a frame's number")
        if not 0 <= number < self.frames:
            raise InputError(f"there is no frame {number}: the last one is {self.frames - 1}")
        return number

    def seconds(self, number):
        """Return the time of a frame."""
        return float(self._seconds[self._checked(number)])

    def frame_at(self, seconds):
        """Return the number of the frame that is shown at a time."""
        self._checked(0)
        seconds = arguments.seconds(seconds)
        return max(0, bisect.bisect_right(self._seconds, seconds + 1e-3) - 1)  # Browsers round to microseconds.

    # -- What is given ------------------------------------------------------------------------------------------------

    def labels(self, number):
        """Return the object ids in a frame, uint8 (H, W): what is given there over the newest result."""
        number = self._checked(number)
        path = self._mask_file(self._names[number])
        labels = read_labels(path) if path.exists() else np.zeros(self.size[::-1], np.uint8)
        return with_objects(labels, self._given.get(number, {}))

    def paint(self, number, labels):
        """Give the objects of a frame by their ids, uint8 (H, W); those that are there already stay as they are.

        An object that is there no more is gone from there on, until it is painted again. Raises InputError for what is
        no picture of `OBJECTS` of the video's size.
        """
        number = self._checked(number)
        labels = arguments.labels(labels, self.size, OBJECTS)
        before = self.labels(number)
        changed = {i: labels == i for i in OBJECTS if ((labels == i) != (before == i)).any()}
        if changed:
            objects = self._given.get(number, {}) | changed
            # What was never there before cannot go.
            known = {i for earlier, given in self._given.items() if earlier < number for i in given}
            self._given[number] = {i: mask for i, mask in objects.items() if mask.any() or i in known}
            self._first_changed = min(self._first_changed, number)

    def find_in_box(self, number, object_id, box):
        """Give what GrabCut finds in a box, (x, y, width, height) in pixels, as an object of a frame."""
        if arguments.object_id(object_id) not in OBJECTS:
            raise InputError(f"objects are {OBJECTS[0]} to {OBJECTS[-1]}, not {object_id}")
        found = grabcut(self.frame(number), box)
        self.paint(number, with_objects(self.labels(number), {object_id: found}))

    @property
    def painted_frames(self):
        """The numbers of the frames in which objects are given."""
        return sorted(number for number, objects in self._given.items() if objects)

    # -- Segmenting ---------------------------------------------------------------------------------------------------

    def segment(self):
        """Yield a `Step` for each frame that is segmented anew: from the first one in which something changed.

        Frames before it keep their masks. Afterwards `overlay` is there, also if `stop` ended it early; from there the
        next call goes on.
        """
        self._checked(0)
        if not any(mask.any() for objects in self._given.values() for mask in objects.values()):
            raise InputError("paint an object first, in the first frame that shows it")
        with self._idle():
            self._stopping = self._closed
            # What is left of earlier results: somebody may have removed some.
            there = itertools.takewhile(lambda name: self._mask_file(name).is_file(), self._names)
            self._history.go_on_from(min(self._first_changed, sum(1 for _ in there)))
            self._first_changed = self.frames
            known = len(self._history)
            for name in self._names[known:]:
                self._mask_file(name).unlink(missing_ok=True)
            given = [Prompt(number, None, objects) for number, objects in sorted(self._given.items())]
            predictor = self._new_predictor(self.size)
            with (
                open_frames(self._path) as frames,
                Results(self._results, frames) as results,
                contextlib.closing(track(predictor, frames, given, self._history)) as steps,
            ):
                for number, followed in enumerate(steps):
                    results.add(followed)
                    if not followed.known:
                        yield Step(number, followed.overlay)
                    if self._stopping:
                        break
            self._hand_over()

    def _mask_file(self, name):
        return self._results / MASKS / f"{name}.png"

    def _hand_over(self):
        """Make the archive; give it and the overlay new paths, so that no browser takes them for old ones."""
        before, folder = self.overlay, self._results / secrets.token_hex(4)
        folder.mkdir()
        os.replace(self._results / "overlay.mp4", folder / "overlay.mp4")
        # Not packed any more: its files are. Nor does a clock that stands before 1980 matter.
        with zipfile.ZipFile(folder / "osmn.zip", "w", strict_timestamps=False) as archive:
            for name in self._names[: self.done]:
                archive.write(self._mask_file(name), f"{MASKS}/{name}.png")
            archive.write(folder / "overlay.mp4", "overlay.mp4")
        self.overlay, self.archive = folder / "overlay.mp4", folder / "osmn.zip"
        if before is not None:
            shutil.rmtree(before.parent)

    @property
    def done(self):
        """How many frames have a result, from the first one on."""
        return len(self._history)

    @property
    def busy(self):
        """Whether the video is being segmented."""
        return self._running.locked()

    def stop(self):
        """End `segment` after the frame that it is at."""
        self._stopping = True

    @contextlib.contextmanager
    def _idle(self):
        """Have nothing else change the results in the block; InputError while the video is segmented."""
        if not self._running.acquire(blocking=False):
            raise InputError("the video is being segmented; stop that first")
        try:
            yield
        finally:
            self._running.release()
            self._remove_if_closed()

    def close(self):
        """Stop, and remove all of the session's files."""
        self._closed = self._stopping = True
        if not self.busy:
            self._remove_if_closed()

    def _remove_if_closed(self):
        if self._closed:
            shutil.rmtree(self.folder, ignore_errors=True)


def _checksum(image):
    return zlib.crc32(np.ascontiguousarray(image))


class Sessions:
    """The sessions of all visitors, each under a key that only its visitor knows; in a `with` block.

    Their files are in one temporary folder, `folder`, which is removed at the end.

    Args:
        predictor: see `Session`.
    """

    def __init__(self, predictor):
        self._predictor, self._sessions, self._lock = predictor, {}, threading.Lock()
        self._temporary = tempfile.TemporaryDirectory(prefix="osmn_app-", ignore_cleanup_errors=True)
        self.folder = Path(self._temporary.name)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with self._lock:
            sessions = list(self._sessions.values())
            self._sessions.clear()
        for session in sessions:
            session.close()
        self._temporary.cleanup()

    def __getitem__(self, key):
        with self._lock:
            if key not in self._sessions:
                # Whoever knows a file's path is given it, so it has a name that cannot be guessed.
                self._sessions[key] = Session(self.folder / secrets.token_hex(16), self._predictor)
            return self._sessions[key]

    def close(self, key):
        """End a visitor's session and remove its files."""
        with self._lock:
            session = self._sessions.pop(key, None)
        if session is not None:
            session.close()
