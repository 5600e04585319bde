"""Objects of a user's video as they are given in words."""

from helpers.own_videos import mask
from osmn.user_video.prompts import Prompt, parse_prompt


def test_a_place_may_be_part_of_a_files_name(tmp_path):
    strange = mask(tmp_path / "3:mask.png", {1: (8, 8, 30, 30)})
    plain = mask(tmp_path / "mask.png", {1: (8, 8, 30, 30)})
    assert parse_prompt(str(strange)) == Prompt(None, strange)
    assert parse_prompt(f"3:{plain}") == Prompt(3, plain)
