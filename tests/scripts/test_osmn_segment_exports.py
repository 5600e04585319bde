"""`osmn_segment.py --output_format`: files for other programs, read back by them where they are installed."""

import csv
import json
import shutil
import xml.etree.ElementTree as ElementTree

import av
import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO

import osmn_segment
from helpers.own_videos import FRAMES, SIZE, mask, segment
from helpers.scripts import error
from helpers.trees import names, tree
from osmn.files.images import read_labels
from osmn.user_video import exports
from osmn.user_video.given.annotations import At, read_annotation
from osmn.user_video.media.reader import open_frames

pytestmark = pytest.mark.usefixtures("follower")
ALL = ("coco", "coco_images", "cvat", "labelme", "boxes", "mot", "matte", "prores")
LABELME = [f"labelme/{number:05d}.{ending}" for number in range(FRAMES) for ending in ("jpg", "json")]
FILES = ["boxes.csv", "coco.json", "coco_images.json", "cvat.xml", *LABELME, "matte_1.mkv", "matte_1.mov",
         "matte_7.mkv", "matte_7.mov", "mot.txt"]  # fmt: skip


@pytest.fixture
def exported(clip, tmp_path):
    """Segment two objects, one of which comes in frame 2, with all exports; return (folder, labels of all frames)."""
    first = mask(tmp_path / "first.png", {1: (8, 8, 30, 30)})
    later = mask(tmp_path / "later.png", {7: (36, 16, 60, 44)})
    out = tmp_path / "out"
    segment(clip, out, "--mask", first, "--mask", f"2:{later}", "--output_format", *ALL)
    return out, [read_labels(path) for path in sorted((out / "masks").iterdir())]


def test_all_formats_are_written_and_finished(exported, clip, tmp_path, capsys):
    out, labels = exported
    assert set(FILES) <= set(tree(out)) and len(labels) == FRAMES
    assert not (labels[0] == 7).any() and (labels[2] == 7).any()
    before = {name: (out / name).stat().st_mtime_ns for name in FILES}
    given = ["--mask", tmp_path / "first.png", "--mask", f"2:{tmp_path / 'later.png'}"]
    segment(clip, out, *given, "--output_format", *ALL)
    assert before == {name: (out / name).stat().st_mtime_ns for name in FILES}
    (out / "boxes.csv").unlink()
    segment(clip, out, *given, "--output_format", "boxes", "coco")
    assert f"{out / 'boxes.csv'} written" in capsys.readouterr().out
    (out / "labelme/00003.json").unlink()
    segment(clip, out, *given, "--output_format", "labelme")
    assert f"{out}/labelme/ written" in capsys.readouterr().out
    assert set(FILES) <= set(tree(out))
    assert (out / "coco.json").stat().st_mtime_ns == before["coco.json"]


def test_exports_may_be_asked_for_later_and_are_the_same(exported, clip, tmp_path):
    out, _ = exported
    given = ["--mask", tmp_path / "first.png", "--mask", f"2:{tmp_path / 'later.png'}"]
    segment(clip, tmp_path / "again", *given)
    segment(clip, tmp_path / "again", *given, "--output_format", *ALL)
    for name in FILES:
        if not name.endswith(("mkv", "mov")):
            assert (tmp_path / "again" / name).read_bytes() == (out / name).read_bytes()


def test_an_export_that_was_changed_by_hand_is_not_replaced(exported, clip, tmp_path, capsys):
    out, _ = exported
    fixed = ["--result_path", out, "--whole_model_path", "stand-in", "--im_size", *SIZE, "--precision", "float32"]
    given = ["--mask", tmp_path / "first.png", "--mask", f"2:{tmp_path / 'later.png'}", "--output_format", *ALL]
    for name in ("labelme/00003.json", "cvat.xml"):
        before = (out / name).read_text()
        (out / name).write_text(before + " ")
        line = error(capsys, osmn_segment.main, clip, *fixed, *given)
        assert f"{out / name} has been changed since it was written; move it, or --overwrite" in line
        assert (out / name).read_text() == before + " "
        segment(clip, out, *given, "--overwrite")
        assert (out / name).read_text() == before


def test_an_export_that_was_stopped_is_made_again_by_the_same_command(exported, clip, tmp_path, monkeypatch):
    out, _ = exported
    given = ["--mask", tmp_path / "first.png", "--mask", f"2:{tmp_path / 'later.png'}"]
    segment(clip, tmp_path / "again", *given)
    write = exports._write_labelme

    def stopped(folder, frame, objects):
        if frame.number == 3:
            raise KeyboardInterrupt
        write(folder, frame, objects)

    monkeypatch.setattr(exports, "_write_labelme", stopped)
    with pytest.raises((KeyboardInterrupt, SystemExit)):
        segment(clip, tmp_path / "again", *given, "--output_format", *ALL)
    assert len(list((tmp_path / "again/labelme").iterdir())) == 6
    monkeypatch.setattr(exports, "_write_labelme", write)
    segment(clip, tmp_path / "again", *given, "--output_format", *ALL)
    found = tree(tmp_path / "again")
    assert set(FILES) <= set(found)
    assert all(found[name] == (out / name).read_bytes() for name in LABELME)


def test_coco_json_has_the_masks_in_youtube_vis_form(exported):
    out, labels = exported
    content = json.loads((out / "coco.json").read_text())
    assert [len(video["file_names"]) for video in content["videos"]] == [FRAMES]
    for annotation in content["annotations"]:
        for of_frame, rle in zip(labels, annotation["segmentations"], strict=True):
            truth = of_frame == annotation["id"]
            np.testing.assert_array_equal(coco_mask.decode(rle) if rle else np.zeros_like(truth), truth)
    objects, _ = read_annotation(out / "coco.json", At(2))
    assert [mask.sum() for mask in objects.values()] == [(labels[2] == 1).sum(), (labels[2] == 7).sum()]


def test_pycocotools_reads_the_instances(exported):
    out, labels = exported
    coco = COCO(out / "coco_images.json")
    assert len(coco.imgs) == FRAMES
    for annotation in coco.anns.values():
        truth = labels[annotation["image_id"] - 1] == annotation["track_id"]
        np.testing.assert_array_equal(coco.annToMask(annotation), truth)
        assert annotation["area"] == truth.sum()


def test_cvat_xml_has_the_masks_of_each_frame(exported):
    out, labels = exported
    root = ElementTree.parse(out / "cvat.xml").getroot()
    assert [label.text for label in root.iterfind("meta/task/labels/label/name")] == ["object_1", "object_7"]
    assert [image.get("id") for image in root.iter("image")] == [str(number) for number in range(FRAMES)]
    for image, of_frame in zip(root.iter("image"), labels, strict=True):
        found = np.zeros_like(of_frame)
        for shown in image:
            left, top, width, height = (int(shown.get(name)) for name in ("left", "top", "width", "height"))
            runs = [int(count) for count in shown.get("rle").split(",")]
            part = np.repeat(np.arange(len(runs)) % 2, runs).reshape(height, width)
            found[top : top + height, left : left + width] += part.astype(np.uint8) * int(shown.get("label")[7:])
        np.testing.assert_array_equal(found, of_frame)
    objects, _ = read_annotation(out / "cvat.xml", At(2))
    np.testing.assert_array_equal(list(objects.values()), [labels[2] == 1, labels[2] == 7])


def labels_of(objects):
    """Return the labels of {object id: mask}."""
    return np.sum([number * mask.astype(np.uint8) for number, mask in objects.items()], axis=0)


@pytest.mark.parametrize("name", ["labelme/{0}.json", "cvat.xml"])
def test_what_was_corrected_in_another_program_keeps_its_ids(exported, name):
    """Labels of the form object_7 are known again, also in a frame in which object 1 is not seen."""
    out, labels = exported
    for number, of_frame in enumerate(labels):
        objects, note = read_annotation(out / name.format(f"{number:05d}"), At(number))
        np.testing.assert_array_equal(labels_of(objects), of_frame)
    assert "7 (object_7)" in note
    path = out / name.format("00002")
    alone = path.read_text().replace("object_1", "object_9")
    path.write_text(alone)
    assert list(read_annotation(path, At(2))[0]) == [9, 7]


def test_labelme_finds_the_frame_and_its_masks(exported):
    """By labelme's own reader, which wants the frame beside the JSON, of the size that the JSON says."""
    reader = pytest.importorskip("labelme._label_file")
    out, labels = exported
    for number, of_frame in enumerate(labels):
        found = reader.read_label_file(str(out / f"labelme/{number:05d}.json"))
        assert found.image_path == f"{number:05d}.jpg"
        shown = np.zeros_like(of_frame)
        for shape in found.shapes:
            (left, top), (right, bottom) = np.int64(shape["points"])
            assert shape["shape_type"] == "mask" and shape["label"] == f"object_{shape['group_id']}"
            shown[top : bottom + 1, left : right + 1] += shape["mask"].astype(np.uint8) * shape["group_id"]
        np.testing.assert_array_equal(shown, of_frame)


def test_cvats_sdk_decodes_the_masks(exported):
    """As CVAT's importer makes points of the XML, and its SDK masks of points."""
    sdk = pytest.importorskip("cvat_sdk.masks")
    out, labels = exported
    for image, of_frame in zip(ElementTree.parse(out / "cvat.xml").getroot().iter("image"), labels, strict=True):
        shown = np.zeros_like(of_frame)
        for mask_of in image.iter("mask"):
            left, top, wide, high = (int(mask_of.get(name)) for name in ("left", "top", "width", "height"))
            points = [*map(int, mask_of.get("rle").split(",")), left, top, left + wide - 1, top + high - 1]
            found = sdk.decode_mask(points, image_width=SIZE[0], image_height=SIZE[1])
            assert sdk.encode_mask(found) == points
            shown += found.astype(np.uint8) * int(mask_of.get("label").removeprefix("object_"))
        np.testing.assert_array_equal(shown, of_frame)


def test_boxes_are_of_the_masks(exported):
    out, labels = exported
    rows = list(csv.DictReader((out / "boxes.csv").open()))
    lines = [[float(number) for number in line.split(",")] for line in (out / "mot.txt").read_text().splitlines()]
    assert len(rows) == len(lines) and rows
    for row, line in zip(rows, lines, strict=True):
        y, x = np.nonzero(labels[int(row["frame"])] == int(row["object"]))
        box = [x.min(), y.min(), x.max() - x.min() + 1, y.max() - y.min() + 1]
        assert [int(row[name]) for name in ("left", "top", "width", "height")] == box
        assert int(row["area"]) == len(x)
        assert line == [int(row["frame"]) + 1, int(row["object"]), box[0] + 1, box[1] + 1, *box[2:], 1, -1, -1, -1]


@pytest.mark.parametrize(("ending", "codec"), [("mkv", "ffv1"), ("mov", "prores")])
def test_mattes_are_black_and_white_at_the_videos_times(exported, clip, ending, codec):
    out, labels = exported
    with open_frames(clip) as frames:
        times = [frame.seconds for frame in frames]
    for object_id in (1, 7):
        with av.open(str(out / f"matte_{object_id}.{ending}")) as container:
            assert container.streams.video[0].codec_context.name == codec and not container.streams.audio
            frames = list(container.decode(video=0))
        np.testing.assert_allclose([frame.time for frame in frames], [float(time) for time in times], atol=1e-3)
        for frame, of_frame in zip(frames, labels, strict=True):
            truth = of_frame == object_id
            shown = frame.to_ndarray(format="gray")
            if codec == "ffv1":
                np.testing.assert_array_equal(shown, 255 * truth)
            else:
                np.testing.assert_array_equal(shown > 127, truth)


@pytest.mark.parametrize("kind", ["coco_instances", "cvat"])
def test_datumaro_reads_the_masks(exported, kind):
    datumaro = pytest.importorskip("datumaro")
    out, labels = exported
    folder = out / "imported"
    (folder / "images").mkdir(parents=True)  # It looks for the frames.
    for number in range(FRAMES):
        Image.new("RGB", SIZE).save(folder / f"images/{names(out / 'masks')[number].removesuffix('.png')}.jpg")
    if kind == "coco_instances":
        (folder / "annotations").mkdir()
        shutil.copy(out / "coco_images.json", folder / "annotations/instances_default.json")
    else:
        shutil.copy(out / "cvat.xml", folder / "default.xml")
    found = datumaro.Dataset.import_from(str(folder), kind)
    named = found.categories()[datumaro.AnnotationType.label]
    for item in found:
        shown = [each for each in item.annotations if hasattr(each, "image")]
        numbers = [each.attributes.get("track_id") or int(named[each.label].name[7:]) for each in shown]
        of_frame = labels[int(item.id)]
        together = np.sum([i * each.image.astype(np.uint8) for i, each in zip(numbers, shown, strict=True)], axis=0)
        np.testing.assert_array_equal(together if shown else np.zeros_like(of_frame), of_frame)
    assert len(found) == FRAMES


def test_a_file_of_the_users_is_no_export(clip, tmp_path, capsys):
    first = mask(tmp_path / "first.png", {1: (8, 8, 30, 30)})
    (tmp_path / "out").mkdir()
    (tmp_path / "out/boxes.csv").write_text("mine")
    fixed = ["--result_path", tmp_path / "out", "--whole_model_path", "stand-in", "--im_size", *SIZE]
    line = error(capsys, osmn_segment.main, clip, *fixed, "--mask", first, "--output_format", "boxes")
    assert "boxes.csv would be replaced" in line
    assert (tmp_path / "out/boxes.csv").read_text() == "mine"
