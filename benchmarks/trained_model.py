"""What benchmarks of a trained model begin with: a command line, the model, and videos that it was not trained on."""

import osmn_train_eval
from osmn.cli import options
from osmn.data import davis


def begin(doc, kind, argv, version=2016):
    """Return the parsed command line, the model, the videos of the test split, and their annotations.

    The command line has the options of `osmn_train_eval.py` and those of `kind`, a dataclass; `doc` explains it. The
    annotations are {video name: {frame name: path}}. `version` is of DAVIS; None: `--data_version`.
    """
    to = osmn_train_eval.parser(doc)
    to.add(kind)
    args = to.parse(argv)
    options.required(args, "whole_model_path")
    model = options.load_model(args)
    print(model.summary(tuple(args.im_size)))
    videos = davis.videos(args.data_path, version or args.data_version, args.test_split)
    return args, model, videos, davis.complete_annotations(args.data_path, videos)
