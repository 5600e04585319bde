"""Networks that are simple enough to work out their masks by hand, and a way to have the scripts use them."""

import dataclasses
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from osmn.config import ModelConfig
from osmn.models import checkpoint_files, tensorflow_model
from osmn.models.engines import choice


class ColourKey:
    """Segments what has the colour of the object in its visual guide; the spatial guide does not count."""

    config = ModelConfig()
    gamma_channels = (3,)
    dtype_policy = keras.DTypePolicy("float32")

    def gammas(self, guide, execution):
        return [tf.reduce_max(guide, axis=[1, 2], keepdims=True)]

    def segment(self, image, spatial, gammas, execution):
        distance = tf.reduce_max(tf.abs(image - gammas[0]), axis=-1, keepdims=True)
        return (40 - distance) / 8


class Follower:
    """Segments where the spatial guide is high: where the object was, smaller with every frame."""

    config = ModelConfig(no_visual_modulator=True)
    gamma_channels = ()
    guide_maps = 1
    dtype_policy = keras.DTypePolicy("float32")

    def segment(self, image, spatial, gammas, execution):
        return 8 * (spatial - 0.5)


class SeeingFollower(Follower):
    """A `Follower` with features for target models: the colors."""

    def appearance(self, image, execution):
        return tuple(tf.nn.avg_pool2d(image, factor, factor, "SAME") for factor in (8, 16))


class Pixelwise:
    """A logistic regression on a pixel's colour and spatial guide, with four weights and a bias to train."""

    config = ModelConfig(no_visual_modulator=True)
    gamma_channels = ()
    guide_maps = 1
    dtype_policy = keras.DTypePolicy("float32")
    compute_dtype = "float32"

    def __init__(self):
        self.kernel = keras.Variable(np.float32([0, 0, 0, 4]))
        self.bias = keras.Variable(np.float32([-2]))

    def tf1_variables(self):
        return {"net/biases": self.bias, "net/weights": self.kernel}

    @property
    def variables(self):
        return [self.kernel, self.bias]

    def constants(self):
        return {}

    def l2_weight(self, name):
        return 1e-4 if name == "net/weights" else 0.0

    def __call__(self, guide, spatial, image, execution):
        return self.segment(image, spatial, [], execution)

    def segment(self, image, spatial, gammas, execution=None):
        objects = tf.shape(spatial)[0]
        image = tf.broadcast_to(image, [objects, *tf.unstack(tf.shape(image))[1:]])
        pixels = tf.concat([image, spatial], axis=-1)
        return tf.reduce_sum(pixels * self.kernel.value, axis=-1, keepdims=True) + self.bias.value


class StandIn(tensorflow_model.Model):
    """A model of one of these networks."""

    @property
    def has_appearance(self):
        return hasattr(self.network, "appearance")


def stand_in(monkeypatch, network):
    """Have the scripts take `network`, with the options given as its configuration, for whatever model they name.

    By default TensorFlow runs it, in which it is written.
    """

    def load(path, given, precision, engine="tensorflow"):
        opened = network()
        opened.config = dataclasses.replace(opened.config, **given)
        return StandIn(opened, "float32")

    def find(path, given=None):
        return Path(path), ModelConfig(**given or {})

    def chosen(precision, **_):
        return choice.Choice("tensorflow", precision, "a stand-in is")

    monkeypatch.setattr(choice, "choose", chosen)
    monkeypatch.setattr(checkpoint_files, "find_model", find)
    monkeypatch.setattr(
        checkpoint_files, "find_start", lambda start, folder, given: (None, *find(start or "stand-in", given))
    )
    monkeypatch.setattr(tensorflow_model, "load", load)
    monkeypatch.setattr(
        tensorflow_model, "new_for_training", lambda options: load(None, options.given, options.precision)
    )
