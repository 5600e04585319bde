"""Write a trained model to ship it, to run it elsewhere, or to run it faster.

checkpoint: without what only training needs, as the published program reads it. The other formats are folders of two
graphs, what is run once for an object (guide) and once for a frame (frame), and of model.json, which says what they
are; each is loaded again and compared with the network. openvino: for --engine openvino, which needs no TensorFlow
then. saved_model and onnx: for other programs.
"""

import dataclasses
import math
from dataclasses import field

from osmn.cli import options
from osmn.cli.entry import reports_input_errors
from osmn.cli.parser import Parser
from osmn.config import SIZE
from osmn.errors import InputError
from osmn.models import engines
from osmn.models.start import StartOptions
from osmn.options import option, positive

PRECISIONS = {
    "checkpoint": ("float32",),
    "saved_model": ("float32", "bfloat16", "float16"),
    "openvino": ("float32", "bfloat16", "int8"),
    "onnx": ("float32",),
}
CHECK_SIZE = (160, 96)  # Of the image that a graph of free size is compared on: enough for every layer.
CHECK_OBJECTS = 2
OPENCV_SIZES = (CHECK_SIZE, (130, 74))  # Even ones, whose halves are even and odd.
CHECK_FRAMES = 20  # Of those that int8 is calibrated on, whose masks are compared.


@dataclasses.dataclass(frozen=True)
class Export:
    """What is written, and where."""

    output: str = field(default="", metadata=option("of a checkpoint, the prefix of its files; else a new folder"))
    format: str = field(default="checkpoint", metadata=option("what to write", choices=tuple(PRECISIONS)))
    v1: bool = field(default=False, metadata=option("checkpoint: a single file, as TensorFlow wrote them at first"))
    half: bool = field(
        default=False,
        metadata=option("checkpoint: float16 weights: half the size, to be computed in float32"),
    )
    average_with: tuple[str, ...] = field(
        default=(),
        metadata=option("other models of the same network; the mean of all weights is written", nargs="+"),
    )
    precision: str = field(
        default="float32",
        metadata=option(
            "of the graphs' arithmetic; int8: openvino only, quantised by NNCF",
            choices=engines.PRECISIONS,
        ),
    )
    im_size: tuple[int, int] | None = field(
        default=None, metadata=option("frames of this size alone (default: any)", **SIZE)
    )


@dataclasses.dataclass(frozen=True)
class Quantization:
    """The frames whose values int8 is fitted to."""

    calibration_path: str = field(
        default="", metadata=option("DAVIS folder (README, 'Data') whose frames show what values occur")
    )
    calibration_split: str = field(default="train", metadata=option("ImageSets/2016/SPLIT.txt"))
    calibration_frames: int = field(default=120, metadata=option("how many, from all videos alike", positive(int)))
    calibration_size: tuple[int, int] = field(default=(448, 256), metadata=option("their size", **SIZE))


def parser():
    """Return the script's options."""
    to = Parser(__doc__)
    to.add(StartOptions, "whole_model_path", help="the model: checkpoint, or folder (newest)")
    to.add(Export)
    to.group("quantisation, for --precision int8").add(Quantization)
    options.add_model_options(to)
    return to


def parse(argv):
    """Return the parsed command line."""
    args = parser().parse(argv)
    options.required(args, "whole_model_path", "output")
    if args.v1 and args.half:
        raise InputError("--v1 and --half: TensorFlow does not read float16 from such a file; leave one out")
    if args.format != "checkpoint" and (args.v1 or args.half):
        raise InputError(f"--v1 and --half are for --format checkpoint, not for {args.format}; leave them out")
    if args.format == "checkpoint" and args.im_size:
        raise InputError("--im_size is not for --format checkpoint, which has no size; leave it out")
    if args.precision not in PRECISIONS[args.format]:
        raise InputError(f"--format {args.format} is written in {' or '.join(PRECISIONS[args.format])}")
    if args.precision == "int8":
        options.required(args, "calibration_path")
    return args


@reports_input_errors
def main(argv=None):
    """Run the script; see `-h`."""
    args = parse(argv)
    # Before TensorFlow, which takes seconds to import: paths and lists that are wrong are named at once.
    from osmn.data import davis
    from osmn.models import checkpoint_files, exported

    wanted = args.whole_model_path, *args.average_with
    read = [checkpoint_files.find_model(path, options.model_options(args))[0] for path in wanted]
    if args.format == "checkpoint":
        checkpoint_files.check_output(args.output, read)
    elif not exported.is_exported(args.output):
        exported.require_new(args.output)
    if args.precision == "int8":
        davis.videos(args.calibration_path, 2016, args.calibration_split)
    options.use_devices(args)  # The CPU: a training may have all of the GPU's memory.
    from osmn.models import tensorflow_model

    own = args.precision if args.format == "saved_model" else "float32"
    model = tensorflow_model.load(args.whole_model_path, options.model_options(args), own)
    others = [tensorflow_model.load(path, options.model_options(args), own) for path in args.average_with]
    if others:
        model = tensorflow_model.averaged(model, others)
    if args.format == "checkpoint":
        write_checkpoint(args, model.network)
    else:
        write_graphs(args, model, others)


def write_checkpoint(args, network):
    """Write the weights."""
    from osmn.models import checkpoints

    values = checkpoints.model_values(network)
    if args.half:
        values = checkpoints.in_half_precision(values)
    checkpoints.write_variables(args.output, values, network.config, args.v1)
    print(f"{args.output}: {len(values)} variables")


def write_graphs(args, model, others=()):
    """Write a folder of graphs of a model, averaged with `others`; say by how much they differ from the network."""
    from osmn.models import export, exported
    from osmn.models.memory import check_images

    size = tuple(args.im_size or map(min, CHECK_SIZE, model.config.aligned_size or CHECK_SIZE))
    check_images(model.config, size, objects=CHECK_OBJECTS)
    if args.precision == "int8":
        check_images(model.config, args.calibration_size)
    graphs = export.Graphs(model.network, args.im_size)
    origin = {"model": str(model.path), "model_sha256": model.fingerprint, "im_size": args.im_size}
    if others:
        origin |= {"average_with": [str(other.path) for other in others]}
        origin |= {"average_with_sha256": [other.fingerprint for other in others]}
    if args.precision == "int8":
        origin |= {name: value for name, value in vars(args).items() if name.startswith("calibration_")}
    described = model.config, args.precision, args.format, origin
    if exported.is_described(args.output, *described):
        print(f"{args.output}: exported already")
        return
    with export.whole_folder(args.output) as folder:
        if args.precision == "int8":
            from osmn.models import quantize

            samples = quantize.samples(
                model, args.calibration_path, args.calibration_split, args.calibration_frames, args.calibration_size
            )
            write = quantize.writer(samples, model.config.kind)
        else:
            write = export.WRITERS[args.format]
        with export.write_errors(args.output):
            write(graphs, folder)
            exported.describe(folder, *described)
        apart = export.largest_differences(graphs, args.format, folder, size, CHECK_OBJECTS)
        if args.format == "onnx":
            report_opencv(graphs, folder, [size] if args.im_size else OPENCV_SIZES)
        if args.precision == "int8":
            some = samples[:: math.ceil(len(samples) / CHECK_FRAMES)]
            quantize.report_agreement(quantize.agreement(graphs, folder, some), len(some))
            quantize.report_gain(quantize.durations(graphs, folder, some[0]))
    differences = ", ".join(f"{difference:.1e} of {name}" for name, difference in apart.items())
    print(f"{args.output}: {args.format}, {args.precision}; largest differences from the network: {differences}")


def report_opencv(graphs, folder, sizes):
    """Say how far OpenCV's probabilities are from the network's, or that this OpenCV cannot compute them."""
    from osmn.models import export

    try:
        print(
            f"largest difference of probabilities in OpenCV: {export.difference_in_opencv(graphs, folder, sizes):.1e}"
        )
    except InputError as error:
        print(error)


if __name__ == "__main__":
    main()
