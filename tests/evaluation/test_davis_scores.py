"""Scores of DAVIS results that are worked out by hand, and the official ones."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

import davis_eval
from helpers import ROOT
from helpers.davis_results import blobs, read_csv, write_davis, write_score_files
from osmn.errors import InputError
from osmn.evaluation.davis import evaluate, sequences
from osmn.evaluation.scoring import score
from osmn.files.images import read_labels, write_labels, write_mask
from osmn.masks import resized


@pytest.fixture
def two_objects():
    """Return five truths of two 4x4 squares and results that lose a growing part of the second one."""
    truths, results = [], []
    for index in range(5):
        truth = np.zeros((12, 12), np.uint8)
        truth[1:5, 1:5], truth[7:11, 6:10] = 1, 2
        result = truth.copy()
        result[7 : 7 + index, 6:10] = 0
        truths.append(truth)
        results.append(result)
    return truths, results


def test_davis_2017_scores_objects_from_merged_pngs(tmp_path, two_objects, capsys):
    truths, results = two_objects
    write_davis(tmp_path / "davis", truths)
    for index, labels in enumerate(results):
        write_labels(tmp_path / f"results/seq/{index:05d}.png", labels)
    davis_eval.main([str(tmp_path / "davis"), str(tmp_path / "results"), "2017", "val"])
    # Frames 1, 2 and 3 count; the second object keeps 3, 2 and 1 of its 4 rows.
    assert (tmp_path / "results/iou.txt").read_text() == "seq/1 1.0000\nseq/2 0.5000\nall 0.7500\n"
    printed = capsys.readouterr().out
    assert printed.splitlines()[-1] == "mIU: 0.750"
    assert "merged PNGs of 1 sequences" in printed
    one, two = read_csv(tmp_path / "results/per_object.csv")
    assert (one["sequence"], one["object"], float(one["J_mean"]), float(one["F_mean"])) == ("seq", "1", 1, 1)
    # 0.5 is not above 0.5. The quarters of three frames end at 1, 1.5, 2, 2.5 and 3, rounded up: the first has two
    # frames, the last one.
    assert float(two["J_recall"]) == pytest.approx(1 / 3, abs=1e-6)
    assert float(two["J_decay"]) == pytest.approx((0.75 + 0.5) / 2 - 0.25)


def test_score_files_and_merged_pngs_give_the_same_numbers(tmp_path, two_objects):
    truths, results = two_objects
    write_davis(tmp_path / "davis", truths)
    write_score_files(tmp_path / "scores/seq", results, (1, 2))
    for index, labels in enumerate(results):
        write_labels(tmp_path / f"merged/seq/{index:05d}.png", labels)
    for kind in ("scores", "merged"):
        davis_eval.main([str(tmp_path / "davis"), str(tmp_path / kind), "2017", "val"])
    for name in ("iou.txt", "per_object.csv"):
        assert (tmp_path / "scores" / name).read_text() == (tmp_path / "merged" / name).read_text()


def test_score_files_come_before_merged_pngs_of_the_same_sequence(tmp_path, two_objects, capsys):
    truths, results = two_objects
    write_davis(tmp_path / "davis", truths)
    write_score_files(tmp_path / "results/seq", truths, (1, 2))
    for index, labels in enumerate(results):
        write_labels(tmp_path / f"results/seq/{index:05d}.png", labels)
    davis_eval.main([str(tmp_path / "davis"), str(tmp_path / "results"), "2017", "val"])
    assert "mIU: 1.000" in capsys.readouterr().out


def test_object_10_is_not_taken_for_object_2(tmp_path):
    truth = np.repeat(np.arange(13, dtype=np.uint8), 4)[None].repeat(8, 0)
    write_davis(tmp_path / "davis", [truth] * 3)
    write_score_files(tmp_path / "results/seq", [truth] * 3, range(1, 13))
    davis_eval.main([str(tmp_path / "davis"), str(tmp_path / "results"), "2017", "val", str(tmp_path / "vis")])
    lines = (tmp_path / "results/iou.txt").read_text().split("\n")
    assert lines[:12] == [f"seq/{object_id} 1.0000" for object_id in range(1, 13)]
    np.testing.assert_array_equal(read_labels(tmp_path / "vis/seq/00001.png"), truth)


@pytest.mark.parametrize("version", [2016, 2017])
def test_hidden_files_among_annotations_and_results_change_no_score(tmp_path, two_objects, version, capsys):
    truths, _ = two_objects
    write_davis(tmp_path / "davis", truths, version)
    for index, labels in enumerate(truths):  # The first frame is given, and black in a binary result.
        write_labels(tmp_path / f"results/seq/{index:05d}.png", labels if index else 0 * labels)
    for folder in ("davis/Annotations/480p", "results"):
        shutil.copy(tmp_path / folder / "seq/00000.png", tmp_path / folder / "seq/._00000.png")
    davis_eval.main([str(tmp_path / "davis"), str(tmp_path / "results"), str(version), "val"])
    assert capsys.readouterr().out.splitlines()[-1] == "mIU: 1.000"


def test_annotations_are_taken_in_natural_order(tmp_path, two_objects, capsys):
    truths, results = two_objects
    write_davis(tmp_path / "davis", truths)
    for index, (truth, result) in enumerate(zip(truths, results, strict=True)):
        (tmp_path / f"davis/Annotations/480p/seq/{index:05d}.png").unlink()
        write_labels(tmp_path / f"davis/Annotations/480p/seq/{index + 8}.png", truth)
        write_labels(tmp_path / f"results/seq/{index + 8}.png", result)
    davis_eval.main([str(tmp_path / "davis"), str(tmp_path / "results"), "2017", "val"])
    # Frames 9, 10 and 11: neither 8, the first, nor 12, the last.
    assert (tmp_path / "results/iou.txt").read_text() == "seq/1 1.0000\nseq/2 0.5000\nall 0.7500\n"


def test_davis_2016_joins_all_labels_and_accepts_masks_of_0_and_255_or_1(tmp_path, two_objects, capsys):
    truths, _ = two_objects
    for name in ("white", "ones"):
        write_davis(tmp_path / "davis", truths, 2016, name)
    for index, labels in enumerate(truths):
        write_mask(tmp_path / f"results/white/{index:05d}.png", labels > 0)
        write_labels(tmp_path / f"results/ones/{index:05d}.png", labels == 1)
    davis_eval.main([str(tmp_path / "davis"), str(tmp_path / "results"), "2016", "val"])
    assert (tmp_path / "results/iou.txt").read_text() == "white 1.0000\nones 0.5000\nall 0.7500\n"
    assert "mIU: 0.750" in capsys.readouterr().out


def test_results_of_another_size_are_resized_by_nearest_neighbour(tmp_path):
    small = np.zeros((3, 4), np.uint8)
    small[1, 1], small[2, 3] = 1, 2
    truth = small.repeat(4, 0).repeat(4, 1)
    np.testing.assert_array_equal(resized(small, (16, 12)), truth)
    write_davis(tmp_path / "davis", [truth] * 3)
    write_score_files(tmp_path / "scores/seq", [small] * 3, (1, 2))
    for index in range(3):
        write_labels(tmp_path / f"merged/seq/{index:05d}.png", small)
    for kind in ("scores", "merged"):
        davis_eval.main([str(tmp_path / "davis"), str(tmp_path / kind), "2017", "val"])
        assert (tmp_path / kind / "iou.txt").read_text().endswith("all 1.0000\n")


def test_vis_path_gets_the_scored_frames_as_indexed_pngs(tmp_path, two_objects):
    truths, results = two_objects
    write_davis(tmp_path / "davis", truths)
    write_score_files(tmp_path / "results/seq", results, (1, 2))
    davis_eval.main([str(tmp_path / "davis"), str(tmp_path / "results"), "2017", "val", str(tmp_path / "vis")])
    names = sorted(path.name for path in (tmp_path / "vis/seq").iterdir())
    assert names == ["00001.png", "00002.png", "00003.png"]
    with Image.open(tmp_path / "vis/seq/00002.png") as image:
        assert image.mode == "P"
        np.testing.assert_array_equal(np.asarray(image), results[2])


def test_several_processes_give_the_numbers_of_one_in_order(tmp_path):
    for name, frames in (("a", 20), ("b", 40)):
        write_davis(tmp_path / "davis", [blobs(seed) for seed in range(frames)], name=name)
        for index in range(frames):
            write_labels(tmp_path / f"results/{name}/{index:05d}.png", blobs(index // 2))
    scored = sequences(tmp_path / "davis", tmp_path / "results", 2017, "val")
    alone, together = score(scored, processes=1), score(scored, processes=2)
    assert [values.shape for values in alone] == [(18, 3, 2), (38, 3, 2)]
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_array_equal(one, other)


def remove_frame(root):
    (root / "results/seq/00002.png").unlink()
    return "results/seq/00002.png does not exist"


def damage_frame(root):
    path = root / "results/seq/00003.png"
    path.write_bytes(path.read_bytes()[:60])
    return "results/seq/00003.png is not a readable image"


def remove_split(root):
    (root / "davis/ImageSets/2017/val.txt").unlink()
    return "ImageSets/2017/val.txt does not exist"


def empty_split(root):
    (root / "davis/ImageSets/2017/val.txt").write_text("\n")
    return "ImageSets/2017/val.txt names no sequence"


def remove_annotations(root):
    (root / "davis/Annotations/480p/seq").rename(root / "elsewhere")
    return "Annotations/480p/seq does not exist"


def shorten_annotations(root):
    for index in range(2, 5):
        (root / f"davis/Annotations/480p/seq/{index:05d}.png").unlink()
    return "480p/seq has 2 annotations"


def remove_results(root):
    (root / "results/seq").rename(root / "elsewhere")
    return "results/seq does not exist"


def leave_no_results(root):
    for path in (root / "results/seq").iterdir():
        path.unlink()
    return "results/seq holds neither merged PNGs"


def write_0_and_255(root):
    write_mask(root / "results/seq/00001.png", read_labels(root / "results/seq/00001.png") > 0)
    return "results/seq/00001.png holds object 255"


def write_a_2016_annotation(root):
    path = root / "davis/Annotations/480p/seq/00000.png"
    write_mask(path, read_labels(path) > 0)
    return "seq/00000.png has 255 as its largest label"


def write_scores_of_one_object(root):
    write_score_files(root / "results/seq", [np.zeros((12, 12))] * 5, [1])
    return "results/seq/2/00001.npy does not exist"


def write_scores_of_a_third_object(root):
    write_score_files(root / "results/seq", [np.zeros((12, 12))] * 5, [1, 2, 3])
    return "results/seq/3 is a result for an object that"


def write_scores_of_two_sizes(root):
    write_score_files(root / "results/seq", [np.zeros((12, 12))] * 5, [1])
    write_score_files(root / "results/seq", [np.zeros((6, 12))] * 5, [2])
    return "results/seq/2/00001.npy is 12x6"


def damage_scores(root):
    write_score_files(root / "results/seq", [np.zeros((12, 12))] * 5, [1, 2])
    (root / "results/seq/2/00002.npy").write_bytes(b"\x93NUMPY")
    return "results/seq/2/00002.npy is not a score file"


@pytest.mark.parametrize(
    "spoil",
    [
        remove_frame,
        damage_frame,
        remove_split,
        empty_split,
        remove_annotations,
        shorten_annotations,
        remove_results,
        leave_no_results,
        write_0_and_255,
        write_a_2016_annotation,
        write_scores_of_one_object,
        write_scores_of_a_third_object,
        write_scores_of_two_sizes,
        damage_scores,
    ],
)
def test_davis_eval_names_what_it_cannot_use_and_exits_2(tmp_path, two_objects, capsys, spoil):
    truths, results = two_objects
    write_davis(tmp_path / "davis", truths)
    for index, labels in enumerate(results):
        write_labels(tmp_path / f"results/seq/{index:05d}.png", labels)
    expected = spoil(tmp_path)
    with pytest.raises(SystemExit) as stopped:
        davis_eval.main([str(tmp_path / "davis"), str(tmp_path / "results"), "2017", "val"])
    assert stopped.value.code == 2
    errors = capsys.readouterr().err
    assert errors.startswith("error: ") and errors.count("\n") == 1
    assert expected in errors
    assert not (tmp_path / "results/iou.txt").exists()


def test_davis_eval_refuses_an_unknown_version(tmp_path, capsys):
    with pytest.raises(SystemExit) as stopped:
        davis_eval.main([str(tmp_path), str(tmp_path), "2018", "val"])
    assert stopped.value.code == 2
    assert "2018" in capsys.readouterr().err


def test_scores_are_returned_and_nothing_is_printed_or_written(tmp_path, two_objects, capsys):
    truths, results = two_objects
    write_davis(tmp_path / "davis", truths)
    for index, labels in enumerate(results):
        write_labels(tmp_path / f"results/seq/{index:05d}.png", labels)
    before = sorted(tmp_path.rglob("*"))
    scores = evaluate(tmp_path / "davis", tmp_path / "results", 2017, "val")
    assert [(score.sequence, score.object_id, score.j.mean) for score in scores.objects] == [
        ("seq", 1, 1),
        ("seq", 2, 0.5),
    ]
    assert scores.j.mean == 0.75
    assert scores.sources == {"merged PNGs": 1}
    assert sorted(tmp_path.rglob("*")) == before
    assert capsys.readouterr().out == ""


def test_an_error_in_a_worker_process_comes_out_as_one_line(tmp_path):
    frames = [blobs(index) for index in range(40)]
    write_davis(tmp_path / "davis", frames)
    for index, labels in enumerate(frames):
        write_labels(tmp_path / f"results/seq/{index:05d}.png", labels)
    path = tmp_path / "results/seq/00030.png"
    path.write_bytes(path.read_bytes()[:50])
    scored = sequences(tmp_path / "davis", tmp_path / "results", 2017, "val")
    with pytest.raises(InputError, match=r"00030\.png is not a readable image") as caught:
        score(scored, processes=2)
    assert "\n" not in str(caught.value)


def test_the_scripts_do_not_import_tensorflow():
    code = "import sys, davis_eval, youtube_eval, ytvos_merge_result; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


def test_published_masks_get_the_official_per_frame_scores(shared):
    published = shared / "published/osmn_davis2016"
    official = json.loads((published / "per_frame.json").read_text())
    scored = sequences(shared / "data/davis2016", published / "masks", 2016, "val")
    assert {sequence.name for sequence in scored} == set(official)
    means = []
    for sequence, values in zip(scored, score(scored, processes=1), strict=True):
        for measure, ours in zip("JF", values[:, 0].T, strict=True):
            np.testing.assert_allclose(ours, np.array(official[sequence.name][measure], float), atol=0.001)
        means.append(values[:, 0, 0].mean())
    assert round(float(np.mean(means)), 3) == 0.768
