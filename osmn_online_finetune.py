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
    from osmn.data import davis
    from osmn.evaluation.davis import DATASET, can_be_scored
    from osmn.files import locks
    from osmn.models import tensorflow_model
    from osmn.networks import devices
    from osmn.report.write import score_and_report
    from osmn.training import online  # TensorFlow takes seconds to import

    devices.configure([args.gpu_id], args.deterministic)
    videos = davis.videos(args.data_path, args.data_version, args.test_split)
    model = tensorflow_model.new_for_training(args.im_size, **arguments.beginning(args) | {"folder": None})
    print(model.summary(args.im_size))
    run, testing = arguments.training_run(args), arguments.testing_options(args)
    origin, rehearsal = arguments.values(args, "data_path", "data_version"), None
    if args.rehearsal_share:
        origin |= arguments.values(args, "rehearsal_share", "rehearsal_path", "rehearsal_split")
        examples = davis.examples(args.rehearsal_path, *args.rehearsal_split)
        rehearsal = online.Rehearsal(examples, args.rehearsal_share)
    online.finetune_and_segment(model, videos, run, testing, origin, rehearsal)
    where, selection = (args.data_path, args.result_path), {"version": args.data_version, "split": args.test_split}
    if can_be_scored(*where, videos, shards=args.shard[1]):
        with locks.writing(args.result_path):
            score_and_report(DATASET, *where, selection, args.report, args.against)


if __name__ == "__main__":
    main()
