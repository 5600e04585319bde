"""Refinement of masks by a dense CRF."""

import sys

import numpy as np
import pytest

from helpers.followed_videos import SMALL, followed, segment
from osmn.errors import InputError
from osmn.files.images import read_image, read_labels
from osmn.inference import crf
from osmn.inference.options import SegmentingOptions
from osmn.inference.segmenting import start_predictor
from osmn.inputs.geometry import resize_mask
from osmn.results.layout import reference_masks


def box(left, top, right, bottom, shape):
    mask = np.zeros(shape, bool)
    mask[top:bottom, left:right] = True
    return mask


def test_crf_turns_a_noisy_mask_into_the_square_in_the_frame():
    pytest.importorskip("pydensecrf")
    square = box(20, 15, 45, 40, (60, 70))
    frame = np.where(square[..., None], np.uint8([200, 40, 40]), np.uint8([30, 90, 160]))
    noisy = square ^ (np.random.default_rng(0).random(square.shape) < 0.1)
    refined = crf.refine(frame, noisy)
    assert refined.dtype == bool
    np.testing.assert_array_equal(refined, square)


def test_crf_refines_the_masks_of_a_video_before_they_are_saved_and_propagated(video, tmp_path):
    pytest.importorskip("pydensecrf")
    segment(video, tmp_path, refine=crf.refine)
    frames = [read_image(path, SMALL) for path in video.frames]
    mask = resize_mask(reference_masks(video.references[0])[1], SMALL).numpy()
    for path, frame in zip(video.frames[1:], frames[1:], strict=True):
        mask = crf.refine(frame, followed(mask) > 0.5)
        np.testing.assert_array_equal(read_labels(tmp_path / video.name / f"1/{path.stem}.png") > 0, mask)


def test_crf_accepts_an_empty_and_a_full_mask():
    pytest.importorskip("pydensecrf")
    frame = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    assert not crf.refine(frame, np.zeros((20, 30), bool)).any()
    assert crf.refine(frame, np.ones((20, 30), bool)).all()


def test_a_missing_crf_package_is_named_before_anything_is_computed(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "pydensecrf", None)
    monkeypatch.setitem(sys.modules, "pydensecrf.densecrf", None)
    with pytest.raises(InputError, match=r"the dense CRF needs pydensecrf: `pip install"):
        start_predictor(None, SegmentingOptions(str(tmp_path), SMALL, crf_postprocessing=True))
