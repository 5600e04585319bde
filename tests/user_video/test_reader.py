import itertools
import os
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
import pytest
from PIL import Image

from helpers import ROOT
from helpers.clips import (
    LOSSLESS,
    LOSSLESS_H264,
    RATE,
    TICK,
    UNEVEN,
    Picture,
    decoded_frames,
    difference,
    make_video,
    needs,
    pictures,
    read,
    reading_threads,
    sound_of,
    times,
    tone,
)
from osmn.errors import InputError
from osmn.user_video.media.reader import frame_at, open_frames, position
from osmn.user_video.media.writer import write_cutout, write_overlay

# Reading


@pytest.mark.parametrize(
    ("name", "codec", "pixels", "tolerance"),
    [
        ("a clip, ünïcödé 影片.mp4", "libx264", "yuv420p", 4),
        ("clip: part 2.webm", "libvpx-vp9", "yuv420p", 4),
        ("clip.mov", "libx265", "yuv420p", 4),
        ("100%d.AVI", "mjpeg", "yuvj420p", 6),
        ("clip.gif", "gif", "rgb8", 25),
    ],
)
def test_every_frame_is_read_in_order_with_its_time(tmp_path, name, codec, pixels, tolerance):
    needs(codec)
    options = {"x265-params": "log-level=none"} if codec == "libx265" else {}
    path = make_video(tmp_path / name, pictures(), codec, pixels, options=options)
    with open_frames(path) as frames:
        assert frames.size == (64, 48)
        assert frames.estimate == 6
        got = list(frames)
    assert [(frame.number, frame.name) for frame in got] == [(n, f"{n:05d}") for n in range(6)]
    assert [frame.seconds for frame in got] == [n * TICK for n in range(6)]
    for frame, image in zip(got, pictures(), strict=True):
        assert frame.image.dtype == np.uint8
        assert difference(frame.image, image) < tolerance


@pytest.mark.parametrize("size", [(64, 48), (853, 479)])
@pytest.mark.parametrize(("suffix", "settings"), [("mkv", LOSSLESS), ("mp4", LOSSLESS_H264)])
def test_frames_of_a_lossless_video_are_the_source_bit_for_bit(tmp_path, suffix, settings, size):
    path = make_video(tmp_path / f"clip.{suffix}", pictures(3, *size), **settings)
    for frame, image in zip(read(path), pictures(3, *size), strict=True):
        np.testing.assert_array_equal(frame.image, image)


@pytest.mark.parametrize(("s", "t"), itertools.product((1, -1), repeat=2))
@pytest.mark.parametrize("turned", [False, True])
def test_frames_are_turned_and_mirrored_as_the_display_matrix_says(tmp_path, turned, s, t):
    a, b, c, d = (0, s, t, 0) if turned else (s, 0, 0, t)
    matrix = [a << 16, b << 16, 0, c << 16, d << 16, 0, 0, 0, 1 << 30]
    path = make_video(
        tmp_path / "clip.mp4", pictures(2), **LOSSLESS_H264, prepare=lambda stream: stream.set_display_matrix(matrix)
    )
    frame, image = read(path)[0], next(pictures())
    # The matrix moves the pixel at (x, y) to (a x + c y, b x + d y), and the picture back into view.
    y, x = np.mgrid[:48, :64]
    new_x, new_y = a * x + c * y, b * x + d * y
    expected = np.zeros((new_y.max() - new_y.min() + 1, new_x.max() - new_x.min() + 1, 3), np.uint8)
    expected[new_y - new_y.min(), new_x - new_x.min()] = image
    np.testing.assert_array_equal(frame.image, expected)


@pytest.mark.parametrize(
    ("aspect", "rotation", "size"), [("2", 0, (128, 48)), ("1/2", 0, (64, 96)), ("2", 90, (48, 128))]
)
def test_pixels_that_are_not_square_become_square(tmp_path, aspect, rotation, size):
    def prepare(stream):
        stream.codec_context.sample_aspect_ratio = Fraction(aspect)
        if rotation:
            stream.set_display_rotation(rotation)

    path = make_video(tmp_path / "clip.mp4", pictures(2), prepare=prepare)
    with open_frames(path) as frames:
        assert frames.size == size
        assert [frame.image.shape for frame in frames] == [(size[1], size[0], 3)] * 2


def test_times_of_a_variable_frame_rate_are_kept(tmp_path):
    ticks = [0, 3003, 3010, 90000, 93003, 500001]
    path = make_video(
        tmp_path / "clip.mp4", pictures(), times=[Fraction(t, 90000) for t in ticks], time_base=Fraction(1, 90000)
    )
    assert times(path) == [Fraction(t, 90000) for t in ticks]


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("clip.mp4", {"times": UNEVEN, "time_base": Fraction(1, 90000), "options": {"bf": "3"}}),
        ("clip.mkv", {"times": [Fraction(n * n, 100) for n in range(40)], "time_base": Fraction(1, 1000)}),
        ("clip.avi", {"codec": "mpeg4"}),
        ("clip.mov", {"codec": "mjpeg", "pixels": "yuvj420p"}),
    ],
)
def test_a_frame_is_found_by_its_time_from_the_key_frame_before_it(tmp_path, monkeypatch, name, settings):
    options = {"g": "8", "sc_threshold": "0"} | settings.pop("options", {})
    path = make_video(tmp_path / name, pictures(40), options=options, **settings)
    whole = read(path)
    decoded = decoded_frames(monkeypatch)
    for frame in whole[::-3]:
        del decoded[:]
        np.testing.assert_array_equal(frame_at(path, frame.seconds), frame.image)
        assert len(decoded) <= 2 * 8
    assert frame_at(path, whole[5].seconds + Fraction(1, 10**6)) is None


def test_a_file_that_is_sought_in_at_random_gives_the_right_frame_or_none(tmp_path):
    path = make_video(tmp_path / "clip.ts", pictures(40), times=itertools.count(10, TICK), options={"g": "8"})
    for frame in read(path):
        found = frame_at(path, frame.seconds)
        assert found is None or np.array_equal(found, frame.image)


def test_times_are_counted_from_the_beginning_of_the_file(tmp_path):
    path = make_video(tmp_path / "clip.ts", pictures(), times=itertools.count(10, TICK))
    assert times(path) == [n * TICK for n in range(6)]


def test_a_video_of_one_frame_has_one_frame(tmp_path):
    assert times(make_video(tmp_path / "clip.mp4", pictures(1))) == [0]


def grey_video(path, luma, prepare=lambda stream: None):
    """Write one frame of ten bits, grey, of a luma in 0..1."""
    frame = av.VideoFrame(64, 48, "yuv420p10le")
    for plane, value in zip(frame.planes, (round(64 + 876 * luma), 512, 512), strict=True):
        plane.update(np.full(plane.buffer_size // 2, value, np.uint16).tobytes())
    return make_video(path, [Picture(frame)], "ffv1", "yuv420p10le", prepare=prepare)


def test_ten_bits_become_eight(tmp_path):
    (frame,) = read(grey_video(tmp_path / "clip.mkv", 0.5))
    assert frame.image.dtype == np.uint8
    assert np.abs(frame.image.astype(int) - 127.5).max() <= 2


# PQ and HLG: 203 cd/m2. FFmpeg takes seconds to make its table of colours.
@pytest.mark.parametrize(("transfer", "white"), [(16, 0.5807), pytest.param(18, 0.75, marks=pytest.mark.slow)])
def test_the_reference_white_of_hdr_becomes_white(tmp_path, transfer, white):
    def prepare(stream):
        stream.color_primaries, stream.color_trc, stream.colorspace, stream.color_range = 9, transfer, 9, 1

    (frame,) = read(grey_video(tmp_path / "clip.mkv", white, prepare))
    assert frame.image.min() >= 245


@pytest.mark.parametrize(
    ("selection", "numbers", "end"),
    [
        ({"start": 2}, [2, 3, 4, 5], None),
        ({"end": 4}, [0, 1, 2, 3], 4 * TICK),
        ({"start": Fraction("0.1"), "end": 0.15}, [3], 4 * TICK),
        ({"stride": 2}, [0, 2, 4], None),
        ({"start": 1, "end": Fraction("0.2"), "stride": 3}, [1, 4], 5 * TICK),
        ({"end": 100}, [0, 1, 2, 3, 4, 5], None),
    ],
)
def test_start_end_and_stride_choose_frames_by_number_or_time(tmp_path, selection, numbers, end):
    path = make_video(tmp_path / "clip.mp4", pictures())
    with open_frames(path, **selection) as frames:
        assert abs(frames.estimate - len(numbers)) <= 1
        got = list(frames)
        assert frames.end == end
        assert frames.start == ("start" in selection) * got[0].seconds
    assert [frame.number for frame in got] == numbers
    assert [frame.seconds for frame in got] == [number * TICK for number in numbers]


def test_a_position_is_a_frame_or_a_time():
    assert [position(text) for text in ("120", "4.5s", "2s", "1:02.5", "1:00:00")] == [120, 4.5, 2, 62.5, 3600]
    assert [type(position(text)) for text in ("2", "2s", "2.0")] == [int, Fraction, Fraction]
    for text in ("", "-3", "three", "1:2:3:4"):
        with pytest.raises(ValueError, match="neither a frame"):
            position(text)


def replaced(packet, data):
    other = av.Packet(data)
    other.stream, other.time_base = packet.stream, packet.time_base
    other.pts, other.dts = packet.pts, packet.dts
    return other


@pytest.mark.parametrize(("name", "codec"), [("clip.mp4", "libx264"), ("clip.mkv", "ffv1")])
def test_damaged_packets_are_skipped_and_counted(tmp_path, name, codec):
    def change(number, packet):
        if number == 2:
            return replaced(packet, bytes(packet)[:5] + b"\xff" * 40)
        if number == 6:
            return replaced(packet, bytes(packet)[:-60] + bytes(60))
        return packet

    path = make_video(tmp_path / name, pictures(8), codec, options={"g": "1"}, change=change)
    with open_frames(path) as frames:
        got = list(frames)
        assert frames.damaged == 2
    kept = [0, 1, 3, 4, 5, 7]
    assert [frame.seconds for frame in got] == [number * TICK for number in kept]
    for frame, image in zip(got, [list(pictures(8))[number] for number in kept], strict=True):
        assert difference(frame.image, image) < 4


@pytest.mark.parametrize("suffix", ["mkv", "ts", "avi"])
def test_a_truncated_file_is_read_as_far_as_it_goes(tmp_path, suffix):
    path = make_video(tmp_path / f"clip.{suffix}", pictures(100), "mpeg4", options={"g": "1"})
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 3 // 4])
    got = times(path)
    assert 20 <= len(got) < 100
    assert got == [n * TICK for n in range(len(got))]


def test_frames_of_another_size_are_brought_to_the_first_ones(tmp_path):
    def jpeg(image):
        encoder = av.CodecContext.create("mjpeg", "w")
        encoder.height, encoder.width = image.shape[:2]
        encoder.pix_fmt, encoder.time_base = "yuvj420p", TICK
        return bytes(encoder.encode(av.VideoFrame.from_ndarray(image, "rgb24"))[0])

    other = jpeg(next(pictures(1, 128, 96)))

    def change(number, packet):
        return replaced(packet, other) if number == 1 else packet

    path = make_video(tmp_path / "clip.avi", pictures(3), "mjpeg", "yuvj420p", change=change)
    got = read(path)
    assert [frame.image.shape for frame in got] == [(48, 64, 3)] * 3
    assert difference(got[1].image, next(pictures())) < 8


def empty_video(path):
    with av.open(str(path), "w") as container:
        container.add_stream("ffv1", RATE, width=64, height=48, pix_fmt="bgr0")
        container.start_encoding()


def only_sound(path):
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", 48000)
        frame = av.AudioFrame.from_ndarray(np.zeros((2, 1024), np.float32), "fltp", "stereo")
        frame.sample_rate = 48000
        container.mux(stream.encode(frame))
        container.mux(stream.encode())


def only_damage(path):
    make_video(path, pictures(), change=lambda number, packet: replaced(packet, b"\xff" * 40))


def without_index(path):
    make_video(path, pictures())
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def unknown_codec(path):
    make_video(path, pictures(), "mjpeg", "yuvj420p")
    path.write_bytes(path.read_bytes().replace(b"MJPG", b"ZZZZ"))


@pytest.mark.parametrize(
    ("name", "make", "message"),
    [
        ("missing.mp4", lambda path: None, "does not exist"),
        ("empty.mp4", lambda path: path.touch(), "not a video"),
        ("notes.txt", lambda path: path.write_text("Not a video at all.\n" * 50), "no video stream"),
        ("notes.mp4", lambda path: path.write_text("Not a video at all.\n" * 50), "not a video"),
        ("sound.m4a", only_sound, "no video stream"),
        ("nothing.mkv", empty_video, "holds no frames"),
        ("damaged.mp4", only_damage, "no frame of .* can be decoded"),
        ("unknown.avi", unknown_codec, "a codec that this FFmpeg cannot decode"),
        ("cut.mp4", without_index, "damaged"),
        ("folder", lambda path: path.mkdir(), "holds no frames"),
    ],
)
def test_what_cannot_be_read_is_one_line_that_names_it(tmp_path, name, make, message):
    path = tmp_path / name
    make(path)
    with pytest.raises(InputError, match=message) as caught:
        open_frames(path)
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_selection_without_frames_is_refused(tmp_path):
    path = make_video(tmp_path / "clip.mp4", pictures())
    with pytest.raises(InputError, match=r"clip\.mp4 has no frame between"):
        open_frames(path, start=10)


def test_a_folder_is_read_in_natural_order_without_hidden_files(tmp_path):
    names = ["9.JPG", "10.jpeg", "11.PNG"]
    for name, image in zip(names, pictures(3), strict=True):
        Image.fromarray(image).save(tmp_path / name)
    (tmp_path / ".10.jpg").touch()
    (tmp_path / "notes.txt").touch()
    got = read(tmp_path)
    assert [frame.name for frame in got] == ["9", "10", "11"]
    assert [frame.seconds for frame in got] == [0, Fraction(1, 24), Fraction(2, 24)]
    np.testing.assert_array_equal(got[2].image, list(pictures(3))[2])
    assert [frame.name for frame in read(tmp_path, start=1, stride=2)] == ["10"]


def test_an_error_while_reading_ahead_comes_out_where_the_frame_is_asked_for(tmp_path):
    for name, image in zip(("0.png", "1.png"), pictures(2), strict=True):
        Image.fromarray(image).save(tmp_path / name)
    (tmp_path / "2.png").write_bytes(b"no image")
    Image.fromarray(next(pictures(1, 32, 48))).save(tmp_path / "3.png")
    with open_frames(tmp_path) as frames:
        assert [next(iter(frames)).name for _ in range(2)] == ["0", "1"]
        with pytest.raises(InputError, match=r"2\.png is not a readable image"):
            next(iter(frames))
    (tmp_path / "2.png").unlink()
    with pytest.raises(InputError, match=r"3\.png is 32x48, the frames before it 64x48"):
        read(tmp_path)


def test_closing_early_leaves_no_thread(tmp_path):
    path = make_video(tmp_path / "clip.mp4", pictures(50))
    with open_frames(path) as frames:
        for _ in zip(range(3), frames, strict=False):
            assert reading_threads()
    assert not reading_threads()
    open_frames(path).close()
    assert not reading_threads()


# Writing


def drawing(image):
    return lambda: image


def overlay(source, path, **selection):
    """Write the frames of `source` again; return them."""
    with open_frames(source, **selection) as frames, write_overlay(path, frames) as write:
        written = []
        for frame in frames:
            write(drawing(frame.image), frame.seconds)
            written.append(frame)
    return written


VARIABLE = [Fraction(t, 90000) for t in (0, 3003, 3010, 90000, 93003, 500001)]


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("clip.mp4", {}),
        ("variable.mp4", {"times": VARIABLE, "time_base": Fraction(1, 90000)}),
        ("late.mp4", {"times": [Fraction(n, 30) + 1 for n in range(6)], "sound": ("aac", tone(2))}),
        ("clip.ts", {"times": itertools.count(10, TICK), "sound": ("aac", tone(0.5))}),
        ("clip.gif", {"codec": "gif", "pixels": "rgb8"}),
        ("clip.webm", {"codec": "libvpx-vp9", "times": [Fraction(n * n, 100) for n in range(6)]}),
        ("ntsc.mov", {"times": [n * Fraction(1001, 30000) for n in range(6)], "time_base": Fraction(1, 30000)}),
        ("one.mp4", {"images": 1}),
    ],
)
def test_an_overlay_has_the_frames_and_times_of_its_input(tmp_path, name, settings):
    count = settings.pop("images", 6)
    settings.setdefault("time_base", Fraction(1, 3000))
    source = make_video(tmp_path / name, pictures(count), **settings)
    written = overlay(source, tmp_path / "overlay.mp4")
    got = read(tmp_path / "overlay.mp4")
    assert len(written) == len(got) == count
    assert [frame.seconds for frame in got] == [frame.seconds for frame in written]
    for frame, original in zip(got, written, strict=True):
        assert difference(frame.image, original.image) < (25 if name == "clip.gif" else 4)  # a GIF is full of noise


def test_an_overlay_is_what_browsers_play(tmp_path):
    overlay(make_video(tmp_path / "clip.mkv", pictures(), **LOSSLESS), tmp_path / "overlay.mp4")
    with av.open(str(tmp_path / "overlay.mp4")) as container:
        codec = container.streams.video[0].codec_context
        assert (codec.name, codec.pix_fmt) == ("h264", "yuv420p")
        assert (codec.colorspace, codec.color_range, codec.color_primaries, codec.color_trc) == (1, 1, 1, 1)
    content = (tmp_path / "overlay.mp4").read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")
    assert b"moof" not in content


@pytest.mark.parametrize("color", [(200, 40, 40), (30, 190, 60), (20, 40, 220), (255, 255, 255), (0, 0, 0)])
def test_colors_survive(tmp_path, color):
    image = np.full((48, 64, 3), color, np.uint8)
    source = make_video(tmp_path / "clip.mkv", [image], **LOSSLESS)
    overlay(source, tmp_path / "overlay.mp4")
    (frame,) = read(tmp_path / "overlay.mp4")
    assert np.abs(frame.image.astype(int) - color).max() <= 4


def test_odd_sides_are_made_even_by_repeating_the_last_row_and_column(tmp_path):
    source = make_video(tmp_path / "clip.mkv", pictures(2, 65, 49), **LOSSLESS)
    overlay(source, tmp_path / "overlay.mp4")
    got = read(tmp_path / "overlay.mp4")[0].image
    assert got.shape == (50, 66, 3)
    assert difference(got[:49, :65], next(pictures(2, 65, 49))) < 4
    assert difference(got[49], got[48]) < 4
    assert difference(got[:, 65], got[:, 64]) < 4


def test_the_last_frame_lasts_as_long_as_the_others(tmp_path):
    overlay(make_video(tmp_path / "clip.mp4", pictures(5)), tmp_path / "overlay.mp4")
    with av.open(str(tmp_path / "overlay.mp4")) as container:
        assert container.duration == 5 * TICK * av.time_base


def test_sound_that_an_mp4_holds_is_copied(tmp_path):
    source = make_video(tmp_path / "clip.mp4", pictures(25), sound=("aac", tone(1.5)))
    overlay(source, tmp_path / "overlay.mp4")

    def packets(path):
        with av.open(str(path)) as container:
            return [(packet.pts, bytes(packet)) for packet in container.demux(audio=0) if packet.size]

    assert packets(tmp_path / "overlay.mp4") == packets(source)


@pytest.mark.parametrize(
    ("name", "codec", "expected"),
    [
        ("clip.mp4", "aac", "aac"),
        ("clip.mkv", "libopus", "opus"),
        ("clip.mkv", "flac", "flac"),
        ("clip.mov", "pcm_s16le", "aac"),
        ("clip.ts", "aac", "aac"),
        ("clip.avi", "ac3", "aac"),
    ],
)
@pytest.mark.parametrize("selection", [{}, {"start": Fraction("0.4"), "end": 30}])
def test_the_sound_stays_in_time_and_ends_with_a_given_end(tmp_path, name, codec, expected, selection):
    needs(codec)
    source = make_video(tmp_path / name, pictures(50), "mpeg4", sound=(codec, tone(2.2, begin=1)))
    written = overlay(source, tmp_path / "overlay.mp4", **selection)
    name, begin, end = sound_of(tmp_path / "overlay.mp4")
    assert name == expected
    with open_frames(source) as frames:
        begin_of_source = sound_of(source)[1] - frames.origin
    shift = written[0].seconds if selection else 0
    assert abs(begin - (begin_of_source - shift)) < 0.005
    assert abs(end - (30 * TICK - shift if selection else 2.2)) < 0.1  # a packet's length
    assert times(tmp_path / "overlay.mp4") == [frame.seconds - shift for frame in written]


def test_nothing_is_written_where_the_block_ends_by_an_exception(tmp_path):
    source = make_video(tmp_path / "clip.mp4", pictures(30))
    with pytest.raises(KeyError), open_frames(source) as frames, write_overlay(tmp_path / "overlay.mp4", frames) as w:
        for frame in frames:
            w(drawing(frame.image), frame.seconds)
        raise KeyError
    assert [path.name for path in tmp_path.iterdir()] == ["clip.mp4"]
    assert not reading_threads()


WRITE_ON_A_FULL_DISK = """
import resource, sys
from osmn.errors import InputError
from osmn.user_video.media.reader import open_frames
from osmn.user_video.media.writer import write_overlay
source, path, size = sys.argv[1:]
resource.setrlimit(resource.RLIMIT_FSIZE, (int(size), resource.RLIM_INFINITY))
try:
    with open_frames(source) as frames, write_overlay(path, frames) as write:
        for frame in frames:
            write(lambda image=frame.image: image, frame.seconds)
except InputError as error:
    print(error)
"""


def overlay_on_full_disk(source, path, size):
    """Have another process, whose files end at a size, write an overlay; return what it says."""
    command = [sys.executable, "-c", WRITE_ON_A_FULL_DISK, str(source), str(path), str(size)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout


def noise(count):
    rng = np.random.default_rng(0)
    for _ in range(count):
        yield rng.integers(0, 256, (48, 64, 3), np.uint8)


def test_on_a_full_disk_what_is_written_plays_and_is_named(tmp_path):
    source = make_video(tmp_path / "clip.mkv", noise(300), **LOSSLESS)
    path = tmp_path / "overlay.mp4"
    said = overlay_on_full_disk(source, path, 400_000)
    assert f"{path} is not complete (File too large)" in said
    got = times(path)
    assert 30 < len(got) < 300
    assert got == [n * TICK for n in range(len(got))]
    assert f"its first {len(got)} frames" in said
    assert {path.name for path in tmp_path.iterdir()} == {"clip.mkv", "overlay.mp4"}


def test_on_a_disk_that_is_full_at_once_nothing_is_left(tmp_path):
    source = make_video(tmp_path / "clip.mkv", noise(100), **LOSSLESS)
    said = overlay_on_full_disk(source, tmp_path / "overlay.mp4", 1000)
    assert "overlay.mp4 cannot be written (File too large)" in said
    assert [path.name for path in tmp_path.iterdir()] == ["clip.mkv"]


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    source = make_video(tmp_path / "clip.mp4", pictures())
    with pytest.raises(InputError, match=r"overlay\.mp4 cannot be written"):
        overlay(source, source / "overlay.mp4")
    with pytest.raises(InputError, match="is a folder"):
        overlay(source, tmp_path)


def test_a_cutout_has_the_times_of_its_input_and_its_own_transparency(tmp_path):
    source = make_video(
        tmp_path / "clip.mkv",
        pictures(6, 65, 49),
        times=VARIABLE,
        time_base=VARIABLE[1] / 3003,
        **LOSSLESS,
        sound=("aac", tone(0.3)),
    )
    path = tmp_path / "cutout.webm"
    with open_frames(source) as frames, write_cutout(path, frames) as write:
        for frame in frames:
            alpha = np.zeros((49, 65, 1), np.uint8)
            alpha[:, frame.number * 10 :] = 255
            write(drawing(np.concatenate([frame.image, alpha], axis=-1)), frame.seconds)
    assert [round(seconds, 2) for seconds in times(path)] == [round(seconds, 2) for seconds in VARIABLE]
    assert sound_of(path)[0] == "opus"
    decoder = av.CodecContext.create("libvpx-vp9", "r")  # FFmpeg's own decoder leaves alpha out
    with av.open(str(path)) as container:
        decoded = [frame for packet in container.demux(video=0) if packet.size for frame in decoder.decode(packet)]
    for number, frame in enumerate(decoded):
        rgba = frame.to_ndarray(format="rgba")
        assert rgba.shape == (49, 65, 4)
        assert rgba[:, : max(0, number * 10 - 3), 3].sum() < 300
        assert rgba[:, number * 10 + 3 :, 3].mean() > 250
    assert len(decoded) == 6


class Clock(NamedTuple):
    """What a video is written like."""

    rate: Fraction
    time_base: Fraction
    path: str = "clip.nut"
    audio: None = None
    start: Fraction = Fraction(0)
    end: None = None


def write_like(writer, path, clock, seconds, channels, size=(64, 48)):
    with writer(path, clock) as write:
        for each in seconds:
            write(drawing(np.zeros((size[1], size[0], channels), np.uint8)), Fraction(each))


WRITERS = [(write_overlay, "video.mp4", 3), (write_cutout, "video.webm", 4)]


@pytest.mark.parametrize(("writer", "name", "channels"), WRITERS)
@pytest.mark.parametrize(
    ("rate", "time_base", "seconds"),
    [
        (Fraction(30000, 1001) / 100000007, "1/30000", [0]),
        (Fraction(25, 2147483647), "1/12800", [0]),
        (Fraction(1, 86400), "86400", [0, 86400]),
        (Fraction(1, 86400), "1/1", [0, 86400]),
        (Fraction(90000), "1/90000", [0, 1]),
        (Fraction(90000), "1/25", [0, 1]),
        (Fraction(2**31 - 1), "1/1000", [0, 1]),
    ],
)
def test_a_nominal_rate_that_no_encoder_takes_does_not_matter(
    tmp_path, writer, name, channels, rate, time_base, seconds
):
    write_like(writer, tmp_path / name, Clock(rate, Fraction(time_base)), seconds, channels)
    assert times(tmp_path / name) == seconds


def test_frames_too_far_apart_for_the_clock_are_refused_by_the_videos_name(tmp_path):
    with pytest.raises(InputError, match=r"^clip\.nut has frames over 23860\.9 s apart"):
        write_like(write_overlay, tmp_path / "overlay.mp4", Clock(Fraction(1), Fraction(1, 90000)), [0, 86400], 3)
    assert not list(tmp_path.iterdir())


def test_a_size_that_cannot_be_encoded_is_named_whatever_else_is_written(tmp_path):
    clock, wide = Clock(Fraction(25), TICK), np.zeros((16, 17000, 4), np.uint8)
    with (
        pytest.raises(InputError, match=r"overlay\.mp4 cannot be encoded, libx264 video of 17000x16 at 25 frames a"),
        write_overlay(tmp_path / "overlay.mp4", clock) as overlay,
        write_cutout(tmp_path / "cutout.webm", clock) as cutout,
    ):
        for number in range(20):
            overlay(drawing(wide[..., :3]), number * TICK)
            time.sleep(0.01)
            if number > 10:
                cutout(drawing(wide), number * TICK)
    assert not list(tmp_path.iterdir())


def resident_bytes():
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="the memory of a process is read from /proc")
def test_memory_does_not_grow_with_the_length(tmp_path):
    still = list(pictures(20, 160, 120))
    source = make_video(tmp_path / "clip.mp4", (still[n % 20] for n in range(2000)), options={"preset": "ultrafast"})
    with open_frames(source) as frames, write_overlay(tmp_path / "overlay.mp4", frames) as write:
        for frame in frames:
            write(drawing(frame.image), frame.seconds)
            if frame.number == 200:
                time.sleep(0.3)  # a reader without limit would run ahead now
                before = resident_bytes()
        assert resident_bytes() - before < 20e6  # all frames are 115 MB
