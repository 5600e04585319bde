"""Labels: which pictures are read as labels, and as which."""

import struct
import zlib

import cv2
import numpy as np
import pytest
from PIL import ExifTags, Image, ImageFilter

from osmn.errors import InputError
from osmn.files.images import read_labels, write_labels, write_mask
from osmn.masks import davis_palette


def plain(packed):
    """Return rows of bytes, (H, n), as a PNG stores them where it filters none: each behind a 0."""
    return np.pad(packed, ((0, 0), (1, 0))).tobytes()


def up(packed):
    """Return rows of bytes with the filter 2: each as what it has more than the row above it."""
    return np.insert(np.diff(packed, axis=0, prepend=np.uint8(0)), 0, 2, axis=1).tobytes()


def up_in_one_row(packed):
    """Return rows of bytes of which the last one has the filter 2."""
    return plain(packed[:-1]) + up(packed)[-1 - packed.shape[1] :]


def png(path, bits, rows, indexed=False, stored=plain, chunk=1000, extra=()):
    """Write labels as a grey or indexed PNG of 1, 2, 4 or 8 bits, as Pillow does not write it."""
    height, width = rows.shape
    places = rows[..., None] >> np.arange(bits)[::-1] & 1
    pixels = zlib.compress(stored(np.packbits(places.reshape(height, -1).astype(np.uint8), axis=1)))
    parts = [("IHDR", struct.pack(">2I5B", width, height, bits, 3 if indexed else 0, 0, 0, 0))]
    parts += [("PLTE", bytes(davis_palette()[: 3 << bits]))] if indexed else []
    parts += [("IDAT", pixels[start : start + chunk]) for start in range(0, len(pixels), chunk)] + [
        *extra,
        ("IEND", b""),
    ]
    chunks = [(name.encode() + content, len(content)) for name, content in parts]
    content = b"".join(struct.pack(">I", size) + chunk + struct.pack(">I", zlib.crc32(chunk)) for chunk, size in chunks)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + content)


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_labels_in_grey_are_as_they_are_or_refused_where_bits_make_them_ambiguous(tmp_path, bits):
    rows = np.array([[0, 1, 0, 1], [1, 1, 0, 0]], np.uint8)
    png(tmp_path / "mask.png", bits, rows)
    if bits in (2, 4):
        with pytest.raises(InputError, match=rf"mask\.png is a grey image of {bits} bits, .*; save it in 8 bits"):
            read_labels(tmp_path / "mask.png")
    else:
        np.testing.assert_array_equal(read_labels(tmp_path / "mask.png"), rows * (255 if bits == 1 else 1))


LABELS = np.zeros((24, 32), np.uint8)
LABELS[2:10, 3:15], LABELS[12:20, 16:30] = 1, 9
MASK = np.where(LABELS, np.uint8(255), np.uint8(0))
COLORS = np.reshape(davis_palette(), (-1, 3)).astype(np.uint8)


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"chunk": 7},
        {"stored": lambda packed: plain(packed) + bytes(99)},
        {"stored": up},
        {"stored": up_in_one_row},
        {"extra": [("tEXt", b"Comment\0exif")]},
    ],
    ids=["plain", "many chunks", "more than its rows", "filtered", "one filtered row", "text"],
)
@pytest.mark.parametrize(("bits", "indexed"), [(8, False), (8, True), (4, True), (2, True), (1, True)])
def test_labels_are_the_same_however_a_png_stores_them(tmp_path, bits, indexed, how):
    labels = LABELS[:, :29] & (1 << bits) - 1  # Of less than 8 bits, the last byte of a row is not full.
    png(tmp_path / "mask.png", bits, labels, indexed, **how)
    np.testing.assert_array_equal(read_labels(tmp_path / "mask.png"), labels)


def test_other_programs_read_written_labels_with_their_colors_and_written_masks(tmp_path):
    labels = np.arange(256, dtype=np.uint8).repeat(3).reshape(16, 48)
    write_labels(tmp_path / "labels.png", np.asfortranarray(labels)[:, ::-1])
    write_mask(tmp_path / "mask.png", labels > 99)
    with Image.open(tmp_path / "labels.png") as image:
        assert (image.mode, image.getpalette()) == ("P", list(davis_palette()))
        np.testing.assert_array_equal(image, labels[:, ::-1])
    pixels = cv2.imread(str(tmp_path / "labels.png"), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(pixels[..., ::-1], COLORS[labels[:, ::-1]])
    np.testing.assert_array_equal(cv2.imread(str(tmp_path / "mask.png"), cv2.IMREAD_UNCHANGED), 255 * (labels > 99))


def test_labels_are_turned_upright_where_exif_data_say_so(tmp_path):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6  # To be turned by 90 degrees clockwise.
    png(tmp_path / "mask.png", 8, LABELS, indexed=True, extra=[("eXIf", exif.tobytes()[6:])])
    np.testing.assert_array_equal(read_labels(tmp_path / "mask.png"), np.rot90(LABELS, -1))


@pytest.mark.parametrize("stored", [lambda packed: plain(packed[:-1]), lambda packed: b""], ids=["rows", "all"])
def test_labels_of_which_pixels_are_missing_are_no_readable_image(tmp_path, stored):
    png(tmp_path / "mask.png", 8, LABELS, stored=stored)
    with pytest.raises(InputError, match=r"mask\.png is not a readable image"):
        read_labels(tmp_path / "mask.png")


@pytest.mark.parametrize(
    ("picture", "expected"),
    [
        (Image.fromarray(COLORS[LABELS]), LABELS),
        (Image.fromarray(COLORS[LABELS]).convert("RGBA"), LABELS),
        (Image.fromarray(MASK).convert("RGB"), MASK),
        (Image.fromarray(MASK).convert("RGBA"), MASK),
        (Image.fromarray(LABELS).convert("RGB"), LABELS),
        (Image.fromarray(LABELS).convert("LA"), LABELS),
        (Image.fromarray(LABELS.astype(np.uint16)), LABELS),
    ],
    ids=["DAVIS's colors", "opaque", "white", "opaque white", "gray", "opaque gray", "16 bits"],
)
def test_labels_are_read_from_colors_alpha_and_16_bits_where_these_say_no_more(tmp_path, picture, expected):
    picture.save(tmp_path / "mask.png")
    np.testing.assert_array_equal(read_labels(tmp_path / "mask.png"), expected)


@pytest.mark.parametrize(
    ("picture", "said"),
    [
        (Image.fromarray(COLORS[LABELS] + 3), "has colors that are not DAVIS's; save its labels as an indexed"),
        (Image.new("RGBA", (4, 3), (128, 0, 0, 100)), "is a RGBA image"),
        (Image.fromarray(LABELS.astype(np.uint16) * 1001), "has labels above 255; osmn_import.py png16 makes folders"),
    ],
)
def test_pictures_that_say_something_else_are_no_labels(tmp_path, picture, said):
    picture.save(tmp_path / "mask.png")
    with pytest.raises(InputError, match=said):
        read_labels(tmp_path / "mask.png")


def enlarged(mask, by):
    return Image.fromarray(mask).resize((by * mask.shape[1], by * mask.shape[0]), Image.Resampling.BICUBIC)


@pytest.mark.parametrize(
    "picture",
    [
        *(
            Image.fromarray(MASK).resize((96, 72), 0).filter(ImageFilter.GaussianBlur(sigma))
            for sigma in (0.5, 1, 2, 5)
        ),
        enlarged(MASK, 3),
        enlarged(MASK, 7),
        Image.fromarray(MASK).resize((96, 72), 0).resize((40, 31), Image.Resampling.BOX),
    ],
)
def test_gray_masks_with_soft_borders_are_the_object_from_half_on(tmp_path, picture):
    picture.save(tmp_path / "mask.png")
    shades = np.asarray(picture)
    assert len(np.unique(shades)) > 3
    np.testing.assert_array_equal(read_labels(tmp_path / "mask.png"), np.where(shades >= 128, 255, 0))


def crowd(ids):
    """Return labels (60, 80), of a square for each id."""
    labels = np.zeros((60, 80), np.uint8)
    for number, label in enumerate(ids):
        row, column = divmod(number, 9)
        labels[8 * row + 1 : 8 * row + 7, 8 * column + 1 : 8 * column + 7] = label
    return labels


def ringed(labels):
    """Return labels with a ring of void, 255, around each object."""
    grown = np.asarray(Image.fromarray(np.where(labels, np.uint8(255), np.uint8(0))).filter(ImageFilter.MaxFilter(3)))
    return np.where((grown > 0) & (labels == 0), np.uint8(255), labels)


@pytest.mark.parametrize(
    "labels",
    [
        LABELS,
        MASK,
        crowd([0, 128, 255]),
        crowd([85, 170, 255]),
        crowd(range(1, 64)),
        crowd(range(190, 253)),
        crowd([3, 7, 200, 254, 255]),
        ringed(crowd(range(1, 10))),
        ringed(crowd([10, 140, 200, 250])),
        np.random.default_rng(0).integers(0, 256, (24, 32), np.uint8),
    ],
)
def test_gray_labels_of_whatever_ids_are_no_soft_borders(tmp_path, labels):
    Image.fromarray(labels).save(tmp_path / "mask.png")
    np.testing.assert_array_equal(read_labels(tmp_path / "mask.png"), labels)
