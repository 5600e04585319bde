"""How well a model tells an object from a look-alike beside it: J with its own visual guide, and with others'.

Takes the options of `osmn_train_eval.py` that describe a trained model, and makes videos of those of the test split:
beside the object moves its mirror image, whose hue is turned by `--hue` degrees. All objects of a frame are one
(`--data_version 2016`). "own": J of propagation with the object's gammas; "another's": with those of another video's
object, the mean over all of these; "others'": with the mean of their gammas, which know of no object; "turned": with
the gammas of the look-alike, from its own place in the first frame. `--pictures FOLDER` writes a frame of each video.
"""

import dataclasses
from dataclasses import field
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.trained_model import OF_PROPAGATION, begin
from osmn.cli.entry import reports_input_errors
from osmn.errors import InputError
from osmn.evaluation import in_memory
from osmn.evaluation.metrics import region_similarity
from osmn.files.images import read_image, write_image
from osmn.inference.predictor import Predictor
from osmn.masks import Size, resized
from osmn.options import finite, option, positive

GAP = 1.1  # from the object's centre to the look-alike's, in widths of the object's box


class WithGammas:
    """An engine that gives every object the same gammas, whatever its guide shows."""

    def __init__(self, engine, gammas):
        self._gammas, self.segment = gammas, engine.segment

    def gammas(self, frame, mask):
        """Return the gammas that were given."""
        return self._gammas


def turned(frame, degrees):
    """Return a frame, uint8 (H, W, 3), whose hues are turned by some degrees."""
    hue, saturation, value = Image.fromarray(frame).convert("HSV").split()
    shift = round(degrees / 360 * 256)
    hue = hue.point([(level + shift) % 256 for level in range(256)])
    return np.asarray(Image.merge("HSV", (hue, saturation, value)).convert("RGB"))


def with_look_alike(frame, mask, side, degrees):
    """Return a frame with the object's mirror image, turned in hue, beside and behind it, and where that is seen.

    Args:
        frame: uint8 (H, W, 3).
        mask: bool (H, W): the object; without one the frame stays as it is.
        side: 1 for its right, -1 for its left.
        degrees: of the hue.
    """
    columns = np.flatnonzero(mask.any(axis=0))
    if not columns.size:
        return frame, np.zeros_like(mask)
    shift = side * round(GAP * (columns[-1] + 1 - columns[0]))
    # Column x of the picture is the object's column `mirror - x`, where that is in the frame.
    mirror = columns[0] + columns[-1] + shift
    x = np.arange(mask.shape[1])
    source = np.clip(mirror - x, 0, mask.shape[1] - 1)
    copied = mask[:, source] & (mirror - x == source) & ~mask
    return np.where(copied[..., None], turned(frame, degrees)[:, source], frame), copied


def pasted(video, masks, degrees):
    """Return a video's frames with the look-alike, the true masks, and the masks of the look-alike, three lists."""
    frames, truths, copies = [], [], []
    side = 0
    for path in video.frames:
        (truth,) = in_memory.true_masks(video, masks, path)
        if not side:  # Of the first frame: where there is more room.
            side = 1 if np.flatnonzero(truth.any(axis=0)).mean() < truth.shape[1] / 2 else -1
        frame, copy = with_look_alike(read_image(path, Size.of(truth)), truth, side, degrees)
        frames.append(frame)
        truths.append(truth)
        copies.append(copy)
    return frames, truths, copies


def propagated_j(engine, frames, truths, im_size):
    """Return the mean J of the object's propagation, without the first and the last frame."""
    predictor = Predictor(engine, im_size)
    predictor.start(frames[0])
    predictor.add_object(1, truths[0])
    found = []
    for frame, truth in zip(frames[1:-1], truths[1:-1], strict=True):
        (mask,) = predictor.step(frame).masks
        found.append(region_similarity(truth, resized(mask, Size.of(truth))))
    return np.mean(found)


@dataclasses.dataclass(frozen=True)
class Pasting:
    """What is pasted into which frames."""

    stride: int = field(default=1, metadata=option("from a frame to the next", positive(int)))
    hue: float = field(default=120.0, metadata=option("of the look-alike, degrees from the object's", finite))
    pictures: str = field(default="", metadata=option("folder for a picture of each video"))


@reports_input_errors
def main(argv=None):
    """Print the table, a video a row."""
    args, model, videos, annotations = begin(__doc__, Pasting, argv, without=(*OF_PROPAGATION, "target_model"))
    im_size = tuple(args.im_size)
    engine = model.start_engine(args.vg_pad_ratio)
    if len(videos) < 2:
        raise InputError(f"{args.test_split} has one video; others' guides need two or more")
    (own,) = zip(*(in_memory.own_gammas(engine, video) for video in videos), strict=True)
    print("video                     own  another's  others'  turned")
    rows = []
    for number, video in enumerate(videos):
        video = video._replace(frames=in_memory.propagated_frames(video, args.stride))
        frames, truths, copies = pasted(video, annotations[video.name], args.hue)
        if args.pictures:
            middle = len(frames) // 2
            write_image(Path(args.pictures) / f"{video.name}.png", frames[middle])
        others = own[:number] + own[number + 1 :]
        mean = [np.mean(layer, axis=0) for layer in zip(*others, strict=True)]
        choices = own[number], *others, mean, engine.gammas(frames[0], copies[0])
        j = (propagated_j(WithGammas(engine, each), frames, truths, im_size) for each in choices)
        with_own, *with_anothers, with_mean, with_turned = j
        rows.append([with_own, np.mean(with_anothers), with_mean, with_turned])
        print_row(video.name, rows[-1])
    print_row("mean", np.mean(rows, axis=0))


def print_row(name, row):
    """Print a video's figures."""
    print(f"{name:22}{row[0]:7.3f}{row[1]:11.3f}{row[2]:9.3f}{row[3]:8.3f}", flush=True)


if __name__ == "__main__":
    main()
