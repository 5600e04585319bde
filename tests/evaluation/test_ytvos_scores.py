"""Scores of YouTube-VOS results that are worked out by hand."""

import csv
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest

import davis_eval
import ytvos_eval
from helpers import ROOT
from helpers.scripts import error, words
from helpers.ytvos_videos import paint, write_video
from osmn.files.images import read_labels, write_labels
from osmn.files.scores import write_scores


def score(root, *more):
    ytvos_eval.main(words(root / "data", root / "results", "train", *more))
    with (root / "results/per_object.csv").open() as lines:
        return list(csv.DictReader(lines))


def test_objects_are_scored_in_their_listed_frames_after_the_first(held_out):
    rows = score(held_out)
    assert [(row["video"], row["object"], row["category"], row["frames"], float(row["J_mean"])) for row in rows] == [
        ("a", "1", "ant", "3", 0.75),
        ("a", "12", "bee", "1", 0.5),
        ("b", "12", "bee", "1", 0.0),
    ]


def test_g_is_the_mean_of_j_and_f_over_the_objects_of_seen_and_unseen_categories(held_out, capsys):
    rows = score(held_out, "--unseen", held_out / "unseen.txt")
    assert [row["seen"] for row in rows] == ["1", "0", "0"]
    f = [float(row["F_mean"]) for row in rows]
    seen, unseen, *_, last = capsys.readouterr().out.splitlines()[1:]
    assert seen.split() == ["seen", "1", "1", "0.750", f"{f[0]:.3f}"]
    assert unseen.split() == ["unseen", "2", "1", "0.250", f"{(f[1] + f[2]) / 2:.3f}"]
    assert last == f"G: {(0.75 + f[0] + 0.25 + (f[1] + f[2]) / 2) / 4:.3f}"


def test_unseen_categories_that_no_object_has_are_named(held_out, capsys):
    score(held_out, "--unseen", held_out / "unseen.txt")
    assert f"{held_out / 'unseen.txt'}: no object of {held_out / 'data/train'} is of walrus" in capsys.readouterr().err


def test_a_list_of_unseen_categories_may_begin_with_a_mark_of_its_encoding(held_out):
    (held_out / "unseen.txt").write_text("bee\nant\n", encoding="utf-8-sig")
    assert {row["seen"] for row in score(held_out, "--unseen", held_out / "unseen.txt")} == {"0"}


def test_without_a_list_every_category_is_seen_and_that_is_said(held_out, capsys):
    rows = score(held_out)
    assert {row["seen"] for row in rows} == {"1"}
    out = capsys.readouterr().out
    assert "every category counts as seen" in out
    assert "the two that there are" in out
    assert "not scored, listed for a single frame: 1 objects" in out
    j, f = (np.mean([float(row[key]) for row in rows]) for key in ("J_mean", "F_mean"))
    assert out.splitlines()[-1] == f"G: {(j + f) / 2:.3f}"


def test_score_files_get_the_numbers_of_the_frames_merged_of_them(held_out, tmp_path):
    merged = score(held_out)
    labels = {path: read_labels(path) for path in sorted((tmp_path / "results").rglob("*.png"))}
    shutil.rmtree(tmp_path / "results")
    for path, of in labels.items():
        for object_id in (1, 12):
            name = path.parent / str(object_id) / f"{path.stem}.npy"
            if name.relative_to(tmp_path / "results").as_posix() not in ("a/12/00005.npy", "a/1/00000.npy"):
                write_scores(name, np.where(of == object_id, 0.9, 0.1))
    assert score(held_out) == merged
    assert not list((tmp_path / "results").rglob("*.png"))


def test_j_and_f_equal_those_of_davis_eval_in_the_same_frames(tmp_path):
    rng = np.random.default_rng(0)
    frames = range(6)
    truths = [paint({1: (2 + t, 3, 14 + t, 15), 2: (16, 8 - t, 30, 20 - t)}) for t in frames]
    write_video(tmp_path / "data/train", "v", dict(enumerate(truths)), dict.fromkeys((1, 2), range(5)))
    (tmp_path / "davis/ImageSets/2017").mkdir(parents=True)
    (tmp_path / "davis/ImageSets/2017/val.txt").write_text("v\n")
    for t, truth in enumerate(truths):  # DAVIS leaves out the first and the last frame.
        write_labels(tmp_path / f"davis/Annotations/480p/v/{t:05d}.png", truth)
        result = np.where(rng.random(truth.shape) < 0.1, 0, np.roll(truth, t, axis=1))
        write_labels(tmp_path / f"results/v/{t:05d}.png", result)
    rows = score(tmp_path)
    davis_eval.main(words(tmp_path / "davis", tmp_path / "results", 2017, "val"))
    with (tmp_path / "results/per_object.csv").open() as lines:
        official = list(csv.DictReader(lines))
    assert len(rows) == 2
    assert [(r["J_mean"], r["F_mean"]) for r in rows] == [(r["J_mean"], r["F_mean"]) for r in official]


def remove_result(root):
    (root / "results/a/00010.png").unlink()
    return "results/a/00010.png does not exist"


def damage_result(root):
    path = root / "results/a/00010.png"
    path.write_bytes(path.read_bytes()[:-100])
    return "results/a/00010.png"


def remove_results(root):
    shutil.rmtree(root / "results/b")
    return "results/b does not exist"


def remove_truth(root):
    (root / "data/train/Annotations/a/00015.png").unlink()
    return "Annotations/a/00015.png does not exist; only a split with all of its annotations"


def remove_meta(root):
    (root / "data/train/meta.json").unlink()
    return "train/meta.json cannot be read"


def remove_list(root):
    (root / "unseen.txt").unlink()
    return "unseen.txt cannot be read (No such file or directory); --unseen is a list of categories, one a line"


def replace_list_by_a_folder(root):
    (root / "unseen.txt").unlink()
    (root / "unseen.txt").mkdir()
    return "unseen.txt cannot be read (Is a directory); --unseen is"


def replace_list_by_a_pipe(root):
    (root / "unseen.txt").unlink()
    os.mkfifo(root / "unseen.txt")
    return "unseen.txt cannot be read (it is not a regular file); --unseen is"


def empty_list(root):
    (root / "unseen.txt").write_text("\n \n")
    return "unseen.txt names no category; --unseen is"


def remove_category(root):
    path = root / "data/train/meta.json"
    path.write_text(path.read_text().replace('"category": "cat", ', ""))
    return "meta.json has no category for object 1 of b"


@pytest.mark.parametrize(
    "spoil",
    [
        *(remove_result, damage_result, remove_results, remove_truth, remove_meta, remove_category, remove_list),
        *(replace_list_by_a_folder, replace_list_by_a_pipe, empty_list),
    ],
)
def test_ytvos_eval_names_what_it_cannot_use_and_exits_2(held_out, capsys, spoil):
    named = spoil(held_out)
    arguments = [held_out / "data", held_out / "results", "train", "--unseen", held_out / "unseen.txt"]
    assert named in error(capsys, ytvos_eval.main, *arguments)
    assert not (held_out / "results/per_object.csv").exists()


def test_ytvos_eval_does_not_import_tensorflow():
    code = "import sys, ytvos_eval; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0
