"""Stage 1, `osmn_coco_pretrain.py`: its two phases."""

import numpy as np
import pytest

import osmn_coco_pretrain
from helpers.coco_files import write_left
from helpers.event_files import summaries
from helpers.scripts import error, words
from helpers.trees import tree
from osmn import networks
from osmn.config import ModelConfig
from osmn.models import checkpoints


def write_lite(path):
    """Write a `lite` of random weights without visual modulator; return its path."""
    network = networks.build(ModelConfig(base_model="lite", no_visual_modulator=True))
    checkpoints.write_variables(path, {name: np.asarray(v) for name, v in network.tf1_variables().items()})
    return path


def test_stage_1_starts_from_imagenet_and_goes_on_at_another_rate(tmp_path, capsys):
    network = networks.build(ModelConfig(base_model="lite", no_visual_modulator=True))
    rng = np.random.default_rng(0)
    weights = {
        name.replace("osmn/seg", "MobilenetV1"): np.abs(rng.normal(0.5, 0.1, variable.shape)).astype(np.float32)
        for name, variable in network.tf1_variables().items()
        if name.startswith("osmn/seg/Conv2d")
    }
    checkpoints.write_variables(tmp_path / "mobilenet.ckpt", weights)
    path = tmp_path / "model"
    left = write_left(tmp_path)
    command = ["--data_path", left, "--model_save_path", path, "--seg_model_path", tmp_path / "mobilenet.ckpt"]
    command += ["--base_model", "lite", "--no_visual_modulator", "--scale_value", 0.00787, "--im_size", 32, 32]
    command += ["--mean_value", 127.5, 127.5, 127.5, "--batch_size", 2, "--data_aug_scales", 1, "--display_iters", 1]
    command = words(*command, "--precision", "float32")

    osmn_coco_pretrain.main([*command, "--training_iters", "2"])
    printed = capsys.readouterr().out
    assert "1 instances" in printed
    assert f"osmn/seg from {tmp_path / 'mobilenet.ckpt'}; initial values:" in printed
    first = checkpoints.CheckpointReader(path / "osmn.ckpt-2")
    trained = {name.replace("MobilenetV1", "osmn/seg"): weights[name] for name in weights if "moving" not in name}
    change = max(np.abs(first.read(name) - value).max() for name, value in trained.items())
    assert 1e-6 < change < 1e-4  # Two steps of at most about 1e-5 from the weights of ImageNet.

    osmn_coco_pretrain.main([*command, "--training_iters", "4", "--learning_rate", "1e-6"])
    printed = capsys.readouterr().out
    assert f"resumed from {path / 'osmn.ckpt-2'}" in printed
    assert "osmn/seg from" not in printed  # The second phase does not need ImageNet's weights.
    rates = {step: float(value) for step, (value,) in summaries(path)["learning_rate"].items()}
    assert rates == pytest.approx({1: 1e-5, 2: 1e-5, 3: 1e-6, 4: 1e-6})
    second = checkpoints.CheckpointReader(path / "osmn.ckpt-4")
    assert second.read("global_step") == 4
    change = max(np.abs(first.read(name) - second.read(name)).max() for name in trained)
    assert 0 < change < 4e-6


def test_other_options_than_those_of_the_checkpoints_are_named_and_need_the_word(tmp_path, capsys):
    path = tmp_path / "model"
    command = ["--data_path", write_left(tmp_path), "--model_save_path", path, "--base_model", "lite"]
    command += ["--no_visual_modulator", "--scale_value", 0.00787, "--mean_value", 127.5, 127.5, 127.5]
    command += ["--batch_size", 1, "--data_aug_scales", 1, "--precision", "float32"]
    command += ["--whole_model_path", write_lite(tmp_path / "start.ckpt")]
    run = osmn_coco_pretrain.main
    run(words(*command, "--im_size", 32, 32, "--training_iters", 1))
    before = tree(path)
    line = error(capsys, run, *command, "--im_size", 64, 32, "--seed", 3, "--loss", "jaccard", "--training_iters", 2)
    assert (
        f"{path} has been trained with loss balanced instead of jaccard, im_size [32, 32] instead of [64, 32],"
        " seed 0 instead of 3; give --change loss im_size seed to go on all the same" in line
    )
    assert tree(path) == before
    run(words(*command, "--im_size", 64, 32, "--training_iters", 2, "--change", "im_size"))
    assert (path / "osmn.ckpt-2.index").is_file()
    line = error(capsys, run, *command, "--im_size", 32, 32, "--training_iters", 3)
    assert "im_size [64, 32] instead of [32, 32]" in line  # It goes on from what was last trained.
    assert "--change bogus is none of" in error(capsys, run, *command, "--im_size", 64, 32, "--change", "bogus")
