"""Masks that people give, as programs write them: each is read as a person sees it, or refused with what settles it."""

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter

import osmn
from helpers.mask_files import (
    BLACK,
    BLUE,
    BOX,
    DAVIS,
    DISK,
    GREEN,
    HEIGHT,
    IDS,
    RED,
    SIZE,
    WHITE,
    WIDTH,
    X,
    Y,
    colors,
    gray,
    indexed,
    photograph,
    soft,
)  # fmt: skip
from osmn.errors import InputError
from osmn.user_video.given.masks import read_mask

RAMP = np.repeat(np.arange(256)[:, None], 3, 1)
DISK_ALONE = DISK.astype(np.uint8)
# Only near a border may a pixel go one way or the other.
INSIDE = np.asarray(Image.fromarray(IDS).filter(ImageFilter.MinFilter(5))) == np.asarray(
    Image.fromarray(IDS).filter(ImageFilter.MaxFilter(5))
)


def read(picture, path, reading=None, **save):
    """Return what is read of a picture that is written to `path`."""
    picture.save(path, **save)
    return read_mask(path, reading)


def jet_ends():
    return indexed([0, 128, 255], [(255 - abs(2 * i - 255), 0, i) for i in range(256)])


def watershed(dtype):
    """Return what OpenCV's watershed leaves: 1 around, 2 and 3, and lines, also along the border."""
    labels = IDS.astype(np.int32) + 1
    lines = ~INSIDE & (np.asarray(Image.fromarray(IDS).filter(ImageFilter.MaxFilter(3))) != IDS)
    lines[[0, -1]] = lines[:, [0, -1]] = True
    labels[lines] = -1
    return Image.fromarray(labels.astype(dtype)), np.where(lines | (IDS == 0), 0, IDS + 1)


EXACT = {
    "two_ids.png": (gray([0, 1, 2]), IDS),
    "far_ids.png": (gray([0, 7, 200]), np.uint8([0, 7, 200])[IDS]),
    "black_and_white.png": (gray([0, 255], DISK_ALONE), DISK_ALONE),
    "one_bit.png": (gray([0, 255], DISK_ALONE).convert("1"), DISK_ALONE),
    "one_bit.tif": (gray([0, 255], DISK_ALONE).convert("1"), DISK_ALONE),
    "gray_as_rgb.png": (gray([0, 1, 2]).convert("RGB"), IDS),
    "gray_and_alpha.png": (gray([0, 255], DISK_ALONE).convert("LA"), DISK_ALONE),
    "16_bits.png": (gray([0, 1, 2], dtype=np.uint16), IDS),
    "16_bits_white.png": (gray([0, 65535], DISK_ALONE, np.uint16), DISK_ALONE),
    "16_bits_of_8.png": (gray([0, 257, 514], dtype=np.uint16), IDS),
    "32_bits.tif": (gray([0, 1, 2], dtype=np.int32), IDS),
    "real.tif": (gray([0, 1, 2], dtype=np.float32), IDS),
    "davis.png": (indexed([0, 1, 2], DAVIS), IDS),
    "davis.bmp": (indexed([0, 1, 2], DAVIS), IDS),
    "davis_far.png": (indexed([0, 3, 9], DAVIS), np.uint8([0, 3, 9])[IDS]),
    "davis_permuted.png": (indexed([2, 0, 1], DAVIS[[1, 2, 0]]), IDS),
    "davis_191.png": (indexed([1, 0, 2], [(128, 0, 0), (0, 0, 0), (191, 0, 0)]), np.uint8([0, 1, 9])[IDS]),
    "aot_permuted.png": (indexed([1, 0, 2], [(22, 22, 22), BLACK, (128, 0, 0)]), np.uint8([0, 22, 1])[IDS]),
    "grays_permuted.png": (indexed([2, 1, 0], [(2, 2, 2), (1, 1, 1), BLACK]), IDS),
    "white_is_0.png": (indexed([1, 0], [WHITE, BLACK], DISK_ALONE), DISK_ALONE),
    "black_is_2.png": (indexed([2, 0, 1], [RED, GREEN, BLACK]), IDS),
    "own_colors.png": (indexed([0, 4, 6], [BLACK, RED, RED, RED, GREEN, RED, BLUE]), np.uint8([0, 4, 6])[IDS]),
    "imagej.png": (indexed([0, 255], 255 - RAMP, DISK_ALONE), DISK_ALONE),
    "octave.png": (indexed([0, 1, 2], [BLACK, (127,) * 3, WHITE]), IDS),
    "octave_128.png": (indexed([0, 1, 2], [BLACK, (128,) * 3, WHITE]), IDS),
    "davis_2016.png": (indexed([0, 1], [BLACK, WHITE, BLACK, BLACK], DISK_ALONE), DISK_ALONE),
    "one_color_twice.png": (indexed([0, 2, 3], [BLACK, RED, RED, RED]), np.uint8([0, 2, 3])[IDS]),
    "viridis.png": (indexed([0, 1, 2], [(68, 1, 84), (33, 145, 140), (253, 231, 37)]), IDS),
    "jet.png": (jet_ends(), np.uint8([0, 128, 255])[IDS]),
    "gimp_white.png": (indexed([2, 0, 1], [RED, GREEN, WHITE]), IDS),
    "void.png": (gray([0, 1, 255]), DISK_ALONE),
    "void_indexed.png": (indexed([0, 1, 255], DAVIS), DISK_ALONE),
    "stretched.png": (gray([0, 128, 255]), IDS),
    "stretched_127.png": (gray([0, 127, 255]), IDS),
    "stretched_of_3.png": (gray([0, 85, 255]), IDS),
    "stretched_16.png": (gray([0, 32768, 65535], dtype=np.uint16), IDS),
    "no_0.png": (gray([1, 2, 3]), np.uint8([0, 2, 3])[IDS]),
    "white_gray.png": (gray([255, 60, 120]), IDS),
    "limited_range.png": (gray([16, 235], DISK_ALONE), DISK_ALONE),
    "gray_on_nothing.png": (colors([(0, 0, 0, 0), (200, 200, 200, 255)], DISK_ALONE), DISK_ALONE),
    "watershed.png": (watershed(np.uint8)[0], watershed(np.uint8)[1]),
    "watershed.tif": (watershed(np.int32)[0], watershed(np.int32)[1]),
    "red.png": (colors([BLACK, RED], DISK_ALONE), DISK_ALONE),
    "red.webp": (colors([BLACK, RED], DISK_ALONE), DISK_ALONE),
    "colors.bmp": (colors([BLACK, BLUE, RED]), IDS),
    "colors.tif": (colors([BLACK, BLUE, RED]), IDS),
    "davis_rgb.png": (colors([BLACK, (0, 128, 0), (128, 0, 0)]), np.uint8([0, 2, 1])[IDS]),
    "white_canvas.png": (colors([WHITE, BLUE, (0, 255, 255)]), IDS),
    "jet_ends_on_white.png": (colors([WHITE, (0, 0, 128), (128, 0, 0)]), IDS),
    "panoptic.png": (colors([BLACK, (2, 0, 0), (1, 0, 0)]), np.uint8([0, 2, 1])[IDS]),
    "rgba.png": (colors([(0, 0, 0, 0), (255, 255, 255, 255)], DISK_ALONE), DISK_ALONE),
    "black_on_nothing.png": (colors([(255, 255, 255, 0), (0, 0, 0, 255)], DISK_ALONE), DISK_ALONE),
    "overlay.png": (colors([(255, 255, 255, 0), (241, 79, 107, 89), (130, 242, 36, 89)]), IDS),
    "black_and_red_on_nothing.png": (colors([(9, 9, 9, 0), (0, 0, 0, 255), (255, 0, 0, 255)]), IDS),
    "opaque.png": (colors([(0, 0, 0, 255), (0, 0, 255, 255), (255, 0, 0, 255)]), IDS),
    "cityscapes.png": (gray([7, 26000, 26001], dtype=np.uint16), IDS),
    "mots.png": (gray([0, 2005, 10000], dtype=np.uint16), DISK_ALONE),
    "wide.png": (gray([0, 300, 4000], dtype=np.uint16), IDS),
}


@pytest.mark.parametrize("name", EXACT)
def test_exact_masks_are_read_to_the_pixel(tmp_path, name):
    picture, right = EXACT[name]
    options = {"lossless": True} if name.endswith("webp") else {}
    np.testing.assert_array_equal(read(picture, tmp_path / name, **options).labels, right)


SOFT = {
    "soft_gray.png": (soft([BLACK, WHITE, BLACK]).convert("L"), DISK_ALONE),
    "soft_rgb.png": (soft([BLACK, RED, GREEN]), IDS),
    "soft_on_white.png": (soft([WHITE, RED, GREEN]), IDS),
    "soft_gray_labels.png": (soft([BLACK, (128,) * 3, WHITE]).convert("L"), IDS),
    "soft_indexed.png": (soft([BLACK, RED, GREEN]).quantize(64), IDS),
    "soft_gray_indexed.png": (soft([BLACK, WHITE, BLACK]).convert("L").quantize(17), DISK_ALONE),
    "soft_16_bits.png": (
        Image.fromarray(np.round(np.asarray(soft([BLACK, WHITE, BLACK]).convert("F")) * 256.99).astype(np.uint16)),
        DISK_ALONE,
    ),
    "soft_black_on_nothing.png": (soft([(0, 0, 0, 0), (0, 0, 0, 255), (0, 0, 0, 0)]), DISK_ALONE),
    "soft_colors_on_nothing.png": (soft([(0, 0, 0, 0), (255, 0, 0, 255), (0, 0, 255, 255)]), IDS),
    "large_pixels.png": (soft([BLACK, WHITE, BLACK]).convert("L").resize((30, 20)).resize(SIZE, 0), DISK_ALONE),
    "feathered.png": (soft([BLACK, WHITE, BLACK]).convert("L").filter(ImageFilter.GaussianBlur(4)), DISK_ALONE),
    "gray.jpg": (gray([0, 255], DISK_ALONE), DISK_ALONE),
    "two_grays.jpg": (gray([0, 128, 255]), IDS),
    "colors.jpg": (colors([BLACK, RED, GREEN]), IDS),
    "davis.jpg": (colors(DAVIS[:3]), IDS),
    "on_white.jpg": (colors([WHITE, RED, BLUE]), IDS),
    "dark_grays.jpg": (gray([0, 20, 40]), IDS),
    "on_nothing.webp": (colors([(0, 0, 0, 0), (255, 0, 0, 255), (0, 0, 255, 255)]), IDS),
    "lossy.webp": (colors([BLACK, RED, GREEN]), IDS),
}


@pytest.mark.parametrize("name", SOFT)
def test_shades_at_borders_are_no_objects(tmp_path, name):
    picture, right = SOFT[name]
    found = read(picture, tmp_path / name)
    assert np.unique(found.labels).tolist() == np.unique(right).tolist()
    np.testing.assert_array_equal(found.labels[INSIDE], right[INSIDE])
    assert "half and more is the object's" in found.note or "transparent" in found.note


def test_a_shade_of_half_is_the_objects(tmp_path):
    values = np.where(DISK, 255, 0).astype(np.uint8)
    values[34, 54:57] = 128, 127, 60
    assert read(Image.fromarray(values), tmp_path / "mask.png").labels[34, 53:57].tolist() == [1, 1, 0, 0]


FRAME = photograph()
PHOTOGRAPHS = {
    "frame.png": Image.fromarray(FRAME),
    "frame.jpg": Image.fromarray(FRAME),
    "frame.webp": Image.fromarray(FRAME),
    "frame_gray.png": Image.fromarray(FRAME).convert("L"),
    "frame_gray.jpg": Image.fromarray(FRAME).convert("L"),
    "frame_256.png": Image.fromarray(FRAME).quantize(256),
    "frame_web.png": Image.fromarray(FRAME).convert("P"),
    "frame_rgba.png": Image.fromarray(FRAME).convert("RGBA"),
    "frame_dots.png": Image.fromarray(FRAME).convert("1"),
    "frame_blurred.png": Image.fromarray(FRAME).filter(ImageFilter.GaussianBlur(2)),
    "frame_blurred_gray.png": Image.fromarray(FRAME).filter(ImageFilter.GaussianBlur(2)).convert("L"),
    "frame_dark.png": Image.fromarray(FRAME // 8).convert("L"),
    "frame_by_night.png": Image.fromarray(
        np.where((X > 60) & (Y > 50), FRAME[..., 0], 255 * (X < 9) * (Y < 9)).astype("u1")
    ),
    "dithered.png": colors([BLACK, (230, 25, 75), (60, 180, 75)]).convert("P"),
    "smooth.png": Image.fromarray(np.stack([X + 60, Y + 60, X // 2 + Y], axis=-1).astype(np.uint8)),
}


@pytest.mark.parametrize("name", PHOTOGRAPHS)
def test_a_photograph_is_no_mask(tmp_path, name):
    with pytest.raises(InputError, match=f"{name} is a photograph, or a drawing with too many shades, and no mask"):
        read(PHOTOGRAPHS[name], tmp_path / name)


def test_a_tiff_in_which_0_is_white_has_its_values(tmp_path):
    """ImageJ and tifffile write masks so: what is black to see is 255, or 1 of 1 bit."""
    for mode in ("L", "1"):
        picture = gray([255, 0], DISK_ALONE).convert(mode)
        found = read(picture, tmp_path / "mask.tif", tiffinfo={262: 0}).labels
        assert Image.open(tmp_path / "mask.tif").tag_v2[262] == 0
        np.testing.assert_array_equal(found, DISK_ALONE)


def test_an_object_cut_out_of_its_frame_is_one_object(tmp_path):
    cut = np.dstack([FRAME, np.where(DISK, 255, 0).astype(np.uint8)])
    np.testing.assert_array_equal(read(Image.fromarray(cut), tmp_path / "cut.png").labels, DISK_ALONE)


def test_usual_masks_are_read_without_a_word_and_others_with_a_line(tmp_path):
    quiet = (
        "two_ids.png",
        "far_ids.png",
        "black_and_white.png",
        "one_bit.png",
        "davis.png",
        "davis_far.png",
        "octave.png",
    )
    for name in quiet:
        assert not read(EXACT[name][0], tmp_path / name).note
    for name, words in {
        "stretched.png": "its grays 0, 128, 255 are evenly spread labels, by rank: 128 is object 1, 255 is object 2",
        "void.png": "255 beside small ids is void: background",
        "no_0.png": "its background is gray 1, the color of its border",
        "wide.png": "ids are renumbered: 300 is object 1, 4000 is object 2",
        "colors.bmp": "its colors are objects, in order of appearance: objects 1, 2",
        "white_canvas.png": "its background is white, the color of its border",
        "davis_permuted.png": "its palette is DAVIS's in another order: the colors give the ids",
        "rgba.png": "its transparent pixels are the background",
    }.items():
        assert words in read(EXACT[name][0], tmp_path / name).note


@pytest.mark.parametrize(
    ("reading", "picture", "right"),
    [
        ("ids", gray([0, 1, 255]), np.uint8([0, 1, 255])[IDS]),
        ("ids", gray([0, 128, 255]), np.uint8([0, 128, 255])[IDS]),
        ("ids", indexed([2, 0, 1], DAVIS[[1, 2, 0]]), np.uint8([2, 0, 1])[IDS]),
        ("colors", colors([BLACK, (2, 0, 0), (1, 0, 0)]), IDS),
        ("soft", gray([0, 255], DISK_ALONE).filter(ImageFilter.GaussianBlur(2)), DISK_ALONE),
        ("ranks", gray([0, 100, 255]), IDS),
        ("ranks", gray([10, 100, 255]), IDS),
        ("panoptic", colors([BLACK, (44, 1, 0), (9, 0, 0)]), np.uint8([0, 2, 1])[IDS]),
    ],
)
def test_a_reading_that_is_asked_for_is_taken(tmp_path, reading, picture, right):
    found = read(picture, tmp_path / "mask.png", reading).labels
    np.testing.assert_array_equal(found[INSIDE], right[INSIDE])


@pytest.mark.parametrize(
    ("picture", "words"),
    [
        (gray([0, 1, 2], np.where(X < 60, 1, 2)).point(lambda value: value + 4), "has no 0, and no color all around"),
        (colors([RED, GREEN, BLUE], np.where(X < 60, 1, 2)), "neither black nor a color all around"),
        (indexed([1, 2, 3], [BLACK, RED, GREEN, BLUE], np.where(X < 60, 1, 2)), "neither black nor a color all around"),
        (Image.fromarray(np.arange(WIDTH * HEIGHT, dtype=np.uint16).reshape(HEIGHT, WIDTH) // 16), "at most 255"),
    ],
)
def test_what_stays_unclear_is_refused_with_the_readings_that_settle_it(tmp_path, picture, words):
    with pytest.raises(InputError, match=words) as error:
        read(picture, tmp_path / "mask.png")
    if "255" not in words:
        reading = str(error.value).partition("mask_reading='")[2].split("'")[0]
        assert read(picture, tmp_path / "mask.png", reading).labels.any()


def test_other_files_are_named_for_what_they_are(tmp_path):
    labels = IDS.astype(np.int64)
    np.save(tmp_path / "a.npy", labels)
    np.savez(tmp_path / "a.npz", labels=labels)
    gray([0, 1, 2]).save(tmp_path / "a.gif")
    gray([0, 1, 2]).save(tmp_path / "a.tif", save_all=True, append_images=[gray([0, 1, 2])])
    (tmp_path / "a.nrrd").write_bytes(b"NRRD0004\n")
    (tmp_path / "a.roi").write_bytes(b"Iout" + bytes(60))
    (tmp_path / "a.nii").write_bytes(bytes(344) + b"n+1\0")
    (tmp_path / "a.json").write_text('{"made by": "a tool of tomorrow"}')
    for name, words in {
        "a.npy": "is an array of NumPy, no mask that is read here; make a PNG of it: python -c",
        "a.npz": "is an archive of NumPy's arrays",
        "a.gif": "is a GIF",
        "a.tif": "holds 2 pictures; give the one of this frame",
        "a.nrrd": "is an NRRD file",
        "a.roi": r"is a selection \(ROI\) of ImageJ",
        "a.nii": "is a NIfTI file",
        "a.json": "is JSON or XML of no tool that is known here",
    }.items():
        with pytest.raises(InputError, match=words):
            read_mask(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "begins", "words"),
    [
        ("mask.svg", b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg">', "is an SVG, no mask"),
        ("mask.heic", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "is an HEIC picture"),
        ("matte.mp4", b"\0\0\0\x20ftypisom\0\0\2\0isomiso2avc1mp41", "is a video"),
        ("mask.dcm", b"\0" * 128 + b"DICM", "is a DICOM file"),
        ("mask.exr", b"v/1\x01", "is an OpenEXR picture"),
        ("mask.jxl", b"\xff\x0a", "is a JPEG XL picture.*: djxl mask.jxl mask.png"),
        ("mask.png", b"<!DOCTYPE html><html>404", "is a web page: the download failed"),
        ("mask.png", b"", "is an empty file"),
    ],
)
def test_a_file_that_is_no_picture_here_is_named_by_how_it_begins(tmp_path, name, begins, words):
    (tmp_path / name).write_bytes(begins + b"\0" * (400 if begins else 0))
    with pytest.raises(InputError, match=f"{name} {words}"):
        read_mask(tmp_path / name)


@pytest.mark.parametrize("kind", ["TGA", "PCX", "ICO", "SGI"])
def test_a_picture_of_another_kind_is_named_with_what_converts_it(tmp_path, kind):
    path = tmp_path / f"mask.{kind.lower()}"
    gray([0, 255], DISK_ALONE).convert("L").save(path)
    with pytest.raises(InputError, match=f"of the kind {kind} .*i.open\\('{path.name}'\\).save\\('mask.png'\\)"):
        read_mask(path)


def test_a_picture_that_is_transparent_all_over_shows_no_object(tmp_path):
    for mode in ("RGBA", "LA"):
        assert not read(Image.new(mode, SIZE), tmp_path / "mask.png").labels.any()


def test_a_small_object_of_its_own_is_no_shade(tmp_path):
    labels = IDS.copy()
    labels[5:8, 100:103] = 3
    for values in ([0, 60, 200, 130], [0, 255, 60, 128]):
        found = read(gray(values, labels), tmp_path / "mask.png").labels
        assert len(np.unique(found)) == 4 and (found[5:8, 100:103] == found[6, 101]).all()


def test_thin_lines_beside_small_ids_are_objects(tmp_path):
    picture = Image.new("L", SIZE)
    ImageDraw.Draw(picture).ellipse((20, 20, 60, 60), fill=2, outline=1, width=2)
    np.testing.assert_array_equal(read(picture, tmp_path / "mask.png").labels, np.asarray(picture))


def test_what_is_painted_on_nothing_may_be_a_box_alone(tmp_path):
    found = read(colors([(0, 0, 0, 0), (0, 0, 0, 0), (10, 20, 30, 255)]), tmp_path / "mask.png").labels
    np.testing.assert_array_equal(found, BOX.astype(np.uint8))


def test_python_reads_the_objects_of_a_picture_at_the_size_of_the_frames(tmp_path):
    gray([0, 100, 255]).save(tmp_path / "mask.png")
    found = osmn.read_objects(tmp_path / "mask.png", size=(2 * WIDTH, 2 * HEIGHT), mask_reading="ranks")
    assert list(found) == [1, 2]
    np.testing.assert_array_equal(found[2], np.kron(BOX, np.ones((2, 2), bool)))


def test_a_way_to_read_a_mask_that_is_none_is_named_with_those_that_are(tmp_path):
    gray([0, 100, 255]).save(tmp_path / "mask.png")
    with pytest.raises(InputError, match=r"^mask_reading='foo' is no way to read a mask; give ids, colors, soft"):
        osmn.read_objects(tmp_path / "mask.png", mask_reading="foo")
