"""The kinds of videos that are written: containers, codecs, pixels, sound."""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple


class Kind(NamedTuple):
    """A kind of file.

    Attributes:
        container: how the file is packed.
        container_options: of FFmpeg.
        time_base: unit of the frames' times, in seconds; None: as in the video that the file is like.
        codec: of the picture.
        codec_options: of FFmpeg.
        given_pixels: format of the images to write.
        stored_pixels: format that is encoded.
        even: the codec needs even sides.
        copied_audio: codecs of sound that browsers play in such a file.
        other_audio: the codec that other sound is encoded in; empty for a video without sound.
        full_range: black is 0 and white the largest value, not 16 and 235 of 255.
    """

    container: str
    container_options: dict[str, str]
    time_base: Fraction | None
    codec: str
    codec_options: dict[str, str]
    given_pixels: str
    stored_pixels: str
    even: bool
    copied_audio: frozenset[str]
    other_audio: str
    full_range: bool = False


# In fragments, so that a file that ends anywhere plays; with delay_moov they can begin at another time than 0.
OVERLAY = Kind(
    container="mp4",
    container_options={"movflags": "frag_keyframe+delay_moov+default_base_moof"},
    time_base=None,
    codec="libx264",
    # Of all presets the least work by far (5 ms per frame of 1280x720, where "veryfast" takes 16), for larger files;
    # the quality is the same as with "veryfast" at crf 18. A constant quantizer, because rate control makes other bytes
    # from run to run: x264's threads share its estimates.
    codec_options={"preset": "ultrafast", "qp": "23", "g": "48"},
    given_pixels="rgb24",
    stored_pixels="yuv420p",
    even=True,
    copied_audio=frozenset({"aac", "mp3", "mp3float", "opus", "libopus", "flac"}),
    other_audio="aac",
)
CUTOUT = Kind(
    container="webm",
    container_options={},
    time_base=Fraction(1, 1000),
    codec="libvpx-vp9",
    # Alternate reference frames do not go with alpha.
    codec_options={"crf": "24", "b": "0", "cpu-used": "5", "row-mt": "1", "auto-alt-ref": "0"},
    given_pixels="rgba",
    stored_pixels="yuva420p",
    even=False,
    copied_audio=frozenset({"opus", "libopus", "vorbis"}),
    other_audio="libopus",
)
# Lossless: black is 0 and white 255 in every frame.
MATTE = Kind(
    container="matroska",
    container_options={},
    time_base=Fraction(1, 1000),
    codec="ffv1",
    codec_options={"level": "3", "g": "1"},
    given_pixels="gray",
    stored_pixels="gray",
    even=False,
    copied_audio=frozenset(),
    other_audio="",
    full_range=True,
)
PRORES_MATTE = Kind(
    container="mov",
    container_options={},
    time_base=None,
    codec="prores_ks",
    codec_options={"profile": "4444"},
    given_pixels="gray",
    stored_pixels="yuv444p10le",
    even=False,
    copied_audio=frozenset(),
    other_audio="",
)
