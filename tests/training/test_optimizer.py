"""How a step changes the weights: learning rates, Adam, the average."""

import math

import numpy as np
import pytest
import tensorflow as tf

from osmn.training.optimizer import Adam, Average
from osmn.training.schedule import learning_rate

# -- Learning rate ----------------------------------------------------------------------------------------------------


def rates(steps, *more, **changes):
    return [learning_rate(step, 2.0, *more, **changes) for step in steps]


def test_the_rate_is_constant_by_default():
    assert rates([0, 1, 10**6]) == [2.0, 2.0, 2.0]


def test_warm_up_rises_linearly_to_the_rate_and_stays():
    assert rates(range(6), warmup_iters=4) == [0.5, 1.0, 1.5, 2.0, 2.0, 2.0]


def test_cosine_falls_from_the_rate_to_zero_at_the_last_step():
    # The shares (1 + cos(pi k / 6)) / 2 of steps 0, 2, 3, 4 and 6 of 6.
    expected = [2.0, 1.5, 1.0, 0.5, 0.0]
    assert rates([0, 2, 3, 4, 6], "cosine", training_iters=6) == pytest.approx(expected)


def test_cosine_begins_where_the_warm_up_ends():
    expected = [1.0, 2.0, 2.0, 1.5, 1.0, 0.5, 0.0]
    assert rates([0, 1, 2, 4, 5, 6, 8], "cosine", warmup_iters=2, training_iters=8) == pytest.approx(expected)


def test_a_warm_up_that_is_longer_than_the_training_is_cut_off():
    assert rates([0, 1], "cosine", warmup_iters=4, training_iters=2) == [0.5, 1.0]


# -- Adam -------------------------------------------------------------------------------------------------------------


def test_first_step_of_adam_moves_every_weight_by_the_rate_against_its_gradient():
    variable = tf.Variable([1.0, -2.0, 3.0])
    Adam({"w": variable}).apply([tf.constant([0.3, -40.0, 0.0])], tf.constant(0.01))
    np.testing.assert_allclose(variable, [0.99, -1.99, 3.0], rtol=1e-6)


def test_three_steps_of_adam_equal_tf1s_formula():
    rng = np.random.default_rng(0)
    # Small gradients too: there it matters that epsilon is added after the correction, as in TF1.
    gradients = (rng.normal(size=(3, 5)) * [1e-9, 1e-7, 1e-3, 1, 100]).astype(np.float32)
    variable = tf.Variable(np.linspace(-1, 1, 5).astype(np.float32))
    adam = Adam({"w": variable})
    w, m, v = variable.numpy().astype(np.float64), np.zeros(5), np.zeros(5)
    for t, gradient in enumerate(gradients.astype(np.float64), 1):
        adam.apply([tf.constant(gradient, tf.float32)], tf.constant(0.01))
        m, v = 0.9 * m + 0.1 * gradient, 0.999 * v + 0.001 * gradient**2
        w -= 0.01 * math.sqrt(1 - 0.999**t) / (1 - 0.9**t) * m / (np.sqrt(v) + 1e-8)
    np.testing.assert_allclose(variable, w, rtol=1e-4)  # 1 - 0.999 in float32 is off by 5e-5.
    np.testing.assert_allclose(adam.state()["w/Adam"], m, rtol=1e-4)
    np.testing.assert_allclose(adam.state()["w/Adam_1"], v, rtol=1e-4)


# -- Average ----------------------------------------------------------------------------------------------------------


def test_average_follows_tf1s_formula_with_the_number_of_updates():
    variable = tf.Variable([0.0, 8.0])
    average = Average({"w": variable}, 0.3)
    expected = np.array([0.0, 8.0])
    # (1 + t) / (10 + t) is 2/11, 3/12, 4/13 and 5/14: from the third on 0.3 is less.
    for step, decay in ((1, 2 / 11), (2, 3 / 12), (3, 0.3), (4, 0.3)):
        variable.assign([float(step), 8.0 - step])
        average.update(tf.constant(step, tf.int64))
        expected = decay * expected + (1 - decay) * np.array([step, 8.0 - step])
        np.testing.assert_allclose(average.averages["w"], expected, rtol=1e-6)


def test_average_equals_that_of_tf1():
    values = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        theirs, step = tf.compat.v1.get_variable("w", initializer=values[0]), tf.compat.v1.placeholder(tf.int64, ())
        tf1 = tf.compat.v1.train.ExponentialMovingAverage(0.25, num_updates=step)
        update = tf1.apply([theirs])
        name = tf1.average_name(theirs)
        session.run(tf.compat.v1.global_variables_initializer())
        for number, value in enumerate(values[1:], 1):
            theirs.load(value, session)
            session.run(update, {step: number})
        expected = session.run(tf1.average(theirs))
    variable = tf.Variable(values[0])
    average = Average({"w": variable}, 0.25)
    for number, value in enumerate(values[1:], 1):
        variable.assign(value)
        average.update(tf.constant(number, tf.int64))
    (ours,) = average.state()
    assert ours == name
    np.testing.assert_allclose(average.state()[ours], expected, rtol=1e-6)


def test_average_starts_anew_from_the_present_values():
    variable = tf.Variable([1.0])
    average = Average({"w": variable}, 0.9)
    variable.assign([5.0])
    np.testing.assert_array_equal(average.averages["w"], [1.0])
    average.reset()
    np.testing.assert_array_equal(average.averages["w"], [5.0])
