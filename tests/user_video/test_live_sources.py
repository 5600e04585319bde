"""Files that are played in real time, cameras, and which input is what."""

import time

import cv2
import numpy as np
import pytest

from helpers.clips import LOSSLESS, TICK, make_video
from helpers.live_streams import Reading, level_of, picture, until
from osmn.errors import InputError
from osmn.user_video.live import run, sources
from osmn.user_video.live.options import LiveOptions
from osmn.user_video.live.sources import Camera, Player
from osmn.user_video.live.streams import Stream

LEVELS = [20, 60, 100, 140, 180]


def clip(path, every=0.1, first=0.0):
    times = [first + every * number for number in range(len(LEVELS))]
    return make_video(path, map(picture, LEVELS), times=times, time_base=TICK / 100, **LOSSLESS)


def test_a_file_waits_after_its_first_frame_and_then_is_played_at_its_own_times(tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "LATE", 60.0)  # A busy machine leaves frames out; see the tests below.
    reading = Reading(Player(clip(tmp_path / "clip.mkv")))
    assert reading.wait_for(1) == LEVELS[0]
    time.sleep(0.3)
    assert len(reading.pictures) == 1
    begin = time.monotonic()
    reading.source.go()
    assert reading.levels() == LEVELS
    assert time.monotonic() - begin >= 0.4
    assert [round(float(each.seconds), 2) for each in reading.pictures] == [0, 0.1, 0.2, 0.3, 0.4]
    assert [each.name for each in reading.pictures] == [f"{number:05d}" for number in range(5)]
    assert (reading.source.left_out, reading.source.damaged) == (0, 0)


def test_a_file_that_begins_late_begins_at_once(tmp_path):
    reading = Reading(Player(clip(tmp_path / "clip.mkv", first=500.0)))
    reading.source.go()
    assert reading.levels() == LEVELS


def test_a_frame_that_is_decoded_too_late_is_left_out_and_counted(tmp_path):
    class Slow(Player):
        def pictures(self):
            for each in super().pictures():
                yield each
                if each.name == "00001":
                    time.sleep(0.6)  # Whoever takes the frames is late; the others are due by then.

    reading = Reading(Slow(clip(tmp_path / "clip.mkv", every=0.06)))
    reading.source.go()
    levels = reading.levels()
    assert levels[:2] == LEVELS[:2] and 0 < reading.source.left_out == len(LEVELS) - len(levels)


def test_a_file_that_cannot_be_decoded_in_time_is_played_later_not_left_out(tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "LATE", 0.02)
    monkeypatch.setattr(sources, "BEHIND", 0.05)

    class Slow(Player):
        def pictures(self):
            for each in super().pictures():
                yield each
                time.sleep(0.06)

    reading = Reading(Slow(clip(tmp_path / "clip.mkv", every=0.01)))
    reading.source.go()
    assert reading.levels() == LEVELS


def test_a_file_that_is_stopped_ends_at_once_also_before_it_goes_on(tmp_path):
    path = clip(tmp_path / "clip.mkv", every=100.0)
    for going in (False, True):
        reading = Reading(Player(path))
        reading.wait_for(1)
        if going:
            reading.source.go()
        reading.stop()
        assert len(reading.pictures) == 1 and reading.error is None


class Device:
    """OpenCV's capture of a camera that is plugged in and out: `plugged` says whether it is there."""

    plugged, opened, level, size, asked = True, 0, 50, (64, 48), {}

    def __init__(self, number):
        self.number = number
        Device.opened += 1

    def isOpened(self):
        return Device.plugged and self.number == 0

    def set(self, name, value):
        Device.asked[name] = value

    def read(self):
        time.sleep(0.01)
        if not Device.plugged:
            return False, None
        image = picture(Device.level, Device.size)
        image[..., 0] = 0  # Blue, which OpenCV has first.
        return True, image

    def release(self):
        pass


@pytest.fixture
def device(monkeypatch):
    monkeypatch.setattr(cv2, "VideoCapture", Device)
    monkeypatch.setattr(sources, "RETRY", 0.05)
    for name, value in (("plugged", True), ("opened", 0), ("level", 50), ("size", (64, 48)), ("asked", {})):
        monkeypatch.setattr(Device, name, value)
    return Device


def test_a_camera_gives_rgb_and_is_opened_anew_when_it_was_unplugged(device, caplog):
    reading = Reading(Camera(0, None, 0.2))
    reading.wait_for(3)
    np.testing.assert_array_equal(reading.pictures[0].image[0, 0], (50, 50, 0))
    assert reading.pictures[0].seconds == 0 and device.asked == {}
    device.plugged = False
    until(lambda: reading.source.lost)
    count = len(reading.pictures)
    device.plugged, device.level, device.size = True, 150, (32, 24)
    reading.wait_for(count + 2)
    reading.stop()
    assert level_of(reading.pictures[-1].image[..., :2]) == 150 and reading.pictures[-1].image.shape == (48, 64, 3)
    first, second = (record.getMessage() for record in caplog.records)
    assert first.startswith("camera 0: no picture for 0.") and second.startswith("camera 0 is back, after ")


def test_a_camera_is_asked_for_a_size(device):
    reading = Reading(Camera(0, (1280, 720), 1.0))
    reading.wait_for(1)
    reading.stop()
    assert device.asked[cv2.CAP_PROP_FRAME_WIDTH] == 1280 and device.asked[cv2.CAP_PROP_FRAME_HEIGHT] == 720
    assert device.asked[cv2.CAP_PROP_FOURCC] == cv2.VideoWriter.fourcc(*"MJPG")


def test_a_camera_that_is_not_there_is_one_line(device):
    with pytest.raises(InputError, match=r"^camera 3 cannot be opened; give another number"):
        next(Camera(3, None, 1.0).pictures())


def test_what_opencv_has_no_camera_for_is_one_line_without_lines_of_opencv(capfd):
    with pytest.raises(InputError, match=r"^camera 99 cannot be opened"):
        next(Camera(99, None, 1.0).pictures())
    assert capfd.readouterr().err == ""


def test_a_number_is_a_camera_unless_a_file_has_that_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run.open_source(LiveOptions("12")).title == "camera 12"
    clip(tmp_path / "clip.mkv").rename("12")
    assert isinstance(run.open_source(LiveOptions("12")), Player)
    assert isinstance(run.open_source(LiveOptions(f"file://{tmp_path}/12")), Player)
    assert isinstance(run.open_source(LiveOptions("rtsp://camera/1")), Stream)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"input": "0", "raw_size": (64, 48), "raw_format": "gray"}, "--raw_size does not go with 0; leave it out"),
        ({"input": "rtsp://a", "camera_size": (64, 48)}, "--camera_size does not go with rtsp://a; leave it out"),
        ({"input": "-", "raw_size": (64, 48)}, "raw pictures need both --raw_size W H and --raw_format FORMAT"),
        ({"input": "-", "raw_format": "gray"}, "raw pictures need both"),
        ({"input": "nothing.mp4"}, "nothing.mp4 does not exist"),
        ({"input": "file:///nothing.mp4"}, "/nothing.mp4 does not exist"),
    ],
)
def test_an_input_that_options_do_not_go_with_is_one_line(options, said):
    with pytest.raises(InputError, match=said.replace("?", ".")):
        run.open_source(LiveOptions(**options))
