"""YouTube-VOS: its videos and training examples, and the cache of frames that may be guides."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from helpers.trees import change_cache
from helpers.ytvos_videos import COLOURS, COLUMN, NEXT_COLUMN, SIZE, paint, write_training_video, write_video
from osmn.data import ytvos
from osmn.data.types import Reference
from osmn.errors import InputError
from osmn.inputs.sources import video_loader

VALIDITY = (0.003, 0.2)
HALF = (16, 12)


@pytest.fixture
def train(tmp_path):
    return write_training_video(tmp_path)


def described(examples):
    """Return examples as (object, guides, previous mask, frame, label), frames by number."""

    def number(path):
        return int(Path(path).stem)

    return [
        (e.object_id, [number(g.frame) for g in e.guides], number(e.previous_mask), number(e.frame), number(e.label))
        for e in examples
    ]


def test_frames_may_be_pngs_and_come_in_natural_order(tmp_path):
    names = ["8", "9", "10", "11"]
    labels = paint({1: (4, 4, 12, 12)})
    for split in ("train", "valid"):
        write_video(tmp_path / split, "v", dict.fromkeys(range(4), labels), {1: (0, 1, 3)})
        for number, name in enumerate(names):
            for path in list((tmp_path / split).rglob(f"{number:05d}.*")):
                path.rename(path.with_name(name + (".png" if path.suffix == ".png" or number % 2 else ".JPG")))
        meta = tmp_path / split / "meta.json"
        meta.write_text(json.dumps({"videos": {"v": {"objects": {"1": {"frames": ["11", "8", "9"]}}}}}))
    (listed,), (every,) = (ytvos.videos(tmp_path, "valid", all_frames) for all_frames in (False, True))
    assert [path.name for path in listed.frames] == ["8.JPG", "9.png", "11.png"]
    assert [path.name for path in every.frames] == ["8.JPG", "9.png", "10.JPG", "11.png"]
    assert listed.references == every.references == {0: Reference(tmp_path / "valid/Annotations/v/8.png", (1,))}
    assert every.listed == {1: {0, 1, 3}}
    assert described(ytvos.examples(tmp_path, SIZE)) == [(1, [8], 8, 9, 9), (1, [8], 9, 11, 11)]


def test_examples_are_pairs_of_an_objects_listed_frames_guided_by_its_first_one(train):
    assert described(ytvos.examples(train, SIZE)) == [
        (1, [0], 0, 5, 5),
        (1, [0], 5, 10, 10),
        (2, [5], 5, 10, 10),
    ]


def test_guides_are_the_frames_where_the_object_is_valid_at_the_networks_size(train):
    assert [e[1] for e in described(ytvos.examples(train, SIZE, VALIDITY))] == [[0, 5, 10], [0, 5, 10], [5, 10]]
    assert [e[1] for e in described(ytvos.examples(train, HALF, VALIDITY))] == [[5], [5], [5, 10]]


def test_an_object_that_is_nowhere_valid_is_guided_by_its_first_frame(train):
    assert [e[1] for e in described(ytvos.examples(train, SIZE, (0.9, 0.2)))] == [[0], [0], [5]]


def test_indexed_annotations_are_read_as_the_mask_of_the_examples_object(train):
    load = tf.function(video_loader(ytvos.examples(train, SIZE)))
    for number, object_id, previous, now in ((0, 1, {1: COLUMN[1]}, NEXT_COLUMN), (2, 2, NEXT_COLUMN, COLUMN)):
        guide_frame, guide_mask, previous_mask, frame, label = load(tf.constant(number), (0, 0))
        assert guide_frame.shape == frame.shape == (24, 32, 3)
        np.testing.assert_array_equal(previous_mask, paint(previous) == object_id)
        np.testing.assert_array_equal(guide_mask, paint(previous) == object_id)
        np.testing.assert_array_equal(label, paint(now) == object_id)
        np.testing.assert_allclose(frame.numpy()[paint(now) == object_id].mean(0), COLOURS[object_id], atol=3)


def test_a_split_without_two_frames_of_an_object_is_named(train):
    write_video(train / "train", "v", {0: paint(COLUMN)}, {1: (0,)})
    with pytest.raises(InputError, match=r"train/meta\.json lists no object with two frames"):
        ytvos.examples(train, SIZE)


CACHE = "train/.osmn-valid-frames.json"


def guides(train, size=SIZE, validity=VALIDITY):
    return [e[1] for e in described(ytvos.examples(train, size, validity, cache=True))]


@pytest.fixture
def cached(train):
    """Return the dataset with a cache that says something that is not true: object 2 is valid in frame 10 only."""
    guides(train)

    def change(value):
        assert value == {"v": {"1": ["00000", "00005", "00010"], "2": ["00005", "00010"]}}
        return {"v": value["v"] | {"2": ["00010"]}}

    change_cache(train / CACHE, change)
    return train


def test_a_cached_list_is_used(cached):
    assert guides(cached)[-1] == [10]


def change_meta(train):
    path = train / "train/meta.json"
    path.write_text(path.read_text() + "\n")


def touch_meta(train):
    os.utime(train / "train/meta.json", (1, 1))


@pytest.mark.parametrize("change", [change_meta, touch_meta])
def test_a_cache_is_stale_when_meta_json_changes(cached, change):
    change(cached)
    assert guides(cached)[-1] == [5, 10]


@pytest.mark.parametrize("other", [{"size": HALF}, {"validity": (0.004, 0.2)}, {"validity": (0.003, 0.21)}])
def test_a_cache_is_stale_for_other_ratios_and_another_size(cached, other):
    assert guides(cached, **other)[-1] == [5, 10]


@pytest.mark.parametrize(
    ("objects", "said"),
    [
        (["1", "2"], "it is MOSE v2's; run osmn_vos.py DATA_PATH --dataset mosev2"),
        ({"1": {"frame_range": {"start": "00000001"}}}, "it is LVOS's; run osmn_vos.py DATA_PATH --dataset lvos"),
    ],
)
def test_a_meta_json_of_another_dataset_is_named(tmp_path, objects, said):
    (tmp_path / "valid").mkdir()
    (tmp_path / "valid/meta.json").write_text(json.dumps({"videos": {"v": {"objects": objects}}}))
    with pytest.raises(InputError, match=rf"valid/meta\.json is not a YouTube-VOS meta\.json \({said}\)"):
        ytvos.videos(tmp_path, "valid")


def test_a_folder_of_lvos_is_named(tmp_path):
    (tmp_path / "valid").mkdir()
    (tmp_path / "valid/valid_meta.json").write_text("{}")
    with pytest.raises(InputError, match=r"looks like LVOS; run osmn_vos\.py .* --dataset lvos"):
        ytvos.videos(tmp_path, "valid")
