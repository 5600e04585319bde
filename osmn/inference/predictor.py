"""Segment objects through a video, frame by frame, in memory: `from osmn import Predictor`."""

from __future__ import annotations

import collections.abc
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import numpy as np

from osmn.errors import InputError
from osmn.inference import arguments, pointing, target
from osmn.inference.boundaries import refiner
from osmn.inference.frames import network_size, resized_frame
from osmn.inference.load import SHIPPED_CLICKS, load_click_engine, load_model
from osmn.inference.search import with_found
from osmn.inference.segmentation import Segmentation, State, masks_of, without_objects
from osmn.inference.window import segment_in_windows
from osmn.masks import Size, resized
from osmn.models.engines import AUTO, ClickEngine, Engine
from osmn.models.interface import check_size, usable


class Predictor:
    """Follows objects through a video: give their masks where they are known, then take one frame after the other.

    An object is given by its mask in a *reference frame*, of which the visual guide is made once. From then on the mask
    in the last frame guides the network in the next frame. An object that is given again is corrected: the new mask and
    guide replace the old mask and guide.

    >>> from osmn import Predictor
    >>> predictor = Predictor.from_checkpoint(model_path)
    >>> frames = iter(video)  # RGB, uint8 (H, W, 3)
    >>> predictor.start(next(frames))
    >>> predictor.add_object(1, first_mask)  # bool (H, W)
    >>> for segmentation in predictor.propagate(frames):
    ...     labels = segmentation.labels()  # uint8 (H, W): 1 on the object, 0 elsewhere
    ...     if lost(labels):
    ...         predictor.add_object(1, repainted(labels))

    A predictor holds the state of a video and nothing of the process: several predictors may be used at a time, each by
    a thread of its own, and share an engine. An argument that is not as described raises InputError, a ValueError that
    says what is wanted, and changes nothing.

    Args:
        engine: what runs the network, such as `engines.tensorflow.TensorFlowEngine`.
        im_size: (width, height) that frames are resized to for the network, 1 to 16384 pixels each.
        short_side: without `im_size`, the short side that frames are resized to, in pixels; they keep their shape. It
            is less where the long side would be above 16384. None: frames are taken as they are.
        refine: (frame uint8 (h, w, 3), mask bool (h, w)) -> mask, of the network's size, applied to every mask before
            it is returned and propagated, such as `crf.refine`; None: no refinement.
        search: where an object's mask has died, look for the object in the whole frame; see `inference.search`.
        window: the network sees windows around the objects, which takes less time, and the whole frame where an object
            is lost; see `inference.window`.
        target_model: each object has a target model, which the engine's `appearance` serves; see `inference.target`.
            With `window` it sees windows too.
        boundaries: (frame uint8 (h, w, 3), probabilities float32 (N, h, w)) -> probabilities of the objects, applied
            before `refine`; see `inference.boundaries`. None: nothing is applied.
    """

    def __init__(
        self,
        engine: Engine,
        im_size: tuple[int, int] | None = None,
        short_side: int | None = None,
        refine: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None,
        search: bool = False,
        window: bool = False,
        target_model: bool = False,
        boundaries: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None,
    ) -> None:
        self._engine, self._refine, self._search, self._window = engine, refine, search, window
        self._target_model, self._boundaries = target_model, boundaries
        self.im_size = None if im_size is None else arguments.size(im_size, "im_size")
        self.short_side = None if short_side is None else arguments.pixels(short_side, "short_side")
        self.click_model: Path | str = SHIPPED_CLICKS
        self._click_engine: ClickEngine | None = None
        self._forget()

    @classmethod
    def from_checkpoint(
        cls,
        path: Path | str,
        precision: str | None = None,
        im_size: tuple[int, int] | None = None,
        given: Mapping[str, Any] | None = None,
        engine: str | None = None,
        search: bool = False,
        window: bool = True,
        target_model: bool = True,
        boundaries: bool = False,
    ) -> Predictor:
        """Return a predictor of a saved model.

        Args:
            path: a checkpoint's prefix or file, or a folder, whose newest checkpoint is taken; or a folder that
                `osmn_export.py` has written for OpenVINO, which needs no TensorFlow.
            precision: "float32", "bfloat16", "float16" or "int8"; None: that of the export, or what is fast here.
            im_size: see `Predictor`; None: the size that the model was exported for alone, or the short side of the
                frames that it was trained on.
            given: {field: value} of the `ModelConfig`, for a model without a configuration beside it, such as the
                models of the published program: `{"base_model": "lite", ...}`.
            engine: "tensorflow" or "openvino"; None or "auto": what is fastest here, which is logged.
            search: see `Predictor`.
            window: see `Predictor`; there are no windows for a model with a single size of images.
            target_model: see `Predictor`; there is none for a model without a visual modulator, or whose export has no
                graph of the appearance.
            boundaries: the shipped boundary net moves masks' boundaries to the image's, which needs OpenVINO.

        Raises:
            InputError: a ValueError; if there is no such model, if it does not fit, or if an argument is not as
                described.
        """
        im_size = None if im_size is None else arguments.size(im_size, "im_size")  # Before seconds are spent.
        model = load_model(path, given, precision, engine or AUTO)
        short_side = min(model.config.im_size) if model.config.im_size else None
        im_size = im_size or model.only_size
        check_size(model, im_size or (0, 0))
        can = usable(model, window=window, target_model=target_model)
        move = refiner() if boundaries else None
        return cls(model.start_engine(), im_size, short_side, None, search, can["window"], can["target_model"], move)

    def _forget(self) -> None:
        self._frame: np.ndarray | None = None  # The last frame.
        self._size: tuple[int, int] | None = None  # Of frames for the network.
        self._gammas: dict[int | None, list[np.ndarray]] = {}  # {object id: list of (1, 1, 1, C)}
        self._areas: dict[int | None, int] = {}  # {object id: pixels of its reference mask (h, w)}
        self._masks: dict[int | None, np.ndarray] = {}  # {object id: bool (h, w)} in the last frame
        self._all_gammas: list[np.ndarray] = []
        self._targets: dict[int | None, target.Target | Future[target.Target | None] | None] = {}

    @property
    def follows_weights(self) -> bool:
        """True: the network's present weights are used; False: its weights when the engine was made."""
        return self._engine.follows_weights

    @property
    def object_ids(self) -> tuple[int | None, ...]:
        """The ids of the objects that are followed, in the order in which they were added."""
        return tuple(self._masks)

    def start(self, frame: np.ndarray) -> None:
        """Begin a video, without objects, at its first frame: uint8 (H, W, 3), RGB."""
        size = self._size_for(arguments.frame(frame))
        self._forget()
        self._frame, self._size = frame.copy(), size

    def add_object(self, object_id: int | None, mask: np.ndarray, frame: np.ndarray | None = None) -> None:
        """Follow an object from the last frame on, or correct it there; results have it from the next frame on.

        Args:
            object_id: a whole number from 1 to 255; None for a video's only object, which is 1 in
                `Segmentation.labels`.
            mask: (h, w): the object in the last frame, of the frame's aspect ratio, and no coarser than the frames that
                the network sees. It is bool, or of the integers 0 and 1: of other labels give `labels == object_id`, of
                probabilities `probabilities > 0.5`. An object that is followed may be absent: all False.
            frame: uint8 (H, W, 3), RGB: the last frame in better quality, to make the visual guide of.

        Raises:
            InputError: a ValueError; before `start`, or if an argument is not as described.
        """
        last, size = self._started()
        given = last if frame is None else arguments.frame(frame)
        checked = arguments.mask(mask, Size.of(given), size)
        arguments.fine_enough(checked, Size.of(given), size)
        if arguments.object_id(object_id) not in self._masks and not checked.any():
            raise InputError(f"the mask of object {object_id} is empty; a new object must be seen in the frame")
        self.follow(object_id, checked, frame)

    def add_box(self, object_id: int | None, box: Sequence[int]) -> np.ndarray:
        """Follow the object in a box in the last frame; return its mask there, bool (H, W), to be looked at.

        `box` is (x, y, width, height) in pixels. Raises InputError, a ValueError, as `add_object` does, and where
        nothing is found.
        """
        return self._add_pointed(object_id, (), arguments.box(box))

    def add_clicks(self, object_id: int | None, clicks: Iterable[Sequence[float]]) -> np.ndarray:
        """Follow the object that is clicked on in the last frame, or correct its mask there; return the mask.

        Each click is (x, y) in pixels on the object, or (x, y, False) beside it. An object that is followed, or that
        was found in a box in this frame, has a mask, which the clicks correct. Raises InputError, a ValueError, as
        `add_box` does.
        """
        return self._add_pointed(object_id, pointing.as_clicks(clicks), None)

    def _add_pointed(
        self, object_id: int | None, clicks: Sequence[pointing.Click], box: Sequence[int] | None
    ) -> np.ndarray:
        frame, _ = self._started()
        if self._click_engine is None:
            self._click_engine = load_click_engine(self.click_model)
        so_far = self._masks.get(arguments.object_id(object_id)) if box is None else None
        so_far = None if so_far is None else resized(so_far, Size.of(frame))
        mask = pointing.find(self._click_engine, frame, clicks, box, so_far)
        if not mask.any():
            raise InputError("nothing is found there; click on the object, or draw a mask instead")
        self.add_object(object_id, mask)
        return mask

    def follow(self, object_id: int | None, mask: np.ndarray, frame: np.ndarray | None = None) -> None:
        """Follow an object as `add_object` does, for datasets: the mask may be of any size, and empty.

        Arguments and errors are else those of `add_object`.
        """
        last, size = self._started()
        object_id = arguments.object_id(object_id)
        others = self._masks.keys() - {object_id}
        if others and (object_id is None or None in others):
            raise InputError("an object without an id is the only one of a video; give each of several an id")
        frame = last if frame is None else arguments.frame(frame)
        mask = arguments.mask(mask, Size.of(frame), size)
        self._gammas[object_id] = self._engine.gammas(frame, mask)
        self._masks[object_id] = resized(mask, size)
        self._areas[object_id] = int(self._masks[object_id].sum())
        if self._target_model:
            features = target.features_of(self._engine, resized_frame(frame, size))
            self._targets[object_id] = target.begin_fit(features, mask)
        self._join_gammas()

    def remove_object(self, object_id: int | None) -> None:
        """Stop following an object, if it is followed; it may be added again."""
        object_id = arguments.object_id(object_id)
        for each in (self._gammas, self._masks, self._areas, self._targets):
            each.pop(object_id, None)
        self._join_gammas()

    def state(self) -> State:
        """Return the `State` after the last frame, with the objects that were added or removed in it."""
        masks = {i: np.packbits(mask) for i, mask in self._masks.items()}
        return State(_copies(self._gammas), masks, self._size, dict(self._areas), self._fitted_targets())

    def resume(self, frame: np.ndarray, state: State) -> None:
        """Go on from a `State` as if the last frame were `frame`, uint8 (H, W, 3), after which the state was taken.

        Raises InputError, a ValueError, for what is no state, or for a state of frames that had another size for the
        network.
        """
        masks = masks_of(state, self._size_for(arguments.frame(frame)))
        self.start(frame)
        self._gammas, self._areas, self._targets = _copies(state.gammas), dict(state.areas), {**state.targets}
        self._masks = masks
        self._join_gammas()

    def step(self, frame: np.ndarray, small: np.ndarray | None = None) -> Segmentation:
        """Take the next frame, uint8 (H, W, 3), RGB, of the size of the first frame; return its `Segmentation`.

        `small` is the result of `at_network_size` for the frame, where another thread has already made it; the frame
        must then stay as it is until the next step. Raises InputError, a ValueError, before `start`, or for a frame of
        another size or kind.
        """
        last, small_size = self._started()
        frame = arguments.frame(frame, like=last)
        self._frame = frame.copy() if small is None else frame  # The caller may use the array again.
        small = resized_frame(frame, small_size) if small is None else arguments.frame(small)
        size = Size.of(frame)
        if not self._masks:
            return without_objects(small_size, size)
        before = masks = np.stack(list(self._masks.values()))
        areas = [self._areas[i] for i in self._masks]
        if self._window:
            probabilities, masks = segment_in_windows(self._engine, small, masks, self._all_gammas, areas)
        else:
            probabilities, masks = self._engine.segment(small, masks, self._all_gammas)
        features = None
        if self._target_model:
            box = target.seen(before, masks, areas) if self._window else None
            features = target.features_of(self._engine, small, box)
            targets = self._fitted_targets()
            known = [(targets.get(i), self._gammas[i], self._areas[i]) for i in self._masks]
            probabilities, masks = target.with_scores(self._engine, small, features, (probabilities, masks), known)
        if self._search:
            objects = [(self._gammas[i], self._areas[i]) for i in self._masks]
            probabilities, masks = with_found(self._engine, frame, small, (probabilities, masks), objects)
        if self._boundaries is not None:
            probabilities = self._boundaries(small, probabilities)
            masks = probabilities > 0.5
        if self._refine is not None:
            masks = np.stack([self._refine(small, mask) for mask in masks])
        self._masks = dict(zip(self._masks, masks, strict=True))
        if features is not None:
            self._targets = {
                i: known and target.followed(known, features, self._masks[i], self._areas[i])
                for i, known in targets.items()
            }
        return Segmentation(self.object_ids, probabilities, masks.copy(), size)

    def propagate(self, frames: Iterable[np.ndarray]) -> Iterator[Segmentation]:
        """Return an iterator of the `Segmentation` of each of `frames`, an iterable, frame by frame; see `step`.

        Raises InputError, a ValueError, if no object is followed: there is nothing to segment.
        """
        if not isinstance(frames, collections.abc.Iterable):
            raise InputError("frames are given one after the other, such as in a list; see `step` for a single one")
        self._started()
        if not self._masks:
            raise InputError("no object is followed; add_object(object_id, mask) comes first")
        return map(self.step, frames)

    def propagate_both_ways(
        self, frames: Sequence[np.ndarray], number: int, objects: Mapping[int | None, np.ndarray]
    ) -> Iterator[tuple[int, Segmentation]]:
        """Follow objects that are given in the middle of a list of frames to its end, and then to its beginning.

        Args:
            frames: uint8 (H, W, 3), RGB, in order.
            number: of the frame in which the objects are given, from 0.
            objects: {object id: mask}, as `add_object` takes them.

        Yields:
            A frame's number and its `Segmentation`: of the frames after `number`, then of those before, last first.

        Raises:
            InputError: a ValueError, if there is no such frame, or as `add_object` and `step`.
        """
        number = arguments.whole(number, "number")
        arguments.frame_list(frames)
        if not 0 <= number < len(frames):
            raise InputError(f"there is no frame {number} among {len(frames)} frames")
        for order in (range(number + 1, len(frames)), range(number - 1, -1, -1)):
            self.start(frames[number])
            for object_id, mask in objects.items():
                self.add_object(object_id, mask)
            for other in order:
                yield other, self.step(frames[other])

    def _started(self) -> tuple[np.ndarray, tuple[int, int]]:
        """Return the last frame and the size of frames for the network; InputError before `start`."""
        if self._frame is None or self._size is None:
            raise InputError("start(frame) comes first")
        return self._frame, self._size

    def _fitted_targets(self) -> dict[int | None, target.Target | None]:
        return {i: each.result() if isinstance(each, Future) else each for i, each in self._targets.items()}

    def _join_gammas(self) -> None:
        self._all_gammas = [np.concatenate(layer) for layer in zip(*self._gammas.values(), strict=True)]

    def at_network_size(self, frame: np.ndarray) -> np.ndarray:
        """Return a frame, uint8 (H, W, 3), resized to the network's size, uint8 (h, w, 3), as `step` does it."""
        return resized_frame(arguments.frame(frame), self._size_for(frame))

    def _size_for(self, frame: np.ndarray) -> tuple[int, int]:
        return self.im_size or network_size(Size.of(frame), self.short_side)


def _copies(gammas: Mapping[int | None, list[np.ndarray]]) -> dict[int | None, list[np.ndarray]]:
    return {object_id: [layer.copy() for layer in layers] for object_id, layers in gammas.items()}
