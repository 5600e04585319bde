"""Segment objects through a video, frame by frame, in memory: `from osmn import Predictor`."""

from typing import NamedTuple

import numpy as np
from PIL import Image

from osmn import loading
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

        The largest probability wins, if it is above 0.5. `size` is (width, height), the frame's by default.
        """
        height, width = self.probabilities.shape[1:]
        labels = merge(self.probabilities, self.object_ids) if self.object_ids else np.zeros((height, width), np.uint8)
        return resized(labels, size or self.frame_size)


def without_objects(size, frame_size):
    """Return the `Segmentation` of a frame in which nothing is followed; sizes are (width, height)."""
    shape = (0, *size[::-1])
    return Segmentation((), np.zeros(shape, np.float32), np.zeros(shape, bool), frame_size)


class State(NamedTuple):
    """What a predictor knows after a frame, to go on from there: a few kilobytes, and never changed.

    Attributes:
        gammas: {object id: list of (1, 1, 1, C)}.
        masks: {object id: bits of its mask (h, w) in that frame, packed}.
    """

    gammas: dict
    masks: dict


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
    an engine.

    Args:
        engine: what runs the network, such as `engines.tensorflow.TensorFlowEngine`.
        im_size: (width, height) that frames are resized to for the network.
        short_side: without `im_size`, frames are resized to about this, in pixels, both sides multiples of 32. None:
            frames are taken as they are.
        refine: (frame uint8 (h, w, 3), mask bool (h, w)) -> mask, of the network's size, applied to every mask before
            it is returned and propagated, such as `crf.refine`; None: no refinement.
    """

    def __init__(self, engine, im_size=None, short_side=None, refine=None):
        self._engine, self.im_size, self._short_side, self._refine = engine, im_size, short_side, refine
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
            InputError: if there is no such model, or if it does not fit.
        """
        model = loading.load(path, given, precision, engine)
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
        self._forget()
        self._take(frame)

    def add_object(self, object_id, mask, frame=None):
        """Follow an object from the last frame on, or correct it there; it is in the results from the next frame on.

        Args:
            object_id: any id; an integer from 1 to 255 for `Segmentation.labels`.
            mask: bool (h, w), of any size: the object in the last frame. An object may be absent: all False.
            frame: uint8 (H, W, 3), RGB: the last frame in better quality, to make the visual guide of.
        """
        if self._frame is None:
            raise ValueError("start(frame) comes first")
        mask = np.asarray(mask)
        if mask.ndim != 2 or not mask.size:
            raise ValueError(f"a mask is (height, width), not {mask.shape}")
        mask = mask.astype(bool)
        self._gammas[object_id] = self._engine.gammas(self._frame if frame is None else checked(frame), mask)
        self._masks[object_id] = resized(mask, self._size)
        self._join_gammas()

    def remove_object(self, object_id):
        """Follow an object no more, if it was followed; it may be added again."""
        self._gammas.pop(object_id, None)
        self._masks.pop(object_id, None)
        self._join_gammas()

    def state(self):
        """Return the `State` after the last frame and what was added or removed in it."""
        return State(dict(self._gammas), {i: np.packbits(mask) for i, mask in self._masks.items()})

    def resume(self, frame, state):
        """Go on from a `State` as if `frame`, uint8 (H, W, 3), after which it was taken, were the last one."""
        self.start(frame)
        width, height = self._size
        self._gammas = dict(state.gammas)
        self._masks = {
            i: np.unpackbits(bits, count=height * width).reshape(height, width).astype(bool)
            for i, bits in state.masks.items()
        }
        self._join_gammas()

    def step(self, frame, small=None):
        """Take the next frame, uint8 (H, W, 3), RGB; return its `Segmentation`.

        `small` is what `at_network_size` has made of it, if somebody has, such as another thread.
        """
        small = self._take(frame, small)
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
        """Yield the `Segmentation` of each of `frames`, an iterable, as they come."""
        for frame in frames:
            yield self.step(frame)

    def _join_gammas(self):
        self._all_gammas = [np.concatenate(layer) for layer in zip(*self._gammas.values(), strict=True)]

    def at_network_size(self, frame):
        """Return a frame, uint8 (H, W, 3), at the size that frames have for the network in a video of its size."""
        return _resized(frame, self._size_for(frame))

    def _size_for(self, frame):
        return tuple(self.im_size or network_size(frame.shape[1::-1], self._short_side))

    def _take(self, frame, small=None):
        """Keep the last frame as it is; return it at the network's size."""
        self._frame = checked(frame)
        if self._size is None:
            self._size = self._size_for(frame)
        return _resized(frame if small is None else small, self._size)


def _resized(frame, size):
    if frame.shape[1::-1] == size:
        return frame
    return np.asarray(Image.fromarray(frame).resize(size, Image.Resampling.BILINEAR))


def checked(frame):
    """Return a frame if it is one; ValueError if not."""
    if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3 or not frame.size:
        raise ValueError(f"a frame is uint8 (height, width, 3), not {frame.dtype} {frame.shape}")
    return frame


def network_size(frame_size, short_side):
    """Return (width, height) for the network: about `short_side`, multiples of 32; the frame's size for None."""
    if short_side is None:
        return tuple(frame_size)
    scale = short_side / min(frame_size)
    return tuple(max(SIDE_MULTIPLE, SIDE_MULTIPLE * round(side * scale / SIDE_MULTIPLE)) for side in frame_size)
