"""What the boundary net learns from: windows at objects' boundaries, with a network's logits and the true masks.

A sample is a pure function of (seed, step, position in the batch). Nothing here imports TensorFlow.
"""

import concurrent.futures
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from osmn.config import LEAST_PROBABILITY
from osmn.data import folders
from osmn.data.folders import Folders
from osmn.errors import InputError, argument
from osmn.files.images import read_image, read_labels
from osmn.files.scores import read_scores
from osmn.inference.frames import resized_frame
from osmn.masks import HALF, Size, of_object
from osmn.parallel import processors
from osmn.progress import progress_bar
from osmn.results.layout import object_folder
from osmn.training.options import BoundaryData

SIDE = 128  # Of a window, in pixels of the network's image: 3.5 times as far as the net sees.
REACH = 40  # The window's center is at most so far from a boundary pixel, each way.
FARTHEST = REACH + SIDE // 2  # From a boundary pixel to the pixels of windows.
LEAST_IOU = 0.4  # Below it an object is lost: the truth is no correction of such scores.
GAIN = (0.7, 1.3)  # Each color's contrast is multiplied by a number of this range;
SHIFT, TINT = 32.0, 12.8  # all colors get up to SHIFT brighter or darker, and each one up to TINT.
LOGIT_NOISE = 0.5  # Standard deviation of a window's shift of its logits.

logger = logging.getLogger(__name__)


class Files(NamedTuple):
    """The paths of a frame, of a mask and of scores of an object, which has the `label`; 0: all labels but void."""

    frame: Path
    mask: Path
    label: int
    scores: Path


class View(NamedTuple):
    """An object in a frame, at the size of its scores; the parts of the frame that no window reaches are cut off.

    Attributes:
        image: uint8 (H, W, 3), RGB.
        logits: float16 (H, W), of at most `MOST_LOGIT`.
        truth: uint8 (H, W): 255 times the share of a pixel that is the object's.
    """

    image: np.ndarray
    logits: np.ndarray
    truth: np.ndarray


class Sample(NamedTuple):
    """A window, or (B, ...) of several, float32.

    Attributes:
        image: (128, 128, 3), RGB; 0 to 255 before its colors were varied.
        logits: (128, 128).
        truth: (128, 128), 0 to 1.
    """

    image: np.ndarray
    logits: np.ndarray
    truth: np.ndarray


def places(data: BoundaryData) -> list[tuple[Folders, Path]]:
    """Return (`Folders`, folder of scores) of each dataset; raise InputError if one has no video or no scores."""
    found = []
    for (frames, masks, scores), listed in zip(data.videos, data.list or [None] * len(data.videos), strict=True):
        if listed is not None and not Path(listed).is_file():
            raise InputError(f"{listed} does not exist; give {argument('list')} a text file with names of videos")
        where = Folders(Path(frames), Path(masks), None if listed is None else Path(listed))
        if where.names and not Path(scores).is_dir():
            raise InputError(f"{scores} does not exist; give the folder of results with score files (--save_score)")
        found.append((where, Path(scores)))
    return found


def read(where: Folders, scores: Path) -> list[View]:
    """Return the views of all objects of videos in all frames that have a mask and scores; say how many there are.

    Args:
        where: the folders of frames and masks.
        scores: the folder of the results of these videos, with score files.

    Raises:
        InputError: if a file is damaged, or if there is nothing to learn from.
    """
    files, lacking = _find(where, scores)
    if not files:
        raise InputError(
            f"{scores} has no scores of the masks in {where.masks}, neither <video>/<frame>.npy nor"
            " <video>/<object>/<frame>.npy; segment these videos with --save_score"
        )
    with concurrent.futures.ThreadPoolExecutor(processors()) as pool:
        found = list(progress_bar(pool.map(_view, files), brief=True, total=len(files), desc="frames", leave=False))
    views = [view for view in found if view is not None]
    if not views:
        raise InputError(
            f"{scores} has no scores that agree with the masks in {where.masks} (IoU of {LEAST_IOU} and more); give the"
            " results of these videos"
        )
    apart = len(files) - len(views)
    logger.info(
        f"{where.masks}: {len(views)} masks of objects to learn from; left out: {lacking} without scores, {apart} that"
        f" the scores do not meet (IoU below {LEAST_IOU}) or that have no boundary"
    )
    return views


def _find(where: Folders, scores: Path) -> tuple[list[Files], int]:
    """Return the `Files` of all objects in all frames that have masks and scores, and how many have no scores."""
    found, lacking = list[Files](), 0
    for name in progress_bar(where.names, brief=True, desc="masks", unit="video", leave=False):
        frames, masks = folders.annotated(where, name)
        for frame, ids in folders.presence(masks, frames):
            # Scores without an object's folder are of all objects as one, whatever ids the masks have.
            single = (scores / name / f"{frame}.npy").is_file() and not masks.objects
            for object_id in (None,) if single and ids else ids:
                path = object_folder(scores / name, object_id) / f"{frame}.npy"
                label = 0 if object_id is None or masks.objects else object_id
                if path.is_file():
                    found.append(Files(frames[frame], masks.mask(object_id, frame), label, path))
                else:
                    lacking += 1
    return found, lacking


def _view(files: Files) -> View | None:
    """Return a view; None if its mask has no boundary, or if its scores are too far from the mask."""
    scores, labels = read_scores(files.scores), read_labels(files.mask)
    size = Size.of(scores)
    mask = labels == files.label if files.label else of_object(labels)
    truth = np.asarray(Image.fromarray(np.where(mask, np.uint8(255), 0)).resize(size, Image.Resampling.BOX))
    edges = np.argwhere(_edges(truth))
    if not edges.size or _iou(scores > 0.5, truth >= HALF) < LEAST_IOU:
        return None
    part = tuple(
        slice(max(0, min(first - FARTHEST, side - SIDE)), max(last + FARTHEST, SIDE))
        for first, last, side in zip(edges.min(0), edges.max(0), truth.shape, strict=True)
    )
    image = resized_frame(read_image(files.frame), size)
    return View(image[part].copy(), logits_of(scores[part]).astype(np.float16), truth[part].copy())


def logits_of(scores: np.ndarray) -> np.ndarray:
    """Return the logits, float32 from -`MOST_LOGIT` to `MOST_LOGIT`, of probabilities."""
    scores = np.clip(scores.astype(np.float64), LEAST_PROBABILITY, 1 - LEAST_PROBABILITY)
    logits: np.ndarray = np.log(scores / (1 - scores)).astype(np.float32)
    return logits


def _iou(a: np.ndarray, b: np.ndarray) -> float:
    return float((a & b).sum() / max(1, (a | b).sum()))


def _edges(truth: np.ndarray) -> np.ndarray:
    """Return where a mask, uint8 (H, W), changes to the right or below, bool."""
    solid = truth >= HALF
    edges = np.zeros_like(solid)
    edges[:, :-1] |= solid[:, 1:] != solid[:, :-1]
    edges[:-1] |= solid[1:] != solid[:-1]
    return edges


def sample(views: Sequence[View], seed: int, step: int, position: int) -> Sample:
    """Return the sample of a place in the batch of a step: a window of a random view, its colors and logits varied."""
    random = np.random.default_rng([seed % 2**64, step, position])
    view = views[int(random.integers(len(views)))]
    edges = np.flatnonzero(_edges(view.truth))
    pixel = np.unravel_index(edges[random.integers(len(edges))], view.truth.shape)
    corner = np.asarray(pixel) + random.integers(-REACH, REACH + 1, 2) - SIDE // 2
    top, left = np.clip(corner, 0, np.maximum(0, np.subtract(view.truth.shape, SIDE)))
    colors, logits, truth = (_cut(each, top, left).astype(np.float32) for each in view)
    image: np.ndarray = (colors - 128) * random.uniform(*GAIN, 3) + 128
    image += random.uniform(-SHIFT, SHIFT) + random.uniform(-TINT, TINT, 3)
    if random.random() < 0.5:
        image = image[..., random.permutation(3)]
    logits += random.normal(0, LOGIT_NOISE)
    flip = -1 if random.random() < 0.5 else 1
    parts = (image, logits, truth / 255)
    return Sample(*(np.ascontiguousarray(part[:, ::flip], np.float32) for part in parts))


def _cut(pixels: np.ndarray, top: int, left: int) -> np.ndarray:
    """Return a window of (H, W, ...) pixels; what is smaller gets more of its last row and column."""
    window = pixels[top : top + SIDE, left : left + SIDE]
    missing = [(0, SIDE - side) for side in window.shape[:2]] + [(0, 0)] * (window.ndim - 2)
    return np.pad(window, missing, "edge")


def batch(views: Sequence[View], seed: int, step: int, size: int) -> Sample:
    """Return the (size, ...) samples of a step."""
    drawn = [sample(views, seed, step, position) for position in range(size)]
    return Sample(*map(np.stack, zip(*drawn, strict=True)))
