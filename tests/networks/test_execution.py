"""Modulation and normalization, as plain operations and fused ones."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from osmn.networks import INFERENCE, Execution, devices, execution, layers


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("training", [False, True])
def test_normalisation_by_moving_statistics_is_the_same_on_a_gpu(request, training, dtype):
    if dtype == "bfloat16":
        request.getfixturevalue("computes_bfloat16")
    layer, generator = layers.BatchNormalization("tiny", 5, decay=0.9), np.random.default_rng(0)
    for variable in layer.variables:
        variable.assign(generator.uniform(0.5, 2, variable.shape))
    x = tf.cast(generator.normal(size=(2, 3, 4, 5)), dtype)
    fixed = Execution(training, fixed_statistics=True)
    plain, fused = (
        layer(x, execution=dataclasses.replace(fixed, normalize=function))
        for function in (execution.normalize, devices.fused_normalize)
    )
    assert plain.dtype == fused.dtype == dtype
    tolerance = {"float32": 1e-5, "bfloat16": 1e-2}[dtype]
    np.testing.assert_allclose(tf.cast(plain, "float32"), tf.cast(fused, "float32"), tolerance, tolerance)


def test_factored_betas_are_the_maps_of_the_moving_statistics():
    stage = layers.SpatialModulation("tiny", [2, 1], "ones")
    generator = np.random.default_rng(0)
    for variable in stage.variables:
        variable.assign(generator.uniform(0.5, 2, variable.shape))
    stage.normalization.beta.assign([-1.0, 0.0, 1.0])
    guide = generator.random((2, 3, 4, 1)).astype(np.float32)
    expected = stage(guide, execution=Execution(training=True, fixed_statistics=True))
    assert [map_.shape for map_ in expected] == [(2, 3, 4, 2), (2, 3, 4, 1)]
    for map_, beta in zip(expected, stage(guide, execution=INFERENCE), strict=True):
        ours = execution.modulate(tf.zeros(map_.shape), None, beta)
        np.testing.assert_allclose(ours, map_, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("modulate", [execution.modulate, devices.fused_modulate])
def test_modulation_scales_then_shifts(modulate):
    beta = execution.FactoredBeta(
        tf.constant([1.0, 2.0], shape=(1, 1, 2, 1)), tf.constant([3.0, 1.0]), tf.constant([-4.0, 0.0])
    )
    features = tf.constant([[10.0, 20.0], [30.0, 40.0]], shape=(1, 1, 2, 2))
    gamma = tf.constant([0.5, 2.0], shape=(1, 1, 1, 2))
    # relu(3 g - 4) at g = 1, 2 is 0, 2; relu(g) is 1, 2.
    for arguments, expected in (
        ((gamma, beta), [[5 + 0, 40 + 1], [15 + 2, 80 + 2]]),
        ((gamma, None), [[5, 40], [15, 80]]),
        ((None, beta), [[10 + 0, 20 + 1], [30 + 2, 40 + 2]]),
        ((None, None), features[0, 0]),
    ):
        np.testing.assert_allclose(modulate(features, *arguments)[0, 0], expected)
