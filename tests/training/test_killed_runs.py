"""Training that is killed and started again, in one process and in two, ends as if nothing had happened."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time

import numpy as np
import pytest
import tensorflow as tf

from helpers import ROOT
from helpers.coco_files import polygon, write_annotations, write_image
from helpers.event_files import summaries
from osmn import networks
from osmn.config import ModelConfig, read_config
from osmn.inputs import samples
from osmn.models import checkpoint_files, checkpoints
from osmn.results.manifest import RUN
from osmn.training.run import OPTIONS

LITE = ["--base_model", "lite", "--mean_value", *["127.5"] * 3, "--scale_value", "0.00787", "--im_size", 64, 48]
LITE += ["--training_iters", 6, "--save_iters", 2, "--display_iters", 1, "--batch_size", 2, "--deterministic"]
LITE += ["--learning_rate", 0.001, "--precision", "float32"]
# With this seed runs that were resumed begin with other sizes than uninterrupted ones, and all sizes come.
SEED, SCALES, TWO_SCALES = 10, (0.5, 0.8, 1.0), (0.8, 1.0)
LITE += ["--seed", SEED, "--data_aug_scales", *SCALES]
STEPS = {1, 2, 3, 4, 5, 6}
FAST = ["--no_visual_modulator"]
# Everything that the published program lacks and that training keeps or draws.
NEW = ["--ema", 0.6, "--lr_schedule", "cosine", "--warmup_iters", 2, "--loss", "jaccard", "--distractors", 0.7]
NEW += ["--random_crop_ratio", 0.1, "--own_masks", 0.7]
CLIPS = ["--unroll", 3, "--longest_gap", 2, "--occluders", 0.5, "--damaged_masks", 0.5, "--distractors", 0.5]
CLIPS += ["--look_alikes", 0.5, "--negative_pairs", 0.3]
EVERY_STEP = ["--save_iters", 1]
VALIDATED = ["--validate_iters", 2, "--validate_split", "2017/val"]


@pytest.fixture
def scratch(tmp_path):
    yield tmp_path
    shutil.rmtree(tmp_path)  # Hundreds of megabytes.


@pytest.fixture
def model(scratch):
    """Return the path of a whole model to start from: `lite`'s initial weights."""
    network = networks.build(ModelConfig("lite"))
    checkpoints.write_variables(scratch / "start.ckpt", {n: v.numpy() for n, v in network.tf1_variables().items()})
    return scratch / "start.ckpt"


def start(folder, script, *options, worker=None):
    """Start a script with its models in `folder/model`: a process; `worker` is its cluster and its number."""
    environment = os.environ | {"CUDA_VISIBLE_DEVICES": "-1", "PYTHONUNBUFFERED": "1"}
    if worker is not None:
        cluster, index = worker
        task = {"type": "worker", "index": index}
        environment["TF_CONFIG"] = json.dumps({"cluster": {"worker": cluster}, "task": task})
    command = [sys.executable, ROOT / script, *LITE, "--model_save_path", folder / "model", *options]
    folder.mkdir(exist_ok=True)
    with (folder / "log").open("a") as log:
        return subprocess.Popen([str(word) for word in command], stdout=log, stderr=log, cwd=ROOT, env=environment)


def start_davis(davis, folder, *options, **more):
    """Start stage 2 on the synthetic DAVIS."""
    fixed = ["--data_path", davis, "--result_path", folder / "results", "--randomize_guide", "--vg_color_aug"]
    return start(folder, "osmn_train_eval.py", *fixed, *options, **more)


def start_online(davis, model, folder, *options):
    """Start online fine-tuning on the synthetic DAVIS."""
    fixed = ["--data_path", davis, "--result_path", folder / "results", "--whole_model_path", model]
    return start(folder, "osmn_online_finetune.py", *fixed, *options)


def kill_when(process, reached, folder):
    """Kill -9 the process as soon as `reached()`."""
    while not reached():
        assert process.poll() is None, (folder / "log").read_text()[-3000:]
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL


def kill_after_every_step(start, folder, model="model"):
    """Kill -9 what `start()` starts when step 1 is saved, then, started again, when step 2 is; in the end let it be."""
    for step in sorted(STEPS)[:-1]:
        kill_when(start(), saved(folder, step, model), folder)
    finish(start(), folder)
    log = (folder / "log").read_text()
    assert [step for step in STEPS if f"/{model}/osmn.ckpt-{step}\n" in log] == sorted(STEPS)[:-1]  # Resumed from all.


def finish(process, folder):
    assert process.wait() == 0, (folder / "log").read_text()[-3000:]


def saved(folder, step, model="model"):
    """Return a function that tells whether the checkpoint of `step` is there."""
    return (folder / model / f"osmn.ckpt-{step}.index").exists


def saving_after(folder, step, model="model"):
    """Return a function that tells whether the checkpoint after that of `step`, 0 for none, is being written."""
    before = saved(folder, step, model) if step else lambda: True
    return lambda: before() and any((folder / model).glob(".osmn-writing-*/model.data*"))


def traced(folder):
    """Return a function that tells whether the summaries are open: training starts."""
    return lambda: any((folder / "model").rglob("events*"))


def leave_half_a_checkpoint(folder):
    """Leave what a kill in the middle of writing the checkpoint of step 4 may leave."""
    data = folder / "model/osmn.ckpt-2.data-00000-of-00001"
    (folder / "model/osmn.ckpt-4.data-00000-of-00001").write_bytes(data.read_bytes()[:1000])
    (folder / "model/osmn.ckpt-4.json").write_bytes((folder / "model/osmn.ckpt-2.json").read_bytes())
    (folder / "model/.osmn-writing-0123456789abcdef.folder").mkdir()
    (folder / "model/.osmn-writing-0123456789abcdef.folder/model.index").write_bytes(b"half")


def assert_same_training(ours, theirs, model="model"):
    """Compare loss curves and final variables of two runs, bit by bit."""
    curves = [summaries(folder / model)["loss/segmentation"] for folder in (ours, theirs)]
    ours_by_step, theirs_by_step = ({s: {float(v) for v in values} for s, values in c.items()} for c in curves)
    assert theirs_by_step.keys() == STEPS
    assert ours_by_step == theirs_by_step  # A step that was made twice had the same loss twice.
    readers = [tf.train.load_checkpoint(str(folder / model / "osmn.ckpt-6")) for folder in (ours, theirs)]
    names = set(readers[0].get_variable_to_shape_map())
    assert names == set(readers[1].get_variable_to_shape_map())
    for name in names:
        np.testing.assert_array_equal(readers[0].get_tensor(name), readers[1].get_tensor(name), err_msg=name)
    assert read_config(ours / model / "osmn.ckpt-6") == read_config(theirs / model / "osmn.ckpt-6")
    assert_no_leftovers(ours / model)


def assert_no_leftovers(folder):
    """Check that a folder has all files of each checkpoint, the options, summaries, the best one, and nothing else."""
    others = (OPTIONS, checkpoint_files.BEST)
    names = [path.name for path in folder.iterdir() if "events" not in path.name and path.name not in others]
    steps = {name.partition(".index")[0] for name in names if name.endswith(".index")}
    ends = (".data-00000-of-00001", ".index", ".json")
    assert sorted(names) == sorted(f"{step}{end}" for step in steps for end in ends)


def assert_same_validation(ours, theirs):
    """Compare the figures of all validations of two runs, and the best checkpoints, bit by bit."""
    for tag in ("validation/J", "validation/area"):
        curves = [summaries(folder / "model")[tag] for folder in (ours, theirs)]
        ours_by_step, theirs_by_step = ({s: {float(v) for v in values} for s, values in c.items()} for c in curves)
        assert theirs_by_step.keys() == {2, 4, 6}
        assert ours_by_step == theirs_by_step
    ours, theirs = (
        {path.name: path.read_bytes() for path in (folder / "model" / checkpoint_files.BEST).iterdir()}
        for folder in (ours, theirs)
    )
    assert len(theirs) == 4  # A checkpoint's three files and the figures.
    assert ours == theirs


def assert_same_masks(ours, theirs):
    """Compare the results of two runs, bit by bit."""
    masks = sorted(path.relative_to(theirs) for path in (theirs / "results").rglob("*.png"))
    assert masks
    assert all((ours / path).read_bytes() == (theirs / path).read_bytes() for path in masks)
    ours, theirs = (json.loads((folder / "results" / RUN).read_text()) for folder in (ours, theirs))
    assert ours["model_sha256"] == theirs["model_sha256"]


# -- One process ------------------------------------------------------------------------------------------------------


def test_training_killed_twice_and_run_again_equals_an_uninterrupted_one(davis, scratch):
    whole, killed = scratch / "whole", scratch / "killed"
    uninterrupted = start_davis(davis, whole, *FAST)
    try:
        kill_when(start_davis(davis, killed, *FAST), saved(killed, 2), killed)
        leave_half_a_checkpoint(killed)
        kill_when(start_davis(davis, killed, *FAST), saving_after(killed, 2), killed)
        finish(start_davis(davis, killed, *FAST), killed)
        finish(uninterrupted, whole)
    finally:
        uninterrupted.kill()
    assert "resumed from" in (killed / "log").read_text()
    assert_same_training(killed, whole)
    assert_same_masks(killed, whole)


def test_the_steps_of_these_runs_draw_several_sizes():
    sizes, of_two = (
        [tuple(samples.batch_size_scale(SEED, step - 1, (64, 48), scales).numpy()) for step in sorted(STEPS)]
        for scales in (SCALES, TWO_SCALES)
    )
    assert sizes == [(32, 24), (64, 48), (32, 24), (51, 38), (51, 38), (64, 48)]
    assert set(of_two) == {(51, 38), (64, 48)}


@pytest.fixture
def coco(scratch):
    """Return two folders in COCO's layout, of three images and of one, each with an object."""
    random = np.random.default_rng(0)
    folders = [scratch / "three images", scratch / "one image"]
    for folder, numbers in zip(folders, ((1, 2, 3), (4,)), strict=True):
        images = [write_image(folder, n, random.integers(0, 256, (30, 40, 3), np.uint8)) for n in numbers]
        write_annotations(folder, images, [(n, [polygon(2 * n, 4, 18 + n, 26)], {}) for n in numbers])
    return folders


@pytest.fixture
def mobilenet(scratch):
    """Return a checkpoint of MobileNet as TF-slim names it, for both of `lite`'s."""
    network = networks.build(ModelConfig("lite"))
    variables = {n: v for n, v in network.tf1_variables().items() if n.startswith("osmn/seg/Conv2d")}
    path = scratch / "mobilenet.ckpt"
    checkpoints.write_variables(path, {n.replace("osmn/seg", "MobilenetV1"): v.numpy() for n, v in variables.items()})
    return path


@pytest.mark.slow
def test_training_of_the_whole_network_killed_after_every_step_equals_an_uninterrupted_one(davis, scratch):
    whole, killed = scratch / "whole", scratch / "killed"
    finish(start_davis(davis, whole), whole)
    for reached in (traced(killed), saving_after(killed, 0)):
        kill_when(start_davis(davis, killed, *EVERY_STEP), reached, killed)
    kill_after_every_step(lambda: start_davis(davis, killed, *EVERY_STEP), killed)
    assert_same_training(killed, whole)
    assert_same_masks(killed, whole)


@pytest.mark.slow
@pytest.mark.parametrize("new", [NEW, CLIPS], ids=["frames", "clips"])
def test_training_with_all_new_options_killed_after_every_step_equals_an_uninterrupted_one(davis, coco, scratch, new):
    options = [*new, *VALIDATED, "--flip_target", "--coco_path", *coco, "--coco_share", 0.5]
    whole, killed = scratch / "whole", scratch / "killed"
    finish(start_davis(davis, whole, *options), whole)
    kill_after_every_step(lambda: start_davis(davis, killed, *options, *EVERY_STEP), killed)
    assert_same_validation(killed, whole)
    assert_same_training(killed, whole)
    assert_same_masks(killed, whole)


def start_pretraining(coco, folder, *options):
    """Start stage 1 on the synthetic COCO."""
    return start(folder, "osmn_coco_pretrain.py", "--random_crop_ratio", 0.1, "--data_path", *coco, *options)


@pytest.mark.slow
def test_pretraining_killed_anywhere_and_run_again_equals_an_uninterrupted_one(model, coco, scratch):
    options, whole, killed = ["--whole_model_path", model], scratch / "whole", scratch / "killed"
    finish(start_pretraining(coco[:1], whole, *options), whole)
    for reached in (traced(killed), saving_after(killed, 0), saved(killed, 4), saving_after(killed, 4)):
        kill_when(start_pretraining(coco[:1], killed, *options), reached, killed)
    finish(start_pretraining(coco[:1], killed, *options), killed)
    assert_same_training(killed, whole)


@pytest.mark.slow
def test_pretraining_with_all_new_options_killed_after_every_step_equals_an_uninterrupted_one(mobilenet, coco, scratch):
    options = [*NEW, "--data_shares", 2, 3, "--embedding_start", "small"]
    options += ["--vis_mod_model_path", mobilenet, "--seg_model_path", mobilenet]
    whole, killed = scratch / "whole", scratch / "killed"
    finish(start_pretraining(coco, whole, *options), whole)
    kill_after_every_step(lambda: start_pretraining(coco, killed, *options, *EVERY_STEP), killed)
    assert_same_training(killed, whole)


@pytest.mark.slow
@pytest.mark.parametrize("more", [(), ("--rehearsal_share", 0.5, "--batch_size", 2)], ids=["published", "rehearsal"])
def test_online_finetuning_killed_anywhere_and_run_again_equals_an_uninterrupted_one(davis, model, scratch, more):
    whole, killed = scratch / "whole", scratch / "killed"
    finish(start_online(davis, model, whole, *more), whole)
    folders = [path.parent.relative_to(whole) for path in sorted(whole.rglob("osmn.ckpt-6.index"))]
    assert len(folders) == 3  # One object in the first video, two in the second.
    first, _, last = folders
    results = killed / "results" / last.relative_to("model").parent
    for reached in (
        traced(killed),
        saving_after(killed, 2, first),
        (killed / "results" / first.relative_to("model") / "00002.npy").exists,
        saved(killed, 2, last),
        (results / "00001.png").exists,  # Merging.
    ):
        kill_when(start_online(davis, model, killed, *more), reached, killed)
    finish(start_online(davis, model, killed, *more), killed)
    for folder in folders:
        assert_same_training(killed, whole, folder)
    assert_same_masks(killed, whole)


# -- Two processes on loopback ----------------------------------------------------------------------------------------


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for s in sockets:
        s.bind(("localhost", 0))
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


def start_two(davis, folder, *options):
    """Start two workers, of which the first writes."""
    cluster = [f"localhost:{port}" for port in free_ports(2)]
    return [start_davis(davis, folder, *FAST, *options, worker=(cluster, index)) for index in range(2)]


def finish_two(workers, folder):
    for worker in workers:
        finish(worker, folder)


@pytest.mark.slow
def test_two_processes_equal_one(davis, scratch):
    one, two = scratch / "one", scratch / "two"
    # Not half the size: where a batch has only two values a channel, normalising them amplifies rounding. And a rate
    # that leaves the weights alone: a step of Adam has the rate's size, whichever sign rounding gives a gradient. That
    # the gradients are the same is seen in Adam's means of them.
    options = ["--learning_rate", 1e-8, "--data_aug_scales", *TWO_SCALES]
    finish(start_davis(davis, one, *FAST, *options), one)
    finish_two(start_two(davis, two, *options), two)
    one, two = (tf.train.load_checkpoint(str(folder / "model/osmn.ckpt-6")) for folder in (one, two))
    for name in one.get_variable_to_shape_map():
        expected, found = one.get_tensor(name), two.get_tensor(name)
        if "/Adam" not in name:
            np.testing.assert_allclose(found, expected, atol=1e-5 * max(np.abs(expected).max(), 1))
        elif name.endswith("/Adam"):  # Where a ReLU6 is at a tie, rounding decides which way a gradient goes.
            assert np.linalg.norm(found - expected) <= 0.1 * np.linalg.norm(expected), name


@pytest.mark.slow
def test_two_processes_of_which_one_is_killed_after_every_step_equal_uninterrupted_ones(davis, scratch):
    whole, killed = scratch / "whole", scratch / "killed"
    finish_two(start_two(davis, whole, *VALIDATED), whole)
    for step in sorted(STEPS)[:-1]:
        workers = start_two(davis, killed, *VALIDATED, *EVERY_STEP)
        victim = step % 2
        kill_when(workers[victim], saved(killed, step), killed)
        assert workers[1 - victim].wait(timeout=300) != 0  # It does not go on, nor wait for ever.
    finish_two(start_two(davis, killed, *VALIDATED, *EVERY_STEP), killed)
    assert_same_validation(killed, whole)
    assert_same_training(killed, whole)
    assert_same_masks(killed, whole)
