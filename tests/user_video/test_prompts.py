"""Objects of a user's video as they are given in words."""

import re
from fractions import Fraction
from pathlib import Path

import pytest

from helpers.own_videos import mask
from osmn.errors import InputError
from osmn.user_video.prompts import Prompt, parse_prompt


def test_a_place_may_be_part_of_a_files_name(tmp_path):
    strange = mask(tmp_path / "3:mask.png", {1: (8, 8, 30, 30)})
    plain = mask(tmp_path / "mask.png", {1: (8, 8, 30, 30)})
    assert parse_prompt(str(strange)) == Prompt(None, strange)
    assert parse_prompt(f"3:{plain}") == Prompt(3, plain)


@pytest.mark.parametrize(
    ("text", "place", "file"),
    [
        (r"C:\clips\first.png", None, r"C:\clips\first.png"),
        (r"120:C:\x.png", 120, r"C:\x.png"),
        ("C:/clips/first.png", None, "C:/clips/first.png"),
        ("4.5s:first.png", Fraction(9, 2), "first.png"),
        ("1:02.5:first.png", Fraction(125, 2), "first.png"),
        (r"1:00:00:D:\a:b.png", 3600, r"D:\a:b.png"),
        ("0:3:mask.png", 0, "3:mask.png"),
        ("first.png", None, "first.png"),
        ("scene:first.png", None, "scene:first.png"),
    ],
)
def test_a_place_is_what_parses_as_one_before_a_colon(tmp_path, monkeypatch, text, place, file):
    monkeypatch.chdir(tmp_path)
    (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / file).touch()
    assert parse_prompt(text) == Prompt(place, Path(file))


@pytest.mark.parametrize(
    ("text", "file"),
    [
        (r"C:\clips\first.png", r"C:\clips\first.png"),
        (r"120:C:\x.png", r"C:\x.png"),
        ("clips/fisrt.png", "clips/fisrt.png"),
        ("1:02.5:fisrt.png", "fisrt.png"),
        ("soon:fisrt.png", "soon:fisrt.png"),
        ("3:", "3:"),
    ],
)
def test_a_mask_that_is_not_there_is_named_without_its_place(tmp_path, monkeypatch, text, file):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=rf"^{re.escape(file)} does not exist"):
        parse_prompt(text)


def test_what_is_no_place_before_a_file_that_is_there_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "first.png").touch()
    with pytest.raises(InputError, match="soon is neither a frame"):
        parse_prompt("soon:first.png")
