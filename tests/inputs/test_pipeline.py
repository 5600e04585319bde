"""The input of training: examples and sources drawn by (seed, step, position), batches, damaged files."""

import numpy as np
import pytest
import tensorflow as tf

from helpers.coco_files import write_left
from helpers.davis_sequences import BOX, rectangle, write_sequence
from osmn.config import ModelConfig
from osmn.data.davis import examples as davis_examples
from osmn.errors import InputError
from osmn.inputs.options import Augmentation, PipelineOptions
from osmn.inputs.pipeline import Pipeline, example_number
from osmn.inputs.samples import RawSample, TargetAugmentation
from osmn.inputs.sources import Source, coco_sources, mixed, video_source

# -- Batches ----------------------------------------------------------------------------------------------------------

CONFIG = ModelConfig()
PLAIN = ModelConfig(mean_value=(0, 0, 0))  # Nothing is subtracted.


def numbered(count=7, first=0, **more):
    """Return a source of examples that show their number, from `first`, as a colour."""

    def load(number, seed):
        frame = tf.fill((4, 6, 3), tf.cast(first + number, tf.uint8))
        mask = tf.fill((4, 6), True)
        return RawSample(frame, mask, mask, frame, mask)

    return Source(load, None, count, **more)


def half_of_an_image(augmentation):
    """Return a source of one black image whose object is its left half."""

    def load(number, seed):
        frame, mask = tf.zeros((4, 6, 3), tf.uint8), tf.constant(4 * [3 * [True] + 3 * [False]])
        return RawSample(frame, mask, mask, frame, mask)

    return Source(load, None, 1, augmentation, weight=1)


def small(**changes):
    """Return options of images of 6x4."""
    return PipelineOptions(**{"im_size": (6, 4)} | changes)


def visits(sources, first, last, **changes):
    """Return the numbers of the examples in each batch."""
    batches = Pipeline(sources, PLAIN, small(**changes)).batches(first, last)
    return [batch.image[:, 0, 0, 0].numpy().astype(int).tolist() for batch in batches]


def test_each_epoch_visits_every_example_once_in_another_order():
    order = np.reshape(visits([numbered(7)], 0, 14, batch_size=2), (4, 7))  # 28 samples: 4 epochs.
    np.testing.assert_array_equal(np.sort(order, axis=1), [range(7)] * 4)
    assert len({tuple(epoch) for epoch in order}) == 4


def test_order_depends_on_the_seed():
    assert visits([numbered(7)], 0, 4) == visits([numbered(7)], 0, 4) != visits([numbered(7)], 0, 4, seed=1)


def test_example_number_is_that_of_the_batches():
    batches = visits([numbered(7)], 2, 9, batch_size=3, seed=5)
    assert np.ravel(batches).tolist() == [int(example_number(i, 7, 5)) for i in range(6, 27)]


def test_an_epoch_may_end_within_a_batch_and_one_example_is_enough():
    assert visits([numbered(1)], 0, 2, batch_size=2) == [[0, 0], [0, 0]]


def test_a_batch_has_one_scale_and_batches_differ_in_it():
    options = small(im_size=(40, 20), data_aug_scales=(0.5, 1, 1.25), batch_size=2)
    sizes = {batch.image.shape for batch in Pipeline([numbered(3)], PLAIN, options).batches(0, 12)}
    assert sizes == {(2, 10, 20, 3), (2, 20, 40, 3), (2, 25, 50, 3)}


@pytest.mark.parametrize("scale", [0.01, 0.04, 16])
def test_a_scale_that_makes_images_vanish_or_beyond_measure_is_refused(scale):
    with pytest.raises(InputError, match=rf"^--data_aug_scales {scale:g} makes images of "):
        PipelineOptions((2000, 20), data_aug_scales=(1.0, scale))


def test_one_specification_describes_batches_of_all_sizes():
    options = small(im_size=(40, 20), data_aug_scales=(0.5, 1), batch_size=2)
    spec = Pipeline([numbered(3)], PLAIN, options).batches(0, 12).element_spec
    assert [field.shape.as_list() for field in spec] == [
        *([2, 224, 224, 3], [2, None, None, 1], [2, None, None, 3], [2, None, None, 1])
    ]


def test_what_a_run_draws_is_what_it_always_drew():
    # The same command is to give the same model also after an update.
    assert visits([numbered(7)], 0, 4, batch_size=2) == [[0, 2], [1, 6], [4, 5], [3, 1]]
    source = half_of_an_image(TargetAugmentation(crop=True, flip=True))
    (batch,) = Pipeline([source], PLAIN, small(batch_size=8)).batches(3, 4)
    flipped = batch.label[:, 0, 0, 0].numpy() == 0
    assert np.flatnonzero(flipped).tolist() == [1, 3, 4, 5]
    options = small(im_size=(40, 20), data_aug_scales=(0.5, 0.8, 1), batch_size=1)
    widths = [batch.image.shape[2] for batch in Pipeline([numbered(3)], PLAIN, options).batches(0, 6)]
    assert widths == [40, 32, 20, 40, 40, 20]


def davis_batches(davis, first, last, **changes):
    source = video_source(davis_examples(davis, 2017, "train", (0, 0)))
    fixed = {"augmentation": Augmentation(vg_color_aug=True), "data_aug_scales": (0.5, 1), "batch_size": 3}
    made = Pipeline([source], CONFIG, PipelineOptions((64, 48), **fixed | changes)).batches(first, last)
    return [[field.numpy() for field in batch] for batch in made]


@pytest.fixture(scope="module")
def batches(davis):
    return davis_batches(davis, 0, 6)


def test_samples_of_davis_have_the_sizes_of_the_network(batches):
    for guide, spatial, image, label in batches:
        height, width = image.shape[1:3]
        assert (height, width) in {(48, 64), (24, 32)}
        assert guide.shape == (3, 224, 224, 3)
        assert spatial.shape == label.shape == (3, height, width, 1)
        assert set(np.unique(label)) == {0, 1}


@pytest.mark.parametrize("num_loader", [0, 1, 4])
def test_a_batch_is_a_function_of_its_step_wherever_batches_start_and_however_parallel(davis, batches, num_loader):
    for ours, theirs in zip(davis_batches(davis, 4, 6, num_loader=num_loader), batches[4:], strict=True):
        for field, expected in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(field, expected)


def test_another_seed_gives_other_batches(davis, batches):
    (other,) = davis_batches(davis, 0, 1, seed=1)
    assert not np.array_equal(other[0], batches[0][0])


# -- Several sources --------------------------------------------------------------------------------------------------


def drawn(sources, count=2000, **changes):
    """Return which of the sources each of `count` samples is drawn from, and which of its examples."""
    made = Pipeline(sources, PLAIN, small(**changes))
    batch = tf.data.Dataset.range(count).map(lambda step: made.example(step, tf.constant(0, tf.int64))).batch(count)
    source, number = next(iter(batch))
    return source.numpy(), number.numpy()


def test_sources_without_weights_give_samples_by_their_numbers_of_examples():
    source, number = drawn([numbered(30), numbered(10)])
    assert np.mean(source == 0) == pytest.approx(0.75, abs=0.03)
    assert set(number[source == 0]) == set(range(30)) and set(number[source == 1]) == set(range(10))


def test_sources_give_samples_in_proportion_to_their_weights():
    source, _ = drawn([numbered(30, weight=1), numbered(10, weight=4), numbered(5, weight=5)])
    np.testing.assert_allclose(np.bincount(source) / 2000, [0.1, 0.4, 0.5], atol=0.03)


@pytest.mark.parametrize("share, expected", [(0.0, {0}), (1.0, {1})])
def test_a_share_of_nothing_or_all_is_exact(share, expected):
    source, _ = drawn(mixed([numbered(3)], [numbered(5)], share), count=500)
    assert set(source) == expected


def test_nothing_mixed_in_leaves_the_epochs_of_one_source():
    alone = [numbered(7)]
    assert mixed(alone, [], 0.5) == alone
    assert visits(mixed(alone, [], 0.5), 0, 4) == visits(alone, 0, 4)


def test_draws_from_several_sources_are_functions_of_seed_step_and_position():
    sources = [numbered(7), numbered(7, first=100)]
    whole = visits(sources, 0, 8, batch_size=3)
    assert visits(sources, 5, 8, batch_size=3) == whole[5:]
    assert visits(sources, 0, 8, batch_size=3, seed=1) != whole
    assert len({tuple(batch) for batch in whole}) == 8
    assert any(number >= 100 for batch in whole for number in batch)


def test_each_source_has_its_own_augmentation():
    half, turned = np.arange(6) < 3, {}
    for flip in (False, True):
        still = half_of_an_image(TargetAugmentation(flip=flip))
        other = numbered(1, weight=0)  # Never drawn.
        (batch,) = Pipeline([other, still], PLAIN, small(batch_size=16)).batches(0, 1)
        turned[flip] = {tuple(label[0, :, 0]) for label in batch.label.numpy()}
    assert turned == {False: {tuple(half)}, True: {tuple(half), tuple(~half)}}


# -- Videos -----------------------------------------------------------------------------------------------------------


def test_flip_target_mirrors_label_and_previous_mask_together_in_some_samples(tmp_path):
    write_sequence(tmp_path, "seq", {1: [rectangle(5, 5, 10, 10)] * 2})
    still = Augmentation(vg_random_crop_ratio=0.0, vg_random_rotate_angle=0.0, sg_center_perturb_ratio=0.0)
    options = PipelineOptions((50, 20), batch_size=16, augmentation=still)
    examples = davis_examples(tmp_path, 2017, "train")
    sides = {}
    for flip in (False, True):
        (batch,) = Pipeline([video_source(examples, flip)], CONFIG, options).batches(0, 1)
        labels, places = batch.label[..., 0].numpy(), batch.spatial[..., 0].numpy()
        sides[flip] = {
            (bool(label[:, :25].any()), bool(place.max(0).argmax() < 25))
            for label, place in zip(labels, places, strict=True)
        }
    assert sides == {False: {(True, True)}, True: {(True, True), (False, False)}}


# -- Distractors ------------------------------------------------------------------------------------------------------


def one_object(colour):
    """Return a source of one image of 64x48 with an object of a colour."""

    def load(number, seed):
        mask = np.zeros((48, 64), bool)
        mask[16:32, 24:40] = True
        frame = tf.constant(np.where(mask[..., None], colour, 0).astype(np.uint8))
        return RawSample(frame, mask, mask, frame, mask)

    return Source(load, None, 1, weight=1)


def colours(share, sources, count=64):
    """Return for each sample which of the colours red, green, blue its image shows, as a tuple of bools."""
    options = PipelineOptions((64, 48), batch_size=count, distractors=share)
    (batch,) = Pipeline(sources, PLAIN, options).batches(0, 1)
    bright = (batch.image.numpy()[..., ::-1] > 128).any((1, 2))
    return [tuple(each.tolist()) for each in bright]


RED, GREEN = (255, 0, 0), (0, 255, 0)


def test_distractors_come_from_all_sources_in_the_share_of_samples_asked_for():
    sources = [one_object(RED), one_object(GREEN)]
    assert set(colours(0.0, sources)) == {(True, False, False), (False, True, False)}
    seen = colours(1.0, sources)
    # Half of the distractors have the target's own colour.
    assert np.mean([red and green for red, green, _ in seen]) == pytest.approx(0.5, abs=0.2)
    fewer = np.mean([red and green for red, green, _ in colours(0.3, sources)])
    assert fewer == pytest.approx(0.15, abs=0.12)


def test_samples_that_get_no_distractor_are_those_of_a_run_without():
    sources = [one_object(RED), one_object(GREEN)]
    made = {}
    for share in (0.0, 0.5):
        options = PipelineOptions((64, 48), batch_size=16, distractors=share)
        pipe = Pipeline(sources, PLAIN, options)
        made[share] = next(iter(pipe.batches(0, 1)))
    wanted = [bool(pipe.distractor(0, position).wanted) for position in range(16)]
    assert 0 < sum(wanted) < 16
    for position in np.flatnonzero(~np.array(wanted)):
        for with_none, with_some in zip(made[0.0], made[0.5], strict=True):
            np.testing.assert_array_equal(with_some[position], with_none[position])


# -- Samples of several frames ----------------------------------------------------------------------------------------

ALL_OF_IT = {"unroll": 3, "distractors": 0.5, "occluders": 0.5, "damaged_masks": 0.5, "look_alikes": 0.5}


@pytest.fixture(scope="module")
def mixed_sources(davis, tmp_path_factory):
    """Return the sources of videos and of a still."""
    still = write_left(tmp_path_factory.mktemp("coco"))
    videos = video_source(davis_examples(davis, 2017, "train", (0, 0)), flip_target=True, longest_gap=3)
    return mixed([videos], coco_sources([str(still)]), 0.5)


def clip_batches(sources, first, last, **changes):
    options = PipelineOptions((64, 48), **{"data_aug_scales": (0.5, 1), "batch_size": 3} | ALL_OF_IT | changes)
    made = Pipeline(sources, CONFIG, options).batches(first, last)
    return made.element_spec, [[field.numpy() for field in batch] for batch in made]


def test_samples_of_several_frames_have_one_specification_and_the_size_of_their_batch(mixed_sources):
    spec, batches = clip_batches(mixed_sources, 0, 3, batch_size=1, data_aug_scales=(0.5, 0.8, 1))
    assert spec.earlier.shape.as_list() == [1, 2, None, None, 3] and spec.other.shape.as_list() == [1, None, None, 1]
    sizes = {batch[2].shape for batch in batches}
    assert sizes == {(1, 48, 64, 3), (1, 38, 51, 3), (1, 24, 32, 3)}
    for _, spatial, image, label, earlier, other in batches:
        assert spatial.shape[:3] == label.shape[:3] == other.shape[:3] == image.shape[:3]
        assert earlier.shape == (1, 2, *image.shape[1:])
        assert set(np.unique(label)) <= {0, 1}


def test_clips_are_functions_of_seed_step_and_position(mixed_sources):
    _, whole = clip_batches(mixed_sources, 0, 5)
    for num_loader in (1, 4):
        _, part = clip_batches(mixed_sources, 3, 5, num_loader=num_loader)
        for ours, theirs in zip(part, whole[3:], strict=True):
            for field, expected in zip(ours, theirs, strict=True):
                np.testing.assert_array_equal(field, expected)
    _, (other, *_) = clip_batches(mixed_sources, 0, 1, seed=1)
    assert not np.array_equal(other[2], whole[0][2])


def test_a_source_without_clips_is_refused():
    with pytest.raises(ValueError, match="a source without clips"):
        Pipeline([numbered(3)], PLAIN, small(unroll=2)).batches(0, 1)


def test_a_damaged_file_that_a_clip_needs_is_named(tmp_path):
    write_sequence(tmp_path, "seq", {1: [BOX] * 6})
    damaged = tmp_path / "JPEGImages/480p/seq/00003.jpg"
    damaged.write_bytes(damaged.read_bytes()[:200])
    source = video_source(davis_examples(tmp_path, 2017, "train"), longest_gap=5)
    with pytest.raises(InputError, match=f"{damaged} is not a readable image"):
        list(Pipeline([source], CONFIG, PipelineOptions((50, 20), batch_size=2, unroll=3)).batches(0, 20))


@pytest.mark.parametrize("name", ["occluders", "damaged_masks", "look_alikes"])
def test_options_of_clips_without_clips_are_refused(name):
    with pytest.raises(InputError, match=rf"^{name}.* does nothing without unroll"):
        PipelineOptions((64, 48), **{name: 0.5})


@pytest.mark.parametrize("more", [{"own_masks": 0.5}, {"augmentation": Augmentation(random_crop_ratio=0.1)}])
def test_options_of_single_frames_beside_clips_are_refused(more):
    with pytest.raises(InputError, match="does nothing with unroll"):
        PipelineOptions((64, 48), unroll=2, **more)


# -- Damaged files ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["JPEGImages/480p/seq/00002.jpg", "Annotations/480p_split/seq/1/00001.png", "JPEGImages/480p/seq/00000.jpg"]
)
def test_batches_name_the_damaged_file(tmp_path, name):
    write_sequence(tmp_path, "seq", {1: [BOX] * 4})
    examples = davis_examples(tmp_path, 2017, "train")
    path = tmp_path / name
    path.write_bytes(path.read_bytes()[:200] if path.suffix == ".jpg" else path.read_bytes()[:40])
    made = Pipeline([video_source(examples)], CONFIG, PipelineOptions((50, 20), batch_size=2))
    with pytest.raises(InputError, match=f"{name} is not a readable image"):
        list(made.batches(0, 3))


def test_batches_before_the_damaged_file_are_given(tmp_path):
    write_sequence(tmp_path, "seq", {1: [BOX] * 4})
    examples = davis_examples(tmp_path, 2017, "train")
    last = int(example_number(2, 3, 0))  # Of the first epoch: step 2.
    (tmp_path / examples[last].frame).write_bytes(b"")
    batches = iter(Pipeline([video_source(examples)], CONFIG, PipelineOptions((50, 20), batch_size=1)).batches(0, 3))
    next(batches), next(batches)
    with pytest.raises(InputError, match=examples[last].frame):
        next(batches)


@pytest.mark.parametrize("option", [None, "distractors", "negative_pairs"])
def test_a_damaged_file_of_any_source_is_named_also_where_another_samples_object_is_shown(tmp_path, option):
    for name in ("whole", "cut"):
        write_sequence(tmp_path / name, "seq", {1: [BOX] * 2})
    sources = [video_source(davis_examples(tmp_path / name, 2017, "train")) for name in ("whole", "cut")]
    damaged = tmp_path / "cut/JPEGImages/480p/seq/00000.jpg"  # The guide.
    damaged.write_bytes(damaged.read_bytes()[:200])
    made = Pipeline(sources, CONFIG, PipelineOptions((50, 20), batch_size=1, **({option: 1.0} if option else {})))
    # The first step that needs the damaged source for its target, or for the other sample's object alone.
    targets = [int(made.example(step, 0)[0]) for step in range(20)]
    draw = made.negative if option == "negative_pairs" else made.distractor
    others = [int(draw(step, 0).example[0]) for step in range(20)]
    wanted = [target or (option and other) for target, other in zip(targets, others, strict=True)]
    step = next(n for n in range(20) if wanted[n] and not (option and targets[n]))
    with pytest.raises(InputError, match=f"{damaged} is not a readable image"):
        list(made.batches(step, step + 1))
