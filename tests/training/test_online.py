"""Online fine-tuning: every object from the same weights, interrupted runs, result files, the scripts."""

import re
import shutil

import numpy as np
import pytest
from PIL import Image

import osmn_online_finetune
import osmn_online_finetune_ytvos
from helpers.scripts import words
from helpers.stand_ins import Pixelwise, stand_in
from helpers.trees import tree
from helpers.ytvos_videos import paint, write_video
from osmn import networks
from osmn.config import ModelConfig, read_config
from osmn.data.davis import videos
from osmn.files.images import read_labels, write_labels
from osmn.inference import segmenting
from osmn.inference.options import SegmentingOptions
from osmn.inputs.options import PipelineOptions
from osmn.models import checkpoint_files, checkpoints, tensorflow_model
from osmn.results import layout
from osmn.training import loop, online, trainer
from osmn.training.options import TrainingOptions, TrainingRun

FRAMES = [f"{number:05d}" for number in range(5)]


@pytest.fixture(scope="module")
def davis(davis, tmp_path_factory):
    """Return a DAVIS folder whose split `val` is one sequence, `pair`, of two objects; `train` is another, `known`."""
    (_, video) = videos(davis, 2017, "val")
    root = tmp_path_factory.mktemp("davis")
    for folder in ("JPEGImages/480p", "Annotations/480p", "Annotations/480p_split"):
        shutil.copytree(davis / folder / video.name, root / folder / "pair")
    known = videos(davis, 2017, "train")[0].name
    for folder in ("JPEGImages/480p", "Annotations/480p_all", "Annotations/480p_split"):
        shutil.copytree(davis / folder / known, root / folder / "known")
    for version in (2016, 2017):
        (root / f"ImageSets/{version}").mkdir(parents=True)
        (root / f"ImageSets/{version}/val.txt").write_text("pair\n")
        (root / f"ImageSets/{version}/train.txt").write_text("known\n")
    return root


def finetune(davis, folder, *more, network=Pixelwise):
    """Run the script with results in `folder/results` and models in `folder/models`; return the objects it trained.

    The network is one pixel's logistic regression: 20 steps change its masks.
    """
    trained = []
    train = loop.train

    def counted(trainer, batches, args, model, **options):
        step = checkpoint_files.newest_checkpoint(model)
        train(trainer, batches, args, model, **options)
        if step is None:
            trained.append(str(model.relative_to(folder / "models")))

    paths = ["--data_path", davis, "--whole_model_path", "stand-in"]
    paths += ["--model_save_path", folder / "models", "--result_path", folder / "results"]
    options = ["--im_size", 64, 48, "--scale_value", 0.01, "--data_aug_scales", 1, "--precision", "float32"]
    options += ["--training_iters", 20, "--learning_rate", 0.1, "--batch_size", 1]
    with pytest.MonkeyPatch.context() as monkeypatch:
        stand_in(monkeypatch, network)
        monkeypatch.setattr(loop, "train", counted)
        osmn_online_finetune.main(words(*paths, *options, *more))
    return trained


@pytest.fixture(scope="module")
def whole(davis, tmp_path_factory):
    """Return the folder of one run without interruption. Not to be written to: copy it."""
    folder = tmp_path_factory.mktemp("online")
    assert finetune(davis, folder) == ["pair/1", "pair/2"]
    return folder


@pytest.fixture
def copied(whole, tmp_path):
    """Return a copy of that folder; times are kept, as they tell what is up to date."""
    shutil.copytree(whole, tmp_path / "run")
    return tmp_path / "run"


def test_training_changes_the_masks_and_differs_between_objects(davis, whole, tmp_path):
    finetune(davis, tmp_path, "--training_iters", 0)
    untrained, trained = (tree(folder / "results", "0000[1-4].png") for folder in (tmp_path, whole))
    assert untrained.keys() == trained.keys()
    assert untrained != trained
    one, two = (
        checkpoints.CheckpointReader(whole / f"models/pair/{i}/osmn.ckpt-20").read("net/weights") for i in (1, 2)
    )
    assert np.abs(one - two).max() > 0.1


def test_results_are_masks_and_merged_frames_and_no_score_files_are_left(davis, whole):
    expected = {f"{folder}/{frame}.png" for folder in ("pair", "pair/1", "pair/2") for frame in FRAMES}
    assert set(tree(whole / "results")) == expected | {"iou.txt", "per_object.csv"}
    first = read_labels(whole / "results/pair/00000.png")
    np.testing.assert_array_equal(first, read_labels(davis / "Annotations/480p/pair/00000.png"))
    for frame in FRAMES[1:]:
        merged = read_labels(whole / f"results/pair/{frame}.png")
        masks = [read_labels(whole / f"results/pair/{object_id}/{frame}.png") > 0 for object_id in (1, 2)]
        np.testing.assert_array_equal(merged > 0, masks[0] | masks[1])
        assert np.all(masks[0][merged == 1]) and np.all(masks[1][merged == 2])


def test_the_last_checkpoint_of_each_object_is_in_its_own_folder(davis, whole):
    for folder in ("pair/1", "pair/2"):
        assert [path.name for path in checkpoint_files.list_checkpoints(whole / "models" / folder)] == ["osmn.ckpt-20"]


def test_scores_are_kept_on_demand_and_do_not_change_the_results(davis, whole, copied):
    shutil.rmtree(copied / "results")
    assert finetune(davis, copied, "--save_score") == []  # The models are there.
    assert tree(copied / "results", "*.png") == tree(whole / "results", "*.png")
    kept = sorted(tree(copied / "results", "*.npy"))
    assert kept == [f"pair/{object_id}/{frame}.npy" for object_id in (1, 2) for frame in FRAMES[1:]]
    before = {path: path.stat().st_mtime_ns for path in copied.rglob("*.npy")}
    finetune(davis, copied, "--save_score")
    assert before == {path: path.stat().st_mtime_ns for path in copied.rglob("*.npy")}


def test_scores_are_printed(davis, whole, copied, capsys):
    assert finetune(davis, copied) == []  # Everything is finished.
    out = capsys.readouterr().out
    miu = (whole / "results/iou.txt").read_text().split()[-1]
    assert out.splitlines()[-1] == f"mIU: {float(miu):.3f}"
    assert "pair/1 " in out and "pair/2 " in out


# -- Objects on their own ---------------------------------------------------------------------------------------------


def test_an_object_is_the_same_whatever_was_trained_before_it(davis, whole, tmp_path):
    shutil.copytree(davis, tmp_path / "davis")
    for annotation in (tmp_path / "davis/Annotations/480p/pair").iterdir():
        write_labels(annotation, read_labels(annotation) == 2)  # Object 2 alone, now with the id 1.
    assert finetune(tmp_path / "davis", tmp_path) == ["pair/1"]
    assert tree(tmp_path / "results/pair/1") == tree(whole / "results/pair/2")
    ours, theirs = tree(tmp_path / "models/pair/1", "osmn*"), tree(whole / "models/pair/2", "osmn*")
    assert ours and ours == theirs


@pytest.mark.slow
def test_nothing_of_the_real_network_leaks_from_object_to_object(davis, tmp_path):
    """Compare all variables after the training of object 2, with and without object 1 before it."""
    network = networks.build(ModelConfig("lite", no_visual_modulator=True))
    (video,) = videos(davis, 2017, "val")
    options = TrainingOptions(training_iters=2, learning_rate=0.01)
    pipeline = PipelineOptions((64, 32), batch_size=1)
    start = {name: variable.numpy() for name, variable in network.tf1_variables().items()}
    runs = {}
    for run, objects in (("both", (1, 2)), ("second", (2,))):
        for name, variable in network.tf1_variables().items():
            variable.assign(start[name])
        some = video._replace(references={0: video.references[0]._replace(object_ids=objects)})
        finetuning = TrainingRun(options, pipeline, str(tmp_path / run))
        testing = SegmentingOptions(str(tmp_path / run), (64, 32))
        online.finetune_and_segment(tensorflow_model.Model(network, "float32"), [some], finetuning, testing, {})
        runs[run] = {name: variable.numpy() for name, variable in network.tf1_variables().items()}
    moved = [name for name in start if not np.array_equal(start[name], runs["both"][name])]
    assert any("moving" in name for name in moved) and any("weights" in name for name in moved)
    for name in start:
        np.testing.assert_array_equal(runs["both"][name], runs["second"][name], err_msg=name)
    shutil.rmtree(tmp_path)


# -- Interrupted runs -------------------------------------------------------------------------------------------------


def interrupt(monkeypatch, function, module, call):
    """Have a run interrupted at a call, from 1, of a function."""
    original, calls = getattr(module, function), []

    def interrupted(*arguments, **options):
        calls.append(1)
        if len(calls) == call:
            raise KeyboardInterrupt
        return original(*arguments, **options)

    monkeypatch.setattr(module, function, interrupted)


@pytest.mark.parametrize(
    "module, function, call, remaining",
    [
        pytest.param(segmenting, "segment_video", 2, 0, id="trained, not segmented"),
        pytest.param(trainer.Trainer, "save", 2, 1, id="in the training of the last object"),
        pytest.param(layout, "write_merged", 3, 0, id="in merging"),
    ],
)
def test_a_repeated_run_does_not_train_finished_objects_again_and_ends_with_the_same_bytes(
    davis, whole, tmp_path, module, function, call, remaining
):
    with pytest.MonkeyPatch.context() as monkeypatch, pytest.raises(SystemExit, match="130"):
        interrupt(monkeypatch, function, module, call)
        finetune(davis, tmp_path)
    assert len(finetune(davis, tmp_path)) == remaining
    assert tree(tmp_path / "results") == tree(whole / "results")
    for name, content in tree(whole / "models", "osmn.ckpt*").items():
        assert (tmp_path / "models" / name).read_bytes() == content


def test_a_run_interrupted_while_it_deletes_score_files_goes_on(davis, whole, tmp_path):
    def delete_some(folder, video):
        for path in sorted(folder.rglob("*.npy"))[::2]:
            path.unlink()
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as monkeypatch, pytest.raises(SystemExit, match="130"):
        monkeypatch.setattr(online.layout, "remove_scores", delete_some)
        monkeypatch.setattr(online.layout, "remove_leftovers", lambda folder, video: None)
        finetune(davis, tmp_path)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.png")}
    assert finetune(davis, tmp_path) == []
    assert tree(tmp_path / "results") == tree(whole / "results")
    assert before == {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.png")}


def test_an_object_whose_masks_are_gone_is_segmented_again_by_its_model(davis, whole, copied):
    shutil.rmtree(copied / "results/pair/1")
    assert finetune(davis, copied) == []
    assert tree(copied / "results") == tree(whole / "results")


def test_an_object_whose_masks_and_model_are_gone_is_trained_again(davis, whole, copied):
    shutil.rmtree(copied / "results/pair/2")
    shutil.rmtree(copied / "models/pair/2")
    assert finetune(davis, copied) == ["pair/2"]
    assert tree(copied / "results") == tree(whole / "results")


@pytest.mark.parametrize(
    "more, said",
    [
        (["--training_iters", 40], "training_iters was 20, is 40"),
        (["--learning_rate", 0.2], "learning_rate was 0.1, is 0.2"),
        (["--data_aug_scales", 0.5], r"data_aug_scales was \[1.0\], is \[0.5\]"),
        (["--seed", 1], "seed was 0, is 1"),
        (["--scale_value", 0.02], "scale_value was 0.01, is 0.02"),
    ],
)
def test_another_training_in_the_same_folders_is_named_and_refused(davis, whole, copied, capsys, more, said):
    with pytest.raises(SystemExit):
        finetune(davis, copied, *more)
    line = capsys.readouterr().err.splitlines()[-1]
    assert re.search(rf"error: {copied}/models holds results of another run .*{said}", line)
    assert tree(copied) == tree(whole)


def test_the_same_models_are_segmented_anew_with_other_options_in_another_folder(davis, whole, copied, capsys):
    with pytest.raises(SystemExit):
        finetune(davis, copied, "--vg_pad_ratio", 0.1)
    assert f"{copied}/results holds results of another run (vg_pad_ratio was 0.03, is 0.1)" in capsys.readouterr().err
    assert finetune(davis, copied, "--vg_pad_ratio", 0.1, "--result_path", copied / "other") == []
    assert tree(copied / "other").keys() == tree(whole / "results").keys()


def test_overwriting_trains_and_segments_all_objects_again_as_if_in_new_folders(davis, whole, copied, tmp_path):
    assert finetune(davis, copied, "--training_iters", 40, "--overwrite") == ["pair/1", "pair/2"]
    finetune(davis, tmp_path / "new", "--training_iters", 40)
    assert tree(copied / "results") == tree(tmp_path / "new/results")
    assert tree(copied / "results", "*.png") != tree(whole / "results", "*.png")
    models_of = [tree(folder / "models", "osmn.ckpt-*") for folder in (copied, tmp_path / "new")]
    assert models_of[0] == models_of[1]
    assert {path for path in models_of[0] if path.endswith(".index")} == {
        f"pair/{i}/osmn.ckpt-40.index" for i in (1, 2)
    }


def test_models_of_unknown_origin_are_named_and_not_taken(davis, copied, capsys):
    (copied / "models/training.json").unlink()
    with pytest.raises(SystemExit):
        finetune(davis, copied)
    assert f"error: {copied}/models holds models, and no training.json" in capsys.readouterr().err


def test_every_model_has_its_configuration_beside_it(whole):
    for object_id in (1, 2):
        config = read_config(whole / f"models/pair/{object_id}/osmn.ckpt-20")
        assert (config.scale_value, config.im_size) == (0.01, None)


def test_an_object_killed_between_checkpoints_goes_on_from_the_last_one(davis, whole, tmp_path, monkeypatch, capsys):
    save_iters = ["--save_iters", 8]
    interrupt(monkeypatch, "save_training_checkpoint", checkpoints, 3)  # The last one of the first object.
    with pytest.raises(SystemExit, match="130"):
        finetune(davis, tmp_path, *save_iters)
    monkeypatch.undo()
    assert checkpoints.has_optimizer_state(tmp_path / "models/pair/1")
    finetune(davis, tmp_path, *save_iters)
    assert f"resumed from {tmp_path / 'models/pair/1/osmn.ckpt-16'}" in capsys.readouterr().out
    assert tree(tmp_path / "results") == tree(whole / "results")
    last = "models/pair/1/osmn.ckpt-20.data-00000-of-00001"
    assert (tmp_path / last).read_bytes() == (whole / last).read_bytes()


def test_a_finished_object_s_model_has_no_optimizer_state(whole):
    assert not checkpoints.has_optimizer_state(whole / "models/pair/1")


def test_restart_training_does_not_read_a_damaged_model(davis, whole, copied):
    (copied / "models/pair/1/osmn.ckpt-20.index").write_bytes(b"damaged")
    finetune(davis, copied, "--restart_training")
    assert tree(copied / "results") == tree(whole / "results")


def test_restart_training_ignores_what_is_there(davis, whole, copied):
    before = {path: path.stat().st_mtime_ns for path in copied.rglob("*.p*g")}
    finetune(davis, copied, "--restart_training")
    assert tree(copied / "results") == tree(whole / "results")
    assert all(path.stat().st_mtime_ns > time for path, time in before.items())


# -- Rehearsal --------------------------------------------------------------------------------------------------------


def weights(folder):
    """Return the bytes of the first object's weights."""
    return (folder / "models/pair/1/osmn.ckpt-20.data-00000-of-00001").read_bytes()


def test_rehearsal_trains_on_the_other_videos_too_and_repeats_exactly(davis, tmp_path):
    for name in ("a", "b"):
        finetune(davis, tmp_path / name, "--rehearsal_share", 0.75, "--batch_size", 4)
    finetune(davis, tmp_path / "alone", "--batch_size", 4)
    assert tree(tmp_path / "a/results", "*.png") == tree(tmp_path / "b/results", "*.png")
    assert weights(tmp_path / "a") == weights(tmp_path / "b") != weights(tmp_path / "alone")


def test_what_is_rehearsed_may_lie_elsewhere_and_be_of_the_other_version(davis, tmp_path):
    more = ("--rehearsal_share", 0.75, "--batch_size", 4)
    finetune(davis, tmp_path / "here", *more)
    shutil.copytree(davis, tmp_path / "elsewhere")
    elsewhere = (*more, "--rehearsal_path", tmp_path / "elsewhere", "--rehearsal_split")
    finetune(davis, tmp_path / "there", *elsewhere, "2017/train")
    finetune(davis, tmp_path / "together", *elsewhere, "2016/train")  # The same: there is one object.
    assert weights(tmp_path / "there") == weights(tmp_path / "here") == weights(tmp_path / "together")
    for path in (tmp_path / "elsewhere/JPEGImages/480p/known").iterdir():
        Image.new("RGB", (64, 48)).save(path)
    finetune(davis, tmp_path / "black", *elsewhere, "2017/train")
    assert weights(tmp_path / "black") != weights(tmp_path / "here")


@pytest.mark.parametrize("idle", [("--rehearsal_path", "elsewhere"), ("--rehearsal_split", "2017/train")])
def test_videos_to_rehearse_without_a_share_are_refused(davis, tmp_path, capsys, idle):
    with pytest.raises(SystemExit) as error:
        finetune(davis, tmp_path, *idle)
    said = capsys.readouterr().err
    assert error.value.code == 2 and "do nothing without --rehearsal_share" in said


def test_an_object_that_is_rehearsed_beside_and_killed_goes_on_to_the_same_weights(davis, tmp_path, monkeypatch):
    more = ("--rehearsal_share", 0.5, "--batch_size", 2, "--save_iters", 5)
    finetune(davis, tmp_path / "whole", *more)
    interrupt(monkeypatch, "save_training_checkpoint", checkpoints, 2)
    with pytest.raises(SystemExit, match="130"):
        finetune(davis, tmp_path / "killed", *more)
    monkeypatch.undo()
    assert (tmp_path / "killed/models/pair/1/osmn.ckpt-5.index").is_file()
    finetune(davis, tmp_path / "killed", *more)
    assert weights(tmp_path / "killed") == weights(tmp_path / "whole")


def test_another_rehearsal_in_the_same_folders_is_named_and_refused(davis, tmp_path, capsys):
    finetune(davis, tmp_path, "--rehearsal_share", 0.5)
    with pytest.raises(SystemExit) as error:
        finetune(davis, tmp_path, "--rehearsal_share", 0.25)
    assert error.value.code == 2 and "rehearsal_share was 0.5, is 0.25" in capsys.readouterr().err


def test_a_video_that_is_segmented_is_not_rehearsed(davis, tmp_path, capsys):
    with pytest.raises(SystemExit) as error:
        finetune(davis, tmp_path, "--rehearsal_share", 0.5, "--rehearsal_split", "2017/val")
    said = capsys.readouterr().err
    assert error.value.code == 2 and "pair is to be segmented, and a training video too" in said
    assert not list(tmp_path.rglob("*.*"))


# -- The datasets -----------------------------------------------------------------------------------------------------


def test_davis_2016_has_one_model_and_one_mask_per_sequence(davis, tmp_path, capsys):
    assert finetune(davis, tmp_path, "--data_version", 2016) == ["pair"]
    assert set(tree(tmp_path / "results", "*.png")) == {f"pair/{frame}.png" for frame in FRAMES}
    assert (tmp_path / "models/pair/osmn.ckpt-20.index").is_file()
    assert not list(tmp_path.rglob("*.npy"))
    assert [line.split()[0] for line in (tmp_path / "results/iou.txt").read_text().splitlines()] == ["pair", "all"]
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("0*.png")}
    assert finetune(davis, tmp_path, "--data_version", 2016) == []
    assert before == {path: path.stat().st_mtime_ns for path in tmp_path.rglob("0*.png")}


def test_youtube_vos_objects_have_models_and_results_from_their_own_first_frame(tmp_path, monkeypatch, capsys):
    boxes = {1: (2, 2, 10, 10), 12: (16, 8, 30, 20)}
    frames = {0: paint({1: boxes[1]}), 5: paint(boxes), 10: paint(boxes)}
    write_video(tmp_path / "data/valid", "late", frames, {1: (0, 5), 12: (5, 10)})
    write_video(tmp_path / "data/valid", "single", {0: frames[0]}, {1: (0,)})
    stand_in(monkeypatch, Pixelwise)
    paths = ["--data_path", tmp_path / "data", "--whole_model_path", "stand-in"]
    paths += ["--model_save_path", tmp_path / "models", "--result_path", tmp_path / "results"]
    options = ["--im_size", 32, 24, "--scale_value", 0.01, "--data_aug_scales", 1, "--precision", "float32"]
    command = words(*paths, *options, "--training_iters", 20, "--learning_rate", 0.1, "--batch_size", 1)
    osmn_online_finetune_ytvos.main(command)
    written = ["00000.png", "00005.png", "00010.png", "1/00000.png", "1/00005.png", "12/00005.png", "12/00010.png"]
    written = [*(f"late/{name}" for name in written), "single/00000.png", "single/1/00000.png"]
    assert sorted(tree(tmp_path / "results")) == sorted(written)
    assert sorted(str(p.parent.relative_to(tmp_path / "models")) for p in tmp_path.rglob("osmn.ckpt-20.index")) == [
        "late/1",
        "late/12",
        "single/1",
    ]
    np.testing.assert_array_equal(read_labels(tmp_path / "results/late/00000.png"), frames[0])
    np.testing.assert_array_equal(read_labels(tmp_path / "results/single/00000.png"), frames[0])
    # In frame 5 object 12 is given: its true mask is certain.
    np.testing.assert_array_equal(read_labels(tmp_path / "results/late/00005.png") == 12, frames[5] == 12)
    last = read_labels(tmp_path / "results/late/00010.png")
    assert set(np.unique(last)) == {0, 12}  # Object 1 is not listed.
    assert "the frames that meta.json lists" in capsys.readouterr().out
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.*")}
    osmn_online_finetune_ytvos.main(command)
    assert before == {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.*")}
