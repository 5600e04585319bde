"""Where samples come from: files read by TensorFlow, the examples of videos, the shares of several sources."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from test_davis import BOX, SIZE, rectangle, write_sequence

from osmn import files, sources
from osmn.data.davis import examples
from osmn.sources import Source, mixed, video_loader

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
    ours = sources.decode_image(str(path)).numpy().astype(int)
    pillows = np.asarray(Image.open(path)).astype(int)
    assert np.abs(ours - pillows).max() <= 1
    assert (ours == pillows).mean() > 0.99


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "P"])
def test_pngs_are_decoded_as_by_pillow_to_the_bit(tmp_path, mode):
    path = tmp_path / "photo.png"
    photo(20, 30).convert(mode).save(path)
    np.testing.assert_array_equal(sources.decode_image(str(path)), files.read_image(path))


def test_grey_jpegs_get_three_channels(tmp_path):
    path = tmp_path / "grey.jpg"
    photo(20, 30).convert("L").save(path)
    decoded = sources.decode_image(str(path)).numpy()
    np.testing.assert_array_equal(decoded, np.asarray(Image.open(path))[:, :, None].repeat(3, axis=2))


@pytest.mark.parametrize("mode", ["L", "1"])
def test_masks_of_0_and_255_and_of_one_bit_are_read(tmp_path, mode):
    path = tmp_path / "mask.png"
    Image.fromarray(255 * BOX.astype(np.uint8)).convert(mode).save(path)
    np.testing.assert_array_equal(sources.decode_mask(str(path)), BOX)


# -- Videos -----------------------------------------------------------------------------------------------------------


def test_loader_draws_among_the_guides_of_the_examples_own_object(tmp_path):
    # The masks tell objects and frames apart by their number of pixels.
    masks = {object_id: [rectangle(0, 0, 10 * object_id + frame, 1) for frame in range(3)] for object_id in (1, 2)}
    write_sequence(tmp_path, "seq", masks)
    load = tf.function(video_loader(examples(tmp_path, 2017, "train", (0, 0))))
    for number, object_id, frame in ((0, 1, 1), (3, 2, 2)):
        loaded = [load(tf.constant(number, tf.int64), [0, seed]) for seed in range(20)]
        assert {int(np.sum(views.guide_mask)) for views in loaded} == {10 * object_id + k for k in range(3)}
        assert loaded[0].frame.shape == (20, 50, 3)
        assert np.sum(loaded[0].previous_mask) == 10 * object_id + frame - 1
        assert np.sum(loaded[0].label) == 10 * object_id + frame


def test_loader_reads_frames_that_are_pngs_and_jpegs(tmp_path):
    write_sequence(tmp_path, "seq", {1: [BOX] * 2})
    first, second = (tmp_path / f"JPEGImages/480p/seq/0000{number}.jpg" for number in range(2))
    Image.new("RGB", SIZE, (10, 20, 30)).save(first.with_suffix(".png"))
    first.unlink()
    second.rename(second.with_suffix(".JPG"))
    load = tf.function(video_loader(examples(tmp_path, 2017, "train")))
    views = load(tf.constant(0, tf.int64), [0, 0])
    np.testing.assert_array_equal(views.guide_frame, np.full((20, 50, 3), (10, 20, 30)))
    assert not views.frame.numpy().any()


# -- Shares -----------------------------------------------------------------------------------------------------------


def test_mixed_sources_have_the_share_asked_for_whatever_their_sizes():
    large, middle, small = (Source(None, None, count) for count in (1000, 30, 10))
    made = mixed([large], [middle, small], 0.4)
    np.testing.assert_allclose(sources.shares(made), [0.6, 0.3, 0.1])
    assert [each.count for each in made] == [1000, 30, 10]
