"""A user's video: the objects that are given in it are followed, and written as masks and an overlay."""

import contextlib
import functools
import itertools
import sys
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from osmn.errors import InputError
from osmn.files.atomic import remove_unfinished
from osmn.files.images import read_labels, write_labels
from osmn.files.scores import write_scores
from osmn.inference.predictor import Predictor, Segmentation, State
from osmn.masks import overlay, with_objects
from osmn.parallel import WriteBehind, run_ahead
from osmn.user_video.both_ways import Backward
from osmn.user_video.media.reader import Frame, Frames
from osmn.user_video.media.writer import write_cutout, write_overlay
from osmn.user_video.presence import Presence
from osmn.user_video.prompts import Prompt, PromptQueue, all_objects, objects_in, prompts_of, tell_late, too_late

FINETUNED = "finetuned"  # Folder, among a video's results, of the model that was trained on it.
MASKS, SCORES = "masks", "scores"  # Folders, among the results.
GIVEN = "given"  # The same, of what was made of masks where that could surprise.


class Job(NamedTuple):
    """A video to segment: its path, the folder of its results, and its `Prompt`s."""

    path: Path
    folder: Path
    given: list[Prompt]


def jobs(paths: Sequence[Path | str], masks: Sequence[str], folder: Path | str) -> list[Job]:
    """Return a `Job` for each video; where there are several, each has a folder of its name in `folder`.

    Args:
        paths: of the videos.
        masks: texts as `prompts.parse_prompt` takes them, for all of the videos.
        folder: of the results.

    Raises:
        InputError: for a mask's file that does not exist, and for two videos of the same name.
    """
    found: dict[str, Job] = {}
    for path in map(Path, paths):
        name = _name(path)
        # Windows and macOS take Clip and clip for one name.
        key = name if sys.platform.startswith("linux") else name.casefold()
        if key in found:
            raise InputError(f"{found[key].path} and {path} would have one folder of results, {name}; rename one")
        own = Path(folder, name) if len(paths) > 1 else Path(folder)
        given = [each for text in masks for each in prompts_of(text, name, alone=len(paths) == 1)]
        found[key] = Job(path, own, given)
    return list(found.values())


def _name(path: Path) -> str:
    return path.resolve().name if path.is_dir() else path.stem


def videos_written(given: Sequence[Prompt], cutout: bool) -> list[str]:
    """Return the names of the videos that `segment` writes: the overlay and, with `cutout`, each object's cutout."""
    return ["overlay.mp4", *map(_cutout, all_objects(given) if cutout else ())]


def mask_name(frame: Frame) -> str:
    """Return the name of the mask of a `reader.Frame`, among the results."""
    return f"{MASKS}/{frame.name}.png"


def _cutout(object_id: int) -> str:
    return f"cutout_{object_id}.webm"


class Summary(NamedTuple):
    """What `segment` has done.

    Attributes:
        frames: number of frames that were segmented.
        object_ids: of the objects that are followed at the end.
        damaged: number of packets and frames that were skipped because they are damaged.
        missing: seconds of picture that the file announces but does not have.
        files: names of the files that were written, without score files.
        scores: names of the score files.
        presence: `Presence`: which objects were lost, and where.
    """

    frames: int
    object_ids: tuple[int | None, ...]
    damaged: int
    missing: float
    files: list[str]
    scores: list[str]
    presence: Presence


class TrackedFrame(NamedTuple):
    """A frame whose objects are known.

    Attributes:
        frame: `reader.Frame`.
        labels: uint8 (H, W), object ids; in a frame in which objects are given, these come from the given masks.
        segmentation: `predictor.Segmentation` that the labels come from; None in the first frame, and where `known`.
        known: the labels are from an earlier run.
        object_ids: of the objects that are followed after the frame.
    """

    frame: Frame
    labels: np.ndarray
    segmentation: Segmentation | None = None
    known: bool = False
    object_ids: tuple[int | None, ...] = ()

    def overlay(self, palette: np.ndarray | None = None) -> np.ndarray:
        """Return the frame with its objects, RGB uint8 (H, W, 3); `palette` as in `masks.overlay`."""
        return overlay(self.frame.image, self.labels, palette)

    def cutout(self, object_id: int) -> np.ndarray:
        """Return the frame, transparent around an object, RGBA uint8 (H, W, 4)."""
        return np.dstack([self.frame.image, np.where(self.labels == object_id, np.uint8(255), np.uint8(0))])


class History:
    """The states and masks of a run through a video, from which another run goes on at any frame.

    Args:
        folder: of the results, as `Results` writes them.
    """

    def __init__(self, folder: Path | str) -> None:
        self._folder = Path(folder)
        self._states: list[State] = []

    def __len__(self) -> int:
        return len(self._states)

    def go_on_from(self, number: int) -> None:
        """Forget all frames from the `number`-th on."""
        del self._states[number:]

    def recall(self, number: int, frame: Frame) -> TrackedFrame:
        """Return the `TrackedFrame` of the `number`-th frame, which is remembered."""
        labels = read_labels(self._folder / mask_name(frame))
        return TrackedFrame(frame, labels, known=True, object_ids=tuple(self._states[number].masks))

    def add(self, predictor: Predictor) -> None:
        """Remember the frame that a predictor took last."""
        self._states.append(predictor.state())

    def resume(self, predictor: Predictor, frame: Frame) -> None:
        """Have a predictor go on after `frame`, the last frame that is remembered."""
        predictor.resume(frame.image, self._states[-1])


def track(
    predictor: Predictor, frames: Iterable[Frame], given: Sequence[Prompt], history: History | None = None
) -> Generator[TrackedFrame, None, None]:
    """Yield a `TrackedFrame` for each frame of a video. Close the generator before `frames`, which a thread reads.

    Args:
        predictor: `Predictor`.
        frames: `reader.Frames`, or other `reader.Frame`s.
        given: the `Prompt`s, with their objects. An object that is given again is corrected from there on; if its mask
            is empty, it is not followed any more from there on.
        history: `History` to go on from and to add to. What it remembers must be what a run with the same `given`
            would give.
    """
    prompts, remembered = PromptQueue(given), len(history) if history is not None else 0

    def prepared() -> Iterator[tuple[Frame, np.ndarray | None]]:
        for count, frame in enumerate(frames):
            yield frame, predictor.at_network_size(frame.image) if count >= remembered else None

    with contextlib.closing(run_ahead(prepared(), ahead=2)) as ahead:
        last = None
        if history is not None:
            last = yield from _replay(history, itertools.islice(ahead, remembered), prompts)
            if last is not None:
                history.resume(predictor, last)
        for frame, small in ahead:
            if last is None:
                predictor.start(frame.image)
                segmentation, labels = None, np.zeros(frame.image.shape[:2], np.uint8)
            else:
                segmentation = predictor.step(frame.image, small)
                labels = segmentation.labels()
            for prompt in prompts.take(frame):
                if last is not None:
                    tell_late(prompt, frame)
                objects = objects_in(prompt, frame, labels)
                for object_id, mask in objects.items():
                    if mask.any():
                        predictor.add_object(object_id, mask)
                    else:
                        predictor.remove_object(object_id)
                labels = with_objects(labels, objects)
            if history is not None:
                history.add(predictor)
            last = frame
            yield TrackedFrame(frame, labels, segmentation, object_ids=predictor.object_ids)


def _replay(
    history: History, remembered: Iterable[tuple[Frame, np.ndarray | None]], prompts: PromptQueue
) -> Generator[TrackedFrame, None, Frame | None]:
    """Yield the `TrackedFrame`s of pairs (frame, None) that a history remembers; return the last frame, or None."""
    frame = None
    for number, (frame, _) in enumerate(remembered):
        prompts.take(frame)  # Their objects are in what is remembered.
        yield history.recall(number, frame)
    return frame


class Results:
    """Writes tracked frames, in a `with` block: `masks/<frame>.png`, indexed, of the video's size, and `overlay.mp4`.

    Attributes:
        files: names of the files that are written, without score files.
        scores: names of the score files that are written.

    Args:
        folder: of the results.
        frames: `reader.Frames`, whose times and sound the videos get.
        cutouts: ids of objects; each gets `cutout_<object>.webm`, a video that is transparent around the object.
        save_score: write `scores/<object>/<frame>.npy` too, float32 probabilities of the network's size.
        tell: called with the names of files before they are written.
        palette: colors of the overlay, as in `masks.overlay`.
    """

    def __init__(
        self,
        folder: Path | str,
        frames: Frames,
        cutouts: Sequence[int] = (),
        save_score: bool = False,
        tell: Callable[..., object] = lambda *names: None,
        palette: np.ndarray | None = None,
    ) -> None:
        self._folder, self._frames, self._cutout_ids, self._save_score = Path(folder), frames, cutouts, save_score
        self._tell, self.files = tell, ["overlay.mp4", *map(_cutout, cutouts)]
        self.scores: list[str] = []
        self._palette = palette
        tell(*self.files)

    def __enter__(self) -> "Results":
        with contextlib.ExitStack() as stack:
            self._write = stack.enter_context(WriteBehind(limit=8))
            self._show = stack.enter_context(write_overlay(self._folder / "overlay.mp4", like=self._frames))
            self._cutouts = {
                i: stack.enter_context(write_cutout(self._folder / _cutout(i), like=self._frames))
                for i in self._cutout_ids
            }
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *error: Any) -> bool | None:
        return self._stack.__exit__(*error)

    def add(self, followed: TrackedFrame) -> None:
        """Write a `TrackedFrame`, on threads."""
        frame, labels, segmentation, known, _ = followed
        if segmentation is not None and self._save_score:
            self.add_scores(frame, segmentation)
        if not known:
            self._keep(write_labels, self.files, mask_name(frame), labels)
        followed = followed._replace(segmentation=None)  # Frames that wait for the encoder do without probabilities.
        self._show(functools.partial(followed.overlay, self._palette), frame.seconds)
        for object_id, write_frame in self._cutouts.items():
            write_frame(functools.partial(followed.cutout, object_id), frame.seconds)

    def add_scores(self, frame: Frame, segmentation: Segmentation) -> None:
        """Write the probabilities of a frame's objects, on a thread."""
        for object_id, scores in zip(segmentation.object_ids, segmentation.probabilities, strict=True):
            self._keep(write_scores, self.scores, f"{SCORES}/{object_id}/{frame.name}.npy", scores)

    def show(self, followed: TrackedFrame) -> None:
        """Write the objects of a frame in which some are given, as `given/<frame>.png`, for the user to look at."""
        self._keep(write_labels, self.files, f"{GIVEN}/{followed.frame.name}.png", followed.labels)

    def _keep(
        self, write_file: Callable[[Path, np.ndarray], None], names: list[str], name: str, content: np.ndarray
    ) -> None:
        names.append(name)
        self._tell(name)
        self._write(write_file, self._folder / name, content)


def segment(
    predictor: Predictor,
    frames: Frames,
    given: Sequence[Prompt],
    folder: Path | str,
    save_score: bool = False,
    cutout: bool = False,
    progress: Callable[[], object] = lambda: None,
    tell: Callable[..., object] = lambda *names: None,
    backward: Backward | None = None,
) -> Summary:
    """Follow the objects of a video, as `track`, and write them into `folder`, as `Results`; return a `Summary`.

    Args:
        predictor: `Predictor`.
        frames: `reader.Frames`.
        given: the `Prompt`s, from `prompts.read`.
        folder: of the results.
        save_score: write the probabilities too.
        cutout: write each object's cutout too.
        progress: called after each frame.
        tell: called with the names of files before they are written.
        backward: `Backward`, prepared: its objects are followed backward first.

    Raises:
        InputError: after the last frame, if objects are given at a later place.
    """
    for name in (MASKS, SCORES, GIVEN):
        remove_unfinished(Path(folder) / name)
    count, presence = 0, Presence()
    surprising = PromptQueue(each for each in given if each.surprises)
    with (
        Results(folder, frames, all_objects(given) if cutout else (), save_score, tell) as results,
        contextlib.closing(track(predictor, frames, given)) as steps,
    ):
        if backward is not None:
            with contextlib.closing(backward.follow(predictor)) as before:
                for found in before:
                    if save_score:
                        results.add_scores(found.frame, found.segmentation)
                    progress()
        for followed in steps:
            if backward is not None:
                followed = followed._replace(labels=backward.filled(followed.frame, followed.labels))
            results.add(followed)
            if surprising.take(followed.frame):
                results.show(followed)
            presence.see(followed.frame, followed.labels, followed.object_ids)
            count += 1
            progress()
    late = [each for each in given if not each.is_at(followed.frame)]
    if late:
        raise too_late(late[0])
    return Summary(count, predictor.object_ids, frames.damaged, frames.missing, results.files, results.scores, presence)
