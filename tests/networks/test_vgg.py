"""The visual modulator of the VGG16 networks, dropout, and fully connected layers."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from helpers import zero_networks
from helpers.reference_networks import VGG_WIDTHS
from osmn.networks import INFERENCE, Execution, Part, vgg


def test_visual_modulator_of_early_modulation_starts_with_conv1_1():
    modulator = vgg.VisualModulator((64, 64, 128, 128, *VGG_WIDTHS), "float32", zero_networks.Zeros())
    vector = np.arange(4224, dtype=np.float32)
    modulator.output_layer.bias.assign(vector)
    gammas = modulator(np.zeros((1, 224, 224, 3), np.float32), execution=INFERENCE)
    assert [gamma.shape for gamma in gammas[:5]] == [(1, 1, 1, c) for c in (64, 64, 128, 128, 256)]
    np.testing.assert_array_equal(np.concatenate([np.ravel(gamma) for gamma in gammas]), vector)


def test_vgg_visual_modulator_starts_as_identity():
    modulator = vgg.VisualModulator(VGG_WIDTHS, "float32", zero_networks.Zeros())
    modulator.hidden[-1].bias.assign(np.ones(4096))  # So that the last layer's input is not zero, as with real weights.
    gammas = modulator(np.zeros((2, 224, 224, 3), np.float32), execution=INFERENCE)
    assert [gamma.shape for gamma in gammas] == [(2, 1, 1, c) for c in VGG_WIDTHS]
    assert all(np.all(gamma == 1) for gamma in gammas)


def test_dropout_drops_half_and_doubles_the_rest_by_seed_and_layer():
    ones, seed = tf.ones((100, 100)), tf.constant([3, 5])
    execution, other_seed = Execution(dropout_seed=seed), Execution(dropout_seed=seed + 1)
    dropped = vgg.dropout(ones, execution, 0).numpy()
    assert set(np.unique(dropped)) == {0, 2} and dropped.mean() == pytest.approx(1, abs=0.05)
    np.testing.assert_array_equal(vgg.dropout(ones, execution, 0), dropped)
    for other in (vgg.dropout(ones, execution, 1), vgg.dropout(ones, other_seed, 0)):
        assert np.mean(other == dropped) == pytest.approx(0.5, abs=0.05)
    assert vgg.dropout(ones, Execution(training=True), 0) is ones


def test_dropout_of_a_batch_in_parts_is_that_of_the_whole():
    whole = Execution(dropout_seed=tf.constant([3, 5]))
    parts = [dataclasses.replace(whole, part=Part(number, 2)) for number in (0, 1)]
    dropped = [vgg.dropout(tf.ones((3, 20)), execution, 0) for execution in parts]
    np.testing.assert_array_equal(np.concatenate(dropped), vgg.dropout(tf.ones((6, 20)), whole, 0))


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("size", [1, 3])
def test_fully_connected_layers_equal_a_valid_convolution_and_its_gradients(size, batch):
    generator = np.random.default_rng(0)
    x = tf.constant(generator.normal(size=(batch, size, size, 4)).astype(np.float32))
    kernel = tf.constant(generator.normal(size=(size, size, 4, 5)).astype(np.float32))
    weights = generator.normal(size=(batch, 1, 1, 5)).astype(np.float32)
    results = []
    for function in (vgg.covering_convolution, lambda x, kernel: tf.nn.conv2d(x, kernel, 1, "VALID")):
        with tf.GradientTape() as tape:
            tape.watch([x, kernel])
            y = function(x, kernel)
            loss = tf.reduce_sum(y * weights)
        results.append([y, *tape.gradient(loss, [x, kernel])])
    for ours, expected in zip(*results, strict=True):
        np.testing.assert_allclose(ours, expected, rtol=1e-5, atol=1e-5)
