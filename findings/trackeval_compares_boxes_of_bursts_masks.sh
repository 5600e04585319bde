#!/usr/bin/env bash
# TrackEval's HOTA of BURST, whose objects are masks, compares the boxes around the masks.
#
# Version: trackeval 1.3.0 from PyPI; the repository JonathonLuiten/TrackEval has the same lines (commit 7b62a1b).
# Input: a file of BURST's form of one video of three annotated frames, whose object is a filled square; results in the
#   same form, whose object is the square's outline, one pixel wide: an IoU of 156 / 1600 = 0.0975 with the true masks.
# To expect: HOTA by that IoU, 0.0526: above the threshold 0.05, and below all others from 0.1 to 0.95. BURST's paper
#   and its README measure masks.
# What happens: HOTA is 1. Frame by frame "similarity_scores" are the IoU of the boxes, which are the same.
# Source: not known to be reported. burst_helpers/burst_base.py keeps ann['bbox'] as the detections of a frame; burst.py
#   gives them to pycocotools' iou as masks, and that function takes arrays for boxes. The tracks for TrackMAP come by
#   another way, `_box_or_mask_from_det`, and are masks.
# Who meets it: whoever reports HOTA on BURST. Tracked boxes with poor masks score as well as good masks.
# What to do instead: report J, or the per-track scores (TrackMAP), beside HOTA; or set gt_dets and tracker_dets to the
#   masks before `_calculate_similarities`.
# Output seen (AMD EPYC of Zen 5):
#   IoU of the masks 0.0975
#   similarity_scores 1.0, HOTA 1.0
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet trackeval==1.3.0 scikit-image==0.26.0 numpy==2.3.5 pycocotools==2.0.10

cat > "$folder/probe.py" <<'PYTHON'
import json
import sys
from pathlib import Path

import numpy as np
import trackeval
from pycocotools import mask as coco_mask

root = Path(sys.argv[1])
square = np.zeros((60, 80), np.uint8)
square[10:50, 20:60] = 1
outline = square.copy()
outline[11:49, 21:59] = 0
runs = {name: coco_mask.encode(np.asfortranarray(mask)) for name, mask in (("truth", square), ("ours", outline))}
print("IoU of the masks", coco_mask.iou([runs["truth"]], [runs["ours"]], [0]).item())
for name, counts in runs.items():
    images = [f"{number:05d}.jpg" for number in range(3)]
    sequence = {"id": 1, "dataset": "LaSOT", "seq_name": "bear-2", "width": 80, "height": 60, "fps": 1}
    sequence |= {"all_image_paths": images, "annotated_image_paths": images, "track_category_ids": {"1": 805}}
    sequence |= {"neg_category_ids": [], "not_exhaustive_category_ids": []}
    sequence |= {"segmentations": [{"1": {"rle": counts["counts"].decode(), "is_gt": True}} for _ in images]}
    (root / name).mkdir(parents=True)
    (root / name / "all.json").write_text(json.dumps({"sequences": [sequence], "categories": [], "split": "val"}))
config = {"GT_FOLDER": str(root / "truth"), "TRACKERS_FOLDER": str(root), "OUTPUT_FOLDER": str(root)}
config |= {"TRACKERS_TO_EVAL": ["ours"], "TRACKER_SUB_FOLDER": "", "PRINT_CONFIG": False}
dataset = trackeval.datasets.BURST(config)
category = next(name for name, number in dataset.class_name_to_class_id.items() if number == 805)
data = dataset.get_preprocessed_seq_data(dataset.get_raw_seq_data("ours", "val-LaSOT-bear-2"), category)
hota = trackeval.metrics.HOTA().eval_sequence(data)["HOTA"].mean()
print(f"similarity_scores {data['similarity_scores'][1].item()}, HOTA {hota}")
PYTHON

found=$("$folder/venv/bin/python" "$folder/probe.py" "$folder/data" 2>/dev/null | grep -E "^(IoU|similarity)")
echo "$found"
if [ "$found" != $'IoU of the masks 0.0975\nsimilarity_scores 1.0, HOTA 1.0' ]; then
    echo "changed: an IoU of 0.0975, and a similarity and HOTA of 1.0, were seen before"
    exit 1
fi
