"""The engine that computes in TensorFlow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf

from osmn.config import PAD_RATIO
from osmn.inputs import guides
from osmn.networks import Osmn, devices

if TYPE_CHECKING:
    from osmn.models.tensorflow_model import Model

FRAME = tf.TensorSpec([None, None, 3], tf.uint8)
MASK = tf.TensorSpec([None, None], tf.bool)
MASKS = tf.TensorSpec([None, None, None], tf.bool)


def start(model: Model, vg_pad_ratio: float = PAD_RATIO) -> TensorFlowEngine:
    """Return the `TensorFlowEngine` of a model; see `EngineKind.start`."""
    return TensorFlowEngine(model.network, vg_pad_ratio)


class TensorFlowEngine:
    """Runs an `Osmn` in TensorFlow, on the visible device. Threads may share it.

    Each function is traced once, for any size and number of objects: a graph for a fixed size rounds differently, and
    the results of a video must not depend on the videos before it.

    Args:
        network: an `Osmn`, in the precision that it is to compute in.
        vg_pad_ratio: each side of the visual guide's crop moves outward by this part of the crop's side; 0.03, as
            published.
    """

    follows_weights = True

    def __init__(self, network: Osmn, vg_pad_ratio: float = PAD_RATIO) -> None:
        self._network, self._config, self._vg_pad_ratio = network, network.config, vg_pad_ratio
        self._execution = devices.choose_execution()
        gammas = [tf.TensorSpec([None, 1, 1, channels]) for channels in network.gamma_channels]
        self._traced_gammas = tf.function(self._gammas, input_signature=[FRAME, MASK])
        self._traced_segment = tf.function(self._segment, input_signature=[FRAME, MASKS, gammas])
        self._traced_appearance = tf.function(self._appearance, input_signature=[FRAME])

    def gammas(self, frame: np.ndarray, mask: np.ndarray) -> list[np.ndarray]:
        """See `Engine.gammas`."""
        if not self._network.gamma_channels:
            return []
        return [gamma.numpy() for gamma in self._traced_gammas(frame, mask)]

    def segment(
        self, frame: np.ndarray, masks: np.ndarray, gammas: Sequence[np.ndarray]
    ) -> tuple[np.ndarray, np.ndarray]:
        """See `Engine.segment`."""
        probabilities, found = self._traced_segment(frame, masks, gammas)
        return probabilities.numpy(), found.numpy()

    def appearance(self, frame: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """See `Engine.appearance`."""
        fine, coarse = self._traced_appearance(frame)
        return fine.numpy(), coarse.numpy()

    def _appearance(self, frame: tf.Tensor) -> list[tf.Tensor]:
        image = guides.normalize(frame, self._config)[None]
        return [tf.transpose(x[0], [2, 0, 1]) for x in self._network.appearance(image, self._execution)]

    def _gammas(self, frame: tf.Tensor, mask: tf.Tensor) -> list[tf.Tensor]:
        guide = guides.visual_guide(frame, mask, self._config, self._vg_pad_ratio)
        return self._network.gammas(guide[None], self._execution)

    def _segment(self, frame: tf.Tensor, masks: tf.Tensor, gammas: Sequence[tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
        image = guides.normalize(frame, self._config)[None]
        spatial_guide = guides.spatial_guide(masks, self._config)
        logits = self._network.segment(image, spatial_guide, gammas, self._execution)
        probabilities = tf.sigmoid(logits[..., 0])
        return probabilities, probabilities > 0.5
