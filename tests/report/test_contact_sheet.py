"""The contact sheet."""

import shutil

import numpy as np
import pytest
from PIL import Image

import osmn_contact_sheet
from helpers.davis_sequences import names_of_split
from helpers.scripts import error, words
from helpers.trees import all_files
from osmn.data.synthetic import repeat_first_mask
from osmn.errors import InputError
from osmn.files.images import write_image, write_labels, write_mask
from osmn.report import contact_sheet as sheets


@pytest.mark.parametrize("truth", [True, False])
def test_contact_sheet_has_a_tile_for_each_frame(synthetic, tmp_path, truth):
    repeat_first_mask(synthetic, "val", tmp_path / "results")
    names = names_of_split(synthetic, "val")
    sheets.contact_sheet(synthetic, tmp_path / "results", names, tmp_path / "sheet.png", 3, truth)
    tile = round(sheets.TILE_WIDTH * 32 / 48) + sheets.GAP
    width = sheets.CAPTION_WIDTH + 3 * (sheets.TILE_WIDTH + sheets.GAP)
    height = 2 * (sheets.TITLE_HEIGHT + (1 + truth) * tile + sheets.GAP)
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.size == (width, height)


def test_contact_sheet_draws_binary_results_and_short_sequences(synthetic, tmp_path):
    name = names_of_split(synthetic, "val")[0]
    for frame in range(4):
        write_mask(tmp_path / name / f"{frame:05d}.png", np.eye(32, 48) > 0)
    sheets.contact_sheet(synthetic, tmp_path, [name], tmp_path / "sheet.png", 9)
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.width == sheets.CAPTION_WIDTH + 4 * (sheets.TILE_WIDTH + sheets.GAP)


def test_contact_sheet_without_photographs_shows_masks_alone(synthetic, tmp_path):
    name = names_of_split(synthetic, "val")[0]
    write_mask(tmp_path / name / "00000.png", np.zeros((32, 48)))
    sheets.contact_sheet(synthetic, tmp_path, [name], tmp_path / "sheet.png", 1, truth=False, photographs=False)
    with Image.open(tmp_path / "sheet.png") as sheet:
        tile = np.asarray(sheet)[sheets.TITLE_HEIGHT :, sheets.CAPTION_WIDTH :][: -2 * sheets.GAP, : sheets.TILE_WIDTH]
    assert (tile == sheets.INK).all()


def test_contact_sheet_names_what_is_missing(synthetic, tmp_path):
    name = names_of_split(synthetic, "val")[0]
    write_labels(tmp_path / name / "00000.png", np.zeros((32, 48)))
    with pytest.raises(InputError, match=r"00001\.png"):
        sheets.contact_sheet(synthetic, tmp_path, [name], tmp_path / "sheet.png", 4)
    with pytest.raises(InputError, match="nothing-here"):
        sheets.contact_sheet(synthetic, tmp_path, ["nothing-here"], tmp_path / "sheet.png", 4)


@pytest.mark.parametrize("place", ["JPEGImages/480p/{}/00000.jpg", "Annotations/480p/{}/00000.png", "results/{}/1.png"])
@pytest.mark.parametrize("number", [0, 1])  # that is drawn, and that is not
def test_contact_sheet_replaces_nothing_of_the_data_or_of_the_results(synthetic, tmp_path, capsys, place, number):
    root = shutil.copytree(synthetic, tmp_path / "data")
    repeat_first_mask(root, "val", root / "results")
    names = names_of_split(root, "val")
    before = all_files(root)
    line = error(capsys, osmn_contact_sheet.main, root, root / "results", root / place.format(names[number]), names[0])
    assert "would be written, but" in line and all_files(root) == before
    for _ in range(2):
        osmn_contact_sheet.main(words(root, root / "results", root / "results/sheet.png", names[0]))


@pytest.mark.parametrize("through_link", [True, False])
@pytest.mark.parametrize("kind, file", [("JPEGImages", "00000.jpg"), ("Annotations", "00000.png")])
def test_contact_sheet_replaces_nothing_of_data_that_is_put_together_of_links(
    synthetic, tmp_path, capsys, kind, file, through_link
):
    real, linked = shutil.copytree(synthetic, tmp_path / "real"), tmp_path / "linked"
    names = names_of_split(real, "val")
    for each in ("JPEGImages", "Annotations"):
        (linked / each / "480p").mkdir(parents=True)
        for name in names:
            (linked / each / "480p" / name).symlink_to(real / each / "480p" / name)
    repeat_first_mask(real, "val", tmp_path / "results")
    before = all_files(real)
    place = (linked if through_link else real) / kind / "480p" / names[1] / file
    line = error(capsys, osmn_contact_sheet.main, linked, tmp_path / "results", place, names[0])
    assert f"{place} would be written, but" in line and all_files(real) == before


def test_contact_sheet_has_the_frames_that_there_are_where_more_are_asked_for(synthetic, tmp_path):
    repeat_first_mask(synthetic, "val", tmp_path / "results")
    osmn_contact_sheet.main(
        words(
            synthetic,
            tmp_path / "results",
            tmp_path / "sheet.png",
            names_of_split(synthetic, "val")[0],
            "--frames",
            2**31 - 1,
        )
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


def test_contact_sheet_is_drawn_from_the_command_line(synthetic, tmp_path, capsys):
    name = sorted(path.name for path in (synthetic / "JPEGImages/480p").iterdir())[0]
    labels = synthetic / "Annotations/480p"
    osmn_contact_sheet.main(
        [str(synthetic), str(labels), str(tmp_path / "sheet.png"), name, "--frames", "2", "--no_truth"]
    )
    assert capsys.readouterr().out == f"{tmp_path / 'sheet.png'}: 1 sequences\n"
    with pytest.raises(SystemExit, match="2"):
        osmn_contact_sheet.main([str(synthetic), str(tmp_path), str(tmp_path / "none.png"), "missing"])
    assert "missing" in capsys.readouterr().err
    assert not (tmp_path / "none.png").exists()
    with pytest.raises(SystemExit, match="2"):
        osmn_contact_sheet.main([str(synthetic), str(labels), str(tmp_path / "sheet"), name])
    assert capsys.readouterr().err == f"error: {tmp_path / 'sheet'} is not a picture's name; end it in .png or .jpg\n"
