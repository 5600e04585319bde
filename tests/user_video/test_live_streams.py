"""Live pictures by FFmpeg: streams that are cut and come back, pipes, damaged packets, times that mean nothing."""

import functools
import http.server
import io
import itertools
import logging
import socket

import av
import numpy as np
import pytest

from helpers.clips import TICK, make_video
from helpers.live_streams import (
    HANG,
    SIZE,
    Pipe,
    Reading,
    jpeg,
    level_of,
    mjpeg,
    picture,
    served_file,
    serving,
    y4m,
    yuv420,
)
from helpers.rtsp_camera import rtsp
from osmn.errors import InputError
from osmn.user_video.live.streams import PIPED, Raw, pipe, stream, without_password

SOON = 0.4  # Seconds without a picture after which a stream is opened anew.
LATE = 3.0  # The same, where a busy machine may not be taken for a stream that is lost.


def warnings(caplog):
    return [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]


def test_a_stream_that_is_cut_off_is_opened_anew_and_a_line_says_when_it_is_back(caplog):
    with mjpeg([jpeg(20)] * 3 + [jpeg(40)], [jpeg(120)] * 3 + [jpeg(200), HANG]) as address:
        reading = Reading(stream(address, LATE))
        while reading.wait_for(len(reading.pictures) + 1) != 200:
            pass
        levels = [level_of(each.image) for each in reading.pictures]
        reading.stop()
    assert levels == [20, 20, 20, 40, 120, 120, 120, 200]  # Also the last one before the cut.
    (line,) = warnings(caplog)
    assert line.startswith(f"{address} is back, after ") and line.endswith(" s without a picture")


def test_a_stream_that_falls_silent_is_opened_anew_after_a_time(caplog):
    with mjpeg([jpeg(20)] * 4 + [HANG], [jpeg(120)] * 4 + [HANG]) as address:
        reading = Reading(stream(address, SOON))
        while reading.wait_for(len(reading.pictures) + 1) != 120:
            pass
        reading.stop()
    times = [float(each.seconds) for each in reading.pictures]
    silent = next(after - before for before, after in itertools.pairwise(times) if after - before > SOON)
    assert silent < 20 * SOON
    assert [line.startswith(f"{address} is back, after ") for line in warnings(caplog)][-1]


def test_while_a_stream_is_not_there_one_line_says_so_however_long_it_takes(caplog):
    with mjpeg([jpeg(20)] * 3) as address:
        reading = Reading(stream(address, 0.1))
        reading.wait_for(3)
        source = reading.source
        while not source.lost:
            pass
        source.stopped.wait(1.2)  # Two attempts more.
        reading.stop()
    (line,) = warnings(caplog)
    assert line.startswith(f"{address}: no picture for 0.") and "opened anew until it is back, Ctrl-C ends it" in line


def test_a_camera_of_rtsp_that_falls_silent_is_opened_anew_and_its_password_is_not_told(caplog):
    with rtsp([60] * 20, [180] * 20) as address:
        reading = Reading(stream(address, 1.0))
        while abs(reading.wait_for(len(reading.pictures) + 1) - 180) > 10:
            pass
        reading.stop()
    levels = [level_of(each.image) for each in reading.pictures]
    assert levels == sorted(levels) and levels.count(levels[0]) >= 15  # Of H.264 the last one may be kept back.
    times = [float(each.seconds) for each in reading.pictures]
    assert times[0] == 0 and times == sorted(times) and times[-1] >= 1.0
    line = warnings(caplog)[-1]
    assert line.startswith(f"{without_password(address)} is back, after ") and "secret" not in caplog.text


def test_a_stream_that_comes_in_bursts_is_shown_evenly_to_its_end(tmp_path):
    folder = tmp_path / "hls"
    folder.mkdir()
    options = {"hls_time": "0.4", "hls_playlist_type": "vod"}
    with av.open(str(folder / "live.m3u8"), "w", format="hls", container_options=options) as container:
        settings = {"preset": "ultrafast", "tune": "zerolatency", "g": "8"}
        coded = container.add_stream("libx264", 20, settings, width=64, height=48, pix_fmt="yuv420p")
        for number in range(24):
            container.mux(coded.encode(av.VideoFrame.from_ndarray(picture(10 * number), "rgb24")))
        container.mux(coded.encode())

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    with serving(functools.partial(Quiet, directory=folder)) as address:
        reading = Reading(stream(f"{address}/live.m3u8", 5))
        levels = reading.levels()
    assert len(levels) == 24 and levels == sorted(levels)
    times = np.float64([float(each.seconds) for each in reading.pictures])
    assert times[-1] >= 23 / 20 - 0.05 and np.median(np.diff(times)) > 0.02  # FFmpeg has them all at once.


def test_pictures_keep_the_size_of_the_first_one_when_a_camera_comes_back_with_another():
    with mjpeg([jpeg(20)] * 3, [jpeg(120, (32, 24))] * 3 + [HANG]) as address:
        reading = Reading(stream(address, LATE))
        reading.wait_for(6)
        reading.stop()
    assert {each.image.shape for each in reading.pictures} == {(48, 64, 3)}


def test_a_damaged_picture_costs_no_other():
    broken = jpeg(90)[:40] + b"\0" * 200
    with mjpeg([jpeg(20), jpeg(40), broken, jpeg(60), jpeg(80), HANG]) as address:
        reading = Reading(stream(address, LATE))
        while reading.wait_for(len(reading.pictures) + 1) != 80:
            pass
        reading.stop()
    assert {20, 40, 60, 80} <= {level_of(each.image) for each in reading.pictures}
    assert reading.source.damaged == 1


def test_a_file_that_a_server_has_as_a_whole_ends_when_it_ends(tmp_path):
    clip = make_video(tmp_path / "clip.mp4", [picture(level) for level in (50, 100, 150)])
    with served_file(clip.read_bytes()) as address:
        assert Reading(stream(address, 5)).levels() == [50, 100, 150]


@pytest.mark.parametrize("what", ["nobody", "a page"])
def test_an_address_without_a_video_is_one_line(what):
    with socket.socket() as free, served_file(b"<html>hello</html>") as page:
        free.bind(("127.0.0.1", 0))
        address = page if what == "a page" else f"http://127.0.0.1:{free.getsockname()[1]}/camera"
        with pytest.raises(InputError, match=f"^{address} cannot be read as a video .*; check that it is there$"):
            next(stream(address, 5).pictures())


def test_a_password_is_not_shown():
    assert without_password("rtsp://me:secret@10.0.0.7:554/a:b@c") == "rtsp://me:***@10.0.0.7:554/a:b@c"
    assert without_password("http://10.0.0.7:8080/x@y") == "http://10.0.0.7:8080/x@y"
    with pytest.raises(InputError) as error:
        next(stream("http://me:secret@127.0.0.1:1/", 5).pictures())
    assert "secret" not in str(error.value)


@pytest.mark.parametrize("raw", [None, Raw(SIZE, "yuv420p")])
def test_what_is_piped_comes_at_once_picture_by_picture(raw):
    with Pipe() as into:
        for number, level in enumerate((20, 60, 100)):
            into.write(y4m(level, first=not number) if raw is None else yuv420(level))
            if number == 0:
                reading = Reading(pipe(into.descriptor, raw))
            # The next one is written when this one has come. FFmpeg cannot tell where the last one ends.
            got = reading.wait_for(number + 1)
            assert abs(got - (level if raw is None else (level - 16) * 255 / 219)) <= 6
        into.close()
        assert len(reading.levels()) == 3


def test_raw_pictures_of_a_wrong_size_are_named_at_the_end(caplog):
    with Pipe() as into:
        reading = Reading(pipe(into.descriptor, Raw((64, 40), "yuv420p")))
        into.write(yuv420(100) * 2)
        into.close()
        assert len(reading.levels()) == 2
    (line,) = warnings(caplog)
    wanted = (
        "in the middle of a picture, after 1536 bytes of it: it was cut off, or the pictures are not yuv420p of 64x40"
    )
    assert wanted in line and "--raw_size" in line


def test_raw_pictures_that_never_fill_one_are_one_line():
    with Pipe() as into:
        reading = Reading(pipe(into.descriptor, Raw((640, 480), "rgb24")))
        into.write(yuv420(100))
        into.close()
        with pytest.raises(InputError, match=f"^{PIPED} has ended without a picture"):
            reading.levels()


def test_a_format_of_pixels_that_is_none_is_one_line():
    with pytest.raises(InputError, match="--raw_format yuv421 is none that FFmpeg knows; it knows yuv420p, nv12"):
        pipe(0, Raw(SIZE, "yuv421"))


@pytest.mark.parametrize("content", [b"", b"hello, this is no video " * 100])
def test_a_pipe_without_a_video_is_one_line(content):
    with Pipe() as into:
        into.write(content)
        into.close()
        with pytest.raises(InputError, match=f"^{PIPED} .*; pipe y4m, or raw pictures with --raw_size"):
            next(pipe(into.descriptor).pictures())


def test_times_of_a_stream_do_not_count_but_when_its_pictures_come():
    content = io.BytesIO()
    with av.open(content, "w", format="mpegts") as container:
        coded = container.add_stream("libx264", 25, {"preset": "ultrafast"}, width=64, height=48, pix_fmt="yuv420p")
        for number in range(12):
            frame = av.VideoFrame.from_ndarray(picture(10 * number), "rgb24")
            frame.pts, frame.time_base = 90000 + 50 * number, TICK  # An hour and more, and 2 s a picture.
            container.mux(coded.encode(frame))
        container.mux(coded.encode())
    with Pipe() as into:
        reading = Reading(pipe(into.descriptor))
        into.write(content.getvalue())
        into.close()
        levels = reading.levels()
    assert np.abs(np.subtract(levels, np.arange(0, 120, 10))).max() <= 10 and len(levels) == 12
    times = [each.seconds for each in reading.pictures]
    assert times[0] == 0 and times == sorted(times) and times[-1] < 10


def test_damage_in_a_stream_of_h264_costs_the_pictures_of_its_group_and_no_more():
    content = io.BytesIO()
    with av.open(content, "w", format="mpegts") as container:
        options = {"preset": "ultrafast", "g": "5", "tune": "zerolatency"}
        coded = container.add_stream("libx264", 25, options, width=64, height=48, pix_fmt="yuv420p")
        for number in range(40):
            container.mux(coded.encode(av.VideoFrame.from_ndarray(picture(5 * number), "rgb24")))
        container.mux(coded.encode())
    damaged = bytearray(content.getvalue())
    middle = len(damaged) // 2 // 188 * 188
    damaged[middle + 20 : middle + 170] = bytes(150)
    with Pipe() as into:
        reading = Reading(pipe(into.descriptor))
        into.write(bytes(damaged))
        into.close()
        levels = reading.levels()
    assert len(levels) >= 33 and levels[-1] >= 180
