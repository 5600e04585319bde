"""What a model makes of its guides: single steps from the true previous mask, with its own gammas and with others.

Takes the options of `osmn_train_eval.py` that describe a trained model. From every `--every`-th frame of the test
split, one frame is segmented with that frame's true mask as spatial guide, so that no error of propagation counts.
"IoU" is that with the next frame's truth, "area" the mask's size relative to the truth's. "other" is the same with
the mean of the gammas of the training objects, in place of those of the object's visual guide: what the visual
modulator knows of the object is the difference. "another's" is the mean over those of each object of the other videos
of the test split: what a wrong guide costs. A network without visual modulator has neither. With `--target_model` it
knows the object's target model too, which these lack.

With `--videos`, objects are followed through whole videos instead, each frame from the network's own mask of the frame
before: where that mask is wrong, the visual guide tells more than after a true one.
"""

import dataclasses
from dataclasses import field

import numpy as np

from benchmarks.look_alikes import WithGammas
from benchmarks.trained_model import OF_PROPAGATION, begin
from osmn.cli.entry import reports_input_errors
from osmn.data import davis
from osmn.evaluation import in_memory
from osmn.files.images import read_image
from osmn.inference import target
from osmn.inference.predictor import Predictor
from osmn.masks import resized
from osmn.options import option, positive
from osmn.results import layout

HEADERS = "object                    IoU    area", "   other IoU   other area", "   another's IoU   another's area"
EVERY = 10  # Frames from one single step to the next, unless told.


@dataclasses.dataclass(frozen=True)
class Steps:
    """Which steps are measured."""

    every: int | None = field(
        default=None, metadata=option("frames from one step to the next (default: 10; with --videos 1)", positive(int))
    )
    videos: bool = field(default=False, metadata=option("follow objects through whole videos, not in single steps"))


class WithTargets:
    """An engine whose `segment` also has the target models of a video's objects; see `target.with_scores`."""

    def __init__(self, engine, targets, areas):
        self._engine, self._targets, self._areas = engine, targets, areas

    def segment(self, frame, masks, gammas):
        """See `Engine.segment`."""
        each = [[layer[number : number + 1] for layer in gammas] for number in range(len(masks))]
        objects = list(zip(self._targets, each, self._areas, strict=True))
        segmented = self._engine.segment(frame, masks, gammas)
        return target.with_scores(self._engine, frame, target.features_of(self._engine, frame), segmented, objects)


def with_targets(engine, video, im_size):
    """Return an engine that has the target models of a video's objects, fitted to their reference frames."""
    targets, areas = [], []
    for number, reference in video.references.items():
        features = target.features_of(engine, read_image(video.frames[number], im_size))
        for mask in layout.reference_masks(reference).values():
            targets.append(target.fitted(features, mask))
            areas.append(int(resized(mask, im_size).sum()))
    return WithTargets(engine, targets, areas)


def in_steps(engine, video, masks, args, mean=None):
    """Return J and the relative area of single steps from true masks, (steps, objects, 2), by own or `mean` gammas."""
    im_size = tuple(args.im_size)
    gammas = in_memory.own_gammas(engine, video) if mean is None else [mean] * len(video.object_ids)
    if args.target_model and mean is None:
        engine = with_targets(engine, video, im_size)
    return in_memory.single_steps(engine, video, masks, [gammas], im_size, args.every or EVERY)[:, 0]


def in_video(engine, video, masks, args, mean=None):
    """Return J and the relative area in a video's frames, (frames, objects, 2), by own or `mean` gammas."""
    engine = engine if mean is None else WithGammas(engine, mean)
    predictor = Predictor(engine, tuple(args.im_size), target_model=args.target_model and mean is None)
    return in_memory.propagate(predictor, video, masks, args.every or 1)


@reports_input_errors
def main(argv=None):
    """Print the table, an object a row."""
    args, model, videos, annotations = begin(__doc__, Steps, argv, None, OF_PROPAGATION)
    engine = model.start_engine(args.vg_pad_ratio)
    training = davis.videos(args.data_path, args.data_version, "train")
    known = [each for video in training for each in in_memory.own_gammas(engine, video)]
    mean = [np.mean(layer, axis=0) for layer in zip(*known, strict=True)]
    own = [in_memory.own_gammas(engine, video) for video in videos]
    choices = 3 if mean and len(videos) > 1 else 2 if mean else 1
    print("".join(HEADERS[:choices]))
    rows = []
    measure = in_video if args.videos else in_steps
    for number, video in enumerate(videos):
        anothers = [gammas for other, objects in enumerate(own) if other != number for gammas in objects]
        groups = [[None], [mean], anothers][:choices]
        measured = np.stack([average(measure, engine, video, annotations, args, group) for group in groups])
        for object_id, row in zip(video.object_ids, np.swapaxes(measured, 0, 1), strict=True):
            row = row.ravel()  # Of one choice after the other.
            print_row(video.name if object_id is None else f"{video.name} {object_id}", row)
            rows.append(row)
    print_row("mean", np.mean(rows, axis=0))


def average(measure, engine, video, annotations, args, choices):
    """Return J and the relative area of a video's objects, (objects, 2), the means over frames and over gammas."""
    measured = (measure(engine, video, annotations[video.name], args, gammas) for gammas in choices)
    return np.mean([rows.mean(axis=0) for rows in measured], axis=0)


def print_row(name, row):
    """Print an object's figures."""
    columns = zip(row, ("7.3f", "8.2f", "12.3f", "13.2f", "16.3f", "17.2f"), strict=False)
    print(f"{name:22}" + "".join(f"{value:{form}}" for value, form in columns), flush=True)


if __name__ == "__main__":
    main()
