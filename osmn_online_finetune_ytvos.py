"""Finetune OSMN online on the first frame of each YouTube-VOS object and segment its video."""

from osmn.cli import options as arguments
from osmn.cli import training
from osmn.cli.entry import reports_input_errors


def parse(argv):
    """Return the parsed command line."""
    parser = arguments.parser(__doc__)
    arguments.add_ytvos_options(parser)
    parser.add_argument("--whole_model_path", default="", help="weights that each object starts from")
    parser.add_argument("--start_id", metavar="VIDEO", help="leave out the videos before this one")
    arguments.add_model_options(parser)
    arguments.add_size_option(parser, [448, 256])
    training.add_training_options(parser, data_aug_scales=[0.8, 1.0, 1.5])
    training.add_rehearsal_options(parser)
    arguments.add_testing_options(parser)
    arguments.add_device_options(parser)
    args = parser.parse_args(argv)
    arguments.required(args, "whole_model_path", "result_path", "model_save_path")
    return args


@reports_input_errors
def main(argv=None):
    """Run the script; see `-h`."""
    args = parse(argv)
    # Before TensorFlow, which takes seconds to import: paths and lists that are wrong are named at once.
    from osmn.cli import checks
    from osmn.data import ytvos

    videos = ytvos.starting_at(ytvos.videos(args.data_path, args.test_split, args.all_frames), args.start_id)
    checks.check_start(args)
    if args.rehearsal_share:
        ytvos.check_listed(args.data_path, "train")
    checks.check_results(args.result_path, videos, args.shard)
    checks.check_folder(args.model_save_path, args.shard)
    from osmn.models import tensorflow_model
    from osmn.networks import devices
    from osmn.training import online  # TensorFlow takes seconds to import

    devices.configure([args.gpu_id], args.deterministic)
    model = tensorflow_model.new_for_training(args.im_size, **arguments.beginning(args) | {"folder": None})
    print(model.summary(args.im_size))
    print(f"propagating through {'every frame' if args.all_frames else 'the frames that meta.json lists'}")
    run, testing = arguments.training_run(args), arguments.testing_options(args)
    origin, rehearsal = arguments.values(args, "data_path", "all_frames"), None
    if args.rehearsal_share:
        origin |= arguments.values(args, "rehearsal_share")
        examples = ytvos.examples(args.data_path, tuple(args.im_size))
        rehearsal = online.Rehearsal(examples, args.rehearsal_share)
    online.finetune_and_segment(model, videos, run, testing, origin, rehearsal)
    print(f"masks and merged PNGs are in {args.result_path}; ytvos_merge_result.py makes the submission of them")


if __name__ == "__main__":
    main()
