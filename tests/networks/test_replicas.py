"""Training on two replicas equals training on one: two virtual CPU devices (two processes: test_killed_runs.py)."""

import json
import re
import subprocess
import sys

import pytest

import osmn_coco_pretrain
import osmn_train_eval
import osmn_train_eval_ytvos
from helpers import ROOT
from helpers.ytvos_videos import paint, write_video
from osmn.networks import replicas

TWO_DEVICES = """
import sys
import numpy as np
import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from osmn import networks
from osmn.config import ModelConfig
from osmn.inputs import pipeline, samples, sources
from osmn.inputs.options import PipelineOptions
from osmn.networks import replicas
from osmn.training.options import TrainerOptions
from osmn.training.trainer import Trainer
from tests.helpers.goldens import weight

base_model, learning_rate, dropout_seed, options = sys.argv[1], float(sys.argv[2]), eval(sys.argv[3]), eval(sys.argv[4])

def load(number, seed):
    frame = tf.cast(tf.random.stateless_uniform((64, 96, 3), [number, 0], maxval=256, dtype=tf.int32), tf.uint8)
    rows, columns = tf.range(64)[:, None], tf.range(96)[None]
    number = tf.cast(number, tf.int32)
    mask = (rows >= 10 + number) & (rows < 30 + 5 * number) & (columns >= 20) & (columns < 50 + number)
    return samples.RawSample(frame, mask, mask, frame, mask)

config = ModelConfig(base_model, no_visual_modulator=base_model != "lite", scale_value=0.02)
made = PipelineOptions((96, 64), (0.5, 1.0), batch_size=4)
made = pipeline.Pipeline([sources.Source(load, None, 7)], config, made, replicas.distribute)

def train(strategy):
    with strategy.scope():
        network = networks.build(config)
        for name, variable in network.tf1_variables().items():
            variable.assign(weight(name, variable.shape))
        trainer, losses, traced = Trainer(network, TrainerOptions(dropout_seed, **options)), [], []
        gradients = trainer.gradients
        trainer.gradients = lambda batch: traced.append(batch) or gradients(batch)
        batches = made.batches(0, 10)
        for batch in batches:
            result, logits = trainer.train_step(batch, tf.constant(learning_rate), batches.element_spec)
            losses.append((float(result.segmentation), logits.shape[1]))
        losses, heights = np.array(losses).T
        assert set(heights) == {32, 64}, heights
        assert len(traced) == strategy.num_replicas_in_sync, len(traced)  # One graph, with a part for each replica.
        state = {n: v.numpy().astype(np.float64) for n, v in trainer.state().items()}
        means = np.concatenate([state[n].ravel() for n in sorted(state) if n.endswith("/Adam")])
        return losses, {n: v for n, v in state.items() if "/Adam" not in n}, means

# The mirrored one first: after other functions, TensorFlow deals out the keys of its collectives in another order.
losses_2, state_2, means_2 = train(tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]))
losses_1, state_1, means_1 = train(tf.distribute.get_strategy())
change = lambda name: np.linalg.norm(state_1[name] - state_2[name]) / max(np.linalg.norm(state_1[name]), 1)
means = np.linalg.norm(means_1 - means_2) / np.linalg.norm(means_1)
print("RESULT", np.abs(losses_2 / losses_1 - 1).max(), max(map(change, state_1)), means)
"""


CLUSTER = {"worker": ["localhost:1", "localhost:2"]}
TASK = {"type": "worker", "index": 0}


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ('{"cluster": ', "no cluster: Expecting value"),
        ("[" * 100_000, "no cluster"),
        ([], r"it is \[\], not an object"),
        (None, "it is null, not an object"),
        ({}, "cluster is null, not an object"),
        ({"task": TASK}, "cluster is null, not an object"),
        ({"cluster": ["localhost:1"], "task": TASK}, "cluster is .*, not an object"),
        ({"cluster": {"worker": "localhost:1"}, "task": TASK}, "cluster's worker is .*, not a list"),
        ({"cluster": {"worker": [1, 2]}, "task": TASK}, "an address of worker is 1, not text"),
        ({"cluster": {"evaluator": ["localhost:1"]}, "task": TASK}, "cluster has 'evaluator'"),
        ({"cluster": CLUSTER}, "task is null, not an object"),
        ({"cluster": CLUSTER, "task": 0}, "task is 0, not an object"),
        ({"cluster": CLUSTER, "task": {"index": 0}}, "task's type is null, not text"),
        ({"cluster": CLUSTER, "task": TASK | {"type": "chief"}}, "task's type is 'chief', which cluster does not have"),
        ({"cluster": CLUSTER, "task": {"type": "worker"}}, "task's index is null, not a whole number"),
        ({"cluster": CLUSTER, "task": TASK | {"index": "0"}}, 'task\'s index is "0", not a whole number'),
        ({"cluster": CLUSTER, "task": TASK | {"index": True}}, "task's index is true, not a whole number"),
        ({"cluster": CLUSTER, "task": TASK | {"index": 2}}, "task's index is 2, but cluster has 2 of worker"),
        ({"cluster": CLUSTER, "task": TASK | {"index": -1}}, "task's index is -1"),
    ],
)
@pytest.mark.parametrize("script", [osmn_coco_pretrain, osmn_train_eval, osmn_train_eval_ytvos])
def test_a_tf_config_that_is_no_cluster_is_one_line(davis, tmp_path, monkeypatch, capsys, script, config, said):
    monkeypatch.setenv("TF_CONFIG", config if isinstance(config, str) else json.dumps(config))
    data = davis
    if script is osmn_train_eval_ytvos:
        write_video(tmp_path / "data/valid", "v", {0: paint({1: (4, 4, 12, 12)})}, {1: (0,)})
        data = tmp_path / "data"
    results = [] if script is osmn_coco_pretrain else ["--result_path", str(tmp_path / "results")]
    with pytest.raises(SystemExit) as stopped:
        script.main(["--data_path", str(data), "--model_save_path", str(tmp_path / "models"), *results])
    assert stopped.value.code == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.startswith("error: TF_CONFIG in the environment is no cluster: ") and re.search(said, line)
    assert line.endswith("; see doc/scaling.md")
    assert not (tmp_path / "models").exists()


@pytest.mark.parametrize(
    ("cluster", "processes"),
    [({"worker": ["a:1"]}, 1), (CLUSTER, 2), ({"chief": ["a:1"], "worker": ["b:1"]}, 2)],
)
def test_all_processes_of_a_cluster_count(monkeypatch, cluster, processes):
    monkeypatch.setenv("TF_CONFIG", json.dumps({"cluster": cluster, "task": TASK}))
    assert replicas.processes() == processes


@pytest.mark.parametrize("text", [None, ""])
def test_without_a_tf_config_one_process_trains(monkeypatch, text):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    if text is not None:
        monkeypatch.setenv("TF_CONFIG", text)
    assert replicas.processes() == 1


def run_two_devices(base_model, rate, dropout_seed=None, **options):
    """Return how two devices differ from one, relatively: losses and variables at most, Adam's mean gradients in all.

    Rates are so small that weights stay nearly as they are: a step of Adam has the rate's size, whichever sign rounding
    gives a gradient. Where a ReLU6 is at a tie, rounding decides which way a gradient goes.
    """
    arguments = [str(x) for x in (base_model, rate, dropout_seed, options)]
    code = subprocess.run(
        [sys.executable, "-c", TWO_DEVICES, *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert code.returncode == 0, code.stderr[-2000:]
    return [float(word) for word in code.stdout.splitlines()[-1].split()[1:]]


@pytest.mark.parametrize("base_model", ["osvos", pytest.param("lite", marks=pytest.mark.slow)])
def test_ten_steps_of_several_sizes_on_two_devices_equal_ten_on_one_and_have_one_graph(base_model):
    losses, weights, gradients = run_two_devices(base_model, 1e-8)
    assert losses < 1e-5
    assert weights < 1e-5
    assert gradients < 0.02


@pytest.mark.slow
def test_other_losses_and_averages_on_two_devices_equal_those_on_one():
    losses, weights, gradients = run_two_devices("osvos", 1e-8, loss="jaccard", ema=0.9)
    assert losses < 1e-5
    assert weights < 1e-5
    assert gradients < 0.02


@pytest.mark.slow
def test_dropout_on_two_devices_is_that_of_one():
    losses, *_ = run_two_devices("deeplab", 1e-8, 3)
    assert losses < 1e-5
