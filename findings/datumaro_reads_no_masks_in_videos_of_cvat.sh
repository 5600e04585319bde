#!/usr/bin/env bash
# datumaro reads masks in CVAT's XML for images, and stops at the same mask in CVAT's XML for video.
#
# Version: datumaro 1.13.12 from PyPI, with numpy 2.3.5.
# Input: a mask of 9 pixels in CVAT 1.1 XML, once below <image> (for images), once below <track> (for video), where CVAT
#   writes a mask as a track that is outside in the next frame.
# To expect: both are read, as boxes and polygons of both forms are.
# What happens: the one for video ends in "AttributeError: 'NoneType' object has no attribute 'get'", which datumaro
#   wraps as "Failed to import dataset": it takes the frame's size from the <image> that is not there, and not from
#   <original_size>.
# Source: datumaro/plugins/data_formats/cvat/base.py, _parse_shape_ann, "mask"; not known to be reported.
# Who meets it: whoever draws masks in a video in CVAT and takes them elsewhere by datumaro.
# What to do instead: export from CVAT as "CVAT for images 1.1", or as masks. CVAT imports that form for videos too, so
#   `osmn_segment.py --output_format cvat` writes it; `--mask` reads both.
# Output seen:
#   for images: 9 pixels
#   for video: DatasetImportError
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet datumaro==1.13.12

found=$(cd "$folder" && "$folder/venv/bin/python" - 2> "$folder/stderr" <<'PYTHON'
import pathlib

import datumaro
import numpy as np
from PIL import Image

MASK = 'rle="0, 9" left="2" top="1" width="3" height="3" occluded="0" z_order="0"'
LABELS = "<labels><label><name>thing</name></label></labels>"
SIZE = "<original_size><width>8</width><height>6</height></original_size>"
IMAGES = f'<image id="0" name="frame_000000.png" width="8" height="6"><mask label="thing" {MASK}></mask></image>'
VIDEO = (
    f'<track id="0" label="thing"><mask frame="0" keyframe="1" outside="0" {MASK}></mask>'
    f'<mask frame="1" keyframe="1" outside="1" {MASK}></mask></track>'
)
for kind, body in (("images", IMAGES), ("video", VIDEO)):
    folder = pathlib.Path(kind)
    (folder / "images").mkdir(parents=True)
    for number in range(2):
        Image.fromarray(np.zeros((6, 8, 3), np.uint8)).save(folder / f"images/frame_{number:06d}.png")
    meta = f"<version>1.1</version><meta><task>{LABELS}{SIZE}</task></meta>"
    (folder / "default.xml").write_text(f'<?xml version="1.0"?><annotations>{meta}{body}</annotations>')
    try:
        found = datumaro.Dataset.import_from(str(folder), "cvat")
        print(f"for {kind}: {sum(int(each.image.sum()) for item in found for each in item.annotations)} pixels")
    except datumaro.errors.DatasetImportError as error:
        print(f"for {kind}: {type(error).__name__}")
PYTHON
)
echo "$found"
expected="for images: 9 pixels
for video: DatasetImportError"
if [ "$found" != "$expected" ]; then
    echo "changed: this was seen before:"
    echo "$expected"
    exit 1
fi
