"""Messages that Python's users and a command line's users both can meet: they name arguments, or options."""

import threading

import pytest

from osmn import Predictor
from osmn.config import ModelConfig, resolve
from osmn.errors import InputError, argument, naming_options

LITE = ModelConfig("lite")


def test_a_script_names_options_and_python_names_arguments():
    assert argument("engine", "openvino") == "engine='openvino'"
    assert argument("no_visual_modulator", True) == "no_visual_modulator=True"
    assert argument("im_size") == "im_size"
    with naming_options():
        assert argument("engine", "openvino") == "--engine openvino"
        assert argument("no_visual_modulator", True) == "--no_visual_modulator"
        assert argument("im_size") == "--im_size"
    assert argument("im_size") == "im_size"


def test_threads_of_a_script_name_options_too():
    found = []
    with naming_options():
        thread = threading.Thread(target=lambda: found.append(argument("im_size")))
        thread.start()
        thread.join()
    assert found == ["--im_size"]


def test_options_are_named_until_the_outer_one_of_two_scripts_has_ended():
    with naming_options():
        with naming_options():
            pass
        assert argument("im_size") == "--im_size"


@pytest.mark.parametrize(
    ("given", "in_python", "in_script"),
    [
        ({"base_model": "osvos"}, "base_model='osvos'", "--base_model osvos"),
        ({"mean_value": (1.0, 2.5, 3.0)}, "mean_value=(1.0, 2.5, 3.0)", "--mean_value 1 2.5 3"),
        ({"bbox_sup": True}, "bbox_sup=True", "--bbox_sup"),
    ],
)
def test_what_contradicts_a_models_configuration_is_named_as_it_was_given(given, in_python, in_script):
    with pytest.raises(InputError) as caught:
        resolve(given, LITE, "models/x")
    assert str(caught.value).startswith(f"{in_python} contradicts models/x.json, which ")
    assert str(caught.value).endswith("; leave the argument out")
    with naming_options(), pytest.raises(InputError) as caught:
        resolve(given, LITE, "models/x")
    assert str(caught.value).startswith(f"{in_script} contradicts models/x.json, which ")
    assert str(caught.value).endswith("; leave the option out")


def test_a_predictors_messages_name_no_option(tmp_path):
    (tmp_path / "model.index").touch()
    (tmp_path / "model.json").write_text('{"base_model": "lite"}')
    for wrong in ({"given": {"base_model": "osvos"}}, {"engine": "openvino", "precision": "float16"}):
        with pytest.raises(InputError) as caught:
            Predictor.from_checkpoint(tmp_path / "model", **wrong)
        assert "--" not in str(caught.value)
