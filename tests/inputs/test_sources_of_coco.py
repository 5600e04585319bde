"""An instance of COCO as a sample, and folders of COCO as sources."""

import numpy as np
import pytest
from PIL import Image

from helpers.coco_files import (
    SIZE,
    dataset,
    polygon,
    rectangle,
    write_annotations,
    write_image,
    write_left,
)
from osmn.config import ModelConfig
from osmn.data.coco import read_instances
from osmn.errors import InputError
from osmn.inputs.options import Augmentation, PipelineOptions
from osmn.inputs.pipeline import Pipeline
from osmn.inputs.sources import coco_sources, instance_source, shares

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
    return write_left(tmp_path)


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
    return f"{path} is not a readable image"


def remove(path):
    path.unlink()
    return f"1 of 1 images are not in {path.parent}: {path.name}"


@pytest.mark.parametrize("spoil", [cut, remove])
def test_an_image_that_is_damaged_or_missing_is_named_in_training(left, spoil):
    path = left / "train2017/000000000001.jpg"
    problem = spoil(path)
    with pytest.raises(InputError) as caught:
        batch_of(left, batch_size=2)
    assert problem in str(caught.value)


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
