"""The losses of the segmentation, by hand."""

import math

import numpy as np
import pytest
import tensorflow as tf

from osmn.training.losses import class_balanced_loss, jaccard_loss


def as_maps(*rows):
    return tf.constant(np.reshape(rows, (1, 2, 2, 1)), tf.float32)


def test_loss_weights_positives_by_the_share_of_negatives_and_sums():
    logits, labels = as_maps(0, 0, 0, math.log(3)), as_maps(1, 0, 0, 0)
    # Cross-entropies: log 2 three times, and log(1 + 3) = 2 log 2 for the last. One positive among four.
    expected = (3 / 4 * 1 + 1 / 4 * (1 + 1 + 2)) * math.log(2)
    assert float(class_balanced_loss(logits, labels)) == pytest.approx(expected)


def test_loss_is_a_sum_over_the_batch():
    logits, labels = as_maps(0.3, -1, 2, 0.5), as_maps(1, 0, 1, 0)
    twice = [tf.concat([maps, maps], axis=0) for maps in (logits, labels)]
    assert float(class_balanced_loss(*twice)) == pytest.approx(2 * float(class_balanced_loss(logits, labels)))


def test_shares_are_those_of_the_whole_batch():
    logits = tf.zeros((2, 2, 2, 1))
    labels = tf.concat([as_maps(1, 1, 1, 1), as_maps(0, 0, 0, 1)], axis=0)  # 5 of 8 positive.
    assert float(class_balanced_loss(logits, labels)) == pytest.approx(2 * 5 * 3 / 8 * math.log(2))


def test_labels_are_positive_above_a_half():
    logits = as_maps(1, 2, 3, 4)
    soft, hard = as_maps(0.4, 0.5, 0.51, 1), as_maps(0, 0, 1, 1)
    assert float(class_balanced_loss(logits, soft)) == float(class_balanced_loss(logits, hard))


@pytest.mark.parametrize("label", [0.0, 1.0])
def test_a_batch_of_one_class_has_loss_and_gradient_zero(label):
    logits = as_maps(-50, 0, 1, 50)
    with tf.GradientTape() as tape:
        tape.watch(logits)
        loss = class_balanced_loss(logits, tf.fill((1, 2, 2, 1), label))
    assert float(loss) == 0
    np.testing.assert_array_equal(tape.gradient(loss, logits), np.zeros((1, 2, 2, 1)))


def best_constant(loss, share):
    """Return the one probability for all pixels for which a loss is least, of a share of pixels that are the object."""
    labels = tf.constant(np.arange(1000) < 1000 * share, tf.float32)[None, :, None, None]
    probabilities = np.arange(0.01, 0.99, 0.0025)
    logits = np.log(probabilities / (1 - probabilities)).astype(np.float32)
    return probabilities[np.argmin([float(loss(tf.fill(labels.shape, logit), labels)) for logit in logits])]


def test_jaccard_loss_of_four_pixels():
    logits, labels = as_maps(0, 0, 0, math.log(3)), as_maps(1, 0, 0, 0)
    # Probabilities 1/2, 1/2, 1/2, 3/4: I = 1/2, U = 1 + 1/2 + 1/2 + 3/4. Cross-entropies: log 2 three times, 2 log 2.
    expected = 5 * math.log(2) + 4 * (1 - 0.5 / 2.75)
    assert float(jaccard_loss(logits, labels)) == pytest.approx(expected)


def test_jaccard_loss_is_a_sum_over_images_each_with_its_own_distance():
    logits, labels = (as_maps(0, 0, 0, 1), as_maps(3, -1, 2, 0.5)), (as_maps(1, 0, 0, 0), as_maps(0.4, 0.6, 1, 1))
    both = float(jaccard_loss(tf.concat(logits, 0), tf.concat(labels, 0)))
    apart = [float(jaccard_loss(*pair)) for pair in zip(logits, labels, strict=True)]
    assert both == pytest.approx(sum(apart))
    assert apart[1] == pytest.approx(float(jaccard_loss(logits[1], as_maps(0, 1, 1, 1))))  # Positive above a half.


@pytest.mark.parametrize("share, expected", [(0.07, 0.086), (0.3, 0.367), (0.5, 0.595)])
def test_jaccard_loss_wants_about_the_share_of_the_object_and_the_balanced_one_a_half(share, expected):
    # There the derivative by p of the loss of a pixel is 0: (p - q) / (p (1 - p)) = (q / (p + q - p q))^2.
    p, q = expected, share
    assert (p - q) / (p * (1 - p)) == pytest.approx((q / (p + q - p * q)) ** 2, rel=0.1)
    assert best_constant(jaccard_loss, share) == pytest.approx(expected, abs=0.005)
    assert best_constant(class_balanced_loss, share) == pytest.approx(0.5, abs=0.005)


@pytest.mark.parametrize("logit", [-100.0, -3.0, 0.0, 100.0])
def test_jaccard_loss_of_a_black_label_has_the_gradient_of_the_cross_entropy_alone(logit):
    logits = tf.fill((1, 2, 2, 1), logit)
    with tf.GradientTape() as tape:
        tape.watch(logits)
        loss = jaccard_loss(logits, tf.zeros((1, 2, 2, 1)))
    assert np.isfinite(float(loss))
    np.testing.assert_allclose(tape.gradient(loss, logits), tf.sigmoid(logits), rtol=1e-6)
