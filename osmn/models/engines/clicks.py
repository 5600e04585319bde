"""The engine that runs a click network in TensorFlow."""

import numpy as np
import tensorflow as tf

from osmn.inputs import guides
from osmn.networks import Osmn, devices


class ClickTensorFlowEngine:
    """Runs a click network on the visible device; see `engines.ClickEngine`. Threads may share it."""

    def __init__(self, network: Osmn) -> None:
        self._network, self._execution = network, devices.choose_execution()
        image, maps = tf.TensorSpec([None, None, 3], tf.uint8), tf.TensorSpec([None, None, 4], tf.uint8)
        self._traced = tf.function(self._probabilities, input_signature=[image, maps])

    def probabilities(self, image: np.ndarray, maps: np.ndarray) -> np.ndarray:
        """Return probabilities, float32 (S, S), of a window, uint8 (S, S, 3), and its maps, uint8 (S, S, 4)."""
        found: np.ndarray = self._traced(image, maps).numpy()
        return found

    def _probabilities(self, image: tf.Tensor, maps: tf.Tensor) -> tf.Tensor:
        normalized = guides.normalize(image, self._network.config)[None]
        logits = self._network.segment(normalized, tf.cast(maps, tf.float32)[None], [], self._execution)
        return tf.sigmoid(logits[0, ..., 0])
