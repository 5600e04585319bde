"""What a model makes of videos whose every frame is annotated: short propagations, and single steps with other guides.

Other than `osmn.evaluation`, nothing is written and memory holds one video: made for calibration and for validation
during training.
"""

import dataclasses

import numpy as np

from osmn.data.types import Reference
from osmn.errors import InputError
from osmn.evaluation.metrics import region_similarity
from osmn.files.images import read_image
from osmn.masks import resized
from osmn.results import layout


@dataclasses.dataclass(frozen=True)
class Figures:
    """Means over objects.

    Attributes:
        j: J of propagation from the first frame.
        area: median of the masks' area in propagation, of the truth's.
    """

    j: float
    area: float


def true_masks(video, masks, frame):
    """Return the masks of a video's objects in a frame, a list of bool (H, W), given {frame name: annotation}."""
    return list(layout.reference_masks(Reference(masks[frame.stem], tuple(video.object_ids))).values())


def propagate(predictor, video, masks, stride=1):
    """Propagate through every `stride`-th frame of a video whose objects are given in its first frame.

    Args:
        predictor: `Predictor`.
        video: `Video`.
        masks: {frame name: path} of its annotations.
        stride: 1 or more.

    Returns:
        J and the area relative to the truth's, (frames, objects, 2), without the first and the last frame.

    Raises:
        InputError: for a video of fewer than three such frames.
    """
    frames = propagated_frames(video, stride)
    predictor.start(read_image(frames[0]))
    for object_id, mask in zip(video.object_ids, true_masks(video, masks, frames[0]), strict=True):
        predictor.add_object(object_id, mask)
    rows = []
    for frame in frames[1:-1]:
        segmentation = predictor.step(read_image(frame))
        rows.append(compare(segmentation.masks, true_masks(video, masks, frame)))
    return np.array(rows)


def propagated_frames(video, stride):
    """Return every `stride`-th frame of a video; InputError if these are fewer than three."""
    frames = video.frames[::stride]
    if len(frames) < 3:
        raise InputError(
            f"{video.frames[0].parent} is too short: of {len(video.frames)} frames, one in {stride} makes"
            f" {len(frames)}, and the first and last of them do not count; leave the video out of the split"
        )
    return frames


def compare(ours, truths):
    """Return [J, area relative to the truth's] of each of some masks, bool (h, w), and the true ones, bool (H, W)."""
    rows = []
    for mask, truth in zip(ours, truths, strict=True):
        whole = resized(mask, truth.shape[::-1])
        rows.append((region_similarity(truth, whole), whole.sum() / max(1, truth.sum())))
    return rows


def own_gammas(engine, video):
    """Return the gammas of a video's objects, from their reference frames: a list, an object's a list of arrays."""
    gammas = []
    for number, reference in video.references.items():
        frame = read_image(video.frames[number])
        gammas += [engine.gammas(frame, mask) for mask in layout.reference_masks(reference).values()]
    return gammas


def single_steps(engine, video, masks, choices, im_size, every):
    """Segment single frames of a video from the true masks before them, so that no error of propagation counts.

    Args:
        engine: a `models.engines.Engine`.
        video: `Video`.
        masks: {frame name: path} of its annotations.
        choices: a list, each the gammas of the video's objects, as `own_gammas` returns them.
        im_size: (width, height) of the network's images.
        every: frames from one step to the next.

    Returns:
        J and the area relative to the truth's, (steps, choices, objects, 2).
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


def figures(predictor, videos, annotations, stride=1):
    """Return the `Figures` of some videos, `annotations` being {video name: {frame name: path}}."""
    means, areas = [], []
    for video in videos:
        rows = propagate(predictor, video, annotations[video.name], stride)
        means += list(rows[..., 0].mean(axis=0))
        areas += list(np.median(rows[..., 1], axis=0))
    return Figures(float(np.mean(means)), float(np.median(areas)))


def gain(engine, videos, annotations, im_size, every):
    """Return what the gammas know of the objects: J of single steps with an object's own, less that with others'.

    The others' are the mean of the gammas of all other objects in `videos`; the result is the mean over objects, and
    None for a network without gammas, or where there is one object alone. For the rest see `single_steps`.
    """
    own = [own_gammas(engine, video) for video in videos]
    known = [gammas for objects in own for gammas in objects]
    if len(known) < 2 or not known[0]:
        return None
    sums = [np.sum(layer, axis=0) for layer in zip(*known, strict=True)]
    differences = []
    for video, objects in zip(videos, own, strict=True):
        others = [
            [(total - layer) / (len(known) - 1) for total, layer in zip(sums, gammas, strict=True)]
            for gammas in objects
        ]
        masks = annotations[video.name]
        j = single_steps(engine, video, masks, [objects, others], im_size, every)[..., 0].mean(axis=0)
        differences += list(j[0] - j[1])
    return float(np.mean(differences))
