"""The synthetic dataset, the baseline and the contact sheet."""

import shutil

import numpy as np
import pytest
from PIL import Image

import osmn_contact_sheet
from helpers.scripts import error, words
from osmn.data.synthetic import make_dataset, repeat_first_mask
from osmn.errors import InputError
from osmn.files.images import read_image, read_labels, write_image, write_labels, write_mask
from osmn.report import contact_sheet as sheets
from preprocessing import preprocess_davis

SIZE = (48, 32)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    root = tmp_path_factory.mktemp("data")
    make_dataset(root, train_sequences=2, val_sequences=2, frames=4, size=SIZE, seed=3)
    return root


def split(data, name):
    return (data / f"ImageSets/2017/{name}.txt").read_text().split()


def tree(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_same_seed_gives_the_same_files(data, tmp_path):
    for folder, seed in (("same", 3), ("other", 4)):
        make_dataset(tmp_path / folder, train_sequences=2, val_sequences=2, frames=4, size=SIZE, seed=seed)
    assert tree(tmp_path / "same") == tree(data)
    assert tree(tmp_path / "other") != tree(data)


def test_layout_is_that_of_davis(data):
    for name in split(data, "train") + split(data, "val"):
        frames = [f"{number:05d}" for number in range(4)]
        assert sorted(path.name for path in (data / "JPEGImages/480p" / name).iterdir()) == [f"{f}.jpg" for f in frames]
        assert read_image(data / "JPEGImages/480p" / name / "00000.jpg").shape == (32, 48, 3)
        with Image.open(data / "Annotations/480p" / name / "00003.png") as annotation:
            assert annotation.mode == "P"
            assert annotation.size == SIZE
    assert (data / "ImageSets/2016/val.txt").read_text() == (data / "ImageSets/2017/val.txt").read_text()


def test_objects_start_visible_and_move(data):
    objects = []
    for name in split(data, "train") + split(data, "val"):
        first, last = (read_labels(data / "Annotations/480p" / name / f"{frame}.png") for frame in ("00000", "00003"))
        objects.append(int(first.max()))
        for number in range(1, objects[-1] + 1):
            assert np.count_nonzero(first == number) > 0.02 * first.size
        assert np.count_nonzero(first != last) > 0
    assert objects == [1, 2, 1, 2]


def test_shapes_that_hardly_fit_are_made_smaller(tmp_path):
    make_dataset(tmp_path, train_sequences=2, val_sequences=0, frames=1, size=(24, 24), seed=0)
    first = read_labels(tmp_path / "Annotations/480p" / split(tmp_path, "train")[1] / "00000.png")
    assert first.max() == 2


def test_baseline_repeats_the_first_mask(data, tmp_path):
    repeat_first_mask(data, "val", tmp_path)
    name = split(data, "val")[1]
    first = read_labels(data / "Annotations/480p" / name / "00000.png")
    for frame in ("00000", "00003"):
        np.testing.assert_array_equal(read_labels(tmp_path / name / f"{frame}.png"), first)
    np.testing.assert_array_equal(read_labels(tmp_path / name / "2/00003.png"), 255 * (first == 2))
    assert not read_labels(tmp_path / name / "2/00000.png").any()


def test_preprocessing_accepts_the_dataset(data):
    preprocess_davis.main([str(data)])
    name = split(data, "val")[1]
    assert sorted(path.name for path in (data / "Annotations/480p_split" / name).iterdir()) == ["1", "2"]


@pytest.mark.parametrize("truth", [True, False])
def test_contact_sheet_has_a_tile_for_each_frame(data, tmp_path, truth):
    repeat_first_mask(data, "val", tmp_path / "results")
    names = split(data, "val")
    sheets.contact_sheet(data, tmp_path / "results", names, tmp_path / "sheet.png", 3, truth)
    tile = round(sheets.TILE_WIDTH * 32 / 48) + sheets.GAP
    width = sheets.CAPTION_WIDTH + 3 * (sheets.TILE_WIDTH + sheets.GAP)
    height = 2 * (sheets.TITLE_HEIGHT + (1 + truth) * tile + sheets.GAP)
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.size == (width, height)


def test_contact_sheet_draws_binary_results_and_short_sequences(data, tmp_path):
    name = split(data, "val")[0]
    for frame in range(4):
        write_mask(tmp_path / name / f"{frame:05d}.png", np.eye(32, 48) > 0)
    sheets.contact_sheet(data, tmp_path, [name], tmp_path / "sheet.png", 9)
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.width == sheets.CAPTION_WIDTH + 4 * (sheets.TILE_WIDTH + sheets.GAP)


def test_contact_sheet_without_photographs_shows_masks_alone(data, tmp_path):
    name = split(data, "val")[0]
    write_mask(tmp_path / name / "00000.png", np.zeros((32, 48)))
    sheets.contact_sheet(data, tmp_path, [name], tmp_path / "sheet.png", 1, truth=False, photographs=False)
    with Image.open(tmp_path / "sheet.png") as sheet:
        tile = np.asarray(sheet)[sheets.TITLE_HEIGHT :, sheets.CAPTION_WIDTH :][: -2 * sheets.GAP, : sheets.TILE_WIDTH]
    assert (tile == sheets.INK).all()


def test_contact_sheet_names_what_is_missing(data, tmp_path):
    name = split(data, "val")[0]
    write_labels(tmp_path / name / "00000.png", np.zeros((32, 48)))
    with pytest.raises(InputError, match=r"00001\.png"):
        sheets.contact_sheet(data, tmp_path, [name], tmp_path / "sheet.png", 4)
    with pytest.raises(InputError, match="nothing-here"):
        sheets.contact_sheet(data, tmp_path, ["nothing-here"], tmp_path / "sheet.png", 4)


@pytest.mark.parametrize("place", ["JPEGImages/480p/{}/00000.jpg", "Annotations/480p/{}/00000.png", "results/{}/1.png"])
@pytest.mark.parametrize("number", [0, 1])  # that is drawn, and that is not
def test_contact_sheet_replaces_nothing_of_the_data_or_of_the_results(data, tmp_path, capsys, place, number):
    root = shutil.copytree(data, tmp_path / "data")
    repeat_first_mask(root, "val", root / "results")
    names = split(root, "val")
    before = tree(root)
    line = error(capsys, osmn_contact_sheet.main, root, root / "results", root / place.format(names[number]), names[0])
    assert "would be written, but" in line and tree(root) == before
    for _ in range(2):
        osmn_contact_sheet.main(words(root, root / "results", root / "results/sheet.png", names[0]))


@pytest.mark.parametrize("through_link", [True, False])
@pytest.mark.parametrize("kind, file", [("JPEGImages", "00000.jpg"), ("Annotations", "00000.png")])
def test_contact_sheet_replaces_nothing_of_data_that_is_put_together_of_links(
    data, tmp_path, capsys, kind, file, through_link
):
    real, linked = shutil.copytree(data, tmp_path / "real"), tmp_path / "linked"
    names = split(real, "val")
    for each in ("JPEGImages", "Annotations"):
        (linked / each / "480p").mkdir(parents=True)
        for name in names:
            (linked / each / "480p" / name).symlink_to(real / each / "480p" / name)
    repeat_first_mask(real, "val", tmp_path / "results")
    before = tree(real)
    place = (linked if through_link else real) / kind / "480p" / names[1] / file
    line = error(capsys, osmn_contact_sheet.main, linked, tmp_path / "results", place, names[0])
    assert f"{place} would be written, but" in line and tree(real) == before


def test_contact_sheet_has_the_frames_that_there_are_where_more_are_asked_for(data, tmp_path):
    repeat_first_mask(data, "val", tmp_path / "results")
    osmn_contact_sheet.main(
        words(data, tmp_path / "results", tmp_path / "sheet.png", split(data, "val")[0], "--frames", 2**31 - 1)
    )
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.width == sheets.CAPTION_WIDTH + 4 * (sheets.TILE_WIDTH + sheets.GAP)


@pytest.mark.parametrize("size", [(2000, 2), (2, 1000)])
def test_contact_sheet_draws_frames_of_any_shape_or_says_what_holds_them(tmp_path, capsys, size):
    write_image(tmp_path / "JPEGImages/480p/long/0.png", np.zeros((*size[::-1], 3), np.uint8))
    write_labels(tmp_path / "results/long/0.png", np.zeros(size[::-1]))
    arguments = [tmp_path, tmp_path / "results", "long", "--no_truth"]
    osmn_contact_sheet.main(words(*arguments[:2], tmp_path / "sheet.png", *arguments[2:]))
    if size[1] > size[0]:
        line = error(capsys, osmn_contact_sheet.main, *arguments[:2], tmp_path / "sheet.jpg", *arguments[2:])
        assert "sheet.jpg would be 288x112" in line and line.endswith("give a .png, fewer --frames or sequences")
        assert not (tmp_path / "sheet.jpg").exists()


def test_baseline_names_a_missing_split(data, tmp_path):
    with pytest.raises(InputError, match=r"test-dev\.txt"):
        repeat_first_mask(data, "test-dev", tmp_path)


def test_contact_sheet_is_drawn_from_the_command_line(data, tmp_path, capsys):
    name = sorted(path.name for path in (data / "JPEGImages/480p").iterdir())[0]
    labels = data / "Annotations/480p"
    osmn_contact_sheet.main([str(data), str(labels), str(tmp_path / "sheet.png"), name, "--frames", "2", "--no_truth"])
    assert capsys.readouterr().out == f"{tmp_path / 'sheet.png'}: 1 sequences\n"
    with pytest.raises(SystemExit, match="2"):
        osmn_contact_sheet.main([str(data), str(tmp_path), str(tmp_path / "none.png"), "missing"])
    assert "missing" in capsys.readouterr().err
    assert not (tmp_path / "none.png").exists()
    with pytest.raises(SystemExit, match="2"):
        osmn_contact_sheet.main([str(data), str(labels), str(tmp_path / "sheet"), name])
    assert capsys.readouterr().err == f"error: {tmp_path / 'sheet'} is not a picture's name; end it in .png or .jpg\n"
