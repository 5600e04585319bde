"""A video that a visitor has chosen: its frames by their numbers, and a copy that every browser plays."""

from __future__ import annotations

import bisect
import functools
from collections.abc import Callable
from pathlib import Path

import numpy as np

from osmn.data.synthetic import write_clip
from osmn.errors import InputError
from osmn.inference import arguments
from osmn.user_video.media.backward import Mark, checksum
from osmn.user_video.media.reader import frame_at, open_frames
from osmn.user_video.media.writer import write_overlay

# Examples, which are drawn and not downloaded: {name: (number of objects, seed)}.
EXAMPLES = {"Example: 1 object": (1, 146), "Example: 2 objects": (2, 198)}
EXAMPLE_FRAMES, EXAMPLE_SIZE = 32, (320, 192)
_ADVICE = "Phones, cameras and editing programs can save a video as MP4 (H.264): choose such a file."


def draw_example(name: object, folder: Path) -> Path:
    """Draw one of `EXAMPLES` into a folder, and return the path of its frames; InputError for another name."""
    if not isinstance(name, str) or name not in EXAMPLES:
        raise InputError(f"an example is one of {', '.join(EXAMPLES)}; choose one of these")
    objects, seed = EXAMPLES[name]
    write_clip(folder / "clip", objects, EXAMPLE_FRAMES, EXAMPLE_SIZE, seed)
    return folder / "clip"


class Clip:
    """A video, which is read once from its start to its end when it is opened.

    Attributes:
        path: of the video, a file or a folder of frames.
        title: what the visitor calls it.
        size: (width, height).
        marks: `Mark`s of the frames, which find them again.
        names: of the frames, for their masks.
        seconds: the time of each frame.
        remarks: lines that say what was made of the video where that may surprise.
        preview: path of a copy that browsers play, whatever the video is stored in.

    Args:
        path: of the video.
        title: what the visitor calls it.
        read: called with the number of frames that have been read, and about how many there are or None.

    Raises:
        InputError: for what is no video, in words for somebody who knows nothing of codecs.
    """

    def __init__(
        self, path: Path, title: str, read: Callable[[int, int | None], object] = lambda count, total: None
    ) -> None:
        self.path, self.title, self.preview = path, title, path.parent / "preview.mp4"
        self.marks: list[Mark] = []
        try:
            with open_frames(path) as frames, write_overlay(self.preview, like=frames) as show:
                for frame in frames:
                    self.marks.append(Mark.of(frame))
                    show(functools.partial(np.asarray, frame.image), frame.seconds)
                    read(len(self.marks), frames.estimate)
                self.size = frames.size
                self.remarks = [remark.replace(str(path), title) for remark in frames.remarks]
        except InputError as error:
            detail = str(error).replace(str(path), title).replace(str(self.preview), "a copy to play")
            raise InputError(f"{title} cannot be opened as a video. {_ADVICE} In detail: {detail}.") from None
        self.names = [mark.name for mark in self.marks]
        self.seconds = [float(mark.seconds) for mark in self.marks]
        self._last: tuple[int, np.ndarray] | None = None  # The frame looked at: number, image.

    def __len__(self) -> int:
        return len(self.marks)

    def frame(self, number: int) -> np.ndarray:
        """Return a frame, RGB uint8 (H, W, 3)."""
        number = self.checked(number)
        if self._last is not None and self._last[0] == number:
            return self._last[1]
        image = frame_at(self.path, self.marks[number].seconds) if self.path.is_file() else None
        # Some files' key frames are no full pictures.
        if image is None or checksum(image) != self.marks[number].checksum:
            with open_frames(self.path, start=number, ahead=1) as frames:
                image = frames.first.image
        self._last = (number, image)
        return image

    def checked(self, number: object) -> int:
        """Return a frame's number as an int; InputError for a frame that does not exist, or if the video is lost."""
        if not self.path.exists():  # Some machines clear their temporary files.
            raise InputError("the video is no more among this machine's temporary files; choose it again")
        number = arguments.whole(number, "a frame's number")
        if not 0 <= number < len(self):
            raise InputError(f"there is no frame {number}: the last one is {len(self) - 1}")
        return number

    def frame_at(self, seconds: float) -> int:
        """Return the number of the frame that is shown at a time, in seconds."""
        seconds = arguments.seconds(seconds)
        return max(0, bisect.bisect_right(self.seconds, seconds + 1e-3) - 1)  # Browsers round to microseconds.
