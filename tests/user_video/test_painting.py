"""Painted pictures and object ids, and the colors of the objects."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from osmn.errors import InputError
from osmn.files.images import write_labels
from osmn.masks import overlay
from osmn.user_video.webapp import painting


def labels_with(**objects):
    """Return labels of 6x8 with a column for each object."""
    labels = np.zeros((6, 8), np.uint8)
    for column, object_id in objects.items():
        labels[:, int(column[1:])] = object_id
    return labels


def url(gray, mode="RGBA"):
    """Return the data URL of a gray picture, uint8 (H, W), as a browser makes it."""
    content = io.BytesIO()
    Image.fromarray(gray).convert(mode).save(content, "PNG")
    return "data:image/png;base64," + base64.b64encode(content.getvalue()).decode()


def test_each_of_nine_objects_has_a_color_of_its_own():
    colors = painting.default_colors()
    assert list(colors) == list(range(1, 10)) and len(set(colors.values())) == 9
    assert colors[1] == "#ff0000" and colors[2] == "#00ff00" and colors[6] == "#00ffff"


def test_the_overlay_has_the_colors_that_are_chosen():
    labels = np.zeros((9, 9), np.uint8)
    labels[1:8, 1:8] = 2
    image = np.full((9, 9, 3), 100, np.uint8)
    shown = overlay(image, labels, painting.palette(painting.default_colors()))
    np.testing.assert_array_equal(shown, overlay(image, labels))
    np.testing.assert_array_equal(shown[4, 4], [50, 177, 50])  # Half of it is the color.
    shown = overlay(image, labels, painting.palette({2: "#0a14ff"}))
    np.testing.assert_array_equal(shown[4, 4], [55, 60, 177])


def test_what_is_painted_comes_back_as_the_same_ids():
    labels = labels_with(c0=1, c1=2, c2=3, c4=4, c5=5, c7=9)
    np.testing.assert_array_equal(painting.labels_of(painting.url_of(labels), (8, 6)), labels)
    for mode in ("RGBA", "RGB", "L"):
        np.testing.assert_array_equal(painting.labels_of(url(labels * np.uint8(25), mode), (8, 6)), labels)


def test_grays_that_a_browser_changes_by_a_little_are_the_same_ids():
    labels = labels_with(c0=1, c1=2, c5=9)
    noise = np.random.default_rng(0).integers(-9, 10, labels.shape)
    gray = np.clip(labels.astype(int) * 25 + noise, 0, 255).astype(np.uint8)
    np.testing.assert_array_equal(painting.labels_of(url(gray), (8, 6)), labels)


def jpeg():
    file = io.BytesIO()
    Image.new("RGB", (8, 6)).save(file, "jpeg")
    return file.getvalue()


@pytest.mark.parametrize(
    "wrong",
    [
        *("", "data:image/png;base64,", "data:image/png;base64,AAAA", "data:image/png;base64,%%", jpeg().hex()),
        *(None, 5, b"data:image/png;base64,AAAA", ["a"]),
        url(np.full((6, 8), 255, np.uint8)),
        url(np.zeros((6, 9), np.uint8)),
    ],
)
def test_anything_else_is_refused(wrong):
    with pytest.raises(InputError, match="no picture of 8x6 pixels"):
        painting.labels_of(wrong, (8, 6))


def test_a_masks_file_gives_its_objects_and_those_without_a_number_here_a_free_one(tmp_path):
    given = np.zeros((6, 8), np.uint8)
    given[:, 2:4], given[:, 5:7] = 1, 40
    write_labels(tmp_path / "mask.png", given)
    objects, note = painting.mask_file(labels_with(c0=2, c7=1), tmp_path / "mask.png", 0)
    assert {i: mask[0].nonzero()[0].tolist() for i, mask in objects.items()} == {1: [2, 3], 3: [5, 6]}
    assert note == "40 is object 3 here"


def test_a_masks_file_of_more_objects_than_the_page_has_is_told(tmp_path):
    write_labels(tmp_path / "mask.png", np.arange(11, dtype=np.uint8)[None].repeat(8, 0))
    with pytest.raises(InputError, match=r"^mask.png has 10 objects; the page follows 9, osmn_segment.py 255"):
        painting.mask_file(np.zeros((8, 11), np.uint8), tmp_path / "mask.png", 0)
