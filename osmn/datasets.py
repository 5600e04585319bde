"""The pipeline of training: from examples, by number, to batches of samples."""

import numpy as np
import tensorflow as tf

from osmn import files, replicas, samples
from osmn.args import sample_options
from osmn.processes import processors

PREFETCHED_BATCHES = 2


def video_loader(examples):
    """Return `load(number, seed)`, which reads the files of an `osmn.data.types.Example` with TensorFlow.

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
