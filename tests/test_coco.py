"""COCO: which instances are examples, their cache, one as a sample, and the two phases of stage 1."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from event_files import summaries
from PIL import Image
from pycocotools import mask as coco_masks
from trees import change_cache

import osmn_coco_pretrain
from osmn import networks
from osmn.config import ModelConfig
from osmn.data import coco
from osmn.data.coco import read_instances
from osmn.errors import InputError
from osmn.files.atomic import replacing
from osmn.inputs.pipeline import Pipeline, PipelineOptions
from osmn.inputs.samples import Augmentation
from osmn.inputs.sources import coco_sources, instance_source, shares
from osmn.models import checkpoints

SIZE = (40, 30)  # Width and height of the hand-made images: 1200 pixels, of which 36 are 3 %.


def rectangle(left, top, right, bottom, size=SIZE):
    mask = np.zeros(size[::-1], np.uint8)
    mask[top:bottom, left:right] = 1
    return mask


def polygon(left, top, right, bottom):
    return [left, top, right, top, right, bottom, left, bottom]


def uncompressed(mask):
    """Return a mask as COCO's runs: column by column, of 0 and 1 in turn."""
    pixels = np.r_[0, mask.ravel(order="F"), 2]
    changes = np.flatnonzero(np.diff(pixels))
    runs = np.diff(np.r_[0, changes]).tolist()
    return {"size": list(mask.shape), "counts": runs}


def compressed(mask):
    code = coco_masks.encode(np.asfortranarray(mask))
    return {"size": code["size"], "counts": code["counts"].decode()}


def write_image(root, number, pixels, split="train2017"):
    with replacing(root / split / f"{number:012d}.jpg") as temporary:
        Image.fromarray(pixels).save(temporary, quality=95)
    return {"id": number, "file_name": f"{number:012d}.jpg", "height": pixels.shape[0], "width": pixels.shape[1]}


def write_annotations(root, images, segmentations, split="train2017"):
    """Write annotations 101, 102, ... of [(image's id, segmentation, other keys)]."""
    annotations = [
        {"id": 101 + n, "image_id": image, "segmentation": segmentation, "category_id": 1, "iscrowd": 0} | more
        for n, (image, segmentation, more) in enumerate(segmentations)
    ]
    path = root / f"annotations/instances_{split}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"images": images, "annotations": annotations}))
    return path


def dataset(root, *segmentations):
    """Write a COCO folder of one image and these segmentations, or (segmentation, other keys)."""
    image = write_image(root, 1, np.full((*SIZE[::-1], 3), 90, np.uint8))
    pairs = [s if isinstance(s, tuple) else (s, {}) for s in segmentations]
    return write_annotations(root, [image], [(1, segmentation, more) for segmentation, more in pairs])


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


# -- Samples ----------------------------------------------------------------------------------------------------------


RANDOM = ("vg_random_crop_ratio", "vg_random_rotate_angle", "sg_center_perturb_ratio", "sg_std_perturb_ratio")
STILL = dict.fromkeys(RANDOM, 0)  # Only flips are left.
COLOURS = ModelConfig(mean_value=(0, 0, 0))  # Nothing is subtracted.


def batch_of(root, batch_size, config=COLOURS, **changes):
    """Return the first batch of a COCO folder, as arrays."""
    source = instance_source(read_instances(root, "train2017", cache=False))
    options = PipelineOptions(SIZE, batch_size=batch_size, augmentation=Augmentation(**STILL | changes))
    (batch,) = Pipeline([source], config, options).batches(0, 1)
    return type(batch)(*(np.asarray(x) for x in batch))


@pytest.fixture
def left(tmp_path):
    """Return a COCO folder of an object on the left, red in its left half and blue in its right one."""
    pixels = np.full((*SIZE[::-1], 3), 90, np.uint8)
    pixels[4:26, 2:10], pixels[4:26, 10:18] = (250, 0, 0), (0, 0, 250)
    write_annotations(tmp_path, [write_image(tmp_path, 1, pixels)], [(1, [polygon(2, 4, 18, 26)], {})])
    return tmp_path


def test_image_label_and_spatial_guide_flip_together_and_the_visual_guide_on_its_own(left):
    batch = batch_of(left, batch_size=16)
    seen = set()
    for guide, spatial, image, label in zip(*batch, strict=True):
        flipped = label[..., 0].mean(0)[:20].sum() == 0
        expected = rectangle(2, 4, 18, 26)
        np.testing.assert_array_equal(label[..., 0], expected[:, ::-1] if flipped else expected)
        red = image[..., 2] - image[..., 0]  # Channels are BGR.
        red = red[:, ::-1] if flipped else red
        assert red[6:24, 3:8].min() > 100 and red[6:24, 12:17].max() < -100
        assert (spatial[..., 0].max(0).argmax() > 19) == flipped
        guide_red = guide[112, :, 2] - guide[112, :, 0]
        assert abs(guide_red[40]) > 100 and guide_red[40] * guide_red[184] < 0
        seen.add((flipped, guide_red[40] < 0))
    assert seen == {(False, False), (False, True), (True, False), (True, True)}


def test_random_crop_moves_image_and_label_together(left):
    moved = batch_of(left, batch_size=8, random_crop_ratio=0.2)
    assert len({label.sum() for label in moved.label}) > 4
    for image, label in zip(moved.image, moved.label[..., 0] > 0, strict=True):
        saturated = np.ptp(image, axis=-1) > 100  # As the object is.
        assert (saturated & label).sum() / (saturated | label).sum() > 0.8


def test_mean_and_scale_are_honoured(tmp_path):  # Spec 9: the release ignored them here.
    pixels = np.full((*SIZE[::-1], 3), (200, 120, 40), np.uint8)
    write_annotations(tmp_path, [write_image(tmp_path, 1, pixels)], [(1, [polygon(2, 4, 18, 26)], {})])
    batch = batch_of(tmp_path, 1, ModelConfig(mean_value=(10, 20, 30), scale_value=0.5))
    np.testing.assert_allclose(batch.image[0, 15, 20], [15, 50, 85], atol=1)  # BGR
    np.testing.assert_allclose(batch.guide[0, 112, 112], [15, 50, 85], atol=1)


def test_a_grey_scale_image_gives_three_equal_channels(tmp_path):
    grey = np.full(SIZE[::-1], 50, np.uint8)
    grey[4:26, 2:18] = 200
    write_annotations(tmp_path, [write_image(tmp_path, 1, grey)], [(1, [polygon(2, 4, 18, 26)], {})])
    with Image.open(tmp_path / "train2017/000000000001.jpg") as image:
        assert image.mode == "L"
    batch = batch_of(tmp_path, batch_size=2)
    assert batch.image.shape == (2, 30, 40, 3)
    np.testing.assert_allclose(np.ptp(batch.image, axis=-1), 0, atol=1e-4)
    np.testing.assert_allclose(batch.guide[:, 112, 112], 200, atol=2)


def cut(path):
    path.write_bytes(path.read_bytes()[:200])
    return "is not a readable image"


def remove(path):
    path.unlink()
    return "does not exist"


@pytest.mark.parametrize("spoil", [cut, remove])
def test_an_image_that_is_damaged_or_missing_is_named_in_training(left, spoil):
    path = left / "train2017/000000000001.jpg"
    problem = spoil(path)
    with pytest.raises(InputError) as caught:
        batch_of(left, batch_size=2)
    assert str(path) in str(caught.value) and problem in str(caught.value)


def test_an_image_of_another_size_than_its_annotation_says_is_named_in_training(left):
    path = left / "train2017/000000000001.jpg"
    Image.new("RGB", (80, 60)).save(path)
    with pytest.raises(InputError) as caught:
        batch_of(left, batch_size=2)
    assert str(caught.value) == f"{path} is 80x60, and its annotation of 40x30; replace the image"


def test_each_folder_is_a_source_and_its_number_of_instances_is_printed(tmp_path, messages, capsys):
    boxes = [[polygon(0, 0, 20, 20)], [polygon(5, 5, 30, 25)], [polygon(1, 1, 15, 20)]]
    dataset(tmp_path / "a", *boxes[:1])
    dataset(tmp_path / "b", *boxes)
    paths = [tmp_path / "a", tmp_path / "b"]
    assert [source.count for source in coco_sources(paths)] == [1, 3]
    printed = capsys.readouterr().out.splitlines()
    assert printed == [f"1 instances in {tmp_path}/a", f"3 instances in {tmp_path}/b"]
    assert shares(coco_sources(paths)).tolist() == [0.25, 0.75]
    assert shares(coco_sources(paths, [3, 2])).tolist() == [0.6, 0.4]


def test_a_folder_that_is_given_twice_by_other_names_is_refused(tmp_path):
    dataset(tmp_path / "a", [polygon(0, 0, 20, 20)])
    (tmp_path / "link").symlink_to(tmp_path / "a")
    with pytest.raises(InputError, match=f"^{tmp_path}/a is given 2 times, .*; give it once$"):
        coco_sources([tmp_path / "a", tmp_path / "link"])


# -- Stage 1 ----------------------------------------------------------------------------------------------------------


def test_stage_1_starts_from_imagenet_and_goes_on_at_another_rate(left, tmp_path, capsys):
    network = networks.build(ModelConfig(base_model="lite", no_visual_modulator=True))
    rng = np.random.default_rng(0)
    weights = {
        name.replace("osmn/seg", "MobilenetV1"): np.abs(rng.normal(0.5, 0.1, variable.shape)).astype(np.float32)
        for name, variable in network.tf1_variables().items()
        if name.startswith("osmn/seg/Conv2d")
    }
    checkpoints.write_variables(tmp_path / "mobilenet.ckpt", weights)
    path = tmp_path / "model"
    command = ["--data_path", left, "--model_save_path", path, "--seg_model_path", tmp_path / "mobilenet.ckpt"]
    command += ["--base_model", "lite", "--no_visual_modulator", "--scale_value", 0.00787, "--im_size", 32, 32]
    command += ["--mean_value", 127.5, 127.5, 127.5, "--batch_size", 2, "--data_aug_scales", 1, "--display_iters", 1]
    command = [str(word) for word in [*command, "--precision", "float32"]]

    osmn_coco_pretrain.main([*command, "--training_iters", "2"])
    printed = capsys.readouterr().out
    assert "1 instances" in printed
    assert f"osmn/seg from {tmp_path / 'mobilenet.ckpt'}; initial values:" in printed
    first = checkpoints.CheckpointReader(path / "osmn.ckpt-2")
    trained = {name.replace("MobilenetV1", "osmn/seg"): weights[name] for name in weights if "moving" not in name}
    change = max(np.abs(first.read(name) - value).max() for name, value in trained.items())
    assert 1e-6 < change < 1e-4  # Two steps of at most about 1e-5 from the weights of ImageNet.

    osmn_coco_pretrain.main([*command, "--training_iters", "4", "--learning_rate", "1e-6"])
    printed = capsys.readouterr().out
    assert f"resumed from {path / 'osmn.ckpt-2'}" in printed
    assert "osmn/seg from" not in printed  # The second phase does not need ImageNet's weights.
    rates = {step: float(value) for step, (value,) in summaries(path)["learning_rate"].items()}
    assert rates == pytest.approx({1: 1e-5, 2: 1e-5, 3: 1e-6, 4: 1e-6})
    second = checkpoints.CheckpointReader(path / "osmn.ckpt-4")
    assert second.read("global_step") == 4
    change = max(np.abs(first.read(name) - second.read(name)).max() for name in trained)
    assert 0 < change < 4e-6
