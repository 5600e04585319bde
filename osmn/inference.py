"""Propagation: from an object's mask in its first frame to its masks in the rest of the video."""

import collections
import concurrent.futures
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from tqdm import tqdm

from osmn import crf, devices, evaluation, files, networks, samples
from osmn.args import sample_options


class FirstView(NamedTuple):
    """The frame where an object is shown to us: frame uint8 (H, W, 3) and mask bool (h, w), each of any size."""

    frame: np.ndarray
    mask: np.ndarray


class Segmentation(NamedTuple):
    """One frame's objects: ids, probabilities float32 (N, H, W) in [0, 1] and masks bool (N, H, W)."""

    object_ids: tuple
    probabilities: np.ndarray
    masks: np.ndarray


def for_inference(network, precision):
    """Return a network with `network`'s weights, stored and computed in `precision` (a name of `args.PRECISIONS`)."""
    if network.dtype_policy.name == precision:
        return network
    copy = networks.build(network.options, dtype=precision)
    copy_weights(network, copy)
    return copy


def copy_weights(network, copy):
    """Give `copy`, from `for_inference`, the weights that `network` has now."""
    if copy is not network:
        targets = copy.tf1_variables()
        for name, variable in network.tf1_variables().items():
            targets[name].assign(np.asarray(variable, np.float32))


FRAME = tf.TensorSpec([None, None, 3], tf.uint8)


class Propagator:
    """Carries the masks of all objects of a sequence from frame to frame, in memory.

    Args:
      network: an `Osmn`, as from `for_inference`.
      options: the `SampleOptions` of its inputs.
      refine: a function (frame uint8 (H, W, 3), mask bool (H, W)) -> mask, applied to every mask before it is returned
        and propagated, such as `osmn.crf.refine`.
      execution: the `Execution` of the network; by default the one for the visible devices.
    """

    def __init__(self, network, options, refine=None, execution=None):
        self._network = network
        self._options = options
        self._refine = refine
        self._execution = execution or devices.choose_execution()
        self._traced = None  # `_step`, once the multipliers' shapes are known.

    # Each function is traced once, for any size and number of objects: a graph for one size rounds differently, and the
    # results of a video must not depend on the videos before it.
    @tf.function(input_signature=[tf.TensorSpec([None, samples.GUIDE_SIDE, samples.GUIDE_SIDE, 3])])
    def _multipliers(self, guides):
        return self._network.gammas(guides, execution=self._execution)

    @tf.function(input_signature=[FRAME, tf.TensorSpec([None, None], tf.bool)])
    def _guide(self, frame, mask):
        return samples.visual_guide(frame, mask, self._options)

    @tf.function
    def _step(self, frame, previous, multipliers):
        image = samples.normalize(frame, self._options)[None]
        spatial = samples.spatial_guide(previous, self._options)
        logits = self._network.segment(image, spatial, multipliers, execution=self._execution)
        probabilities = tf.sigmoid(logits[..., 0])
        return probabilities, probabilities > 0.5

    def multipliers(self, view):
        """Return what the visual modulator makes of a `FirstView`: a list of (1, 1, 1, C), once per object."""
        if not self._network.options.visual_modulator:
            return []
        return self._multipliers(self._guide(view.frame, view.mask)[None])

    def run(self, frames, starts):
        """Yield the `Segmentation` of each frame; the memory it takes does not grow with the number of frames.

        Args:
          frames: iterable of uint8 (H, W, 3), all of the network's size.
          starts: {frame number: {object id: FirstView}}. In its first frame an object is given, not segmented: it is
            part of the results from the next frame on.
        """
        object_ids, multipliers, previous = (), [], None
        for number, frame in enumerate(frames):
            if object_ids:
                if self._traced is None:
                    each = [tf.TensorSpec([None, *m.shape[1:]], m.dtype) for m in multipliers]
                    masks = tf.TensorSpec([None, None, None], tf.bool)
                    self._traced = self._step.get_concrete_function(FRAME, masks, each)
                probabilities, masks = self._traced(tf.constant(frame), previous, multipliers)
                if self._refine is not None:
                    masks = tf.stack([self._refine(frame, mask) for mask in masks.numpy()])
                yield Segmentation(object_ids, probabilities.numpy(), masks.numpy())
                previous = masks
            else:
                nothing = np.zeros((0, *frame.shape[:2]))
                yield Segmentation((), nothing.astype(np.float32), nothing.astype(bool))
            if number in starts:
                new = starts[number]
                size = (frame.shape[1], frame.shape[0])
                first_masks = [samples.resize_mask(tf.constant(view.mask), size) for view in new.values()]
                gained = [self.multipliers(view) for view in new.values()]
                previous = tf.concat([*([previous] if object_ids else []), tf.stack(first_masks)], axis=0)
                object_ids += tuple(new)
                columns = zip(*([multipliers] if multipliers else []), *gained, strict=True)
                multipliers = [tf.concat(column, axis=0) for column in columns]


def read_ahead(read, paths, ahead=4):
    """Yield `read(path)` for each path, in order, `ahead` of them being read by a thread in the meantime."""
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        pending = collections.deque()
        for path in paths:
            pending.append(pool.submit(read, path))
            if len(pending) > ahead:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()


class WriteBehind:
    """Runs writes on a thread, at most `limit` behind; errors come out at a later call or at the end of the block."""

    def __init__(self, limit=32):
        self._pool = concurrent.futures.ThreadPoolExecutor(1)
        self._pending = collections.deque()
        self._limit = limit

    def __enter__(self):
        return self

    def __call__(self, write, *arguments):
        """Have `write(*arguments)` run."""
        self._pending.append(self._pool.submit(write, *arguments))
        while len(self._pending) > self._limit:
            self._pending.popleft().result()

    def __exit__(self, error, *_):
        self._pool.shutdown()
        if error is None:
            for future in self._pending:
                future.result()


def first_views(video):
    """Return `Propagator.run`'s starts of an `osmn.datasets.Video`."""
    starts = {}
    for number, first in video.starts.items():
        frame = files.read_image(video.frames[number])
        starts[number] = {object_id: FirstView(frame, mask) for object_id, mask in given_masks(first).items()}
    return starts


def segment_videos(network, videos, args, precision):
    """Propagate through `videos` and write the results under `args.result_path`, with a progress bar."""
    if args.crf_postprocessing:
        crf.load()
    network = for_inference(network, precision)
    propagator = Propagator(network, sample_options(args), crf.refine if args.crf_postprocessing else None)
    with tqdm(total=sum(len(video.frames) for video in videos), unit="frame", dynamic_ncols=True) as bar:
        for video in videos:
            bar.set_postfix_str(video.name)
            folder = Path(args.result_path) / video.name
            segment_video(propagator, video, folder, tuple(args.im_size), args.save_score, bar.update)


def segment_video(propagator, video, folder, im_size, save_score=False, progress=lambda: None, merged=True):
    """Propagate through one video and write its results into `folder` (spec: result files).

    Per object (`folder/<id>/<frame>.png`, or `folder/<frame>.png` where objects have no id): black for its first frame,
    then masks 0/255, and with `save_score` probabilities `<frame>.npy`, all of size `im_size` (width, height). With ids
    also the merged indexed `folder/<frame>.png` (unless `merged` is false), of the annotation's size, where objects
    that start in the frame have their true masks. `progress()` is called per frame.
    """
    for object_id in video.object_ids:
        for stale in object_folder(folder, object_id).glob("*.npy"):  # of an earlier run
            stale.unlink()
    files.remove_unfinished(folder)
    merged = merged and None not in video.object_ids
    frames = read_ahead(lambda path: files.read_image(path, im_size), video.frames)
    with WriteBehind() as write:
        for number, segmentation in enumerate(propagator.run(frames, first_views(video))):
            name = video.frames[number].stem
            given = given_masks(video.starts[number]) if number in video.starts else {}
            masks = dict(zip(segmentation.object_ids, segmentation.masks, strict=True))
            probabilities = dict(zip(segmentation.object_ids, segmentation.probabilities, strict=True))
            if video.listed is not None:
                masks = {i: mask for i, mask in masks.items() if number in video.listed[i]}
                probabilities = {i: probabilities[i] for i in masks}
            for object_id, mask in (masks | dict.fromkeys(given, np.zeros(im_size[::-1], bool))).items():
                write(files.write_mask, object_folder(folder, object_id) / f"{name}.png", mask)
            if save_score:
                for object_id, probability in probabilities.items():
                    write(files.write_scores, object_folder(folder, object_id) / f"{name}.npy", probability)
            if given:
                size = next(iter(given.values())).shape[::-1]
            if merged and (given or probabilities):
                write(write_merged, folder / f"{name}.png", size, probabilities, given)
            progress()


def given_masks(first):
    """Return {object id: bool (H, W)} of a `FirstAnnotation`, at its file's size."""
    labels = files.read_labels(first.annotation)
    return {i: labels > 0 if i is None else labels == i for i in first.object_ids}


def object_folder(folder, object_id):
    """Return the folder of an object's results: of the video's, `<id>`, or itself for an object without id."""
    return folder if object_id is None else folder / str(object_id)


def write_merged(path, size, probabilities, given):
    """Write a frame's object ids as an indexed PNG of `size` (width, height).

    `probabilities` are {object id: float32 (h, w)}; `given` are the masks {object id: bool (H, W)} of objects that
    start in the frame: beside probabilities they count as 0 and 1 at their size, alone they are the result.
    """
    if probabilities:
        small = next(iter(probabilities.values())).shape[::-1]
        maps = probabilities | {i: evaluation.resized(mask.astype(np.uint8), small) for i, mask in given.items()}
        labels = evaluation.merge(list(maps.values()), list(maps))
    else:
        labels = np.zeros(size[::-1], np.uint8)
        for object_id, mask in given.items():
            labels[mask] = object_id
    files.write_labels(path, evaluation.resized(labels, size))
