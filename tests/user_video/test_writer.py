"""Overlays and cutouts: frames, times, sound and colors as in the video they are made of."""

import itertools
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
import pytest
from av.video.reformatter import ColorRange, Colorspace

from helpers import ROOT
from helpers.clips import (
    LOSSLESS,
    TICK,
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
from helpers.processes import resident_bytes
from osmn.errors import InputError
from osmn.user_video.media.reader import open_frames
from osmn.user_video.media.rgb import to_yuv420
from osmn.user_video.media.writer import write_cutout, write_overlay


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


@pytest.mark.parametrize("size", [(64, 48), (66, 50), (2, 2), (70, 54)])
def test_colors_of_an_overlay_are_swscales_to_a_level(size):
    width, height = size
    colors = np.random.default_rng(0).integers(0, 256, (height // 2, width // 2, 3), np.uint8)
    image = colors.repeat(2, axis=0).repeat(2, axis=1)  # Colors are kept of 2x2 pixels.
    frame = av.VideoFrame.from_ndarray(image, "rgb24")
    wanted = frame.reformat(
        format="yuv420p", dst_colorspace=Colorspace.ITU709, dst_color_range=ColorRange.MPEG, interpolation="POINT"
    )
    assert np.abs(to_yuv420(image).astype(int) - wanted.to_ndarray()).max() <= 1


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
from osmn.user_video.media.rgb import to_yuv420
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
    last: None = None


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
