"""Which of a file's video streams is the video: the one that players show, and never a single picture."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import NamedTuple

import av
from av.container import InputContainer
from av.stream import Disposition

from osmn.errors import InputError
from osmn.user_video.media.sources import open_container

PICTURES = Disposition.attached_pic | Disposition.still_image | Disposition.timed_thumbnails
LOOKED_AT = 100  # Packets of another stream, after which a stream with a single packet is a still picture.


class Shown(NamedTuple):
    """The video of a file: its stream, and a line that names the file's other video streams, None without others."""

    stream: av.VideoStream
    others: str | None


def shown_stream(container: InputContainer, path: Path) -> Shown:
    """Return the video stream that players show.

    A stream of a single picture, such as a cover or what drones and cameras write for a quick look, is the video only
    where there is no other. Of several videos it is the one that FFmpeg finds best, as its players do: the one that is
    marked as default, then the one of most bits.

    Raises InputError, naming `path`, for a file without a video, or with none that FFmpeg can decode.
    """
    # FFmpeg takes any text for a terminal's picture.
    streams = [] if container.format.name == "tty" else list(container.streams.video)
    films = [stream for stream in streams if not stream.disposition & Disposition.attached_pic]
    if not films:
        raise InputError(f"{path} has no video stream; give a video or a folder of frames")
    decoded = [stream for stream in films if stream.codec_context is not None]
    if not decoded:
        raise InputError(f"{path} has a codec that this FFmpeg cannot decode; convert it to H.264")
    stills = _stills(decoded, path) if len(decoded) > 1 else set()
    moving = [stream for stream in decoded if stream.index not in stills] or decoded
    best = container.streams.best("video")
    stream = next((each for each in moving if best is not None and each.index == best.index), None)
    stream = stream or max(moving, key=_rank)
    others = [_described(each, each.index in stills) for each in streams if each.index != stream.index]
    if not others:
        return Shown(stream, None)
    words = "the other is" if len(others) == 1 else "the others are"
    return Shown(stream, f"{path}: stream {_described(stream, False)} is the video; {words} {', '.join(others)}")


def _rank(stream: av.VideoStream) -> tuple[bool, int, int, int]:
    """Return by what FFmpeg ranks a stream."""
    context = stream.codec_context
    bits = (context.bit_rate or 0) if context is not None else 0
    return bool(stream.disposition & Disposition.default), bits, stream.frames, -stream.index


def _stills(streams: list[av.VideoStream], path: Path) -> set[int]:
    """Return the indices of the streams that have a single picture."""
    found = {stream.index for stream in streams if stream.frames == 1 or stream.disposition & PICTURES}
    counts = {stream.index: 0 for stream in streams if stream.index not in found}
    if len(counts) > 1:  # Their packets are counted: not all kinds of files know how many frames they have.
        with (
            open_container(path) as container,
            contextlib.suppress(av.FFmpegError),
        ):  # The reading says what is damaged.
            for packet in container.demux([container.streams[index] for index in counts]):
                counts[packet.stream_index] += bool(packet.size)
                if min(counts.values()) > 1 or max(counts.values()) > LOOKED_AT:
                    break
        found |= {index for index, count in counts.items() if count < 2}
    return found


def _described(stream: av.VideoStream, still: bool) -> str:
    """Return a stream in words: its number, codec and size."""
    context = stream.codec_context
    if context is None:
        return f"{stream.index} (of an unknown codec)"
    kind = ", a still picture" if still or stream.disposition & PICTURES else ""
    return f"{stream.index} ({context.codec.canonical_name} {context.width}x{context.height}{kind})"
