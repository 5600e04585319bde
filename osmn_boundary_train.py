"""Train the boundary net, which moves the boundaries of masks to those that the image shows.

It learns from frames with masks and from the scores that a network gives the objects there, which segmenting these
videos with --save_score writes. It knows no network, and no object: it sees the image and an object's scores. It writes
MODEL_SAVE_PATH/boundaries.npz.
"""

from osmn.cli import options, training
from osmn.cli.entry import reports_input_errors
from osmn.cli.parser import Parser, read
from osmn.inputs.options import PipelineOptions
from osmn.training.options import BoundaryData, TrainingOptions, TrainingRun


def parser():
    """Return the script's options."""
    to = Parser(__doc__)
    to.add(BoundaryData)
    group = to.group("training")
    group.add(TrainingRun, "model_save_path")
    group.add(PipelineOptions, "batch_size", batch_size=12)
    group.add(TrainingOptions, "training_iters", training_iters=3000)
    group.add(TrainingOptions, "learning_rate", learning_rate=3e-3, help="of Adam; the loss is a mean of pixels")
    group.add(TrainingOptions, "lr_schedule", "warmup_iters", lr_schedule="cosine", warmup_iters=50)
    group.add(TrainingOptions, "save_iters", "max_to_keep", "display_iters", save_iters=500, display_iters=100)
    group.add(TrainingOptions, "restart_training")
    training.add_change_option(group)
    group.add(PipelineOptions, "seed")
    group.add(options.Determinism)
    to.group("device").add(options.Device, "gpu_id")
    return to


def parse(argv):
    """Return the parsed command line."""
    args = parser().parse(argv)
    options.required(args, "videos", "model_save_path")
    read(args, BoundaryData)  # It says what is wrong with it.
    return args


@reports_input_errors
def main(argv=None):
    """Run the script; see `-h`."""
    args = parse(argv)
    # Before TensorFlow, which takes seconds to import: paths and files that are wrong are named at once.
    from osmn.cli import checks
    from osmn.training import boundary_samples

    places = boundary_samples.places(read(args, BoundaryData))
    checks.check_folder(args.model_save_path)
    views = [view for place in places for view in boundary_samples.read(*place)]
    options.use_devices(args)
    from osmn.training import boundaries

    run = read(args, TrainingOptions)
    written = boundaries.train(views, run, args.batch_size, args.seed, args.model_save_path, args.change)
    print(f"written: {written}")


if __name__ == "__main__":
    main()
