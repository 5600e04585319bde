"""How long the last frame of a video file is shown, what is missing at its end, and masks of its stored pixels."""

import itertools
from fractions import Fraction

import av
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from helpers.clips import LOSSLESS_H264, TICK, make_video, needs, pictures, read
from osmn.errors import InputError
from osmn.files.images import write_labels
from osmn.user_video.given import objects as objects_file
from osmn.user_video.media.reader import open_frames
from osmn.user_video.media.writer import write_cutout, write_overlay

CODECS = {"mp4": "libx264", "mov": "libx264", "mkv": "libx264", "webm": "libvpx-vp9", "gif": "gif"}
WITHOUT_DURATIONS = {"avi": "mpeg4", "wmv": "wmv2", "flv": "flv1"}  # Of frames: the whole file has one.


def with_last(path, last, count=6, bframes=0):
    """Write a clip of 25 frames a second whose last frame is shown for `last` seconds."""
    codec, kind = (CODECS | WITHOUT_DURATIONS)[path.suffix[1:]], path.suffix[1:]
    if kind == "gif":
        images = [Image.fromarray(image) for image in pictures(count)]
        durations = [*[40] * (count - 1), round(1000 * last)]
        images[0].save(path, save_all=True, append_images=images[1:], duration=durations)
        return path

    def change(number, packet):
        # An MP4 holds how far packets are apart as they are decoded: there it is the last packet that lasts.
        lasts = packet.pts * packet.time_base == (count - 1) * TICK or number == count - 1
        packet.duration = round((last if lasts else TICK) / packet.time_base)
        return packet

    options = {"bf": str(bframes), "b_strategy": "0"} if codec == "libx264" else {}
    return make_video(path, pictures(count), codec, change=change, options=options, time_base=Fraction(1, 1000))


def ends(path):
    with open_frames(path) as frames:
        assert len(list(frames)) == 6
        return frames.missing, *frames.last


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    kind=st.sampled_from(sorted(CODECS)),
    hundredths=st.one_of(st.integers(2, 12), st.integers(13, 3000)),
    bframes=st.integers(0, 2),
)
def test_the_last_frame_is_shown_as_long_as_the_file_says(tmp_path, kind, hundredths, bframes):
    needs(CODECS[kind])
    last = max(Fraction(hundredths, 100), bframes * TICK)
    path = with_last(tmp_path / f"clip.{kind}", last, bframes=bframes)
    assert ends(path) == (0, 5 * TICK, 5 * TICK + last)


@pytest.mark.parametrize("last", [1, 2, 70])
@pytest.mark.parametrize("kind", WITHOUT_DURATIONS)
def test_a_whole_file_without_durations_of_frames_shows_the_last_one_to_its_end(tmp_path, kind, last):
    path = with_last(tmp_path / f"clip.{kind}", last * TICK)
    assert ends(path) == (0, 5 * TICK, (5 + last) * TICK)


@pytest.mark.parametrize("kind", ["mp4", "gif", "webm"])
@pytest.mark.parametrize(("writer", "name"), [(write_overlay, "overlay.mp4"), (write_cutout, "cutout.webm")])
def test_what_is_written_lasts_as_long_as_the_video(tmp_path, kind, writer, name):
    path = with_last(tmp_path / f"clip.{kind}", 2)
    for selection, end in (({}, 5 * TICK + 2), ({"stride": 2}, 5 * TICK + 2), ({"end": 3}, 3 * TICK)):
        with open_frames(path, **selection) as frames, writer(tmp_path / name, frames) as write:
            for frame in frames:
                image = frame.image if writer is write_overlay else np.dstack([frame.image, frame.image[..., :1]])
                write(lambda image=image: image, frame.seconds)
        with open_frames(tmp_path / name) as written:
            list(written)
            assert abs(written.last[1] - end) <= Fraction(1, 1000)
            assert written.missing == 0


def test_a_run_that_is_stopped_early_shows_its_last_frame_for_a_frame(tmp_path):
    path = with_last(tmp_path / "clip.mp4", 2)
    with open_frames(path) as frames, write_overlay(tmp_path / "overlay.mp4", frames) as write:
        for frame in list(frames)[:3]:
            write(lambda image=frame.image: image, frame.seconds)
    with open_frames(tmp_path / "overlay.mp4") as written:
        list(written)
        assert float(written.last[1] - written.last[0]) < 0.5


@pytest.mark.parametrize(("suffix", "codec"), [("mkv", "mpeg4"), ("wmv", "wmv2"), ("flv", "flv1")])
def test_what_is_missing_at_the_end_is_told(tmp_path, suffix, codec):
    path = make_video(tmp_path / f"clip.{suffix}", pictures(100), codec, options={"g": "1"})
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 3 // 4])
    with open_frames(path) as frames:
        count = len(list(frames))
        assert frames.missing == pytest.approx(float((100 - count) * TICK), abs=0.05)


AVIS = {"mjpeg": "yuvj420p", "mpeg4": "yuv420p", "ffv1": "bgr0"}


def with_dropped_frames(path, codec, shown, after):
    """Write an AVI of 25 frames a second with frames at the places `shown`: the others, and `after`, have no data."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, 25, width=64, height=48, pix_fmt=AVIS[codec])
        for place, image in zip(shown, pictures(len(shown)), strict=True):
            frame = av.VideoFrame.from_ndarray(image, "rgb24")
            frame.pts, frame.time_base = place, TICK
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
        for number in range(after):
            empty = av.Packet(0)
            empty.stream, empty.time_base = stream, TICK
            empty.pts = empty.dts = shown[-1] + 1 + number
            container.mux(empty)
    return path


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    codec=st.sampled_from(sorted(AVIS)),
    steps=st.lists(st.integers(1, 5), min_size=2, max_size=6),
    after=st.integers(0, 60),
)
def test_dropped_frames_of_an_avi_show_the_frame_before_them(tmp_path, codec, steps, after):
    shown = [0, *itertools.accumulate(steps)]
    needs(codec)
    path = with_dropped_frames(tmp_path / "clip.avi", codec, shown, after)
    with open_frames(path) as frames:
        assert [frame.seconds for frame in frames] == [place * TICK for place in shown]
        assert (frames.missing, frames.damaged) == (0, 0)
        assert frames.last == (shown[-1] * TICK, (shown[-1] + 1 + after) * TICK)
    content = path.read_bytes()
    path.write_bytes(content[: content.index(b"idx1")])  # A camera that stopped before it wrote the index.
    with open_frames(path) as frames:
        list(frames)
        assert after < 2 or frames.missing > 0


def halves(tmp_path, size):
    """Write a mask of `size`: object 1 in the left half, object 2 at the top of the right half."""
    labels = np.zeros(size[::-1], np.uint8)
    labels[:, : size[0] // 2] = 1
    labels[: size[1] // 2, size[0] // 2 :] = 2
    write_labels(tmp_path / "mask.png", labels)
    return labels


@pytest.mark.parametrize("aspect", ["4/3", "1/2", "2"])
def test_a_mask_of_the_stored_pixels_is_stretched_as_the_pixels_are(tmp_path, aspect, caplog):
    def prepare(stream):
        stream.codec_context.sample_aspect_ratio = Fraction(aspect)

    path = make_video(tmp_path / "clip.mp4", pictures(2), prepare=prepare)
    halves(tmp_path, (64, 48))
    with open_frames(path) as frames:
        objects = objects_file.read_objects(tmp_path / "mask.png", frames.size, frames.as_shown)
        width, height = frames.size
    assert (width, height) != (64, 48)
    assert {i: mask.shape for i, mask in objects.items()} == {1: (height, width), 2: (height, width)}
    assert objects[1][:, : width // 2 - 1].all()
    assert not objects[1][:, width // 2 + 1 :].any()
    assert objects[2][: height // 2 - 1, width // 2 + 1 :].all()


@pytest.mark.parametrize("matrix", [(0, 1, -1, 0), (0, -1, 1, 0), (0, 1, 1, 0), (0, -1, -1, 0)])
def test_a_mask_of_the_stored_pixels_is_turned_as_the_frames_are(tmp_path, matrix):
    a, b, c, d = matrix
    numbers = [a << 16, b << 16, 0, c << 16, d << 16, 0, 0, 0, 1 << 30]
    labels = halves(tmp_path, (64, 48))
    drawn = np.dstack([labels * 100] * 3)
    path = make_video(
        tmp_path / "clip.mp4", [drawn], **LOSSLESS_H264, prepare=lambda stream: stream.set_display_matrix(numbers)
    )
    with open_frames(path) as frames:
        assert frames.size == (48, 64)
        objects = objects_file.read_objects(tmp_path / "mask.png", frames.size, frames.as_shown)
        shown = frames.first.image[..., 0]
    for object_id in (1, 2):
        np.testing.assert_array_equal(objects[object_id], shown == 100 * object_id)


def test_a_mask_of_neither_aspect_ratio_is_refused(tmp_path):
    path = make_video(tmp_path / "clip.mp4", pictures(2))
    halves(tmp_path, (48, 48))
    with open_frames(path) as frames, pytest.raises(InputError, match="is 48x48, the video 64x48"):
        objects_file.read_objects(tmp_path / "mask.png", frames.size, frames.as_shown)


def test_a_file_of_any_version_of_pyav_has_exact_times(tmp_path):
    got = read(make_video(tmp_path / "clip.mp4", pictures(3)))
    assert {type(frame.seconds) for frame in got} == {Fraction}
    assert av.time_base == 1000000
