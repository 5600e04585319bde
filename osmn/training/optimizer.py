"""How a step changes the weights: Adam, and the average of the weights for testing."""

from collections.abc import Mapping, Sequence

import tensorflow as tf

from osmn.models import stored_weights
from osmn.networks import replicas

BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-8  # Adam, as published


class Adam:
    """Adam in TF1's form, with TF1's fused kernel: `w -= lr_t m / (sqrt(v) + epsilon)`, its state under TF1 names."""

    def __init__(self, variables: Mapping[str, tf.Variable]) -> None:
        """Make the slots of `variables`, {TF1 name: variable}."""
        self.variables = variables
        self.slots = {
            f"{name}/{slot}": tf.Variable(tf.zeros(variable.shape), trainable=False)
            for name, variable in variables.items()
            for slot in stored_weights.ADAM_SLOTS
        }
        self.powers = {"beta1_power": tf.Variable(BETA_1), "beta2_power": tf.Variable(BETA_2)}

    def state(self) -> dict[str, tf.Variable]:
        """Return {TF1 name: variable} of everything that a checkpoint needs."""
        return self.slots | self.powers

    def reset(self) -> None:
        """Return to the state before the first step."""
        for variable in self.slots.values():
            variable.assign(tf.zeros_like(variable))
        for variable, value in zip(self.powers.values(), (BETA_1, BETA_2), strict=True):
            variable.assign(value)

    def apply(self, gradients: Sequence[tf.Tensor], rate: tf.Tensor) -> None:
        """Update the variables by their `gradients`, in the same order; `rate` is the learning rate, a scalar."""
        power_1, power_2 = self.powers.values()
        for (name, variable), gradient in zip(self.variables.items(), gradients, strict=True):
            first, second = (self.slots[f"{name}/{slot}"] for slot in stored_weights.ADAM_SLOTS)
            # Not Keras's Adam, which takes three times as long as this kernel.
            tf.raw_ops.ResourceApplyAdam(
                var=variable.handle,
                m=first.handle,
                v=second.handle,
                beta1_power=power_1,
                beta2_power=power_2,
                lr=rate,
                beta1=BETA_1,
                beta2=BETA_2,
                epsilon=EPSILON,
                grad=gradient,
            )
        replicas.assign(power_1, power_1 * BETA_1)
        replicas.assign(power_2, power_2 * BETA_2)


class Average:
    """Exponential moving averages of variables, under TF1's names for them.

    After step t (from 1) an average moves by 1 - d toward its variable, d = min(decay, (1 + t) / (10 + t)), as TF1's
    with `num_updates`: early averages would be of the initial weights otherwise.
    """

    def __init__(self, variables: Mapping[str, tf.Variable], decay: float) -> None:
        """Start from the values of `variables`, {TF1 name: variable}; `decay` is from 0 to below 1."""
        self._variables, self._decay = variables, decay
        self.averages = {name: tf.Variable(variable, trainable=False) for name, variable in variables.items()}

    def state(self) -> dict[str, tf.Variable]:
        """Return {TF1 name: variable} of everything that a checkpoint needs."""
        return {stored_weights.average_name(name): average for name, average in self.averages.items()}

    def reset(self) -> None:
        """Start anew from the variables' present values."""
        for name, average in self.averages.items():
            average.assign(self._variables[name])

    def update(self, step: tf.Tensor) -> None:
        """Take the variables' values after step `step`, a scalar tensor from 1."""
        step = tf.cast(step, tf.float32)
        share = 1 - tf.minimum(self._decay, (1 + step) / (10 + step))
        for name, average in self.averages.items():
            replicas.assign(average, average + share * (self._variables[name] - average))
