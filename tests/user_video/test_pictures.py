"""Videos of pictures: folders of any kind of picture, of 8 to 16 bits; animated WebP; TIFF of several pages."""

from fractions import Fraction

import cv2
import numpy as np
import pytest
from PIL import Image

from helpers.clips import TICK, difference, pictures, read
from osmn.errors import InputError
from osmn.user_video.media.reader import frame_at, open_frames


@pytest.mark.parametrize("suffix", ["bmp", "tif", "TIFF", "webp", "png"])
def test_frames_of_a_folder_may_be_of_any_usual_kind(tmp_path, suffix):
    for number, image in enumerate(pictures()):
        Image.fromarray(image).save(tmp_path / f"{number}.{suffix}", lossless=True)
    got = read(tmp_path)
    assert [frame.name for frame in got] == list("012345")
    for frame, image in zip(got, pictures(), strict=True):
        np.testing.assert_array_equal(frame.image, image)


@pytest.mark.parametrize("colors", [False, True])
@pytest.mark.parametrize("suffix", ["png", "tif"])
@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
def test_of_16_bits_those_that_the_camera_fills_are_seen(tmp_path, bits, suffix, colors):
    images = [image if colors else image[..., 1] for image in pictures()]
    images[3] = np.full_like(images[3], 255)
    for number, image in enumerate(images):
        deep = (image.astype(np.uint16) << (bits - 8)) | ((1 << (bits - 8)) - 1)
        cv2.imwrite(str(tmp_path / f"{number}.{suffix}"), deep[..., ::-1] if colors else deep)
    for frame, image in zip(read(tmp_path), images, strict=True):
        np.testing.assert_array_equal(frame.image, image if colors else np.dstack([image] * 3))


def test_a_dark_first_frame_of_16_bits_stays_dark(tmp_path):
    for number, level in enumerate((900, 60000)):
        cv2.imwrite(str(tmp_path / f"{number}.png"), np.full((8, 12), level, np.uint16))
    assert [int(frame.image.max()) for frame in read(tmp_path)] == [900 >> 8, 60000 >> 8]


def test_frames_of_floating_point_values_are_named_with_what_to_do(tmp_path):
    Image.fromarray(np.zeros((8, 12), np.float32)).save(tmp_path / "0.tif")
    with pytest.raises(InputError, match=r"0\.tif has other values than .* convert all frames to 8 or 16 bits"):
        read(tmp_path)


def test_a_folder_without_frames_says_what_it_holds(tmp_path):
    for number in range(3):
        (tmp_path / f"{number}.exr").touch()
    (tmp_path / "notes.txt").touch()
    with pytest.raises(InputError, match=r"holds no frames .*, but 3 of \.exr; convert these to PNG"):
        read(tmp_path)


@pytest.mark.parametrize("mask", ["0_mask.png", "0.png"])
def test_what_is_given_as_a_mask_is_no_frame(tmp_path, mask):
    for number, image in enumerate(pictures()):
        Image.fromarray(image).save(tmp_path / f"{number}.jpg")
    Image.fromarray(np.zeros((48, 64), np.uint8)).save(tmp_path / mask)
    link = tmp_path.parent / f"{tmp_path.name}-link"
    link.symlink_to(tmp_path)
    for folder in (tmp_path, link):
        assert [frame.name for frame in read(folder, leave_out=[link / mask])] == list("012345")
    with open_frames(tmp_path, leave_out=[tmp_path / mask, tmp_path.parent / "elsewhere.png"]) as frames:
        assert frames.remarks == [f"{tmp_path / mask} is given as a mask, and is no frame"]


def animation(path, durations, **settings):
    images = [Image.fromarray(image) for image in pictures(4)]
    images[0].save(path, save_all=True, append_images=images[1:], duration=durations, **settings)
    return path


def test_an_animated_webp_is_read_with_its_times(tmp_path):
    path = animation(tmp_path / "clip.webp", [40, 120, 10, 600], lossless=True)
    with open_frames(path) as frames:
        got = list(frames)
        assert frames.last == (Fraction("0.26"), Fraction("0.86"))
        assert frames.missing == 0
    assert [frame.seconds for frame in got] == [0, Fraction("0.04"), Fraction("0.16"), Fraction("0.26")]
    for frame, image in zip(got, pictures(4), strict=True):
        np.testing.assert_array_equal(frame.image, image)
    assert frame_at(path, Fraction("0.04")) is None  # Read it from the beginning.


@pytest.mark.parametrize("bits", [8, 12])
@pytest.mark.parametrize("colors", [False, True])
def test_the_pages_of_a_tiff_are_frames(tmp_path, bits, colors):
    images = [image if colors else image[..., 1] for image in pictures()]
    images[2] = np.full_like(images[2], 255)
    pages = [image if bits == 8 else image.astype(np.uint16) << 4 for image in images]
    cv2.imwritemulti(str(tmp_path / "stack.tif"), [page[..., ::-1] if colors else page for page in pages])
    got = read(tmp_path / "stack.tif")
    assert [frame.seconds for frame in got] == [Fraction(number, 24) for number in range(6)]
    for frame, image in zip(got, images, strict=True):
        np.testing.assert_array_equal(frame.image, image if colors else np.dstack([image] * 3))


def test_pages_of_other_sizes_are_named(tmp_path):
    sizes = [Image.new("RGB", size) for size in ((64, 48), (32, 24))]
    sizes[0].save(tmp_path / "stack.tif", save_all=True, append_images=sizes[1:])
    with pytest.raises(InputError, match=r"stack\.tif, page 2, is 32x24, the frames before it 64x48"):
        read(tmp_path / "stack.tif")


def test_a_damaged_webp_is_one_line_that_names_it(tmp_path):
    path = animation(tmp_path / "clip.webp", [40, 120, 40, 40])
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(InputError, match=r"clip\.webp") as caught:
        read(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("given", "shown"), [(0, 100), (10, 100), (20, 20), (50, 50)])
def test_a_gif_plays_as_browsers_play_it(tmp_path, given, shown):
    path = animation(tmp_path / "clip.gif", given, loop=0)
    with open_frames(path) as frames:
        got = list(frames)
        assert frames.missing == 0
        assert frames.rate == Fraction(1000, shown)
        assert frames.last == (Fraction(3 * shown, 1000), Fraction(4 * shown, 1000))
    assert [frame.seconds for frame in got] == [Fraction(number * shown, 1000) for number in range(4)]
    assert difference(got[3].image, list(pictures(4))[3]) < 25


def test_only_the_short_frames_of_a_gif_are_shown_longer(tmp_path):
    path = animation(tmp_path / "clip.gif", [40, 10, 80, 40])
    assert [frame.seconds for frame in read(path)] == [0, TICK, TICK + Fraction(1, 10), Fraction("0.22")]
