"""The user's own configuration of Keras: another backend is refused in one line, other settings change nothing."""

import json
import os
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from helpers import ROOT, zero_networks
from helpers.script_places import make_places
from osmn import networks
from osmn.config import ModelConfig
from osmn.models.pretrained import imagenet

OTHER = {"floatx": "float16", "image_data_format": "channels_first"}


def run(*command, **environment):
    return subprocess.run(
        [sys.executable, *map(str, command)], cwd=ROOT, env=os.environ | environment, capture_output=True, text=True
    )


def configured(folder, **settings):
    """Return the environment of a keras.json with these settings."""
    (folder / "keras.json").write_text(json.dumps({"backend": "tensorflow", **settings}))
    return {"KERAS_HOME": str(folder)}


COMMANDS = {
    line.split()[0]: line.split()[1:]
    for line in (
        "osmn_coco_pretrain --data_path {coco} --whole_model_path {model} --model_save_path {out}",
        "osmn_eval_youtube --data_path {objects} --whole_model_path {model} --result_path {out}",
        "osmn_vos {davis} --dataset davis2017 --whole_model_path {model} --result_path {out}",
        "osmn_export --whole_model_path {model} --output {out}",
        "osmn_online_finetune --data_path {davis} --whole_model_path {model} --model_save_path {out}"
        " --result_path {out}",
        "osmn_online_finetune_ytvos --data_path {ytvos} --whole_model_path {model} --model_save_path {out}"
        " --result_path {out}",
        "osmn_train_eval --data_path {davis} --model_save_path {out} --result_path {out}",
        "osmn_train_eval_ytvos --only_testing --data_path {ytvos} --whole_model_path {model} --result_path {out}",
        "preprocessing.rescale_vgg {model} {frames} {out}",
    )
}
# Runs each command line in one process, which imports TensorFlow once; prints what each of them ends with.
RUNNER = """
import contextlib, importlib, io, json, sys
ends = {}
for script, argv in json.loads(sys.argv[1]).items():
    with contextlib.redirect_stderr(io.StringIO()) as printed, contextlib.redirect_stdout(io.StringIO()):
        try:
            importlib.import_module(script).main(argv)
        except SystemExit as stopped:
            ends[script] = stopped.code, printed.getvalue()
print(json.dumps(ends))
"""


@pytest.fixture(scope="module")
def refused(davis, tmp_path_factory):
    """Return {script: (status, what it prints on stderr)} of all scripts with another backend."""
    places = make_places(davis, tmp_path_factory.mktemp("places"))
    lines = {script: [word.format(**places) for word in words] for script, words in COMMANDS.items()}
    done = run("-c", RUNNER, json.dumps(lines), KERAS_BACKEND="jax")
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("script", COMMANDS)
def test_another_backend_is_refused_in_one_line(refused, script):
    status, printed = refused[script]
    assert status == 2
    (line,) = printed.splitlines()
    assert line.startswith("error: ") and "the Keras backend must be tensorflow, but jax is configured" in line


@pytest.mark.parametrize("backend", ["numpy", "torch"])  # One that is installed, one that is not.
def test_a_backend_of_keras_json_is_refused_too(tmp_path, backend):
    environment = configured(tmp_path, backend=backend)
    environment["KERAS_BACKEND"] = ""
    refused = run("-c", "import osmn.networks", **environment)
    assert "InputError: the Keras backend must be tensorflow" in refused.stderr.splitlines()[-1]


def test_other_settings_of_keras_json_change_no_byte_of_the_results(tmp_path, davis):
    command = ["osmn_train_eval.py", "--data_path", davis, "--base_model", "lite", "--im_size", 64, 48]
    # The visual modulator has the segmentation net's layers; their formats are tested below.
    command += ["--no_visual_modulator", "--training_iters", 2, "--batch_size", 2, "--scale_value", 0.00787]
    command += ["--deterministic", "--save_score", "--save_iters", 2]
    written = {}
    for kind, settings in (("plain", {}), ("other", OTHER)):
        (tmp_path / kind).mkdir()
        paths = ["--model_save_path", tmp_path / kind / "model", "--result_path", tmp_path / kind / "results"]
        done = run(*command, *paths, **configured(tmp_path / kind, **settings))
        assert done.returncode == 0, done.stderr[-2000:]
        files = sorted((tmp_path / kind).glob("results/**/*.npy"))
        written[kind] = {path.relative_to(tmp_path / kind): np.load(path) for path in files}
        reader = tf.train.load_checkpoint(str(tmp_path / kind / "model/osmn.ckpt-2"))
        written[kind] |= {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}
    assert written["plain"].keys() == written["other"].keys()
    for name, value in written["plain"].items():
        assert value.dtype == written["other"][name].dtype, name
        np.testing.assert_array_equal(value, written["other"][name], err_msg=str(name))


@pytest.fixture
def other_settings():
    """Configure Keras in this process as by an unusual keras.json."""
    policy = keras.config.dtype_policy()
    keras.config.set_floatx("float16")
    keras.config.set_dtype_policy("float16")
    keras.config.set_image_data_format("channels_first")
    yield
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy(policy)
    keras.config.set_image_data_format("channels_last")


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16", "bfloat16"])
@pytest.mark.parametrize("base_model", ["osvos", "deeplab", "lite"])
def test_variables_have_their_own_format_whatever_keras_is_configured_for(other_settings, base_model, dtype):
    network = networks.build(ModelConfig(base_model, no_visual_modulator=base_model != "lite"), dtype)
    stored = "bfloat16" if dtype == "bfloat16" else "float32"
    for name, variable in network.tf1_variables().items():
        exempt = any(part in name for part in ("BatchNorm", "modulator", "Conv2d_out"))  # float32 in every policy.
        assert variable.dtype == ("float32" if exempt else stored), name


@pytest.fixture
def mobilenet_file(tmp_path):
    """Return a Keras file of MobileNet whose weights have more digits than float16 holds; written before the others."""
    model = keras.applications.MobileNet(weights=None, input_shape=(224, 224, 3))
    generator = np.random.default_rng(0)
    for variable in model.weights:
        variable.assign(generator.random(tuple(variable.shape), np.float32))
    model.save_weights(tmp_path / "mobilenet.weights.h5")
    return tmp_path / "mobilenet.weights.h5", {layer.name: layer.get_weights() for layer in model.layers}


def test_imagenet_weights_of_keras_are_loaded_as_they_are(mobilenet_file, other_settings):
    path, layers = mobilenet_file
    network = zero_networks.build(ModelConfig("lite"))
    assert imagenet.load(network, "osmn/seg", path) == []
    variables = network.tf1_variables()
    for name, layer in (("depthwise/depthwise_weights", "conv_dw_7"), ("pointwise/weights", "conv_pw_7")):
        np.testing.assert_array_equal(variables[f"osmn/seg/Conv2d_7_{name}"], layers[layer][0])
    assert keras.config.image_data_format() == "channels_first"  # The user's again.
    assert keras.config.dtype_policy().name == "float16"
