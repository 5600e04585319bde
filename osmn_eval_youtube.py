"""Propagate masks through YouTube-Objects and score them."""

from osmn.cli import options as arguments
from osmn.cli.entry import reports_input_errors


def parse(argv):
    """Return the parsed command line."""
    parser = arguments.parser(__doc__)
    parser.add_argument("--data_path", default="data/YouTube-Objects", help="preprocessed folder (README, 'Data')")
    parser.add_argument("--whole_model_path", default="", help="weights: checkpoint, or folder (newest)")
    arguments.add_model_options(parser)
    arguments.add_size_option(parser, [640, 360])
    arguments.add_testing_options(parser)
    arguments.add_report_option(parser)
    arguments.add_device_options(parser)
    args = parser.parse_args(argv)
    arguments.required(args, "whole_model_path", "result_path")
    return args


@reports_input_errors
def main(argv=None):
    """Run the script; see `-h`."""
    args = parse(argv)
    # Before TensorFlow, which takes seconds to import: paths and lists that are wrong are named at once.
    from osmn.cli import checks
    from osmn.data import youtube_objects

    videos = youtube_objects.videos(args.data_path)
    checks.check_model(args)
    checks.check_results(args.result_path, videos, args.shard)
    from osmn.evaluation import tables
    from osmn.evaluation.youtube_objects import evaluate
    from osmn.files import locks
    from osmn.inference import segmenting  # TensorFlow takes seconds to import
    from osmn.networks import devices
    from osmn.report import write

    devices.configure([args.gpu_id])
    model = arguments.load_model(args)
    print(model.summary(args.im_size))
    segmenting.segment_videos(model, videos, arguments.testing_options(args), arguments.values(args, "data_path"))
    if args.shard[1] == 1:
        with locks.writing(args.result_path):
            scores = evaluate(args.data_path, args.result_path)
            tables.report_youtube_objects(scores, args.result_path)
            if args.report:
                write.youtube_objects(scores, args.data_path, args.result_path, args.against)
    else:
        print("this was one share of the videos: score all of them by youtube_eval.py")


if __name__ == "__main__":
    main()
