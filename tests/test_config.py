"""A model's configuration: its file, and what the command line may say beside it."""

import dataclasses
import json

import pytest

from osmn.config import BASE_MODELS, ModelConfig, config_path, read_config, resolve, to_json
from osmn.errors import InputError, naming_options

LITE = ModelConfig("lite", mean_value=(127.5, 127.5, 127.5), scale_value=0.00787, im_size=(448, 256), bias_shift=-0.5)


def write(tmp_path, text):
    config_path(tmp_path / "model").write_text(text)
    return tmp_path / "model"


def test_a_configuration_written_beside_a_model_is_read_with_it(tmp_path):
    path = write(tmp_path, to_json(LITE))
    assert path.with_name("model.json").is_file()
    assert read_config(path) == LITE


def test_the_file_is_readable_by_people():
    assert '"base_model": "lite",\n' in to_json(LITE)


def test_a_model_without_a_configuration_has_none(tmp_path):
    assert read_config(tmp_path / "published.ckpt") is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        '{"base_model": "resnet"}',
        '{"base_model": 3}',
        '{"mean_value": [1, 2]}',
        '{"mean_value": "abc"}',
        '{"mean_value": [1, 2, NaN]}',
        '{"scale_value": Infinity}',
        '{"scale_value": true}',
        '{"mod_early_conv": 1}',
        '{"im_size": [448, 0]}',
        '{"im_size": [448.5, 256]}',
        '{"aligned_size": 3}',
        '{"new_in_a_later_version": 1}',
        "[" * 100_000,
    ],
)
def test_a_damaged_configuration_is_named(tmp_path, text):
    path = write(tmp_path, text)
    with pytest.raises(InputError, match=r"model\.json is not the configuration of a model"):
        read_config(path)


def test_what_a_file_leaves_out_has_the_published_default(tmp_path):
    assert read_config(write(tmp_path, json.dumps({"base_model": "deeplab"}))) == ModelConfig("deeplab")


def test_options_describe_a_model_that_has_no_configuration():
    config = resolve({"base_model": "lite", "scale_value": 0.00787}, None, None)
    assert (config.base_model, config.scale_value, config.mean_value) == ("lite", 0.00787, (104.0, 117.0, 123.0))


def test_a_stored_configuration_needs_no_options_and_agrees_with_equal_ones():
    assert resolve({}, LITE, "models/x") == LITE
    assert resolve({"base_model": "lite", "mean_value": (127.5, 127.5, 127.5)}, LITE, "models/x") == LITE


@pytest.mark.parametrize(
    "given, said",
    [
        ({"base_model": "osvos"}, "--base_model osvos contradicts models/x.json, which says lite"),
        ({"mean_value": (104.0, 117.0, 123.0)}, "--mean_value 104 117 123 contradicts"),
        ({"no_visual_modulator": True}, "--no_visual_modulator contradicts models/x.json"),
        ({"aligned_size": (480, 480)}, "--aligned_size 480 480 contradicts models/x.json, which has none"),
    ],
)
def test_an_option_that_contradicts_the_file_is_one_clear_line(given, said):
    with naming_options(), pytest.raises(InputError, match=said) as caught:
        resolve(given, LITE, "models/x")
    assert "\n" not in str(caught.value)


def test_every_base_model_is_one():
    for name in BASE_MODELS:
        assert dataclasses.replace(LITE, base_model=name).base_model == name
