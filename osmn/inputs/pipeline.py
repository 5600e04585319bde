"""The input of training: from files to batches, each sample a pure function of (seed, step, position in the batch)."""

from typing import NamedTuple

import tensorflow as tf

from osmn.inputs import distractors, samples
from osmn.inputs.sources import shares
from osmn.networks import replicas
from osmn.parallel import processors

PREFETCHED_BATCHES = 2
# Keep apart the random streams that share a sample's seed.
_SOURCE_STREAM, _DISTRACTOR_STREAM = 2, 3


def example_number(index, count, seed):
    """Return which of `count` examples is sample `index` of a run: each once an epoch, every epoch in another order."""
    epoch, place = index // count, index % count
    order = tf.cast(tf.stack([seed, epoch]), tf.int32)
    return tf.random.experimental.index_shuffle(place, order, max_index=count - 1)


class Distractor(NamedTuple):
    """Whose object is pasted into a sample.

    Attributes:
        wanted: whether any is, a scalar.
        example: (source number, example number), scalars.
        guide_seed: (2,), draws the example's guide, which shows the object.
        paste_seed: (2,), of `distractors.with_distractor`.
    """

    wanted: tf.Tensor
    example: tuple
    guide_seed: tf.Tensor
    paste_seed: tf.Tensor


class Pipeline:
    """The samples of a run and its batches; a step and a position in its batch are ints or integer scalars, from 0.

    Args:
        sources: list of `sources.Source`.
        config: the `ModelConfig` of the network's inputs.
        options: `options.PipelineOptions`.
    """

    def __init__(self, sources, config, options):
        self._sources, self._config, self._options = sources, config, options

    def example(self, step, position):
        """Return (source number, example number) of a sample.

        With one source each example comes once in an epoch, in an order that differs from epoch to epoch. From several
        the source is drawn by its share and the example is any of the source's: there are no epochs.
        """
        options = self._options
        if len(self._sources) == 1:
            index = step * options.batch_size + position
            return 0, example_number(index, self._sources[0].count, options.seed)
        return self._draw(tf.random.fold_in(samples.sample_seed(options.seed, step, position), _SOURCE_STREAM))

    def distractor(self, step, position):
        """Return the `Distractor` of a sample."""
        seed = tf.random.fold_in(samples.sample_seed(self._options.seed, step, position), _DISTRACTOR_STREAM)
        share_seed, example_seed, guide_seed, paste_seed = tf.unstack(tf.random.split(seed, 4))
        wanted = tf.random.stateless_uniform((), share_seed) < self._options.distractors
        return Distractor(wanted, self._draw(example_seed), guide_seed, paste_seed)

    def sample(self, step, position):
        """Return a `samples.Sample`; its image, spatial guide and label have the size of the step's batch."""
        options = self._options
        guide_seed, sample_seed = tf.unstack(tf.random.split(samples.sample_seed(options.seed, step, position), 2))
        source, number = self.example(step, position)
        views = self._load(source, number, guide_seed)
        if options.distractors:
            views = self._distract(views, self.distractor(step, position))
        size = samples.batch_size_scale(options.seed, step, options.im_size, options.data_aug_scales)

        def make(target):
            return samples.training_sample(views, size, self._config, options.augmentation, sample_seed, target)

        augmentations = list(dict.fromkeys(each.augmentation for each in self._sources))
        which = tf.constant([augmentations.index(each.augmentation) for each in self._sources])[source]
        sample = _choose(which, [lambda a=each: make(a) for each in augmentations])
        return samples.Sample(*map(tf.ensure_shape, sample, samples.SHAPES))

    def dataset(self, first, last, part=None):
        """Return a tf.data.Dataset of `samples.Sample` batches for the steps in `range(first, last)`.

        It starts at any step without making the samples before it. `part` is (first position, positions, samples in a
        batch) of a replica's share of each batch; None for whole batches.
        """
        options = self._options
        start, positions, rows = part or (0, options.batch_size, options.batch_size)
        dataset = tf.data.Dataset.range(first * positions, last * positions)
        dataset = dataset.map(
            lambda index: self.sample(index // positions, start + index % positions),
            num_parallel_calls=options.num_loader or processors(),
            deterministic=True,
        )
        # Not tuned by tf.data: its tuning thread takes seconds to stop, for each object of online fine-tuning.
        untuned = tf.data.Options()
        untuned.autotune.enabled = False
        return dataset.batch(rows, drop_remainder=True).prefetch(PREFETCHED_BATCHES).with_options(untuned)

    def batches(self, first, last):
        """Return the `Batches` of the steps in `range(first, last)`, split over the replicas of the strategy."""
        batch_size = self._options.batch_size
        dataset = replicas.distribute(lambda *part: self.dataset(first, last, part), batch_size)
        return Batches(dataset, first, self.check)

    def check(self, step):
        """Raise InputError, naming the file, if one that the samples of a step were made of is damaged."""
        for position in range(self._options.batch_size):
            examples = [self.example(step, position)]
            if self._options.distractors:
                distractor = self.distractor(step, position)
                examples += [distractor.example] if distractor.wanted else []
            for source, number in examples:
                self._sources[int(source)].check(int(number))

    def _draw(self, seed):
        source_seed, example_seed = tf.unstack(tf.random.split(seed, 2))
        ends = tf.cumsum(tf.constant(shares(self._sources), tf.float32))[:-1]
        source = tf.reduce_sum(tf.cast(tf.random.stateless_uniform((), source_seed) >= ends, tf.int32))
        count = tf.constant([each.count for each in self._sources], tf.int64)[source]
        return source, tf.random.stateless_uniform((), example_seed, 0, count, tf.int64)

    def _load(self, source, number, seed):
        return _choose(source, [lambda s=each: s.load(number, seed) for each in self._sources])

    def _distract(self, views, distractor):
        def distract():
            other = self._load(*distractor.example, distractor.guide_seed)
            return distractors.with_distractor(views, other, distractor.paste_seed)

        return tf.cond(distractor.wanted, distract, lambda: views)


def _choose(number, branches):
    """Return `branches[number]()`."""
    return branches[0]() if len(branches) == 1 else tf.switch_case(number, branches)


class Batches:
    """Iterates over a dataset whose first batch is that of step `first`; `check` a step whose batch cannot be made.

    `element_spec` describes a batch, of whatever size, to tf.function.
    """

    def __init__(self, dataset, first, check):
        self._dataset, self._first, self._check = dataset, first, check
        self.element_spec = dataset.element_spec

    def __iter__(self):
        step = self._first
        try:
            for batch in self._dataset:
                yield batch
                step += 1
        except tf.errors.OpError:  # TensorFlow does not say which file it could not decode.
            self._check(step)
            raise
