"""A training of two variables, which can be worked out by hand."""

import keras
import numpy as np
import tensorflow as tf

from osmn.config import ModelConfig
from osmn.inputs.guides import GUIDE_SIDE
from osmn.inputs.samples import Sample
from osmn.networks import INFERENCE
from osmn.training.loop import train
from osmn.training.options import TrainingOptions
from osmn.training.trainer import Trainer

DECAY = 0.5  # L2 of the stand-in's weight.


class Brightness:
    """A stand-in for a network, with two variables: logits = image * weight + bias, computed in `compute_dtype`."""

    config = ModelConfig(im_size=(4, 3))

    def __init__(self, compute_dtype="float32"):
        self.compute_dtype = compute_dtype
        self.weight, self.bias = keras.Variable(np.float32([0.25])), keras.Variable(np.float32([-0.5]))

    def tf1_variables(self):
        return {"net/biases": self.bias, "net/weights": self.weight}

    def constants(self):
        return {}

    def l2_weight(self, name):
        return DECAY if name == "net/weights" else 0.0

    def __call__(self, guide, spatial, image, execution=INFERENCE):
        image, weight, bias = (tf.cast(x, self.compute_dtype) for x in (image, self.weight.value, self.bias.value))
        return tf.cast(image[..., :1] * weight + bias, tf.float32)


def batch_of(step):
    """Return a step's batch of 2 images of 3x4."""
    image = np.random.default_rng(step).normal(size=(2, 3, 4, 3)).astype(np.float32)
    label = (image[..., :1] + image[..., 1:2] > 0).astype(np.float32)
    guide = np.full((2, GUIDE_SIDE, GUIDE_SIDE, 3), step, np.float32)
    return Sample(*(tf.constant(x) for x in (guide, image[..., :1], image, label)))


def batches(first, last):
    """Return the batches of the steps from `first` to before `last`."""
    return [batch_of(step) for step in range(first, last)]


def run(folder, make_batches=batches, trainer=None, final=False, **changes):
    """Train a stand-in in `folder`; return the Trainer."""
    trainer = trainer or Trainer(Brightness())
    options = TrainingOptions(**{"learning_rate": 0.1, "display_iters": 1} | changes)
    train(trainer, make_batches, options, folder, final)
    return trainer


def weights(trainer):
    """Return the weight and the bias of a Trainer's stand-in, float32 (2,)."""
    return np.concatenate([trainer.network.weight.numpy(), trainer.network.bias.numpy()])


def state(trainer):
    """Return {name: array} of all that a checkpoint of a Trainer holds."""
    return {name: np.asarray(variable) for name, variable in trainer.state().items()}


def assert_equal_states(ours, theirs):
    """Check that two `state`s have the same names and the same values, bit for bit."""
    assert ours.keys() == theirs.keys()
    for name, value in theirs.items():
        np.testing.assert_array_equal(ours[name], value, err_msg=name)
