#!/usr/bin/env bash
# FFmpeg's "-fflags nobuffer" throws away what it has read to find a stream's format, the first key frame with it.
#
# Version: PyAV 18.1.0 from PyPI, with libavformat 62.12.102.
# Input: an MPEG transport stream of H.264, 100 pictures with a key frame in every 50th, through a pipe.
# To expect: all pictures, the first ones earlier: the option is described as "reduce the latency introduced by optional
#   buffering", and guides to low latency have it beside "-flags low_delay".
# What happens: no picture before the next key frame, here the 51st of 100, at 25 pictures a second after two seconds. Of
#   a stream with one key frame there is none at all. No error and no warning. `probesize` and `analyzeduration` do not
#   change it.
# Who meets it: whoever follows objects in a camera's stream: the frame in which the object was to be given is not there,
#   and each time the connection is opened anew, pictures are missing until the next key frame.
# Source: known to its users since 2026 at the latest: homebridge-plugins/homebridge-eufy, issue 1035, measures the same.
# What to do instead: leave the option out; read on a thread that keeps the newest picture only, which is never late.
# Output seen:
#   without: 100 of 100 pictures, the first is number 0; with nobuffer: 50 of 100 pictures, the first is number 50
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet av==18.1.0 numpy==2.3.5

cat > "$folder/probe.py" <<'PYTHON'
import os
import sys
import threading

import av
import numpy as np

COUNT = 100


def write(path):
    with av.open(path, "w", format="mpegts") as container:
        options = {"preset": "ultrafast", "tune": "zerolatency", "g": str(COUNT // 2)}
        stream = container.add_stream("libx264", 25, options, width=64, height=48, pix_fmt="yuv420p")
        for number in range(COUNT):
            image = np.full((48, 64, 3), 2 * number, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, "rgb24")))
        container.mux(stream.encode(None))


def numbers(path, options):
    """Return the numbers of the pictures that come, which their grays say."""
    end, begin = os.pipe()

    def send():
        with open(path, "rb") as file:
            os.write(begin, file.read())
        os.close(begin)

    threading.Thread(target=send, daemon=True).start()
    with av.open(f"pipe:{end}", options=options) as container:
        return [round(frame.to_ndarray(format="rgb24").mean() / 2) for frame in container.decode(video=0)]


write(sys.argv[1])
without, with_it = numbers(sys.argv[1], {}), numbers(sys.argv[1], {"fflags": "nobuffer"})
print(
    f"without: {len(without)} of {COUNT} pictures, the first is number {without[0]}; with nobuffer: {len(with_it)} of"
    f" {COUNT} pictures, the first is number {with_it[0]}"
)
sys.exit((without[0], with_it[0]) != (0, COUNT // 2))
PYTHON
if ! "$folder/venv/bin/python" "$folder/probe.py" "$folder/clip.ts" 2> /dev/null; then
    echo "changed: pictures up to the next key frame were lost before"
    exit 1
fi
