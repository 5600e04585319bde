"""Guides made by NumPy: hand-worked ones, and the same as TensorFlow's on any masks."""

import dataclasses

import numpy as np
import pytest

from osmn.config import ModelConfig
from osmn.inputs import guides, guides_numpy

LITE = ModelConfig("lite", mean_value=(127.5, 120.5, 110.5), scale_value=0.00787)
CONFIGS = [
    LITE,
    dataclasses.replace(LITE, bbox_sup=True),
    dataclasses.replace(LITE, vg_keep_aspect_ratio=True),
    dataclasses.replace(LITE, use_original_mask=True),
]


def masks(shape):
    """Return masks of many kinds: blobs, boxes at the borders, single pixels, rows and columns, all and nothing."""
    rng = np.random.default_rng(0)
    height, width = shape
    found = [rng.random(shape) < share for share in (0.02, 0.3, 0.97)]
    for _ in range(12):
        top, left = rng.integers(height), rng.integers(width)
        mask = np.zeros(shape, bool)
        mask[top : top + rng.integers(1, height), left : left + rng.integers(1, width)] = True
        found.append(mask)
    for place in ((0, 0), (height - 1, width - 1), (height // 2, slice(None)), (slice(None), 3)):
        mask = np.zeros(shape, bool)
        mask[place] = True
        found.append(mask)
    return np.stack([*found, np.ones(shape, bool), np.zeros(shape, bool)])


def check_visual(ours, wanted, config, about=""):
    """Compare two visual guides: a grey level an axis apart at most, where Pillow rounds otherwise, and seldom that."""
    np.testing.assert_array_equal(ours == 0, wanted == 0, err_msg=about)
    apart = np.abs(ours - wanted) / config.scale_value
    assert apart.max() < 2.01, about
    assert (apart > 0.5).mean() < 0.06, about


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize("shape", [(36, 64), (47, 31), (260, 300)])
def test_visual_guides_are_those_of_tensorflow(shape, config):
    frame = np.random.default_rng(1).integers(0, 256, (*shape, 3), np.uint8)
    for number, mask in enumerate(masks(shape)):
        ours = guides_numpy.visual_guide(frame, mask, config)
        assert ours.dtype == np.float32
        check_visual(ours, guides.visual_guide(frame, mask, config).numpy(), config, f"mask {number}")


def test_a_visual_guide_takes_a_mask_of_another_size_and_a_wider_crop():
    frame = np.random.default_rng(1).integers(0, 256, (60, 80, 3), np.uint8)
    mask = np.zeros((30, 40), bool)
    mask[5:20, 8:30] = True
    ours = guides_numpy.visual_guide(frame, mask, LITE, pad_ratio=0.4)
    check_visual(ours, guides.visual_guide(frame, mask, LITE, 0.4).numpy(), LITE)


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize("shape", [(36, 64), (47, 31)])
def test_spatial_guides_are_those_of_tensorflow(shape, config):
    ours = guides_numpy.spatial_guide(masks(shape), config)
    assert ours.dtype == np.float32
    np.testing.assert_allclose(ours, guides.spatial_guide(masks(shape), config), atol=1e-6)


def test_a_spatial_guide_is_the_gaussian_around_the_medians():
    mask = np.zeros((100, 200), bool)
    mask[20:41, 50:91] = True  # Medians y 30, x 70; median absolute deviations 5 and 10.
    (guide,) = guides_numpy.spatial_guide(mask[None], LITE)[..., 0]
    assert guide[30, 70] == 1
    assert guide[30, 70 + 15] == pytest.approx(np.exp(-0.5 * (15 / 14.826) ** 2))
    assert guide[30 + 8, 70] == pytest.approx(np.exp(-0.5 * (8 / 7.413) ** 2))
