"""Segment objects through a video, frame by frame, in memory: `from osmn import Predictor`."""

import collections.abc
from typing import NamedTuple

import numpy as np
from PIL import Image

from osmn.config import LONGEST_SIDE
from osmn.errors import InputError
from osmn.inference import arguments
from osmn.inference.load import load_model
from osmn.masks import merge, resized

SIDE_MULTIPLE = 32  # The networks' coarsest features have a 32nd of the image's sides.


class Segmentation(NamedTuple):
    """The objects of one frame.

    Attributes:
        object_ids: in the order in which they were added.
        probabilities: float32 (N, h, w) from 0 to 1, of the network's size.
        masks: bool (N, h, w): where an object is, whatever the others are; refined, if the predictor refines.
        frame_size: (width, height) of the frame.
    """

    object_ids: tuple
    probabilities: np.ndarray
    masks: np.ndarray
    frame_size: tuple

    def labels(self, size=None):
        """Return the object ids of each pixel, uint8 (H, W), 0 for the background.

        The largest probability wins, if it is above 0.5; an object without an id is 1. `size` is (width, height), the
        frame's by default. Raises InputError, a ValueError, if it is none.
        """
        size = self.frame_size if size is None else arguments.size(size, "size")
        height, width = self.probabilities.shape[1:]
        ids = [1 if object_id is None else object_id for object_id in self.object_ids]
        labels = merge(self.probabilities, ids) if ids else np.zeros((height, width), np.uint8)
        return resized(labels, size)


def without_objects(size, frame_size):
    """Return the `Segmentation` of a frame in which nothing is followed; sizes are (width, height)."""
    shape = (0, *size[::-1])
    return Segmentation((), np.zeros(shape, np.float32), np.zeros(shape, bool), frame_size)


class State(NamedTuple):
    """What a predictor knows after a frame, to go on from there: a few kilobytes, and never changed.

    Attributes:
        gammas: {object id: list of (1, 1, 1, C)}.
        masks: {object id: bits of its mask (h, w) in that frame, packed}.
        size: (w, h) of the masks, the network's; None before the first frame.
    """

    gammas: dict
    masks: dict
    size: tuple | None


class Predictor:
    """Follows objects through a video: give their masks where they are known, then take one frame after the other.

    An object is given by its mask in a *reference frame*; the visual guide is made of that once. From then on its mask
    in the last frame guides the network in the next one. Given again, an object is corrected: the new mask and guide
    replace the old ones.

    >>> from osmn import Predictor
    >>> predictor = Predictor.from_checkpoint(model_path)
    >>> frames = iter(video)  # RGB, uint8 (H, W, 3)
    >>> predictor.start(next(frames))
    >>> predictor.add_object(1, first_mask)  # bool (H, W)
    >>> for segmentation in predictor.propagate(frames):
    ...     labels = segmentation.labels()  # uint8 (H, W): 1 on the object, 0 elsewhere
    ...     if lost(labels):
    ...         predictor.add_object(1, repainted(labels))

    It holds one video's state and nothing of the process: several may be used at a time, each by one thread, and share
    an engine. An argument that is not as described raises InputError, a ValueError that says what is wanted, and
    changes nothing.

    Args:
        engine: what runs the network, such as `engines.tensorflow.TensorFlowEngine`.
        im_size: (width, height) that frames are resized to for the network, 1 to 16384 pixels each.
        short_side: without `im_size`, frames are resized to about this, in pixels, both sides multiples of 32, and to
            less where the long side would be above 16384. None: frames are taken as they are.
        refine: (frame uint8 (h, w, 3), mask bool (h, w)) -> mask, of the network's size, applied to every mask before
            it is returned and propagated, such as `crf.refine`; None: no refinement.
    """

    def __init__(self, engine, im_size=None, short_side=None, refine=None):
        self._engine, self._refine = engine, refine
        self.im_size = None if im_size is None else arguments.size(im_size, "im_size")
        self._short_side = None if short_side is None else arguments.pixels(short_side, "short_side")
        self._forget()

    @classmethod
    def from_checkpoint(cls, path, precision=None, im_size=None, given=None, engine=None):
        """Return a predictor of a saved model.

        Args:
            path: a checkpoint's prefix or file, or a folder, of which the newest is taken; or a folder that
                `osmn_export.py` has written for OpenVINO, which needs no TensorFlow.
            precision: "float32", "bfloat16" or "float16"; None: the export's, or as `devices.default_precision` has it.
            im_size: see `Predictor`; None: frames get the short side of those that the model was trained on.
            given: {field: value} of the `ModelConfig` of a model that has none beside it, such as those of the
                published program: `{"base_model": "lite", ...}`.
            engine: "tensorflow" or "openvino"; None: what the model is exported for, TensorFlow for a checkpoint.

        Raises:
            InputError: a ValueError; if there is no such model, if it does not fit, or for an argument that is none of
                these.
        """
        im_size = None if im_size is None else arguments.size(im_size, "im_size")  # Before seconds are spent.
        model = load_model(path, given, precision, engine)
        short_side = min(model.config.im_size) if model.config.im_size else None
        return cls(model.start_engine(), im_size, short_side)

    def _forget(self):
        self._frame, self._size = None, None
        self._gammas = {}  # {object id: list of (1, 1, 1, C)}
        self._masks = {}  # {object id: bool (h, w)} in the last frame
        self._all_gammas = []

    @property
    def follows_weights(self):
        """Whether the network's weights at the time are used, or those that it had when the engine was made."""
        return self._engine.follows_weights

    @property
    def object_ids(self):
        """The ids of the objects that are followed, in the order in which they were added."""
        return tuple(self._masks)

    def start(self, frame):
        """Begin a video, without objects, at its first frame: uint8 (H, W, 3), RGB."""
        size = self._size_for(arguments.frame(frame))
        self._forget()
        self._frame, self._size = frame, size

    def add_object(self, object_id, mask, frame=None):
        """Follow an object from the last frame on, or correct it there; it is in the results from the next frame on.

        Args:
            object_id: a whole number from 1 to 255; None for a video's only object, which is 1 in
                `Segmentation.labels`.
            mask: (h, w), of any size, but of the frame's aspect: the object in the last frame. It is bool, or of the
                integers 0 and 1: of other labels give `labels == object_id`, of probabilities `probabilities > 0.5`. An
                object may be absent: all False.
            frame: uint8 (H, W, 3), RGB: the last frame in better quality, to make the visual guide of.

        Raises:
            InputError: a ValueError; before `start`, or for an argument that is none of these.
        """
        self._check_started()
        object_id = arguments.object_id(object_id)
        others = self._masks.keys() - {object_id}
        if others and (object_id is None or None in others):
            raise InputError("an object without an id is the only one of a video; give each of several an id")
        frame = self._frame if frame is None else arguments.frame(frame)
        mask = arguments.mask(mask, frame.shape[1::-1], self._size)
        self._gammas[object_id] = self._engine.gammas(frame, mask)
        self._masks[object_id] = resized(mask, self._size)
        self._join_gammas()

    def remove_object(self, object_id):
        """Follow an object no more, if it was followed; it may be added again."""
        object_id = arguments.object_id(object_id)
        self._gammas.pop(object_id, None)
        self._masks.pop(object_id, None)
        self._join_gammas()

    def state(self):
        """Return the `State` after the last frame and what was added or removed in it."""
        return State(dict(self._gammas), {i: np.packbits(mask) for i, mask in self._masks.items()}, self._size)

    def resume(self, frame, state):
        """Go on from a `State` as if `frame`, uint8 (H, W, 3), after which it was taken, were the last one.

        Raises InputError, a ValueError, for what is no state, or one of frames that had another size for the network.
        """
        if not isinstance(state, State):
            raise InputError("a state is what Predictor.state() returns; give one of these")
        size = self._size_for(arguments.frame(frame))
        if state.size not in (None, size):
            sizes = ["x".join(map(str, each)) for each in (state.size, size)]
            raise InputError(f"the state is of frames of {sizes[0]} for the network, this one has {sizes[1]}")
        self.start(frame)
        width, height = self._size
        self._gammas = dict(state.gammas)
        self._masks = {
            i: np.unpackbits(bits, count=height * width).reshape(height, width).astype(bool)
            for i, bits in state.masks.items()
        }
        self._join_gammas()

    def step(self, frame, small=None):
        """Take the next frame, uint8 (H, W, 3), RGB, of the first one's size; return its `Segmentation`.

        `small` is what `at_network_size` has made of it, if somebody has, such as another thread. Raises InputError, a
        ValueError, before `start`, or for another frame.
        """
        self._check_started()
        self._frame = arguments.frame(frame, like=self._frame)
        small = _resized(frame, self._size) if small is None else arguments.frame(small)
        size = frame.shape[1::-1]
        if not self._masks:
            return without_objects(self._size, size)
        masks = np.stack(list(self._masks.values()))
        probabilities, masks = self._engine.segment(small, masks, self._all_gammas)
        if self._refine is not None:
            masks = np.stack([self._refine(small, mask) for mask in masks])
        self._masks = dict(zip(self._masks, masks, strict=True))
        return Segmentation(self.object_ids, probabilities, masks, size)

    def propagate(self, frames):
        """Yield the `Segmentation` of each of `frames`, an iterable, as they come; see `step`."""
        if not isinstance(frames, collections.abc.Iterable):
            raise InputError("frames are given one after the other, such as in a list; see `step` for a single one")
        for frame in frames:
            yield self.step(frame)

    def _check_started(self):
        if self._frame is None:
            raise InputError("start(frame) comes first")

    def _join_gammas(self):
        self._all_gammas = [np.concatenate(layer) for layer in zip(*self._gammas.values(), strict=True)]

    def at_network_size(self, frame):
        """Return a frame, uint8 (H, W, 3), at the size that frames have for the network in a video of its size."""
        return _resized(arguments.frame(frame), self._size_for(frame))

    def _size_for(self, frame):
        return self.im_size or network_size(frame.shape[1::-1], self._short_side)


def _resized(frame, size):
    if frame.shape[1::-1] == size:
        return frame
    return np.asarray(Image.fromarray(frame).resize(size, Image.Resampling.BILINEAR))


def network_size(frame_size, short_side):
    """Return (width, height) for the network: about `short_side`, multiples of 32; the frame's size for None.

    No side is above `LONGEST_SIDE`: what is so long gets a shorter side that is less.
    """
    if short_side is None and max(frame_size) <= LONGEST_SIDE:
        return tuple(frame_size)
    scale = min((short_side or LONGEST_SIDE) / min(frame_size), LONGEST_SIDE / max(frame_size))
    return tuple(max(SIDE_MULTIPLE, SIDE_MULTIPLE * round(side * scale / SIDE_MULTIPLE)) for side in frame_size)
