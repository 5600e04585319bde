"""Where training samples come from: the examples of a dataset, read with TensorFlow."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from pycocotools import mask as coco_masks

from osmn import files, samples
from osmn.data import coco
from osmn.errors import InputError


class Source(NamedTuple):
    """Where samples come from.

    Attributes:
        load: (example number, (2,) seed) -> `samples.Views`, in TensorFlow.
        check: (example number) -> None; raises InputError, naming the file, if one of the example's files is damaged.
        count: number of examples.
        augmentation: `samples.TargetAugmentation` of its samples.
        weight: of several sources, each gives samples in proportion to its weight; None: to its `count`.
    """

    load: Callable
    check: Callable
    count: int
    augmentation: samples.TargetAugmentation = samples.AS_IT_IS
    weight: float | None = None


def shares(sources, total=1.0):
    """Return the shares of samples that `sources` have by their weights, an array; their sum is `total`."""
    weights = np.array([source.count if source.weight is None else source.weight for source in sources])
    return total * weights / weights.sum()


def mixed(sources, others, share):
    """Return both lists of `Source`s as one, weighted so that `others` together give a `share` of the samples."""
    if not others:
        return sources
    weights = [*shares(sources, 1 - share), *shares(others, share)]
    return [each._replace(weight=weight) for each, weight in zip([*sources, *others], weights, strict=True)]


def with_stills(examples, flip_target, coco_paths, coco_share):
    """Return the `Source`s of a training on videos; `coco_share` of the samples are of still images, if there are any.

    `examples` and `flip_target` are as in `video_source`, `coco_paths` as in `coco_sources`.
    """
    return mixed([video_source(examples, flip_target)], coco_sources(coco_paths), coco_share)


# Videos


def decode_image(path):
    """Return the JPEG or PNG at a path tensor as RGB uint8 (H, W, 3), to the grey level as Pillow does."""
    # TensorFlow's operation for JPEGs decodes PNGs too; its `decode_image` has no choice of the DCT.
    return tf.io.decode_jpeg(tf.io.read_file(path), channels=3, dct_method="INTEGER_ACCURATE", fancy_upscaling=True)


def decode_mask(path):
    """Return the grey PNG at a path tensor as bool (H, W)."""
    return tf.io.decode_png(tf.io.read_file(path), channels=1)[..., 0] > 0


def decode_object(path, object_id):
    """Return where the labels at a path tensor are `object_id` (0: above 0), as bool (H, W)."""

    def read(path, object_id):
        labels = files.read_labels(path.decode())
        return labels == object_id if object_id else labels > 0

    mask = tf.numpy_function(read, [path, object_id], tf.bool, stateful=False)
    return tf.ensure_shape(mask, [None, None])


def video_loader(examples):
    """Return `load(number, seed)`, which reads the `samples.Views` of an `Example`'s files with TensorFlow.

    The guide is one of the example's guides, drawn by the (2,) `seed`.
    """
    counts = np.array([len(e.guides) for e in examples])
    # Examples of one object share their guides: list each object's only once.
    distinct = {e.guides: None for e in examples}
    offsets = dict(zip(distinct, np.cumsum([0, *map(len, distinct)]), strict=False))
    guide_frames = tf.constant([g.frame for guides in distinct for g in guides])
    guide_masks = tf.constant([g.mask for guides in distinct for g in guides])
    first_guide = tf.constant([offsets[e.guides] for e in examples], tf.int64)
    guide_count = tf.constant(counts, tf.int64)
    previous_masks = tf.constant([e.previous_mask for e in examples])
    frames = tf.constant([e.frame for e in examples])
    labels = tf.constant([e.label for e in examples])
    object_ids = tf.constant([e.object_id for e in examples], tf.int64)
    indexed = any(e.object_id for e in examples)

    def decode(path, object_id):
        # TensorFlow decodes binary masks; of indexed PNGs it would give the colours.
        return decode_object(path, object_id) if indexed else decode_mask(path)

    def load(number, seed):
        guide = first_guide[number] + tf.random.stateless_uniform([], seed, 0, guide_count[number], tf.int64)
        return samples.Views(
            guide_frame=decode_image(guide_frames[guide]),
            guide_mask=decode(guide_masks[guide], object_ids[number]),
            previous_mask=decode(previous_masks[number], object_ids[number]),
            frame=decode_image(frames[number]),
            label=decode(labels[number], object_ids[number]),
        )

    return load


def video_source(examples, flip_target=False):
    """Return the `Source` of a list of `Example`s; `flip_target` mirrors frame, label and previous mask at random."""
    augmentation = samples.TargetAugmentation(flip=flip_target)
    return Source(video_loader(examples), lambda number: find_damaged(examples[number]), len(examples), augmentation)


def find_damaged(example):
    """Raise InputError, naming the file, for the first file of an `Example` that is missing or damaged."""
    for frame in (example.frame, *(guide.frame for guide in example.guides)):
        files.read_image(frame)
    for mask in (example.previous_mask, example.label, *(guide.mask for guide in example.guides)):
        files.read_labels(mask)


# Still images


def instance_loader(instances):
    """Return `load(number, seed)` of a `Source`: guide, previous mask and target are one image."""
    images = tf.constant(instances.images)

    def decode(number):
        return coco_masks.decode({"size": instances.sizes[number], "counts": instances.codes[number]})

    def load(number, seed):
        del seed  # There is one guide.
        frame = decode_image(images[number])
        mask = tf.numpy_function(decode, [number], tf.uint8, stateful=False)
        mask = tf.ensure_shape(mask, [None, None]) > 0
        tf.debugging.assert_equal(tf.shape(frame)[:2], tf.shape(mask))  # `check` says what is wrong.
        return samples.Views(frame, mask, mask, frame, mask)

    return load


def instance_source(instances):
    """Return the `Source` of `Instances`."""

    def check(number):
        frame = files.read_image(instances.images[number])
        if frame.shape[:2] != tuple(instances.sizes[number]):
            raise InputError(
                f"{instances.images[number]} is {frame.shape[1]}x{frame.shape[0]}, and its annotation of"
                f" {instances.sizes[number][1]}x{instances.sizes[number][0]}; replace the image"
            )

    augmentation = samples.TargetAugmentation(crop=True, flip=True)
    return Source(instance_loader(instances), check, len(instances.images), augmentation)


def coco_sources(data_paths, weights=None):
    """Return the `Source`s of COCO folders, of whose split `train2017` they print the number of instances.

    `weights`, one for each folder, are as in `Source`.
    """
    found = []
    for path, weight in zip(data_paths, weights or [None] * len(data_paths), strict=True):
        instances = coco.read_instances(path, "train2017")
        print(f"{len(instances.images)} instances in {path}")
        found.append(instance_source(instances)._replace(weight=weight))
    return found
