"""Initial weights."""

import numpy as np
import pytest

from helpers.reference_networks import weights_of
from osmn import networks
from osmn.config import ModelConfig


def test_initial_weights_are_a_function_of_the_seed():
    config = ModelConfig("lite", no_visual_modulator=True)
    first, again, other = (weights_of(networks.build(config, seed=seed)) for seed in (0, 0, 1))
    kernels = [name for name in first if name.endswith("weights")]
    assert all(np.array_equal(first[name], again[name]) for name in first)
    assert not any(np.array_equal(first[name], other[name]) for name in kernels)
    same_shape = [first[f"osmn/seg/Conv2d_{block}_pointwise/weights"] for block in (7, 8)]
    assert not np.array_equal(*same_shape)


def test_initial_convolutions_have_the_published_deviation_and_zero_biases():
    weights = weights_of(networks.build(ModelConfig(no_visual_modulator=True)))
    assert weights["osmn/seg/conv4/conv4_2/weights"].std() == pytest.approx(0.001, rel=0.01)
    assert abs(weights["osmn/seg/conv4/conv4_2/weights"].mean()) < 1e-5
    assert not any(value.any() for name, value in weights.items() if name.endswith(("biases", "beta", "moving_mean")))
    assert all(np.all(value == 1) for name, value in weights.items() if name.endswith(("gamma", "moving_variance")))
