"""Finetune OSMN on DAVIS (stage 2), propagate masks through a split and score them."""

from osmn import args as arguments
from osmn.errors import reports_input_errors


def parse(argv):
    """Return the parsed command line."""
    parser = arguments.parser(__doc__)
    arguments.add_davis_options(parser)
    parser.add_argument("--whole_model_path", default="", help="weights to start from: checkpoint, or folder (newest)")
    parser.add_argument("--only_testing", action="store_true", help="no training: segment and score")
    parser.add_argument("--use_full_res", action="store_true", help="read JPEGImages/Full-Resolution in testing")
    arguments.add_model_options(parser)
    arguments.add_size_option(parser, [854, 480])
    arguments.add_training_options(parser, data_aug_scales=[0.5, 0.8, 1.0])
    arguments.add_guide_choice_options(parser)
    arguments.add_distractor_options(parser)
    arguments.add_coco_mixing_options(parser)
    arguments.add_testing_options(parser)
    arguments.add_device_options(parser, several=True)
    args = parser.parse_args(argv)
    arguments.required(args, "result_path", "whole_model_path" if args.only_testing else "model_save_path")
    return args


@reports_input_errors
def main(argv=None):
    """Run the script; see `-h`."""
    args = parse(argv)
    # Here, because TensorFlow takes seconds to import.
    from osmn import commands, devices, replicas
    from osmn.data import davis
    from osmn.evaluation.tables import score_if_annotated

    devices.configure(args.gpu_id, args.deterministic)
<<<<<<< HEAD
    videos = davis.videos(args.data_path, args.data_version, args.test_split, args.use_full_res)
    if args.only_testing:
        model = commands.open_model(args)
    else:
        with replicas.strategy().scope():
=======
    precision = args.precision or devices.default_precision(args.base_model)
    videos = datasets.davis_videos(args.data_path, args.data_version, args.test_split, args.use_full_res)
    with replicas.strategy().scope():
        network = checkpoints.open_network(args, precision if args.only_testing else devices.training_policy(precision))
        if not args.only_testing:
>>>>>>> design-networks
            validity = (args.label_valid_ratio, args.bbox_valid_ratio) if args.randomize_guide else None
            examples = davis.examples(args.data_path, args.data_version, "train", validity)
            model = commands.train(args, commands.start_model(args), commands.video_sources(args, examples))
            if not replicas.is_chief():
                return
    commands.segment(args, model, videos)
    score_if_annotated(
        args.data_path, args.result_path, args.data_version, args.test_split, videos, shards=args.shard[1]
    )


if __name__ == "__main__":
    main()
