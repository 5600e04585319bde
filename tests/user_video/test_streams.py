"""The stream of a file that is its video: the one that players show, whatever lies beside it."""

import itertools

import av
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from helpers.clips import TICK, difference, pictures, read
from osmn.errors import InputError
from osmn.user_video.media.reader import open_frames

CODECS = {"film": "libx264", "other film": "libx264", "picture": "mjpeg", "cover": "mjpeg"}


def write(path, kinds, count=6):
    """Write a file of streams of `kinds`: the film is of `pictures`, all others are black."""
    with av.open(str(path), "w") as container:
        streams = []
        for kind in kinds:
            pixels = "yuvj420p" if CODECS[kind] == "mjpeg" else "yuv420p"
            stream = container.add_stream(CODECS[kind], 25, width=64, height=48, pix_fmt=pixels, time_base=TICK)
            if kind == "cover":
                stream.disposition = av.stream.Disposition.attached_pic
            elif kind == "film" and path.suffix != ".ts":
                stream.disposition = av.stream.Disposition.default
            streams.append((kind, stream))
        for number, image in enumerate(pictures(count)):
            for kind, stream in streams:
                if number == 0 or "film" in kind:
                    frame = av.VideoFrame.from_ndarray(image if kind == "film" else image * 0, "rgb24")
                    frame.pts, frame.time_base = number, TICK
                    container.mux(stream.encode(frame))
        for _, stream in streams:
            container.mux(stream.encode(None))
    return path


def assert_film(path, count=6):
    got = read(path)
    assert len(got) == count
    assert max(difference(frame.image, image) for frame, image in zip(got, pictures(count), strict=True)) < 4


@pytest.mark.parametrize("suffix", ["mp4", "mov", "mkv", "avi"])
@pytest.mark.parametrize("kinds", itertools.permutations(["film", "picture"]))
def test_a_still_picture_beside_the_film_is_not_the_video(tmp_path, suffix, kinds):
    path = write(tmp_path / f"drone.{suffix}", kinds)
    assert_film(path)
    with open_frames(path) as frames:
        (remark,) = frames.remarks
    film, picture = kinds.index("film"), kinds.index("picture")
    assert remark.startswith(f"{path}: stream {film} (h264 64x48) is the video; the other is {picture} (mjpeg 64x48")
    assert remark.endswith("a still picture)")


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    kinds=st.lists(st.sampled_from(["other film", "picture"]), max_size=3).flatmap(
        lambda others: st.permutations(["film", *others])
    ),
    suffix=st.sampled_from(["mkv", "mp4"]),
)
def test_the_film_that_players_show_is_found_in_any_order_of_streams(tmp_path, kinds, suffix):
    path = write(tmp_path / f"clip.{suffix}", kinds)
    with av.open(str(path)) as container:
        best = container.streams.best("video").index
    if kinds[best] == "film":
        assert_film(path)
    else:  # In an MP4 the first of several is marked as default, and players show that.
        moving = [kind for kind in kinds if kind != "picture"]
        got = read(path)
        assert len(got) == 6
        assert (difference(got[0].image, next(pictures())) < 4) == (moving[0] == "film" or kinds[best] == "picture")


def test_a_cover_is_not_the_video_and_is_named(tmp_path):
    path = write(tmp_path / "clip.mp4", ["cover", "film"])
    assert_film(path)
    with open_frames(path) as frames:
        assert "still picture" in frames.remarks[0]


def test_a_file_of_one_video_has_no_remark(tmp_path):
    with open_frames(write(tmp_path / "clip.mp4", ["film"])) as frames:
        assert frames.remarks == []


def test_a_file_of_pictures_alone_is_a_video_of_one_frame(tmp_path):
    assert len(read(write(tmp_path / "clip.mp4", ["picture", "picture"]))) == 1


def test_a_song_with_a_cover_has_no_video(tmp_path):
    path = write(tmp_path / "clip.mp4", ["cover"])
    with pytest.raises(InputError, match="no video stream"):
        read(path)


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_the_film_of_an_avif_is_not_its_first_picture_nor_its_transparency(tmp_path, mode):
    images = [Image.fromarray(image).convert(mode) for image in pictures()]
    path = tmp_path / "clip.avif"
    try:
        images[0].save(path, save_all=True, append_images=images[1:], duration=[40] * 5 + [600], quality=95)
    except (OSError, KeyError, ValueError):
        pytest.skip("this Pillow writes no AVIF")
    got = read(path)
    assert [frame.seconds for frame in got] == [number * TICK for number in range(6)]
    assert max(difference(frame.image, image) for frame, image in zip(got, pictures(), strict=True)) < 6
    with open_frames(path) as frames:
        assert len(list(frames)) == 6
        assert frames.last == (5 * TICK, 20 * TICK)
        assert frames.missing == 0
