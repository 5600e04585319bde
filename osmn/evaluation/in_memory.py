"""Scores of a model on fully annotated videos: of short propagations, and of single steps with other guides.

Unlike the other modules of this package, it reads and writes no results, and keeps a single video in memory. It serves
calibration, and validation during training.
"""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from osmn.data.types import Reference, Video
from osmn.errors import InputError
from osmn.evaluation.metrics import region_similarity
from osmn.files.images import read_image
from osmn.masks import Size, resized
from osmn.results import layout


class Network(Protocol):
    """What this module needs of a `models.engines.Engine`, which a later package defines."""

    def gammas(self, frame: np.ndarray, mask: np.ndarray) -> list[np.ndarray]:
        """Return what the visual modulator makes of an object; see `Engine`."""

    def segment(
        self, frame: np.ndarray, masks: np.ndarray, gammas: Sequence[np.ndarray]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return probabilities and masks of the objects in a frame; see `Engine`."""


class Masks(Protocol):
    """What this module needs of an `inference.predictor.Segmentation`."""

    @property
    def masks(self) -> np.ndarray:
        """The objects' masks, bool (N, h, w)."""


class Propagator(Protocol):
    """What this module needs of an `inference.predictor.Predictor`, which a later package defines."""

    def start(self, frame: np.ndarray) -> None:
        """Begin a video at its first frame, uint8 (H, W, 3)."""

    def follow(self, object_id: int | None, mask: np.ndarray) -> None:
        """Follow an object from its mask, bool (H, W), in the last frame."""

    def step(self, frame: np.ndarray) -> Masks:
        """Segment the next frame, uint8 (H, W, 3)."""


@dataclasses.dataclass(frozen=True)
class Figures:
    """Scores of propagation from the first frame.

    Attributes:
        j: the mean of J over the objects.
        area: the median of the masks' areas, relative to those of the true masks.
    """

    j: float
    area: float


def true_masks(video: Video, masks: Mapping[str, Path], frame: Path) -> list[np.ndarray]:
    """Return the true masks, bool (H, W), of a video's objects in a frame; `masks` is {frame name: annotation}."""
    return list(layout.reference_masks(Reference(masks[frame.stem], tuple(video.object_ids))).values())


def propagate(predictor: Propagator, video: Video, masks: Mapping[str, Path], stride: int = 1) -> np.ndarray:
    """Propagate through every `stride`-th frame of a video whose objects are given in its first frame.

    Args:
        predictor: a `Predictor`.
        video: the video.
        masks: {frame name: path} of the video's annotations.
        stride: 1 or more.

    Returns:
        J and the area relative to that of the true mask, (frames, objects, 2), without the first and the last frame.

    Raises:
        InputError: for a video with fewer than three such frames.
    """
    frames = propagated_frames(video, stride)
    predictor.start(read_image(frames[0]))
    for object_id, mask in zip(video.object_ids, true_masks(video, masks, frames[0]), strict=True):
        predictor.follow(object_id, mask)
    rows = []
    for frame in frames[1:-1]:
        segmentation = predictor.step(read_image(frame))
        rows.append(compare(segmentation.masks, true_masks(video, masks, frame)))
    return np.array(rows)


def propagated_frames(video: Video, stride: int) -> tuple[Path, ...]:
    """Return every `stride`-th frame of a video; raise InputError if there are fewer than three."""
    frames = video.frames[::stride]
    if len(frames) < 3:
        raise InputError(
            f"{video.frames[0].parent} is too short: of {len(video.frames)} frames, one in {stride} makes"
            f" {len(frames)}, and the first and last of them do not count; leave the video out of the split"
        )
    return frames


def compare(ours: Iterable[np.ndarray], truths: Iterable[np.ndarray]) -> list[tuple[float, float]]:
    """Return (J, area relative to the true mask's) of each mask of `ours`, bool (h, w), and its truth, bool (H, W)."""
    rows = []
    for mask, truth in zip(ours, truths, strict=True):
        whole = resized(mask, Size.of(truth))
        rows.append((region_similarity(truth, whole), whole.sum() / max(1, truth.sum())))
    return rows


def own_gammas(engine: Network, video: Video) -> list[list[np.ndarray]]:
    """Return the gammas of each of a video's objects, lists of (1, 1, 1, C), from their reference frames."""
    gammas: list[list[np.ndarray]] = []
    for number, reference in video.references.items():
        frame = read_image(video.frames[number])
        gammas += [engine.gammas(frame, mask) for mask in layout.reference_masks(reference).values()]
    return gammas


def single_steps(
    engine: Network,
    video: Video,
    masks: Mapping[str, Path],
    choices: Sequence[Sequence[Sequence[np.ndarray]]],
    im_size: tuple[int, int],
    every: int,
) -> np.ndarray:
    """Segment single frames of a video from the true masks of the frames before, so that propagation adds no error.

    Args:
        engine: a `models.engines.Engine`.
        video: the video.
        masks: {frame name: path} of the video's annotations.
        choices: several choices of the gammas of the video's objects, each as `own_gammas` returns them.
        im_size: (width, height) of the network's images.
        every: frames from a step to the next step.

    Returns:
        J and the area relative to that of the true mask, (steps, choices, objects, 2).
    """
    rows = []
    for number in range(0, len(video.frames) - 1, every):
        frame, following = video.frames[number : number + 2]
        before = np.stack([resized(mask, im_size) for mask in true_masks(video, masks, frame)])
        truths, image = true_masks(video, masks, following), read_image(following, im_size)
        row = []
        for gammas in choices:
            layers = [np.concatenate(layer) for layer in zip(*gammas, strict=True)]
            row.append(compare(engine.segment(image, before, layers)[1], truths))
        rows.append(row)
    return np.array(rows)


def figures(
    predictor: Propagator, videos: Iterable[Video], annotations: Mapping[str, Mapping[str, Path]], stride: int = 1
) -> Figures:
    """Return the `Figures` of `videos`; `annotations` is {video name: {frame name: path}}."""
    means: list[float] = []
    areas: list[float] = []
    for video in videos:
        rows = propagate(predictor, video, annotations[video.name], stride)
        means += list(rows[..., 0].mean(axis=0))
        areas += list(np.median(rows[..., 1], axis=0))
    return Figures(float(np.mean(means)), float(np.median(areas)))


def gain(
    engine: Network,
    videos: Sequence[Video],
    annotations: Mapping[str, Mapping[str, Path]],
    im_size: tuple[int, int],
    every: int,
) -> float | None:
    """Return what the gammas know of the objects: J of single steps with an object's own gammas, less J with others.

    The other gammas are the mean over all other objects in `videos`. The result is the mean over the objects, and
    None for a network without gammas and for a single object. For the arguments see `single_steps`.
    """
    own = [own_gammas(engine, video) for video in videos]
    known = [gammas for objects in own for gammas in objects]
    if len(known) < 2 or not known[0]:
        return None
    sums = [np.sum(layer, axis=0) for layer in zip(*known, strict=True)]
    differences: list[float] = []
    for video, objects in zip(videos, own, strict=True):
        others = [
            [(total - layer) / (len(known) - 1) for total, layer in zip(sums, gammas, strict=True)]
            for gammas in objects
        ]
        masks = annotations[video.name]
        j = single_steps(engine, video, masks, [objects, others], im_size, every)[..., 0].mean(axis=0)
        differences += list(j[0] - j[1])
    return float(np.mean(differences))
