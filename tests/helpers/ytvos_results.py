"""Hand-made results of YouTube-VOS, of which all scores are known."""

import osmn_train_eval_ytvos
from helpers.scripts import words
from helpers.ytvos_videos import SIZE, paint, write_video
from osmn.files.images import write_labels


def squares(kept):
    """Return labels of objects 1 and 12, 4x4 each, of which so many rows are left."""
    return paint({1: (2, 2, 6, 2 + kept[0]), 12: (16, 10, 20, 10 + kept[1])})


def write_held_out(root):
    """Write a split of two videos, and results of which all J are known; return `root`.

    In `a` object 1 (an ant) loses 0, 1 and 2 of its four rows after the first frame, object 12 (a bee) starts at
    frame 5 and loses 2 in frame 10; in 15 it is not listed and not scored. In `b` a bee loses all, and a cat has one
    frame only.
    """
    split = root / "data/train"
    truth = squares((4, 4))
    write_video(
        split, "a", dict.fromkeys((0, 5, 10, 15), truth), {1: (0, 5, 10, 15), 12: (5, 10)}, {1: "ant", 12: "bee"}
    )
    write_video(split, "b", dict.fromkeys((0, 5), truth), {12: (0, 5), 1: (0,)}, {12: "bee", 1: "cat"})
    for name, number, kept in (
        *(("a", 0, (1, 1)), ("a", 5, (4, 0)), ("a", 10, (3, 2)), ("a", 15, (2, 0))),
        *(("b", 0, (0, 0)), ("b", 5, (4, 0))),
    ):
        write_labels(root / f"results/{name}/{number:05d}.png", squares(kept))
    (root / "unseen.txt").write_text("bee\n\nwalrus \n")
    return root


def evaluate(data, results, *more):
    """Run the evaluation as the README has it, at the videos' own size and colours."""
    paths = ["--data_path", data, "--whole_model_path", "stand-in", "--result_path", results, "--only_testing"]
    colours = ["--mean_value", 0, 0, 0, "--precision", "float32"]
    osmn_train_eval_ytvos.main(words(*paths, "--im_size", *SIZE, *colours, *more))
