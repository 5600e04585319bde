"""What a training begins with and what a test loads: configuration, precision and weights of a `Model`."""

import dataclasses

import numpy as np
import pytest

from helpers.checkpoint_files import random_values
from osmn import networks
from osmn.config import ModelConfig
from osmn.errors import InputError
from osmn.models import checkpoints, stored_weights, tensorflow_model
from osmn.models.start import StartOptions

SMALL = ModelConfig("lite", mean_value=(127.5, 127.5, 127.5), scale_value=0.00787, no_visual_modulator=True)
NAME = "osmn/seg/Conv2d_0/weights"


@pytest.fixture(scope="module")
def values():
    """Return random weights of the smallest network."""
    return random_values(networks.build(SMALL))


@pytest.fixture
def path(values, tmp_path):
    """Return the prefix of a model with these weights and its configuration."""
    checkpoints.write_variables(tmp_path / "model", values, SMALL)
    return tmp_path / "model"


def weights(model):
    return {name: np.asarray(v, np.float32) for name, v in model.network.tf1_variables().items()}


def begin(im_size, **options):
    """Return the model that a training begins with, in float32."""
    return tensorflow_model.new_for_training(StartOptions(im_size, precision="float32", **options))


def test_a_model_needs_only_its_path(path, values):
    model = tensorflow_model.load(path, precision="float32")
    assert model.network.config == SMALL
    for name, value in weights(model).items():
        np.testing.assert_array_equal(value, values[name])


def test_what_contradicts_the_configuration_is_refused_and_what_repeats_it_is_not(path):
    with pytest.raises(InputError, match="base_model"):
        tensorflow_model.load(path, {"base_model": "osvos"})
    assert tensorflow_model.load(path, {"base_model": "lite"}, "float32").network.config == SMALL


def test_a_training_begins_with_the_weights_and_the_configuration_of_its_start(path, values, tmp_path):
    model = begin((64, 32), whole_model_path=path, folder=tmp_path / "none")
    assert model.network.config == dataclasses.replace(SMALL, im_size=(64, 32))
    assert model.path == path
    np.testing.assert_array_equal(weights(model)[NAME], values[NAME])


def test_a_resumed_training_has_the_configuration_of_its_own_newest_checkpoint(values, tmp_path):
    padded = dataclasses.replace(SMALL, vg_keep_aspect_ratio=True)
    checkpoints.save_training_checkpoint(tmp_path, 3, values, padded, max_to_keep=2)
    model = begin((64, 32), folder=tmp_path)
    assert model.network.config.vg_keep_aspect_ratio
    assert model.path.name == "osmn.ckpt-3"


def test_initial_weights_are_those_of_their_seed(tmp_path):
    given = {"base_model": "lite", "no_visual_modulator": True}
    first, again, other = (weights(begin((32, 32), given=given, seed=seed)) for seed in (1, 1, 2))
    for name in first:
        np.testing.assert_array_equal(first[name], again[name])
    assert (first[NAME] != other[NAME]).any()


def test_a_copy_for_inference_is_of_the_weights_at_that_moment_and_in_its_precision(path):
    model = tensorflow_model.load(path, precision="float32")
    assert tensorflow_model.for_inference(model.network, "float32") is model.network
    copy = tensorflow_model.for_inference(model.network, "bfloat16")
    assert copy.dtype_policy.name == "bfloat16"
    target = model.network.tf1_variables()[NAME]
    target.assign(np.ones(target.shape))
    assert (np.asarray(copy.tf1_variables()[NAME], np.float32) != 1).any()
    tensorflow_model.copy_weights(model.network, copy)
    assert (np.asarray(copy.tf1_variables()[NAME], np.float32) == 1).all()


def test_a_fingerprint_is_of_the_file_and_empty_for_initial_weights(path):
    assert tensorflow_model.load(path, precision="float32").fingerprint == stored_weights.fingerprint(path)
    given = {"base_model": "lite", "no_visual_modulator": True}
    assert begin((32, 32), given=given).fingerprint == ""
