"""VGG16 rescaled so that every layer's features have size 1: for short trainings.

VGG16's features are of size 7 to 560 (root mean square, inputs of +-128), but the maps of the spatial modulator start
below 0.1, so that it takes long until they count. ReLUs and pools commute with positive factors: the new network
computes the features of the old network, each layer's features divided by their size.
"""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from osmn.errors import InputError
from osmn.networks.backend import keras


def rescale(
    stages: Sequence[Sequence[keras.layers.Conv2D]],
    fc6: keras.layers.Conv2D | None,
    images: np.ndarray | tf.Tensor,
    scale_value: float,
) -> None:
    """Give the layers of a VGG16 the weights with which its features have root mean square 1.

    Args:
        stages: the convolutions, a list of layers for each stage.
        fc6: the first fully connected layer, which takes back the factor, so that later layers keep their weights; None
            for a VGG16 without it.
        images: float32 (B, H, W, 3), BGR, mean subtracted, values of +-128.
        scale_value: the network is to get `images * scale_value`.

    Raises:
        InputError: for a layer all of whose features are 0.
    """
    x, size_before = tf.convert_to_tensor(images), 1 / scale_value
    for stage in stages:
        for layer in stage:
            x = layer(x)
            size = float(tf.sqrt(tf.reduce_mean(tf.square(x))))
            if not size:
                raise InputError(f"every feature of {layer.name.split('.')[-1]} is 0")
            layer.kernel.assign(layer.kernel * (size_before / size))
            layer.bias.assign(layer.bias / size)
            size_before = size
        x = tf.nn.max_pool2d(x, 2, 2, "SAME")
    if fc6 is not None:
        fc6.kernel.assign(fc6.kernel * size_before)
