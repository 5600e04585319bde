"""Pretrain OSMN on COCO (stage 1) from ImageNet weights."""

from osmn import args as arguments
from osmn import training_options
from osmn.errors import InputError, reports_input_errors
from osmn.option_types import positive


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
    training_options.add_training_options(parser, data_aug_scales=[0.8, 1.0, 1.2])
    training_options.add_random_crop_option(parser)
    training_options.add_distractor_options(parser, videos=False)
    training_options.add_imagenet_options(parser)
    training_options.add_validation_options(parser)
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
    # Here, because TensorFlow takes seconds to import.
    from osmn import devices, models, replicas
    from osmn.sources import coco_sources

    devices.configure(args.gpu_id, args.deterministic)
    with replicas.strategy().scope():
        model = models.begin(args.im_size, **arguments.beginning(args), pretrained=arguments.pretrained(args))
        print(model.summary(args.im_size))
        arguments.training_run(args).train(model, coco_sources(args.data_path, args.data_shares))


if __name__ == "__main__":
    main()
