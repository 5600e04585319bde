"""Lists, JSON, scores and weights with a bit flipped or their end missing: read as something valid, or refused by name.

Images have their own file, test_damaged_images.py; caches are in test_files.py.
"""

import json

import numpy as np
import pytest
import zero_networks
from pycocotools import mask as coco_masks
from test_damaged_images import damaged

from osmn.config import ModelConfig
from osmn.data import coco, ytvos
from osmn.errors import InputError
from osmn.files import read_names, read_scores
from osmn.pretrained import imagenet

RUNS = {"size": [30, 40], "counts": [100, 500, 600]}
CORNERS = [0, 0, 20.5, 0, 20.5, 25.25, 0, 25.25]
TEXT = coco_masks.encode(np.asfortranarray(np.eye(30, 40, dtype=np.uint8)))["counts"].decode()
COCO = {
    "images": [{"id": 1, "file_name": "1.jpg", "height": 30, "width": 40}],
    "annotations": [
        {"id": 7, "image_id": 1, "segmentation": [CORNERS], "iscrowd": 0},
        {"id": 8, "image_id": 1, "segmentation": RUNS, "iscrowd": 0},
        {"id": 9, "image_id": 1, "segmentation": {"size": [30, 40], "counts": TEXT}, "iscrowd": 0},
    ],
}
META = {"videos": {"v": {"objects": {str(i): {"category": "cat", "frames": ["00000", "00005"]} for i in (1, 2)}}}}


@pytest.fixture(scope="module")
def network():
    return zero_networks.build(ModelConfig(no_visual_modulator=True))


def written(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def split_list(root, network):
    return written(
        root / "val.txt", "bear\nblack-swan\ncamel\n" + "".join(f"seq-{i}\n" for i in range(20))
    ), lambda path: read_names(path, "look")


def coco_annotations(root, network):
    path = written(root / "annotations/instances_train2017.json", json.dumps(COCO))
    return path, lambda path: coco.read_instances(root, "train2017", cache=False)


def meta_json(root, network):
    return written(root / "valid/meta.json", json.dumps(META)), lambda path: ytvos.read_listings(root, "valid")


def score_file(root, network):
    np.save(root / "00001.npy", np.linspace(0, 1, 24, dtype=np.float32).reshape(4, 6))
    return root / "00001.npy", read_scores


def weights(root, network):
    arrays = {"conv1_1/biases": np.ones(64, np.float32), "conv1_2/biases": np.ones(64, np.float32)}
    np.savez(root / "vgg16.npz", **arrays)
    return root / "vgg16.npz", lambda path: imagenet.load(network, "osmn/seg", path)


@pytest.mark.slow
@pytest.mark.parametrize("make", [split_list, coco_annotations, meta_json, score_file, weights])
def test_a_damaged_file_is_refused_by_name_or_read(tmp_path, network, monkeypatch, capsys, make):
    monkeypatch.setattr(coco, "processors", lambda: 1)
    path, read = make(tmp_path, network)
    read(path)
    whole, refused, count = path.read_bytes(), 0, 200
    for content in damaged(whole, min(count, 8 * len(whole))):
        path.write_bytes(content)
        try:
            read(path)
        except InputError as error:
            assert str(path) in str(error) and "\n" not in str(error)
            refused += 1
    with capsys.disabled():
        print(f"{path.name}: {refused} of {min(count, 8 * len(whole)) + count} refused by name, the others read")
    assert refused
