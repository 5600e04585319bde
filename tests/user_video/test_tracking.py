"""A long video takes no more memory than a short one."""

import itertools
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from helpers.clips import make_video
from helpers.processes import resident_bytes
from helpers.stand_ins import Follower
from osmn.files.images import write_labels
from osmn.inference.predictor import Predictor
from osmn.models.engines.tensorflow import TensorFlowEngine
from osmn.user_video import prompts, tracking
from osmn.user_video.media.reader import open_frames

SIZE = (640, 360)
RATE = 10  # Frames a second.
TICK = Fraction(1, RATE)
MINUTES = 20


def pictures():
    """Yield the frames of a bright box that goes to and fro over a pattern that moves."""
    width, height = SIZE
    pattern = np.random.default_rng(0).integers(40, 90, (height, width, 3), np.uint8)
    for number in range(MINUTES * 60 * RATE):
        image = np.roll(pattern, number, axis=1)
        left = abs(number % 400 - 200) + 100
        image[120:240, left : left + 160] = 180
        yield image


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="resident memory is read as Linux has it")
def test_memory_after_2_and_after_20_minutes_is_within_5_percent(tmp_path):
    clip, first = tmp_path / "clip.mp4", tmp_path / "first.png"
    make_video(clip, pictures(), times=itertools.count(0, TICK), time_base=TICK, options={"preset": "ultrafast"})
    labels = np.zeros(SIZE[::-1], np.uint8)
    labels[120:240, 300:460] = 1
    write_labels(first, labels)
    predictor = Predictor(TensorFlowEngine(Follower()), short_side=128)
    sizes = []
    with open_frames(clip) as frames:
        objects = prompts.read([prompts.parse_prompt(str(first))], frames.size)
        done = tracking.segment(
            predictor, frames, objects, tmp_path / "out", progress=lambda: sizes.append(resident_bytes())
        )
    assert done.frames == MINUTES * 60 * RATE
    early, late = sizes[2 * 60 * RATE], sizes[-1]
    print(f"resident after 2 minutes: {early / 2**20:.0f} MiB, after {MINUTES}: {late / 2**20:.0f} MiB")
    assert late < 1.05 * early
