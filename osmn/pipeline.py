"""The input of training: from files to batches, each sample a pure function of (seed, step, position in the batch)."""

import dataclasses
import functools
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from osmn import distractors, files, replicas, samples
from osmn.processes import processors

PREFETCHED_BATCHES = 2
# Sizes change from batch to batch, but for the guide's; channels do not.
SHAPES = samples.Sample(
    guide=(samples.GUIDE_SIDE, samples.GUIDE_SIDE, 3),
    spatial=(None, None, 1),
    image=(None, None, 3),
    label=(None, None, 1),
)
# Keep apart the random streams that share a sample's seed.
_SOURCE_STREAM, _DISTRACTOR_STREAM = 2, 3


class Source(NamedTuple):
    """Where samples come from.

    Attributes:
        load: (example number, (2,) seed) -> `samples.Views`, in TensorFlow.
        check: (example number) -> None; raises InputError, naming the file, if one of the example's files is damaged.
        count: number of examples.
        augmentation: `samples.TargetAugmentation` of its samples.
    """

    load: Callable
    check: Callable
    count: int
    augmentation: samples.TargetAugmentation = samples.AS_IT_IS


@dataclasses.dataclass(frozen=True)
class PipelineOptions:
    """How batches are made of samples; names and defaults are those of the command line.

    Attributes:
        im_size: (width, height) at scale 1.
        data_aug_scales: a batch's scale is one of these.
        batch_size: samples in a batch, over all replicas.
        seed: of everything random.
        num_loader: samples made at a time; 0: as many as there are processors.
        distractors: share of the samples that get another one's object pasted into their frame.
        shares: of the sources, in their order, adding up to 1; None: by their numbers of examples.
    """

    im_size: tuple[int, int]
    data_aug_scales: tuple[float, ...] = (1.0,)
    batch_size: int = 8
    seed: int = 0
    num_loader: int = 0
    distractors: float = 0.0
    shares: tuple[float, ...] | None = None


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
    # TensorFlow decodes binary masks; of indexed PNGs it would give the colours.
    decode = decode_object if any(e.object_id for e in examples) else lambda path, _: decode_mask(path)

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


def example_number(index, count, seed):
    """Return which of `count` examples is sample `index` of a run: each once an epoch, every epoch in another order."""
    epoch, place = index // count, index % count
    order = tf.cast(tf.stack([seed, epoch]), tf.int32)
    return tf.random.experimental.index_shuffle(place, order, max_index=count - 1)


def drawn_example(sources, shares, seed):
    """Return (source number, example number) of a sample, drawn by its (2,) seed.

    The source is drawn by the `shares`, the example is any of the source's: from several sources there are no epochs.
    """
    source_seed, example_seed = tf.unstack(tf.random.split(seed, 2))
    ends = tf.cumsum(tf.constant(shares, tf.float32))[:-1]
    source = tf.reduce_sum(tf.cast(tf.random.stateless_uniform((), source_seed) >= ends, tf.int32))
    count = tf.constant([source.count for source in sources], tf.int64)[source]
    return source, tf.random.stateless_uniform((), example_seed, 0, count, tf.int64)


class Distractor(NamedTuple):
    """Whether a sample gets a distractor, (source number, example number) of it, and the (2,) seeds of both."""

    wanted: tf.Tensor
    number: tuple
    guide_seed: tf.Tensor
    paste_seed: tf.Tensor


def _choose(number, branches):
    """Return `branches[number]()`."""
    return branches[0]() if len(branches) == 1 else tf.switch_case(number, branches)


class SampleMaker:
    """Makes any sample of a run: of `Source`s, `PipelineOptions` and `samples.SampleOptions`."""

    def __init__(self, sources, options, sample_options):
        self._sources, self._options, self._sample_options = sources, options, sample_options
        total = sum(source.count for source in sources)
        self._shares = options.shares or tuple(source.count / total for source in sources)

    def number(self, step, position):
        """Return (source number, example number) of the sample at a position in a step's batch, ints or scalars.

        With one source each example comes once in an epoch, in an order that differs from epoch to epoch.
        """
        options = self._options
        if len(self._sources) == 1:
            index = step * options.batch_size + position
            return 0, example_number(index, self._sources[0].count, options.seed)
        seed = tf.random.fold_in(samples.sample_seed(options.seed, step, position), _SOURCE_STREAM)
        return drawn_example(self._sources, self._shares, seed)

    def make(self, step, position):
        """Return the `samples.Sample` at a position in a step's batch; its images have the batch's size."""
        options = self._options
        seed = samples.sample_seed(options.seed, step, position)
        guide_seed, sample_seed = tf.unstack(tf.random.split(seed, 2))
        source, example = self.number(step, position)
        views = self._load(source, example, guide_seed)
        if options.distractors:
            views = self._distracted(views, step, position)
        size = samples.batch_size_scale(options.seed, step, options.im_size, options.data_aug_scales)

        def make(augmentation):
            return samples.training_sample(views, size, self._sample_options, sample_seed, augmentation)

        sample = _choose(source, [lambda a=each.augmentation: make(a) for each in self._sources])
        return samples.Sample(*map(tf.ensure_shape, sample, SHAPES))

    def check(self, step):
        """Raise InputError, naming the file, if one that the samples of a step were drawn from is damaged."""
        for position in range(self._options.batch_size):
            source, example = self.number(step, position)
            self._sources[int(source)].check(int(example))
            if self._options.distractors:
                source, example = self._distractor(step, position).number
                self._sources[int(source)].check(int(example))

    def _load(self, source, example, guide_seed):
        return _choose(source, [lambda s=each: s.load(example, guide_seed) for each in self._sources])

    def _distractor(self, step, position):
        seed = tf.random.fold_in(samples.sample_seed(self._options.seed, step, position), _DISTRACTOR_STREAM)
        share_seed, example_seed, guide_seed, paste_seed = tf.unstack(tf.random.split(seed, 4))
        wanted = tf.random.stateless_uniform((), share_seed) < self._options.distractors
        number = drawn_example(self._sources, self._shares, example_seed)
        return Distractor(wanted, number, guide_seed, paste_seed)

    def _distracted(self, views, step, position):
        distractor = self._distractor(step, position)

        def distract():
            other = self._load(*distractor.number, distractor.guide_seed)
            return distractors.with_distractor(views, other, distractor.paste_seed)

        return tf.cond(distractor.wanted, distract, lambda: views)


def training_dataset(sources, options, sample_options, steps, part=None):
    """Return a tf.data.Dataset of `samples.Sample` batches for the steps in `range(*steps)`.

    A sample is a pure function of (seed, step, position in the batch): the dataset starts at any step without making
    the samples before it.

    Args:
      sources: list of `Source`.
      options: PipelineOptions.
      sample_options: samples.SampleOptions.
      steps: (first, last + 1).
      part: (first position, positions, samples in a batch) of a replica's share of each batch; None for whole batches.
    """
    start, positions, rows = part or (0, options.batch_size, options.batch_size)
    maker = SampleMaker(sources, options, sample_options)
    first, end = (step * positions for step in steps)
    dataset = tf.data.Dataset.range(first, end)
    dataset = dataset.map(
        lambda index: maker.make(index // positions, start + index % positions),
        num_parallel_calls=options.num_loader or processors(),
        deterministic=True,
    )
    # Not tuned by tf.data: its tuning thread takes seconds to stop, for each object of online fine-tuning.
    untuned = tf.data.Options()
    untuned.autotune.enabled = False
    return dataset.batch(rows, drop_remainder=True).prefetch(PREFETCHED_BATCHES).with_options(untuned)


class Batches:
    """The batches of a run from step `first` to before step `last`: iterate over it once.

    `element_spec` describes a batch, of whatever size, to tf.function.
    """

    def __init__(self, sources, options, sample_options, first, last):
        self._maker = SampleMaker(sources, options, sample_options)
        self._first = first
        self._dataset = replicas.distribute(
            lambda *part: training_dataset(sources, options, sample_options, (first, last), part), options.batch_size
        )
        self.element_spec = self._dataset.element_spec

    def __iter__(self):
        step = self._first
        try:
            for batch in self._dataset:
                yield batch
                step += 1
        except tf.errors.OpError:  # TensorFlow does not say which file it could not decode.
            self._maker.check(step)
            raise


def batches(sources, options, sample_options):
    """Return (first step, last step) -> `Batches`."""
    return functools.partial(Batches, sources, options, sample_options)
