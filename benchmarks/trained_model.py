"""What benchmarks of a trained model begin with: a command line, the model, and videos that it was not trained on."""

import osmn_train_eval
from osmn.cli import options
from osmn.data import davis
from osmn.errors import InputError

# Options of propagation, which single steps from true masks and steps of an engine alone have no use for.
OF_PROPAGATION = ("boundaries", "crf_postprocessing", "flip_test", "search", "window")


def begin(doc, kind, argv, version=2016, without=()):
    """Return the parsed command line, the model, the videos of the test split, and their annotations.

    The command line has the options of `osmn_train_eval.py` and those of `kind`, a dataclass; `doc` explains it. The
    annotations are {video name: {frame name: path}}. `version` is of DAVIS; None: `--data_version`. InputError names
    an option among `without`, those that the benchmark does not heed, that was given.
    """
    to = osmn_train_eval.parser(doc)
    to.add(kind)
    args = to.parse(argv)
    options.required(args, "whole_model_path")
    for name in without:
        if getattr(args, name):
            raise InputError(f"--{name} has no part in what is measured here; leave it out")
    model = options.load_model(args)
    print(model.summary(tuple(args.im_size)))
    videos = davis.videos(args.data_path, version or args.data_version, args.test_split)
    return args, model, videos, davis.complete_annotations(args.data_path, videos)
