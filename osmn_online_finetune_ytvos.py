"""Finetune OSMN online on the first frame of each YouTube-VOS object and segment its video."""

import dataclasses
from dataclasses import field

from osmn.cli import options, training
from osmn.cli.entry import reports_input_errors
from osmn.cli.parser import Parser
from osmn.options import option


@dataclasses.dataclass(frozen=True)
class Resumption:
    """Where a run goes on that another one began."""

    start_id: str | None = field(default=None, metadata=option("leave out the videos before this one", metavar="VIDEO"))


def parser():
    """Return the script's options."""
    to = Parser(__doc__)
    to.add(options.YtvosData)
    options.add_model_path_option(to, "weights that each object starts from")
    to.add(Resumption)
    options.add_model_options(to)
    options.add_size_option(to, (448, 256))
    training.add_training_options(to, data_aug_scales=(0.8, 1.0, 1.5))
    training.add_rehearsal_options(to)
    options.add_testing_options(to)
    options.add_device_options(to)
    return to


def parse(argv):
    """Return the parsed command line."""
    args = parser().parse(argv)
    options.required(args, "whole_model_path", "result_path", "model_save_path")
    return args


@reports_input_errors
def main(argv=None):
    """Run the script; see `-h`."""
    args = parse(argv)
    # Before TensorFlow, which takes seconds to import: paths and lists that are wrong are named at once.
    from osmn.cli import checks
    from osmn.data import ytvos

    videos = ytvos.starting_at(ytvos.videos(args.data_path, args.test_split, args.all_frames), args.start_id)
    start = training.start_options(args, folder=None)
    checks.check_start(start)
    if args.rehearsal_share:
        ytvos.check_listed(args.data_path, "train")
    checks.check_results(args.result_path, videos, args.shard)
    checks.check_folder(args.model_save_path, args.shard)
    from osmn.training import online  # TensorFlow takes seconds to import

    options.use_devices(args)
    model = training.new_model(args, start)
    print(f"propagating through {'every frame' if args.all_frames else 'the frames that meta.json lists'}")
    run, testing = training.training_run(args), options.segmenting_options(args)
    origin, rehearsal = options.values(args, "data_path", "all_frames"), None
    if args.rehearsal_share:
        origin |= options.values(args, "rehearsal_share")
        examples = ytvos.examples(args.data_path, tuple(args.im_size))
        rehearsal = online.Rehearsal(examples, args.rehearsal_share)
    online.finetune_and_segment(model, videos, run, testing, origin, rehearsal)
    print(f"masks and merged PNGs are in {args.result_path}; ytvos_merge_result.py makes the submission of them")


if __name__ == "__main__":
    main()
