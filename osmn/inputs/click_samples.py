"""Training samples of clicks and boxes: a window of a frame, what a person might have pointed at, and the object.

A sample is a pure function of (seed, step, position in the batch), as all samples are (`inputs.pipeline`). Further
clicks come from the network's own errors (`training.click_feedback`).
"""

import functools
from collections.abc import Callable

import cv2
import numpy as np
import tensorflow as tf

from osmn.inputs import clicks, guides, samples
from osmn.inputs.clicks import Window, box_of, guide_maps, middle, next_click, whole_frame, window_around
from osmn.inputs.pipeline import Pipeline
from osmn.masks import Size, resized

_STREAM = 5  # Keeps apart the random streams that share a sample's seed; see `inputs.pipeline`.
SHAPES = samples.Sample((1, 1, 3), (None, None, len(clicks.MAPS)), (None, None, 3), (None, None, 1))

# How a sample is pointed at, and how often: by a box alone; by a box and clicks; by clicks, in a window around the
# object or in the whole frame, as the first click is; by clicks on the errors of a mask.
WAYS = {"box": 0.25, "box and clicks": 0.15, "clicks": 0.25, "whole frame": 0.15, "mask": 0.2}
BOX_NOISE = (-0.05, 0.25)  # How far a side of a box lies outward, relative to the object's width or height.
MARGINS = (1.2, 1.8)  # Of windows, relative to the box or to what is known of the object.


class ClickPipeline(Pipeline):
    """`Pipeline` of samples for a click network: their guides are the maps `clicks.MAPS`, without a visual guide.

    The images are squares: of `options.im_size` only the width counts.
    """

    def sample(self, step: int | tf.Tensor, position: int | tf.Tensor) -> samples.Sample:
        """Return the `samples.Sample`, whose spatial guide is float32 (S, S, 4) and visual guide (1, 1, 3), zeros."""
        options = self._options
        seed = samples.sample_seed(options.seed, step, position)
        guide_seed, sample_seed = tf.unstack(tf.random.split(seed, 2))
        views = self._load(*self.example(step, position), guide_seed)
        if options.distractors:
            views = self._distract(views, self.distractor(step, position))
        side = samples.batch_size_scale(options.seed, step, options.im_size, options.data_aug_scales)[0]
        drawn = tf.random.fold_in(sample_seed, _STREAM)
        kinds = (tf.uint8, tf.uint8, tf.uint8)
        arguments = [views.frame, tf.cast(guides.plane(views.label), tf.bool), side, drawn]
        image, maps, label = tf.numpy_function(pointed_at, arguments, kinds, stateful=False)
        image = tf.ensure_shape(image, [None, None, 3])
        if options.augmentation.vg_color_aug:
            image = samples.random_color(image, sample_seed)
        sample = samples.Sample(
            guide=tf.zeros(SHAPES.guide),
            spatial=tf.cast(maps, tf.float32),
            image=guides.normalize(image, self._config),
            label=tf.cast(label, tf.float32)[..., None],
        )
        return samples.Sample(*map(tf.ensure_shape, sample, SHAPES))


def pointed_at(
    frame: np.ndarray, label: np.ndarray, side: int, seed: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return (image, maps, label) of a window of a frame in which the object is pointed at.

    Args:
        frame: uint8 (H, W, 3), RGB.
        label: bool (h, w), the object, of the frame or of another size.
        side: of the window, in pixels of the network's image.
        seed: integers (2,).

    Returns:
        uint8 arrays (side, side, 3), (side, side, 4) of 0 and 1, and (side, side) of 0 and 1.
    """
    random, side = np.random.default_rng([int(part) & 0xFFFFFFFFFFFFFFFF for part in seed]), int(side)
    if label.shape != frame.shape[:2]:
        label = resized(label, Size.of(frame))
    if random.random() < 0.5:
        frame, label = np.ascontiguousarray(frame[:, ::-1]), np.ascontiguousarray(label[:, ::-1])
    way = str(random.choice(list(WAYS), p=list(WAYS.values())))
    object_box = box_of(label)
    if object_box is None:  # Nothing is the object; a click says so.
        window = whole_frame(Size.of(frame))
        maps = guide_maps(side, [], [tuple(random.uniform(0, side, 2))])
        return window.cut(frame, side, clicks.GRAY), maps, np.zeros((side, side), np.uint8)
    box = _noisy_box(object_box, Size.of(frame), random)
    size = Size.of(frame)
    window = whole_frame(size) if way == "whole frame" else _window(way, box, object_box, size, random)
    truth = window.cut(label.astype(np.uint8), side, 0, nearest=True) > 0
    positive: list[tuple[float, float]] = []
    negative: list[tuple[float, float]] = []
    mask = None
    if way == "mask" or (way in ("clicks", "whole frame") and random.random() < 0.25):
        mask = spoilt(truth, random)
        for _ in range(1 + int(random.integers(2))):
            click, number = next_click(truth, mask, random)
            (positive if number == clicks.POSITIVE else negative).append(click)
    elif way != "box":
        positive = [middle(truth, random)[0] for _ in range(int(random.geometric(0.6)))]
        beside = window.cut((~label).astype(np.uint8), side, 0, nearest=True) > 0
        negative = _inside(beside, int(random.integers(3)), random)
    shown = window.box_inside(box, side) if way.startswith("box") else None
    maps = guide_maps(side, positive, negative, shown, mask)
    return window.cut(frame, side, clicks.GRAY), maps, truth.astype(np.uint8)


def _noisy_box(
    box: tuple[int, int, int, int], size: Size, random: np.random.Generator
) -> tuple[float, float, float, float]:
    """Return a box as a person draws it around an object whose box is given, inside a frame of a size."""
    left, top, right, bottom = box
    moves = random.uniform(*BOX_NOISE, 4) * [right - left, bottom - top, right - left, bottom - top]
    return (
        max(left - moves[0], 0.0),
        max(top - moves[1], 0.0),
        min(right + moves[2], float(size.width)),
        min(bottom + moves[3], float(size.height)),
    )


def _window(
    way: str,
    box: tuple[float, float, float, float],
    object_box: tuple[int, int, int, int],
    size: Size,
    random: np.random.Generator,
) -> Window:
    if way.startswith("box"):
        return window_around(box, random.uniform(*MARGINS), size)
    left, top, right, bottom = object_box
    x, y = random.uniform(-0.15, 0.15, 2) * max(right - left, bottom - top)
    return window_around((left + x, top + y, right + x, bottom + y), random.uniform(*MARGINS), size)


def _inside(region: np.ndarray, count: int, random: np.random.Generator) -> list[tuple[float, float]]:
    """Return so many clicks in a region, bool (H, W), away from its edge; none where it has no room."""
    far = cv2.distanceTransform(region.astype(np.uint8), cv2.DIST_L2, 5) > 2 * clicks.RADIUS
    places = np.flatnonzero(far)
    if not len(places):
        return []
    rows, columns = np.divmod(random.choice(places, count), region.shape[1])
    return list(zip(columns.tolist(), rows.tolist(), strict=True))


def spoilt(truth: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Return a mask, bool (H, W), as a network or a hand has it that errs: moved, too large, too small, in part."""
    height, width = truth.shape
    size = float(np.sqrt(max(truth.sum(), 1)))
    ways: list[Callable[[np.ndarray], np.ndarray]] = [
        functools.partial(_moved, shift=random.uniform(-0.2, 0.2, 2) * size),
        functools.partial(_thicker, pixels=int(random.uniform(-0.12, 0.15) * size)),
        functools.partial(_cut, angle=random.uniform(0, 2 * np.pi), share=random.uniform(0.1, 0.6)),
        functools.partial(
            _ragged, noise=random.normal(size=(8, 8)).astype(np.float32), strength=random.uniform(0.2, 1)
        ),
        functools.partial(
            _with_blob, center=random.uniform(0, [width, height]), radius=random.uniform(0.1, 0.5) * size
        ),
    ]
    mask = truth
    for number in random.permutation(len(ways))[: 1 + int(random.integers(3))]:
        mask = ways[number](mask)
    return mask


def _moved(mask: np.ndarray, shift: np.ndarray) -> np.ndarray:
    matrix = np.array([[1, 0, shift[0]], [0, 1, shift[1]]], np.float32)
    return cv2.warpAffine(mask.astype(np.uint8), matrix, mask.shape[::-1], flags=cv2.INTER_NEAREST) > 0


def _thicker(mask: np.ndarray, pixels: int) -> np.ndarray:
    if not pixels:
        return mask
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * abs(pixels) + 1,) * 2)
    change = cv2.dilate if pixels > 0 else cv2.erode
    return change(mask.astype(np.uint8), kernel) > 0


def _cut(mask: np.ndarray, angle: float, share: float) -> np.ndarray:
    """Return a mask without a share of its pixels, on one side."""
    y, x = np.nonzero(mask)
    if not len(x):
        return mask
    along = x * np.cos(angle) + y * np.sin(angle)
    kept = along >= np.quantile(along, share)
    rest = np.zeros_like(mask)
    rest[y[kept], x[kept]] = True
    return rest


def _ragged(mask: np.ndarray, noise: np.ndarray, strength: float) -> np.ndarray:
    """Return a mask whose edge wanders, by a coarse map of noise."""
    soft = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), max(1.0, 0.06 * float(np.sqrt(mask.sum()))))
    return soft + 0.3 * strength * cv2.resize(noise, mask.shape[::-1], interpolation=cv2.INTER_CUBIC) > 0.5


def _with_blob(mask: np.ndarray, center: np.ndarray, radius: float) -> np.ndarray:
    rows, columns = np.ogrid[: mask.shape[0], : mask.shape[1]]
    return mask | ((rows - center[1]) ** 2 + (columns - center[0]) ** 2 < radius**2)
