"""Which samples: a dataset yields videos to segment, and training examples by number."""

import concurrent.futures
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from tqdm import tqdm

from osmn import files, replicas, samples
from osmn.args import sample_options
from osmn.errors import InputError
from osmn.masks import covered_shares
from osmn.processes import processors

PREFETCHED_BATCHES = 2


class FirstAnnotation(NamedTuple):
    """Where objects are given: the annotation's path and the ids in it; the id None is every label above 0."""

    annotation: Path
    object_ids: tuple


class Video(NamedTuple):
    """A video to segment: its frames in order, and {frame number: FirstAnnotation} of its objects.

    `listed` are the frame numbers to write results for, {object id: set}; None for all.
    """

    name: str
    frames: tuple
    starts: dict
    listed: dict | None = None

    @property
    def object_ids(self):
        """The ids of all objects, in order of their first frames."""
        return [object_id for first in self.starts.values() for object_id in first.object_ids]


class Guide(NamedTuple):
    """A frame and the mask in it that an object's visual guide may come from: paths."""

    frame: str
    mask: str


class Example(NamedTuple):
    """A training sample's files: one of `guides`, the previous mask, the frame to segment and its label.

    The masks are where the labels are `object_id`; 0 stands for all labels above 0.
    """

    guides: tuple
    previous_mask: str
    frame: str
    label: str
    object_id: int = 0


def read_split(data_path, version, split):
    """Return the sequence names in `ImageSets/<version>/<split>.txt`."""
    path = Path(data_path) / "ImageSets" / str(version) / f"{split}.txt"
    try:
        names = path.read_text().split()
    except FileNotFoundError:
        raise InputError(f"{path} does not exist; --data_path must be a DAVIS folder") from None
    if not names:
        raise InputError(f"{path} is empty; list sequences in it, one a line")
    return names


def davis_videos(data_path, version, split, use_full_res=False):
    """Return the `Video`s of a DAVIS split. Objects are 1..max label of frame 0 (2017) or all labels as one (2016)."""
    data_path = Path(data_path)
    videos = []
    for name in read_split(data_path, version, split):
        folder = data_path / "JPEGImages" / ("Full-Resolution" if use_full_res else "480p") / name
        frames = list_files(folder, "*.jpg")
        annotation = data_path / "Annotations" / "480p" / name / f"{frames[0].stem}.png"
        last = int(files.read_labels(annotation).max())
        ids = tuple(range(1, last + 1)) if version == 2017 else (None,)
        if version == 2017 and not 0 < last < 255:
            raise InputError(
                f"{annotation} has {last} as its largest label, not an object's id; use --data_version 2016"
            )
        videos.append(Video(name, tuple(frames), {0: FirstAnnotation(annotation, ids)}))
    return videos


def youtube_videos(data_path):
    """Return the `Video`s of YouTube-Objects, one object without id each; a video of one frame is named and left out.

    `data_path` is a folder that `preprocessing/preprocess_youtube.py` has prepared.
    """
    data_path = Path(data_path)
    listing = data_path / "all.txt"
    if not listing.is_file():
        raise InputError(f"{listing} does not exist; run python preprocessing/preprocess_youtube.py {data_path}")
    videos = []
    for name in listing.read_text().split():
        frames = list_files(data_path / "Images" / name, "*.*")
        if len(frames) < 2:
            print(f"{name} has a single frame: left out", file=sys.stderr)
            continue
        label = data_path / "Labels" / name / f"{frames[0].stem}.png"
        videos.append(Video(name, tuple(frames), {0: FirstAnnotation(label, (None,))}))
    return videos


def share(videos, shard):
    """Return the videos of `shard`, (i, n): a deterministic n-th of `videos`, balanced by frames times objects."""
    index, count = shard
    work = [len(v.frames) * len(v.object_ids) for v in videos]
    loads, owners = np.zeros(count), {}
    for number in sorted(range(len(videos)), key=lambda k: (-work[k], videos[k].name)):
        owners[number] = int(np.argmin(loads))
        loads[owners[number]] += work[number]
    return [video for number, video in enumerate(videos) if owners[number] == index]


def list_files(folder, pattern):
    """Return the sorted paths in `folder` that match; InputError if there are none."""
    paths = sorted(path for path in Path(folder).glob(pattern) if not path.name.startswith("."))
    if not paths:
        raise InputError(f"{folder} holds no {pattern}; check --data_path")
    return paths


def davis_examples(data_path, version, split, validity=None):
    """Return the training `Example`s of a DAVIS split: consecutive frames (t - 1, t) of every object.

    Args:
      data_path: a DAVIS folder that `preprocessing/preprocess_davis.py` has prepared.
      version: 2016 (all objects as one) or 2017 (each object).
      split: the split's name, as "train".
      validity: None for the first frame as guide, or (label ratio, box ratio): the guides are the frames in which the
        object covers more than these shares of the image and of its box, or else the first one; pairs with a frame
        in which the object is absent are left out.
    """
    data_path = Path(data_path)
    folders = []
    for name in read_split(data_path, version, split):
        root = data_path / "Annotations" / ("480p_all" if version == 2016 else "480p_split") / name
        if not root.is_dir():
            raise InputError(f"{root} does not exist; run python preprocessing/preprocess_davis.py {data_path}")
        objects = (
            [root]
            if version == 2016
            else sorted((p for p in root.iterdir() if p.name.isdecimal()), key=lambda p: int(p.name))
        )
        folders += [(data_path / "JPEGImages" / "480p" / name, folder) for folder in objects]
    examples = []
    with concurrent.futures.ThreadPoolExecutor() as pool:
        for images, folder in tqdm(folders, desc="masks", unit="object", disable=validity is None, leave=False):
            masks = list_files(folder, "*.png")
            frames = [images / f"{mask.stem}.jpg" for mask in masks]
            missing = next((frame for frame in frames if not frame.is_file()), None)
            if missing is not None:
                raise InputError(f"{missing} does not exist, though {folder} has its mask")
            examples += _object_examples(frames, masks, validity, pool)
    if not examples:
        raise InputError(f"{data_path}: no two consecutive frames in the split {split}")
    return examples


def first_frame_example(video, object_id):
    """Return the `Example` of online fine-tuning: its first frame and mask serve as guide, previous mask and target."""
    number, first = next((n, first) for n, first in video.starts.items() if object_id in first.object_ids)
    frame, annotation = str(video.frames[number]), str(first.annotation)
    return Example((Guide(frame, annotation),), annotation, frame, annotation, object_id or 0)


def _object_examples(frames, masks, validity, pool):
    guides = [Guide(str(frame), str(mask)) for frame, mask in zip(frames, masks, strict=True)]
    present = [True] * len(masks)
    valid = guides[:1]
    if validity is not None:
        ratios = list(pool.map(lambda path: covered_shares(files.read_labels(path) > 0), masks))
        present = [area > 0 for area, _ in ratios]
        valid = [g for g, (area, fill) in zip(guides, ratios, strict=True) if area > validity[0] and fill > validity[1]]
    return [
        Example(tuple(valid or guides[:1]), guides[t - 1].mask, guides[t].frame, guides[t].mask)
        for t in range(1, len(guides))
        if present[t - 1] and present[t]
    ]


def video_loader(examples):
    """Return `load(number, seed)`, which reads an `Example`'s files with TensorFlow.

    It returns the first five arguments of `samples.training_sample`. The guide is one of the example's guides, drawn by
    the (2,) `seed`.
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
    # TensorFlow decodes binary masks; of indexed PNGs it would give the colours.
    decode = decode_object if any(e.object_id for e in examples) else lambda path, _: decode_mask(path)

    def load(number, seed):
        guide = first_guide[number] + tf.random.stateless_uniform([], seed, 0, guide_count[number], tf.int64)
        return (
            decode_image(guide_frames[guide]),
            decode(guide_masks[guide], object_ids[number]),
            decode(previous_masks[number], object_ids[number]),
            decode_image(frames[number]),
            decode(labels[number], object_ids[number]),
        )

    return load


def decode_image(path):
    """Return the JPEG at a path tensor as RGB uint8 (H, W, 3), to the grey level as Pillow does."""
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


def example_number(index, count, seed):
    """Return which of `count` examples is sample `index` of a run: each once an epoch, every epoch in another order."""
    epoch, place = index // count, index % count
    order = tf.cast(tf.stack([seed, epoch]), tf.int32)
    return tf.random.experimental.index_shuffle(place, order, max_index=count - 1)


def training_dataset(
    load,
    count,
    options,
    im_size,
    scales,
    batch_size,
    seed,
    steps,
    parallel=0,
    augment_target=False,
    part=None,
):
    """Return a tf.data.Dataset of `Sample` batches for the steps in `range(*steps)`.

    A sample is a pure function of (seed, step, position in the batch): the dataset starts at any step without making
    the samples before it. Every example comes once in an epoch, in an order that differs from epoch to epoch.

    Args:
      load: (example number, seed) -> the first five arguments of `samples.training_sample`.
      count: number of examples.
      options: SampleOptions.
      im_size: (width, height) at scale 1.
      scales: a batch's scale is one of these.
      batch_size: samples in a batch.
      seed: of everything random.
      steps: (first, last + 1).
      parallel: samples made at a time; 0: as many as there are processors.
      augment_target: see `samples.training_sample`.
      part: (first position, positions, samples in a batch) of a replica's share of each batch; None for whole batches.
    """
    start, positions, rows = part or (0, batch_size, batch_size)

    def make(index):
        step, position = index // positions, start + index % positions
        number = example_number(step * batch_size + position, count, seed)
        guide_seed, sample_seed = tf.unstack(tf.random.split(samples.sample_seed(seed, step, position), 2))
        size = samples.batch_size_scale(seed, step, im_size, scales)
        arguments = load(number, guide_seed)
        sample = samples.training_sample(*arguments, size, options, sample_seed, augment_target=augment_target)
        # Sizes change from batch to batch, channels do not.
        channels = {"guide": 3, "spatial": 1, "image": 3, "label": 1}
        return samples.Sample(**{k: tf.ensure_shape(v, [None, None, channels[k]]) for k, v in sample._asdict().items()})

    first, end = (step * positions for step in steps)
    dataset = tf.data.Dataset.range(first, end)
    dataset = dataset.map(make, num_parallel_calls=parallel or processors(), deterministic=True)
    # Not tuned by tf.data: its tuning thread takes seconds to stop, for each object of online fine-tuning.
    untuned = tf.data.Options()
    untuned.autotune.enabled = False
    return dataset.batch(rows, drop_remainder=True).prefetch(PREFETCHED_BATCHES).with_options(untuned)


def batches(load, check, count, args, augment_target=False):
    """Return (first step, last step) -> iterator over `Sample` batches, of a loader and a script's options.

    Args:
      load: see `training_dataset`; so are `count` and `augment_target`.
      check: (example number) -> None; raises InputError, naming the file, if one of the example's files is damaged.
      count: number of examples.
      args: the options of `osmn.args.add_training_options`.
      augment_target: for COCO.
    """

    def make_batches(first, last):
        def make_dataset(*part):
            return training_dataset(
                load,
                count,
                sample_options(args),
                tuple(args.im_size),
                tuple(args.data_aug_scales),
                args.batch_size,
                args.seed,
                (first, last),
                args.num_loader,
                augment_target,
                part,
            )

        dataset = replicas.distribute(make_dataset, args.batch_size)
        step = first
        try:
            for batch in dataset:
                yield batch
                step += 1
        except tf.errors.OpError:  # TensorFlow does not say which file it could not decode.
            for index in range(step * args.batch_size, (step + 1) * args.batch_size):
                check(int(example_number(index, count, args.seed)))
            raise

    return make_batches


def video_batches(examples, args):
    """Return `batches` of `Example`s."""
    return batches(video_loader(examples), lambda number: find_damaged(examples[number]), len(examples), args)


def find_damaged(example):
    """Raise InputError, naming the file, for the first file of an `Example` that is missing or damaged."""
    for frame in (example.frame, *(guide.frame for guide in example.guides)):
        files.read_image(frame)
    for mask in (example.previous_mask, example.label, *(guide.mask for guide in example.guides)):
        files.read_labels(mask)
