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
from osmn import networks, samples, training
from tests.goldens import weight

base_model, learning_rate, dropout_seed = sys.argv[1], float(sys.argv[2]), eval(sys.argv[3])
rng = np.random.default_rng(0)
label = np.zeros((4, 64, 96, 1), np.float32)
for i in range(4):
    label[i, 10 + i : 30 + 5 * i, 20 : 50 + i] = 1
shapes = ((4, 224, 224, 3), (4, 64, 96, 1), (4, 64, 96, 3))
batches = [
    [rng.normal(0, 1, shapes[0]), rng.random(shapes[1]), rng.normal(0, 1, shapes[2]), label] for _ in range(10)
]
batches = [[array.astype(np.float32) for array in batch] for batch in batches]

def train(strategy):
    replicas = strategy.num_replicas_in_sync
    with strategy.scope():
        network = networks.build(networks.NetworkOptions(base_model, visual_modulator=base_model == "lite"))
        for name, variable in network.tf1_variables().items():
            variable.assign(weight(name, variable.shape))
        trainer, losses = training.Trainer(network, dropout_seed), []
        for batch in batches:
            if replicas == 1:
                sample = samples.Sample(*map(tf.constant, batch))
            else:
                parts = [np.split(array, replicas) for array in batch]
                deal = strategy.experimental_distribute_values_from_function
                sample = samples.Sample(
                    *[deal(lambda c, p=p: tf.constant(p[c.replica_id_in_sync_group])) for p in parts]
                )
            result, _ = trainer.train_step(sample, tf.constant(learning_rate))
            losses.append(float(result.segmentation))
        state = {n: v.numpy().astype(np.float64) for n, v in trainer.state().items() if "Adam" not in n}
        return np.array(losses), state

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


def run_two_devices(*arguments):
    code = subprocess.run(
        [sys.executable, "-c", TWO_DEVICES, *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert code.returncode == 0, code.stderr[-2000:]
    return [float(word) for word in code.stdout.splitlines()[-1].split()[1:]]


@pytest.mark.parametrize(
    ("base_model", "rate"), [("osvos", "1e-8"), pytest.param("lite", "1e-7", marks=pytest.mark.slow)]
)
def test_ten_steps_on_two_devices_equal_ten_on_one(base_model, rate):
    losses, weights = run_two_devices(base_model, rate, "None")
    assert losses < 1e-5
    assert weights < 1e-5


@pytest.mark.slow
def test_dropout_on_two_devices_is_that_of_one():
    losses, _ = run_two_devices("deeplab", "1e-8", "3")
    assert losses < 1e-5
