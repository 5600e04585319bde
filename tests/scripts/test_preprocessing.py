"""The preprocessing scripts on tiny hand-made datasets."""

import os
import shutil

import numpy as np
import pytest
from PIL import Image

from helpers.scripts import error
from helpers.trees import all_files
from osmn.files.atomic import UNFINISHED
from osmn.files.images import write_labels
from preprocessing import preprocess_davis, preprocess_youtube


def labels(rows):
    return np.array(rows, np.uint8)


def read(path):
    with Image.open(path) as image:
        assert image.mode == "L"
        return np.asarray(image)


@pytest.fixture
def davis(tmp_path):
    annotations = tmp_path / "Annotations/480p"
    write_labels(annotations / "dogs/00000.png", labels([[0, 1, 2], [0, 0, 2]]))
    write_labels(annotations / "dogs/00001.png", labels([[1, 0, 0], [0, 3, 0]]))
    write_labels(annotations / "gap/00000.png", labels([[3, 1]]))
    return tmp_path


def test_davis_objects_have_masks_from_their_first_frame_on(davis):
    preprocess_davis.main([str(davis)])

    split = davis / "Annotations/480p_split"
    np.testing.assert_array_equal(read(split / "dogs/1/00000.png"), [[0, 255, 0], [0, 0, 0]])
    np.testing.assert_array_equal(read(split / "dogs/2/00000.png"), [[0, 0, 255], [0, 0, 255]])
    np.testing.assert_array_equal(read(split / "dogs/1/00001.png"), [[255, 0, 0], [0, 0, 0]])
    assert not read(split / "dogs/2/00001.png").any()
    assert [path.stem for path in (split / "dogs/3").iterdir()] == ["00001"]  # It comes later.
    assert not (split / "gap/2").exists()  # A number that is skipped is no object, as in testing.
    np.testing.assert_array_equal(read(split / "gap/3/00000.png"), [[255, 0]])


def test_davis_union_holds_every_label(davis):
    preprocess_davis.main([str(davis)])

    union = davis / "Annotations/480p_all"
    np.testing.assert_array_equal(read(union / "dogs/00000.png"), [[0, 255, 255], [0, 0, 255]])
    np.testing.assert_array_equal(read(union / "dogs/00001.png"), [[255, 0, 0], [0, 255, 0]])


def test_davis_2016_annotations_of_0_and_255_are_one_object(tmp_path):
    path = tmp_path / "Annotations/480p/bear/00000.png"
    path.parent.mkdir(parents=True)
    Image.fromarray(labels([[0, 255]])).save(path)

    preprocess_davis.main([str(tmp_path)])

    assert sorted(os.listdir(tmp_path / "Annotations/480p_split/bear")) == ["1"]
    np.testing.assert_array_equal(read(tmp_path / "Annotations/480p_split/bear/1/00000.png"), [[0, 255]])
    np.testing.assert_array_equal(read(tmp_path / "Annotations/480p_all/bear/00000.png"), [[0, 255]])


def test_davis_repeated_after_an_interruption_gives_the_same_files(davis):
    preprocess_davis.main([str(davis)])
    whole = all_files(davis)
    (davis / "Annotations/480p_split/dogs/1/00001.png").unlink()
    (davis / "Annotations/480p_all/dogs/00000.png").write_bytes(b"half")
    (davis / "Annotations/480p_all/dogs" / f"{UNFINISHED}0123456789abcdef.png").write_bytes(b"unfinished")

    preprocess_davis.main([str(davis)])

    assert all_files(davis) == whole


def test_davis_names_a_missing_folder(tmp_path, capsys):
    assert str(tmp_path / "Annotations/480p") in error(capsys, preprocess_davis.main, tmp_path)


def test_davis_names_a_damaged_annotation(davis, capsys):
    path = davis / "Annotations/480p/dogs/00001.png"
    path.write_bytes(path.read_bytes()[:60])
    assert str(path) in error(capsys, preprocess_davis.main, davis)


def test_davis_names_an_annotation_in_colors_that_are_not_its_own(davis, capsys):
    path = davis / "Annotations/480p/dogs/00001.png"
    Image.new("RGB", (3, 2), (1, 2, 3)).save(path)
    assert str(path) in error(capsys, preprocess_davis.main, davis)


def test_255_beside_the_objects_of_davis_is_void_in_every_frame(davis):
    annotations = davis / "Annotations"
    write_labels(annotations / "480p/dogs/00000.png", labels([[0, 1, 255]]))
    write_labels(annotations / "480p/dogs/00001.png", labels([[0, 0, 255]]))
    preprocess_davis.main([str(davis)])
    for folder in ("480p_all/dogs", "480p_split/dogs/1"):
        shown = [read(annotations / folder / f"0000{number}.png").tolist() for number in (0, 1)]
        assert shown == [[[0, 255, 0]], [[0, 0, 0]]]
    assert not (annotations / "480p_split/dogs/255").exists()


def test_davis_has_no_folders_for_objects_that_are_never_seen(davis):
    write_labels(davis / "Annotations/480p/dogs/00000.png", labels([[0, 1, 254]]))
    preprocess_davis.main([str(davis)])
    assert sorted(os.listdir(davis / "Annotations/480p_split/dogs")) == ["1", "254", "3"]


def test_davis_names_an_empty_sequence(davis, capsys):
    (davis / "Annotations/480p/empty").mkdir()
    assert str(davis / "Annotations/480p/empty") in error(capsys, preprocess_davis.main, davis)


def youtube_image(root, name, kind, file, picture):
    category, number = name.split("_")
    path = root / category / "data" / number / "shots/001" / kind / file
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(picture, np.uint8)).save(path)


@pytest.fixture
def youtube(tmp_path):
    grey = np.zeros((16, 16, 3))
    mask = np.zeros((16, 16))
    mask[:8] = 255
    for number in (1, 2):
        youtube_image(tmp_path, "boat_0001", "images", f"frame000{number}.jpg", grey + number)
        youtube_image(tmp_path, "boat_0001", "labels", f"frame000{number}.jpg", mask)
    youtube_image(tmp_path, "cat_0012", "images", "00001.png", grey)
    youtube_image(tmp_path, "cat_0012", "labels", "00001.png", mask)
    return tmp_path


@pytest.mark.parametrize("name", [b"big boat", b"boat\n", b"boat\xff"])
def test_youtube_names_a_class_that_cannot_stand_in_its_list_before_it_writes(youtube, capsys, name):
    (youtube / "boat").rename(os.fsdecode(os.fsencode(youtube) + b"/" + name))
    before = all_files(youtube)
    line = error(capsys, preprocess_youtube.main, youtube)
    assert line.endswith("cannot stand in all.txt; rename the folder")
    assert all_files(youtube) == before


def test_youtube_copies_images_and_thresholds_labels(youtube, capsys):
    preprocess_youtube.main([str(youtube)])

    for name in ("frame0001.jpg", "frame0002.jpg"):
        source = youtube / "boat/data/0001/shots/001/images" / name
        assert (youtube / "Images/boat_0001" / name).read_bytes() == source.read_bytes()
    label = read(youtube / "Labels/boat_0001/frame0001.png")
    assert label[:8].min() == 255
    assert label[8:].max() == 0
    assert (youtube / "all.txt").read_text() == "boat_0001\ncat_0012\n"
    assert "warning" not in capsys.readouterr().err


def test_youtube_labels_are_split_between_127_and_128(tmp_path):
    youtube_image(tmp_path, "boat_0001", "images", "1.png", np.zeros((1, 4)))
    youtube_image(tmp_path, "boat_0001", "labels", "1.png", [[0, 127, 128, 255]])
    preprocess_youtube.main([str(tmp_path)])
    np.testing.assert_array_equal(read(tmp_path / "Labels/boat_0001/1.png"), [[0, 0, 255, 255]])


def test_youtube_names_what_does_not_pair_up(youtube, capsys):
    for name in ("frame0000.jpg", "frame0003.jpg"):
        youtube_image(youtube, "boat_0001", "images", name, np.zeros((2, 2)))
    youtube_image(youtube, "boat_0001", "labels", "frame0009.jpg", np.zeros((2, 2)))
    youtube_image(youtube, "dog_0001", "images", "frame0001.jpg", np.zeros((2, 2)))

    preprocess_youtube.main([str(youtube)])

    warnings = [line for line in capsys.readouterr().err.splitlines() if line.startswith("warning")]
    assert len(warnings) == 3
    assert "boat" in warnings[0] and warnings[0].endswith("no image for frame0009.jpg")
    assert "boat" in warnings[1] and warnings[1].endswith("no label for frame0000.jpg, frame0003.jpg")
    assert str(youtube / "dog/data/0001/shots/001/labels") in warnings[2]
    # A sequence starts at its first label; later images without one are there to be segmented.
    assert sorted(os.listdir(youtube / "Images/boat_0001")) == ["frame0001.jpg", "frame0002.jpg", "frame0003.jpg"]
    assert sorted(os.listdir(youtube / "Labels/boat_0001")) == ["frame0001.png", "frame0002.png"]
    assert (youtube / "all.txt").read_text() == "boat_0001\ncat_0012\n"


def test_youtube_pairs_by_frame_number_where_no_names_agree(tmp_path):
    for number in (1, 11):
        youtube_image(tmp_path, "boat_0001", "images", f"frame{number:04d}.jpg", np.zeros((2, 2)))
        youtube_image(tmp_path, "boat_0001", "labels", f"{number:05d}.png", np.full((2, 2), 255 * (number == 11)))
    preprocess_youtube.main([str(tmp_path)])
    assert not read(tmp_path / "Labels/boat_0001/frame0001.png").any()
    assert read(tmp_path / "Labels/boat_0001/frame0011.png").all()


def test_youtube_repeated_after_an_interruption_gives_the_same_files(youtube):
    preprocess_youtube.main([str(youtube)])
    whole = all_files(youtube)
    (youtube / "Images/boat_0001/frame0001.jpg").write_bytes(b"half")
    (youtube / "Labels/boat_0001" / f"{UNFINISHED}0123456789abcdef.png").write_bytes(b"unfinished")
    (youtube / "all.txt").unlink()

    preprocess_youtube.main([str(youtube)])

    assert all_files(youtube) == whole


def test_youtube_names_a_damaged_label(youtube, capsys):
    path = youtube / "boat/data/0001/shots/001/labels/frame0002.jpg"
    path.write_bytes(path.read_bytes()[:40])
    assert str(path) in error(capsys, preprocess_youtube.main, youtube)


def test_youtube_names_a_folder_without_classes(tmp_path, capsys):
    assert str(tmp_path) in error(capsys, preprocess_youtube.main, tmp_path)


# -- What is there no more --------------------------------------------------------------------------------------------


def test_davis_masks_of_objects_frames_and_sequences_that_are_gone_are_removed(davis):
    annotations = davis / "Annotations"
    preprocess_davis.main([str(davis)])
    write_labels(annotations / "480p/dogs/00000.png", labels([[0, 1, 0], [0, 0, 0]]))
    (annotations / "480p/dogs/00001.png").unlink()
    shutil.rmtree(annotations / "480p/gap")
    (annotations / "480p_split/dogs/1/notes.txt").write_text("mine")

    preprocess_davis.main([str(davis)])

    expected = {"480p_split/dogs/1/00000.png", "480p_split/dogs/1/notes.txt", "480p_all/dogs/00000.png"}
    expected |= {"480p/dogs/00000.png", "480p_split/.osmn-made/dogs.json"}
    assert all_files(annotations).keys() == expected
    assert not (annotations / "480p_split/gap").exists() and not (annotations / "480p_split/dogs/2").exists()


@pytest.mark.parametrize("name", ["480p_split/dogs/3/00000.png", "480p_split/dogs/1/00007.png", "480p_all/dogs/9.png"])
def test_davis_masks_that_nobody_here_made_are_named_and_stay(davis, capsys, name):
    write_labels(davis / "Annotations" / name, labels([[0, 1]]))
    before = all_files(davis)
    assert f"{davis / 'Annotations' / name} does not belong to this data" in error(capsys, preprocess_davis.main, davis)
    assert before.items() <= all_files(davis).items()
    (davis / "Annotations" / name).unlink()
    preprocess_davis.main([str(davis)])


@pytest.mark.parametrize(
    "content", ['["480p/dogs/00000.png", "../../a.png", "480p_split/dogs/../../a.png", "480p_split/gap/1"]', "{}", "["]
)
def test_a_note_does_not_remove_anything_elsewhere(davis, content):
    (davis / "a.png").write_bytes(b"mine")
    note = davis / "Annotations/480p_split/.osmn-made/dogs.json"
    note.parent.mkdir(parents=True)
    note.write_text(content)
    before = all_files(davis)
    preprocess_davis.main([str(davis)])
    after = all_files(davis)
    assert {name: after[name] for name in before.keys() - {str(note.relative_to(davis))}}.items() <= before.items()


def test_youtube_files_of_images_labels_and_sequences_that_are_gone_are_removed(youtube, capsys):
    preprocess_youtube.main([str(youtube)])
    shots = youtube / "boat/data/0001/shots/001"
    (shots / "labels/frame0002.jpg").unlink()
    shutil.rmtree(youtube / "cat")
    preprocess_youtube.main([str(youtube)])
    assert sorted(all_files(youtube / "Labels")) == [".osmn-made/boat_0001.json", "boat_0001/frame0001.png"]
    assert sorted(all_files(youtube / "Images")) == ["boat_0001/frame0001.jpg", "boat_0001/frame0002.jpg"]

    (shots / "images/frame0002.jpg").unlink()
    preprocess_youtube.main([str(youtube)])
    assert sorted(all_files(youtube / "Images")) == ["boat_0001/frame0001.jpg"]

    Image.new("L", (4, 4)).save(youtube / "Images/boat_0001/other.png")
    assert "other.png does not belong to this data" in error(capsys, preprocess_youtube.main, youtube)


# -- Long names -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("letters", ["a", "é"])
@pytest.mark.parametrize("length", [249, 250, 251, 255])
def test_davis_sequences_may_have_names_as_long_as_there_are(tmp_path, length, letters):
    name = (letters * length).encode()[: length - length % len(letters.encode())].decode()
    annotations = tmp_path / "Annotations"
    for sequence in (name, name[:-1] + "b"):
        write_labels(annotations / f"480p/{sequence}/00000.png", labels([[0, 1, 2]]))
    preprocess_davis.main([str(tmp_path)])
    made = {f"480p_split/{name}/1/00000.png", f"480p_split/{name}/2/00000.png", f"480p_all/{name}/00000.png"}
    assert made < all_files(annotations).keys()

    shutil.rmtree(annotations / "480p" / name)
    preprocess_davis.main([str(tmp_path)])

    assert not (annotations / "480p_split" / name).exists() and not (annotations / "480p_all" / name).exists()
    assert (annotations / "480p_split" / f"{name[:-1]}b/2/00000.png").is_file()
    assert len(os.listdir(annotations / "480p_split/.osmn-made")) == 1


@pytest.mark.parametrize("length", [245, 250])
def test_youtube_sequences_may_have_names_as_long_as_there_are(youtube, length):
    name = "c" * length
    (youtube / "boat").rename(youtube / name)
    preprocess_youtube.main([str(youtube)])
    assert {f"{name}_0001/frame0001.png", f"{name}_0001/frame0002.png"} < all_files(youtube / "Labels").keys()
    shutil.rmtree(youtube / name)
    preprocess_youtube.main([str(youtube)])
    assert not (youtube / "Labels" / f"{name}_0001").exists() and not (youtube / "Images" / f"{name}_0001").exists()


@pytest.mark.parametrize("length", [251, 255])
def test_youtube_classes_whose_sequences_would_have_longer_names_are_named_before_anything_is_written(
    youtube, capsys, length
):
    (youtube / "boat").rename(youtube / ("c" * length))
    before = all_files(youtube)
    line = error(capsys, preprocess_youtube.main, youtube)
    assert f"{youtube / ('c' * length)}" in line and line.endswith("rename the folder") and all_files(youtube) == before
