"""Pretrain OSMN on COCO (stage 1) from ImageNet weights."""

from osmn.cli import options as arguments
from osmn.cli import training
from osmn.cli.entry import reports_input_errors
from osmn.cli.types import positive
from osmn.errors import InputError


def parse(argv):
    """Return the parsed command line."""
    parser = arguments.parser(__doc__)
    parser.add_argument(
        "--data_path", nargs="+", default=["data/COCO"], help="COCO folder (README, 'Data'), or several"
    )
    parser.add_argument(
        "--data_shares",
        type=positive(float),
        nargs="+",
        metavar="SHARE",
        help="of the samples from each --data_path, in any unit; by their numbers of instances where not given",
    )
    parser.add_argument("--whole_model_path", default="", help="start from this whole model, not ImageNet")
    arguments.add_model_options(parser)
    arguments.add_size_option(parser, [400, 400])
    training.add_training_options(parser, data_aug_scales=[0.8, 1.0, 1.2])
    training.add_random_crop_option(parser)
    training.add_distractor_options(parser, videos=False)
    training.add_imagenet_options(parser)
    training.add_validation_options(parser)
    arguments.add_device_options(parser, several=True, engine=False)
    args = parser.parse_args(argv)
    arguments.required(args, "model_save_path")
    arguments.check_embedding_start(args)
    arguments.check_validation(args)
    if args.data_shares and len(args.data_shares) != len(args.data_path):
        raise InputError(
            f"--data_shares has {len(args.data_shares)} numbers; give one for each --data_path: {len(args.data_path)}"
        )
    return args


@reports_input_errors
def main(argv=None):
    """Run the script; see `-h`."""
    args = parse(argv)
    # Before TensorFlow, which takes seconds to import: paths and lists that are wrong are named at once.
    from osmn.cli import checks

    checks.check_start(args, None if args.restart_training else args.model_save_path, arguments.pretrained(args))
    checks.check_stills(args.data_path)
    checks.check_validation_videos(args)
    checks.check_folder(args.model_save_path)
    from osmn.inputs.sources import coco_sources
    from osmn.models import tensorflow_model
    from osmn.networks import devices, replicas

    devices.configure(args.gpu_id, args.deterministic)
    with replicas.strategy().scope():
        model = tensorflow_model.new_for_training(
            args.im_size, **arguments.beginning(args), pretrained=arguments.pretrained(args)
        )
        print(model.summary(args.im_size))
        arguments.training_run(args).train(model, coco_sources(args.data_path, args.data_shares))


if __name__ == "__main__":
    main()
