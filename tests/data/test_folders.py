"""Videos in folders: which objects they have, and which mask gives each."""

import dataclasses

import numpy as np
import pytest
from PIL import Image, ImageFilter

from helpers.folder_videos import box, write_frames, write_label_masks, write_own_masks
from osmn.data.folders import Folders
from osmn.errors import InputError
from osmn.files.images import write_labels
from osmn.results.layout import reference_masks

ONE, TWO = box(4, 4, 20, 12), box(30, 20, 20, 12)
NAMES = ["frame00009", "frame00010", "frame00011"]
LATE = [{1: ONE}, {1: ONE}, {1: ONE, 2: TWO}]


def folders(root, masks=LATE, names=NAMES, name="clip", **more):
    write_frames(root / "frames" / name, masks, names)
    write_label_masks(root / "masks" / name, masks, names, **more)
    return Folders(root / "frames", root / "masks")


def test_an_object_is_given_by_the_first_mask_that_shows_it(tmp_path):
    (video,) = folders(tmp_path).videos()
    assert video.object_ids == [1, 2]
    assert [video.reference_number(object_id) for object_id in (1, 2)] == [0, 2]
    assert video.references[2].object_ids == (2,)  # Object 1 is there, too, and is not given again.


def test_frames_are_in_the_order_of_their_numbers(tmp_path):
    (video,) = folders(tmp_path, names=["8", "9", "10"]).videos()
    assert [path.stem for path in video.frames] == ["8", "9", "10"]


def test_255_beside_objects_is_no_object(tmp_path):
    (video,) = folders(tmp_path, void=box(0, 40, 64, 8)).videos()
    assert video.object_ids == [1, 2]


def test_masks_of_0_and_255_are_one_object_without_id(tmp_path):
    write_frames(tmp_path / "frames/clip", LATE, NAMES)
    (tmp_path / "masks/clip").mkdir(parents=True)
    write_labels(tmp_path / "masks/clip" / f"{NAMES[0]}.png", np.where(ONE, np.uint8(255), np.uint8(0)))
    (video,) = Folders(tmp_path / "frames", tmp_path / "masks").videos()
    assert video.object_ids == [None]
    np.testing.assert_array_equal(reference_masks(video.references[0])[None], ONE)


def test_all_labels_are_one_object_where_a_dataset_says_so(tmp_path):
    where = dataclasses.replace(folders(tmp_path), single=True)
    (video,) = where.videos()
    assert video.object_ids == [None] and list(video.references) == [0]


def test_objects_with_folders_keep_their_names_and_may_overlap(tmp_path):
    whole = ONE | box(10, 10, 30, 20)
    write_frames(tmp_path / "frames/clip", [{1: whole}] * 3, NAMES)
    write_own_masks(tmp_path / "masks/clip", [{1: whole, 2: ONE}] * 3, NAMES, {1: "000", 2: "001"})
    (video,) = Folders(tmp_path / "frames", tmp_path / "masks").videos()
    assert video.object_names == {1: "000", 2: "001"}
    given = reference_masks(video.references[0])
    np.testing.assert_array_equal(given[1], whole)
    np.testing.assert_array_equal(given[2], ONE)


def test_an_object_with_a_folder_may_come_later(tmp_path):
    masks = [{1: ONE, 2: np.zeros_like(ONE)}, {1: ONE, 2: TWO}, {1: ONE, 2: TWO}]
    write_frames(tmp_path / "frames/clip", [{1: ONE}] * 3, NAMES)
    write_own_masks(tmp_path / "masks/clip", masks, NAMES, {1: "a", 2: "b"})
    (video,) = Folders(tmp_path / "frames", tmp_path / "masks").videos()
    assert [video.reference_number(object_id) for object_id in (1, 2)] == [0, 1]
    assert list(reference_masks(video.references[1])) == [2]
    alone = video.of_object(2)
    assert alone.object_ids == [2] and alone.references[1].mask == tmp_path / "masks/clip/b" / f"{NAMES[1]}.png"


def test_videos_may_lie_two_levels_deep(tmp_path):
    where = folders(tmp_path, name="LaSOT/bear-2")
    write_frames(tmp_path / "frames/flat", LATE, NAMES)
    write_label_masks(tmp_path / "masks/flat", LATE, NAMES)
    assert where.names == ["LaSOT/bear-2", "flat"]


def test_a_list_chooses_the_videos(tmp_path):
    folders(tmp_path, name="a")
    where = folders(tmp_path, name="b")
    (tmp_path / "list.txt").write_text("b\n")
    assert Folders(where.frames, where.masks, tmp_path / "list.txt").names == ["b"]


def test_a_video_without_an_object_is_left_out_with_a_line(tmp_path, caplog):
    folders(tmp_path, name="a")
    where = folders(tmp_path, masks=[{}, {}, {}], name="empty")
    assert [video.name for video in where.videos()] == ["a"]
    assert "masks/empty shows no object: left out" in caplog.text


@pytest.mark.parametrize(
    ("remove", "said"),
    [
        ("frames/clip/frame00010.png", "has no frame frame00010, though"),
        ("frames/clip", "has no folder that"),
    ],
)
def test_what_is_missing_is_named(tmp_path, remove, said):
    where = folders(tmp_path)
    path = tmp_path / remove
    if path.is_dir():
        path.rename(tmp_path / "elsewhere")
    else:
        path.unlink()
    with pytest.raises(InputError, match=said):
        where.videos()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("LaSOT/bear-2\n", ["LaSOT/bear-2"]),
        ("my video\nbear\n", ["my video", "bear"]),
        ("bear camel\n", ["bear", "camel"]),
        ("\ufeffbear\r\n\r\ncamel\r\n", ["bear", "camel"]),
        ("bear\ncamel\nbear\n", ["bear", "camel"]),
        ("camel.mp4\nLaSOT/bear-2.mp4\n", ["camel", "LaSOT/bear-2"]),
        ("videos/val/camel\n", ["camel"]),
        (
            "/JPEGImages/480p/bear/00000.jpg /Annotations/480p/bear/00000.png\n"
            "/JPEGImages/480p/bear/00001.jpg /Annotations/480p/bear/00001.png\n"
            "/JPEGImages/480p/camel/00000.jpg /Annotations/480p/camel/00000.png\n",
            ["bear", "camel"],
        ),
    ],
)
def test_a_list_has_names_of_videos_or_paths_that_end_in_them_as_datasets_write_them(tmp_path, text, expected):
    for name in ("bear", "camel", "my video", "LaSOT/bear-2"):
        where = folders(tmp_path, name=name)
    (tmp_path / "list.txt").write_bytes(text.encode())
    assert dataclasses.replace(where, listed=tmp_path / "list.txt").names == expected


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("camel", "list.txt names camel, but .*frames/camel does not exist; check both"),
        ("../clip", "list.txt: '..' is not the name"),
        ("clip/..", "list.txt: '..' is not the name"),
        ("/JPEGImages/480p/../00000.jpg", "list.txt: '..' is not the name"),
        (".clip", "list.txt: '.clip' is not the name"),
    ],
)
def test_a_list_names_no_folder_that_is_not_there_or_elsewhere(tmp_path, line, said):
    where = folders(tmp_path)
    (tmp_path / "list.txt").write_text(line)
    with pytest.raises(InputError, match=said):
        _ = dataclasses.replace(where, listed=tmp_path / "list.txt").names


def test_what_systems_put_into_folders_is_no_video_no_object_and_no_frame(tmp_path):
    where = folders(tmp_path)
    write_frames(tmp_path / "frames/own", LATE, NAMES)
    write_own_masks(tmp_path / "masks/own", [{1: ONE}] * 3, NAMES, {1: "000"})
    for folder in ("frames", "masks", "frames/clip", "masks/clip", "masks/own"):
        for name in ("__MACOSX/clip/._00000.png", "@eaDir/clip/00000.png", ".DS_Store", "Thumbs.db", "._00000.png"):
            path = tmp_path / folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"no image")
    assert [(video.name, video.object_ids, len(video.frames)) for video in where.videos()] == [
        ("clip", [1, 2], 3),
        ("own", [1], 3),
    ]


def test_the_folder_of_a_single_video_is_said_to_be_one(tmp_path):
    where = folders(tmp_path)
    with pytest.raises(InputError, match="masks/clip is the folder of one video; give the folder of its folder, of"):
        Folders(where.frames / "clip", where.masks / "clip").videos()


def test_masks_without_frames_are_left_out_with_a_line(tmp_path, caplog):
    caplog.set_level("INFO")
    where = folders(tmp_path)
    write_label_masks(tmp_path / "masks/other", LATE, NAMES)
    assert [video.name for video in where.videos()] == ["clip"]
    assert f"{where.frames} has no frames of other: left out" in caplog.text


def test_pngs_beside_jpegs_in_one_folder_are_their_masks(tmp_path):
    write_frames(tmp_path / "clip", LATE, NAMES)
    for name in NAMES:
        Image.open(tmp_path / f"clip/{name}.png").save(tmp_path / f"clip/{name}.jpg")
    write_label_masks(tmp_path / "clip", LATE, NAMES)
    (video,) = Folders(tmp_path, tmp_path).videos()
    assert [path.name for path in video.frames] == [f"{name}.jpg" for name in NAMES]
    assert video.object_ids == [1, 2]


def test_void_beside_an_object_with_a_folder_is_not_the_object(tmp_path):
    where = folders(tmp_path, masks=[{1: ONE}] * 3)
    void = box(0, 40, 64, 8)
    (tmp_path / "masks/clip").rename(tmp_path / "masks/labels")
    for title, label in (("000", 1), ("001", 255)):  # 255 alone is the object.
        (tmp_path / "masks/clip" / title).mkdir(parents=True)
        labels = np.where(ONE, np.uint8(label), np.uint8(0))
        labels[void] = 255
        write_labels(tmp_path / "masks/clip" / title / f"{NAMES[0]}.png", labels)
    (video,) = where.videos()
    given = reference_masks(video.references[0])
    np.testing.assert_array_equal(given[1], ONE)
    np.testing.assert_array_equal(given[2], ONE | void)


def test_a_gray_mask_with_soft_borders_is_one_object_and_a_line_says_so(tmp_path, caplog):
    caplog.set_level("INFO")
    where = folders(tmp_path)
    for name in NAMES:
        soft = Image.fromarray(np.where(ONE, np.uint8(255), np.uint8(0))).filter(ImageFilter.GaussianBlur(1))
        soft.save(tmp_path / f"masks/clip/{name}.png")
    (video,) = where.videos()
    assert video.object_ids == [None]
    np.testing.assert_array_equal(reference_masks(video.references[0])[None], np.asarray(soft) >= 128)
    assert "masks/clip has masks with soft borders: half and more is the object" in caplog.text


@pytest.mark.parametrize(
    ("frames", "masks"),
    [
        (["0", "1", "2"], ["00000", "00001", "00002"]),
        (["00000", "00001", "00002"], ["0", "1", "2"]),
        (["9", "10", "11"], ["09", "10", "11"]),
        (["frame_000009", "frame_000010", "frame_000011"], ["00009", "00010", "00011"]),
        (["cars_01", "cars_02", "cars_03"], ["cars_01_gt", "cars_02_gt", "cars_03_gt"]),
    ],
)
@pytest.mark.parametrize("own", [False, True])
def test_masks_of_other_names_are_those_of_the_frames_with_their_numbers(tmp_path, caplog, frames, masks, own):
    caplog.set_level("INFO")
    write_frames(tmp_path / "frames/clip", LATE, frames)
    if own:
        empty = np.zeros_like(ONE)
        write_own_masks(tmp_path / "masks/clip", [{2: empty} | of for of in LATE], masks, {1: "a", 2: "b"})
    else:
        write_label_masks(tmp_path / "masks/clip", LATE, masks)
    (video,) = Folders(tmp_path / "frames", tmp_path / "masks").videos()
    assert [video.reference_number(object_id) for object_id in (1, 2)] == [0, 2]
    assert [path.stem for path in video.references[2].masks] == masks[2:]
    assert f"masks/clip: {masks[0]}.png is of frame {frames[0]}, by the numbers in the names" in caplog.text


@pytest.mark.parametrize(
    ("masks", "said"),
    [
        (["0", "1", "2"], "no frame 0, though .* its frames are named frame00009, .*: rename either"),
        (["a", "b", "c"], "no frame a, though"),
        (["frame00009", "frame00010", "frame00012"], "no frame frame00012, though .* has its mask$"),
        (["x9", "y9", "z10"], "no frame x9, though"),
    ],
)
def test_masks_that_neither_name_nor_number_gives_a_frame_are_named(tmp_path, masks, said):
    write_frames(tmp_path / "frames/clip", LATE, NAMES)
    write_label_masks(tmp_path / "masks/clip", LATE, masks)
    with pytest.raises(InputError, match=said):
        Folders(tmp_path / "frames", tmp_path / "masks").videos()
