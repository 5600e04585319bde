"""What a predictor returns of a frame, and what it knows after it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from osmn.errors import InputError
from osmn.inference import arguments
from osmn.inference.target import Target
from osmn.masks import Size, merge, resized


class Segmentation(NamedTuple):
    """The objects of a frame.

    Attributes:
        object_ids: the N objects' ids, in the order in which the objects were added.
        probabilities: float32 (N, h, w) from 0 to 1, of the network's size.
        masks: bool (N, h, w): where each object is, regardless of the others; refined, if the predictor refines.
        frame_size: (width, height) of the frame.
    """

    object_ids: tuple[int | None, ...]
    probabilities: np.ndarray
    masks: np.ndarray
    frame_size: tuple[int, int]

    def labels(self, size: tuple[int, int] | None = None) -> np.ndarray:
        """Return the object ids of each pixel, uint8 (H, W), 0 for the background.

        The largest probability wins, if it is above 0.5; an object without an id is 1. `size` is (width, height), by
        default the frame's. Raises InputError, a ValueError, for another `size`.
        """
        size = self.frame_size if size is None else arguments.size(size, "size")
        height, width = self.probabilities.shape[1:]
        ids = [1 if object_id is None else object_id for object_id in self.object_ids]
        labels = merge(self.probabilities, ids) if ids else np.zeros((height, width), np.uint8)
        return resized(labels, size)


def without_objects(size: tuple[int, int], frame_size: tuple[int, int]) -> Segmentation:
    """Return the `Segmentation` of a frame without objects.

    `size`, of the network, and `frame_size` are (width, height).
    """
    shape = (0, *Size(*size).shape)
    return Segmentation((), np.zeros(shape, np.float32), np.zeros(shape, bool), frame_size)


class State(NamedTuple):
    """What a predictor knows after a frame, to go on from there; never changed.

    It takes a few kilobytes. With target models, whose arrays states share, an object takes two megabytes, and 0.3
    more in every eighth frame.

    Attributes:
        gammas: {object id: list of float32 (1, 1, 1, C)}.
        masks: {object id: uint8, the packed bits of its mask (h, w) in that frame}.
        size: (w, h) of the masks, the network's; None before the first frame.
        areas: {object id: pixels of its reference mask, of that size}.
        targets: {object id: its target model}, where there are any.
    """

    gammas: dict[int | None, list[np.ndarray]]
    masks: dict[int | None, np.ndarray]
    size: tuple[int, int] | None
    areas: Mapping[int | None, int] = {}
    targets: Mapping[int | None, Target | None] = {}


def masks_of(state: State, size: tuple[int, int]) -> dict[int | None, np.ndarray]:
    """Return {object id: mask, bool (h, w)} of a `State`, for a network whose frames have `size`, (width, height).

    Raises InputError, a ValueError, for what is no state, or for a state of frames that had another size.
    """
    if not isinstance(state, State):
        raise InputError("a state is what Predictor.state() returns; give one of these")
    if state.size not in (None, size):
        sizes = ["x".join(map(str, each)) for each in (state.size, size)]
        raise InputError(f"the state is of frames of {sizes[0]} for the network, this one has {sizes[1]}")
    shape = Size(*size).shape
    return {
        i: np.unpackbits(bits, count=shape[0] * shape[1]).reshape(shape).astype(bool) for i, bits in state.masks.items()
    }
