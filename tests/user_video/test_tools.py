"""Files of labeling tools: they give the objects that the tools themselves read out of them."""

import json
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_mask

from helpers import ROOT
from osmn.errors import InputError
from osmn.user_video.given.annotations import At, read_annotation

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
     "v7.json", "encord.json"],
)  # fmt: skip
def test_a_tools_file_gives_the_objects_that_the_tool_reads(name):
    right = np.asarray(Image.open((TOOLS / name).with_suffix(".png")))
    np.testing.assert_array_equal(labels_of(TOOLS / name), right)


def runs_by_rows(mask):
    flat = np.concatenate([[0], mask.ravel().astype(int)])
    edges = np.flatnonzero(np.diff(flat)) if flat.size else []
    return np.diff([0, *edges, mask.size]).tolist()


def cvat_video():
    """Return an XML of CVAT for video 1.1: the disk as a mask in frames 0 and 1, the box in frame 1 alone."""
    part = DISK[8:27, 8:27]
    mask = f'rle="{", ".join(map(str, runs_by_rows(part)))}" left="8" top="8" width="19" height="19"'
    box = 'xtl="35.00" ytl="20.00" xbr="50.00" ybr="33.00"'
    shapes = [
        f'<mask frame="{frame}" keyframe="1" outside="{int(frame == 2)}" occluded="0" {mask} z_order="0"></mask>'
        for frame in range(3)
    ]
    boxes = [
        f'<box frame="{frame}" keyframe="1" outside="{int(frame == 2)}" occluded="0" {box}></box>' for frame in (1, 2)
    ]
    corners = "35.00,20.00;50.00,20.00;50.00,33.00;35.00,33.00"
    polygon = f'<polygon frame="3" keyframe="1" outside="0" occluded="0" points="{corners}" z_order="0"></polygon>'
    size = f"<original_size><width>{WIDTH}</width><height>{HEIGHT}</height></original_size>"
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n<annotations><version>1.1</version>'
        f"<meta><job><id>3</id>{size}</job></meta>"
        f'<track id="0" label="disk" source="manual">{"".join(shapes)}</track>'
        f'<track id="1" label="box" source="manual">{"".join(boxes)}</track>'
        f'<track id="2" label="box" source="manual">{polygon}</track></annotations>'
    )


def test_a_video_of_cvat_gives_the_objects_of_a_frame_and_leaves_out_those_outside(tmp_path):
    path = saved(tmp_path / "annotations.xml", cvat_video())
    ElementTree.parse(path)
    np.testing.assert_array_equal(labels_of(path, At(0)), DISK)
    np.testing.assert_array_equal(labels_of(path, At(1)), DISK + 2 * BOX)
    np.testing.assert_array_equal(labels_of(path, At(3)), 3 * BOX)
    with pytest.raises(
        InputError, match=r"annotates frame 0, frame 1, frame 3 \(CVAT\), not frame 2; give the frame's"
    ):
        read_annotation(path, At(2))


def test_masks_in_a_video_of_cvat_are_numbered_in_each_frame(tmp_path):
    """CVAT writes each mask of a video as a track of its own, which is outside in the next frame."""
    part = f'rle="0, {13 * 15}" left="35" top="20" width="15" height="13" occluded="0" z_order="0"'
    tracks = "".join(
        f'<track id="{frame}" label="box" source="manual"><mask frame="{frame}" keyframe="1" outside="0" {part}></mask>'
        f'<mask frame="{frame + 1}" keyframe="1" outside="1" {part}></mask></track>'
        for frame in range(3)
    )
    size = f"<original_size><width>{WIDTH}</width><height>{HEIGHT}</height></original_size>"
    path = saved(tmp_path / "annotations.xml", f"<annotations><meta><task>{size}</task></meta>{tracks}</annotations>")
    for frame in range(3):
        np.testing.assert_array_equal(labels_of(path, At(frame)), BOX)


def test_runs_of_another_size_are_named(tmp_path):
    path = saved(tmp_path / "annotations.xml", cvat_video().replace('width="19"', 'width="18"'))
    with pytest.raises(InputError, match="run lengths of 361 pixels, not of 18x19"):
        read_annotation(path, At(0))


def test_videos_of_platforms_give_the_objects_of_a_frame_with_one_id_in_all_frames(tmp_path):
    disk, box = content_of("encord.json")[0]["data_units"]["u1"]["labels"]["objects"]
    encord = content_of("encord.json")
    encord[0]["data_units"]["u1"]["labels"] = {"0": {"objects": [disk]}, "4": {"objects": [box]}}
    bitmap, rectangle, _ = content_of("supervisely.json")["objects"]
    supervisely = {
        "size": {"width": WIDTH, "height": HEIGHT},
        "framesCount": 5,
        "objects": [{"key": "k1", "classTitle": "disk"}, {"key": "k2", "classTitle": "box"}],
        "frames": [
            {
                "index": 0,
                "figures": [{"objectKey": "k1", "geometryType": "bitmap", "geometry": {"bitmap": bitmap["bitmap"]}}],
            },
            {
                "index": 4,
                "figures": [
                    {"objectKey": "k2", "geometryType": "rectangle", "geometry": {"points": rectangle["points"]}}
                ],
            },
        ],
    }
    v7 = content_of("v7.json")
    layer = v7["annotations"][-1]
    alone = layer["raster_layer"] | {"mask_annotation_ids_mapping": {"m2": 2}}
    v7["annotations"] = [
        {"id": "m1", "name": "Disk", "frames": {"0": {"mask": {}, "keyframe": True}}},
        {"id": "m2", "name": "Box", "frames": {"4": {"mask": {}, "keyframe": True}}},
        {"id": "r", "name": "", "frames": {"0": {"raster_layer": layer["raster_layer"]}, "4": {"raster_layer": alone}}},
    ]
    for name, content in {"encord": encord, "supervisely": supervisely, "v7": v7}.items():
        path = saved(tmp_path / f"{name}.json", content)
        np.testing.assert_array_equal(labels_of(path, At(0)), DISK, name)
        np.testing.assert_array_equal(labels_of(path, At(4)), 2 * BOX, name)


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
