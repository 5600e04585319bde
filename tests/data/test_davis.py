"""DAVIS: its videos and training examples."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from helpers.davis_sequences import BOX, EMPTY, rectangle, write_sequence
from osmn.data.davis import examples, is_annotated, videos
from osmn.data.types import Guide, Reference
from osmn.errors import InputError
from osmn.files.images import write_labels

VALIDITY = (0.003, 0.2)


def described(root, examples):
    """Return examples as (guide frames, previous mask, frame, label), without the folder of the dataset."""

    def name(path):
        return path.removeprefix(f"{root}/").removeprefix("Annotations/").removeprefix("JPEGImages/480p/")

    return [
        ([int(g.frame[-9:-4]) for g in e.guides], name(e.previous_mask), name(e.frame), name(e.label)) for e in examples
    ]


# -- Examples of DAVIS ------------------------------------------------------------------------------------------------


def test_examples_are_the_pairs_of_consecutive_frames_of_every_object_guided_by_its_first_frame(tmp_path):
    write_sequence(tmp_path, "two", {1: [BOX] * 3, 2: [BOX] * 3})
    write_sequence(tmp_path, "one", {1: [BOX] * 2})
    assert described(tmp_path, examples(tmp_path, 2017, "train")) == [
        ([0], "480p_split/two/1/00000.png", "two/00001.jpg", "480p_split/two/1/00001.png"),
        ([0], "480p_split/two/1/00001.png", "two/00002.jpg", "480p_split/two/1/00002.png"),
        ([0], "480p_split/two/2/00000.png", "two/00001.jpg", "480p_split/two/2/00001.png"),
        ([0], "480p_split/two/2/00001.png", "two/00002.jpg", "480p_split/two/2/00002.png"),
        ([0], "480p_split/one/1/00000.png", "one/00001.jpg", "480p_split/one/1/00001.png"),
    ]


def test_guide_is_a_frame_and_the_mask_of_the_same_object_in_it(tmp_path):
    write_sequence(tmp_path, "seq", {1: [BOX] * 2, 2: [BOX] * 2})
    (guide,) = examples(tmp_path, 2017, "train")[-1].guides
    assert guide == Guide(
        str(tmp_path / "JPEGImages/480p/seq/00000.jpg"), str(tmp_path / "Annotations/480p_split/seq/2/00000.png")
    )


def test_examples_of_2016_take_all_objects_as_one(tmp_path):
    write_sequence(tmp_path, "two", {1: [BOX] * 2, 2: [BOX] * 2})
    assert described(tmp_path, examples(tmp_path, 2016, "train")) == [
        ([0], "480p_all/two/00000.png", "two/00001.jpg", "480p_all/two/00001.png")
    ]


def test_objects_come_in_numeric_order(tmp_path):
    write_sequence(tmp_path, "crowd", {object_id: [BOX] * 2 for object_id in (1, 2, 10)})
    previous = [e.previous_mask for e in examples(tmp_path, 2017, "train")]
    assert [path.split("/")[-2] for path in previous] == ["1", "2", "10"]


def test_valid_guides_cover_more_than_both_ratios(tmp_path):
    scattered = rectangle(0, 0, 10, 2)  # 20 pixels,
    scattered[9, 9] = True  # with one more in a box of 10x10: 0.21 of it.
    sparse = scattered.copy()
    sparse[0, 5] = False  # 0.20 of the box: not above.
    masks = [rectangle(0, 0, 3, 1), rectangle(0, 0, 4, 1), sparse, scattered, BOX]  # The first: 0.003 of the image.
    write_sequence(tmp_path, "seq", {1: masks})
    found = examples(tmp_path, 2017, "train", VALIDITY)
    assert [guides for guides, *_ in described(tmp_path, found)] == [[1, 3, 4]] * 4


def test_first_frame_is_the_guide_where_none_is_valid(tmp_path):
    write_sequence(tmp_path, "seq", {1: [rectangle(0, 0, 2, 1)] * 3})
    found = examples(tmp_path, 2017, "train", VALIDITY)
    assert [guides for guides, *_ in described(tmp_path, found)] == [[0], [0]]


@pytest.mark.parametrize("version", [2016, 2017])
def test_hidden_files_are_no_samples(tmp_path, version):  # Left by a killed run, or made by the system.
    write_sequence(tmp_path, "seq", {1: [BOX] * 2})
    expected = examples(tmp_path, version, "train", VALIDITY)
    for folder in ("480p_split/seq", "480p_split/seq/1", "480p_all/seq"):
        for name in (".DS_Store", ".00001-x1y2z3.png"):
            (tmp_path / "Annotations" / folder / name).write_bytes(b"")
    (tmp_path / "JPEGImages/480p/seq/._00000.jpg").write_bytes(b"")
    assert examples(tmp_path, version, "train", VALIDITY) == expected
    assert len(videos(tmp_path, 2016, "train")[0].frames) == 2


BLANK = [BOX, BOX, EMPTY, BOX, BOX]


def test_pairs_with_a_frame_in_which_the_object_is_absent_are_left_out_with_validity_only(tmp_path):
    write_sequence(tmp_path, "seq", {1: BLANK})

    def labels(validity):
        return [int(e.label[-9:-4]) for e in examples(tmp_path, 2017, "train", validity)]

    assert labels(None) == [1, 2, 3, 4]
    assert labels(VALIDITY) == [1, 4]


def test_blank_frames_of_one_object_are_kept_for_the_others(tmp_path):  # Spec 9: a defect of the release.
    write_sequence(tmp_path, "seq", {1: BLANK, 2: [BOX] * 5})
    found = examples(tmp_path, 2017, "train", VALIDITY)
    assert [e.label[-11:-4] for e in found] == ["1/00001", "1/00004", *(f"2/0000{n}" for n in (1, 2, 3, 4))]
    assert [g.frame[-9:-4] for g in found[-1].guides] == [f"0000{n}" for n in range(5)]
    assert [g.frame[-9:-4] for g in found[0].guides] == [f"0000{n}" for n in (0, 1, 3, 4)]


@pytest.mark.parametrize("version", [2016, 2017])
def test_data_path_may_be_relative(davis, monkeypatch, version):  # Spec 9: 2016 wanted an absolute path.
    absolute = examples(davis, version, "train", VALIDITY)
    monkeypatch.chdir(davis.parent)
    relative = examples(davis.name, version, "train", VALIDITY)
    assert described(davis.name, relative) == described(davis, absolute)
    assert all((davis.parent / e.frame).is_file() and (davis.parent / e.label).is_file() for e in relative)


def remove_split(root):
    (root / "ImageSets/2017/train.txt").unlink()
    return "ImageSets/2017/train.txt does not exist"


def empty_split(root):
    (root / "ImageSets/2017/train.txt").write_text("\n")
    return "ImageSets/2017/train.txt names no sequence"


def remove_preprocessing(root):
    shutil.rmtree(root / "Annotations/480p_split")
    return f"Annotations/480p_split/seq does not exist; run python preprocessing/preprocess_davis.py {root}"


def remove_masks(root):
    shutil.rmtree(root / "Annotations/480p_split/seq/1")
    (root / "Annotations/480p_split/seq/1").mkdir()
    return "Annotations/480p_split/seq/1 holds no masks"


def remove_frame(root):
    (root / "JPEGImages/480p/seq/00001.jpg").unlink()
    return "JPEGImages/480p/seq/00001.jpg does not exist"


def damage_mask(root):
    path = root / "Annotations/480p_split/seq/1/00001.png"
    path.write_bytes(path.read_bytes()[:40])
    return "480p_split/seq/1/00001.png is not a readable image"


def leave_one_frame(root):
    for frame in ("00001", "00002"):
        (root / f"Annotations/480p_split/seq/1/{frame}.png").unlink()
    return "no two consecutive frames in the split train"


@pytest.mark.parametrize(
    "spoil",
    [remove_split, empty_split, remove_preprocessing, remove_masks, remove_frame, damage_mask, leave_one_frame],
)
def test_examples_name_what_they_cannot_use(tmp_path, spoil):
    write_sequence(tmp_path, "seq", {1: [BOX] * 3})
    expected = spoil(tmp_path)
    with pytest.raises(InputError) as caught:
        examples(tmp_path, 2017, "train", VALIDITY)
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)


# -- Videos of DAVIS --------------------------------------------------------------------------------------------------


def write_annotation(root, labels):
    write_labels(root / "Annotations/480p/seq/00000.png", np.reshape(labels, (1, -1)))


def test_video_objects_are_the_labels_of_the_first_frame_and_no_number_between(tmp_path):
    write_sequence(tmp_path, "seq", {1: [BOX] * 2}, "val")
    write_annotation(tmp_path, [0, 3, 1])
    (video,) = videos(tmp_path, 2017, "val")
    assert video.name == "seq"
    assert [path.name for path in video.frames] == ["00000.jpg", "00001.jpg"]
    assert video.references == {0: Reference(tmp_path / "Annotations/480p/seq/00000.png", (1, 3))}
    (video,) = videos(tmp_path, 2016, "val")
    assert video.references[0].object_ids == (None,)


NOT_IDS = "has 255 as its largest label.*take it as version 2016"


@pytest.mark.parametrize("labels, problem", [([0, 255], NOT_IDS), ([0, 0], "shows no object")])
def test_videos_of_2017_need_object_ids_in_the_first_annotation(tmp_path, labels, problem):
    write_sequence(tmp_path, "seq", {1: [BOX] * 2}, "val")
    write_annotation(tmp_path, labels)
    with pytest.raises(InputError, match=rf"seq/00000\.png {problem}"):
        videos(tmp_path, 2017, "val")
    videos(tmp_path, 2016, "val")


def test_255_beside_object_ids_is_void_and_no_object(tmp_path):
    write_sequence(tmp_path, "seq", {1: [BOX] * 2}, "val")
    write_annotation(tmp_path, [1, 255])
    (video,) = videos(tmp_path, 2017, "val")
    assert video.object_ids == [1]


def test_an_object_that_comes_after_the_first_frame_is_given_there(tmp_path):
    write_sequence(tmp_path, "seq", {1: [BOX] * 4}, "val")
    labels = BOX.astype(np.uint8)
    labels[0, 0] = 2
    write_labels(tmp_path / "Annotations/480p/seq/00002.png", labels)
    (video,) = videos(tmp_path, 2017, "val")
    assert [video.reference_number(object_id) for object_id in (1, 2)] == [0, 2]
    (video,) = videos(tmp_path, 2016, "val")
    assert video.object_ids == [None]


def test_full_resolution_frames_are_taken_on_demand(tmp_path):
    write_sequence(tmp_path, "seq", {1: [BOX] * 2}, "val")
    with pytest.raises(InputError, match=r"Full-Resolution/seq does not exist"):
        videos(tmp_path, 2017, "val", use_full_res=True)
    (tmp_path / "JPEGImages/480p").rename(tmp_path / "JPEGImages/Full-Resolution")
    (video,) = videos(tmp_path, 2017, "val", use_full_res=True)
    assert video.frames[0] == tmp_path / "JPEGImages/Full-Resolution/seq/00000.jpg"


@pytest.mark.parametrize("suffix", [".png", ".JPG", ".jpeg"])
def test_frames_may_be_pngs_or_jpegs_in_any_letter_case(tmp_path, suffix):
    write_sequence(tmp_path, "seq", {1: [BOX] * 3})
    for path in list((tmp_path / "JPEGImages/480p/seq").iterdir()):
        path.rename(path.with_suffix(suffix))
    names = [f"0000{number}{suffix}" for number in range(3)]
    (video,) = videos(tmp_path, 2017, "train")
    assert [path.name for path in video.frames] == names
    assert [Path(e.frame).name for e in examples(tmp_path, 2017, "train")] == names[1:]


def test_frames_and_masks_come_in_natural_order(tmp_path):
    write_sequence(tmp_path, "seq", {1: [BOX] * 3})
    for number, name in enumerate(("8", "9", "10")):
        for path in list(tmp_path.rglob(f"{number:05d}.*")):
            path.rename(path.with_stem(name))
    (video,) = videos(tmp_path, 2017, "train")
    assert [path.stem for path in video.frames] == ["8", "9", "10"]
    assert video.references[0].mask.stem == "8"
    assert [(Path(e.previous_mask).stem, Path(e.label).stem) for e in examples(tmp_path, 2017, "train")] == [
        ("8", "9"),
        ("9", "10"),
    ]


def test_two_frames_of_one_name_are_refused_in_one_line(tmp_path):
    write_sequence(tmp_path, "seq", {1: [BOX] * 2})
    frame = tmp_path / "JPEGImages/480p/seq/00001.jpg"
    shutil.copy(frame, frame.with_suffix(".png"))
    for find in (videos, examples):
        with pytest.raises(InputError, match=r"seq holds both 00001\.jpg and 00001\.png"):
            find(tmp_path, 2017, "train")


def test_a_first_frame_without_annotation_is_named(tmp_path):
    write_sequence(tmp_path, "seq", {1: [BOX] * 2})
    (tmp_path / "Annotations/480p/seq/00000.png").unlink()
    with pytest.raises(InputError, match=r"Annotations/480p/seq/00000\.png does not exist"):
        videos(tmp_path, 2017, "train")


def test_a_video_is_annotated_if_every_frame_is(tmp_path):
    write_sequence(tmp_path, "seq", {1: [BOX] * 3})
    found = videos(tmp_path, 2017, "train")
    assert is_annotated(tmp_path, found)
    (tmp_path / "Annotations/480p/seq/00001.png").unlink()
    assert not is_annotated(tmp_path, found)
