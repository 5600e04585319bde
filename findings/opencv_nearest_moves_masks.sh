#!/usr/bin/env bash
# OpenCV's nearest neighbor moves a mask by a pixel and a half; its "exact" one is Pillow's since OpenCV 5.0 alone.
#
# Version: opencv-python-headless 4.14.0.94 and 5.0.0.93, with pillow 12.3.0.
# Input: a disc of radius 200 in the middle of 1280x720, made smaller to a network's 448x256 and larger again; and labels
#   of 256x144 made larger to 272x153, where new pixels' centers lie on the borders of old ones.
# To expect: "nearest" is nearest: the disc stays in the middle, and masks are those of Pillow, which most published
#   scores were made with. INTER_NEAREST_EXACT, says OpenCV's documentation, gives what Pillow gives.
# What happens: INTER_NEAREST takes the pixel at or before the new pixel's left upper corner, not at its center: the disc
#   is 1.3 pixels of the video too far right and below after one step, and J there and back falls from 0.994 to 0.983.
#   INTER_NEAREST_EXACT differs from Pillow in rows and columns whose centers are on a border, before OpenCV 5.0.
# Source: https://github.com/opencv/opencv/issues/9096 (nearest), https://github.com/opencv/opencv/issues/28429 and
#   pull request 28873 (exact); torch's interpolate has the same two, "nearest" and "nearest-exact"
#   (https://github.com/pytorch/pytorch/pull/64501).
# Who meets it: whoever resizes masks by OpenCV (or torch) in one place and by Pillow in another: training by one and
#   scoring by the other, guides that lie beside their object. Thin objects lose most.
# What to do instead: resize masks by Pillow wherever they are resized, or by pixels that are counted as Pillow counts
#   them (osmn/masks.py: resized).
# Output seen (AMD EPYC of Zen 4):
#   Pillow 12.3.0: the middle is at 640.0, 360.0; there and back J 0.9938
#   OpenCV 4.14.0, nearest: the middle is at 641.3, 361.4; there and back J 0.9834
#   OpenCV 4.14.0, exact: the middle is at 639.9, 360.0; there and back J 0.9938; as Pillow at 272x153: False
#   OpenCV 5.0.0, nearest: the middle is at 641.3, 361.4; there and back J 0.9834
#   OpenCV 5.0.0, exact: the middle is at 640.0, 360.0; there and back J 0.9938; as Pillow at 272x153: True
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat > "$folder/probe.py" <<'PYTHON'
import sys

import cv2
import numpy as np
import PIL
from PIL import Image

VIDEO, NETWORK = (1280, 720), (448, 256)
y, x = np.ogrid[: VIDEO[1], : VIDEO[0]]
disc = (np.hypot(x + 0.5 - 640, y + 0.5 - 360) < 200).astype(np.uint8)
labels = np.random.default_rng(0).integers(0, 256, (144, 256), np.uint8)


def by_pillow(mask, size):
    return np.asarray(Image.fromarray(mask).resize(size, Image.Resampling.NEAREST))


def by_opencv(way):
    return lambda mask, size: cv2.resize(mask, size, interpolation=way)


def told(name, resize):
    small = resize(disc, NETWORK)
    rows, columns = np.nonzero(small)
    middle = [(each.mean() + 0.5) * old / new for each, old, new in zip((columns, rows), VIDEO, NETWORK)]
    back = resize(small, VIDEO)
    j = (back & disc).sum() / (back | disc).sum()
    return "{}: the middle is at {:.1f}, {:.1f}; there and back J {:.4f}".format(name, *middle, j)


if sys.argv[1] == "pillow":
    print(told(f"Pillow {PIL.__version__}", by_pillow))
print(told(f"OpenCV {cv2.__version__}, nearest", by_opencv(cv2.INTER_NEAREST)))
exact = by_opencv(cv2.INTER_NEAREST_EXACT)
same = np.array_equal(exact(labels, (272, 153)), by_pillow(labels, (272, 153)))
print(f"{told(f'OpenCV {cv2.__version__}, exact', exact)}; as Pillow at 272x153: {same}")
PYTHON

found=""
for version in 4.14.0.94 5.0.0.93; do
    python3 -m venv "$folder/$version"
    "$folder/$version/bin/pip" install --quiet opencv-python-headless=="$version" pillow==12.3.0
    first=$([ -z "$found" ] && echo pillow || echo no)
    found+=$("$folder/$version/bin/python" "$folder/probe.py" "$first")$'\n'
done
printf %s "$found"
expected="Pillow 12.3.0: the middle is at 640.0, 360.0; there and back J 0.9938
OpenCV 4.14.0, nearest: the middle is at 641.3, 361.4; there and back J 0.9834
OpenCV 4.14.0, exact: the middle is at 639.9, 360.0; there and back J 0.9938; as Pillow at 272x153: False
OpenCV 5.0.0, nearest: the middle is at 641.3, 361.4; there and back J 0.9834
OpenCV 5.0.0, exact: the middle is at 640.0, 360.0; there and back J 0.9938; as Pillow at 272x153: True"
if [ "$found" != "$expected"$'\n' ]; then
    echo "changed: this was seen before:"
    echo "$expected"
    exit 1
fi
