"""Calibrate a model: add to the last layer's bias what gives propagation the highest J, and save the model.

The published loss weighs the object's pixels as much as all others, so that its optimum lies above the logit of the
true probability; masks are too large, and propagation multiplies it. One number added to the logits after training
mends that. It is chosen on annotated videos that the model was not trained on and is not to be scored on.
"""

import dataclasses
from dataclasses import field

from osmn.cli import options
from osmn.cli.entry import reports_input_errors
from osmn.cli.parser import Parser
from osmn.models.start import StartOptions
from osmn.options import finite, option, positive


@dataclasses.dataclass(frozen=True)
class Calibration:
    """What is tried, and where the best of it is written."""

    output: str = field(default="", metadata=option("prefix of the calibrated model's checkpoint; none: only print"))
    shifts: tuple[float, ...] = field(
        default=(-3.0, -2.5, -2.0, -1.5, -1.0, -0.5, 0.0, 0.5, 1.0),
        metadata=option("numbers to try", finite, nargs="+"),
    )
    stride: int = field(default=2, metadata=option("from a frame to the next", positive(int)))


def parser():
    """Return the script's options."""
    to = Parser(__doc__)
    to.add(options.DavisData)
    to.add(StartOptions, "whole_model_path", help="model to calibrate: checkpoint, or folder (newest)")
    to.add(Calibration)
    options.add_model_options(to)
    options.add_size_option(to, (448, 256))
    options.add_device_options(to, engine=False)
    return to


def parse(argv):
    """Return the parsed command line."""
    args = parser().parse(argv)
    options.required(args, "whole_model_path")
    return args


@reports_input_errors
def main(argv=None):
    """Run the script; see `-h`."""
    args = parse(argv)
    # Before TensorFlow, which takes seconds to import: paths and lists that are wrong are named at once.
    from osmn.data import davis
    from osmn.models import checkpoint_files

    videos = davis.videos(args.data_path, args.data_version, args.test_split)
    annotations = davis.complete_annotations(args.data_path, videos)
    path, _ = checkpoint_files.find_model(args.whole_model_path, options.model_options(args))
    if args.output:
        checkpoint_files.check_output(args.output, [path])
    from osmn.evaluation import in_memory
    from osmn.inference.predictor import Predictor
    from osmn.models import checkpoints, tensorflow_model
    from osmn.models.engines.tensorflow import TensorFlowEngine
    from osmn.models.memory import check_images

    options.use_devices(args)
    model = tensorflow_model.load(args.whole_model_path, options.model_options(args), args.precision or "float32")
    check_images(model.config, args.im_size)
    print(model.summary(args.im_size))
    network = model.network
    start = network.output_bias.numpy()
    predictor = Predictor(TensorFlowEngine(network), tuple(args.im_size))
    print(" shift      J  area")
    found = {}
    for shift in sorted(args.shifts):
        network.output_bias.assign(start + shift)
        found[shift] = in_memory.figures(predictor, videos, annotations, args.stride)
        print(f"{shift:6.2f}  {found[shift].j:.3f}  {found[shift].area:.2f}", flush=True)
    best = max(found, key=lambda shift: found[shift].j)
    print(f"best: {best:g}, J {found[best].j:.3f}, masks of {found[best].area:.2f} times the true area")
    if args.output:
        network.output_bias.assign(start + best)
        config = dataclasses.replace(network.config, bias_shift=network.config.bias_shift + best)
        checkpoints.write_variables(args.output, checkpoints.model_values(network), config)
        print(f"written: {args.output}")


if __name__ == "__main__":
    main()
