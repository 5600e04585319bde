"""Clips of few frames, written by PyAV and read by our reader."""

import itertools
import threading
from fractions import Fraction
from typing import NamedTuple

import av
import numpy as np
import pytest

from osmn.user_video.media import video_file
from osmn.user_video.media.reader import open_frames

RATE = 25
TICK = Fraction(1, RATE)
LOSSLESS = {"codec": "ffv1", "pixels": "bgr0"}
LOSSLESS_H264 = {"codec": "libx264rgb", "pixels": "rgb24", "options": {"qp": "0"}}


def pictures(count=6, width=64, height=48):
    """Return frames that differ: a slope across each, red at the top left, brighter from frame to frame."""
    y, x = np.mgrid[:height, :width]
    for number in range(count):
        level = 40 + number * 120 // count
        image = np.stack([level + x * 60 // width, level + y * 60 // height, np.full_like(x, level)], axis=-1)
        image[: height // 3, : width // 3] = 220, 30, 30
        yield image.astype(np.uint8)


class Picture(NamedTuple):
    """A frame of pixels other than RGB."""

    frame: av.VideoFrame
    shape: tuple = (48, 64)


def make_video(path, images, codec="libx264", pixels="yuv420p", times=None, sound=None, prepare=None, **settings):
    """Write `images` at `times` (seconds; else 25 a second), with `sound` ((codec, float32 (2, N) at 48 kHz)).

    `prepare(stream)` sets more before the encoding begins; `change(number, packet)` returns the packet to be stored.
    """
    times = itertools.count(0, TICK) if times is None else times
    options, change = settings.pop("options", {}), settings.pop("change", lambda number, packet: packet)
    time_base = settings.pop("time_base", TICK)
    with av.open(str(path), "w") as container:
        stream = None
        for image, seconds in zip(images, times, strict=False):
            if stream is None:
                height, width = image.shape[:2]
                stream = container.add_stream(
                    codec, RATE, options, width=width, height=height, pix_fmt=pixels, time_base=time_base, **settings
                )
                audio = None if sound is None else container.add_stream(sound[0], 48000)
                packets = itertools.count()
                if prepare is not None:
                    prepare(stream)
            frame = image.frame if isinstance(image, Picture) else av.VideoFrame.from_ndarray(image, "rgb24")
            frame.pts, frame.time_base = round(seconds / time_base), time_base
            container.mux([change(next(packets), packet) for packet in stream.encode(frame)])
        container.mux([change(next(packets), packet) for packet in stream.encode()])
        for begin in range(0, 0 if sound is None else sound[1].shape[1], 1024):
            samples = np.ascontiguousarray(sound[1][:, begin : begin + 1024])
            frame = av.AudioFrame.from_ndarray(samples, "fltp", "stereo")
            frame.sample_rate, frame.pts, frame.time_base = 48000, begin, Fraction(1, 48000)
            container.mux(audio.encode(frame))
        if audio is not None:
            container.mux(audio.encode())
    return path


def read(path, **selection):
    """Return the frames of a video that a selection (`start`, `end`, `stride`) leaves."""
    with open_frames(path, **selection) as frames:
        return list(frames)


def times(path, **selection):
    """Return the times of the frames of `read`, in seconds, as fractions."""
    return [frame.seconds for frame in read(path, **selection)]


def difference(image, other):
    """Return the mean absolute difference of two images, in levels of 0 to 255."""
    return np.abs(image.astype(int) - other.astype(int)).mean()


def needs(codec):
    """Skip the test if this build of PyAV cannot write with a codec."""
    try:
        av.Codec(codec, "w")
    except av.codec.codec.UnknownCodecError:
        pytest.skip(f"this build of PyAV has no encoder {codec}")


UNEVEN = [Fraction(t, 90000) for t in np.cumsum([3003, 7, 9000, 1501, 45000] * 8).tolist()]


def decoded_frames(monkeypatch):
    """Return a list that grows with every frame that is decoded."""
    decoded, frames = [], video_file.VideoFile.frames

    def counted(self):
        for frame in frames(self):
            decoded.append(frame[1])
            yield frame

    monkeypatch.setattr(video_file.VideoFile, "frames", counted)
    return decoded


def reading_threads():
    """Return the threads of this process that read or write a video."""
    return [thread for thread in threading.enumerate() if thread.name.startswith(("frames", "encoder"))]


def tone(seconds, begin=0):
    """Return `seconds` of sound: silence, and from `begin` on 440 Hz."""
    t = np.arange(round(seconds * 48000)) / 48000
    wave = np.where(t >= begin, 0.5 * np.sin(2 * np.pi * 440 * t), 0)
    return np.stack([wave, wave]).astype(np.float32)


def sound_of(path):
    """Return the codec's name, when the file's tone begins, and when its sound ends, in seconds."""
    with av.open(str(path)) as container:
        stream = container.streams.best("audio")
        to_float = av.AudioResampler("fltp")
        decoded = [part for frame in container.decode(stream) for part in to_float.resample(frame)]
        frames = [(frame.pts * frame.time_base, frame.to_ndarray()[0]) for frame in decoded]
        name, rate = stream.codec_context.codec.name, stream.codec_context.sample_rate
    first = next(
        (seconds + Fraction(int(np.argmax(np.abs(wave) > 0.1)), rate) for seconds, wave in frames if wave.max() > 0.1),
        None,
    )
    return name, first, frames[-1][0] + Fraction(len(frames[-1][1]), rate)
