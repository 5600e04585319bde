"""Segmentation of each frame and of its mirror image by another engine, averaged."""

from collections.abc import Sequence

import numpy as np

from osmn.models.engines import Engine


class MirroredEngine:
    """Averages an engine's probabilities of each frame with those of the frame's mirror image, mirrored back.

    An error in only one of both counts half. The visual guide is of the frame, not of its mirror image. Segmenting
    takes twice the time.

    Args:
        engine: an `Engine`.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @property
    def follows_weights(self) -> bool:
        """See `Engine.follows_weights`."""
        return self._engine.follows_weights

    def gammas(self, frame: np.ndarray, mask: np.ndarray) -> list[np.ndarray]:
        """See `Engine.gammas`."""
        return self._engine.gammas(frame, mask)

    def segment(
        self, frame: np.ndarray, masks: np.ndarray, gammas: Sequence[np.ndarray]
    ) -> tuple[np.ndarray, np.ndarray]:
        """See `Engine.segment`."""
        probabilities, _ = self._engine.segment(frame, masks, gammas)
        mirrored, _ = self._engine.segment(_mirror(frame, 1), _mirror(masks, 2), gammas)
        mean = (probabilities + _mirror(mirrored, 2)) / 2
        return mean, mean > 0.5

    def appearance(self, frame: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """See `Engine.appearance`; of the frame alone."""
        return self._engine.appearance(frame)


def _mirror(images: np.ndarray, axis: int) -> np.ndarray:
    """Return images mirrored left to right, contiguous in memory; `axis` is the axis of their columns."""
    return np.ascontiguousarray(np.flip(images, axis))
