"""Files of labeling tools: they give the objects that the tools themselves read out of them."""

import json

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_mask

from helpers import ROOT
from osmn.errors import InputError
from osmn.user_video.given.annotations import At, read_annotation
from osmn.user_video.prompts import Prompt, prompts_of, read

TOOLS = ROOT / "tests/goldens/tools"
SIZE = WIDTH, HEIGHT = 60, 40
Y, X = np.mgrid[:HEIGHT, :WIDTH]
DISK = (X - 17) ** 2 + (Y - 17) ** 2 < 100
BOX = (X >= 35) & (X < 50) & (Y >= 20) & (Y < 33)


def labels_of(path, at=None):
    objects, _ = read_annotation(path, at or At(0, "00000"))
    labels = np.zeros((HEIGHT, WIDTH), np.uint8)
    for number, mask in objects.items():
        labels[mask] = number
    return labels


def saved(path, content):
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def content_of(name):
    return json.loads((TOOLS / name).read_text())


@pytest.mark.parametrize(
    "name",
    ["labelme.json", "coco.json", "cvat_images.xml", "label_studio.json", "label_studio_min.json", "supervisely.json",
     "v7.json", "v7_shapes.json", "encord.json"],
)  # fmt: skip
def test_a_tools_file_gives_the_objects_that_the_tool_reads(name):
    right = np.asarray(Image.open((TOOLS / name).with_suffix(".png")))
    np.testing.assert_array_equal(labels_of(TOOLS / name), right)


def test_a_video_of_cvat_gives_the_objects_of_a_frame_and_leaves_out_those_outside():
    """Written by CVAT's own dumper: a box that moves, a polygon, and masks, each of which is a track of one frame."""
    path, moved = TOOLS / "cvat_video.xml", np.roll(BOX, 1, axis=1)
    for frame, right in {0: 3 * DISK, 1: BOX + 3 * np.roll(DISK, 2, axis=1), 3: np.roll(BOX, 2, axis=1)}.items():
        np.testing.assert_array_equal(labels_of(path, At(frame)), right)
    objects, note = read_annotation(path, At(2))
    assert note == "objects of CVAT: 1 (box), 2 (box)"
    np.testing.assert_array_equal([objects[1], objects[2]], [moved, BOX])
    np.testing.assert_array_equal(labels_of(path, At(5)), 3 * np.roll(DISK, 10, axis=1))
    with pytest.raises(
        InputError, match=r"annotates frame 0, frame 1, frame 2, .* \(CVAT\), not frame 4; give the frame"
    ):
        read_annotation(path, At(4))


@pytest.mark.parametrize("name", ["encord_video.json", "supervisely_video.json"])
def test_a_video_of_a_platform_gives_the_objects_of_a_frame_with_one_id_in_all_frames(name):
    np.testing.assert_array_equal(labels_of(TOOLS / name, At(0)), DISK)
    np.testing.assert_array_equal(labels_of(TOOLS / name, At(4)), np.roll(DISK, 3, axis=1) + 2 * BOX)


def test_a_picture_for_each_region_of_label_studio_is_an_object():
    given = read(prompts_of(str(TOOLS / "label_studio_png")), SIZE)
    names = {str(each.path.name).split("-")[7]: list(each.objects.items()) for each in given}
    assert {name: [number for number, _ in objects] for name, objects in names.items()} == {"Box": [1], "Disk": [2]}
    np.testing.assert_array_equal(names["Box"][0][1], BOX)
    np.testing.assert_array_equal(names["Disk"][0][1], DISK)


def with_labels(path, *labels):
    """Write a file of labelme with a rectangle for each label, one beside the other."""
    content = content_of("labelme.json")
    content["shapes"] = [
        content["shapes"][1] | {"label": label, "points": [[10 * place, 0], [10 * place + 5, 5]]}
        for place, label in enumerate(labels)
    ]
    return saved(path, content)


@pytest.mark.parametrize(
    ("first", "later", "ids"),
    [
        (("cat", "dog"), ("dog",), [2]),
        (("cat", "dog"), ("dog", "cat"), [1, 2]),
        (("cat", "dog"), ("bird", "dog"), [2, 3]),
        (("cat", "dog"), ("dog", "dog"), [1, 2]),  # Which of them is the first one's, nobody can know.
        (("object_4",), ("object_9", "object_4"), [4, 9]),
    ],
)
def test_a_label_is_one_object_in_all_files_of_a_video(tmp_path, first, later, ids):
    paths = [with_labels(tmp_path / "0.json", *first), with_labels(tmp_path / "5.json", *later)]
    given = read([Prompt(place, path) for place, path in zip((None, 5), paths, strict=True)], SIZE)
    assert sorted(given[1].objects) == ids
    if later == ("dog", "cat"):
        assert given[1].objects[2][0, 0] and given[1].objects[1][0, 10]


def cvat_video(body):
    """Return an XML of CVAT for video 1.1 with these tracks."""
    size = f"<original_size><width>{WIDTH}</width><height>{HEIGHT}</height></original_size>"
    return f"<annotations><meta><job>{size}</job></meta>{body}</annotations>"


def test_a_mask_in_a_video_of_cvat_is_known_by_its_label(tmp_path):
    """CVAT writes each mask of a video as a track of its own, which is outside in the next frame."""
    part = f'rle="0, {13 * 15}" left="35" top="20" width="15" height="13" occluded="0" z_order="0"'
    tracks = "".join(
        f'<track id="{frame}" label="{label}" source="manual"><mask frame="{frame}" keyframe="1" outside="0" {part}>'
        f'</mask><mask frame="{frame + 1}" keyframe="1" outside="1" {part}></mask></track>'
        for frame, label in ((0, "cat"), (1, "dog"), (2, "cat"))
    )
    path = saved(tmp_path / "annotations.xml", cvat_video(tracks))
    for frame, number in enumerate((1, 2, 1)):
        np.testing.assert_array_equal(labels_of(path, At(frame)), number * BOX)


def test_runs_of_another_size_are_named(tmp_path):
    content = (TOOLS / "cvat_video.xml").read_text().replace('width="19"', 'width="18"')
    with pytest.raises(InputError, match="run lengths of 361 pixels, not of 18x19"):
        read_annotation(saved(tmp_path / "annotations.xml", content), At(0))


def test_a_video_of_v7_gives_the_objects_of_a_frame_with_one_id_in_all_frames(tmp_path):
    content = content_of("v7.json")
    layer = content["annotations"][-1]
    alone = layer["raster_layer"] | {"mask_annotation_ids_mapping": {"m2": 2}}
    content["annotations"] = [
        {"id": "m1", "name": "Disk", "frames": {"0": {"mask": {}, "keyframe": True}}},
        {"id": "m2", "name": "Box", "frames": {"4": {"mask": {}, "keyframe": True}}},
        {"id": "r", "name": "", "frames": {"0": {"raster_layer": layer["raster_layer"]}, "4": {"raster_layer": alone}}},
    ]
    path = saved(tmp_path / "v7.json", content)
    np.testing.assert_array_equal(labels_of(path, At(0)), DISK)
    np.testing.assert_array_equal(labels_of(path, At(4)), 2 * BOX)


def rle(mask):
    found = coco_mask.encode(np.asfortranarray(mask, np.uint8))
    return {"size": found["size"], "counts": found["counts"].decode()}


def test_an_image_of_coco_is_found_by_the_frames_name_or_number(tmp_path):
    content = {
        "images": [
            {"id": i, "file_name": f"cam0/frame_{i:06d}.PNG", "width": WIDTH, "height": HEIGHT} for i in (3, 4, 5)
        ],
        "categories": [{"id": 1, "name": "thing"}],
        "annotations": [
            {
                "id": 1,
                "image_id": 3,
                "category_id": 1,
                "iscrowd": 1,
                "segmentation": rle(DISK),
                "attributes": {"track_id": 8},
            },
            {
                "id": 2,
                "image_id": 4,
                "category_id": 1,
                "iscrowd": 0,
                "bbox": [35, 20, 15, 13],
                "attributes": {"track_id": 9},
            },
        ],
    }
    path = saved(tmp_path / "instances.json", content)
    np.testing.assert_array_equal(labels_of(path, At(3)), DISK)
    np.testing.assert_array_equal(labels_of(path, At(0, "frame_000004")), 2 * BOX)
    with pytest.raises(InputError, match=r"annotates frame_000003, frame_000004 \(COCO\), not frame 5"):
        read_annotation(path, At(5))


def test_results_of_youtube_vis_form_are_taken_as_masks(tmp_path):
    content = {
        "videos": [{"id": 1, "file_names": ["v/00000.jpg", "v/00001.jpg"], "width": WIDTH, "height": HEIGHT}],
        "categories": [{"id": 1, "name": "object"}],
        "annotations": [
            {"id": 1, "video_id": 1, "category_id": 1, "segmentations": [rle(DISK), None]},
            {"id": 2, "video_id": 1, "category_id": 1, "segmentations": [rle(BOX), rle(BOX)]},
        ],
    }
    path = saved(tmp_path / "masks.json", content)
    np.testing.assert_array_equal(labels_of(path), DISK + 2 * BOX)
    np.testing.assert_array_equal(labels_of(path, At(1, "00001")), 2 * BOX)


def test_rectangles_of_x_anylabeling_have_four_points(tmp_path):
    content = content_of("labelme.json")
    content["shapes"] = [
        {
            "label": "box",
            "points": [[35, 20], [49, 20], [49, 32], [35, 32]],
            "shape_type": "rectangle",
            "group_id": None,
        }
    ]
    np.testing.assert_array_equal(labels_of(saved(tmp_path / "00000.json", content)), BOX)


def test_shapes_of_one_group_and_label_are_one_object(tmp_path):
    content = content_of("labelme.json")
    for shape in content["shapes"]:
        shape |= {"label": "thing", "group_id": 5}
    assert np.unique(labels_of(saved(tmp_path / "00000.json", content))).tolist() == [0, 1]


def test_polygons_and_rectangles_of_label_studio_are_percent(tmp_path):
    regions = [
        {"value": {"x": 3500 / 60, "y": 50, "width": 25, "height": 32.5, "rotation": 0, "rectanglelabels": ["Box"]}},
        {"value": {"points": [[10, 10], [40, 10], [40, 40], [10, 40]], "polygonlabels": ["Part"]}},
    ]
    regions = [
        each | {"original_width": WIDTH, "original_height": HEIGHT, "id": str(i)} for i, each in enumerate(regions)
    ]
    task = {"id": 1, "data": {"image": "s3://bucket/00000.jpg"}, "annotations": [{"result": regions}]}
    labels = labels_of(saved(tmp_path / "export.json", [task]))
    np.testing.assert_array_equal(labels == 1, BOX)
    np.testing.assert_array_equal(labels == 2, (X >= 6) & (X < 24) & (Y >= 4) & (Y < 16))


def test_other_and_damaged_files_are_named(tmp_path):
    for content, words in {
        '{"made by": "a tool of tomorrow"}': "it is of no labeling tool that is known here",
        '{"shapes": [], "imageHeight": 40': "is damaged, or of another version",
        '{"shapes": [], "imageHeight": 40, "imageWidth": 60}': "shows no object",
        '{"images": [{"id": 1}], "annotations": []}': "it lacks 'width'",
        '{"shapes": [], "imageHeight": 60000, "imageWidth": 60000}': "a picture of 60000x60000",
        "<svg/>": "it is no XML of CVAT",
    }.items():
        with pytest.raises(InputError, match=words):
            read_annotation(saved(tmp_path / "a.json", content), At(0))
    with pytest.raises(InputError, match="cannot be read"):
        read_annotation(tmp_path / "none.json", At(0))
