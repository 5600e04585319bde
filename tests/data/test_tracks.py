"""Masks in JSON files of BURST and YouTube-VIS: into folders, and results back."""

import json
import re
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_mask

import osmn_import
import osmn_vos
from helpers.clips import LOSSLESS, make_video, pictures
from helpers.folder_videos import SIZE, box, write_frames
from helpers.scripts import error, words
from helpers.trees import all_files, files
from osmn.data.tracks import read_file
from osmn.files.images import read_image, read_labels, write_mask

ONE, TWO, HALF = box(4, 4, 20, 12), box(12, 10, 30, 20), box(4, 4, 10, 12)
IMAGES = ["frame0001.jpg", "frame0004.jpg", "frame0010.jpg"]


def rle(mask):
    found = coco_mask.encode(np.asfortranarray(mask, np.uint8))
    return {"size": found["size"], "counts": found["counts"].decode()}


def burst():
    shown = [{"7": ONE}, {"7": ONE, "12": TWO}, {"12": TWO}]
    sequence = {"dataset": "LaSOT", "seq_name": "bear-2", "width": SIZE[0], "height": SIZE[1], "id": 3}
    segmentations = [{name: {"rle": rle(mask)["counts"], "is_gt": True} for name, mask in of.items()} for of in shown]
    return {"sequences": [sequence | {"annotated_image_paths": IMAGES, "segmentations": segmentations}], "split": "val"}


def youtube_vis():
    video = {"id": 1, "width": SIZE[0], "height": SIZE[1], "file_names": [f"clip/{name}" for name in IMAGES]}
    annotations = [
        {"id": 5, "video_id": 1, "category_id": 9, "segmentations": [rle(ONE), rle(ONE), None]},
        {"id": 6, "video_id": 1, "category_id": 2, "segmentations": [None, rle(TWO), rle(TWO)]},
    ]
    return {"videos": [video], "annotations": annotations}


FILES = {"burst": (burst, "LaSOT/bear-2", ("7", "12")), "ytvis": (youtube_vis, "clip", ("5", "6"))}


@pytest.fixture(params=FILES)
def given(request, tmp_path):
    """Return (kind, path of the file, the video's name, the objects' names)."""
    content, video, objects = FILES[request.param]
    path = tmp_path / "masks.json"
    path.write_text(json.dumps(content()))
    return request.param, path, video, objects


def test_every_object_gets_a_folder_with_a_mask_of_each_annotated_frame(given, tmp_path):
    kind, path, video, (first, second) = given
    osmn_import.main(words(kind, path, tmp_path / "masks"))
    shown = {}
    for name in (first, second):
        files = sorted((tmp_path / "masks" / video / name).iterdir())
        assert [file.stem for file in files] == ["frame0001", "frame0004", "frame0010"]
        shown[name] = [read_labels(file) > 0 for file in files]
    empty = np.zeros_like(ONE)
    np.testing.assert_array_equal(shown[first], [ONE, ONE, empty])
    np.testing.assert_array_equal(shown[second], [empty, TWO, TWO])  # It overlaps the other object.


def test_results_become_the_file_that_the_scorer_takes(given, tmp_path):
    kind, path, video, (first, second) = given
    osmn_import.main(words(kind, path, tmp_path / "masks"))
    numbers = {name: number for number, name in enumerate(sorted((first, second), key=int), 1)}
    results = tmp_path / "results" / video
    write_mask(results / str(numbers[first]) / "frame0004.png", HALF)
    write_mask(results / str(numbers[first]) / "frame0010.png", np.zeros_like(ONE))
    write_mask(results / str(numbers[second]) / "frame0010.png", TWO)
    places = ("--masks", tmp_path / "masks", "--result_path", tmp_path / "results")
    osmn_import.main(words(kind, path, tmp_path / "results.json", *places))
    found = json.loads((tmp_path / "results.json").read_text())
    if kind == "burst":
        (video_found,) = read_file(tmp_path / "results.json", "burst")[1]
        assert {name: list(frames) for name, frames in video_found.tracks.items()} == {
            first: ["frame0001", "frame0004"],
            second: ["frame0004", "frame0010"],
        }
        assert found["split"] == "val" and found["sequences"][0]["id"] == 3
        half = found["sequences"][0]["segmentations"][1][first]["rle"]
        np.testing.assert_array_equal(coco_mask.decode({"size": SIZE[::-1], "counts": half}), HALF)
    else:
        assert [(each["video_id"], each["category_id"], each["score"]) for each in found] == [(1, 9, 1.0), (1, 2, 1.0)]
        assert [each is None for each in found[0]["segmentations"]] == [False, False, True]
        np.testing.assert_array_equal(coco_mask.decode(found[0]["segmentations"][1]), HALF)
        assert found[1]["segmentations"][0] is None


def test_run_lengths_that_are_not_compressed_are_read(tmp_path):
    content = youtube_vis()
    values = ONE.ravel(order="F")
    edges = np.flatnonzero(np.diff(values)) + 1
    runs = np.diff([0, *edges, values.size]).tolist()
    content["annotations"][0]["segmentations"][0] = {"size": list(SIZE[::-1]), "counts": runs}
    (tmp_path / "masks.json").write_text(json.dumps(content))
    osmn_import.main(words("ytvis", tmp_path / "masks.json", tmp_path / "masks"))
    np.testing.assert_array_equal(read_labels(tmp_path / "masks/clip/5/frame0001.png") > 0, ONE)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda content: content.pop("sequences"), r"no JSON file of burst \(it lacks 'sequences'\)"),
        (lambda content: content["sequences"][0].pop("width"), "it lacks 'width'"),
        (lambda content: content["sequences"][0].update(seq_name="../up"), "is not the name of a visible file"),
        (lambda content: content["sequences"][0]["segmentations"].pop(), "no JSON file of burst"),
    ],
)
def test_a_file_of_another_kind_is_one_line(tmp_path, capsys, change, said):
    content = burst()
    change(content)
    path = tmp_path / "masks.json"
    path.write_text(json.dumps(content))
    line = error(capsys, osmn_import.main, "burst", path, tmp_path / "masks")
    assert str(path) in line and re.search(said, line)
    assert not (tmp_path / "masks").exists()


def test_results_need_the_folder_of_the_masks(given, tmp_path, capsys):
    kind, path, *_ = given
    line = error(capsys, osmn_import.main, kind, path, tmp_path / "out.json", "--result_path", tmp_path)
    assert "--masks must be given" in line


def test_a_missing_result_is_named(given, tmp_path, capsys):
    kind, path, video, _ = given
    osmn_import.main(words(kind, path, tmp_path / "masks"))
    (tmp_path / "results").mkdir()
    places = ("--masks", tmp_path / "masks", "--result_path", tmp_path / "results")
    line = error(capsys, osmn_import.main, kind, path, tmp_path / "results.json", *places)
    assert f"results/{video}/" in line and "does not exist" in line
    assert not (tmp_path / "results.json").exists()


def write_wide(path, labels):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(labels.astype(np.uint16)).save(path)


def test_masks_of_16_bits_become_an_object_per_value_without_void(tmp_path):
    first, second = np.zeros(SIZE[::-1], int), np.zeros(SIZE[::-1], int)
    first[ONE], first[:2] = 26001, 10000
    second[TWO] = 2003
    for number, labels in enumerate((first, second)):
        write_wide(tmp_path / f"panomasks/clip/{number:05d}.png", labels)
    osmn_import.main(words("png16", tmp_path / "panomasks", tmp_path / "masks"))
    assert sorted(path.name for path in (tmp_path / "masks/clip").iterdir()) == ["2003", "26001"]
    np.testing.assert_array_equal(read_labels(tmp_path / "masks/clip/26001/00000.png") > 0, ONE)
    assert not read_labels(tmp_path / "masks/clip/26001/00001.png").any()
    np.testing.assert_array_equal(read_labels(tmp_path / "masks/clip/2003/00001.png") > 0, TWO)


def test_vipseg_is_segmented_scored_and_packed_by_one_command(tmp_path, follower):
    root, names = tmp_path / "VIPSeg", ["00000123", "00000128", "00000133"]
    for name in names:
        labels = np.full(SIZE[::-1], 17)  # A class of things that are not told apart.
        labels[ONE], labels[:2] = 6102, 0
        write_wide(root / f"panomasks/12_a/{name}.png", labels)
    write_frames(root / "imgs/12_a", [{1: ONE}] * 3, names)
    (root / "val.txt").write_text("12_a\n")
    places = ("--result_path", tmp_path / "out", "--zip", tmp_path / "out.zip")
    osmn_vos.main(words(root, "--dataset", "vipseg", "--im_size", *SIZE, "--whole_model_path", "m", *places))
    rows = [row.split(",") for row in (tmp_path / "out/per_object.csv").read_text().splitlines()[1:]]
    assert [row[:3] for row in rows] == [["12_a", "17", "2"], ["12_a", "6102", "2"]]
    with zipfile.ZipFile(tmp_path / "out.zip") as archive:
        assert archive.namelist() == [f"12_a/{value}/{name}.png" for value in (17, 6102) for name in names]


def test_a_colored_mask_is_no_mask_of_16_bits(tmp_path, capsys):
    (tmp_path / "panomasks/clip").mkdir(parents=True)
    Image.new("RGB", SIZE).save(tmp_path / "panomasks/clip/00000.png")
    line = error(capsys, osmn_import.main, "png16", tmp_path / "panomasks", tmp_path / "masks")
    assert "clip/00000.png is a RGB image; its labels are to be gray values of 16 bits" in line


def test_burst_is_segmented_scored_and_packed_by_one_command(tmp_path, follower):
    root = tmp_path / "BURST"
    content = burst()
    (root / "annotations/val").mkdir(parents=True)
    (root / "annotations/val/all_classes.json").write_text(json.dumps(content))
    write_frames(root / "frames/val/LaSOT/bear-2", [{1: ONE}] * 3, ["frame0001", "frame0004", "frame0010"])
    places = ("--result_path", tmp_path / "out", "--zip", tmp_path / "burst.zip")
    command = words(root, "--dataset", "burst", "--im_size", *SIZE, "--whole_model_path", "models/osmn_lite", *places)
    osmn_vos.main(command)
    rows = (tmp_path / "out/per_object.csv").read_text().splitlines()
    assert [row.split(",")[:2] for row in rows[1:]] == [["LaSOT/bear-2", "7"], ["LaSOT/bear-2", "12"]]
    with zipfile.ZipFile(tmp_path / "burst.zip") as archive:
        assert archive.namelist() == ["results.json"]
        found = json.loads(archive.read("results.json"))["sequences"][0]["segmentations"]
    assert sorted(found[0]) == ["7"]
    mask = root / "annotations/val/.osmn-masks/LaSOT/bear-2/7/frame0001.png"
    before = mask.stat().st_mtime_ns
    osmn_vos.main(command)
    assert mask.stat().st_mtime_ns == before  # Made once of this file.


def test_first_masks_of_burst_are_segmented_and_packed_without_scores(tmp_path, follower, capsys):
    root, content, seen = tmp_path / "BURST", burst(), set()
    for shown in content["sequences"][0]["segmentations"]:
        for name in {*shown} & seen:
            del shown[name]
        seen |= {*shown}
    (root / "annotations/val").mkdir(parents=True)
    (root / "annotations/val/first_frame_annotations.json").write_text(json.dumps(content))
    write_frames(root / "frames/val/LaSOT/bear-2", [{1: ONE}] * 3, ["frame0001", "frame0004", "frame0010"])
    places = ("--result_path", tmp_path / "out", "--zip", tmp_path / "burst.zip")
    osmn_vos.main(words(root, "--dataset", "burst", "--im_size", *SIZE, "--whole_model_path", "m", *places))
    assert "there are no masks to score them by" in capsys.readouterr().out
    with zipfile.ZipFile(tmp_path / "burst.zip") as archive:
        found = json.loads(archive.read("results.json"))["sequences"][0]["segmentations"]
    assert len(found) == 3 and all(found)


def test_masks_that_are_given_beside_burst_are_the_users_and_stay_as_they_are(tmp_path, follower):
    root, masks = tmp_path / "BURST", tmp_path / "mine/LaSOT/bear-2/7"
    (root / "annotations/val").mkdir(parents=True)
    (root / "annotations/val/all_classes.json").write_text(json.dumps(burst()))
    write_frames(root / "frames/val/LaSOT/bear-2", [{1: ONE}] * 3, ["frame0001", "frame0004", "frame0010"])
    for name in ("frame0001", "frame0004", "frame0010"):
        masks.mkdir(parents=True, exist_ok=True)
        write_mask(masks / f"{name}.png", HALF)
    before = all_files(tmp_path / "mine")
    places = ("--result_path", tmp_path / "out", "--zip", tmp_path / "out.zip", "--masks", tmp_path / "mine")
    model = ("--whole_model_path", "models/osmn_lite", "--im_size", *SIZE)
    osmn_vos.main(words(root, "--dataset", "burst", *model, *places))
    assert all_files(tmp_path / "mine") == before
    assert not (root / "annotations/val/.osmn-masks").exists()
    with zipfile.ZipFile(tmp_path / "out.zip") as archive:
        assert archive.namelist()[0] == "LaSOT/bear-2/7/frame0001.png"


def test_masks_are_not_imported_over_files_of_the_users_but_over_an_earlier_import(given, tmp_path, capsys):
    kind, path, *_ = given
    (tmp_path / "mine/clip").mkdir(parents=True)
    (tmp_path / "mine/clip/kept.png").write_bytes(b"mine")
    line = error(capsys, osmn_import.main, kind, path, tmp_path / "mine")
    assert f"{tmp_path / 'mine/clip'} is there, and no import has made" in line
    assert all_files(tmp_path / "mine") == {"clip/kept.png": b"mine"}
    for _ in range(2):
        osmn_import.main(words(kind, path, tmp_path / "masks"))


LAYOUTS = {
    "ovis": ("train", "annotations_train.json"),
    "uvo": ("uvo_videos_dense_frames", "VideoDenseSet/UVO_video_val_dense.json"),
    "ytvis": ("train/JPEGImages", "train/instances.json"),
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_datasets_of_youtube_vis_form_are_segmented_scored_and_packed_by_one_command(tmp_path, follower, name):
    root, (frames, file) = tmp_path / "data", LAYOUTS[name]
    (root / file).parent.mkdir(parents=True)
    (root / file).write_text(json.dumps(youtube_vis()))
    write_frames(root / frames / "clip", [{1: ONE}, {1: ONE}, {}], [Path(image).stem for image in IMAGES])
    places = ("--result_path", tmp_path / "out", "--zip", tmp_path / "out.zip")
    osmn_vos.main(words(root, "--dataset", name, "--im_size", *SIZE, "--whole_model_path", "models/osmn_lite", *places))
    rows = [row.split(",") for row in (tmp_path / "out/per_object.csv").read_text().splitlines()[1:]]
    assert [row[:3] for row in rows] == [["clip", "5", "2"], ["clip", "6", "1"]]
    with zipfile.ZipFile(tmp_path / "out.zip") as archive:
        found = json.loads(archive.read("results.json"))
    first, second = (one["segmentations"] for one in found)
    np.testing.assert_array_equal(coco_mask.decode(first[0]), ONE)  # As it is given.
    assert second[0] is None  # It comes later.
    np.testing.assert_array_equal(coco_mask.decode(second[1]), TWO)


def test_the_frames_of_video_files_get_folders_and_are_not_made_again(tmp_path, capsys):
    images = list(pictures(3))
    (tmp_path / "videos").mkdir()
    for name in ("a", "b"):
        make_video(tmp_path / f"videos/{name}.mkv", images, **LOSSLESS)
    osmn_import.main(words("frames", tmp_path / "videos", tmp_path / "frames"))
    assert files(tmp_path / "frames") == [f"{name}/{number}.png" for name in ("a", "b") for number in range(3)]
    np.testing.assert_array_equal(read_image(tmp_path / "frames/b/2.png"), images[2])
    before = (tmp_path / "frames/a/0.png").stat().st_mtime_ns
    shutil.rmtree(tmp_path / "frames/b")
    osmn_import.main(words("frames", tmp_path / "videos", tmp_path / "frames"))
    assert "the frames of 2 videos, 1 of them before" in capsys.readouterr().out
    assert (tmp_path / "frames/a/0.png").stat().st_mtime_ns == before
    assert (tmp_path / "frames/b/2.png").is_file()


def test_a_file_that_is_no_video_is_named_and_leaves_nothing_of_it(tmp_path, capsys):
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos/a.mp4").write_text("no video")
    line = error(capsys, osmn_import.main, "frames", tmp_path / "videos", tmp_path / "frames")
    assert "videos/a.mp4" in line
    assert all_files(tmp_path / "frames") == {} or not (tmp_path / "frames/a").exists()
