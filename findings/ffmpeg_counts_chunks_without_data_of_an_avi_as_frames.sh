#!/usr/bin/env bash
# FFmpeg counts the chunks without data of an AVI as frames, and gives no packets for them, not even at the end.
#
# Version: PyAV 18.1.0 from PyPI, with libavformat 62.12.102.
# Input: an AVI of 25 frames a second with pictures at 0, 1, 2, 5, 6 and 9, and four more chunks without data, as its
#   muxer writes it, and as capture programs write frames that they have dropped.
# To expect: as many packets as `stream.frames` says; or a duration of the last packet until where the stream ends.
# What happens: 14 frames are announced, six packets come, and the last one lasts for a single frame. Players show the
#   picture before a chunk without data on. In the middle the packets' times tell this; at the end nothing does.
# Who meets it: whoever compares the frames that came with those that were announced to find files that are cut short,
#   or takes the last packet's end for the end of the video.
# Source: not known to be reported; libavformat/avidec.c skips empty chunks and goes on with its clock.
# What to do instead: an AVI whose parts (RIFF) fill the file is whole; its last frame lasts until the announced end.
# Output seen:
#   announced: 14 frames, 0.56 s; packets: 6, the last one at 0.36 s for 0.04 s
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet av==18.1.0 numpy==2.3.5

cat > "$folder/probe.py" <<'PYTHON'
import sys
from fractions import Fraction

import av
import numpy as np

TICK = Fraction(1, 25)
with av.open(sys.argv[1], "w") as container:
    stream = container.add_stream("mjpeg", 25, width=64, height=48, pix_fmt="yuvj420p")
    for place in (0, 1, 2, 5, 6, 9):
        frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 20 * place, np.uint8), "rgb24")
        frame.pts, frame.time_base = place, TICK
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))
    for place in range(10, 14):
        empty = av.Packet(0)
        empty.stream, empty.time_base, empty.pts, empty.dts = stream, TICK, place, place
        container.mux(empty)
with av.open(sys.argv[1]) as container:
    stream = container.streams.video[0]
    packets = [packet for packet in container.demux(stream) if packet.size]
    begin, long = (float(ticks * stream.time_base) for ticks in (packets[-1].pts, packets[-1].duration))
    announced = float(stream.duration * stream.time_base)
    print(f"announced: {stream.frames} frames, {announced} s; packets: {len(packets)}, the last one at {begin} s for {long} s")
    sys.exit((stream.frames, len(packets), long) != (14, 6, 0.04))
PYTHON
if ! "$folder/venv/bin/python" "$folder/probe.py" "$folder/clip.avi" 2> /dev/null; then
    echo "changed: fewer packets than frames came before"
    exit 1
fi
