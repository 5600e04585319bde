"""Layers: batch norm, spatial modulation, upsampling and convolutions, by hand and against TensorFlow's."""

import numpy as np
import pytest
import tensorflow as tf

from helpers.reference_networks import naive_upsampling
from osmn.networks import Execution, Part, layers


def test_moving_variance_follows_the_unbiased_variance():
    layer = layers.BatchNormalization("tiny", 1, decay=0.9)
    y = layer(np.float32([1, 3]).reshape(1, 1, 2, 1), execution=Execution(training=True))
    # Mean 2; variance 1 to normalise with, 2 with N / (N - 1).
    np.testing.assert_allclose(np.ravel(y), np.float32([-1, 1]) / np.sqrt(1.001), rtol=1e-5)
    assert layer.moving_mean.numpy() == pytest.approx(0.9 * 0 + 0.1 * 2)
    assert layer.moving_variance.numpy() == pytest.approx(0.9 * 1 + 0.1 * 2)


@pytest.mark.parametrize("parts", [1, 2])
def test_normalisation_of_a_batch_in_parts_is_that_of_the_whole(parts):
    generator = np.random.default_rng(0)
    x = tf.constant(generator.normal(3, 2, size=(2, 3, 4, 5)).astype(np.float32))
    offset, scale = (tf.constant(generator.uniform(0.5, 2, 5).astype(np.float32)) for _ in range(2))
    # Parts that are all alike: what the others sum is known here.
    part = Part(0, parts, lambda sums: parts * sums)
    expected = layers.normalize_batch(tf.concat([x] * parts, axis=0), offset, scale, 0.001)
    for ours, whole in zip(layers.normalize_part(x, offset, scale, 0.001, part), expected, strict=True):
        np.testing.assert_allclose(ours, whole[: len(ours)], rtol=1e-5, atol=1e-5)


def test_spatial_modulation_moves_its_statistics_as_batch_norm_of_the_map_would():
    stage = layers.SpatialModulation("tiny", [1, 1], "ones")
    stage.convolution.kernel.assign(np.float32([2, -1]).reshape(1, 1, 1, 2))
    maps = stage(np.float32([1, 3]).reshape(1, 1, 2, 1), execution=Execution(training=True))
    # The convolution gives (2, 6) and (-1, -3): means 4 and -2, biased variances 4 and 1, unbiased 8 and 2.
    np.testing.assert_allclose(stage.normalization.moving_mean, [0.01 * 4, 0.01 * -2], rtol=1e-5)
    np.testing.assert_allclose(stage.normalization.moving_variance, [0.99 + 0.01 * 8, 0.99 + 0.01 * 2], rtol=1e-5)
    np.testing.assert_allclose([np.ravel(map_) for map_ in maps], [[0, 1], [1, 0]], atol=1e-3)


@pytest.mark.parametrize("stride", [2, 4, 8, 16])
@pytest.mark.parametrize(("height", "width"), [(5, 7), (1, 3), (4, 2)])
def test_upsampling_matrices_equal_the_cropped_transposed_convolution(height, width, stride):
    x = np.random.default_rng(0).normal(size=(2, height, width, 1)).astype(np.float32)
    kernel = layers.bilinear_kernel(2 * stride, 1)
    for cut in (0, 1, stride - 1):  # What SAME pooling rounds up: a side of `size * stride - cut` pools to `size`.
        size = (height * stride - cut, width * stride - cut // 2)
        rows, columns = (
            layers.transposed_bilinear_matrix(*sides) for sides in ((height, stride, size[0]), (width, stride, size[1]))
        )
        expected = naive_upsampling(tf.constant(x), kernel, size)
        np.testing.assert_allclose(layers.resample(x, rows, columns), expected, atol=1e-5)


@pytest.mark.parametrize(
    ("old", "new"), [((5, 7), (51, 82)), ((51, 82), (101, 163)), ((1, 2), (1, 5)), ((8, 6), (3, 6))]
)
def test_resizing_matrices_equal_the_legacy_bilinear_resize(old, new):
    x = np.random.default_rng(0).normal(size=(2, *old, 1)).astype(np.float32)
    matrices = [layers.legacy_bilinear_matrix(*sides) for sides in zip(old, new, strict=True)]
    expected = tf.compat.v1.image.resize_bilinear(x, new)
    np.testing.assert_allclose(layers.resample(x, *matrices), expected, atol=1e-5)


@pytest.mark.parametrize("shape", [(2, 7, 9, 5), (1, 1, 1, 3), (1, 2, 1, 1)])
def test_single_channel_convolution_equals_conv2d(shape):
    generator = np.random.default_rng(0)
    x = generator.normal(size=shape).astype(np.float32)
    kernel = generator.normal(size=(3, 3, shape[-1])).astype(np.float32)
    expected = tf.nn.conv2d(x, kernel[..., None], 1, "SAME")
    np.testing.assert_allclose(layers.single_channel_convolution(x, kernel), expected, atol=1e-5)
