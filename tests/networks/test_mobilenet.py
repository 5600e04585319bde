"""The visual modulator of `lite`: where it starts, and the order of its gradients' sums."""

import functools

import numpy as np
import pytest
import tensorflow as tf

from helpers import goldens
from osmn import networks
from osmn.config import ModelConfig
from osmn.networks import Execution


def test_lite_visual_modulator_starts_as_identity():
    network = networks.build(ModelConfig("lite"))
    guide, *_ = goldens.inputs("lite", seed=7, batch=2)
    gammas = network.gammas(guide)
    assert [gamma.shape for gamma in gammas] == [(2, 1, 1, c) for c in (128, 256, 512, 1024)]
    assert all(np.all(gamma == 1) for gamma in gammas)


def test_the_published_embedding_of_lite_is_one_unit_and_a_small_one_has_units_that_differ():
    units = {}
    for small in (False, True):
        network = networks.build(ModelConfig("lite"), small_embedding=small)
        guide, *_ = goldens.inputs("lite", seed=7)
        name = "osmn/modulator/Logits/Conv2d_1c_1x1"
        weights, biases = (np.asarray(network.tf1_variables()[f"{name}/{leaf}"]) for leaf in ("weights", "biases"))
        units[small] = len({unit.tobytes() for unit in np.r_[weights[0, 0], biases[None]].T})
        assert all(np.all(gamma == 1) for gamma in network.gammas(guide))
    assert units == {False: 1, True: 2048}
    assert not biases.any()
    assert np.std(weights) == pytest.approx(0.002, rel=0.01)


def test_gradients_of_lites_visual_modulator_are_summed_in_an_order_that_does_not_vary():
    network = networks.build(ModelConfig("lite"))
    variables = [v.value for n, v in network.tf1_variables().items() if n.startswith("osmn/modulator/") and v.trainable]

    @tf.function
    def gradients(guide):
        with tf.GradientTape() as tape:
            loss = functools.reduce(tf.add, map(tf.reduce_sum, network.gammas(guide, Execution(training=True))))
        return tape.gradient(loss, variables)

    graph = gradients.get_concrete_function(tf.TensorSpec((2, 224, 224, 3))).graph
    assert not [op.name for op in graph.get_operations() if op.type == "AddN" and len(op.inputs) > 2]
