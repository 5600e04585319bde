"""Videos that visitors of the web page choose: their frames by number, and what is said of what is no video."""

from fractions import Fraction

import av
import numpy as np
import pytest

from helpers.clips import UNEVEN, decoded_frames, make_video, pictures
from osmn.errors import InputError
from osmn.user_video.media.reader import open_frames
from osmn.user_video.webapp.clip import EXAMPLES, Clip, draw_example


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("uneven.mp4", {"times": UNEVEN, "time_base": Fraction(1, 90000), "options": {"g": "8"}}),
        ("refresh.mp4", {"options": {"g": "12", "x264-params": "intra-refresh=1"}}),  # Its key frames are none.
        ("bare.h264", {"options": {"g": "4"}}),  # It has no times, and cannot be sought in.
        ("pictures.gif", {"codec": "gif", "pixels": "rgb8"}),
    ],
)
def test_every_frame_that_is_stepped_to_is_the_one_that_is_decoded_from_the_start(tmp_path, name, settings):
    path = make_video(tmp_path / name, pictures(40), **settings)
    with open_frames(path) as frames:
        whole = list(frames)
    clip = Clip(path, name)
    assert len(clip) == len(whole) and clip.size == (64, 48)
    for frame in whole[::-3]:
        np.testing.assert_array_equal(clip.frame(frame.number), frame.image)


def test_a_frame_far_into_a_video_is_not_decoded_from_the_start(tmp_path, monkeypatch):
    clip = Clip(make_video(tmp_path / "clip.mp4", pictures(40), options={"g": "8"}), "clip.mp4")
    decoded = decoded_frames(monkeypatch)
    clip.frame(39)
    assert 1 <= len(decoded) <= 2 * 8


def test_reading_a_video_tells_how_many_frames_have_been_read_of_about_how_many(tmp_path):
    read = []
    Clip(make_video(tmp_path / "clip.mp4", pictures(6)), "clip.mp4", lambda count, total: read.append((count, total)))
    assert read == [(count, 6) for count in range(1, 7)]


def test_a_time_is_the_frame_that_is_shown_then(tmp_path):
    times = [Fraction(number, 10) for number in range(8)]
    clip = Clip(make_video(tmp_path / "clip.mp4", pictures(8), times=times, time_base=Fraction(1, 10)), "clip.mp4")
    assert [clip.frame_at(seconds) for seconds in (0, 0.05, 0.1, 0.34, 0.7, 9)] == [0, 0, 1, 3, 7, 7]
    assert clip.seconds == pytest.approx([float(seconds) for seconds in times])
    for wrong in (None, "1", float("nan"), float("inf")):
        with pytest.raises(InputError):
            clip.frame_at(wrong)


def test_a_copy_that_browsers_play_has_the_frames_and_times_of_a_video_that_they_do_not_play(tmp_path):
    path = make_video(tmp_path / "old.avi", pictures(6), codec="mpeg4")
    with av.open(str(Clip(path, path.name).preview)) as container:
        assert container.streams.video[0].codec_context.name == "h264"
        shown = [(frame.time, frame.to_ndarray(format="rgb24")) for frame in container.decode(video=0)]
    assert [time for time, _ in shown] == pytest.approx([number / 25 for number in range(6)])
    for (_, image), picture in zip(shown, pictures(6), strict=True):
        assert np.abs(image.astype(int) - picture).mean() < 12


@pytest.mark.parametrize("content", [b"Dear Sir", b"", bytes(3000)])
def test_what_is_no_video_is_told_by_its_name_and_with_what_to_choose_instead(tmp_path, content):
    path = tmp_path / "visitor" / "letter.mp4"
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(InputError) as error:
        Clip(path, "my letter.mp4")
    assert str(error.value).startswith(
        "my letter.mp4 cannot be opened as a video. Phones, cameras and editing programs"
    )
    assert "MP4 (H.264)" in str(error.value) and str(tmp_path) not in str(error.value)
    assert list(path.parent.iterdir()) == [path]


def test_examples_are_drawn_here(tmp_path):
    for number, name in enumerate(EXAMPLES):
        folder = tmp_path / str(number)
        folder.mkdir()
        clip = Clip(draw_example(name, folder), name)
        assert clip.frame(len(clip) - 1).std() > 10
    for wrong in ("no", None, []):
        with pytest.raises(InputError, match="an example is one of"):
            draw_example(wrong, tmp_path)
