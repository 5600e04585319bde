"""Files without a checksum, with a bit flipped or their end missing: read as something valid, or refused by name.

Images, videos and what has a checksum have files of their own, test_damaged_*.py; caches are in test_cache.py.
"""

import json

import numpy as np
import pytest
from pycocotools import mask as coco_masks

from helpers.cases import case
from helpers.damage import damaged
from osmn.data import coco, ytvos
from osmn.errors import InputError
from osmn.files.names import read_names
from osmn.files.scores import read_scores
from osmn.models.pretrained import imagenet
from osmn.networks.backend import keras

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


def written(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def split_list(root):
    return written(
        root / "val.txt", "bear\nblack-swan\ncamel\n" + "".join(f"seq-{i}\n" for i in range(20))
    ), lambda path: read_names(path, "look")


def coco_annotations(root):
    path = written(root / "annotations/instances_train2017.json", json.dumps(COCO))
    written(root / "train2017/1.jpg", "")
    return path, lambda path: coco.read_instances(root, "train2017", cache=False)


def meta_json(root):
    return written(root / "valid/meta.json", json.dumps(META)), lambda path: ytvos.read_listings(root, "valid")


def score_file(root):
    np.save(root / "00001.npy", np.linspace(0, 1, 24, dtype=np.float32).reshape(4, 6))  # As other programs write it.
    return root / "00001.npy", read_scores


def keras_weights(root):
    """Write MobileNet's weights in HDF5, of random numbers and few channels: the reader builds no other network."""
    model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(4, 3, use_bias=False, name="conv1")])
    model.save_weights(root / "mobilenet.weights.h5")

    def read(path):
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(keras.applications, "MobileNet", lambda **_: model)
            return imagenet._keras_weights("lite", str(path))

    return root / "mobilenet.weights.h5", read


@pytest.mark.parametrize("count", [20, pytest.param(200, marks=pytest.mark.slow)])
@pytest.mark.parametrize("make", [split_list, coco_annotations, meta_json, score_file, keras_weights])
def test_a_damaged_file_is_refused_by_name_or_read(tmp_path, monkeypatch, make, count):
    monkeypatch.setattr(coco, "processors", lambda: 1)
    path, read = make(tmp_path)
    read(path)
    whole, refused = path.read_bytes(), 0
    for content in damaged(whole, min(count, 8 * len(whole))):
        path.write_bytes(content)
        with case("damaged lists, JSON, arrays"):
            try:
                read(path)
            except InputError as error:
                assert str(path) in str(error) and "\n" not in str(error)
                refused += 1
    assert refused


NAMES_TWICE = ('{"a": 1, "a": 2}', '[{"b": {"c": 1, "d": 2, "c": 1}}]', '{"videos": {}, "videos": {}}')


@pytest.mark.parametrize("text", NAMES_TWICE)
def test_json_that_gives_a_name_twice_is_refused(tmp_path, text):
    path = written(tmp_path / "valid/meta.json", text)
    with pytest.raises(InputError, match=r"meta\.json.*is there twice"):
        ytvos.read_listings(tmp_path, "valid")
    path = written(tmp_path / "annotations/instances_train2017.json", text)
    with pytest.raises(InputError, match=f"{path}.*is there twice"):
        coco.read_instances(tmp_path, "train2017", cache=False)
