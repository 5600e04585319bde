"""Scores of YouTube-Objects results that are worked out by hand."""

import numpy as np
import pytest

import youtube_eval
from helpers.davis_results import read_csv
from osmn.files.images import write_mask


@pytest.fixture
def youtube(tmp_path):
    """Return a dataset of three sequences of two classes and one with a single label; labels on every second frame."""
    masks = {
        "cat_0001": [(4, 4), (4, 2), (4, 4)],  # heights of truth and result, per labelled frame
        "cat_0002": [(4, 4), (4, 4)],
        "dog_0001": [(4, 4), (4, 1), (4, 3)],
        "dog_0002": [(4, 4)],
    }
    for name, heights in masks.items():
        for index, (truth, result) in enumerate(heights):
            write_mask(tmp_path / f"data/Labels/{name}/{2 * index:05d}.png", np.arange(8)[:, None].repeat(9, 1) < truth)
            write_mask(tmp_path / f"results/{name}/{2 * index:05d}.png", np.arange(8)[:, None].repeat(9, 1) < result)
            write_mask(tmp_path / f"results/{name}/{2 * index + 1:05d}.png", np.zeros((8, 9), bool))
    (tmp_path / "data/all.txt").write_text("".join(f"{name}\n" for name in masks))
    return tmp_path


def test_youtube_eval_scores_labelled_frames_but_the_first(youtube, capsys):
    youtube_eval.main([str(youtube / "data"), str(youtube / "results")])
    text = "cat_0001 0.7500\ncat_0002 1.0000\ndog_0001 0.5000\nall 0.7500\n"
    assert (youtube / "results/iou.txt").read_text() == text
    rows = read_csv(youtube / "results/per_sequence.csv")
    assert [(row["sequence"], row["class"], int(row["frames"]), float(row["IoU"])) for row in rows] == [
        ("cat_0001", "cat", 2, 0.75),
        ("cat_0002", "cat", 1, 1.0),
        ("dog_0001", "dog", 2, 0.5),
    ]
    printed = capsys.readouterr()
    assert "mean over 2 classes: 0.688" in printed.out  # (0.875 + 0.5) / 2
    assert printed.out.splitlines()[-1] == "mIU: 0.750"
    assert "skipped, fewer than two labelled frames: dog_0002" in printed.err


def test_youtube_eval_names_what_it_cannot_use_and_exits_2(youtube, capsys):
    (youtube / "results/dog_0001/00002.png").unlink()
    with pytest.raises(SystemExit) as stopped:
        youtube_eval.main([str(youtube / "data"), str(youtube / "results")])
    assert stopped.value.code == 2
    assert "results/dog_0001/00002.png does not exist" in capsys.readouterr().err
    (youtube / "data/all.txt").unlink()
    with pytest.raises(SystemExit) as stopped:
        youtube_eval.main([str(youtube / "data"), str(youtube / "results")])
    assert stopped.value.code == 2
    assert "all.txt does not exist" in capsys.readouterr().err
