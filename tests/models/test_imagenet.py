"""ImageNet weights, in each of their formats, initialise a network."""

import pickle
import re
import struct
import subprocess
import sys
from pathlib import Path
from typing import ClassVar

import h5py
import keras
import numpy as np
import pytest
import tensorflow as tf

from helpers import ROOT, zero_networks
from helpers.checkpoint_files import check_error, save_in_tf1, truncate
from osmn.config import ModelConfig
from osmn.errors import InputError
from osmn.models import checkpoints
from osmn.models.pretrained import imagenet

pytestmark = pytest.mark.usefixtures("forget")


@pytest.fixture(scope="module")
def lite():
    return zero_networks.build(ModelConfig("lite"))


# TF-slim's checkpoints, and dictionaries


def vgg_values(scope="vgg_16", stages=5):
    """Return VGG16's convolutions as TF-slim names them."""
    generator, values, channels_in = np.random.default_rng(1), {}, 3
    for stage, (layers, channels) in enumerate(((2, 64), (2, 128), (3, 256), (3, 512), (3, 512))[:stages], 1):
        for layer in range(1, layers + 1):
            name = f"{scope}/conv{stage}/conv{stage}_{layer}"
            values[f"{name}/weights"] = generator.random((3, 3, channels_in, channels), np.float32)
            values[f"{name}/biases"] = generator.random(channels, np.float32)
            channels_in = channels
    return values


def check_scope(network, scope, values, kept):
    """Check that `scope` has the `values`, {name without scope: array}, and zeros where it `kept` its own."""
    for name, variable in network.tf1_variables().items():
        if name.startswith(f"{scope}/"):
            expected = 0 if name in kept else values[name.removeprefix(f"{scope}/")]
            np.testing.assert_array_equal(variable, np.broadcast_to(expected, variable.shape), err_msg=name)


def relative(values):
    return {name.partition("/")[2]: value for name, value in values.items()}


SIDES = [f"osmn/seg/conv{name}_16/{leaf}" for name in ("2_2", "3_3", "4_3", "5_3") for leaf in ("biases", "weights")]
FUSE = ["osmn/seg/upscore-fuse/biases", "osmn/seg/upscore-fuse/weights"]


@pytest.mark.parametrize("version", [tf.compat.v1.train.SaverDef.V1, tf.compat.v1.train.SaverDef.V2], ids=["v1", "v2"])
def test_vgg_weights_initialise_the_segmentation_net_but_its_heads(osvos, tmp_path, version):
    values = vgg_values()
    classifier = {"vgg_16/fc8/biases": np.zeros(1000, np.float32), "global_step": np.int64(1)}
    save_in_tf1(tmp_path / "vgg_16.ckpt", values | classifier, version)
    kept = imagenet.load(osvos, "osmn/seg", tmp_path / "vgg_16.ckpt")
    assert kept == SIDES + FUSE
    check_scope(osvos, "osmn/seg", relative(values), kept)
    for name, variable in osvos.tf1_variables().items():
        assert name.startswith("osmn/seg/") or not np.any(variable), name


def test_vgg_weights_initialise_the_visual_modulator_and_masktrack_but_what_differs(tmp_path):
    network = zero_networks.build(ModelConfig("masktrack"))
    values = vgg_values() | {
        "vgg_16/fc6/biases": np.ones(4096, np.float32),
        "vgg_16/fc7/biases": np.full(4096, 2, np.float32),
        "vgg_16/fc8/weights": np.ones((1, 1, 4096, 1000), np.float32),
        "vgg_16/fc8/biases": np.ones(1000, np.float32),
    }
    checkpoints.write_variables(tmp_path / "vgg_16.ckpt", values, v1=True)
    kept = imagenet.load(network, "osmn/modulator", tmp_path / "vgg_16.ckpt")
    # The file has no kernels for fc6 and fc7 (they are large), and fc8 is ours.
    assert kept == [f"osmn/modulator/{n}" for n in ("fc6/weights", "fc7/weights", "fc8/biases", "fc8/weights")]
    variables = network.tf1_variables()
    for name, value in relative(values).items():
        if "fc8" not in name:
            np.testing.assert_array_equal(variables[f"osmn/modulator/{name}"], value, err_msg=name)
    assert np.all(variables["osmn/modulator/fc8/biases"] == 1) and not np.any(variables["osmn/modulator/fc8/weights"])

    kept = imagenet.load(network, "osmn/seg", tmp_path / "vgg_16.ckpt")
    assert kept[0] == "osmn/seg/conv1/conv1_1/weights"  # It has four input channels here.
    assert {name.split("/")[2].partition("_")[0] for name in kept[1:]} == {"fc6", "fc7", "fc8"}
    check_scope(network, "osmn/seg", relative(values), kept)


@pytest.mark.parametrize("scope", ["osmn/modulator", "osmn/seg"])
def test_mobilenet_weights_initialise_lite(lite, tmp_path, scope):
    generator = np.random.default_rng(2)
    variables = {n: v for n, v in lite.tf1_variables().items() if n.startswith(f"{scope}/Conv2d")}
    values = {
        n.replace(scope, "MobilenetV1"): generator.random(tuple(v.shape), np.float32) for n, v in variables.items()
    }
    values["MobilenetV1/Logits/Conv2d_1c_1x1/weights"] = np.ones((1, 1, 1024, 1001), np.float32)
    values["MobilenetV1/Conv2d_0/weights/ExponentialMovingAverage"] = np.ones((3, 3, 3, 32), np.float32)
    checkpoints.write_variables(tmp_path / "mobilenet_v1_1.0_224.ckpt", values)
    kept = imagenet.load(lite, scope, tmp_path / "mobilenet_v1_1.0_224.ckpt")
    head = [f"osmn/modulator/Logits/Conv2d_1c_1x1/{leaf}" for leaf in ("biases", "weights")]
    assert kept == (head if scope == "osmn/modulator" else [])
    check_scope(lite, scope, relative(values), kept)


def layers_of(values):
    """Return {layer: {leaf: array}}, as a dictionary in a .npy has it."""
    layers = {}
    for name, value in values.items():
        _, layer, leaf = name.split("/")
        layers.setdefault(layer, {})[leaf] = value
    return layers


def save_archive(path, layers):
    np.savez(path, **{f"{layer}/{leaf}": value for layer, leaves in layers.items() for leaf, value in leaves.items()})
    return path


def test_an_archive_of_layers_initialises_by_the_last_name(osvos, tmp_path):
    values = relative(vgg_values(stages=2))
    layers = layers_of(values)
    layers["fc8"] = {"weights": np.ones((4096, 1000), np.float32), "biases": np.ones(1000, np.float32)}
    kept = imagenet.load(osvos, "osmn/seg", save_archive(tmp_path / "vgg16.npz", layers))
    expected = [
        n for n in osvos.tf1_variables() if n.startswith("osmn/seg/") and n.removeprefix("osmn/seg/") not in values
    ]
    assert kept == expected and set(SIDES) < set(kept)
    check_scope(osvos, "osmn/seg", values, kept)


class Payload:
    """Pickled, it makes a file when it is read."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.mark.parametrize("name", ["vgg16.npy", "vgg16.npz"])
def test_a_pickle_is_refused_and_not_run(osvos, tmp_path, name):
    path, trace = tmp_path / name, tmp_path / "executed"
    for layers in (Payload(trace), {"conv1_1": Payload(trace)}):
        with open(path, "wb") as file:
            np.save(file, np.array(layers, object))
        with pytest.raises(InputError) as error:
            imagenet.load(osvos, "osmn/seg", path)
        check_error(error, path, "models/README.md")
        np.savez(tmp_path / "vgg16.npz", **{"conv1_1/weights": np.array(layers, object)})
        with pytest.raises(InputError) as error:
            imagenet.load(osvos, "osmn/seg", tmp_path / "vgg16.npz")
        check_error(error, "vgg16.npz is not an archive of layers", "pickle")
        assert not trace.exists()


class Python2Pickler(pickle._Pickler):
    """Pickles as Python 2 does: text and bytes are the same, one byte per character."""

    dispatch: ClassVar = dict(pickle._Pickler.dispatch)

    def save_string(self, value):
        data = value if isinstance(value, bytes) else value.encode("latin1")
        self.write(pickle.BINSTRING + struct.pack("<i", len(data)) + data)
        self.memoize(value)

    dispatch[str] = dispatch[bytes] = save_string


def save_python_2_dictionary(path, layers):
    with open(path, "wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "|O", "fortran_order": False, "shape": ()})
        Python2Pickler(file, protocol=2).dump(np.array(layers, object))
    path.write_bytes(path.read_bytes().replace(b"numpy._core.multiarray", b"numpy.core.multiarray"))


def save_dictionary(path, layers):
    np.save(path, np.array(layers, object))


@pytest.mark.parametrize("save", [save_dictionary, save_python_2_dictionary])
def test_the_documented_line_makes_an_archive_of_a_dictionary(osvos, tmp_path, save):
    values = relative(vgg_values(stages=2))
    save(tmp_path / "vgg16.npy", layers_of(values))
    document = (ROOT / "models/README.md").read_text()
    (code,) = re.findall(r'^python -c "(.*)"$', document, re.M)
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)
    kept = imagenet.load(osvos, "osmn/seg", tmp_path / "vgg16.npz")
    check_scope(osvos, "osmn/seg", values, kept)


def numbers(path):
    with open(path, "wb") as file:
        np.save(file, np.arange(6))


def text(path):
    path.write_text("a web page\nthat says 404\n")


def words_for_weights(path):
    save_archive(path, {"conv1_1": {"weights": np.array(["none"])}})


def half_an_archive(path):
    truncate(save_archive(path, {"conv1_1": {"weights": np.ones((3, 3, 3, 64), np.float32)}}), 0.5)


def a_bit_flipped(path):
    save_archive(path, {"conv1_1": {"weights": np.ones((3, 3, 3, 64), np.float32)}})
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)


@pytest.mark.parametrize("make", [numbers, text, words_for_weights, half_an_archive, a_bit_flipped])
def test_other_npz_files_give_one_line(osvos, tmp_path, make):
    path = tmp_path / "vgg16.npz"
    make(path)
    with pytest.raises(InputError) as error:
        imagenet.load(osvos, "osmn/seg", path)
    check_error(error, path, "archive of layers")


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf, 1e39])
def test_weights_that_are_not_finite_are_refused_and_named(osvos, tmp_path, number):
    weights = np.zeros((3, 3, 3, 64))
    weights[1, 2, 0, 5] = number
    path = save_archive(tmp_path / "vgg16.npz", {"conv1_1": {"weights": weights}})
    with pytest.raises(InputError) as error:
        imagenet.load(osvos, "osmn/seg", path)
    check_error(error, path, "osmn/seg/conv1/conv1_1/weights", "not finite")


@pytest.mark.parametrize("name", ["vgg16.npz", "vgg16.h5", "vgg16.ckpt"])
def test_a_missing_imagenet_file_gives_one_line(osvos, tmp_path, name):
    with pytest.raises(InputError) as error:
        imagenet.load(osvos, "osmn/seg", tmp_path / name)
    check_error(error, tmp_path / name, "does not exist", "README")


def test_weights_that_fit_nothing_are_an_error(lite, osvos, tmp_path):
    checkpoints.write_variables(tmp_path / "vgg_16.ckpt", vgg_values(stages=1))
    with pytest.raises(InputError, match="holds no weights for osmn/seg of --base_model lite"):
        imagenet.load(lite, "osmn/seg", tmp_path / "vgg_16.ckpt")
    path = save_archive(tmp_path / "other.npz", {"conv1_1": {"weights": np.ones((5, 5, 3, 64))}})
    with pytest.raises(InputError) as error:
        imagenet.load(osvos, "osmn/seg", path)
    check_error(error, path, "holds no weights for osmn/seg of --base_model osvos")


# ImageNet weights of keras.applications


@pytest.fixture(scope="module")
def keras_vgg():
    return keras.applications.VGG16(weights=None, include_top=False, input_shape=(224, 224, 3))


def save_published_h5(model, path):
    """Write weights in the layout of the files that keras.applications downloads."""
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [layer.name.encode() for layer in model.layers]
        for layer in model.layers:
            group = file.create_group(layer.name)
            names = [f"{layer.name}/{weight.name}:0".encode() for weight in layer.weights]
            group.attrs["weight_names"] = names
            for name, weight in zip(names, layer.weights, strict=True):
                group[name.decode()] = np.asarray(weight)


@pytest.mark.filterwarnings("ignore:Skipping nested container")  # Of VGG16 with its classifier, which is tried first.
@pytest.mark.parametrize("kind", ["vgg16.weights.h5", "vgg16.h5", "vgg16_notop.h5"])
def test_keras_vgg_files_initialise_the_segmentation_net(osvos, keras_vgg, tmp_path, kind):
    path = tmp_path / kind
    if kind == "vgg16.weights.h5":
        keras_vgg.save_weights(path)
    elif kind == "vgg16.h5":
        keras_vgg.save(path)
    else:
        save_published_h5(keras_vgg, path)
    assert imagenet.load(osvos, "osmn/seg", path) == SIDES + FUSE
    variables = osvos.tf1_variables()
    kernel, bias = keras_vgg.get_layer("block4_conv2").get_weights()
    np.testing.assert_array_equal(variables["osmn/seg/conv4/conv4_2/weights"], kernel)
    np.testing.assert_array_equal(variables["osmn/seg/conv4/conv4_2/biases"], bias)
    # Those weights are for BGR, as the network's input is.
    kernel = keras_vgg.get_layer("block1_conv1").get_weights()[0]
    np.testing.assert_array_equal(variables["osmn/seg/conv1/conv1_1/weights"], kernel)


def test_keras_fully_connected_layers_become_convolutions():
    rows = np.arange(7 * 7 * 512, dtype=np.float32)
    kernel, bias = np.broadcast_to(rows[:, None], (len(rows), 4096)), np.zeros(4096)
    named = imagenet._vgg_names("fc1", [kernel, bias])
    assert list(named) == ["fc6/weights", "fc6/biases"]
    assert named["fc6/weights"].shape == (7, 7, 512, 4096)
    assert named["fc6/weights"][2, 3, 5, 9] == (2 * 7 + 3) * 512 + 5
    kernel = np.broadcast_to(np.arange(4096)[:, None], (4096, 4096))
    named = imagenet._vgg_names("fc2", [kernel, bias])
    assert list(named) == ["fc7/weights", "fc7/biases"]
    assert named["fc7/weights"].shape == (1, 1, 4096, 4096) and named["fc7/weights"][0, 0, 7, 2] == 7
    assert imagenet._vgg_names("predictions", [kernel, bias]) == {}


def test_keras_mobilenet_initialises_lite_with_the_first_kernel_turned_to_bgr(lite, tmp_path):
    model = keras.applications.MobileNet(weights=None, input_shape=(224, 224, 3))
    generator = np.random.default_rng(4)
    for weight in model.weights:
        weight.assign(generator.random(tuple(weight.shape), np.float32))
    model.save_weights(tmp_path / "mobilenet.weights.h5")
    assert imagenet.load(lite, "osmn/seg", tmp_path / "mobilenet.weights.h5") == []
    variables = lite.tf1_variables()
    for name, layer in (
        ("Conv2d_1_depthwise/depthwise_weights", "conv_dw_1"),
        ("Conv2d_13_pointwise/weights", "conv_pw_13"),
    ):
        np.testing.assert_array_equal(variables[f"osmn/seg/{name}"], model.get_layer(layer).get_weights()[0])
    kernel = model.get_layer("conv1").get_weights()[0]
    np.testing.assert_array_equal(variables["osmn/seg/Conv2d_0/weights"], kernel[:, :, ::-1])
    leaves = ("gamma", "beta", "moving_mean", "moving_variance")
    for leaf, value in zip(leaves, model.get_layer("conv_pw_7_bn").get_weights(), strict=True):
        np.testing.assert_array_equal(variables[f"osmn/seg/Conv2d_7_pointwise/BatchNorm/{leaf}"], value)


def test_an_h5_file_of_something_else_gives_one_line(lite, tmp_path):
    path = tmp_path / "other.h5"
    with h5py.File(path, "w") as file:
        file["x"] = np.ones(3)
    with pytest.raises(InputError) as error:
        imagenet.load(lite, "osmn/seg", path)
    check_error(error, path)
    path.write_text("a web page")
    with pytest.raises(InputError) as error:
        imagenet.load(lite, "osmn/seg", path)
    check_error(error, path)


def test_the_word_imagenet_stands_for_the_weights_of_keras(lite, monkeypatch):
    model = keras.applications.MobileNet(weights=None, input_shape=(224, 224, 3))
    asked = []
    monkeypatch.setattr(keras.applications, "MobileNet", lambda **options: asked.append(options["weights"]) or model)
    assert imagenet.load(lite, "osmn/seg", "imagenet") == []
    assert asked == ["imagenet"]
    kernel = model.get_layer("conv_pw_5").get_weights()[0]
    np.testing.assert_array_equal(lite.tf1_variables()["osmn/seg/Conv2d_5_pointwise/weights"], kernel)


def test_a_download_that_fails_gives_one_line(osvos, monkeypatch):
    def fail(**_):
        raise Exception("URL fetch failure on https://\nno network")

    monkeypatch.setattr(keras.applications, "VGG16", fail)
    with pytest.raises(InputError) as error:
        imagenet.load(osvos, "osmn/seg", "imagenet")
    check_error(error, "download", "no network", "README")
