"""COCO files of one's own: images in sub-folders, odd annotations, images that are not there."""

import json
import shutil

import numpy as np
import pytest

from helpers.coco_files import SIZE, dataset, polygon, write_annotations, write_image
from osmn.data.coco import read_instances
from osmn.errors import InputError

BOX = polygon(2, 3, 20, 20)
ODD = {"flat": BOX, "empty": [], "null": None, "text": "RLE", "two corners": [[1, 1, 5, 5]]}


def put_into(root, name):
    """Have the only image be at `name` in its folder."""
    path = root / "annotations/instances_train2017.json"
    content = json.loads(path.read_text())
    target = root / "train2017" / name.replace("\\", "/")
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(root / "train2017" / content["images"][0]["file_name"], target)
    content["images"][0]["file_name"] = name
    path.write_text(json.dumps(content))
    return str(target)


@pytest.mark.parametrize("name", ["cam0/a.jpg", "./cam0/a.jpg", "cam0\\a.jpg", "a/b/c d.jpg"])
def test_images_may_lie_in_sub_folders(tmp_path, name):
    dataset(tmp_path, [BOX])
    target = put_into(tmp_path, name)
    assert [str(image) for image in read_instances(tmp_path, "train2017").images] == [target.replace("/./", "/")]


@pytest.mark.parametrize("kind", ODD)
def test_an_odd_annotation_is_named_and_left_out_on_request(tmp_path, kind, caplog):
    path = dataset(tmp_path, [BOX], ODD[kind], [BOX])
    with pytest.raises(InputError) as refused:
        read_instances(tmp_path, "train2017")
    assert str(refused.value).startswith(f"{path}: annotation 102 is damaged (")
    assert "leave that out by skip_bad_annotations=True" in str(refused.value)
    for cached in (False, True):
        with caplog.at_level("INFO"):
            assert len(read_instances(tmp_path, "train2017", skip_bad=True).codes) == 2, cached
        assert "annotation 102 is damaged" in caplog.text
        caplog.clear()


def test_all_odd_annotations_are_counted_in_one_message(tmp_path):
    path = dataset(tmp_path, [BOX], *[[]] * 14, None, BOX, ([BOX], {"image_id": 7}))
    with pytest.raises(InputError) as refused:
        read_instances(tmp_path, "train2017")
    line = str(refused.value)
    assert line.startswith(f"{path}: 17 annotations are damaged: ")
    assert "14 x it has no polygon (102, 103, 104, 105, 106, 107, 108, 109, 110, 111 and 4 more)" in line
    assert "1 x its image is not in the list of images (118)" in line
    assert "\n" not in line
    assert len(read_instances(tmp_path, "train2017", skip_bad=True).codes) == 1


def test_a_segmentation_that_is_not_there_at_all_is_odd(tmp_path):
    path = dataset(tmp_path, [BOX], [BOX])
    content = json.loads(path.read_text())
    del content["annotations"][0]["segmentation"]
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match="annotation 101 is damaged"):
        read_instances(tmp_path, "train2017")


def test_where_all_annotations_are_odd_nothing_is_left(tmp_path):
    dataset(tmp_path, [], None)
    with pytest.raises(InputError, match="has no instance that covers more than 3%"):
        read_instances(tmp_path, "train2017", skip_bad=True)


def test_all_images_that_are_not_there_are_named_at_once(tmp_path, caplog):
    images = [write_image(tmp_path, number, np.full((*SIZE[::-1], 3), 90, np.uint8)) for number in range(15)]
    path = write_annotations(tmp_path, images, [(number, [BOX], {}) for number in range(15)])
    assert len(read_instances(tmp_path, "train2017").images) == 15
    for number in (3, *range(1, 14, 2)):
        (tmp_path / f"train2017/{number:012d}.jpg").unlink(missing_ok=True)
    with pytest.raises(InputError) as refused:  # The cache does not hide it.
        read_instances(tmp_path, "train2017")
    line = str(refused.value)
    assert line.startswith(f"{path}: 7 of 15 images are not in {tmp_path / 'train2017'}: 000000000001.jpg, ")
    assert all(f"{number:012d}.jpg" in line for number in range(1, 14, 2))
    with caplog.at_level("INFO"):
        left = read_instances(tmp_path, "train2017", skip_bad=True)
    assert len(left.images) == len(left.codes) == len(left.sizes) == 8
    assert "7 of 15 images are not in" in caplog.text
    shutil.rmtree(tmp_path / "train2017")
    with pytest.raises(InputError, match=r"15 of 15 images are not in .* and 5 more"):
        read_instances(tmp_path, "train2017")
