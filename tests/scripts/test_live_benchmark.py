"""`benchmarks.live`: a clock in the pictures, read again from overlays, and what counts as in time."""

import types

import cv2
import numpy as np
import pytest

from benchmarks.live import BITS, measured, multipart, read_clock, summary, with_clock, y4m
from benchmarks.targets import draw
from osmn.files.images import write_labels
from osmn.masks import overlay


def test_the_clock_is_read_again_also_below_an_object_and_after_jpeg():
    rng = np.random.default_rng(0)
    for number in (0, 1, 1000, 2**BITS - 1, *rng.integers(0, 2**BITS, 20)):
        image = with_clock(rng.integers(0, 256, (72, 320, 3), np.uint8), int(number))
        assert read_clock(image) == number
        for object_id in (1, 2, 3, 4):
            covered = overlay(image, np.full((72, 320), object_id, np.uint8))
            jpeg = cv2.imencode(".jpg", covered[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 85])[1]
            assert read_clock(cv2.imdecode(jpeg, cv2.IMREAD_COLOR)[..., ::-1]) == number


def test_a_frame_that_is_late_or_never_seen_is_not_in_time():
    line = summary(np.array([0.02, 0.04, 0.0999, 0.1, 0.5, np.inf, np.inf, 0.06]), 20, 15.0)
    assert line.startswith("50.0 % of 8 frames at 20 frames/s have their overlay within 100 ms (target: 95 %)")
    assert "15.0 frames/s shown, 2 left out; of those shown, half within 80 ms, 95 % within " in line
    assert summary(np.array([np.inf]), 20, 0.0).startswith("0.0 % of 1 frames")


@pytest.mark.parametrize("source", ["y4m", "mjpeg"])
def test_it_measures_the_program_from_a_picture_to_its_overlay(source, tmp_path):
    images, labels = draw((320, 96))
    write_labels(tmp_path / "first.png", labels[0])
    options = types.SimpleNamespace(source=source, rate=20.0, frames=10, more=["--im_size", "64", "32"])
    late, shown, last = measured(images, tmp_path / "first.png", options)
    assert late.size == 10 and late.min() > 0.001 and np.isfinite(late).sum() >= 3 and 0 < shown <= 20.5
    assert " frames shown, " in last


def test_pictures_are_sent_as_ffmpeg_reads_them():
    image = np.full((8, 16, 3), 100, np.uint8)
    assert y4m(image, True).startswith(b"YUV4MPEG2 W16 H8 ") and len(y4m(image, False)) == 6 + 8 * 16 * 3 // 2
    head, _, jpeg = multipart(image, False).partition(b"\r\n\r\n")
    assert int(head.rpartition(b" ")[2]) == len(jpeg) - 2
