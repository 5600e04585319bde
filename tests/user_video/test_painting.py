"""Painted pictures and object ids."""

import io

import numpy as np
import pytest
from PIL import Image

from osmn.errors import InputError
from osmn.files.images import data_url, write_labels
from osmn.masks import overlay
from osmn.user_video.webapp import painting


def labels_with(**objects):
    """Return labels of 6x8 with a column for each object."""
    labels = np.zeros((6, 8), np.uint8)
    for column, object_id in objects.items():
        labels[:, int(column[1:])] = object_id
    return labels


def test_each_object_has_its_own_colour_which_is_that_of_the_overlay():
    colors = painting.colors()
    assert list(colors) == [1, 2, 3, 4, 5, 6]
    assert colors[1] == "#ff0000" and colors[2] == "#00ff00" and colors[6] == "#00ffff"
    assert len(set(colors.values())) == 6
    labels = np.zeros((9, 9), np.uint8)
    labels[1:8, 1:8] = 2
    shown = overlay(np.full((9, 9, 3), 100, np.uint8), labels)
    np.testing.assert_array_equal(shown[4, 4], [50, 177, 50])  # Half of it is the colour.


def test_what_is_painted_comes_back_as_the_same_ids():
    labels = labels_with(c0=1, c1=2, c2=3, c4=4, c5=5, c7=6)
    picture = painting.painted(labels)
    assert picture[labels == 0].sum() == 0 and (picture[labels > 0][:, 3] == 255).all()
    np.testing.assert_array_equal(painting.labels_of(picture), labels)


def test_a_colour_that_is_mixed_where_strokes_meet_is_the_nearest_object_and_a_faint_one_is_none():
    picture = painting.painted(labels_with(c0=1, c1=1, c4=4))
    picture[:, 2] = (150, 0, 105, 255)  # Of red and blue, near to magenta: object 5 was not painted.
    picture[:, 5] = (0, 0, 255, 100)  # The edge of a stroke.
    np.testing.assert_array_equal(painting.labels_of(picture), labels_with(c0=1, c1=1, c2=1, c4=4))


def test_a_picture_of_an_unknown_colour_alone_shows_no_object():
    assert not painting.labels_of(np.full((4, 4, 4), (90, 90, 90, 255), np.uint8)).any()


def test_pictures_go_through_data_urls():
    picture = painting.painted(labels_with(c3=2))
    np.testing.assert_array_equal(painting.picture_in(data_url(picture), (8, 6)), picture)
    assert data_url(picture[..., :3]).startswith("data:image/jpeg;base64,")


def jpeg():
    file = io.BytesIO()
    Image.new("RGB", (8, 6)).save(file, "jpeg")
    return file.getvalue()


@pytest.mark.parametrize(
    "url",
    ["", "data:image/png;base64,", "data:image/png;base64,AAAA", "data:image/png;base64,%%", jpeg().hex()],
)
def test_anything_else_is_refused(url):
    with pytest.raises(InputError, match="no picture of 8x6 pixels"):
        painting.picture_in(url, (8, 6))


def test_a_picture_of_another_size_is_refused():
    with pytest.raises(InputError, match="no picture of 9x6 pixels"):
        painting.picture_in(data_url(painting.painted(labels_with())), (9, 6))


def test_a_masks_file_is_painted_beside_what_is_there(tmp_path):
    given = np.zeros((6, 8), np.uint8)
    given[:, 2:4], given[:, 5:7] = 1, 40
    write_labels(tmp_path / "mask.png", given)
    labels, note = painting.with_mask_file(labels_with(c0=3, c7=1), tmp_path / "mask.png", 0)
    assert labels[0].tolist() == [3, 0, 1, 1, 0, 2, 2, 0] and note == "40 is object 2 here"


def test_a_masks_file_of_more_objects_than_the_page_has_is_told(tmp_path):
    write_labels(tmp_path / "mask.png", np.arange(8, dtype=np.uint8)[None].repeat(6, 0))
    with pytest.raises(InputError, match=r"^mask.png has 7 objects; the page follows 6, osmn_segment.py 255"):
        painting.with_mask_file(labels_with(), tmp_path / "mask.png", 0)
