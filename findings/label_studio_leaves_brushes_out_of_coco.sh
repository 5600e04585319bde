#!/usr/bin/env bash
# Label Studio's export as COCO leaves out all that was painted with its brush, without an error and without a word.
#
# Version: label-studio-sdk 2.1.2 from PyPI, whose converter the server of label-studio 1.23.2 calls for its exports.
# Input: a task of 60x40 pixels with a disk of 305 pixels painted with the brush, and a rectangle.
# To expect: two annotations, the disk as run lengths (COCO's RLE), or an error that says that COCO takes no brushes.
# What happens: one annotation, the rectangle; the disk's label is among the categories, and no annotation has it. The
#   same was seen in an export of the server itself.
# Source: label_studio_sdk/converter/converter.py, convert_to_coco, handles "rectanglelabels" and "polygonlabels" alone.
# Who meets it: whoever paints masks in Label Studio and takes them elsewhere as COCO: objects are missing.
# What to do instead: export as JSON, which has the brush's own run lengths (`--mask` reads it), or as one PNG for each
#   region ("Brush labels to PNG").
# Output seen:
#   regions: 2; annotations: 1, of Frame; categories: Disk, Frame
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet label-studio-sdk==2.1.2

cat > "$folder/probe.py" <<'PYTHON'
import json
import pathlib
import sys

import numpy as np
from label_studio_sdk.converter import Converter, brush

folder = pathlib.Path(sys.argv[1])
CONFIG = """<View><Image name="image" value="$image"/>
<BrushLabels name="tag" toName="image"><Label value="Disk"/></BrushLabels>
<RectangleLabels name="rect" toName="image"><Label value="Frame"/></RectangleLabels></View>"""
y, x = np.mgrid[:40, :60]
disk = np.where((x - 17) ** 2 + (y - 17) ** 2 < 100, 255, 0).astype(np.uint8)
of = {"original_width": 60, "original_height": 40, "image_rotation": 0, "to_name": "image", "origin": "manual"}
rle = {"format": "rle", "rle": brush.mask2rle(disk), "brushlabels": ["Disk"]}
box = {"x": 70, "y": 5, "width": 20, "height": 20, "rotation": 0, "rectanglelabels": ["Frame"]}
regions = [
    of | {"id": "a", "from_name": "tag", "type": "brushlabels", "value": rle},
    of | {"id": "b", "from_name": "rect", "type": "rectanglelabels", "value": box},
]
task = {"id": 1, "data": {"image": "00000.jpg"}, "annotations": [{"id": 1, "completed_by": 1, "result": regions}]}
(folder / "task.json").write_text(json.dumps([task]))
converter = Converter(CONFIG, str(folder), download_resources=False)
converter.convert_to_coco(str(folder / "task.json"), str(folder / "coco"), is_dir=False)
found = json.loads((folder / "coco/result.json").read_text())
names = {each["id"]: each["name"] for each in found["categories"]}
shown = [names[each["category_id"]] for each in found["annotations"]]
print(f"regions: 2; annotations: {len(shown)}, of {', '.join(shown)}; categories: {', '.join(sorted(names.values()))}")
sys.exit(shown != ["Frame"])
PYTHON
if ! "$folder/venv/bin/python" "$folder/probe.py" "$folder" 2> "$folder/stderr"; then
    tail -3 "$folder/stderr"
    echo "changed: the brush was left out before"
    exit 1
fi
