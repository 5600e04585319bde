"""Networks that start from zeros: at once, for drawing 120 million random numbers takes seconds."""

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
