"""Where samples come from: files read by TensorFlow, the examples of videos, the shares of several sources."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import ExifTags, Image

from helpers import folder_videos
from helpers.davis_sequences import BOX, SIZE, rectangle, write_sequence
from osmn.data import folders
from osmn.data.davis import examples
from osmn.data.folders import Folders
from osmn.errors import InputError
from osmn.files.images import read_for_tensorflow, read_image, read_labels
from osmn.inputs import sources
from osmn.inputs.options import VideoSamples
from osmn.inputs.sources import Source, mixed, video_loader

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


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "P", "1", "I;16"])
def test_pngs_are_decoded_as_by_pillow_to_the_bit(tmp_path, mode):
    path = tmp_path / "photo.png"
    photo(20, 30).convert(mode).save(path)
    np.testing.assert_array_equal(sources.decode_image(str(path)), read_image(path))


def test_grey_jpegs_get_three_channels(tmp_path):
    path = tmp_path / "grey.jpg"
    photo(20, 30).convert("L").save(path)
    decoded = sources.decode_image(str(path)).numpy()
    np.testing.assert_array_equal(decoded, np.asarray(Image.open(path))[:, :, None].repeat(3, axis=2))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_are_turned_as_their_exif_data_say_in_training_as_in_testing(tmp_path, orientation):
    upright, exif = photo(20, 30), Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    turns = ["FLIP_LEFT_RIGHT", "ROTATE_180", "FLIP_TOP_BOTTOM", "TRANSPOSE", "ROTATE_90", "TRANSVERSE", "ROTATE_270"]
    stored = upright if orientation == 1 else upright.transpose(Image.Transpose[turns[orientation - 2]])
    stored.save(tmp_path / "photo.png", exif=exif)
    stored.save(tmp_path / "photo.jpg", exif=exif, quality=95, subsampling="4:4:4")
    np.testing.assert_array_equal(read_image(tmp_path / "photo.png"), upright)
    assert np.abs(read_image(tmp_path / "photo.jpg").astype(int) - np.asarray(upright)).max() < 40
    for name in ("photo.png", "photo.jpg"):
        ours = sources.decode_image(str(tmp_path / name)).numpy().astype(int)
        assert np.abs(ours - read_image(tmp_path / name)).max() <= 1


def test_masks_are_turned_as_their_exif_data_say(tmp_path):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    labels = 7 * BOX.astype(np.uint8)
    Image.fromarray(labels).transpose(Image.Transpose.ROTATE_90).save(tmp_path / "mask.png", exif=exif)
    np.testing.assert_array_equal(read_labels(tmp_path / "mask.png"), labels)
    np.testing.assert_array_equal(sources.decode_mask(str(tmp_path / "mask.png"), tf.constant(7, tf.int64)), BOX)


def test_exif_data_that_cannot_be_read_say_nothing(tmp_path):
    path = tmp_path / "photo.jpg"
    photo(20, 30).save(path, exif=b"Exif\0\0no such data")
    assert read_image(path).shape == sources.decode_image(str(path)).shape == (20, 30, 3)


def test_frames_of_16_bits_lose_their_lower_8(tmp_path):
    path, grey = tmp_path / "frame.png", np.arange(600).reshape(20, 30) * 100
    Image.fromarray(grey.astype(np.uint16)).save(path)
    expected = np.repeat((grey >> 8)[..., None], 3, axis=2)
    np.testing.assert_array_equal(read_image(path), expected)
    np.testing.assert_array_equal(sources.decode_image(str(path)), expected)


def test_jpegs_of_four_colours_are_those_of_pillow(tmp_path):
    path = tmp_path / "photo.jpg"
    photo(20, 30).convert("CMYK").save(path)
    np.testing.assert_array_equal(sources.decode_image(str(path)), read_image(path))


@pytest.mark.parametrize("kind", ["BMP", "GIF", "TIFF", "WEBP", "EPS", "PPM", "JPEG"])
def test_other_formats_than_the_meant_ones_are_refused_and_named(tmp_path, kind):
    for name, read in (("frame.jpg", read_image), ("frame.png", read_for_tensorflow)):
        if kind != "JPEG":
            photo(20, 30).save(tmp_path / name, kind)
            with pytest.raises(InputError, match=rf"{name} is not a readable image \(it is no JPEG or PNG\)"):
                read(tmp_path / name)
    Image.fromarray(40 * BOX.astype(np.uint8)).save(tmp_path / "mask.png", kind)  # A JPEG would have 238 objects.
    with pytest.raises(InputError, match=r"mask.png is not a readable image \(it is no PNG\)"):
        read_labels(tmp_path / "mask.png")
    with pytest.raises(InputError, match=r"mask\.png is not a readable image"):
        sources.decode_mask(str(tmp_path / "mask.png"), tf.constant(0, tf.int64))


@pytest.mark.parametrize("mode", ["L", "1"])
def test_masks_of_0_and_255_and_of_one_bit_are_read(tmp_path, mode):
    path = tmp_path / "mask.png"
    Image.fromarray(255 * BOX.astype(np.uint8)).convert(mode).save(path)
    np.testing.assert_array_equal(sources.decode_mask(str(path), tf.constant(0, tf.int64)), BOX)


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


def test_a_training_draws_from_its_dataset_from_more_videos_and_from_stills_by_their_shares(tmp_path):
    box_mask = folder_videos.box(4, 4, 20, 12)
    for name, length in (("a", 4), ("b", 3)):
        names = [str(number) for number in range(length)]
        folder_videos.write_frames(tmp_path / name / "frames/v", [{1: box_mask}] * length, names)
        folder_videos.write_label_masks(tmp_path / name / "masks/v", [{1: box_mask}] * length, names)
    own = folders.examples(Folders(tmp_path / "a/frames", tmp_path / "a/masks"))
    more = ([str(tmp_path / "b/frames"), str(tmp_path / "b/masks")],)
    by_number = sources.of_training(own, VideoSamples(more_videos=more))
    np.testing.assert_allclose(sources.shares(by_number), [3 / 5, 2 / 5])
    chosen = sources.of_training(own, VideoSamples(more_videos=more, video_shares=(1, 3), flip_target=True))
    np.testing.assert_allclose(sources.shares(chosen), [1 / 4, 3 / 4])
    assert all(source.augmentation.flip for source in chosen)
    with pytest.raises(InputError, match="video_shares has 1 numbers; give one for DATA_PATH and one for each"):
        VideoSamples(more_videos=more, video_shares=(1,))
