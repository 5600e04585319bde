"""What a model makes of its guides: single steps from the true previous mask, with its own multipliers and with others.

Takes the options of `osmn_train_eval.py` that describe a trained model. From every `--every`-th frame of the test
split, one frame is segmented with that frame's true mask as spatial guide, so that no error of propagation counts.
"IoU" is that with the next frame's truth, "area" the mask's size relative to the truth's. "other" is the same with
the mean of the multipliers of the training objects, in place of those of the object's visual guide: what the visual
modulator knows of the object is the difference. A network without visual modulator has no "other".
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import tensorflow as tf

import osmn_train_eval
from osmn import args as arguments
from osmn import checkpoints, devices, files, inference
from osmn.data import davis
from osmn.data.types import Reference
from osmn.errors import reports_input_errors
from osmn.evaluation.metrics import region_similarity
from osmn.masks import resized


class StepPropagator(inference.Propagator):
    """A Propagator whose multipliers are given, as one list for each object: `given` is set before each run."""

    given = ()

    def multipliers(self, view):
        """Return the next object's; see `Propagator.multipliers`."""
        return next(self.given)

    def own(self, video):
        """Return the multipliers of a video's objects, from their first frame."""
        views = [view for start in inference.first_views(video).values() for view in start.values()]
        return [super(StepPropagator, self).multipliers(view) for view in views]

    def step(self, video, number, multipliers, truth, im_size):
        """Return the masks of the frame after `number`, bool (N, h, w), from that frame's true ones."""
        frames = [files.read_image(path, im_size) for path in video.frames[number : number + 2]]
        self.given = iter(multipliers)
        _, then = self.run(frames, {0: {i: inference.FirstView(frames[0], mask) for i, mask in enumerate(truth)}})
        return then.masks


def true_masks(video, number, data_path):
    """Return the masks of a frame's objects, a list of bool (H, W), in the order of `video.object_ids`."""
    path = davis.annotations(data_path, video.name)[video.frames[number].stem]
    return list(inference.given_masks(Reference(path, video.object_ids)).values())


@reports_input_errors
def main(argv=None):
    """Print the table, an object a row."""
    parser = arguments.parser(__doc__)
    parser.add_argument("--every", type=arguments.positive(int), default=10, help="frames from one step to the next")
    own_args, rest = parser.parse_known_args(argv)
    args = osmn_train_eval.parse([*rest, "--only_testing", "--result_path", "unused"])
    devices.configure(args.gpu_id, args.deterministic)
    precision = args.precision or devices.default_precision(args.base_model)
    network = inference.for_inference(checkpoints.open_network(args, precision), precision)
    propagator = StepPropagator(network, arguments.sample_options(args))
    training = davis.videos(args.data_path, args.data_version, "train")
    videos = davis.videos(args.data_path, args.data_version, args.test_split)
    known = [each for video in training for each in propagator.own(video)]
    mean = [tf.reduce_mean(tf.stack(column), axis=0) for column in zip(*known, strict=True)]
    print("object                    IoU    area" + ("   other IoU   other area" if mean else ""))
    rows = []
    for video in videos:
        multipliers = [propagator.own(video)] + ([[mean] * len(video.object_ids)] if mean else [])
        results = []
        for number in range(0, len(video.frames) - 1, own_args.every):
            before, truth = (true_masks(video, n, args.data_path) for n in (number, number + 1))
            measured = []
            for chosen in multipliers:
                masks = propagator.step(video, number, chosen, before, tuple(args.im_size))
                size = truth[0].shape[::-1]
                masks = [resized(mask.astype(np.uint8), size) > 0 for mask in masks]
                measured.append([region_similarity(*pair) for pair in zip(truth, masks, strict=True)])
                measured.append([m.sum() / max(1, t.sum()) for t, m in zip(truth, masks, strict=True)])
            results.append(measured)
        for object_id, row in zip(video.object_ids, np.mean(results, axis=0).T, strict=True):
            print_row(video.name if object_id is None else f"{video.name} {object_id}", row)
            rows.append(row)
    print_row("mean", np.mean(rows, axis=0))


def print_row(name, row):
    """Print an object's figures."""
    columns = zip(row, ("7.3f", "8.2f", "12.3f", "13.2f"), strict=False)
    print(f"{name:22}" + "".join(f"{value:{form}}" for value, form in columns), flush=True)


if __name__ == "__main__":
    main()
