"""The training batches made of a dataset's examples."""

import argparse

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from test_davis import BOX, SIZE, rectangle, write_sequence

from osmn import args as arguments
from osmn import datasets, files
from osmn.data import davis as davis_data
from osmn.datasets import training_dataset, video_loader
from osmn.errors import InputError
from osmn.samples import SampleOptions

# -- Files read by TensorFlow -----------------------------------------------------------------------------------------


def photo(height, width):
    """Return smooth colours with some noise, as JPEG is made for."""
    rng = np.random.default_rng(0)
    smooth = Image.fromarray(rng.integers(0, 256, (6, 8, 3), np.uint8)).resize((width, height), Image.BICUBIC)
    return Image.fromarray((np.asarray(smooth) * 0.9 + rng.integers(0, 25, (height, width, 3))).astype(np.uint8))


@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
def test_jpegs_are_decoded_as_by_pillow(tmp_path, subsampling):
    path = tmp_path / "photo.jpg"
    photo(93, 131).save(path, quality=90, subsampling=subsampling)
    ours = datasets.decode_image(str(path)).numpy().astype(int)
    pillows = np.asarray(Image.open(path)).astype(int)
    assert np.abs(ours - pillows).max() <= 1
    assert (ours == pillows).mean() > 0.99


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "P"])
def test_pngs_are_decoded_as_by_pillow_to_the_bit(tmp_path, mode):
    path = tmp_path / "photo.png"
    photo(20, 30).convert(mode).save(path)
    np.testing.assert_array_equal(datasets.decode_image(str(path)), files.read_image(path))


def test_loader_reads_frames_that_are_pngs_and_jpegs(tmp_path):
    write_sequence(tmp_path, "seq", {1: [BOX] * 2})
    first, second = (tmp_path / f"JPEGImages/480p/seq/0000{number}.jpg" for number in range(2))
    Image.new("RGB", SIZE, (10, 20, 30)).save(first.with_suffix(".png"))
    first.unlink()
    second.rename(second.with_suffix(".JPG"))
    load = tf.function(video_loader(davis_data.examples(tmp_path, 2017, "train")))
    guide_frame, _, _, frame, _ = load(tf.constant(0, tf.int64), [0, 0])
    np.testing.assert_array_equal(guide_frame, np.full((20, 50, 3), (10, 20, 30)))
    assert not frame.numpy().any()


def test_grey_jpegs_get_three_channels(tmp_path):
    path = tmp_path / "grey.jpg"
    photo(20, 30).convert("L").save(path)
    decoded = datasets.decode_image(str(path)).numpy()
    np.testing.assert_array_equal(decoded, np.asarray(Image.open(path))[:, :, None].repeat(3, axis=2))


@pytest.mark.parametrize("mode", ["L", "1"])
def test_masks_of_0_and_255_and_of_one_bit_are_read(tmp_path, mode):
    path = tmp_path / "mask.png"
    Image.fromarray(255 * BOX.astype(np.uint8)).convert(mode).save(path)
    np.testing.assert_array_equal(datasets.decode_mask(str(path)), BOX)


def test_loader_draws_among_the_guides_of_the_examples_own_object(tmp_path):
    # The masks tell objects and frames apart by their number of pixels.
    masks = {object_id: [rectangle(0, 0, 10 * object_id + frame, 1) for frame in range(3)] for object_id in (1, 2)}
    write_sequence(tmp_path, "seq", masks)
    examples = davis_data.examples(tmp_path, 2017, "train", (0, 0))
    load = tf.function(video_loader(examples))
    for number, object_id, frame in ((0, 1, 1), (3, 2, 2)):
        loaded = [load(tf.constant(number, tf.int64), [0, seed]) for seed in range(20)]
        assert {int(np.sum(guide_mask)) for _, guide_mask, *_ in loaded} == {10 * object_id + k for k in range(3)}
        _, _, previous, image, label = loaded[0]
        assert image.shape == (20, 50, 3)
        assert np.sum(previous) == 10 * object_id + frame - 1
        assert np.sum(label) == 10 * object_id + frame


# -- Batches ----------------------------------------------------------------------------------------------------------

PLAIN = SampleOptions(mean_value=(0, 0, 0))


def numbered(number, seed):
    """Return, as a loader does, an example that shows its number as a colour."""
    frame = tf.fill((4, 6, 3), tf.cast(number, tf.uint8))
    mask = tf.fill((4, 6), True)
    return frame, mask, mask, frame, mask


def visits(count, batch_size, steps, seed=0):
    """Return the numbers of the examples in each batch."""
    batches = training_dataset(numbered, count, PLAIN, (6, 4), (1,), batch_size, seed, steps)
    return [batch.image[:, 0, 0, 0].numpy().astype(int).tolist() for batch in batches]


def test_each_epoch_visits_every_example_once_in_another_order():
    order = np.reshape(visits(count=7, batch_size=2, steps=(0, 14)), (4, 7))  # 28 samples: 4 epochs.
    np.testing.assert_array_equal(np.sort(order, axis=1), [range(7)] * 4)
    assert len({tuple(epoch) for epoch in order}) == 4


def test_order_depends_on_the_seed():
    assert visits(7, 2, (0, 14)) == visits(7, 2, (0, 14)) != visits(7, 2, (0, 14), seed=1)


def test_example_number_is_that_of_the_batches():
    batches = visits(count=7, batch_size=3, steps=(2, 9), seed=5)
    assert np.ravel(batches).tolist() == [int(datasets.example_number(i, 7, 5)) for i in range(6, 27)]


def test_an_epoch_may_end_within_a_batch_and_one_example_is_enough():
    assert visits(count=1, batch_size=2, steps=(0, 2)) == [[0, 0], [0, 0]]


def test_a_batch_has_one_scale_and_batches_differ_in_it():
    batches = training_dataset(numbered, 3, PLAIN, (40, 20), (0.5, 1, 1.25), 2, 0, (0, 12))
    sizes = {batch.image.shape for batch in batches}
    assert sizes == {(2, 10, 20, 3), (2, 20, 40, 3), (2, 25, 50, 3)}


def davis_batches(davis, steps, seed=0, parallel=0):
    examples = davis_data.examples(davis, 2017, "train", (0, 0))
    options = SampleOptions(vg_color_aug=True)
    dataset = training_dataset(
        video_loader(examples), len(examples), options, (64, 48), (0.5, 1), 3, seed, steps, parallel
    )
    return [[field.numpy() for field in batch] for batch in dataset]


@pytest.fixture(scope="module")
def batches(davis):
    return davis_batches(davis, (0, 6))


def test_samples_of_davis_have_the_sizes_of_the_network(batches):
    for guide, spatial, image, label in batches:
        height, width = image.shape[1:3]
        assert (height, width) in {(48, 64), (24, 32)}
        assert guide.shape == (3, 224, 224, 3)
        assert spatial.shape == label.shape == (3, height, width, 1)
        assert set(np.unique(label)) == {0, 1}


@pytest.mark.parametrize("parallel", [0, 1, 4])
def test_a_batch_is_a_function_of_its_step_wherever_the_dataset_starts_and_however_parallel(davis, batches, parallel):
    for ours, theirs in zip(davis_batches(davis, (4, 6), parallel=parallel), batches[4:], strict=True):
        for field, expected in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(field, expected)


def test_another_seed_gives_other_batches(davis, batches):
    (other,) = davis_batches(davis, (0, 1), seed=1)
    assert not np.array_equal(other[0], batches[0][0])


# -- Damaged files ----------------------------------------------------------------------------------------------------


def training_options(**changes):
    parser = argparse.ArgumentParser()
    arguments.add_training_options(parser, [1.0])
    arguments.add_guide_options(parser, SIZE)
    return argparse.Namespace(**vars(parser.parse_args([])) | changes)


@pytest.mark.parametrize(
    "name", ["JPEGImages/480p/seq/00002.jpg", "Annotations/480p_split/seq/1/00001.png", "JPEGImages/480p/seq/00000.jpg"]
)
def test_batches_name_the_damaged_file(tmp_path, name):
    write_sequence(tmp_path, "seq", {1: [BOX] * 4})
    examples = davis_data.examples(tmp_path, 2017, "train")
    path = tmp_path / name
    path.write_bytes(path.read_bytes()[:200] if path.suffix == ".jpg" else path.read_bytes()[:40])
    make_batches = datasets.video_batches(examples, training_options(batch_size=2))
    with pytest.raises(InputError, match=f"{name} is not a readable image"):
        list(make_batches(0, 3))


def test_batches_before_the_damaged_file_are_given(tmp_path):
    write_sequence(tmp_path, "seq", {1: [BOX] * 4})
    examples = davis_data.examples(tmp_path, 2017, "train")
    last = int(datasets.example_number(2, 3, 0))  # Of the first epoch: step 2.
    (tmp_path / examples[last].frame).write_bytes(b"")
    batches = datasets.video_batches(examples, training_options(batch_size=1))(0, 3)
    next(batches), next(batches)
    with pytest.raises(InputError, match=examples[last].frame):
        next(batches)
