"""Finetune OSMN online on the first frame of each DAVIS object, segment its video, and score the results."""

from osmn.cli import options, training
from osmn.cli.entry import reports_input_errors
from osmn.cli.parser import Parser, read


def parser():
    """Return the script's options."""
    to = Parser(__doc__)
    to.add(options.DavisData)
    options.add_model_path_option(to, "weights that each object starts from")
    options.add_model_options(to)
    options.add_size_option(to, (854, 480))
    training.add_training_options(to, data_aug_scales=(0.5, 0.8, 1.0))
    training.add_rehearsal_options(to, "DAVIS videos", choice=True)
    options.add_testing_options(to)
    to.add(options.Report)
    options.add_device_options(to)
    return to


def parse(argv):
    """Return the parsed command line."""
    args = parser().parse(argv)
    options.required(args, "whole_model_path", "result_path", "model_save_path")
    training.rehearsal(args)
    return args


@reports_input_errors
def main(argv=None):
    """Run the script; see `-h`."""
    args = parse(argv)
    # Before TensorFlow, which takes seconds to import: paths and lists that are wrong are named at once.
    from osmn.cli import checks
    from osmn.data import davis

    videos = davis.videos(args.data_path, args.data_version, args.test_split)
    start = training.start_options(args, folder=None)
    checks.check_start(start)
    asked_for = training.rehearsal(args, args.data_path, args.data_version)
    if asked_for.rehearsal_share:
        davis.example_folders(asked_for.rehearsal_path, *asked_for.rehearsal_split)
    checks.check_results(args.result_path, videos, args.shard)
    checks.check_folder(args.model_save_path, args.shard)
    from osmn.evaluation.davis import DATASET, can_be_scored
    from osmn.report.write import score_and_report
    from osmn.training import online  # TensorFlow takes seconds to import

    options.use_devices(args)
    model = training.new_model(args, start)
    run, testing = training.training_run(args), options.segmenting_options(args)
    origin, rehearsal = options.values(args, "data_path", "data_version"), None
    if asked_for.rehearsal_share:
        origin |= vars(asked_for)
        examples = davis.examples(asked_for.rehearsal_path, *asked_for.rehearsal_split)
        rehearsal = online.Rehearsal(examples, asked_for.rehearsal_share)
    online.finetune_and_segment(model, videos, run, testing, origin, rehearsal)
    where, selection = (args.data_path, args.result_path), {"version": args.data_version, "split": args.test_split}
    if can_be_scored(*where, videos, shards=args.shard[1]):
        score_and_report(DATASET, *where, selection, read(args, options.Report))


if __name__ == "__main__":
    main()
