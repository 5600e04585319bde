#!/usr/bin/env bash
# A mask of Encord has COCO's code in the JSON, and is another mask when COCO's tools decode it: its runs go by rows.
#
# Version: encord 0.1.211 from PyPI, with pycocotools 2.0.11 and numpy 2.3.5.
# Input: a disk, as encord's BitmaskCoordinates writes it: top, left, height, width, rleString.
# To expect: "rleString" is written in the code of COCO's compressed run lengths, of a stated height and width; so
#   pycocotools.mask.decode({"size": [height, width], "counts": rleString}) gives the disk, or an error.
# What happens: it gives stripes, without a word: IoU 0.14 with the disk here. COCO's runs go down the columns, Encord's
#   along the rows. Decoded with the sides exchanged, and transposed, it is the disk to the pixel.
# Source: encord's own exporter to COCO says so in a comment (encord/utilities/coco/exporter.py); the JSON itself, and
#   the name of the field, do not.
# Who meets it: whoever reads Encord's export of labels by pycocotools, as first masks or as ground truth.
# What to do instead: decode({"size": [width, height], "counts": rleString}).T, placed at (top, left), as
#   osmn/user_video/given/platforms.py does.
# Output seen:
#   as COCO's: IoU 0.14
#   sides exchanged, transposed: equal True
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet encord==0.1.211 pycocotools==2.0.11 numpy==2.3.5

found=$("$folder/venv/bin/python" - <<'PYTHON'
import numpy as np
from encord.objects.bitmask import BitmaskCoordinates
from pycocotools import mask

y, x = np.mgrid[:40, :60]
disk = (x - 17) ** 2 + (y - 17) ** 2 < 100
written = BitmaskCoordinates(disk).to_dict()
height, width, counts = written["height"], written["width"], written["rleString"]
naive = mask.decode({"size": [height, width], "counts": counts}).astype(bool)
turned = mask.decode({"size": [width, height], "counts": counts}).astype(bool).T
print(f"as COCO's: IoU {(naive & disk).sum() / (naive | disk).sum():.2f}")
print(f"sides exchanged, transposed: equal {np.array_equal(turned, disk)}")
PYTHON
)
echo "$found"
expected="as COCO's: IoU 0.14
sides exchanged, transposed: equal True"
if [ "$found" != "$expected" ]; then
    echo "changed: this was seen before:"
    echo "$expected"
    exit 1
fi
