"""What a model makes of its guides: single steps from the true previous mask, with its own gammas and with others.

Takes the options of `osmn_train_eval.py` that describe a trained model. From every `--every`-th frame of the test
split, one frame is segmented with that frame's true mask as spatial guide, so that no error of propagation counts.
"IoU" is that with the next frame's truth, "area" the mask's size relative to the truth's. "other" is the same with
the mean of the gammas of the training objects, in place of those of the object's visual guide: what the visual
modulator knows of the object is the difference. A network without visual modulator has no "other". With
`--target_model` it knows the object's target model too, which "other" lacks.
"""

import dataclasses
from dataclasses import field

import numpy as np

from benchmarks.trained_model import OF_PROPAGATION, begin
from osmn.cli.entry import reports_input_errors
from osmn.data import davis
from osmn.evaluation import in_memory
from osmn.files.images import read_image
from osmn.inference import target
from osmn.masks import resized
from osmn.options import option, positive
from osmn.results import layout


@dataclasses.dataclass(frozen=True)
class Steps:
    """Which single steps are measured."""

    every: int = field(default=10, metadata=option("frames from one step to the next", positive(int)))


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


@reports_input_errors
def main(argv=None):
    """Print the table, an object a row."""
    args, model, videos, annotations = begin(__doc__, Steps, argv, None, OF_PROPAGATION)
    im_size = tuple(args.im_size)
    engine = model.start_engine(args.vg_pad_ratio)
    training = davis.videos(args.data_path, args.data_version, "train")
    known = [each for video in training for each in in_memory.own_gammas(engine, video)]
    mean = [np.mean(layer, axis=0) for layer in zip(*known, strict=True)]
    print("object                    IoU    area" + ("   other IoU   other area" if mean else ""))
    rows = []
    for video in videos:
        choices = [in_memory.own_gammas(engine, video)] + ([[mean] * len(video.object_ids)] if mean else [])
        engines = [with_targets(engine, video, im_size) if args.target_model else engine, engine]
        steps = [
            in_memory.single_steps(each, video, annotations[video.name], [choice], im_size, args.every)
            for each, choice in zip(engines, choices, strict=False)
        ]
        measured = np.concatenate(steps, axis=1).mean(axis=0)
        for object_id, row in zip(video.object_ids, np.swapaxes(measured, 0, 1), strict=True):
            row = row.ravel()  # Of one choice after the other.
            print_row(video.name if object_id is None else f"{video.name} {object_id}", row)
            rows.append(row)
    print_row("mean", np.mean(rows, axis=0))


def print_row(name, row):
    """Print an object's figures."""
    columns = zip(row, ("7.3f", "8.2f", "12.3f", "13.2f"), strict=False)
    print(f"{name:22}" + "".join(f"{value:{form}}" for value, form in columns), flush=True)


if __name__ == "__main__":
    main()
