"""The input of training: from files to batches, each sample a pure function of (seed, step, position in the batch)."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, TypeAlias, TypeVar

import tensorflow as tf

from osmn.config import ModelConfig
from osmn.inputs import clips, distractors, look_alikes, samples
from osmn.inputs.options import PipelineOptions
from osmn.inputs.sources import Source, shares
from osmn.parallel import processors

Chosen = TypeVar("Chosen")
AnySample = TypeVar("AnySample", samples.Sample, clips.ClipSample)
# (First position, positions, samples in a batch) -> the dataset of these positions of all batches.
MakeDataset: TypeAlias = Callable[[int, int, int], tf.data.Dataset]
DatasetOfBatches: TypeAlias = tf.data.Dataset | tf.distribute.DistributedDataset

PREFETCHED_BATCHES = 2
# Keep apart the random streams that share a sample's seed; 4 and 5 are `training.predicted_masks`'s.
_SOURCE_STREAM, _DISTRACTOR_STREAM, _OCCLUDER_STREAM, _BACKDROP_STREAM, _LOOK_ALIKE_STREAM = 2, 3, 6, 7, 8
_NEGATIVE_STREAM = 9


def example_number(index: int | tf.Tensor, count: int, seed: int) -> tf.Tensor:
    """Return which of `count` examples is sample `index` of a run.

    Each example comes once per epoch, in an order that differs from epoch to epoch.
    """
    epoch, place = index // count, index % count
    order = tf.cast(tf.stack([seed, epoch]), tf.int32)
    return tf.random.experimental.index_shuffle(place, order, max_index=count - 1)


class Distractor(NamedTuple):
    """Whose object is pasted into a sample.

    Attributes:
        wanted: whether an object is pasted, a scalar bool.
        example: (source number, example number), scalars.
        guide_seed: (2,), draws the example's guide, which shows the object.
        paste_seed: (2,), of the function that pastes it.
    """

    wanted: tf.Tensor
    example: tuple[int | tf.Tensor, tf.Tensor]
    guide_seed: tf.Tensor
    paste_seed: tf.Tensor


def on_one_device(make_dataset: MakeDataset, batch_size: int) -> tf.data.Dataset:
    """Return the dataset of whole batches that `make_dataset`, a `MakeDataset`, makes."""
    return make_dataset(0, batch_size, batch_size)


class Pipeline:
    """The samples of a run and its batches; a step and a position in its batch are ints or integer scalars, from 0.

    Args:
        sources: list of `sources.Source`.
        config: the `ModelConfig` of the network's inputs.
        options: `options.PipelineOptions`.
        distribute: (`MakeDataset`, batch size) -> the batches, split over devices; `networks.replicas.distribute`.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        config: ModelConfig,
        options: PipelineOptions,
        distribute: Callable[[MakeDataset, int], DatasetOfBatches] = on_one_device,
    ) -> None:
        self._sources, self._config, self._options, self._distribute = sources, config, options, distribute

    def example(self, step: int | tf.Tensor, position: int | tf.Tensor) -> tuple[int | tf.Tensor, tf.Tensor]:
        """Return (source number, example number) of a sample.

        With one source each example comes once per epoch, in an order that differs from epoch to epoch. With several
        sources the source is drawn by its share, and then any example of the source is drawn: there are no epochs.
        """
        options = self._options
        if len(self._sources) == 1:
            index = step * options.batch_size + position
            return 0, example_number(index, self._sources[0].count, options.seed)
        return self._draw(tf.random.fold_in(samples.sample_seed(options.seed, step, position), _SOURCE_STREAM))

    def distractor(self, step: int | tf.Tensor, position: int | tf.Tensor) -> Distractor:
        """Return the `Distractor` of a sample."""
        return self._pasted(step, position, _DISTRACTOR_STREAM, self._options.distractors)

    def occluder(self, step: int | tf.Tensor, position: int | tf.Tensor) -> Distractor:
        """Return the `Distractor` that passes before a sample's object."""
        return self._pasted(step, position, _OCCLUDER_STREAM, self._options.occluders)

    def backdrop(self, step: int | tf.Tensor, position: int | tf.Tensor) -> Distractor:
        """Return the `Distractor` whose frame is the ground of a still that moves; none is pasted."""
        return self._pasted(step, position, _BACKDROP_STREAM, 0.0)

    def negative(self, step: int | tf.Tensor, position: int | tf.Tensor) -> Distractor:
        """Return the `Distractor` whose guide a negative pair has; nothing is pasted.

        It is another object than the sample's, and than what is pasted into the sample: one of them is asked for.
        """
        drawn = self._pasted(step, position, _NEGATIVE_STREAM, self._options.negative_pairs)
        other, own = self._object(drawn.example), self._object(self.example(step, position))
        pasted = self.distractor(step, position)
        same = tf.reduce_all(other == own) | (pasted.wanted & tf.reduce_all(other == self._object(pasted.example)))
        return drawn._replace(wanted=drawn.wanted & ~same)

    def _object(self, example: tuple[int | tf.Tensor, tf.Tensor]) -> tf.Tensor:
        """Return which object an example shows: its source and its number there, int64 (2,)."""
        source, number = example[0], tf.cast(example[1], tf.int64)
        numbered = _choose(source, [functools.partial(each.object_of, number) for each in self._sources])
        return tf.stack([tf.cast(source, tf.int64), numbered])

    def _pasted(self, step: int | tf.Tensor, position: int | tf.Tensor, stream: int, share: float) -> Distractor:
        seed = tf.random.fold_in(samples.sample_seed(self._options.seed, step, position), stream)
        share_seed, example_seed, guide_seed, paste_seed = tf.unstack(tf.random.split(seed, 4))
        wanted = tf.random.stateless_uniform((), share_seed) < share
        return Distractor(wanted, self._draw(example_seed), guide_seed, paste_seed)

    def sample(self, step: int | tf.Tensor, position: int | tf.Tensor) -> samples.Sample | clips.ClipSample:
        """Return the `samples.Sample`; its image, spatial guide and label have the size of the step's batch.

        With `unroll` above 1 it is a `clips.ClipSample`.
        """
        options = self._options
        if options.unroll > 1:
            return self._clip_sample(step, position)
        guide_seed, sample_seed = tf.unstack(tf.random.split(samples.sample_seed(options.seed, step, position), 2))
        source, number = self.example(step, position)
        views = self._load(source, number, guide_seed)
        if options.distractors:
            views = self._distract(views, self.distractor(step, position))
        size = samples.batch_size_scale(options.seed, step, options.im_size, options.data_aug_scales)

        def vary(each: Source) -> samples.RawSample:
            return samples.augmented_target(views, each.augmentation, options.augmentation, sample_seed)

        varied = _choose(source, [functools.partial(vary, each) for each in self._sources])
        sample = samples.training_sample(varied, size, self._config, options.augmentation, sample_seed)
        sample = self._as_pair(sample, step, position)
        return samples.Sample(*map(tf.ensure_shape, sample, samples.SHAPES))

    def _clip_sample(self, step: int | tf.Tensor, position: int | tf.Tensor) -> clips.ClipSample:
        options = self._options
        clip_seed, sample_seed = tf.unstack(tf.random.split(samples.sample_seed(options.seed, step, position), 2))
        source, number = self.example(step, position)
        size = samples.batch_size_scale(options.seed, step, options.im_size, options.data_aug_scales)
        ground = self.backdrop(step, position)
        frames = options.unroll + 1  # The first frame gives the first spatial guide.

        def load(each: Source) -> clips.Clip:
            if each.load_clip is None:
                raise ValueError("a source without clips gives no samples of several frames")
            return each.load_clip(number, size, frames, lambda: self._load_guide(ground).guide_frame, clip_seed)

        clip = _choose(source, [functools.partial(load, each) for each in self._sources])
        if options.look_alikes:
            clip = self._with_look_alike(clip, samples.sample_seed(options.seed, step, position))
        for share, drawn, paste in (
            (options.distractors, self.distractor, clips.with_second_object),
            (options.occluders, self.occluder, clips.with_occluder),
        ):
            if share:
                clip = self._with_pasted(clip, drawn(step, position), paste)
        sample = clips.clip_sample(clip, self._config, options.augmentation, sample_seed)
        sample = self._as_pair(sample, step, position)
        shapes = clips.SHAPES._replace(earlier=(options.unroll - 1, *clips.SHAPES.earlier[1:]))
        return clips.ClipSample(*map(tf.ensure_shape, sample, shapes))

    def _as_pair(self, sample: AnySample, step: int | tf.Tensor, position: int | tf.Tensor) -> AnySample:
        """Return a sample, or, where that is drawn, its negative pair: with another object's guide and no object."""
        if not self._options.negative_pairs:
            return sample
        other, augmentation = self.negative(step, position), self._options.augmentation

        def negative() -> tuple[tf.Tensor, tf.Tensor]:
            frame, mask, *_ = self._load_guide(other)
            guide = samples.augmented_visual_guide(frame, mask, self._config, augmentation, other.paste_seed)
            return guide, tf.zeros_like(sample.label)

        guide, label = tf.cond(other.wanted, negative, lambda: (sample.guide, sample.label))
        return sample._replace(guide=guide, label=label)

    def _with_look_alike(self, clip: clips.Clip, seed: tf.Tensor) -> clips.Clip:
        share_seed, paste_seed = tf.unstack(tf.random.split(tf.random.fold_in(seed, _LOOK_ALIKE_STREAM), 2))
        wanted = tf.random.stateless_uniform((), share_seed) < self._options.look_alikes
        return tf.cond(wanted, lambda: look_alikes.with_look_alike(clip, paste_seed), lambda: clip)

    def _with_pasted(
        self,
        clip: clips.Clip,
        pasted: Distractor,
        paste: Callable[[clips.Clip, samples.RawSample, tf.Tensor], clips.Clip],
    ) -> clips.Clip:
        return tf.cond(pasted.wanted, lambda: paste(clip, self._load_guide(pasted), pasted.paste_seed), lambda: clip)

    def _load_guide(self, of: Distractor) -> samples.RawSample:
        return self._load(*of.example, of.guide_seed)

    def dataset(self, first: int, last: int, part: tuple[int, int, int] | None = None) -> tf.data.Dataset:
        """Return a tf.data.Dataset of `samples.Sample` batches for the steps in `range(first, last)`.

        The dataset starts at any step without making the samples before it. `part` is (first position, positions,
        samples in a batch) of a replica's share of each batch; None for whole batches.
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

    def batches(self, first: int, last: int) -> Batches:
        """Return the `Batches` of the steps in `range(first, last)`."""
        batch_size = self._options.batch_size
        dataset = self._distribute(lambda *part: self.dataset(first, last, part), batch_size)
        return Batches(dataset, first, self.check)

    def check(self, step: int) -> None:
        """Raise InputError, naming the file, if a file that the samples of a step are made of is damaged."""
        for position in range(self._options.batch_size):
            examples = [self.example(step, position)]
            if self._options.unroll > 1:
                ((source, number),) = examples
                check_clip = self._sources[int(source)].check_clip
                if check_clip is not None:
                    check_clip(int(number))
                examples.append(self.backdrop(step, position).example)
            for pasted in (draw(step, position) for draw in (self.distractor, self.occluder, self.negative)):
                examples += [pasted.example] if pasted.wanted else []
            for source, number in examples:
                self._sources[int(source)].check(int(number))

    def _draw(self, seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        source_seed, example_seed = tf.unstack(tf.random.split(seed, 2))
        ends = tf.cumsum(tf.constant(shares(self._sources), tf.float32))[:-1]
        source = tf.reduce_sum(tf.cast(tf.random.stateless_uniform((), source_seed) >= ends, tf.int32))
        count = tf.constant([each.count for each in self._sources], tf.int64)[source]
        return source, tf.random.stateless_uniform((), example_seed, 0, count, tf.int64)

    def _load(self, source: int | tf.Tensor, number: tf.Tensor, seed: tf.Tensor) -> samples.RawSample:
        return _choose(source, [functools.partial(each.load, number, seed) for each in self._sources])

    def _distract(self, views: samples.RawSample, distractor: Distractor) -> samples.RawSample:
        def distract() -> samples.RawSample:
            other = self._load(*distractor.example, distractor.guide_seed)
            return distractors.with_distractor(views, other, distractor.paste_seed)

        return tf.cond(distractor.wanted, distract, lambda: views)


def _choose(number: int | tf.Tensor, branches: Sequence[Callable[[], Chosen]]) -> Chosen:
    """Return `branches[number]()`, the branches being functions without arguments."""
    return branches[0]() if len(branches) == 1 else tf.switch_case(number, branches)


class Batches:
    """The batches of consecutive steps, to iterate over.

    Where a batch cannot be made, `check` is called to name the damaged file.

    Attributes:
        element_spec: describes a batch, of whatever size, to tf.function.

    Args:
        dataset: the batches, as tf.data or tf.distribute gives them.
        first: the step of the first batch.
        check: (step) -> None; raises InputError for a damaged file.
    """

    def __init__(self, dataset: DatasetOfBatches, first: int, check: Callable[[int], None]) -> None:
        self._dataset, self._first, self._check = dataset, first, check
        self.element_spec = dataset.element_spec

    def __iter__(self) -> Iterator[samples.Sample | clips.ClipSample]:
        step = self._first
        try:
            for batch in self._dataset:
                yield batch
                step += 1
        except tf.errors.OpError:  # TensorFlow does not say which file it could not decode.
            self._check(step)
            raise
