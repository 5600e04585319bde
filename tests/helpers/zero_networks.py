"""Networks that start from zeros: at once, for drawing 120 million random numbers takes seconds."""

import numpy as np
import tensorflow as tf

from helpers import goldens
from osmn import networks


class Zeros(networks.Initialization):
    """Initial weights that are all zero, but for those that are published constants."""

    def normal(self, name, truncated=False, stddev=None):
        return "zeros"


def build(config, dtype="float32"):
    """Return the network of a `ModelConfig`, of zeros: to be given weights, unlike any that are loaded."""
    return networks.network_class(config)(config, dtype, Zeros())


def build_golden(config, dtype="float32"):
    """Return the network of a `ModelConfig` with the weights behind the golden files."""
    network = build(config, dtype)
    goldens.assign_weights(network)
    return network


def forget(network):
    """Make every weight of a network zero."""
    for variable in network.tf1_variables().values():
        variable.assign(tf.zeros(variable.shape))


def randomize(network, small, seed=0):
    """Give a network random weights that keep the size of activations, and so give probabilities of all sizes.

    `small` is {end of a name: factor} of variables, other than weights, that are to be smaller than about 1.
    """
    rng = np.random.default_rng(seed)
    for name, variable in network.tf1_variables().items():
        shape = tuple(variable.shape)
        if name.endswith("weights"):
            variable.assign(rng.standard_normal(shape, np.float32) * np.sqrt(2 / max(1, np.prod(shape[:-1]))))
        else:
            factor = next((factor for end, factor in small.items() if name.endswith(end)), 1)
            variable.assign(rng.uniform(0.5, 1.5, shape).astype(np.float32) * factor)
