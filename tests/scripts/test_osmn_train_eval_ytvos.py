"""YouTube-VOS and YouTube-Objects: hand-made videos through the scripts, and the published program's masks."""

import csv
import itertools
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import davis_eval
import osmn_eval_youtube
import osmn_online_finetune_ytvos
import osmn_train_eval_ytvos
import ytvos_eval
import ytvos_merge_result
from helpers import ROOT
from helpers.scripts import error, words
from helpers.stand_ins import ColourKey, Follower, Pixelwise, stand_in
from helpers.trees import change_cache, tree
from helpers.ytvos_videos import COLOURS, SIZE, VIDEOS, paint, write_frame, write_video
from osmn.data import ytvos
from osmn.data.types import shard_of
from osmn.errors import InputError
from osmn.files.atomic import UNFINISHED, replacing
from osmn.files.images import read_image, read_labels, write_labels, write_mask
from osmn.files.scores import write_scores
from osmn.inference import segmenting
from osmn.inference.predictor import Predictor
from osmn.inputs.sources import video_loader
from osmn.models.engines.tensorflow import TensorFlowEngine
from osmn.results.manifest import MAKING
from osmn.training import online
from preprocessing import preprocess_youtube


def expected(name, number):
    """Return the labels of a frame without the objects that are not listed for it."""
    frames, listed = VIDEOS[name]
    labels = paint(frames[number])
    return np.where(np.isin(labels, [i for i, numbers in listed.items() if number in numbers]), labels, 0)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Return a dataset of the hand-made videos, split `valid`. Not to be written to: copy it."""
    root = tmp_path_factory.mktemp("ytvos")
    for name, (frames, listed) in VIDEOS.items():
        write_video(root / "valid", name, {n: paint(boxes) for n, boxes in frames.items()}, listed)
    return root


def evaluate(data, results, *more):
    """Run the evaluation as the README has it, at the videos' own size and colours."""
    paths = ["--data_path", data, "--whole_model_path", "stand-in", "--result_path", results, "--only_testing"]
    colours = ["--mean_value", 0, 0, 0, "--precision", "float32"]
    osmn_train_eval_ytvos.main(words(*paths, "--im_size", *SIZE, *colours, *more))


@pytest.fixture
def by_colour(monkeypatch):
    stand_in(monkeypatch, ColourKey)


@pytest.fixture(scope="module")
def results(data, tmp_path_factory):
    """Return the results of one run without interruption. Not to be written to: copy it."""
    folder = tmp_path_factory.mktemp("results")
    with pytest.MonkeyPatch.context() as monkeypatch:
        stand_in(monkeypatch, ColourKey)
        evaluate(data, folder)
    return folder


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("late", id="objects that appear late, one with an id above 9"),
        pytest.param("gone", id="an object that is no longer listed, and one that disappears and comes back"),
        pytest.param("border", id="objects that touch the border and fill the frame"),
        pytest.param("thin", id="objects that are one pixel wide"),
        pytest.param("crowd", id="eleven objects in a frame"),
        pytest.param("single", id="a single annotated frame"),
        pytest.param("alike", id="objects that claim each other's pixels"),
    ],
)
def test_merged_frames_hold_what_is_painted(results, name):
    frames, _ = VIDEOS[name]
    assert sorted(path.stem for path in (results / name).glob("*.png")) == [f"{number:05d}" for number in frames]
    for number in frames:
        with Image.open(results / f"{name}/{number:05d}.png") as image:
            assert (image.mode, image.size) == ("P", SIZE)
            np.testing.assert_array_equal(image, expected(name, number), err_msg=f"{name}, frame {number}")


def test_ids_of_the_hand_made_frames():
    assert set(np.unique(expected("late", 10))) == {0, 1, 3, 12}
    assert set(np.unique(expected("gone", 15))) == {0}
    assert set(np.unique(expected("gone", 20))) == {0, 2}
    assert set(np.unique(expected("crowd", 10))) == set(range(12))
    assert np.all(expected("border", 10) == 1)
    assert (expected("thin", 10) == 3).sum() == 1


def test_files_are_written_for_the_frames_listed_for_each_object(results):
    for name, (_, listed) in VIDEOS.items():
        folders = {path.name for path in (results / name).iterdir() if path.is_dir()}
        assert folders == {str(object_id) for object_id in listed}
        for object_id, numbers in listed.items():
            names = sorted(path.name for path in (results / name / str(object_id)).iterdir())
            assert names == [f"{number:05d}.png" for number in numbers]


def test_masks_are_black_in_an_objects_first_frame_and_its_own_after(results):
    for name, (frames, listed) in VIDEOS.items():
        for object_id, (first, *others) in listed.items():
            assert not read_labels(results / f"{name}/{object_id}/{first:05d}.png").any()
            if name == "alike":
                continue
            for number in others:
                mask = read_labels(results / f"{name}/{object_id}/{number:05d}.png")
                np.testing.assert_array_equal(mask, 255 * (paint(frames[number]) == object_id))


def test_objects_that_claim_each_others_pixels_do_so(results):
    union = paint(VIDEOS["alike"][0][5]) > 0
    for object_id in (21, 22):
        np.testing.assert_array_equal(read_labels(results / f"alike/{object_id}/00005.png") > 0, union)


def test_an_object_absent_from_its_first_annotation_is_empty_and_disturbs_nobody(by_colour, tmp_path):
    frames = {number: paint({1: (4, 4, 12, 12)}) for number in (0, 5)}
    write_video(tmp_path / "data/valid", "v", frames, {1: (0, 5), 2: (0, 5)})
    evaluate(tmp_path / "data", tmp_path / "results")
    assert not read_labels(tmp_path / "results/v/2/00005.png").any()
    np.testing.assert_array_equal(read_labels(tmp_path / "results/v/00005.png"), frames[5])


def test_a_video_without_objects_is_left_out(by_colour, tmp_path):
    frames = {0: paint({1: (4, 4, 12, 12)})}
    write_video(tmp_path / "data/valid", "v", frames, {1: (0,)})
    write_video(tmp_path / "data/valid", "nothing", frames, {})
    evaluate(tmp_path / "data", tmp_path / "results")
    assert sorted(tree(tmp_path / "results")) == ["v/00000.png", "v/1/00000.png"]


# -- Every frame, or the listed ones ----------------------------------------------------------------------------------


@pytest.fixture
def sparse(tmp_path):
    """Return a dataset of a video with JPEGs 0 to 6 of which 1 (object 1 starts), 3 (2 starts) and 6 are listed."""
    split = tmp_path / "data/valid"
    first, second = paint({1: (4, 2, 28, 22)}), paint({2: (1, 1, 25, 23)})
    write_video(split, "v", {1: first, 3: second, 6: second}, {1: (1, 3, 6), 2: (3, 6)})
    for number in (0, 2, 4, 5):
        write_frame(split / f"JPEGImages/v/{number:05d}.jpg", first)
    return tmp_path / "data"


def propagated(box, times):
    """Return where `Follower` sees, after so many frames, an object that was in `box`."""
    frame = np.zeros((*SIZE[::-1], 3), np.uint8)
    predictor = Predictor(TensorFlowEngine(Follower()))
    predictor.start(frame)
    predictor.add_object(1, paint({1: box}) == 1)
    *_, last = predictor.propagate([frame] * times)
    return last.masks[0]


def test_all_frames_propagates_through_every_jpeg_and_writes_the_listed_ones(sparse, tmp_path, monkeypatch, capsys):
    stand_in(monkeypatch, Follower)
    evaluate(sparse, tmp_path / "listed")
    assert "propagating through the frames that meta.json lists" in capsys.readouterr().out
    evaluate(sparse, tmp_path / "all", "--all_frames")
    assert "propagating through every frame" in capsys.readouterr().out
    one, two = (4, 2, 28, 22), (1, 1, 25, 23)
    # Frames from an object's first to the one in the name, (listed, all).
    times = {"1/00003": (one, 1, 2), "1/00006": (one, 2, 5), "2/00006": (two, 1, 3)}
    for name, (box, listed, every) in times.items():
        few, many = propagated(box, listed), propagated(box, every)
        assert few.sum() > many.sum() > 0
        np.testing.assert_array_equal(read_labels(tmp_path / f"listed/v/{name}.png") > 0, few)
        np.testing.assert_array_equal(read_labels(tmp_path / f"all/v/{name}.png") > 0, many)
    written = ["00001.png", "00003.png", "00006.png", "1/00001.png", "1/00003.png", "1/00006.png"]
    assert sorted(tree(tmp_path / "all/v")) == sorted(tree(tmp_path / "listed/v"))
    assert sorted(tree(tmp_path / "all/v")) == sorted([*written, "2/00003.png", "2/00006.png"])


def test_frames_may_be_pngs_and_come_in_natural_order(tmp_path):
    names = ["8", "9", "10", "11"]
    labels = paint({1: (4, 4, 12, 12)})
    for split in ("train", "valid"):
        write_video(tmp_path / split, "v", dict.fromkeys(range(4), labels), {1: (0, 1, 3)})
        for number, name in enumerate(names):
            for path in list((tmp_path / split).rglob(f"{number:05d}.*")):
                path.rename(path.with_name(name + (".png" if path.suffix == ".png" or number % 2 else ".JPG")))
        meta = tmp_path / split / "meta.json"
        meta.write_text(json.dumps({"videos": {"v": {"objects": {"1": {"frames": ["11", "8", "9"]}}}}}))
    (listed,), (every,) = (ytvos.videos(tmp_path, "valid", all_frames) for all_frames in (False, True))
    assert [path.name for path in listed.frames] == ["8.JPG", "9.png", "11.png"]
    assert [path.name for path in every.frames] == ["8.JPG", "9.png", "10.JPG", "11.png"]
    assert listed.references == every.references == {0: (tmp_path / "valid/Annotations/v/8.png", (1,))}
    assert every.listed == {1: {0, 1, 3}}
    assert described(ytvos.examples(tmp_path, SIZE)) == [(1, [8], 8, 9, 9), (1, [8], 9, 11, 11)]


def test_a_listed_frame_that_is_missing_is_named(sparse, tmp_path, monkeypatch, capsys):
    stand_in(monkeypatch, Follower)
    (sparse / "valid/JPEGImages/v/00003.jpg").unlink()
    paths = ["--data_path", sparse, "--whole_model_path", "m", "--result_path", tmp_path / "results"]
    options = ["--only_testing", "--im_size", *SIZE, "--precision", "float32"]
    assert "JPEGImages/v/00003.jpg does not exist" in error(capsys, osmn_train_eval_ytvos.main, *paths, *options)


# -- Many videos, many machines ---------------------------------------------------------------------------------------


def test_shards_together_write_the_files_of_one_run(by_colour, data, results, tmp_path):
    for index in range(3):
        before = len(tree(tmp_path))
        evaluate(data, tmp_path, "--shard", f"{index}/3")
        assert len(tree(tmp_path)) > before
    assert tree(tmp_path) == tree(results)


def test_one_graph_serves_all_videos(data, monkeypatch, tmp_path):
    # A graph for one size or number of objects rounds differently: results would depend on the videos before.
    traces = []

    class Traced(ColourKey):
        def segment(self, image, spatial, gammas, execution):
            traces.append(1)
            return super().segment(image, spatial, gammas, execution)

    stand_in(monkeypatch, Traced)
    evaluate(data, tmp_path)
    assert len(traces) == 1


def test_files_that_a_killed_run_left_half_written_are_removed(by_colour, data, results, tmp_path):
    for name in ("late", "late/1"):
        with replacing(tmp_path / name / f"{UNFINISHED}0123456789abcdef.png") as temporary:
            temporary.write_bytes(b"half")
    evaluate(data, tmp_path)
    assert not list(tmp_path.rglob(f"{UNFINISHED}*"))
    assert tree(tmp_path) == tree(results)


@pytest.mark.parametrize("text", ["3/3", "0", "a/2", "-1/2", "1/"])
def test_a_shard_that_is_none_is_refused(text, capsys):
    with pytest.raises(SystemExit):
        osmn_train_eval_ytvos.parse([f"--shard={text}"])
    assert "is not I/N with I from 0 to N - 1" in capsys.readouterr().err


@pytest.mark.parametrize("text", [str(2**63), str(-(2**63) - 1), "1e3", "one"])
def test_a_seed_that_is_no_integer_of_64_bits_is_refused(text, capsys):
    with pytest.raises(SystemExit) as stopped:
        osmn_train_eval_ytvos.parse([f"--seed={text}"])
    assert stopped.value.code == 2
    assert "--seed" in capsys.readouterr().err.splitlines()[-1]


def interrupt_reading(monkeypatch, after):
    """Have the program interrupted while it reads an image, after so many."""
    read, count = read_image, itertools.count()

    def interrupted(*arguments):
        if next(count) >= after:
            raise KeyboardInterrupt
        return read(*arguments)

    monkeypatch.setattr(segmenting, "read_image", interrupted)


def modified(folder):
    """Return the times of a folder's files, but for lists of what is being made, which go when it is."""
    paths = (path for path in folder.rglob("*") if path.is_file() and path.suffix != MAKING)
    return {path: path.stat().st_mtime_ns for path in paths}


@pytest.mark.parametrize("after", np.random.default_rng(0).integers(6, 28, 2).tolist())
def test_a_run_that_was_interrupted_anywhere_and_repeated_equals_one_that_was_not(
    by_colour, data, results, tmp_path, capsys, after
):
    with pytest.MonkeyPatch.context() as monkeypatch, pytest.raises(SystemExit, match="130"):
        interrupt_reading(monkeypatch, after)
        evaluate(data, tmp_path)
    finished = {path.stem for path in (tmp_path / ".osmn-finished").glob("*.json")}
    left = [video.name for video in ytvos.videos(data, "valid") if video.name not in finished]
    before = modified(tmp_path)
    assert 0 < len(left) < len(VIDEOS)
    evaluate(data, tmp_path)
    assert tree(tmp_path) == tree(results)
    assert f"{len(VIDEOS) - len(left)} of {len(VIDEOS)} videos are finished in" in capsys.readouterr().out
    now = modified(tmp_path)
    for path, time in before.items():  # Of finished videos nothing is written again.
        assert (now[path] == time) == (path.relative_to(tmp_path).parts[0] not in left)


def test_a_video_without_its_last_merged_frame_is_done_again(by_colour, data, results, tmp_path):
    shutil.copytree(results, tmp_path / "results")
    (tmp_path / "results/late/00020.png").unlink()
    (tmp_path / "results/late/12/00015.png").write_bytes(b"of another run")
    shutil.rmtree(tmp_path / "results/thin")
    evaluate(data, tmp_path / "results")
    assert tree(tmp_path / "results") == tree(results)


def test_finished_videos_are_done_again_for_their_scores(by_colour, data, results, tmp_path, capsys):
    shutil.copytree(results, tmp_path / "results")
    evaluate(data, tmp_path / "results", "--save_score")
    # The video of a single frame has no scores.
    assert "1 of 7 videos are finished in" in capsys.readouterr().out
    assert tree(tmp_path / "results", "*.png") == tree(results)
    frames = sum(len(numbers) - 1 for _, listed in VIDEOS.values() for numbers in listed.values())
    assert len(tree(tmp_path / "results", "*.npy")) == frames
    evaluate(data, tmp_path / "results", "--save_score")
    assert "7 of 7 videos are finished in" in capsys.readouterr().out


def test_start_id_leaves_out_the_videos_before_it_and_then_shares_the_others(data, monkeypatch, capsys):
    given = []
    stand_in(monkeypatch, Pixelwise)

    def note(model, videos, run, testing, origin, rehearsal):
        given.append(shard_of(videos, testing.shard))

    monkeypatch.setattr(online, "finetune_and_segment", note)
    paths = ["--data_path", data, "--whole_model_path", "m", "--model_save_path", "s", "--result_path", "r"]
    options = [*paths, "--precision", "float32"]
    osmn_online_finetune_ytvos.main(words(*options, "--start_id", "gone"))
    assert [video.name for video in given.pop()] == ["gone", "late", "single", "thin"]
    for index in range(2):
        osmn_online_finetune_ytvos.main(words(*options, "--start_id", "gone", "--shard", f"{index}/2"))
    assert sorted(video.name for videos in given for video in videos) == ["gone", "late", "single", "thin"]
    line = error(capsys, osmn_online_finetune_ytvos.main, *options, "--start_id", "nobody")
    assert "--start_id nobody: there is no such video" in line


# -- Merging and the archive ------------------------------------------------------------------------------------------


def test_merging_score_files_equals_the_frames_that_the_evaluation_merged(by_colour, data, tmp_path):
    # At another size than the annotations': pixels between two colours have odd probabilities.
    evaluate(data, tmp_path / "results", "--im_size", 52, 36, "--save_score")
    ytvos_merge_result.main(words(data, tmp_path / "results", tmp_path / "out", "valid"))
    merged = tree(tmp_path / "out/valid/Annotations")
    assert merged == {name: content for name, content in tree(tmp_path / "results", "*.png").items() if name in merged}
    assert len(merged) == sum(len(frames) for frames, _ in VIDEOS.values())
    contested = [np.load(tmp_path / f"results/alike/{object_id}/00005.npy") for object_id in (21, 22)]
    assert np.count_nonzero(np.minimum(*contested) > 0.5) > 100
    assert len(np.unique(contested)) > 20


def archive(data, results, folder):
    ytvos_merge_result.main(words(data, results, folder / "out", "valid", "--zip", folder / "a.zip"))


def test_the_archive_of_a_run_holds_its_frames(data, results, tmp_path):
    archive(data, results, tmp_path)
    with zipfile.ZipFile(tmp_path / "a.zip") as file:
        held = {name: file.read(name) for name in file.namelist()}
    frames = [f"{name}/{number:05d}.png" for name, (frames, _) in VIDEOS.items() for number in frames]
    assert held == {f"Annotations/{name}": (results / name).read_bytes() for name in frames}


def remove(path):
    path.unlink()


def damage(position, change=0x10):
    def spoil(path):
        content = bytearray(path.read_bytes())
        content[position] ^= change
        path.write_bytes(content)

    return spoil


def cut(count):
    return lambda path: path.write_bytes(path.read_bytes()[:-count])


@pytest.mark.parametrize(
    "spoil",
    [remove, *map(damage, (3, 20, 100, -4, -6, -14, -18, -22, -40, -60)), *map(cut, (1, 4, 12, 20, 100))],
)
def test_an_archive_is_not_written_of_a_frame_that_is_removed_or_damaged_by_a_byte(
    data, results, tmp_path, capsys, spoil
):
    shutil.copytree(results, tmp_path / "results")
    spoil(tmp_path / "results/crowd/00005.png")
    line = error(
        capsys,
        ytvos_merge_result.main,
        *(data, tmp_path / "results", tmp_path / "out", "valid", "--zip", tmp_path / "a.zip"),
    )
    assert "crowd/00005.png" in line
    assert not (tmp_path / "a.zip").exists()


# -- Training examples ------------------------------------------------------------------------------------------------

COLUMN = {1: (4, 0, 5, 24), 2: (16, 4, 28, 20)}  # Halving keeps odd columns and rows: this object 1 vanishes ...
NEXT_COLUMN = {1: (5, 0, 6, 24), 2: (16, 4, 28, 20)}  # ... and this one stays.
VALIDITY = (0.003, 0.2)
HALF = (16, 12)


@pytest.fixture
def train(tmp_path):
    """Return a dataset with a video of two objects and three frames; object 2 starts in the second one."""
    boxes = {0: {1: COLUMN[1]}, 5: NEXT_COLUMN, 10: COLUMN}
    frames = {number: paint(of) for number, of in boxes.items()}
    write_video(tmp_path / "train", "v", frames, {1: (0, 5, 10), 2: (5, 10)})
    return tmp_path


def described(examples):
    """Return examples as (object, guides, previous mask, frame, label), frames by number."""

    def number(path):
        return int(Path(path).stem)

    return [
        (e.object_id, [number(g.frame) for g in e.guides], number(e.previous_mask), number(e.frame), number(e.label))
        for e in examples
    ]


def test_examples_are_pairs_of_an_objects_listed_frames_guided_by_its_first_one(train):
    assert described(ytvos.examples(train, SIZE)) == [
        (1, [0], 0, 5, 5),
        (1, [0], 5, 10, 10),
        (2, [5], 5, 10, 10),
    ]


def test_guides_are_the_frames_where_the_object_is_valid_at_the_networks_size(train):
    assert [e[1] for e in described(ytvos.examples(train, SIZE, VALIDITY))] == [[0, 5, 10], [0, 5, 10], [5, 10]]
    assert [e[1] for e in described(ytvos.examples(train, HALF, VALIDITY))] == [[5], [5], [5, 10]]


def test_an_object_that_is_nowhere_valid_is_guided_by_its_first_frame(train):
    assert [e[1] for e in described(ytvos.examples(train, SIZE, (0.9, 0.2)))] == [[0], [0], [5]]


def test_indexed_annotations_are_read_as_the_mask_of_the_examples_object(train):
    load = tf.function(video_loader(ytvos.examples(train, SIZE)))
    for number, object_id, previous, now in ((0, 1, {1: COLUMN[1]}, NEXT_COLUMN), (2, 2, NEXT_COLUMN, COLUMN)):
        guide_frame, guide_mask, previous_mask, frame, label = load(tf.constant(number), (0, 0))
        assert guide_frame.shape == frame.shape == (24, 32, 3)
        np.testing.assert_array_equal(previous_mask, paint(previous) == object_id)
        np.testing.assert_array_equal(guide_mask, paint(previous) == object_id)
        np.testing.assert_array_equal(label, paint(now) == object_id)
        np.testing.assert_allclose(frame.numpy()[paint(now) == object_id].mean(0), COLOURS[object_id], atol=3)


def test_a_split_without_two_frames_of_an_object_is_named(train):
    write_video(train / "train", "v", {0: paint(COLUMN)}, {1: (0,)})
    with pytest.raises(InputError, match=r"train/meta\.json lists no object with two frames"):
        ytvos.examples(train, SIZE)


CACHE = "train/.osmn-valid-frames.json"


def guides(train, size=SIZE, validity=VALIDITY):
    return [e[1] for e in described(ytvos.examples(train, size, validity, cache=True))]


@pytest.fixture
def cached(train):
    """Return the dataset with a cache that says something that is not true: object 2 is valid in frame 10 only."""
    guides(train)

    def change(value):
        assert value == {"v": {"1": ["00000", "00005", "00010"], "2": ["00005", "00010"]}}
        return {"v": value["v"] | {"2": ["00010"]}}

    change_cache(train / CACHE, change)
    return train


def test_a_cached_list_is_used(cached):
    assert guides(cached)[-1] == [10]


def change_meta(train):
    path = train / "train/meta.json"
    path.write_text(path.read_text() + "\n")


def touch_meta(train):
    os.utime(train / "train/meta.json", (1, 1))


@pytest.mark.parametrize("change", [change_meta, touch_meta])
def test_a_cache_is_stale_when_meta_json_changes(cached, change):
    change(cached)
    assert guides(cached)[-1] == [5, 10]


@pytest.mark.parametrize("other", [{"size": HALF}, {"validity": (0.004, 0.2)}, {"validity": (0.003, 0.21)}])
def test_a_cache_is_stale_for_other_ratios_and_another_size(cached, other):
    assert guides(cached, **other)[-1] == [5, 10]


def test_training_then_segments_and_a_second_training_segments_again(data, train, tmp_path, monkeypatch, capsys):
    stand_in(monkeypatch, Pixelwise)
    shutil.copytree(data / "valid", train / "valid")
    paths = ["--data_path", train, "--model_save_path", tmp_path / "model", "--result_path", tmp_path / "results"]
    options = ["--im_size", *SIZE, "--precision", "float32", "--whole_model_path", "stand-in", "--batch_size", 2]
    options += ["--randomize_guide", "--use_cached_list", "--scale_value", 0.01]

    osmn_train_eval_ytvos.main(words(*paths, *options, "--training_iters", 2))
    assert (train / CACHE).exists()
    assert (tmp_path / "model/osmn.ckpt-2.index").exists()
    first = tree(tmp_path / "results")
    assert len(first) == sum(len(f) + sum(map(len, listed.values())) for f, listed in VIDEOS.values())
    osmn_train_eval_ytvos.main(words(*paths, *options, "--training_iters", 2))
    assert "7 of 7 videos are finished in" in capsys.readouterr().out
    osmn_train_eval_ytvos.main(words(*paths, *options, "--training_iters", 4, "--learning_rate", 1))
    assert "have results" not in capsys.readouterr().out
    assert tree(tmp_path / "results").keys() == first.keys()
    assert tree(tmp_path / "results") != first


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
    cut(100)(root / "results/a/00010.png")
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


# -- YouTube-Objects --------------------------------------------------------------------------------------------------


def write_shot(root, name, boxes, labels=None):
    """Write a sequence as it is downloaded, images and labels as JPEG; `labels`: the frames that have one."""
    category, number = name.split("_")
    for t, box in enumerate(boxes, 1):
        shot = root / category / "data" / number / "shots/001"
        write_frame(shot / f"images/frame{t:04d}.jpg", paint(box))
        if labels is None or t in labels:
            with replacing(shot / f"labels/frame{t:04d}.jpg") as temporary:
                Image.fromarray(255 * (paint(box) > 0).astype(np.uint8)).save(temporary, quality=75)


def test_youtube_objects_from_the_download_to_the_score(by_colour, tmp_path, capsys):
    data, results = tmp_path / "data", tmp_path / "results"
    square, moved = (8, 8, 16, 16), (16, 8, 24, 16)
    write_shot(data, "boat_0001", [{1: square}, {1: moved}, {1: square}])
    # A missing label; in the last frame half of the object has another colour.
    write_shot(data, "boat_0002", [{1: square}, {1: moved}, {1: square, 5: (8, 8, 16, 12)}], labels=(1, 3))
    write_shot(data, "cat_0012", [{2: square}, {3: square}])  # The object changes its colour: it is lost.
    write_shot(data, "dog_0001", [{1: square}])  # A class with a single frame.
    preprocess_youtube.main([str(data)])
    assert "no label for frame0002.jpg" in capsys.readouterr().err

    paths = ["--data_path", data, "--whole_model_path", "stand-in", "--result_path", results]
    osmn_eval_youtube.main(
        words(*paths, "--im_size", *SIZE, "--mean_value", 0, 0, 0, "--scale_value", 1, "--precision", "float32")
    )

    lines = (results / "iou.txt").read_text().splitlines()
    assert lines == ["boat_0001 1.0000", "boat_0002 0.5000", "cat_0012 0.0000", "all 0.5000"]
    printed = capsys.readouterr()
    assert "dog_0001 has a single frame: left out" in printed.err
    assert "mean over 2 classes: 0.375" in printed.out  # (0.75 + 0) / 2
    assert printed.out.splitlines()[-1] == "mIU: 0.500"
    # Frames without a label are segmented too; the given frame is black.
    assert sorted(tree(results / "boat_0002")) == ["frame0001.png", "frame0002.png", "frame0003.png"]
    assert not read_labels(results / "boat_0002/frame0001.png").any()
    np.testing.assert_array_equal(read_labels(results / "boat_0002/frame0002.png") > 0, paint({1: moved}) == 1)
    assert not (results / "dog_0001").exists()


def test_a_first_mask_that_fills_the_frame_is_saved_as_it_is(by_colour, tmp_path):  # Spec 9: it was saved black.
    for t in range(2):
        write_frame(tmp_path / f"data/Images/cat_0001/{t}.jpg", paint({1: (0, 0, *SIZE)}))
        write_mask(tmp_path / f"data/Labels/cat_0001/{t}.png", np.ones(SIZE[::-1], bool))
    (tmp_path / "data/all.txt").write_text("cat_0001\n")
    paths = ["--data_path", tmp_path / "data", "--whole_model_path", "m", "--result_path", tmp_path / "results"]
    osmn_eval_youtube.main(words(*paths, "--im_size", *SIZE, "--mean_value", 0, 0, 0, "--precision", "float32"))
    assert np.all(read_labels(tmp_path / "results/cat_0001/1.png") == 255)


# -- The published program's masks ------------------------------------------------------------------------------------

PENGUINS = "003234408d"


@pytest.fixture(scope="module")
def penguins(shared, tmp_path_factory):
    """Return the results for the real video, by the model that was trained with the published program."""
    folder = tmp_path_factory.mktemp("penguins")
    paths = ["--data_path", shared / "data/ytvos_mini", "--whole_model_path", shared / "checkpoints/osmn_lite.ckpt"]
    lite = ["--base_model", "lite", "--mean_value", 127.5, 127.5, 127.5, "--scale_value", 0.00787]
    more = ["--only_testing", "--save_score", "--precision", "float32"]
    osmn_train_eval_ytvos.main(words(*paths, "--result_path", folder / "results", *lite, *more))
    return folder


def test_masks_of_a_real_video_equal_those_of_the_published_program(shared, penguins):
    for object_id in range(1, 6):
        published = sorted((shared / f"checkpoints/results/ytvos/{PENGUINS}/{object_id}").glob("*.png"))
        assert len(published) == 15
        ious = []
        for path in published[1:]:
            theirs = read_labels(path) > 0
            ours = read_labels(penguins / f"results/{PENGUINS}/{object_id}/{path.name}") > 0
            union = np.count_nonzero(ours | theirs)
            ious.append(np.count_nonzero(ours & theirs) / union if union else 1.0)
        assert np.mean(ious[:10]) >= 0.99, f"object {object_id}: {ious}"
        assert np.mean(ious) >= 0.97, f"object {object_id}: {ious}"


def test_merged_frames_of_a_real_video_equal_those_of_the_published_program(shared, penguins):
    published = sorted((shared / f"checkpoints/results/ytvos/merged/{PENGUINS}").glob("*.png"))
    assert len(published) == 15
    for path in published:
        ours = read_labels(penguins / f"results/{PENGUINS}/{path.name}")
        assert np.mean(ours == read_labels(path)) >= 0.995, path.name


def test_merging_a_real_video_in_two_steps_equals_its_merged_frames_and_passes_the_check(shared, penguins):
    data, out = shared / "data/ytvos_mini", penguins / "out"
    ytvos_merge_result.main(words(data, penguins / "results", out, "valid", "--zip", penguins / "a.zip"))
    merged = tree(out / "valid/Annotations")
    with zipfile.ZipFile(penguins / "a.zip") as file:
        assert {name.removeprefix("Annotations/"): file.read(name) for name in file.namelist()} == merged
    assert len(merged) == 15
    for name, content in merged.items():
        assert (penguins / "results" / name).read_bytes() == content
