"""Propagate masks through YouTube-Objects and score them."""

from osmn import args as arguments
from osmn.errors import reports_input_errors


def parse(argv):
    """Return the parsed command line."""
    parser = arguments.parser(__doc__)
    parser.add_argument("--data_path", default="data/YouTube-Objects", help="preprocessed folder (README, 'Data')")
    parser.add_argument("--whole_model_path", default="", help="weights: checkpoint, or folder (newest)")
    arguments.add_network_options(parser)
    arguments.add_guide_options(parser, im_size=[640, 360])
    arguments.add_testing_options(parser)
    arguments.add_device_options(parser)
    args = parser.parse_args(argv)
    arguments.required(args, "whole_model_path", "result_path")
    return args


@reports_input_errors
def main(argv=None):
    """Run the script; see `-h`."""
    args = parse(argv)
    from osmn import checkpoints, datasets, devices, inference  # TensorFlow takes seconds to import
    from osmn.evaluation import evaluate_youtube

    devices.configure([args.gpu_id])
    precision = args.precision or devices.default_precision(args.base_model)
    videos = datasets.youtube_videos(args.data_path)
    network = checkpoints.open_network(args, precision)
    inference.segment_videos(network, datasets.share(videos, args.shard), args, precision)
    if args.shard[1] == 1:
        evaluate_youtube(args.data_path, args.result_path)
    else:
        print("this was one share of the videos: score all of them by youtube_eval.py")


if __name__ == "__main__":
    main()
