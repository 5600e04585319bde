"""VGG16 rescaled, and `preprocessing/rescale_vgg.py`: the same features, of size 1."""

import itertools

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from osmn import networks
from osmn.config import ModelConfig
from osmn.models import checkpoints
from osmn.models.pretrained import imagenet, rescaling
from osmn.networks.vgg import build_stages
from preprocessing import rescale_vgg


@pytest.fixture(scope="module")
def weights():
    """Return random weights of VGG16's convolutions under TF-slim names; a layer's features grow threefold."""
    generator, values = np.random.default_rng(0), {}
    for stage in build_stages("vgg_16", 3, "float32", networks.Initialization(seed=0)):
        for layer in stage:
            name, fan_in = layer.name.replace(".", "/"), np.prod(layer.kernel.shape[:3])
            values[f"{name}/weights"] = generator.normal(0, 3 * (2 / fan_in) ** 0.5, layer.kernel.shape)
            values[f"{name}/biases"] = generator.normal(0, 1, layer.bias.shape)
    return {name: value.astype(np.float32) for name, value in values.items()}


@pytest.fixture
def images(tmp_path):
    generator = np.random.default_rng(1)
    (tmp_path / "images").mkdir()
    for number in range(2):
        pixels = generator.integers(0, 256, (48, 64, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / "images" / f"{number}.jpg")
    return tmp_path / "images"


def stages_of(values):
    """Return VGG16's layers, a list of lists, with `values` under TF-slim names."""
    stages = build_stages("vgg_16", 3, "float32", networks.Initialization(seed=0))
    for layer in itertools.chain(*stages):
        layer.kernel.assign(values[f"{layer.name.replace('.', '/')}/weights"])
        layer.bias.assign(values[f"{layer.name.replace('.', '/')}/biases"])
    return stages


def features(stages, images):
    """Return the 13 layers' features of images (B, H, W, 3)."""
    collected, x = [], images
    for stage in stages:
        for layer in stage:
            x = layer(x)
            collected.append(np.asarray(x))
        x = tf.nn.max_pool2d(x, 2, 2, "SAME")
    return collected


def test_features_keep_their_direction_and_get_size_1(weights):
    inputs = np.random.default_rng(2).normal(0, 70, (2, 32, 32, 3)).astype(np.float32)
    before = features(stages_of(weights), inputs)
    stages = stages_of(weights)
    rescaling.rescale(stages, None, inputs, 0.01)
    after = features(stages, inputs * np.float32(0.01))
    for old, new in zip(before, after, strict=True):
        np.testing.assert_allclose(np.sqrt(np.mean(new**2)), 1, rtol=1e-4)
        np.testing.assert_allclose(new, old / np.sqrt(np.mean(old**2)), atol=1e-3)


def test_the_first_fully_connected_layer_takes_the_factor_back(weights):
    class Fc6:
        kernel = tf.Variable([1.0, 2.0])

    inputs = np.random.default_rng(2).normal(0, 70, (1, 32, 32, 3)).astype(np.float32)
    size = np.sqrt(np.mean(features(stages_of(weights), inputs)[-1] ** 2))
    rescaling.rescale(stages_of(weights), Fc6, inputs, 0.01)
    np.testing.assert_allclose(Fc6.kernel, [size, 2 * size], rtol=1e-5)


def test_the_written_checkpoint_starts_a_network(weights, images, tmp_path, capsys):
    checkpoints.write_variables(tmp_path / "vgg_16.ckpt", weights, v1=True)
    rescale_vgg.main([str(tmp_path / "vgg_16.ckpt"), str(images), str(tmp_path / "unit.ckpt")])
    assert f"written: {tmp_path / 'unit.ckpt'} (26 variables), for --scale_value 0.01" in capsys.readouterr().out
    network = networks.build(ModelConfig(no_visual_modulator=True))
    kept = imagenet.load(network, "osmn/seg", tmp_path / "unit.ckpt")
    assert all("_16/" in name or "fuse" in name for name in kept)


def test_a_folder_without_photographs_is_named(weights, tmp_path, capsys):
    with pytest.raises(SystemExit) as stopped:
        rescale_vgg.main([str(tmp_path / "vgg_16.ckpt"), str(tmp_path), str(tmp_path / "unit.ckpt")])
    assert stopped.value.code == 2
    assert capsys.readouterr().err.splitlines()[-1] == f"error: {tmp_path} holds no photographs (.jpg)"


def test_the_weights_that_are_read_are_not_written_over(weights, images, tmp_path, capsys):
    checkpoints.write_variables(tmp_path / "vgg_16.ckpt", weights, v1=True)
    before = (tmp_path / "vgg_16.ckpt").read_bytes()
    with pytest.raises(SystemExit) as stopped:
        rescale_vgg.main([str(tmp_path / "vgg_16.ckpt"), str(images), str(tmp_path / "." / "vgg_16.ckpt")])
    assert stopped.value.code == 2
    assert "is read; give another place for the model" in capsys.readouterr().err
    assert (tmp_path / "vgg_16.ckpt").read_bytes() == before


def test_a_layer_without_features_is_named(weights, images, tmp_path, capsys):
    weights = weights | {name: 0 * value for name, value in weights.items() if "conv2_1" in name}
    checkpoints.write_variables(tmp_path / "vgg_16.ckpt", weights, v1=True)
    with pytest.raises(SystemExit) as stopped:
        rescale_vgg.main([str(tmp_path / "vgg_16.ckpt"), str(images), str(tmp_path / "unit.ckpt")])
    assert stopped.value.code == 2
    problem = "every feature of conv2_1 is 0; give the weights of a trained VGG16"
    assert capsys.readouterr().err.splitlines()[-1] == f"error: {tmp_path / 'vgg_16.ckpt'}: {problem}"
    assert not list(tmp_path.glob("unit.ckpt*"))
