"""The boundary net: it moves the boundaries of masks to those that the image shows. Not in the published program.

A small network for single objects, after any network that follows them: `lite`'s finest features have a quarter of the
image's sides, from which no boundary is known to a pixel. It sees the image and the object's logits, and adds to the
logits. Its features have half of the image's sides; dilated convolutions see 37 pixels around. Networks that refine
masks after others are as old as the field; see Cheng et al., "CascadePSP" (CVPR 2020), whose networks are large.
"""

import tensorflow as tf

from osmn.config import BOUNDARY_DILATIONS, BOUNDARY_WIDTH, LOGIT_SCALE, MOST_LOGIT
from osmn.networks.backend import keras


def build(width: int = BOUNDARY_WIDTH) -> keras.Model:
    """Return the network; its variables have the names of `models.boundary_weights`.

    It maps float32 (B, H, W, 4), `inputs_of`, to logits (B, H, W); H and W are even. Before training it adds nothing.
    """
    layers = keras.layers
    inputs = keras.Input((None, None, 4))
    x = layers.Conv2D(width, 5, 2, "same", activation="relu", name="stem")(inputs)
    for number, dilation in enumerate(BOUNDARY_DILATIONS, 1):
        y = layers.DepthwiseConv2D(3, 1, "same", dilation_rate=dilation, name=f"depthwise{number}")(x)
        y = layers.Conv2D(width, 1, activation="relu", name=f"inner{number}")(y)
        y = layers.Conv2D(width, 1, name=f"outer{number}")(y)
        x = layers.ReLU(name=f"relu{number}")(layers.Add(name=f"add{number}")([x, y]))
    x = layers.Conv2D(4, 3, 1, "same", kernel_initializer="zeros", name="score")(x)
    return keras.Model(inputs, _Added(name="added")([inputs, x]))


def inputs_of(image: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Return what the network sees of images (B, H, W, 3) of 0 to 255, RGB, and of logits (B, H, W) of an object."""
    logits = tf.clip_by_value(tf.cast(logits, tf.float32), -MOST_LOGIT, MOST_LOGIT)[..., None]
    return tf.concat([tf.cast(image, tf.float32) / 128 - 1, logits / LOGIT_SCALE], -1)


class _Added(keras.layers.Layer):
    """Adds scores, of 2x2 pixels each (B, H/2, W/2, 4), to the logits of the network's inputs."""

    def call(self, both: list[tf.Tensor]) -> tf.Tensor:
        inputs, scores = both
        return LOGIT_SCALE * inputs[..., 3] + tf.nn.depth_to_space(scores, 2)[..., 0]
