"""Objects in pictures that come by themselves, as a camera's do: the newest one is segmented, others are left out."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from osmn.errors import InputError
from osmn.inference import arguments
from osmn.inference.predictor import Predictor
from osmn.inference.stills import LiveResult, Objects, Shot, Still, add, catch_up, numbered
from osmn.masks import Size, with_objects

MOST_STILLS = 4  # That are looked at at a time: two windows of a page, and as many again.


class _Given(NamedTuple):
    """Objects in the frame of `result`, or in the last one for None; `still` has the frames since then."""

    objects: Objects
    result: LiveResult | None
    still: Still | None


class LiveTracker:
    """Follows objects in frames that come by themselves: one frame waits for the network, one result for its user.

    `submit` returns at once. While the network is busy, a newer frame takes the place of the one that waits: results
    are late by what the network takes, and not by more, however fast the frames come. Results are had by iterating, the
    newest each time, or by a callback. Objects may be given and corrected at any time.

    >>> from osmn import LiveTracker, Predictor
    >>> with LiveTracker(Predictor.from_checkpoint("models/osmn_lite"), on_result=show) as live:
    ...     for frame in camera:  # RGB, uint8 (H, W, 3)
    ...         live.submit(frame)
    ...         if not live.object_ids:
    ...             live.add_object(1, first_mask)  # bool (H, W)

    A thread of its own runs the predictor, which nobody else may use meanwhile. An error there is raised by the next
    call. Close the tracker, or use it in a `with` block: the frame that waits is still segmented.

    Args:
        predictor: a `Predictor`; its frames are forgotten.
        on_result: called with each `LiveResult`, on the tracker's thread: what takes long there costs frames.
        warm_up: how many objects the network is prepared for, before the first frame is segmented.
    """

    def __init__(
        self, predictor: Predictor, on_result: Callable[[LiveResult], object] | None = None, warm_up: int = 1
    ) -> None:
        self._predictor, self._on_result, self._warm_up = predictor, on_result, warm_up
        self._changed = threading.Condition()
        self._waiting: Shot | None = None
        self._opening: Shot | None = None  # The first frame, where it comes with objects: it is not left out.
        self._given: list[_Given] = []
        self._stills: dict[int, Still] = {}  # {serial of a result: what came after it}
        self._like: np.ndarray | None = None  # The first frame.
        self._last: Shot | None = None  # The frame that was segmented last.
        self._newest: LiveResult | None = None
        self._network_size: Size | None = None
        self._submitted = self._dropped = 0
        self._ready = 0.0  # When the network was prepared.
        self._closed = self._over = False
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="live network", daemon=True)
        self._thread.start()

    # -- What its user calls ------------------------------------------------------------------------------------------

    def submit(
        self, frame: np.ndarray, tag: Any = None, objects: Objects | None = None, came: float | None = None
    ) -> None:
        """Have a frame, uint8 (H, W, 3), RGB, segmented next, in place of one that waits; return at once.

        Args:
            frame: of the size of the first one.
            tag: comes back in its `LiveResult`.
            objects: as in `give`, for the first frame alone: the objects in it, which its result has as they are given.
            came: when the frame came, in seconds of `time.monotonic`; None: now.

        Raises:
            InputError: a ValueError; for what is no such frame, and after `close`.
        """
        came = time.monotonic() if came is None else came
        self._check()
        frame = arguments.frame(frame, like=self._like).copy()  # The caller may use the array again.
        small = self._predictor.at_network_size(frame)  # On this thread, while the network is busy with another frame.
        if objects is not None and self._like is not None:
            raise InputError("objects go with the first frame; give(objects) takes those that come later")
        checked = None if objects is None else _checked(objects, Size.of(frame), Size.of(small))
        with self._changed:
            if self._closed:
                raise InputError("this tracker is closed; begin another one")
            if self._like is None:
                self._like, self._network_size = frame, Size.of(small)
            shot = Shot(self._submitted, frame, small, came, tag)
            self._submitted += 1
            if checked:
                self._given.append(_Given(checked, None, None))
                self._opening = shot
            else:
                # What comes while the network is being prepared could not be taken, and is not missed.
                self._dropped += self._waiting is not None and self._newest is not None
                self._waiting = shot
            self._changed.notify_all()

    def add_object(self, object_id: int | None, mask: np.ndarray, result: LiveResult | None = None) -> None:
        """Follow an object, or correct it; see `give`."""
        self.give({object_id: mask}, result)

    def remove_object(self, object_id: int | None) -> None:
        """Stop following an object; it may be added again."""
        self.give({object_id: np.zeros(self._first_frame().shape[:2], bool)})

    def give(self, objects: Objects, result: LiveResult | None = None) -> None:
        """Give objects, new ones or corrected ones, from now on; return at once.

        Args:
            objects: {object id: mask}, as `Predictor.add_object` takes them; an empty mask ends an object.
            result: whose frame the masks are of; None: of the frame that was segmented last. Where frames have come
                since then, and `hold` has kept them, the objects are followed through them to the present.

        Raises:
            InputError: a ValueError; before `submit`, or if an argument is not as described.
        """
        self._check()
        size = Size.of(self._first_frame())
        checked = _checked(objects, size, self._network_size or size)
        with self._changed:
            still = None if result is None else self._stills.get(result.serial)
            self._given.append(_Given(checked, result, still))
            self._changed.notify_all()

    def hold(self) -> LiveResult | None:
        """Return the newest result, to point at objects in it, and keep some of the frames that come from then on.

        None before the first result. `release` forgets these frames; of several results that are held, the newest
        `MOST_STILLS` have them.
        """
        with self._changed:
            if self._newest is not None:
                self._stills.setdefault(self._newest.serial, Still())
                for old in list(self._stills)[:-MOST_STILLS]:
                    del self._stills[old]
            return self._newest

    def release(self, result: LiveResult) -> None:
        """Forget the frames that `hold` has kept for a result."""
        with self._changed:
            self._stills.pop(result.serial, None)

    @property
    def object_ids(self) -> tuple[int | None, ...]:
        """The ids of the objects that are followed, with those that are given and come with the next result."""
        with self._changed:
            found = dict.fromkeys(self._newest.object_ids if self._newest is not None else (), True)
            for given in self._given:
                found |= {object_id: bool(mask.any()) for object_id, mask in given.objects.items()}
            return tuple(object_id for object_id, there in found.items() if there)

    @property
    def dropped(self) -> int:
        """How many frames have been left out until now, because a newer one came."""
        return self._dropped

    def newest(self, after: int = 0, timeout: float | None = None) -> LiveResult | None:
        """Return the newest result; wait until there is one whose `serial` is above `after`.

        None after `timeout` seconds, and where the tracker is closed and has no further result.
        """
        with self._changed:
            self._changed.wait_for(
                lambda: (self._newest is not None and self._newest.serial > after) or self._over,
                timeout,
            )
            newest = self._newest
        if newest is not None and newest.serial > after:
            return newest
        self._check()
        return None

    def __iter__(self) -> Iterator[LiveResult]:
        """Yield the newest result each time one is asked for, none twice, until the tracker is closed."""
        serial = 0
        while (result := self.newest(serial)) is not None:
            serial = result.serial
            yield result

    def __enter__(self) -> LiveTracker:
        return self

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        self._end()
        if error is None:
            self._check()

    def close(self) -> None:
        """End it, after the frame that waits; the error of its thread, if there was one, is raised."""
        self._end()
        self._check()

    def _end(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._thread.join()

    def _first_frame(self) -> np.ndarray:
        if self._like is None:
            raise InputError("submit(frame) comes first")
        return self._like

    def _check(self) -> None:
        if self._error is not None:
            raise self._error

    # -- Its thread ---------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            shot = self._first()
            while shot is not None:
                self._segment(shot)
                shot = self._next()
        except BaseException as error:  # It is raised where somebody sees it.
            self._error = error
        finally:
            with self._changed:
                self._closed = self._over = True
                self._changed.notify_all()

    def _first(self) -> Shot | None:
        """Wait for a frame, prepare the network with it, and return it if it has objects, else the newest by then."""
        shot = self._taken()
        if shot is None:
            return None
        predictor, size = self._predictor, Size.of(shot.frame)
        mask = np.zeros(size.shape, bool)
        mask[size.height // 4 : -(size.height // 4) or None, size.width // 4 : -(size.width // 4) or None] = True
        predictor.start(shot.frame)
        for number in range(self._warm_up):
            predictor.add_object(number + 1, mask)
        for _ in range(2):  # Some engines compile anew for what the first step has made.
            predictor.step(shot.frame, shot.small)
        self._ready = time.monotonic()
        with self._changed:
            if self._given or self._waiting is None:
                return shot
            newer, self._waiting = self._waiting, None
        return newer

    def _next(self) -> Shot | None:
        """Return the frame to segment next, None for none any more; take up what is given while none is there."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closed or self._waiting is not None or bool(self._given))
                given, self._given = self._given, []
                waits = self._waiting is not None
                if self._closed and not waits and not given:
                    return None
            if given:
                self._take_up(given)
            elif waits:
                return self._taken()

    def _taken(self) -> Shot | None:
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._opening is not None or self._waiting is not None)
            shot, self._opening = self._opening, None
            if shot is None:
                shot, self._waiting = self._waiting, None
            return shot

    def _segment(self, shot: Shot) -> None:
        """Segment a frame and publish the result; in the first frame, the objects that are given by then."""
        if self._last is None:
            self._predictor.start(shot.frame)
            with self._changed:
                given, self._given = self._given, []
            labels = np.zeros(shot.frame.shape[:2], np.uint8)
            for each in given:
                add(self._predictor, each.objects)
                labels = with_objects(labels, numbered(each.objects))
        else:
            labels = self._predictor.step(shot.frame, shot.small).labels()
        self._last = shot
        self._publish(shot, labels, new=True)

    def _take_up(self, given: list[_Given]) -> None:
        """Follow or correct objects from the last frame on, and show those that are given in just this frame."""
        shot, newest = self._last, self._newest
        assert shot is not None and newest is not None
        labels = newest.labels
        for objects, result, still in given:
            if result is None or result.number == shot.number:
                add(self._predictor, objects)
                labels = with_objects(labels, numbered(objects))
                continue
            if still is None or not still.kept:
                add(self._predictor, objects, result.frame)
            else:
                catch_up(self._predictor, objects, result.frame, still.kept, shot)
            gone = [i for i, mask in numbered(objects).items() if not mask.any()]
            labels = np.where(np.isin(labels, gone), np.uint8(0), labels)
        self._publish(shot, labels, new=False)

    def _publish(self, shot: Shot, labels: np.ndarray, new: bool) -> None:
        with self._changed:
            serial = 1 if self._newest is None else self._newest.serial + 1
            took = time.monotonic() - max(shot.submitted, self._ready)
            result = LiveResult(
                serial,
                shot.number,
                shot.frame,
                labels,
                self._predictor.object_ids,
                shot.submitted,
                took,
                self._dropped,
                shot.tag,
            )
            self._newest = result
            for still in self._stills.values() if new else ():
                still.add(shot)
            self._changed.notify_all()
        if self._on_result is not None:
            self._on_result(result)


def _checked(objects: Objects, size: Size, network_size: Size) -> Objects:
    """Return objects with ids and masks that are checked, for frames of `size`."""
    found = {arguments.object_id(i): arguments.mask(mask, size) for i, mask in objects.items()}
    for mask in found.values():
        arguments.fine_enough(mask, size, network_size)
    return found
