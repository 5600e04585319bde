#!/usr/bin/env bash
# FFmpeg's best video stream is a single picture where the film beside it is not marked as default.
#
# Version: PyAV 18.1.0 from PyPI, with libavformat 62.12.102.
# Input: an MP4 whose track 0 is one JPEG and whose track 1 is a film of six frames, as FFmpeg's muxer writes it and as
#   drones and car cameras do.
# To expect: the film: av_find_best_stream, which ffplay and PyAV's `streams.best` call, counts frames to leave pictures
#   out, and `attached_pic` marks covers.
# What happens: the mark of a default track weighs more than the number of frames. FFmpeg's muxer marks the first video
#   track of an MP4 as the default, the picture here, and nothing marks it as a picture.
# Who meets it: whoever segments such recordings: a video of one frame comes out, and nothing is said.
# Source: not known to be reported; av_find_best_stream in libavformat/avformat.c compares dispositions first.
# What to do instead: leave out streams of one frame (`stream.frames == 1`, or by their packets) where another has more.
# Output seen:
#   best: stream 0 of 1 frame; the film: stream 1 of 6 frames
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet av==18.1.0 numpy==2.3.5

cat > "$folder/probe.py" <<'PYTHON'
import sys

import av
import numpy as np

with av.open(sys.argv[1], "w") as container:
    streams = []
    for codec, pixels in (("mjpeg", "yuvj420p"), ("libx264", "yuv420p")):
        streams.append(container.add_stream(codec, 10, width=64, height=48, pix_fmt=pixels))
    for number in range(6):
        for stream in streams[number > 0 :]:
            image = np.full((48, 64, 3), 40 * number, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, "rgb24")))
    for stream in streams:
        container.mux(stream.encode(None))
with av.open(sys.argv[1]) as container:
    best, film = container.streams.best("video"), container.streams.video[1]
    print(f"best: stream {best.index} of {best.frames} frame; the film: stream {film.index} of {film.frames} frames")
    sys.exit((best.index, best.frames, film.frames) != (0, 1, 6))
PYTHON
if ! "$folder/venv/bin/python" "$folder/probe.py" "$folder/clip.mp4" 2> /dev/null; then
    echo "changed: the picture was the best stream before"
    exit 1
fi
