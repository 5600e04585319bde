"""Finetune OSMN online on the first frame of each DAVIS object, segment its video, and score the results."""

from osmn import args as arguments
from osmn.errors import reports_input_errors


def parse(argv):
    """Return the parsed command line."""
    parser = arguments.parser(__doc__)
    arguments.add_davis_options(parser)
    parser.add_argument("--whole_model_path", default="", help="weights that each object starts from")
    arguments.add_network_options(parser)
    arguments.add_guide_options(parser, im_size=[854, 480])
    arguments.add_training_options(parser, data_aug_scales=[0.5, 0.8, 1.0])
    arguments.add_testing_options(parser)
    arguments.add_device_options(parser)
    args = parser.parse_args(argv)
    arguments.required(args, "whole_model_path", "result_path", "model_save_path")
    return args


@reports_input_errors
def main(argv=None):
    """Run the script; see `-h`."""
    args = parse(argv)
    from osmn import checkpoints, datasets, devices, online  # TensorFlow takes seconds to import
    from osmn.evaluation import score_if_annotated

    devices.configure([args.gpu_id], args.deterministic)
    precision = args.precision or devices.default_precision(args.base_model)
    videos = datasets.davis_videos(args.data_path, args.data_version, args.test_split)
    network = checkpoints.open_network(args, devices.training_policy(precision))
    online.finetune_and_segment(network, datasets.share(videos, args.shard), args, precision)
    score_if_annotated(args, videos)


if __name__ == "__main__":
    main()
