"""The sound of a video, for another video that is made of its frames."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator
from fractions import Fraction
from typing import TYPE_CHECKING, cast

import av

from osmn.user_video.media.sources import clock, open_container

if TYPE_CHECKING:  # These are only the types of arguments.
    from av.audio.stream import AudioStream
    from av.container import OutputContainer

    from osmn.user_video.media.sources import Timing

SOUND_RATE = 48000  # samples per second, in stereo, where sound is encoded: both AAC and Opus have it


class Sound:
    """The sound of a video as packets for another video: copied where its kind of file can hold them, else encoded.

    Args:
        output: the PyAV container that is written.
        like: a video with sound; the sound is cut as the frames are.
        copied: names of the codecs whose packets are copied.
        other: the codec that other sound is encoded in.
        run_up: keep the packet just before time 0, which a decoder starts from.
    """

    def __init__(
        self, output: OutputContainer, like: Timing, copied: Collection[str], other: str, run_up: bool
    ) -> None:
        if like.audio is None:
            raise ValueError(f"{like.path} has no sound")
        self._input = open_container(like.audio)
        self._stream = cast("AudioStream", self._input.streams.best("audio"))  # `Frames` has found it.
        self._begin = like.origin + like.start  # what becomes time 0
        self._run_up = run_up
        codec = self._stream.codec_context
        packets: Iterator[av.Packet] = iter(())
        if codec is None:
            pass  # FFmpeg cannot decode it.
        elif codec.name in copied and (codec.extradata or codec.name.startswith("mp3")):
            # Other codecs need a header in front, where AAC in a transport stream has a header in every packet.
            self._output = output.add_stream_from_template(self._stream)
            packets = self._copied()
        else:
            self._output = cast("AudioStream", output.add_stream(other, SOUND_RATE, layout="stereo"))
            packets = self._encoded()
        self._packets = self._readable(packets)
        self._next = next(self._packets, None)

    def until(self, seconds: Fraction | float) -> Iterator[av.Packet]:
        """Yield the packets before a time, each packet only once."""
        while self._next is not None and _time(self._next) < seconds:
            packet, self._next = self._next, next(self._packets, None)
            yield packet

    def close(self) -> None:
        """Close the file that the sound is read from."""
        self._input.close()

    def _readable(self, packets: Iterator[av.Packet]) -> Iterator[av.Packet]:
        """Yield packets until the file's sound ends or cannot be parsed any more."""
        with contextlib.suppress(av.FFmpegError):
            yield from packets

    def _copied(self) -> Iterator[av.Packet]:
        begin = round(self._begin / clock(self._stream))
        for packet in self._input.demux(self._stream):
            # An MP4 can begin before time 0, with the packet that a decoder of AAC starts from.
            run_up = 2 * (packet.duration or 0) if self._run_up else 0
            if packet.pts is not None and packet.pts + run_up >= begin:
                packet.pts -= begin
                packet.dts = packet.pts
                packet.stream = self._output
                yield packet

    def _encoded(self) -> Iterator[av.Packet]:
        graph = av.filter.Graph()
        # Silence where the sound has a gap, or starts later than the picture: encoders know no gaps.
        filters = [
            ("atrim", f"start={float(self._begin)}"),
            ("asetpts", f"PTS-{float(self._begin)}/TB"),
            ("aresample", f"{SOUND_RATE}:async=1:first_pts=0"),
            ("aformat", f"sample_fmts={self._output.format.name}:channel_layouts=stereo"),
            ("abuffersink", None),
        ]
        source = graph.add_abuffer(template=self._stream, time_base=clock(self._stream))
        graph.link_nodes(source, *(graph.add(name, options) for name, options in filters)).configure()
        for packet in self._input.demux(self._stream):
            with contextlib.suppress(av.FFmpegError):  # A damaged packet is a gap.
                for frame in self._stream.decode(packet):
                    graph.push(frame)
                    yield from self._filtered(graph)
        graph.push(None)
        yield from self._filtered(graph)
        yield from self._output.encode(None)

    def _filtered(self, graph: av.filter.Graph) -> Iterator[av.Packet]:
        while True:
            try:
                frame = graph.pull()
            except (av.BlockingIOError, av.EOFError):
                return
            yield from self._output.encode(cast(av.AudioFrame, frame))


def _time(packet: av.Packet) -> Fraction:
    """Return the time of a packet that has a time, in seconds."""
    return cast(int, packet.pts) * packet.time_base
