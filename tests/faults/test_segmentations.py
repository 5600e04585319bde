"""Segmentations of any content: encoded as they are meant, or refused; the C code of pycocotools never meets others."""

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st
from pycocotools import mask as coco_masks

from helpers.cases import case
from osmn.data import coco_masks as coco_masks_module

HEIGHT, WIDTH = 12, 17
MASKS = st.lists(st.booleans(), min_size=HEIGHT * WIDTH, max_size=HEIGHT * WIDTH)
NUMBERS = st.integers() | st.floats() | st.floats(-20, 40)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=8) | st.dictionaries(st.sampled_from(["size", "counts", "x"]), inner),
    max_leaves=30,
)
TEXTS = st.text(st.characters(min_codepoint=48, max_codepoint=111), max_size=60) | st.text(max_size=10)


def encoded(segmentation):
    """Return the mask, bool (H, W), of a segmentation that is encoded; None for one that is refused."""
    with case("segmentations"):
        try:
            code = coco_masks_module.encode(segmentation, HEIGHT, WIDTH)
        except (ValueError, OverflowError) as error:
            assert "\n" not in str(error)
            return None
        mask = coco_masks.decode({"size": [HEIGHT, WIDTH], "counts": code})
        assert mask.shape == (HEIGHT, WIDTH) and coco_masks_module.area(code, HEIGHT, WIDTH) == mask.sum()
        return mask > 0


def mask_of(pixels):
    return np.reshape(pixels, (WIDTH, HEIGHT)).T


def runs_of(pixels):
    """Return the runs of 0 and 1 in turn, the first of 0."""
    runs, last = [0], False
    for pixel in pixels:
        if pixel != last:
            runs.append(0)
        runs[-1] += 1
        last = pixel
    return runs


@given(MASKS)
@example([False] * HEIGHT * WIDTH)
@example([True] * HEIGHT * WIDTH)
def test_every_mask_is_encoded_from_its_runs_and_from_its_text(pixels):
    text = coco_masks.encode(np.asfortranarray(mask_of(pixels).astype(np.uint8)))["counts"].decode()
    for counts in (runs_of(pixels), text):
        np.testing.assert_array_equal(encoded({"size": [HEIGHT, WIDTH], "counts": counts}), mask_of(pixels))


@given(st.data(), MASKS)
def test_runs_and_texts_with_any_change_are_refused_or_have_the_pixels_of_an_image(data, pixels):
    runs = runs_of(pixels)
    place = data.draw(st.integers(0, len(runs) - 1))
    changed = [*runs[:place], data.draw(st.integers(-3, 400) | st.integers()), *runs[place + 1 :]]
    assert (encoded({"size": [HEIGHT, WIDTH], "counts": changed}) is None) == (
        sum(changed) != HEIGHT * WIDTH or min(changed) < 0
    )
    text = coco_masks.encode(np.asfortranarray(mask_of(pixels).astype(np.uint8)))["counts"].decode()
    place = data.draw(st.integers(0, len(text) - 1))
    encoded({"size": [HEIGHT, WIDTH], "counts": text[:place] + data.draw(TEXTS) + text[place + 1 :]})


@given(ANYTHING | st.fixed_dictionaries({"size": st.just([HEIGHT, WIDTH]), "counts": ANYTHING | TEXTS}))
def test_anything_else_is_refused_or_encoded(segmentation):
    encoded(segmentation)


@given(st.lists(st.lists(NUMBERS, max_size=12), max_size=3))
@example([[0, 0, 1e8, 0, 0, 5]])
@example([[0, 0, float("nan"), 0, 0, 5]])
def test_polygons_of_any_numbers_are_refused_or_lie_near_the_image(polygons):
    mask = encoded(polygons)
    if mask is None or not all(0 <= x <= WIDTH for polygon in polygons for x in polygon[::2]):
        return
    columns = mask.any(axis=0).nonzero()[0]
    if columns.size:
        # Corners are rounded; a column is not farther from them than that.
        assert columns.min() >= min(x for polygon in polygons for x in polygon[::2]) - 1
        assert columns.max() <= max(x for polygon in polygons for x in polygon[::2]) + 1


@given(st.integers() | st.integers(-2, 70000) | st.floats() | st.none() | st.booleans(), st.integers(1, 70000))
def test_sizes_are_refused_or_those_of_an_image(height, width):
    try:
        coco_masks_module.check_size(height, width)
    except ValueError:
        return
    assert type(height) is int and height > 0 and height * width <= coco_masks_module.MOST_PIXELS
