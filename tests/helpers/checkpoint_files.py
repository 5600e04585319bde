"""Checkpoints that tests write: random ones, as other programs do, damaged."""

import numpy as np
import tensorflow as tf

OPTIMIZER_STATE = {
    "osmn/score/weights/Adam": np.ones((1, 1, 64, 1), np.float32),
    "osmn/score/weights/Adam_1": np.ones((1, 1, 64, 1), np.float32),
    "beta1_power": np.float32(0.9),
    "optimization/take_gradients/beta1_power": np.float32(0.9),
    "optimization/take_gradients/beta2_power": np.float32(0.999),
    "global_step": np.int64(200000),
}


def random_values(network, seed=0):
    """Return {TF1 name: array} for a whole model, every one different."""
    generator = np.random.default_rng(seed)
    variables = network.tf1_variables().items()
    return {n: generator.random(tuple(v.shape), np.float32) for n, v in variables} | network.constants()


def without(values, *names):
    """Return {name: value} but for some names."""
    return {name: value for name, value in values.items() if name not in names}


def save_in_tf1(path, values, version):
    """Write {name: array} as TF1's own program does: a graph, a session, a Saver."""
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        variables = [tf.compat.v1.Variable(v, name=n, use_resource=False) for n, v in values.items()]
        session.run(tf.compat.v1.global_variables_initializer())
        saver = tf.compat.v1.train.Saver(variables, write_version=version)
        saver.save(session, str(path), write_meta_graph=False, write_state=False)


def truncate(path, share):
    """Leave a share of a file, from 0 to 1, and cut the rest off; return `path`."""
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    return path


def check_values(network, values):
    """Check that a network has these values, and no variables beside."""
    variables = network.tf1_variables()
    assert set(variables) | set(network.constants()) == set(values)
    for name, variable in variables.items():
        np.testing.assert_array_equal(variable, values[name], err_msg=name)


def check_error(error, *words):
    """Check that an InputError is one line with all of `words`."""
    message = str(error.value)
    assert "\n" not in message
    for word in words:
        assert str(word) in message
