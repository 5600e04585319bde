"""A target model of an object: what tells it from the rest of its reference frame. Not in the published program.

A *target model* is a classifier of a frame's places that is made for one object: from its reference mask and then, now
and then, from its own masks (Robinson et al., "Learning fast and robust target models for video object segmentation",
CVPR 2020). Theirs are two convolutions, trained by steps. Here it is a linear function of features of the visual
modulator, fitted by least squares in closed form, so that nothing is trained in a video. Its scores are about 1 on the
object and -1 elsewhere. They are added to the network's logits; and where an object's mask has died, they say where it
is seen again.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from concurrent.futures import Future
from typing import NamedTuple

import numpy as np
from PIL import Image

from osmn.inference.frames import resized_frame
from osmn.inference.search import DEAD, candidates
from osmn.inference.window import Box, Window, window_of
from osmn.masks import Size
from osmn.models.engines import Engine
from osmn.parallel import in_background

SIDE = 360  # Pixels of the short side of frames whose features are taken, at most; 270 find fewer objects again.
DIRECTIONS = 256  # Of the features, in which the reference frame varies most; all of 768 gain 0.002 of J.
RIDGE = 0.1  # Added to each direction's second moment, where that of a feature is about 1.
GAIN = 3.0  # Of a score, in logits.
MOST = 20.0  # Of a score: float32 holds the exponential of `GAIN` times as much, and of a third more between places.
CUBIC = 2  # Places on either side that cubic interpolation sees.
WIDER = 0.5  # Than the objects' box are windows of features, by this part of its sides; 0.8 gains nothing.
STRIDE = 8  # Pixels between the places of the finer features.
EVERY = 8  # Frames from one fit to the next; 4 gain nothing, 16 are too few where an object turns.
RATE = 0.34  # Part of a new frame in the moments.
EVERY_ROW = 2  # In frames after the reference, every second row of places is enough to learn from.
KEPT = 0.5  # Part of the reference frame in each fit, however long ago it was.
LEAST_SPREAD = 1e-3  # Of a feature's values, which are divided by their spread.


class Features:
    """The visual modulator's features in a window of a frame, at the places of the finer map.

    Args:
        fine: float32 (C, h, w).
        coarse: float32 (C', h', w'), of fewer places.
        places: of the whole frame's places, those that `fine` has: rows and columns.
        size: (width, height) of the whole frame, in places.
    """

    def __init__(self, fine: np.ndarray, coarse: np.ndarray, places: tuple[slice, ...], size: Size) -> None:
        self._fine, self._coarse, self.places, self.size = fine, coarse, places, size

    def values(self) -> np.ndarray:
        """Return float32 (C + C', places), the coarse map resized to the finer one's places."""
        return _rows(np.concatenate([self._fine, self._larger(self._coarse)]))

    def products(self, weights: np.ndarray, step: int) -> np.ndarray:
        """Return `weights @ values()`, (N, places), for (N, C + C'), at the places of every `step`-th row."""
        channels = len(self._fine)
        coarse = weights[:, channels:] @ _rows(self._coarse)
        coarse = self._larger(coarse.reshape(-1, *self._coarse.shape[1:]), step)
        return weights[:, :channels] @ _rows(self._fine[:, ::step]) + _rows(coarse)

    def scores(self, target: Target) -> np.ndarray:
        """Return a target model's scores, float32 (h, w), from -20 to 20, of the whole frame: -1 outside of the window.

        Features that the reference frame lacks would give scores of any size.

        Not by a matrix product: NumPy's threads wait busily for the next one, and the engine would have half of the
        processors in the meantime.
        """
        parts = np.split(target.weights, [len(self._fine)])
        fine, coarse = (np.einsum("c,chw->hw", *each) for each in zip(parts, (self._fine, self._coarse), strict=True))
        found = np.full(self.size.shape, -1, np.float32)
        inside = fine + _resized(coarse, Size.of(fine)) + np.float32(target.offset)
        found[self.places] = np.clip(inside, -MOST, MOST)
        return found

    def window_in(self, size: Size) -> Window:
        """Return the pixels, of a frame of (width, height), that the window tells of: elsewhere scores are -1."""
        ends = []
        for places, count, side in zip(self.places, self.size.shape, size.shape, strict=True):
            first, last = max(0, places.start - CUBIC), min(count, places.stop + CUBIC)
            ends.append((first * side // count, -(-last * side // count)))
        (top, bottom), (left, right) = ends
        return Window(left, top, right - left, bottom - top)

    def cover(self, mask: np.ndarray, step: int = 1) -> np.ndarray:
        """Return what part of each place a mask covers, float32 (places,); the mask is bool (H, W), of any size.

        The places are those of every `step`-th row.
        """
        whole = Image.fromarray(mask.astype(np.float32)).resize(self.size, Image.Resampling.BOX)
        return np.asarray(whole)[self.places][::step].ravel()

    def _larger(self, maps: np.ndarray, step: int = 1) -> np.ndarray:
        """Return maps (N, h', w') resized to (N, h, w), of which every `step`-th row."""
        rows, columns = (_matrix(old, new) for old, new in zip(maps.shape[1:], self._fine.shape[1:], strict=True))
        return rows[::step] @ maps @ columns.T


class Target(NamedTuple):
    """The target model of an object; never changed, but replaced.

    Attributes:
        mean: float32 (C, 1), of the features in the reference frame.
        basis: float32 (C, K), from features to the directions that are kept, each feature divided by its spread.
        reference: the `Moments` of the reference frame.
        moments: those of the frames since, with the reference frame.
        weights: float32 (C,): what a feature adds to the score.
        offset: what is added beside them.
        age: frames since the reference frame.
    """

    mean: np.ndarray
    basis: np.ndarray
    reference: Moments
    moments: Moments
    weights: np.ndarray
    offset: float
    age: int = 0


class Moments(NamedTuple):
    """What least squares need of a frame, with a constant feature after the K others.

    Attributes:
        square: float32 ((K + 1) (K + 2) / 2,): the upper triangle of a matrix, since states keep many of them.
        cross: float32 (K + 1,).
    """

    square: np.ndarray
    cross: np.ndarray

    def mixed(self, other: Moments, part: float) -> Moments:
        """Return the moments with a `part`, 0 to 1, of `other`."""
        return Moments(*((1 - part) * ours + part * theirs for ours, theirs in zip(self, other, strict=True)))


def features_of(engine: Engine, frame: np.ndarray, box: Box | None = None) -> Features:
    """Return the `Features` of a frame of the network's size, uint8 (H, W, 3), RGB, or around a `box` in it."""
    size = Size.of(frame)
    scale = min(1, SIDE / min(size))
    width, height = (max(STRIDE, STRIDE * round(scale * side / STRIDE)) for side in size)
    frame = resized_frame(frame, (width, height))
    window = Window(0, 0, width, height)
    if box is not None:
        scales = 2 * (width / size.width, height / size.height)
        box = Box(*(round(scale * end) for scale, end in zip(scales, box, strict=True)))
        window = window_of(box, (width, height), WIDER)
    # Places begin at multiples of the stride, and so do windows, but where they would cut the box.
    left, top = (STRIDE * (start // STRIDE) for start in window[:2])
    rows, columns = window._replace(left=left, top=top).slices
    maps = engine.appearance(np.ascontiguousarray(frame[rows, columns]))
    places = tuple(slice(pixels.start // STRIDE, pixels.stop // STRIDE) for pixels in (rows, columns))
    return Features(*maps, places, Size(width // STRIDE, height // STRIDE))


def fitted(features: Features, mask: np.ndarray) -> Target | None:
    """Return the target model of an object in its reference frame, given its mask, bool (H, W) of any size.

    None where the mask tells nothing: where it is empty or covers the frame.
    """
    cover = features.cover(mask)
    if not 0 < cover.sum() < cover.size:
        return None
    values = features.values()
    mean = values.mean(axis=1, keepdims=True)
    spread = values.std(axis=1, keepdims=True) + LEAST_SPREAD
    values -= mean
    weighted = values / spread * np.sqrt(_shares(cover))
    basis = _largest(weighted @ weighted.T) / spread
    moments = _moments(basis.T @ values, cover)
    return Target(mean, basis, moments, moments, *_fit(mean, basis, moments, moments))


def begin_fit(features: Features, mask: np.ndarray) -> Future[Target | None]:
    """Return what `fitted` will return: a thread fits, while the engine makes ready for the next frame."""
    return in_background(fitted, features, mask.copy())  # The caller may use the array again.


def followed(target: Target, features: Features, mask: np.ndarray, area: int) -> Target:
    """Return the target model one frame later, whose `mask`, bool (H, W), it is fitted to in every `EVERY`-th frame.

    A mask that has died, of less than `DEAD` of `area` pixels, teaches nothing.
    """
    age = target.age + 1
    if age % EVERY or mask.sum() < max(1, DEAD * area):
        return target._replace(age=age)
    cover = features.cover(mask, EVERY_ROW)
    if not 0 < cover.sum() < cover.size:
        return target._replace(age=age)
    values = features.products(target.basis.T, EVERY_ROW) - target.basis.T @ target.mean
    moments = target.moments.mixed(_moments(values, cover), RATE)
    weights, offset = _fit(target.mean, target.basis, target.reference, moments)
    return target._replace(moments=moments, weights=weights, offset=offset, age=age)


def seen(before: np.ndarray, masks: np.ndarray, areas: Sequence[int]) -> Box | None:
    """Return the box around objects by their masks in two frames, bool (N, H, W); None where one of them has died."""
    if any(np.count_nonzero(mask) < max(1, DEAD * area) for mask, area in zip(masks, areas, strict=True)):
        return None
    return Box.of((before | masks).any(axis=0))


def with_scores(
    engine: Engine,
    frame: np.ndarray,
    features: Features,
    segmented: tuple[np.ndarray, np.ndarray],
    objects: Sequence[tuple[Target | None, Sequence[np.ndarray], int]],
) -> tuple[np.ndarray, np.ndarray]:
    """Return probabilities and masks of objects in a frame, with what their target models say.

    Args:
        engine: runs the network.
        frame: uint8 (H, W, 3), RGB, of the network's size.
        features: of the frame.
        segmented: probabilities and masks, (N, H, W), of the N objects, as `Engine.segment` returns them.
        objects: of each its target model, its gammas, a list of (1, 1, 1, C), and the pixels of its reference mask.
    """
    probabilities, masks = (array.copy() for array in segmented)
    window = features.window_in(Size.of(frame))
    for number, (target, gammas, area) in enumerate(objects):
        if target is None:
            continue
        scores = features.scores(target)
        found = _added(probabilities[number], scores, window)
        if np.count_nonzero(found > 0.5) < DEAD * area:
            # Without a spatial guide the network finds nothing: the largest part that scores high is the guide.
            high = _resized(scores, Size.of(frame)) > 0
            place = next(candidates(high[None], max(1, DEAD * area)), None)
            if place is not None:
                again, _ = engine.segment(frame, place[None], gammas)
                found = _added(again[0], scores, window)
        probabilities[number], masks[number] = found, found > 0.5
    return probabilities, masks


def _added(probabilities: np.ndarray, scores: np.ndarray, window: Window) -> np.ndarray:
    """Return probabilities (H, W) after scores (h, w) are added to their logits in a window; 0 outside of it."""
    inside = probabilities[window.slices]
    odds = np.exp(_resized(-GAIN * scores, Size.of(probabilities))[window.slices])
    odds *= 1 - inside
    odds += inside
    found = np.zeros_like(probabilities)
    np.divide(inside, odds, out=found[window.slices])
    return found


def _largest(square: np.ndarray) -> np.ndarray:
    """Return `DIRECTIONS` orthonormal directions, (C, K), that hold nearly the most of a symmetric matrix (C, C).

    A step of subspace iteration from fixed random directions, in a sixth of the time of eigenvectors; more steps gain
    nothing.
    """
    start = np.random.default_rng(0).standard_normal((len(square), DIRECTIONS), np.float32)
    return np.linalg.qr(square @ start).Q


def _shares(cover: np.ndarray) -> np.ndarray:
    """Return how much each place counts: half of all is the object's, half is the rest's."""
    return cover / (2 * cover.sum()) + (1 - cover) / (2 * (1 - cover).sum())


def _moments(values: np.ndarray, cover: np.ndarray) -> Moments:
    roots = np.sqrt(_shares(cover))
    weighted = np.concatenate([values * roots, roots[None]])
    square = weighted @ weighted.T  # Of one array and itself: half of the work.
    return Moments(square[np.triu_indices(len(square))], weighted @ (roots * (2 * cover - 1)))


def _fit(mean: np.ndarray, basis: np.ndarray, reference: Moments, moments: Moments) -> tuple[np.ndarray, float]:
    """Return the weights (C,) and the offset of the least squares' solution."""
    packed, cross = moments.mixed(reference, KEPT)
    square = np.zeros((len(cross), len(cross)), np.float32)
    square[np.triu_indices(len(cross))] = packed
    square += np.triu(square, 1).T + RIDGE * np.eye(len(cross), dtype=np.float32)
    *directions, constant = np.linalg.solve(square, cross)
    weights = basis @ np.array(directions)
    return weights, float(constant - weights @ mean[:, 0])


def _rows(maps: np.ndarray) -> np.ndarray:
    return maps.reshape(len(maps), -1)


def _resized(values: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return a map, float32 (h, w), resized to a (width, height), by cubic interpolation between places' centers."""
    import cv2  # In a tenth of the time that Pillow takes. Only here, since importing it takes a tenth of a second.

    resized: np.ndarray = cv2.resize(values, size, interpolation=cv2.INTER_CUBIC)
    return resized


@functools.lru_cache(maxsize=16)
def _matrix(old: int, new: int) -> np.ndarray:
    """Return the matrix (new, old) that resizes a line of values."""
    return _resized(np.eye(old, dtype=np.float32), (old, new))
