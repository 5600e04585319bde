"""What `--window` saves and what it costs: J, the network's pixels and milliseconds per frame, with it and without it.

Takes the options of `osmn_train_eval.py` that describe a trained model, and follows the objects of the test split, all
objects of a frame as one (`--data_version 2016`), in frames of IM_SIZE, once by windows and once by whole frames. The
last row is a drawn clip of 1280x720 with a small object.

"pixels" is the share of the frames' pixels that the network sees, "sizes" the number of sizes of windows. The times are
medians over the frames; both ways take turns, frame by frame, so that a machine's drift meets both.
"""

import dataclasses
import time
from dataclasses import field

import numpy as np

from benchmarks.trained_model import begin
from osmn.cli.entry import reports_input_errors
from osmn.cli.parser import read
from osmn.data.synthetic import make_movers, render
from osmn.evaluation import in_memory
from osmn.evaluation.metrics import region_similarity
from osmn.files.images import read_image
from osmn.inference.options import SegmentingOptions
from osmn.inference.segmenting import start_predictor
from osmn.masks import Size, resized
from osmn.options import option, positive

DRAWN = (1280, 720)
SMALL = 0.25  # Of the size that a drawn object has elsewhere: its radius is 36 to 54 pixels.


@dataclasses.dataclass(frozen=True)
class Clips:
    """Which frames are used."""

    stride: int = field(default=1, metadata=option("use every so many frames", positive(int)))
    drawn_frames: int = field(default=40, metadata=option("frames of the drawn clip", positive(int)))


class Counted:
    """An engine that notes the sizes of the images that another engine segments."""

    def __init__(self, engine):
        self._engine, self.sizes = engine, []

    @property
    def follows_weights(self):
        """See `Engine`."""
        return self._engine.follows_weights

    def gammas(self, frame, mask):
        """See `Engine`."""
        return self._engine.gammas(frame, mask)

    def segment(self, frame, masks, gammas):
        """See `Engine`."""
        self.sizes.append(frame.shape[:2])
        return self._engine.segment(frame, masks, gammas)


class CountedModel:
    """A model whose engine is `Counted`, and shared by all that is started with it."""

    def __init__(self, model):
        self.config, self.only_size, self._model, self.engine = model.config, model.only_size, model, None

    def start_engine(self, *arguments):
        """See `SegmentationModel`."""
        self.engine = self.engine or Counted(self._model.start_engine(*arguments))
        return self.engine


def drawn_clip(frames, size=DRAWN, seed=1):
    """Return frames, uint8 (H, W, 3), of a small object over a moving ground, and its masks, bool (H, W)."""
    rng = np.random.default_rng(seed)
    movers = [mover._replace(radius=SMALL * mover.radius) for mover in make_movers(rng, 1, frames, size)]
    images, labels = render(rng, movers, 1, frames, size)
    return list(images), list(labels == 1)


def compare(predictors, engine, frames, truths):
    """Follow an object by both predictors; return of each J, pixels per frame, the sizes and ms per frame."""
    found = [([], [], []) for _ in predictors]  # J, sizes, seconds of each frame
    for predictor in predictors:
        predictor.start(frames[0])
        predictor.follow(None, truths[0])
    for frame, truth in zip(frames[1:-1], truths[1:-1], strict=True):
        for predictor, (scores, sizes, seconds) in zip(predictors, found, strict=True):
            engine.sizes.clear()
            start = time.perf_counter()
            (mask,) = predictor.step(frame).masks
            seconds.append(time.perf_counter() - start)
            scores.append(region_similarity(truth, resized(mask, Size.of(truth))))
            sizes += engine.sizes
    return [
        (np.mean(scores), np.prod(sizes, axis=1).sum() / len(scores), len(set(sizes)), 1000 * np.median(seconds))
        for scores, sizes, seconds in found
    ]


@reports_input_errors
def main(argv=None):
    """Print the table, a clip a row."""
    args, model, videos, annotations = begin(__doc__, Clips, argv)
    model = CountedModel(model)

    def predictors(size):
        chosen = read(args, SegmentingOptions, im_size=size)
        return [start_predictor(model, dataclasses.replace(chosen, window=window)) for window in (False, True)]

    print(f"{'clip':24}  J whole  J window   pixels  sizes   ms whole  ms window")
    rows = []
    both = predictors(tuple(args.im_size))
    for video in videos:
        paths = in_memory.propagated_frames(video, args.stride)
        truths = [in_memory.true_masks(video, annotations[video.name], path)[0] for path in paths]
        rows.append(compare(both, model.engine, [read_image(path) for path in paths], truths))
        print_row(video.name, rows[-1])
    print_row("mean", np.mean(rows, axis=0))
    print_row("drawn, {}x{}".format(*DRAWN), compare(predictors(DRAWN), model.engine, *drawn_clip(args.drawn_frames)))


def print_row(name, row):
    """Print a clip's figures."""
    (j, pixels, _, whole_ms), (window_j, window_pixels, sizes, window_ms) = row
    share = window_pixels / pixels
    print(f"{name:24}{j:9.4f}{window_j:10.4f}{share:9.3f}{sizes:7.1f}{whole_ms:11.1f}{window_ms:11.1f}", flush=True)


if __name__ == "__main__":
    main()
