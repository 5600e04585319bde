"""Pretrain OSMN on COCO (stage 1) from ImageNet weights."""

from osmn import args as arguments
from osmn.errors import reports_input_errors


def parse(argv):
    """Return the parsed command line."""
    parser = arguments.parser(__doc__)
    parser.add_argument(
        "--data_path", nargs="+", default=["data/COCO"], help="COCO 2017 folder (README, 'Data'), or several like it"
    )
    parser.add_argument(
        "--data_shares",
        type=arguments.positive(float),
        nargs="+",
        metavar="WEIGHT",
        help="of the samples from each --data_path (default: by their numbers of instances)",
    )
    parser.add_argument("--whole_model_path", default="", help="start from this whole model, not ImageNet")
    arguments.add_network_options(parser)
    arguments.add_guide_options(parser, im_size=[400, 400], testing=False)
    arguments.add_training_options(parser, data_aug_scales=[0.8, 1.0, 1.2])
    parser.add_argument("--random_crop_ratio", type=float, default=0.0, help="image's sides move by up to this share")
    arguments.add_distractor_options(parser, videos=False)
    arguments.add_imagenet_options(parser)
    arguments.add_device_options(parser, several=True)
    args = parser.parse_args(argv)
    arguments.required(args, "model_save_path")
    if args.data_shares and len(args.data_shares) != len(args.data_path):
        parser.error("--data_shares needs one number for each --data_path")
    return args


@reports_input_errors
def main(argv=None):
    """Run the script; see `-h`."""
    args = parse(argv)
    from osmn import checkpoints, coco, devices, pipeline, replicas, training  # TensorFlow takes seconds to import

    devices.configure(args.gpu_id, args.deterministic)
    precision = args.precision or devices.default_precision(args.base_model)
    with replicas.strategy().scope():
        network = checkpoints.open_network(args, devices.training_policy(precision))
        checkpoints.start_from_imagenet(network, args)
        sources = []
        for data_path in args.data_path:
            instances = coco.read_instances(data_path, "train2017")
            print(f"{len(instances.images)} instances")
            sources.append(coco.instance_source(instances))
        shares = args.data_shares and [weight / sum(args.data_shares) for weight in args.data_shares]
        batches = pipeline.batches(sources, arguments.pipeline_options(args, shares), arguments.sample_options(args))
        trainer = training.Trainer(network, args.seed, args.loss, args.ema)
        training.train(trainer, batches, arguments.training_options(args), args.model_save_path)


if __name__ == "__main__":
    main()
