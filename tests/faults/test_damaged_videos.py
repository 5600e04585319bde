"""Videos with a bit flipped or their end missing: refused by name, or decoded, and what is seen to be missing is said.

Most formats have no checksums: a flipped bit may be another colour or another time, which nobody can tell.
"""

import numpy as np
import pytest

from helpers.cases import case
from helpers.clips import LOSSLESS, make_video, pictures
from helpers.damage import damaged
from osmn.errors import InputError
from osmn.user_video.media.reader import open_frames

CLIPS = {
    "clip.mp4": {},
    "clip.mov": {"codec": "libx265"},
    "clip.webm": {"codec": "libvpx-vp9"},
    "clip.mkv": LOSSLESS,
    "clip.avi": {"codec": "mjpeg", "pixels": "yuvj420p"},
}


def decoded(path):
    """Return a video's frames and whether it was said that some are damaged or missing."""
    with open_frames(path) as frames:
        found = [(frame.seconds, frame.image) for frame in frames]
        return found, bool(frames.damaged or frames.missing)


@pytest.mark.parametrize("count", [20, pytest.param(200, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", CLIPS)
def test_a_damaged_video_is_refused_by_name_or_decoded_and_a_missing_end_is_said(tmp_path, name, count):
    path = make_video(tmp_path / name, pictures(12), **CLIPS[name])
    (expected, said), whole, outcomes = decoded(path), path.read_bytes(), []
    assert not said
    for content in damaged(whole, count):
        path.write_bytes(content)
        with case("damaged videos"):
            try:
                found, said = decoded(path)
            except InputError as error:
                assert str(path) in str(error) and "\n" not in str(error)
                outcomes.append("refused")
                continue
            same = len(found) == len(expected) and all(
                time == other_time and np.array_equal(image, other)
                for (time, image), (other_time, other) in zip(found, expected, strict=True)
            )
            outcomes.append("same" if same else "said" if said else "other")
            assert len(content) == len(whole) or outcomes[-1] != "other"  # Cut short.
    assert len(set(outcomes)) > 1
