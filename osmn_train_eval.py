"""Finetune OSMN on DAVIS (stage 2), propagate masks through a split and score them."""

from osmn.cli import options as arguments
from osmn.cli import training
from osmn.cli.entry import reports_input_errors


def parse(argv):
    """Return the parsed command line."""
    parser = arguments.parser(__doc__)
    arguments.add_davis_options(parser)
    parser.add_argument("--whole_model_path", default="", help="weights to start from: checkpoint, or folder (newest)")
    parser.add_argument("--only_testing", action="store_true", help="no training: segment and score")
    parser.add_argument("--use_full_res", action="store_true", help="read JPEGImages/Full-Resolution in testing")
    arguments.add_model_options(parser)
    arguments.add_size_option(parser, [854, 480])
    training.add_training_options(parser, data_aug_scales=[0.5, 0.8, 1.0])
    training.add_guide_choice_options(parser)
    training.add_distractor_options(parser)
    training.add_coco_mixing_options(parser)
    training.add_validation_options(parser, "DATA_PATH")
    arguments.add_testing_options(parser)
    arguments.add_report_option(parser)
    arguments.add_device_options(parser, several=True)
    args = parser.parse_args(argv)
    arguments.required(args, "result_path", "whole_model_path" if args.only_testing else "model_save_path")
    arguments.check_validation(args, args.data_path)
    return args


def train(args):
    """Train as asked for; return the model to test."""
    from osmn.data import davis
    from osmn.inputs import sources
    from osmn.models import tensorflow_model

    model = tensorflow_model.new_for_training(args.im_size, **arguments.beginning(args))
    print(model.summary(args.im_size))
    if model.path is None:
        print("no --whole_model_path: training starts from random weights")
    validity = (args.label_valid_ratio, args.bbox_valid_ratio) if args.randomize_guide else None
    examples = davis.examples(args.data_path, args.data_version, "train", validity)
    found = sources.with_stills(examples, args.flip_target, args.coco_path, args.coco_share)
    return arguments.training_run(args).train(model, found)


@reports_input_errors
def main(argv=None):
    """Run the script; see `-h`."""
    args = parse(argv)
    # Before TensorFlow, which takes seconds to import: paths and lists that are wrong are named at once.
    from osmn.cli import checks
    from osmn.data import davis

    videos = davis.videos(args.data_path, args.data_version, args.test_split, args.use_full_res)
    if args.only_testing:
        checks.check_model(args)
    else:
        checks.check_start(args, None if args.restart_training else args.model_save_path)
        davis.example_folders(args.data_path, args.data_version, "train")
        checks.check_stills(args.coco_path)
        checks.check_validation_videos(args)
        checks.check_folder(args.model_save_path)
    checks.check_results(args.result_path, videos, args.shard)
    from osmn.evaluation.tables import score_if_annotated
    from osmn.inference import segmenting
    from osmn.networks import devices, replicas
    from osmn.report import write

    devices.configure(args.gpu_id, args.deterministic)
    if args.only_testing:
        model = arguments.load_model(args)
        print(model.summary(args.im_size))
    else:
        with replicas.strategy().scope():
            model = train(args)
            if not replicas.is_chief():
                return
    origin = arguments.values(args, "data_path", "data_version", "use_full_res")
    segmenting.segment_videos(model, videos, arguments.testing_options(args), origin, replace=not args.only_testing)
    where = args.data_path, args.result_path, args.data_version, args.test_split
    scores = score_if_annotated(*where, videos, shards=args.shard[1])
    if args.report and scores is not None:
        write.davis(scores, *where, against=args.against)


if __name__ == "__main__":
    main()
