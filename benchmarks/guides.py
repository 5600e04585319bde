"""What a model makes of its guides: single steps from the true previous mask, with its own gammas and with others.

Takes the options of `osmn_train_eval.py` that describe a trained model. From every `--every`-th frame of the test
split, one frame is segmented with that frame's true mask as spatial guide, so that no error of propagation counts.
"IoU" is that with the next frame's truth, "area" the mask's size relative to the truth's. "other" is the same with
the mean of the gammas of the training objects, in place of those of the object's visual guide: what the visual
modulator knows of the object is the difference. A network without visual modulator has no "other".
"""

import numpy as np

import osmn_train_eval
from osmn import args as arguments
from osmn import devices, files, models, results, validation
from osmn.data import davis
from osmn.engines.tensorflow import TensorFlowEngine
from osmn.errors import reports_input_errors
from osmn.masks import resized
from osmn.option_types import positive


def own_gammas(engine, video):
    """Return the gammas of a video's objects, from their reference frames: a list, an object's a list of arrays."""
    gammas = []
    for number, reference in video.references.items():
        frame = files.read_image(video.frames[number])
        gammas += [engine.gammas(frame, mask) for mask in results.reference_masks(reference).values()]
    return gammas


def step(engine, frame, before, gammas, im_size):
    """Return the masks of a frame, bool (N, h, w), from its objects' gammas and masks in the frame `before`."""
    masks = np.stack([resized(mask.astype(np.uint8), im_size) > 0 for mask in before])
    gammas = [np.concatenate(layer) for layer in zip(*gammas, strict=True)]
    return engine.segment(files.read_image(frame, im_size), masks, gammas)[1]


@reports_input_errors
def main(argv=None):
    """Print the table, an object a row."""
    parser = arguments.parser(__doc__)
    parser.add_argument("--every", type=positive(int), default=10, help="frames from one step to the next")
    own_args, rest = parser.parse_known_args(argv)
    args = osmn_train_eval.parse([*rest, "--only_testing", "--result_path", "unused"])
    im_size = tuple(args.im_size)
    devices.configure(args.gpu_id, args.deterministic)
    model = models.load(args.whole_model_path, arguments.model_options(args), args.precision)
    print(model.summary(im_size))
    engine = TensorFlowEngine(model.network, args.vg_pad_ratio)
    training = davis.videos(args.data_path, args.data_version, "train")
    videos = davis.videos(args.data_path, args.data_version, args.test_split)
    known = [each for video in training for each in own_gammas(engine, video)]
    mean = [np.mean(layer, axis=0) for layer in zip(*known, strict=True)]
    print("object                    IoU    area" + ("   other IoU   other area" if mean else ""))
    rows = []
    for video in videos:
        gammas = [own_gammas(engine, video)] + ([[mean] * len(video.object_ids)] if mean else [])
        annotations, figures = davis.annotations(args.data_path, video.name), []
        for number in range(0, len(video.frames) - 1, own_args.every):
            frame, following = video.frames[number : number + 2]
            before, truth = (validation.true_masks(video, annotations, each) for each in (frame, following))
            measured = []
            for chosen in gammas:
                masks = step(engine, following, before, chosen, im_size)
                measured += zip(*validation.compare(masks, truth), strict=True)
            figures.append(measured)
        for object_id, row in zip(video.object_ids, np.mean(figures, axis=0).T, strict=True):
            print_row(video.name if object_id is None else f"{video.name} {object_id}", row)
            rows.append(row)
    print_row("mean", np.mean(rows, axis=0))


def print_row(name, row):
    """Print an object's figures."""
    columns = zip(row, ("7.3f", "8.2f", "12.3f", "13.2f"), strict=False)
    print(f"{name:22}" + "".join(f"{value:{form}}" for value, form in columns), flush=True)


if __name__ == "__main__":
    main()
