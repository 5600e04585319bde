"""Where training samples come from: the examples of a dataset, read with TensorFlow."""

import dataclasses
import logging
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf
from pycocotools import mask as coco_masks

from osmn.data import coco, folders
from osmn.data.folders import Folders
from osmn.data.types import Example
from osmn.errors import InputError, in_short
from osmn.files.images import read_for_tensorflow, read_image, read_labels
from osmn.inputs import clips, geometry, moving_stills, samples
from osmn.inputs.options import VideoSamples

logger = logging.getLogger(__name__)

SPLIT = "train2017"  # of COCO

JFIF = b"\xff\xd8\xff\xe0\0\x10JFIF\0"  # how a JPEG begins that follows the standard
PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"


Loader = Callable[[tf.Tensor, tf.Tensor], samples.RawSample]  # (example number, (2,) seed) -> the example
Backdrop = Callable[[], tf.Tensor]  # () -> a frame of another example, uint8 (h, w, 3)
# (example number, (width, height), number of frames, backdrop, (2,) seed) -> frames that begin at the example
ClipLoader = Callable[[tf.Tensor, tf.Tensor, int, Backdrop, tf.Tensor], clips.Clip]


@dataclasses.dataclass(frozen=True)
class Source:
    """Where samples come from.

    Attributes:
        load: (example number, (2,) seed) -> `samples.RawSample`, in TensorFlow.
        check: (example number) -> None; raises InputError, naming the file, for a damaged file of the example.
        count: number of examples.
        load_clip: (example number, (width, height), number of frames, backdrop, (2,) seed) -> `clips.Clip`, in
            TensorFlow; `backdrop` returns a frame of another example. None: the source has no clips.
        check_clip: as `check`, for all files that a clip of the example may be made of.
        augmentation: `samples.TargetAugmentation` of the source's samples.
        weight: of several sources, each gives samples in proportion to its weight; None: to its `count`.
        objects: the number of each example's object; None: each example has an object of its own.
    """

    load: Loader
    check: Callable[[int], None]
    count: int
    augmentation: samples.TargetAugmentation = samples.AS_IT_IS
    weight: float | None = None
    load_clip: ClipLoader | None = None
    check_clip: Callable[[int], None] | None = None
    objects: Sequence[int] | None = None

    def object_of(self, number: tf.Tensor) -> tf.Tensor:
        """Return the number of an example's object; both are int64 scalars."""
        return number if self.objects is None else tf.constant(self.objects, tf.int64)[number]


def shares(sources: Sequence[Source], total: float = 1.0) -> np.ndarray:
    """Return the share of samples of each of `sources` by its weight, an array (sources,); their sum is `total`."""
    weights = np.array([source.count if source.weight is None else source.weight for source in sources])
    return total * weights / weights.sum()


def mixed(sources: Sequence[Source], others: Sequence[Source], share: float) -> list[Source]:
    """Return both lists of `Source`s as one list, weighted so that `others` together give a `share` of the samples."""
    if not others:
        return list(sources)
    weights = [*shares(sources, 1 - share), *shares(others, share)]
    return [dataclasses.replace(each, weight=weight) for each, weight in zip([*sources, *others], weights, strict=True)]


def of_training(examples: Sequence[Example], options: VideoSamples) -> list[Source]:
    """Return the `Source`s of a training on the `Example`s of a dataset, and on what its `VideoSamples` name beside it.

    Raises InputError if a folder of them cannot be read.
    """
    more = [Folders(Path(frames), Path(masks)) for frames, masks in options.more_videos]
    found = [examples, *(folders.examples(where, options.validity) for where in more)]
    videos = [video_source(each, options.flip_target, options.longest_gap) for each in found]
    if options.video_shares:
        videos = [dataclasses.replace(each, weight=w) for each, w in zip(videos, options.video_shares, strict=True)]
    return mixed(videos, coco_sources(options.coco_path, skip_bad=options.skip_bad_annotations), options.coco_share)


# Videos


def decode_image(path: tf.Tensor) -> tf.Tensor:
    """Return the JPEG or PNG at a path tensor as RGB uint8 (H, W, 3), with the exact values of `images.read_image`."""
    content = tf.io.read_file(path)
    # TensorFlow decodes as Pillow does without EXIF data or another color space, both of which come before the tables.
    plain = _has(content, (0, JFIF), (20, b"\xff\xdb"))

    def checked() -> tf.Tensor:
        return tf.ensure_shape(_in_python(read_for_tensorflow, path, tf.string), [])

    content = tf.cond(plain, lambda: content, checked)
    # TensorFlow's operation for JPEGs decodes PNGs too; its `decode_image` has no choice of the DCT.
    return tf.io.decode_jpeg(content, channels=3, dct_method="INTEGER_ACCURATE", fancy_upscaling=True)


def decode_mask(path: tf.Tensor, object_id: tf.Tensor) -> tf.Tensor:
    """Return where the labels at a path tensor are `object_id`, or above 0 for the id 0, as bool (H, W)."""
    content = tf.io.read_file(path)
    # Gray, as masks of single objects are; of indexed PNGs TensorFlow would give the colors.
    gray = _has(content, (0, PNG), (24, b"\x08\0"), (37, b"IDAT"))

    def checked() -> tf.Tensor:
        return tf.ensure_shape(_in_python(read_labels, path, tf.uint8), [None, None])

    labels = tf.cond(gray, lambda: tf.io.decode_png(content, channels=1)[..., 0], checked)
    return tf.cond(object_id > 0, lambda: labels == tf.cast(object_id, tf.uint8), lambda: labels > 0)


def _in_python(read: Callable[[str], bytes | np.ndarray], path: tf.Tensor, kind: tf.DType) -> tf.Tensor:
    def call(given: bytes | np.ndarray) -> bytes | np.ndarray:  # bytes in a graph, else an array of bytes
        return read(os.fsdecode(np.asarray(given).item()))

    return tf.numpy_function(call, [path], kind, stateful=False)


def _has(content: tf.Tensor, *parts: tuple[int, bytes]) -> tf.Tensor:
    """Tell whether a file's content has all of some bytes at its start, pairs (position, bytes)."""
    longest = max(where + len(part) for where, part in parts)
    start = tf.strings.substr(content, 0, longest) + b"\0" * longest  # However short the file is.
    return tf.reduce_all([tf.strings.substr(start, where, len(part)) == part for where, part in parts])


def video_loader(examples: Sequence[Example]) -> Loader:
    """Return `load(number, seed)`, which reads the `samples.RawSample` of an `Example`'s files with TensorFlow.

    The guide is one of the example's guides, drawn by the (2,) `seed`.
    """
    counts = np.array([len(e.guides) for e in examples])
    # Examples of an object share their guides, which are listed only once.
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

    def load(number: tf.Tensor, seed: tf.Tensor) -> samples.RawSample:
        guide = first_guide[number] + tf.random.stateless_uniform([], seed, 0, guide_count[number], tf.int64)
        return samples.RawSample(
            guide_frame=decode_image(guide_frames[guide]),
            guide_mask=decode_mask(guide_masks[guide], object_ids[number]),
            previous_mask=decode_mask(previous_masks[number], object_ids[number]),
            frame=decode_image(frames[number]),
            label=decode_mask(labels[number], object_ids[number]),
        )

    return load


def frame_source(examples: Sequence[Example]) -> Source:
    """Return the `Source` of the frames of a list of `Example`s, each alone: it is the guide too."""
    frames = tf.constant([e.frame for e in examples])
    labels = tf.constant([e.label for e in examples])
    object_ids = tf.constant([e.object_id for e in examples], tf.int64)

    def load(number: tf.Tensor, seed: tf.Tensor) -> samples.RawSample:
        del seed  # There is one guide.
        frame, mask = decode_image(frames[number]), decode_mask(labels[number], object_ids[number])
        return samples.RawSample(frame, mask, mask, frame, mask)

    return Source(load, lambda number: find_damaged(examples[number]), len(examples))


def video_source(examples: Sequence[Example], flip_target: bool = False, longest_gap: int = 1) -> Source:
    """Return the `Source` of a list of `Example`s.

    `flip_target` mirrors frame, label and previous mask at random. The frames of clips are at most `longest_gap` frames
    apart.
    """
    chains, load = clips.chains(examples), video_loader(examples)
    frames, labels = (tf.constant([getattr(e, name) for e in examples]) for name in ("frame", "label"))
    object_ids = tf.constant([e.object_id for e in examples], tf.int64)
    all_chains = tf.constant(chains)

    def load_clip(number: tf.Tensor, size: tf.Tensor, count: int, backdrop: Backdrop, seed: tf.Tensor) -> clips.Clip:
        del backdrop
        guide_seed, place_seed, flip_seed = tf.unstack(tf.random.split(seed, 3))
        numbers = clips.places(number, all_chains[number], longest_gap, count, place_seed)

        def decode(number: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            image = geometry.resize_image(decode_image(frames[number]), size)
            return image, geometry.resize_mask(decode_mask(labels[number], object_ids[number]), size)

        shown, masks = tf.map_fn(decode, numbers, fn_output_signature=(tf.uint8, tf.bool))
        views = load(number, guide_seed)
        clip = clips.Clip(views.guide_frame, views.guide_mask, shown, masks, tf.zeros_like(masks))
        return clips.mirrored(clip, flip_seed) if flip_target else clip

    def check_clip(number: int) -> None:
        for each in range(*chains[number]):
            find_damaged(examples[each])

    augmentation = samples.TargetAugmentation(flip=flip_target)

    def check(number: int) -> None:
        find_damaged(examples[number])

    # Examples of an object share their guides; objects may share files.
    numbers = {(each.guides, each.object_id): number for number, each in enumerate(examples)}
    objects = [numbers[each.guides, each.object_id] for each in examples]
    return Source(load, check, len(examples), augmentation, load_clip=load_clip, check_clip=check_clip, objects=objects)


def find_damaged(example: Example) -> None:
    """Raise InputError, naming the file, for the first missing or damaged file of an `Example`."""
    for frame in (example.frame, *(guide.frame for guide in example.guides)):
        check_image(frame)
    for mask in (example.previous_mask, example.label, *(guide.mask for guide in example.guides)):
        read_labels(mask)


def check_image(path: Path | str) -> np.ndarray:
    """Return the image at `path`, uint8 (H, W, 3), as `images.read_image` does.

    Raises InputError, naming the file, also for an image that TensorFlow cannot decode.
    """
    image = read_image(path)
    try:
        decode_image(path)
    except tf.errors.OpError as error:
        raise InputError(f"{path} is not a readable image ({in_short(error.message)}); replace it") from None
    return image


# Still images


def instance_loader(instances: coco.Instances) -> Loader:
    """Return `load(number, seed)` of a `Source` in which guide, previous mask and target are the same image."""
    images = tf.constant(instances.images)

    def decode(number: np.ndarray) -> np.ndarray:
        return coco_masks.decode({"size": instances.sizes[number], "counts": instances.codes[number]})

    def load(number: tf.Tensor, seed: tf.Tensor) -> samples.RawSample:
        del seed  # There is one guide.
        frame = decode_image(images[number])
        mask = tf.numpy_function(decode, [number], tf.uint8, stateful=False)
        mask = tf.ensure_shape(mask, [None, None]) > 0
        tf.debugging.assert_equal(tf.shape(frame)[:2], tf.shape(mask))  # `check` says what is wrong.
        return samples.RawSample(frame, mask, mask, frame, mask)

    return load


def instance_source(instances: coco.Instances) -> Source:
    """Return the `Source` of `coco.Instances`."""

    def check(number: int) -> None:
        frame = check_image(instances.images[number])
        if frame.shape[:2] != tuple(instances.sizes[number]):
            raise InputError(
                f"{instances.images[number]} is {frame.shape[1]}x{frame.shape[0]}, and its annotation of"
                f" {instances.sizes[number][1]}x{instances.sizes[number][0]}; replace the image"
            )

    load, augmentation = instance_loader(instances), samples.TargetAugmentation(crop=True, flip=True)

    def load_clip(number: tf.Tensor, size: tf.Tensor, count: int, backdrop: Backdrop, seed: tf.Tensor) -> clips.Clip:
        moving_seed, flip_seed = tf.unstack(tf.random.split(seed, 2))
        still = load(number, seed)
        frames, masks = moving_stills.moving_still(still.frame, still.label, backdrop, size, count, moving_seed)
        clip = clips.Clip(still.guide_frame, still.guide_mask, frames, masks, tf.zeros_like(masks))
        return clips.mirrored(clip, flip_seed)

    return Source(load, check, len(instances.images), augmentation, load_clip=load_clip, check_clip=check)


def coco_sources(
    data_paths: Sequence[str], weights: Sequence[float | None] | None = None, skip_bad: bool = False
) -> list[Source]:
    """Return the `Source`s of COCO folders, of whose split `train2017` the number of instances is logged.

    `weights`, a number for each folder, are as in `Source`, `skip_bad` is as in `coco.read_instances`. Raises
    InputError if a folder is given twice.
    """
    coco.check_folders(data_paths, SPLIT)
    found = []
    for path, weight in zip(data_paths, weights or [None] * len(data_paths), strict=True):
        instances = coco.read_instances(path, SPLIT, skip_bad=skip_bad)
        logger.info(f"{len(instances.images)} instances in {path}")
        found.append(dataclasses.replace(instance_source(instances), weight=weight))
    return found
