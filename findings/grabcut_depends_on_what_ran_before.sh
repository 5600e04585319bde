#!/usr/bin/env bash
# OpenCV's GrabCut gives another mask for the same image and box when random numbers were drawn before in the process.
#
# Version: opencv-python-headless 5.0.0.93 from PyPI.
# Input: an image of 64x48 whose object is a patchwork, some patches of which look like the ground; a box around it.
# To expect: one image and one box have one mask: `grabCut` takes neither a seed nor a random generator.
# What happens: its mixtures of colors begin from k-means with the random numbers of the calling thread (cv::theRNG), so
#   that the mask depends on which calls, of GrabCut or others, came before.
# Who meets it: whoever makes first masks from boxes for several videos in one process, compares such masks between runs,
#   or resumes a run that checks whether its masks have changed.
# Source: not known to be documented; modules/imgproc/src/grabcut.cpp calls kmeans with KMEANS_PP_CENTERS.
# What to do instead: cv2.setRNGSeed(0) before each call.
# Output seen:
#   fresh 294 pixels, after other draws 252 294 336, seeded 294
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet opencv-python-headless==5.0.0.93 numpy==2.3.5

cat > "$folder/probe.py" <<'PYTHON'
import sys

import cv2
import numpy as np

rng, (y, x) = np.random.default_rng(40), np.mgrid[:48, :64]
image = np.dstack([x * 2, y * 3, x + y]).astype(np.uint8) + rng.integers(0, 60, (48, 64, 3), np.uint8)
patches = rng.integers(0, 200, (4, 4, 3), np.uint8).repeat(6, axis=0).repeat(7, axis=1)
image[12:36, 16:44] = patches + rng.integers(0, 40, (24, 28, 3), np.uint8)


def pixels(seed=None):
    if seed is not None:
        cv2.setRNGSeed(seed)
    mask, (ground, thing) = np.zeros(image.shape[:2], np.uint8), np.zeros((2, 1, 65))
    cv2.grabCut(image, mask, (10, 8, 40, 32), ground, thing, 5, cv2.GC_INIT_WITH_RECT)
    return int(((mask == cv2.GC_FGD) | (mask == cv2.GC_PR_FGD)).sum())


def in_words(found):
    return " ".join(map(str, sorted(found)))


fresh, others = pixels(), set()
for number in range(12):
    cv2.randu(np.zeros(number + 1, np.uint8), 0, 255)
    others.add(pixels())
seeded = {pixels(0) for _ in range(4)}
print(f"fresh {fresh} pixels, after other draws {in_words(others)}, seeded {in_words(seeded)}")
sys.exit(len(others) < 2 or len(seeded) > 1)
PYTHON
if ! "$folder/venv/bin/python" "$folder/probe.py"; then
    echo "changed: several masks were seen without a seed, and one with it"
    exit 1
fi
