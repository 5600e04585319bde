#!/usr/bin/env bash
# PyAV takes yuv420p from an array in place as if its height were a multiple of 4: rows and colors are wrong, silently.
#
# Version: av 18.1.0 from PyPI; 19.0.2, which wants Python 3.12, does the same.
# Input: arrays of the three planes of yuv420p, uint8 (3 H / 2, W), of even sides, as `VideoFrame.to_ndarray` gives them:
#   Y is 100, U is 50 and V is 200 everywhere.
# To expect: `VideoFrame.from_numpy_buffer` gives the same frame as `VideoFrame.from_ndarray`, without a copy.
# What happens: where H is 2 more than a multiple of 4, the frame has two rows less, and U and V begin two rows too
#   early: their planes start with the end of the plane before. Nothing is said. Of 480, 720 and 1080 rows this is not
#   seen; of 270, 350, 450, 482 or 1066 it is.
# Source: not found in PyAV's issues.
# Who meets it: whoever makes yuv420p himself, since swscale takes three to ten times as long as OpenCV for it, and gives
#   it to an encoder without a copy: overlays, cameras.
# What to do instead: `VideoFrame.from_ndarray`, which copies the planes into rows of their own length and is right.
# Output seen (both versions):
#   48 rows: from_ndarray 48, U [50], V [200]; from_numpy_buffer 48, U [50], V [200]
#   50 rows: from_ndarray 50, U [50], V [200]; from_numpy_buffer 48, U [50, 100], V [50, 200]
#   350 rows: from_ndarray 350, U [50], V [200]; from_numpy_buffer 348, U [50, 100], V [50, 200]
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet av==18.1.0 numpy==2.4.6

cat > "$folder/probe.py" <<'PYTHON'
import sys

import av
import numpy as np


def described(frame):
    planes = [np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[:, : plane.width] for plane in frame.planes]
    _, u, v = (np.unique(plane).tolist() for plane in planes)
    return frame.height, u, v


def compared(height, width=64):
    sizes = (height, width), (height // 2, width // 2), (height // 2, width // 2)
    flat = [np.full(size, value, np.uint8).ravel() for size, value in zip(sizes, (100, 50, 200))]
    planes = np.concatenate(flat).reshape(-1, width)
    ways = {
        name: described(getattr(av.VideoFrame, name)(planes, format="yuv420p"))
        for name in ("from_ndarray", "from_numpy_buffer")
    }
    print(f"{height} rows: " + "; ".join(f"{name} {rows}, U {u}, V {v}" for name, (rows, u, v) in ways.items()))
    return ways["from_ndarray"] == (height, [50], [200]), ways["from_numpy_buffer"] == (height, [50], [200])


sys.exit([compared(height) for height in (48, 50, 350)] != [(True, True), (True, False), (True, False)])
PYTHON
"$folder/venv/bin/python" "$folder/probe.py"
