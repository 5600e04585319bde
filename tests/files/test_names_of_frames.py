"""What counts as a frame or a mask of a folder, and in which order."""

import os

import pytest

from osmn.errors import InputError
from osmn.files.images import read_image, read_labels
from osmn.files.names import frame_files, mask_files, read_names, subfolders
from osmn.files.scores import read_scores


def write(folder, *names):
    for name in names:
        (folder / name).write_bytes(b"")
    return folder


def test_frames_and_masks_come_in_natural_order(tmp_path):
    write(tmp_path, *(f"{name}.png" for name in ("10", "2", "frame-1-10", "frame-1-9", "00001", "1", "a")))
    names = ["1", "00001", "2", "10", "a", "frame-1-9", "frame-1-10"]
    assert list(frame_files(tmp_path)) == list(mask_files(tmp_path)) == names


def test_folders_come_in_natural_order(tmp_path):
    for name in ("10", "9", ".hidden", "a"):
        (tmp_path / name).mkdir()
    write(tmp_path, "file")
    assert subfolders(tmp_path) == [tmp_path / "9", tmp_path / "10", tmp_path / "a"]


def test_jpegs_and_pngs_in_any_letter_case_are_frames_and_nothing_else_is(tmp_path):
    frames = ["1.jpg", "2.JPG", "3.jpeg", "4.JPEG", "5.png", "6.Png"]
    write(tmp_path, *frames, "7.txt", "8", "9.npy")
    assert frame_files(tmp_path) == {name[0]: tmp_path / name for name in frames}
    assert mask_files(tmp_path) == {name[0]: tmp_path / name for name in frames[4:]}


def test_hidden_files_are_neither_frames_nor_masks(tmp_path):
    write(tmp_path, "1.png", "._1.png", ".osmn-writing-12.png", ".DS_Store")
    assert list(frame_files(tmp_path)) == list(mask_files(tmp_path)) == ["1"]


@pytest.mark.parametrize("other", ["a.png", "a.JPG", "a.jpeg"])
def test_two_frames_of_one_name_are_refused_and_named(tmp_path, other):
    write(tmp_path, "a.jpg", "b.jpg", other)
    with pytest.raises(InputError, match=rf"^{tmp_path} holds both \S+ and \S+; keep one of them$") as caught:
        frame_files(tmp_path)
    assert "a.jpg" in str(caught.value) and other in str(caught.value)


@pytest.mark.parametrize("listing", [frame_files, mask_files])
def test_an_empty_folder_and_one_that_does_not_exist_are_named(tmp_path, listing):
    write(tmp_path, "notes.txt")
    with pytest.raises(InputError, match=rf"^{tmp_path} holds no (frames|masks) \(.*\.png\); check the data path$"):
        listing(tmp_path)
    with pytest.raises(InputError, match="nowhere does not exist"):
        listing(tmp_path / "nowhere")
    with pytest.raises(InputError, match=r"notes\.txt is not a folder"):
        listing(tmp_path / "notes.txt")
    assert frame_files(tmp_path, required=False) == {}


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_what_has_a_frames_name_and_is_no_file_is_named_before_it_is_read(tmp_path, make):
    (tmp_path / "0.png").touch()
    make(tmp_path / "1.png")
    with pytest.raises(
        InputError, match=f"^{tmp_path / '1.png'} is not a file, though its name is that of one of the "
    ):
        frame_files(tmp_path)


def test_a_pipe_is_not_read_but_named(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for read in (read_image, read_labels, read_scores, lambda path: read_names(path, "look")):
        with pytest.raises(InputError, match=f"^{tmp_path / 'pipe'} .*regular file"):
            read(tmp_path / "pipe")
