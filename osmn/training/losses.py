"""The losses of the segmentation: the published loss, one whose masks are nearer to the true size, one for edges."""

import tensorflow as tf

from osmn.networks import replicas
from osmn.training.options import LOSSES


def class_balanced_loss(logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """Return the class-balanced sigmoid cross-entropy of (B, H, W, 1) logits, *summed* over all pixels, as released.

    Of a batch split over replicas this is the part of a replica, with the counts of the whole batch. `labels`
    (B, H, W, 1) are positive above 0.5. The cross-entropy of positives is weighted by the batch's share of negatives,
    and the cross-entropy of negatives by the share of positives.
    """
    positive = tf.cast(labels > 0.5, logits.dtype)
    positives, total = _counts(positive)
    weights = tf.where(labels > 0.5, (total - positives) / total, positives / total)
    return tf.reduce_sum(weights * tf.nn.sigmoid_cross_entropy_with_logits(positive, logits))


def _counts(positive: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the number of positive pixels and of all pixels of a batch, over all replicas; `positive` is 1 or 0."""
    total = tf.cast(tf.size(positive) * replicas.count(), positive.dtype)
    return replicas.total(tf.reduce_sum(positive)), total


def jaccard_loss(logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """Return the sigmoid cross-entropy of (B, H, W, 1) logits plus the soft Jaccard distance, summed over all pixels.

    Every pixel of an image counts its own cross-entropy and the image's `1 - I / U`, where I and U are the sums of
    `p * y` and `p + y - p * y` over the image's pixels, p the probabilities and y the labels, 1 above 0.5, else 0.

    Not in the published program. All pixels weigh the same: where nothing tells which pixels are the object, the
    optimum lies near the object's share of the pixels (a little above it, because of the distance: 0.086 for 0.07,
    0.595 for 0.5). The optimum of the class-balanced loss is 0.5 then, so that its masks are too large.
    """
    labels = tf.cast(labels > 0.5, logits.dtype)
    probabilities = tf.sigmoid(logits)
    both = tf.reduce_sum(probabilities * labels, axis=[1, 2, 3])
    either = tf.reduce_sum(probabilities + labels, axis=[1, 2, 3]) - both
    pixels = tf.cast(tf.reduce_prod(tf.shape(labels)[1:]), logits.dtype)
    distances = 1 - both / tf.maximum(either, 1.0)  # For an image without the object it is 1, without a gradient.
    return tf.reduce_sum(tf.nn.sigmoid_cross_entropy_with_logits(labels, logits)) + pixels * tf.reduce_sum(distances)


def focal_loss(logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """Return the normalized focal loss of (B, H, W, 1) logits, summed over all pixels.

    A pixel's cross-entropy has the weight (1 - p)^2, p the probability of its label, divided by the mean weight of its
    image: pixels that are right already, which are most, lose their weight to those that are wrong, such as those at
    the object's edge. Sofiiuk et al., "AdaptIS" (arXiv 1909.07829), as arXiv 2102.06583 trains its click networks. Not
    in the published program.
    """
    labels = tf.cast(labels > 0.5, logits.dtype)
    cross_entropy = tf.nn.sigmoid_cross_entropy_with_logits(labels, logits)
    weights = (1 - tf.exp(-cross_entropy)) ** 2
    means = tf.stop_gradient(tf.reduce_mean(weights, axis=[1, 2, 3], keepdims=True))
    return tf.reduce_sum(weights * cross_entropy / (means + 1e-6)) / 2  # Both labels count the same: 1 / 2.


FUNCTIONS = dict(zip(LOSSES, (class_balanced_loss, jaccard_loss, focal_loss), strict=True))


def logit_offset(loss: str, labels: tf.Tensor) -> tf.Tensor:
    """Return by how much the best logits of `loss`, of `LOSSES`, lie above the logits of the true probabilities.

    The result is a scalar. For the class-balanced loss it is log(negatives / positives) of the batch's `labels`,
    (B, H, W, 1), about 2.6 for DAVIS, and 0 for a batch without negatives or without positives; for the other loss it
    is 0.
    """
    if loss != "balanced":
        return tf.constant(0.0)
    positives, total = _counts(tf.cast(labels > 0.5, tf.float32))
    negatives = total - positives
    return tf.where(tf.minimum(positives, negatives) > 0, tf.math.log(negatives / positives), 0.0)
