"""The published networks as a plain computation, unshared and unfolded, of any size."""

import numpy as np
import tensorflow as tf


def relative_error(actual, expected):
    """Return the largest difference over the largest value."""
    return np.max(np.abs(np.asarray(actual) - expected)) / np.max(np.abs(expected))


def weights_of(network):
    """Return {TF1 name: array} of a network's variables and constants."""
    return {n: np.array(v) for n, v in network.tf1_variables().items()} | network.constants()


def naive_convolution(weights, name, x, stride=1, dilation=1):
    """Convolve with padding SAME, and add the biases if there are any."""
    y = tf.nn.conv2d(x, weights[f"{name}/weights"], stride, "SAME", dilations=dilation)
    return y + weights.get(f"{name}/biases", 0)


def naive_normalization(weights, scope, x, training, moments):
    """Batch norm over all pixels; the batch's (mean, variance, count) are added to `moments`."""
    names = ("moving_mean", "moving_variance", "beta", "gamma")
    mean, variance, beta, gamma = (weights[f"{scope}/BatchNorm/{name}"] for name in names)
    if training:
        mean, variance = tf.nn.moments(x, [0, 1, 2])
        moments[f"{scope}/BatchNorm"] = mean, variance, np.prod(x.shape[:3])
    return tf.nn.batch_normalization(x, mean, variance, beta, gamma, 0.001)


def naive_vgg(weights, base_model, image, spatial, gammas, training=False, first_modulated=3):
    """Return a VGG16 network's logits and its batch norms' moments, as the published program computes them."""
    size, moments, sides = image.shape[1:3], {}, []
    gammas = iter(gammas)
    dilated, masktrack = base_model != "osvos", base_model == "masktrack"
    x = tf.concat([spatial, image], -1) if masktrack else tf.constant(image)
    for stage, count in enumerate((2, 2, 3, 3, 3), 1):
        dilation = 2 if dilated and stage == 5 else 1
        if stage > 1:
            stride = 1 if dilation == 2 else 2
            x = tf.nn.max_pool2d(x, 3 if masktrack else 2, stride, "SAME")
            spatial = tf.nn.avg_pool2d(spatial, stride, stride, "SAME")
        betas = iter([0.0] * count)
        if stage >= first_modulated and not masktrack:
            scope = f"osmn/modulator_sp/conv{stage}"
            maps = naive_normalization(weights, scope, naive_convolution(weights, scope, spatial), training, moments)
            betas = iter(tf.split(tf.nn.relu(maps), count, axis=-1))
        for layer in range(1, count + 1):
            x = tf.nn.relu(naive_convolution(weights, f"osmn/seg/conv{stage}/conv{stage}_{layer}", x, 1, dilation))
            if stage >= first_modulated:
                x = x * next(gammas) + next(betas)
        if stage > 1 and not dilated:
            side = naive_convolution(weights, f"osmn/seg/conv{stage}_{count}_16", x)
            sides.append(naive_upsampling(side, weights[f"osmn/seg/score-multi{stage}-up/weights"], size))
    if not dilated:
        return naive_convolution(weights, "osmn/seg/upscore-fuse", tf.concat(sides, -1)), moments
    scores = []
    for number, rate in enumerate((6, 12, 18, 24), 1):
        hidden = tf.nn.max_pool2d(x, 3, 1, "SAME")
        hidden = tf.nn.relu(naive_convolution(weights, f"osmn/seg/fc6_{number}", hidden, 1, rate))
        hidden = tf.nn.relu(naive_convolution(weights, f"osmn/seg/fc7_{number}", hidden))
        head = "fc8" if masktrack else "fc8_voc12"
        scores.append(naive_convolution(weights, f"osmn/seg/{head}_{number}", hidden))
    return naive_upsampling(tf.add_n(scores), weights["osmn/seg/score-up/weights"], size), moments


def naive_upsampling(x, kernel, size):
    """Transposed convolution with stride half the kernel, VALID, then the centre of `size`."""
    batch, height, width, channels = x.shape
    stride = kernel.shape[0] // 2
    shape = (batch, (height + 1) * stride, (width + 1) * stride, channels)
    up = tf.nn.conv2d_transpose(x, kernel, shape, stride, "VALID")
    top, left = (shape[1] - size[0]) // 2, (shape[2] - size[1]) // 2
    return up[:, top : top + size[0], left : left + size[1]]


def naive_lite(weights, image, spatial, gammas, training=False):
    """Return `lite`'s logits and its batch norms' moments."""
    strides = {2: 2, 4: 2, 6: 2, 12: 2}
    half, moments, sides = [(side + 1) // 2 for side in image.shape[1:3]], {}, []

    def normalized(scope, x):
        return tf.nn.relu6(naive_normalization(weights, scope, x, training, moments))

    x = normalized("osmn/seg/Conv2d_0", naive_convolution(weights, "osmn/seg/Conv2d_0", tf.constant(image), 2))
    for block in range(1, 14):
        scope, stride = f"osmn/seg/Conv2d_{block}_depthwise", strides.get(block, 1)
        kernel = weights[f"{scope}/depthwise_weights"]
        x = normalized(scope, tf.nn.depthwise_conv2d(x, kernel, [1, stride, stride, 1], "SAME"))
        scope = f"osmn/seg/Conv2d_{block}_pointwise"
        x = normalized(scope, naive_convolution(weights, scope, x))
        if block in (3, 5, 11, 13):
            factor = 4 if block == 3 else 2
            spatial = tf.nn.avg_pool2d(spatial, factor, factor, "SAME")
            scope = f"osmn/modulator_sp/conv{block}"
            maps = naive_convolution(weights, scope, spatial)
            x = x * gammas[len(sides)] + tf.nn.relu(naive_normalization(weights, scope, maps, training, moments))
            side = naive_convolution(weights, f"osmn/conv{block}_16", x)
            sides.append(tf.compat.v1.image.resize_bilinear(side, half))
    score = naive_convolution(weights, "osmn/score", tf.concat(sides, -1))
    return tf.compat.v1.image.resize_bilinear(score, image.shape[1:3]), moments


def check_moving_statistics(network, weights, moments, decay):
    """Check that the network's statistics have moved from `weights` towards the batch's `moments`."""
    assert moments
    after = weights_of(network)
    for scope, (mean, variance, count) in moments.items():
        rate = 1 - (0.99 if "modulator_sp" in scope else decay)
        for leaf, value in (("moving_mean", mean), ("moving_variance", variance * count / (count - 1))):
            before = weights[f"{scope}/{leaf}"]
            expected = before + rate * (value - before)
            np.testing.assert_allclose(after[f"{scope}/{leaf}"], expected, rtol=1e-4, atol=1e-4)


VGG_WIDTHS = (*(256,) * 3, *(512,) * 6)
