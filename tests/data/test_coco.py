"""COCO: which instances are examples, and their cache."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from pycocotools import mask as coco_masks

from helpers.coco_files import (
    SIZE,
    compressed,
    dataset,
    polygon,
    rectangle,
    uncompressed,
)
from helpers.trees import change_cache
from osmn.data import coco
from osmn.data.coco import read_instances
from osmn.errors import InputError


def masks(instances):
    return [
        coco_masks.decode({"size": list(size), "counts": code})
        for size, code in zip(instances.sizes, instances.codes, strict=True)
    ]


# -- Which instances --------------------------------------------------------------------------------------------------


def test_instances_come_from_polygons_and_from_both_kinds_of_runs(tmp_path):
    boxes = [(2, 3, 20, 20), (10, 10, 35, 28), (0, 0, 40, 6)]
    ring = rectangle(5, 5, 35, 25) - rectangle(10, 10, 30, 20)
    two = [polygon(1, 1, 8, 9), polygon(20, 12, 33, 25)]
    dataset(
        tmp_path,
        [polygon(*boxes[0])],
        two,
        uncompressed(rectangle(*boxes[1])),
        compressed(rectangle(*boxes[2])),
        uncompressed(ring),
    )
    instances = read_instances(tmp_path, "train2017", cache=False)
    joined = rectangle(1, 1, 8, 9) | rectangle(20, 12, 33, 25)
    expected = [rectangle(*boxes[0]), joined, rectangle(*boxes[1]), rectangle(*boxes[2]), ring]
    for ours, theirs in zip(masks(instances), expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert instances.images == [str(tmp_path / "train2017/000000000001.jpg")] * 5
    assert instances.sizes == [list(SIZE[::-1])] * 5


def test_crowds_are_left_out(tmp_path):
    big = rectangle(0, 0, 20, 20)
    dataset(tmp_path, (uncompressed(big), {"iscrowd": 1}), [polygon(0, 0, 30, 20)], (compressed(big), {"iscrowd": 1}))
    instances = read_instances(tmp_path, "train2017", cache=False)
    assert [mask.sum() for mask in masks(instances)] == [600]


def test_an_instance_must_cover_more_than_3_percent(tmp_path):
    dataset(tmp_path, *(compressed(rectangle(0, 0, *sides)) for sides in ((6, 6), (37, 1), (12, 3), (35, 1), (7, 6))))
    instances = read_instances(tmp_path, "train2017", cache=False)
    assert [mask.sum() for mask in masks(instances)] == [37, 42]  # 36 of 1200 pixels is 3 %, and not more.


def test_instances_of_many_chunks_and_processes_keep_their_order(tmp_path, monkeypatch):
    monkeypatch.setattr(coco, "CHUNK", 2)
    monkeypatch.setattr(coco, "processors", lambda: 1)
    widths = [10, 1, 12, 2, 14, 3, 16]
    dataset(tmp_path, *(compressed(rectangle(0, 0, width, 10)) for width in widths))
    instances = read_instances(tmp_path, "train2017", cache=False)
    assert [mask.sum() for mask in masks(instances)] == [100, 120, 140, 160]


@pytest.mark.slow
def test_several_processes_give_the_instances_of_one(tmp_path, monkeypatch):
    dataset(tmp_path, *(compressed(rectangle(0, 0, width, 10)) for width in range(1, 12)))
    alone = read_instances(tmp_path, "train2017", cache=False)
    monkeypatch.setattr(coco, "CHUNK", 3)
    monkeypatch.setattr(coco, "processors", lambda: 2)
    assert read_instances(tmp_path, "train2017", cache=False) == alone


def test_instances_of_the_real_subset_are_counted(shared):
    for split, count in (("train2017", 657), ("val2017", 440)):
        instances = read_instances(shared / "data/coco", split, cache=False)
        assert len(instances.images) == len(instances.codes) == count
        assert all(Path(image).is_file() for image in instances.images)


def remove_annotations(path):
    path.unlink()
    return f"{path} does not exist"


def cut_annotations(path):
    path.write_text(path.read_text()[:-40])
    return f"{path} is not COCO's instance annotations"


def leave_out_images(path):
    path.write_text(json.dumps(json.loads(path.read_text()) | {"images": []}))
    return f"{path} is not COCO's instance annotations"


def leave_out_annotations(path):
    path.write_text(json.dumps(json.loads(path.read_text()) | {"annotations": []}))
    return f"{path} has no instance that covers more than 3%"


def replace_segmentation(path, segmentation):
    content = json.loads(path.read_text())
    content["annotations"][1]["segmentation"] = segmentation
    path.write_text(json.dumps(content))
    return f"{path}: annotation 102 is damaged"


def twice(kind):
    def spoil(path):
        content = json.loads(path.read_text())
        content[kind].append(content[kind][0])
        path.write_text(json.dumps(content))
        return f"{path} is not COCO's instance annotations (the id"

    return spoil


def change_image(**change):
    def spoil(path):
        content = json.loads(path.read_text())
        content["images"][0] |= change
        path.write_text(json.dumps(content))
        return f"{path} is not COCO's instance annotations"

    return spoil


def lists_in_lists(path):
    path.write_text("[" * 99999)
    return f"{path} is not COCO's instance annotations (lists in lists without end)"


WHOLE = polygon(0, 0, 20, 20)
DAMAGED = {
    "no polygon": [],
    "two corners": [[1, 1, 5, 5]],
    "half a corner": [[*WHOLE, 3]],
    "two corners after a polygon": [WHOLE, [1, 1, 5, 5]],
    "words": [["a", "b", "c", "d", "e", "f"]],
    "digits": [["1", "2", "3", "4", "5", "6"]],
    "truths": [[True, False, True, True, False, False]],
    "nothing": None,
    "nothing among polygons": [None],
    "nothing among numbers": [[None, *WHOLE[1:]]],
    "a text": "polygon",
    "a number": 3,
    "a text of a polygon": ["0, 0, 20, 20"],
    "a polygon of polygons": [[WHOLE, WHOLE, WHOLE, WHOLE, WHOLE, WHOLE]],
    "not a number": [[float("nan"), *WHOLE[1:]]],
    "infinity": [[*WHOLE[:-1], float("inf")]],
    "far away": [[100000000, *WHOLE[1:]]],
    "far away on the other side": [[*WHOLE[:-1], -100000000]],
    "farther than numbers go": [[10**400, *WHOLE[1:]]],
    "runs that end early": {"size": [30, 40], "counts": [0, 400]},
    "runs that go on": {"size": [30, 40], "counts": [0, 1200, 1]},
    "runs without end": {"size": [30, 40], "counts": [0, 10**30]},
    "runs backwards": {"size": [30, 40], "counts": [700, -200, 700]},
    "runs of halves": {"size": [30, 40], "counts": [600.0, 600.0]},
    "runs of nothing": {"size": [30, 40], "counts": None},
    "no run": {"size": [30, 40], "counts": []},
    "an empty text": {"size": [30, 40], "counts": ""},
    "a text of other letters": {"size": [30, 40], "counts": "ĀĀĀ"},
    "a text of other signs": {"size": [30, 40], "counts": "!!!"},
    "a text without end": {"size": [30, 40], "counts": "o" * 3},
    "a text of long numbers": {"size": [30, 40], "counts": "o" * 40 + "0"},
    "a text that is cut": compressed(rectangle(0, 0, 20, 20))
    | {"counts": compressed(rectangle(0, 0, 20, 20))["counts"][:-3]},
    "the text of a larger image": compressed(rectangle(0, 0, 20, 20, (80, 60))) | {"size": [30, 40]},
    "a size of nothing": {"size": None, "counts": [0, 1200]},
    "no size": {"counts": [0, 1200]},
    "no runs": {"size": [30, 40]},
    "runs of words": {"size": [30, 40], "counts": ["a"]},
    "the size of another image": compressed(rectangle(0, 0, 20, 20, (30, 40))),
}


@pytest.mark.parametrize(
    "spoil",
    [remove_annotations, cut_annotations, leave_out_images, leave_out_annotations, lists_in_lists]
    + [pytest.param(twice(kind), id=f"{kind} twice") for kind in ("images", "annotations")]
    + [
        pytest.param(change_image(**{name: value}), id=f"{name} {value!r:.12}")
        for name, values in {
            "height": (0, -30, 30.0, "30", None, True, 10**12, float("nan"), [30]),
            "id": (None, [1], 1.5, {}),
            "file_name": (None, 3, "../a.jpg", ["a.jpg"]),
        }.items()
        for value in values
    ]
    + [pytest.param(lambda path, s=s: replace_segmentation(path, s), id=name) for name, s in DAMAGED.items()],
)
def test_damaged_annotations_are_named_with_their_id(tmp_path, spoil):
    path = dataset(tmp_path, [polygon(0, 0, 20, 20)], [polygon(0, 0, 20, 20)])
    named = spoil(path)
    with pytest.raises(InputError) as caught:
        read_instances(tmp_path, "train2017")
    assert str(caught.value).startswith(named)
    assert "\n" not in str(caught.value)
    assert not list(path.parent.glob(".osmn*"))


# -- The cache --------------------------------------------------------------------------------------------------------


@pytest.fixture
def cached(tmp_path):
    """Return a COCO folder and its cache, which says something that is not true: the image has another name."""
    annotations = dataset(tmp_path, [polygon(0, 0, 20, 20)], compressed(rectangle(3, 3, 30, 20)))
    read_instances(tmp_path, "train2017")
    (path,) = annotations.parent.glob(".osmn*")
    change_cache(path, lambda value: [["cached.jpg"] * len(value[0]), *value[1:]])
    (tmp_path / "train2017/cached.jpg").touch()
    return tmp_path, path, path.read_text()


def is_used(root, **options):
    names = {Path(image).name for image in read_instances(root, "train2017", **options).images}
    assert len(names) == 1
    return names == {"cached.jpg"}


def test_a_cache_gives_the_instances_that_were_filtered(tmp_path):
    dataset(tmp_path, [polygon(0, 0, 20, 20)], [polygon(0, 0, 2, 2)], compressed(rectangle(3, 3, 30, 20)))
    filtered = read_instances(tmp_path, "train2017")
    assert read_instances(tmp_path, "train2017") == filtered
    assert filtered == read_instances(tmp_path, "train2017", cache=False)


def test_a_cache_is_used_unless_it_is_not_wanted(cached):
    root, *_ = cached
    assert is_used(root)
    assert not is_used(root, cache=False)
    assert is_used(root)


def test_a_cache_is_stale_for_other_annotations_and_another_threshold(cached):
    root, path, content = cached
    assert not is_used(root, min_foreground=0.1)  # It writes its own.
    path.write_text(content)
    os.utime(root / "annotations/instances_train2017.json", (1, 1))
    assert not is_used(root)
    path.write_text(content)
    dataset(root, [polygon(0, 0, 20, 20)])
    assert len(read_instances(root, "train2017").images) == 1
