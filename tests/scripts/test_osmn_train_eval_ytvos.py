"""Hand-made videos through `osmn_train_eval_ytvos.py`: masks, shares, interrupted runs, the archive, training."""

import itertools
import shutil
import zipfile

import numpy as np
import pytest
from PIL import Image

import osmn_online_finetune_ytvos
import osmn_train_eval_ytvos
import ytvos_merge_result
from helpers.scripts import error, words
from helpers.stand_ins import ColourKey, Pixelwise, stand_in
from helpers.trees import tree
from helpers.ytvos_results import evaluate
from helpers.ytvos_videos import SIZE, VIDEOS, paint, write_training_video, write_video
from osmn.data import ytvos
from osmn.data.types import shard_of
from osmn.files.atomic import UNFINISHED, replacing
from osmn.files.images import read_image, read_labels
from osmn.inference import segmenting
from osmn.results.finished_parts import MAKING
from osmn.training import online


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


def test_training_then_segments_and_a_second_training_segments_again(data, tmp_path, monkeypatch, capsys):
    stand_in(monkeypatch, Pixelwise)
    train = write_training_video(tmp_path)
    shutil.copytree(data / "valid", train / "valid")
    paths = ["--data_path", train, "--model_save_path", tmp_path / "model", "--result_path", tmp_path / "results"]
    options = ["--im_size", *SIZE, "--precision", "float32", "--whole_model_path", "stand-in", "--batch_size", 2]
    options += ["--randomize_guide", "--use_cached_list", "--scale_value", 0.01]

    osmn_train_eval_ytvos.main(words(*paths, *options, "--training_iters", 2))
    assert (train / "train/.osmn-valid-frames.json").exists()
    assert (tmp_path / "model/osmn.ckpt-2.index").exists()
    first = tree(tmp_path / "results")
    assert len(first) == sum(len(f) + sum(map(len, listed.values())) for f, listed in VIDEOS.values())
    osmn_train_eval_ytvos.main(words(*paths, *options, "--training_iters", 2))
    assert "7 of 7 videos are finished in" in capsys.readouterr().out
    osmn_train_eval_ytvos.main(words(*paths, *options, "--training_iters", 4, "--learning_rate", 1))
    assert "have results" not in capsys.readouterr().out
    assert tree(tmp_path / "results").keys() == first.keys()
    assert tree(tmp_path / "results") != first
