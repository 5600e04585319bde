"""Training on two replicas equals training on one: two virtual CPU devices (two processes: test_killed_runs.py)."""

import subprocess
import sys
from pathlib import Path

import pytest

from osmn import replicas
from osmn.errors import InputError

ROOT = Path(__file__).parents[1]

TWO_DEVICES = """
import sys
import numpy as np
import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from osmn import networks, pipeline, samples, sources, training
from osmn.config import ModelConfig
from tests.goldens import weight

base_model, learning_rate, dropout_seed, options = sys.argv[1], float(sys.argv[2]), eval(sys.argv[3]), eval(sys.argv[4])

def load(number, seed):
    frame = tf.cast(tf.random.stateless_uniform((64, 96, 3), [number, 0], maxval=256, dtype=tf.int32), tf.uint8)
    rows, columns = tf.range(64)[:, None], tf.range(96)[None]
    number = tf.cast(number, tf.int32)
    mask = (rows >= 10 + number) & (rows < 30 + 5 * number) & (columns >= 20) & (columns < 50 + number)
    return samples.Views(frame, mask, mask, frame, mask)

config = ModelConfig(base_model, no_visual_modulator=base_model != "lite", scale_value=0.02)
made = pipeline.PipelineOptions((96, 64), (0.5, 1.0), batch_size=4)
made = pipeline.Pipeline([sources.Source(load, None, 7)], config, made)

def train(strategy):
    with strategy.scope():
        network = networks.build(config)
        for name, variable in network.tf1_variables().items():
            variable.assign(weight(name, variable.shape))
        trainer, losses, traced = training.Trainer(network, dropout_seed, **options), [], []
        gradients = trainer.gradients
        trainer.gradients = lambda batch: traced.append(batch) or gradients(batch)
        batches = made.batches(0, 10)
        for batch in batches:
            result, logits = trainer.train_step(batch, tf.constant(learning_rate), batches.element_spec)
            losses.append((float(result.segmentation), logits.shape[1]))
        losses, heights = np.array(losses).T
        assert set(heights) == {32, 64}, heights
        assert len(traced) == strategy.num_replicas_in_sync, len(traced)  # One graph, with a part for each replica.
        state = {n: v.numpy().astype(np.float64) for n, v in trainer.state().items() if "/Adam" not in n}
        return losses, state

# The mirrored one first: after other functions, TensorFlow deals out the keys of its collectives in another order.
losses_2, state_2 = train(tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]))
losses_1, state_1 = train(tf.distribute.get_strategy())
change = lambda name: np.linalg.norm(state_1[name] - state_2[name]) / max(np.linalg.norm(state_1[name]), 1)
print("RESULT", np.abs(losses_2 / losses_1 - 1).max(), max(map(change, state_1)))
"""


def test_a_damaged_tf_config_is_named(monkeypatch):
    monkeypatch.setenv("TF_CONFIG", '{"cluster": ')
    with pytest.raises(InputError, match="TF_CONFIG"):
        replicas.strategy()


def run_two_devices(base_model, rate, dropout_seed=None, **options):
    """Return the largest difference of losses and of variables between two devices and one, both relative."""
    arguments = [str(x) for x in (base_model, rate, dropout_seed, options)]
    code = subprocess.run(
        [sys.executable, "-c", TWO_DEVICES, *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert code.returncode == 0, code.stderr[-2000:]
    return [float(word) for word in code.stdout.splitlines()[-1].split()[1:]]


@pytest.mark.parametrize(("base_model", "rate"), [("osvos", 1e-8), pytest.param("lite", 1e-7, marks=pytest.mark.slow)])
def test_ten_steps_of_several_sizes_on_two_devices_equal_ten_on_one_and_have_one_graph(base_model, rate):
    losses, weights = run_two_devices(base_model, rate)
    assert losses < 1e-5
    assert weights < 1e-5


@pytest.mark.slow
def test_other_losses_and_averages_on_two_devices_equal_those_on_one():
    losses, weights = run_two_devices("osvos", 1e-8, loss="jaccard", ema=0.9)
    assert losses < 1e-5
    assert weights < 1e-5


@pytest.mark.slow
def test_dropout_on_two_devices_is_that_of_one():
    losses, _ = run_two_devices("deeplab", 1e-8, 3)
    assert losses < 1e-5
