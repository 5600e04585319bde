"""Videos and folders of frames as they are read: order, times, sizes, what is damaged."""

import itertools
from fractions import Fraction

import av
import numpy as np
import pytest
from PIL import Image

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
    times,
)
from osmn.errors import InputError
from osmn.user_video.media.reader import frame_at, open_frames, position


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
