"""Negative pairs: samples whose visual guide shows another object, so that nothing is to be found."""

import numpy as np
import pytest
import tensorflow as tf

from helpers.coco_files import write_left
from helpers.davis_sequences import BOX, rectangle, write_sequence
from osmn.config import ModelConfig
from osmn.data.davis import examples as davis_examples
from osmn.inputs.options import PipelineOptions
from osmn.inputs.pipeline import Pipeline
from osmn.inputs.samples import RawSample
from osmn.inputs.sources import Source, coco_sources, mixed, video_source

PLAIN = ModelConfig(mean_value=(0, 0, 0))  # Nothing is subtracted.
COUNT, STEP = 4, 50  # Examples of a source, and by how much they differ in their shade.


def shades(first, objects=None, count=COUNT):
    """Return a source of examples of one shade each, from `first` on; `objects` are the numbers of their objects."""

    def load(number, seed):
        frame = tf.fill((40, 60, 3), tf.cast(first + STEP * number, tf.uint8))
        mask = tf.fill((40, 60), True)
        return RawSample(frame, mask, mask, frame, mask)

    return Source(load, lambda number: None, count, objects=objects, weight=1)


def made(sources, share, **changes):
    """Return the `Pipeline` of samples of 60x40 and one batch of 64 of them, as arrays."""
    pipeline = Pipeline(sources, PLAIN, PipelineOptions((60, 40), batch_size=64, negative_pairs=share, **changes))
    (batch,) = pipeline.batches(0, 1)
    return pipeline, type(batch)(*(field.numpy() for field in batch))


def shown(batch):
    """Return the shade of each sample's guide and of its image."""
    return batch.guide[:, 112, 112, 0], batch.image[:, 0, 0, 0]


@pytest.mark.parametrize(("share", "among"), [(0.0, (0, 0)), (0.3, (0.1, 0.5)), (1.0, (0.7, 0.99))])
def test_a_share_of_the_samples_has_the_guide_of_another_sample_and_nothing_to_find(share, among):
    _, batch = made([shades(0), shades(25)], share)
    guides, images = shown(batch)
    negative = ~batch.label.any((1, 2, 3))
    assert among[0] <= negative.mean() <= among[1]  # Of eight examples one is drawn for itself, and stays as it is.
    assert not (guides[negative] == images[negative]).any()
    np.testing.assert_array_equal(guides[~negative], images[~negative])
    assert batch.spatial.max((1, 2, 3)).min() > 0.5  # The network knows where the object was.
    if share == 1:  # From both sources.
        assert {True, False} == set((guides[negative] // 25 % 2 != images[negative] // 25 % 2).tolist())


def test_other_frames_of_the_same_object_make_no_negative_pair():
    _, batch = made([shades(0, objects=[0, 0, 1, 1])], 1.0)
    guides, images = shown(batch)
    negative = ~batch.label.any((1, 2, 3))
    assert 0 < negative.sum() < len(negative)
    assert ((guides < 2 * STEP) != (images < 2 * STEP))[negative].all()
    np.testing.assert_array_equal(guides[~negative], images[~negative])


def test_sources_may_have_other_numbers_of_examples():
    pipeline, batch = made([shades(0, objects=[0, 0, 1, 1]), shades(25, count=1000)], 1.0)
    assert {int(pipeline.negative(0, position).example[0]) for position in range(64)} == {0, 1}
    assert not batch.label.any((1, 2, 3)).all()  # A few are drawn for their own object.


def test_samples_that_are_not_drawn_are_those_of_a_run_without():
    _, plain = made([shades(0), shades(25)], 0.0)
    pipeline, some = made([shades(0), shades(25)], 0.5)
    wanted = np.array([bool(pipeline.negative(0, position).wanted) for position in range(64)])
    np.testing.assert_array_equal(wanted, ~some.label.any((1, 2, 3)))
    for before, after in zip(plain, some, strict=True):
        np.testing.assert_array_equal(after[~wanted], before[~wanted])
    np.testing.assert_array_equal(some.image, plain.image)
    np.testing.assert_array_equal(some.spatial, plain.spatial)


def test_what_is_pasted_into_a_sample_is_no_negative_of_it():
    pipeline, _ = made([shades(0), shades(25)], 1.0, distractors=1.0)
    for position in range(64):
        other, pasted = pipeline.negative(0, position), pipeline.distractor(0, position)
        same = (int(other.example[0]), int(other.example[1])) == (int(pasted.example[0]), int(pasted.example[1]))
        assert not (same and bool(other.wanted))


def test_the_examples_of_an_object_of_a_video_are_told_from_those_of_another(tmp_path):
    write_sequence(tmp_path, "two", {1: [BOX] * 3, 2: [rectangle(30, 2, 8, 8)] * 3})
    write_sequence(tmp_path, "one", {1: [BOX] * 3})
    examples = davis_examples(tmp_path, 2017, "train")
    objects = video_source(examples).objects
    names = [(each.frame.split("/")[-2], each.object_id, each.label.split("/")[-2]) for each in examples]
    assert len(set(objects)) == len(set(names)) == 3
    assert len(set(zip(objects, names, strict=True))) == 3


def test_clips_are_negative_pairs_too_and_the_same_wherever_batches_start(davis, tmp_path):
    videos = video_source(davis_examples(davis, 2017, "train", (0, 0)), longest_gap=3)
    sources = mixed([videos], coco_sources([str(write_left(tmp_path))]), 0.5)
    whole = PipelineOptions((64, 48), batch_size=6, unroll=3, negative_pairs=0.5)
    batches = [[field.numpy() for field in batch] for batch in Pipeline(sources, PLAIN, whole).batches(0, 2)]
    plain = PipelineOptions((64, 48), batch_size=6, unroll=3)
    before = [[field.numpy() for field in batch] for batch in Pipeline(sources, PLAIN, plain).batches(0, 2)]
    assert sum(label.any((1, 2, 3)).sum() for _, _, _, label, *_ in batches) < sum(
        label.any((1, 2, 3)).sum() for _, _, _, label, *_ in before
    )
    for (guide, spatial, image, label, *_), (old_guide, old_spatial, old_image, old_label, *_) in zip(
        batches, before, strict=True
    ):
        np.testing.assert_array_equal(spatial, old_spatial)
        np.testing.assert_array_equal(image, old_image)
        changed = (guide != old_guide).any((1, 2, 3))
        assert not label[changed].any()
        np.testing.assert_array_equal(label[~changed], old_label[~changed])
    (again,) = Pipeline(sources, PLAIN, whole).batches(1, 2)
    for field, expected in zip(again, batches[1], strict=True):
        np.testing.assert_array_equal(field, expected)
