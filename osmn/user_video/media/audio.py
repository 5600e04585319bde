"""The sound of a video for another one that is made of its frames."""

import contextlib

import av

from osmn.user_video.media.reader import open_container

SOUND_RATE = 48000  # samples per second, in stereo, where sound is encoded: both AAC and Opus have it


class Sound:
    """The sound of a video, as packets for another one: copied where its kind of file can hold them, else encoded anew.

    Args:
        output: the PyAV container that is written.
        like: `reader.Frames` with sound; it is cut as they are.
        copied: names of the codecs that are copied.
        other: the codec to encode others in.
        run_up: keep what comes just before time 0, to start a decoder with.
    """

    def __init__(self, output, like, copied, other, run_up):
        self._input = open_container(like.audio)
        self._stream = self._input.streams.best("audio")
        self._begin = like.origin + like.start  # what becomes time 0
        self._run_up = run_up
        codec = self._stream.codec_context
        if codec is None:
            packets = iter(())
        elif codec.name in copied and (codec.extradata or codec.name.startswith("mp3")):
            # The others need their header, which AAC in a transport stream has in every packet instead.
            self._output = output.add_stream_from_template(self._stream)
            packets = self._copied()
        else:
            self._output = output.add_stream(other, SOUND_RATE, layout="stereo")
            packets = self._encoded()
        self._packets = self._readable(packets)
        self._next = next(self._packets, None)

    def until(self, seconds):
        """Yield the packets before that time, once."""
        while self._next is not None and self._next.pts * self._next.time_base < seconds:
            packet, self._next = self._next, next(self._packets, None)
            yield packet

    def close(self):
        """Let go of the file that it is read from."""
        self._input.close()

    def _readable(self, packets):
        """Yield packets until the file's sound ends or cannot be parsed any more."""
        with contextlib.suppress(av.FFmpegError):
            yield from packets

    def _copied(self):
        begin = round(self._begin / self._stream.time_base)
        for packet in self._input.demux(self._stream):
            # An MP4 can begin before time 0, with the packet that a decoder of AAC starts from.
            run_up = 2 * (packet.duration or 0) if self._run_up else 0
            if packet.pts is not None and packet.pts + run_up >= begin:
                packet.pts -= begin
                packet.dts = packet.pts
                packet.stream = self._output
                yield packet

    def _encoded(self):
        graph = av.filter.Graph()
        # Silence where the sound has a gap, or starts later than the picture: encoders know no gaps.
        filters = [
            ("atrim", f"start={float(self._begin)}"),
            ("asetpts", f"PTS-{float(self._begin)}/TB"),
            ("aresample", f"{SOUND_RATE}:async=1:first_pts=0"),
            ("aformat", f"sample_fmts={self._output.format.name}:channel_layouts=stereo"),
            ("abuffersink", None),
        ]
        source = graph.add_abuffer(template=self._stream, time_base=self._stream.time_base)
        graph.link_nodes(source, *(graph.add(name, options) for name, options in filters)).configure()
        for packet in self._input.demux(self._stream):
            with contextlib.suppress(av.FFmpegError):  # a damaged packet is a gap
                for frame in packet.decode():
                    graph.push(frame)
                    yield from self._filtered(graph)
        graph.push(None)
        yield from self._filtered(graph)
        yield from self._output.encode(None)

    def _filtered(self, graph):
        while True:
            try:
                frame = graph.pull()
            except (av.BlockingIOError, av.EOFError):
                return
            yield from self._output.encode(frame)
