"""Finetune OSMN online on the first frame of each DAVIS object, segment its video, and score the results."""

from osmn.cli import options as arguments
from osmn.cli import training
from osmn.cli.entry import reports_input_errors
from osmn.errors import InputError


def parse(argv):
    """Return the parsed command line."""
    parser = arguments.parser(__doc__)
    arguments.add_davis_options(parser)
    parser.add_argument("--whole_model_path", default="", help="weights that each object starts from")
    arguments.add_model_options(parser)
    arguments.add_size_option(parser, [854, 480])
    training.add_training_options(parser, data_aug_scales=[0.5, 0.8, 1.0])
    training.add_rehearsal_options(parser, "DAVIS videos", choice=True)
    arguments.add_testing_options(parser)
    arguments.add_report_option(parser)
    arguments.add_device_options(parser)
    args = parser.parse_args(argv)
    arguments.required(args, "whole_model_path", "result_path", "model_save_path")
    if not args.rehearsal_share and (args.rehearsal_path or args.rehearsal_split):
        raise InputError("--rehearsal_path and --rehearsal_split do nothing without --rehearsal_share; give it too")
    args.rehearsal_path = args.rehearsal_path or args.data_path
    args.rehearsal_split = args.rehearsal_split or (args.data_version, "train")
    return args


@reports_input_errors
def main(argv=None):
    """Run the script; see `-h`."""
    args = parse(argv)
    # Before TensorFlow, which takes seconds to import: paths and lists that are wrong are named at once.
    from osmn.cli import checks
    from osmn.data import davis

    videos = davis.videos(args.data_path, args.data_version, args.test_split)
    checks.check_start(args)
    if args.rehearsal_share:
        davis.example_folders(args.rehearsal_path, *args.rehearsal_split)
    checks.check_results(args.result_path, videos, args.shard)
    checks.check_folder(args.model_save_path, args.shard)
    from osmn.evaluation.tables import score_if_annotated
    from osmn.models import tensorflow_model
    from osmn.networks import devices
    from osmn.report import write
    from osmn.training import online  # TensorFlow takes seconds to import

    devices.configure([args.gpu_id], args.deterministic)
    model = tensorflow_model.new_for_training(args.im_size, **arguments.beginning(args) | {"folder": None})
    print(model.summary(args.im_size))
    run, testing = arguments.training_run(args), arguments.testing_options(args)
    origin, rehearsal = arguments.values(args, "data_path", "data_version"), None
    if args.rehearsal_share:
        origin |= arguments.values(args, "rehearsal_share", "rehearsal_path", "rehearsal_split")
        examples = davis.examples(args.rehearsal_path, *args.rehearsal_split)
        rehearsal = online.Rehearsal(examples, args.rehearsal_share)
    online.finetune_and_segment(model, videos, run, testing, origin, rehearsal)
    where = args.data_path, args.result_path, args.data_version, args.test_split
    scores = score_if_annotated(*where, videos, shards=args.shard[1])
    if args.report and scores is not None:
        write.davis(scores, *where, against=args.against)


if __name__ == "__main__":
    main()
