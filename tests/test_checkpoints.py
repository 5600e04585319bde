import os
import pickle
import re
import struct
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar

import goldens
import h5py
import keras
import numpy as np
import pytest
import tensorflow as tf

from osmn import checkpoints, networks
from osmn.errors import InputError
from osmn.networks import Initialization, NetworkOptions
from osmn.samples import Sample
from osmn.training import Trainer

LITE = NetworkOptions("lite")
SMALL_OSVOS = NetworkOptions(visual_modulator=False)
OPTIMIZER_STATE = {
    "osmn/score/weights/Adam": np.ones((1, 1, 64, 1), np.float32),
    "osmn/score/weights/Adam_1": np.ones((1, 1, 64, 1), np.float32),
    "beta1_power": np.float32(0.9),
    "optimization/take_gradients/beta1_power": np.float32(0.9),
    "optimization/take_gradients/beta2_power": np.float32(0.999),
    "global_step": np.int64(200000),
}


class Zeros(Initialization):
    """Initial weights that are all zero: made at once, and unlike any that were loaded."""

    def normal(self, name, truncated=False, stddev=None):
        return "zeros"


def build(options):
    return networks.BASE_MODELS[options.base_model](options, "float32", Zeros())


@pytest.fixture(scope="module")
def lite():
    return build(LITE)


@pytest.fixture(scope="module")
def osvos():
    return build(SMALL_OSVOS)


@pytest.fixture(autouse=True)
def forget(request):
    """Make every weight of the shared networks zero again after a test that changed them."""
    yield
    for name in ("lite", "osvos"):
        if name in request.fixturenames:
            for variable in request.getfixturevalue(name).tf1_variables().values():
                variable.assign(tf.zeros(variable.shape))


def random_values(network, seed=0):
    """Return {TF1 name: array} for a whole model, every one different."""
    generator = np.random.default_rng(seed)
    variables = network.tf1_variables().items()
    return {n: generator.random(tuple(v.shape), np.float32) for n, v in variables} | network.constants()


@pytest.fixture(scope="module")
def lite_values(lite):
    return random_values(lite)


@pytest.fixture(scope="module")
def model(lite_values, tmp_path_factory):
    """Return the weights `lite_values`, the prefix of a V2 bundle and the path of a V1 file with them."""
    folder = tmp_path_factory.mktemp("model")
    checkpoints.write_variables(folder / "osmn.ckpt-7", lite_values)
    checkpoints.write_variables(folder / "osmn.ckpt", lite_values, v1=True)
    return SimpleNamespace(values=lite_values, bundle=folder / "osmn.ckpt-7", single_file=folder / "osmn.ckpt")


def save_in_tf1(path, values, version):
    """Write {name: array} as TF1's own program does: a graph, a session, a Saver."""
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        variables = [tf.compat.v1.Variable(v, name=n, use_resource=False) for n, v in values.items()]
        session.run(tf.compat.v1.global_variables_initializer())
        saver = tf.compat.v1.train.Saver(variables, write_version=version)
        saver.save(session, str(path), write_meta_graph=False, write_state=False)


def check_values(network, values):
    variables = network.tf1_variables()
    assert set(variables) | set(network.constants()) == set(values)
    for name, variable in variables.items():
        np.testing.assert_array_equal(variable, values[name], err_msg=name)


def check_error(error, *words):
    """Check that an InputError is one line with all of `words`."""
    message = str(error.value)
    assert "\n" not in message
    for word in words:
        assert str(word) in message


def copy_bundle(prefix, folder):
    """Copy a bundle's two files; return the new prefix."""
    for part in prefix.parent.glob(f"{prefix.name}.*"):
        (folder / part.name).write_bytes(part.read_bytes())
    return folder / prefix.name


def truncate(path, share):
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    return path


# Whole models of the published program


@pytest.mark.parametrize("version", [tf.compat.v1.train.SaverDef.V1, tf.compat.v1.train.SaverDef.V2], ids=["v1", "v2"])
def test_a_model_saved_by_tf1_loads_whatever_its_optimizer_left_in_it(lite, lite_values, tmp_path, version):
    save_in_tf1(tmp_path / "osmn.ckpt-200000", lite_values | OPTIMIZER_STATE, version)
    assert (tmp_path / "osmn.ckpt-200000").is_file() == (version == tf.compat.v1.train.SaverDef.V1)
    assert checkpoints.load_model(lite, tmp_path / "osmn.ckpt-200000") == []
    check_values(lite, lite_values)


def test_variables_that_the_network_has_no_use_for_are_named(lite, lite_values, tmp_path):
    more = {"osmn/modulator/fc9/weights": np.zeros(2, np.float32), "an/Adam_like/name": np.zeros(1, np.float32)}
    checkpoints.write_variables(tmp_path / "model", lite_values | OPTIMIZER_STATE | more)
    assert checkpoints.load_model(lite, tmp_path / "model") == sorted(more)


def test_any_file_of_a_bundle_names_it(model):
    for suffix in ("", ".index", ".data-00000-of-00001"):
        assert checkpoints.find_checkpoint(f"{model.bundle}{suffix}") == model.bundle


def test_a_folder_means_its_newest_checkpoint_by_number(tmp_path):
    values = {"x": np.float32(1)}
    for name in ("osmn.ckpt-9", "osmn.ckpt-10", "osmn.ckpt-best", "another.ckpt-11"):
        checkpoints.write_variables(tmp_path / name, values)
    (tmp_path / "osmn.ckpt-12.data-00000-of-00001").write_bytes(b"")  # A killed run's: it has no index.
    assert checkpoints.find_checkpoint(tmp_path) == tmp_path / "osmn.ckpt-10"
    assert checkpoints.list_checkpoints(tmp_path) == [tmp_path / "osmn.ckpt-9", tmp_path / "osmn.ckpt-10"]


# Files that do not fit or are damaged


def without(values, *names):
    return {name: value for name, value in values.items() if name not in names}


def missing_variable(folder, model):
    values = model.values
    checkpoints.write_variables(folder / "model", without(values, "osmn/score/biases", "osmn/conv5_16/weights"))
    return folder / "model", ("lacks osmn/conv5_16/weights, osmn/score/biases", "--base_model")


def misshapen_variable(folder, model):
    wrong = {"osmn/score/weights": np.zeros((1, 1, 48, 1), np.float32)}
    checkpoints.write_variables(folder / "model", model.values | wrong)
    return folder / "model", ("osmn/score/weights is (1, 1, 48, 1), not (1, 1, 64, 1)",)


def truncated_data(folder, model):
    prefix = copy_bundle(model.bundle, folder)
    truncate(Path(f"{prefix}.data-00000-of-00001"), 0.5)
    return prefix, ("damaged",)


def missing_data(folder, model):
    prefix = copy_bundle(model.bundle, folder)
    Path(f"{prefix}.data-00000-of-00001").unlink()
    return prefix, ("damaged",)


def changed_data(folder, model):
    prefix = copy_bundle(model.bundle, folder)
    with open(f"{prefix}.data-00000-of-00001", "r+b") as file:
        file.seek(1000)
        file.write(b"\xff" * 16)
    return prefix, ("damaged",)


def truncated_index(folder, model):
    prefix = copy_bundle(model.bundle, folder)
    truncate(Path(f"{prefix}.index"), 0.5)
    return prefix, ("damaged",)


def truncated_v1(folder, model):
    (folder / "model").write_bytes(model.single_file.read_bytes())
    return truncate(folder / "model", 0.5), ("damaged",)


def garbage(folder, model):
    (folder / "model").write_bytes(np.random.default_rng(0).bytes(1000))
    return folder / "model", ("damaged", "not a TensorFlow checkpoint")


def empty_file(folder, model):
    (folder / "model").write_bytes(b"")
    return folder / "model", ("damaged",)


def missing_file(folder, model):
    return folder / "model", ("does not exist",)


def folder_without_checkpoints(folder, model):
    return folder, ("holds no checkpoint named osmn.ckpt-<step>",)


@pytest.mark.parametrize(
    "make",
    [
        missing_variable,
        misshapen_variable,
        truncated_data,
        missing_data,
        changed_data,
        truncated_index,
        truncated_v1,
        garbage,
        empty_file,
        missing_file,
        folder_without_checkpoints,
    ],
)
def test_a_file_that_cannot_be_used_gives_one_line_that_names_it(make, lite, model, tmp_path, monkeypatch, capsys):
    path, words = make(tmp_path, model)
    with pytest.raises(InputError) as error:
        checkpoints.load_model(lite, path)
    check_error(error, path, *words)

    monkeypatch.setattr(networks, "build", lambda *_: lite)
    with pytest.raises(SystemExit) as exit_:
        checkpoints.main(["export", str(path), str(tmp_path / "exported"), "--base_model", "lite"])
    assert exit_.value.code == 2
    assert re.fullmatch(r"error: .*\n", capsys.readouterr().err)
    assert not list(tmp_path.glob("exported*"))


def test_many_missing_variables_are_counted(lite, tmp_path):
    checkpoints.write_variables(tmp_path / "model", {"x": np.float32(1)})
    with pytest.raises(InputError, match=r"lacks .* and 302 more \(check --base_model") as error:
        checkpoints.load_model(lite, tmp_path / "model")
    check_error(error)
    assert len(str(error.value)) < 1000


def test_upsampling_kernels_other_than_the_bilinear_ones_are_refused(osvos, tmp_path):
    values = random_values(osvos)
    name = "osmn/seg/score-multi3-up/weights"
    checkpoints.write_variables(tmp_path / "model", values | {name: values[name] * 1.01})
    with pytest.raises(InputError) as error:
        checkpoints.load_model(osvos, tmp_path / "model")
    check_error(error, tmp_path / "model", name, "bilinear")

    checkpoints.write_variables(tmp_path / "model", without(values, name))
    with pytest.raises(InputError, match=f"lacks {name}"):
        checkpoints.load_model(osvos, tmp_path / "model")


# Export and import


@pytest.mark.parametrize("v1", [False, True])
def test_export_and_import_give_identical_variables(osvos, tmp_path, monkeypatch, capsys, v1):
    values = random_values(osvos)
    checkpoints.write_variables(tmp_path / "trained" / "osmn.ckpt-3", values | OPTIMIZER_STATE)
    monkeypatch.setattr(networks, "build", lambda *_: osvos)
    exported = tmp_path / "new" / "model.ckpt"
    checkpoints.main(["export", str(tmp_path / "trained"), str(exported), "--no_visual_modulator", *["--v1"] * v1])
    assert capsys.readouterr().out == f"{exported}: {len(values)} variables\n"
    assert exported.is_file() == v1

    reader = tf.train.load_checkpoint(str(exported))
    assert set(reader.get_variable_to_shape_map()) == set(values)  # No optimizer's state, and the constants.
    for name, value in values.items():
        np.testing.assert_array_equal(reader.get_tensor(name), value, err_msg=name)
    other = build(SMALL_OSVOS)
    assert checkpoints.load_model(other, exported) == []
    check_values(other, values)


def test_of_a_training_with_an_average_of_the_weights_the_average_is_loaded_and_exported(osvos, tmp_path, monkeypatch):
    raw, average = random_values(osvos), random_values(osvos, seed=1)
    averages = {checkpoints.average_name(name): average[name] for name in osvos.tf1_variables()}
    checkpoints.write_variables(tmp_path / "osmn.ckpt-3", raw | averages | OPTIMIZER_STATE)
    monkeypatch.setattr(networks, "build", lambda *_: osvos)
    checkpoints.main(["export", str(tmp_path), str(tmp_path / "model"), "--no_visual_modulator"])
    reader = checkpoints.CheckpointReader(tmp_path / "model")
    assert set(reader.shapes) == set(raw)  # Plain names alone.
    other = build(SMALL_OSVOS)
    assert checkpoints.load_model(other, tmp_path / "osmn.ckpt-3") == []
    for name, variable in other.tf1_variables().items():
        np.testing.assert_array_equal(variable, average[name], err_msg=name)
        np.testing.assert_array_equal(reader.read(name), average[name], err_msg=name)


def test_tf1_restores_what_is_exported(lite, lite_values, tmp_path):
    for name, variable in lite.tf1_variables().items():
        variable.assign(lite_values[name])
    checkpoints.write_variables(tmp_path / "model", checkpoints.model_values(lite))
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        variables = [
            tf.compat.v1.get_variable(n, shape, trainable=trainable, use_resource=False)
            for n, (shape, trainable) in goldens.variables("lite").items()
        ]
        tf.compat.v1.train.Saver(variables).restore(session, str(tmp_path / "model"))
        for variable, value in zip(variables, session.run(variables), strict=True):
            np.testing.assert_array_equal(value, lite_values[variable.op.name])


def test_export_runs_as_a_module(tmp_path):
    result = subprocess.run(
        [sys.executable, "-m", "osmn.checkpoints", "export", "none", "exported", "--base_model", "lite"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONPATH": str(Path(__file__).parent.parent)},
        check=False,
    )
    assert result.returncode == 2
    assert "Traceback" not in result.stderr
    assert [line for line in result.stderr.splitlines() if line.startswith("error: ")] == [
        "error: none does not exist, neither as a file nor as a checkpoint prefix; see README, 'Weights'"
    ]


# ImageNet weights


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
    kept = checkpoints.load_imagenet(osvos, "osmn/seg", tmp_path / "vgg_16.ckpt")
    assert kept == SIDES + FUSE
    check_scope(osvos, "osmn/seg", relative(values), kept)
    for name, variable in osvos.tf1_variables().items():
        assert name.startswith("osmn/seg/") or not np.any(variable), name


def test_vgg_weights_initialise_the_visual_modulator_and_masktrack_but_what_differs(tmp_path):
    network = build(NetworkOptions("masktrack"))
    values = vgg_values() | {
        "vgg_16/fc6/biases": np.ones(4096, np.float32),
        "vgg_16/fc7/biases": np.full(4096, 2, np.float32),
        "vgg_16/fc8/weights": np.ones((1, 1, 4096, 1000), np.float32),
        "vgg_16/fc8/biases": np.ones(1000, np.float32),
    }
    checkpoints.write_variables(tmp_path / "vgg_16.ckpt", values, v1=True)
    kept = checkpoints.load_imagenet(network, "osmn/modulator", tmp_path / "vgg_16.ckpt")
    # The file has no kernels for fc6 and fc7 (they are large), and fc8 is ours.
    assert kept == [f"osmn/modulator/{n}" for n in ("fc6/weights", "fc7/weights", "fc8/biases", "fc8/weights")]
    variables = network.tf1_variables()
    for name, value in relative(values).items():
        if "fc8" not in name:
            np.testing.assert_array_equal(variables[f"osmn/modulator/{name}"], value, err_msg=name)
    assert np.all(variables["osmn/modulator/fc8/biases"] == 1) and not np.any(variables["osmn/modulator/fc8/weights"])

    kept = checkpoints.load_imagenet(network, "osmn/seg", tmp_path / "vgg_16.ckpt")
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
    kept = checkpoints.load_imagenet(lite, scope, tmp_path / "mobilenet_v1_1.0_224.ckpt")
    head = [f"osmn/modulator/Logits/Conv2d_1c_1x1/{leaf}" for leaf in ("biases", "weights")]
    assert kept == (head if scope == "osmn/modulator" else [])
    check_scope(lite, scope, relative(values), kept)


def save_dictionary(path, layers):
    np.save(path, np.array(layers, object))
    return path


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
    return path


@pytest.mark.parametrize("save", [save_dictionary, save_python_2_dictionary])
def test_a_dictionary_of_layers_initialises_by_the_last_name(osvos, tmp_path, save):
    values = relative(vgg_values(stages=2))
    layers = {}
    for name, value in values.items():
        _, layer, leaf = name.split("/")
        layers.setdefault(layer, {})[leaf] = value
    layers["fc8"] = {"weights": np.ones((4096, 1000), np.float32), "biases": np.ones(1000, np.float32)}
    kept = checkpoints.load_imagenet(osvos, "osmn/seg", save(tmp_path / "vgg16.npy", layers))
    expected = [
        n for n in osvos.tf1_variables() if n.startswith("osmn/seg/") and n.removeprefix("osmn/seg/") not in values
    ]
    assert kept == expected and set(SIDES) < set(kept)
    check_scope(osvos, "osmn/seg", values, kept)


class Payload:
    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("function", [os.mkdir, exec, np.save], ids=["os", "builtins", "numpy"])
def test_a_pickle_that_wants_to_run_code_is_refused_and_not_run(osvos, tmp_path, function):
    trace = tmp_path / "executed.npy"
    arguments = {
        os.mkdir: (str(trace),),
        exec: (f"open({str(trace)!r}, 'w')",),
        np.save: (str(trace), 1),
    }[function]
    for layers in (Payload(function, *arguments), {"conv1_1": Payload(function, *arguments)}):
        path = save_dictionary(tmp_path / "vgg16.npy", layers)
        with pytest.raises(InputError) as error:
            checkpoints.load_imagenet(osvos, "osmn/seg", path)
        check_error(error, path, "it wants to run")
        assert not trace.exists()


def numbers(path):
    np.save(path, np.arange(6))


def text(path):
    path.write_text("a web page\nthat says 404\n")


def list_of_layers(path):
    save_dictionary(path, [1, 2])


def layers_of_lists(path):
    save_dictionary(path, {"conv1_1": [1, 2], "conv1_2": {"weights": None}})


def words_for_weights(path):
    save_dictionary(path, {"conv1_1": {"weights": "none"}, "conv1_2": {"weights": [[1], [1, 2]]}})


def half_a_dictionary(path):
    truncate(save_dictionary(path, {"conv1_1": {"weights": np.ones((3, 3, 3, 64), np.float32)}}), 0.5)


@pytest.mark.parametrize("make", [numbers, text, list_of_layers, layers_of_lists, words_for_weights, half_a_dictionary])
def test_other_npy_files_give_one_line(osvos, tmp_path, make):
    path = tmp_path / "vgg16.npy"
    make(path)
    with pytest.raises(InputError) as error:
        checkpoints.load_imagenet(osvos, "osmn/seg", path)
    check_error(error, path, "dictionary")


@pytest.mark.parametrize("name", ["vgg16.npy", "vgg16.h5", "vgg16.ckpt"])
def test_a_missing_imagenet_file_gives_one_line(osvos, tmp_path, name):
    with pytest.raises(InputError) as error:
        checkpoints.load_imagenet(osvos, "osmn/seg", tmp_path / name)
    check_error(error, tmp_path / name, "does not exist", "README")


def test_weights_that_fit_nothing_are_an_error(lite, osvos, tmp_path):
    checkpoints.write_variables(tmp_path / "vgg_16.ckpt", vgg_values(stages=1))
    with pytest.raises(InputError, match="holds no weights for osmn/seg of --base_model lite"):
        checkpoints.load_imagenet(lite, "osmn/seg", tmp_path / "vgg_16.ckpt")
    path = save_dictionary(tmp_path / "other.npy", {"conv1_1": {"weights": np.ones((5, 5, 3, 64))}})
    with pytest.raises(InputError) as error:
        checkpoints.load_imagenet(osvos, "osmn/seg", path)
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
    assert checkpoints.load_imagenet(osvos, "osmn/seg", path) == SIDES + FUSE
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
    named = checkpoints._vgg_names("fc1", [kernel, bias])
    assert list(named) == ["fc6/weights", "fc6/biases"]
    assert named["fc6/weights"].shape == (7, 7, 512, 4096)
    assert named["fc6/weights"][2, 3, 5, 9] == (2 * 7 + 3) * 512 + 5
    kernel = np.broadcast_to(np.arange(4096)[:, None], (4096, 4096))
    named = checkpoints._vgg_names("fc2", [kernel, bias])
    assert list(named) == ["fc7/weights", "fc7/biases"]
    assert named["fc7/weights"].shape == (1, 1, 4096, 4096) and named["fc7/weights"][0, 0, 7, 2] == 7
    assert checkpoints._vgg_names("predictions", [kernel, bias]) == {}


def test_keras_mobilenet_initialises_lite_with_the_first_kernel_turned_to_bgr(lite, tmp_path):
    model = keras.applications.MobileNet(weights=None, input_shape=(224, 224, 3))
    generator = np.random.default_rng(4)
    for weight in model.weights:
        weight.assign(generator.random(tuple(weight.shape), np.float32))
    model.save_weights(tmp_path / "mobilenet.weights.h5")
    assert checkpoints.load_imagenet(lite, "osmn/seg", tmp_path / "mobilenet.weights.h5") == []
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
        checkpoints.load_imagenet(lite, "osmn/seg", path)
    check_error(error, path)
    path.write_text("a web page")
    with pytest.raises(InputError) as error:
        checkpoints.load_imagenet(lite, "osmn/seg", path)
    check_error(error, path)


def test_the_word_imagenet_stands_for_the_weights_of_keras(lite, monkeypatch):
    model = keras.applications.MobileNet(weights=None, input_shape=(224, 224, 3))
    asked = []
    monkeypatch.setattr(keras.applications, "MobileNet", lambda **options: asked.append(options["weights"]) or model)
    assert checkpoints.load_imagenet(lite, "osmn/seg", "imagenet") == []
    assert asked == ["imagenet"]
    kernel = model.get_layer("conv_pw_5").get_weights()[0]
    np.testing.assert_array_equal(lite.tf1_variables()["osmn/seg/Conv2d_5_pointwise/weights"], kernel)


def test_a_download_that_fails_gives_one_line(osvos, monkeypatch):
    def fail(**_):
        raise Exception("URL fetch failure on https://\nno network")

    monkeypatch.setattr(keras.applications, "VGG16", fail)
    with pytest.raises(InputError) as error:
        checkpoints.load_imagenet(osvos, "osmn/seg", "imagenet")
    check_error(error, "download", "no network", "README")


# Checkpoints of a training run


def test_the_newest_checkpoints_are_kept_and_nothing_else_is_left(tmp_path):
    (tmp_path / ".writing-killed").mkdir()
    (tmp_path / ".writing-killed" / "osmn.ckpt-8.data-00000-of-00001").write_bytes(b"half")
    (tmp_path / "osmn.ckpt-7.data-00000-of-00001").write_bytes(b"of a checkpoint half deleted")
    (tmp_path / "events.out").write_bytes(b"TensorBoard's")
    for step in (8, 9, 10, 11):
        checkpoints.save_training_checkpoint(tmp_path, step, {"global_step": np.int64(step)}, max_to_keep=2)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "events.out",
        "osmn.ckpt-10.data-00000-of-00001",
        "osmn.ckpt-10.index",
        "osmn.ckpt-11.data-00000-of-00001",
        "osmn.ckpt-11.index",
    ]
    assert checkpoints.CheckpointReader(tmp_path).read("global_step") == 11
    checkpoints.delete_checkpoints(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["events.out"]


def test_a_run_killed_while_writing_leaves_no_checkpoint(tmp_path, monkeypatch):
    checkpoints.save_training_checkpoint(tmp_path, 1, {"global_step": np.int64(1)}, max_to_keep=2)
    replace, replaced = os.replace, []

    def killed(source, destination):
        if replaced:
            raise KeyboardInterrupt
        replaced.append(destination)
        replace(source, destination)

    monkeypatch.setattr(os, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        checkpoints.save_training_checkpoint(tmp_path, 2, {"global_step": np.int64(2)}, max_to_keep=2)
    assert checkpoints.newest_checkpoint(tmp_path) == tmp_path / "osmn.ckpt-1"
    monkeypatch.undo()
    checkpoints.save_training_checkpoint(tmp_path, 2, {"global_step": np.int64(2)}, max_to_keep=2)
    assert checkpoints.CheckpointReader(tmp_path).read("global_step") == 2


def test_a_restored_trainer_has_the_saved_state_and_takes_the_same_next_step(tmp_path):
    options = LITE._replace(visual_modulator=False)
    batch = Sample(*map(tf.constant, goldens.inputs("lite", seed=1, height=32, width=32)))
    rate = tf.constant(1e-4)
    trainer = Trainer(networks.build(options, seed=0))
    trainer.train_step(batch, rate)
    trainer.save(tmp_path, max_to_keep=2)
    saved = {name: variable.numpy() for name, variable in trainer.state().items()}

    other = Trainer(networks.build(options, seed=1))
    other.restore(checkpoints.find_checkpoint(tmp_path))
    assert checkpoints.find_checkpoint(tmp_path).name == "osmn.ckpt-1" and int(other.step) == 1
    assert set(other.state()) == set(saved)
    for name, variable in other.state().items():
        np.testing.assert_array_equal(variable, saved[name], err_msg=name)
    for one in (trainer, other):
        one.train_step(batch, rate)
    for name, variable in other.state().items():
        np.testing.assert_allclose(variable, trainer.state()[name], rtol=1e-5, atol=1e-6, err_msg=name)
    assert any(np.any(variable.numpy() != saved[name]) for name, variable in other.state().items())


def test_a_training_checkpoint_is_a_whole_model_and_a_model_is_no_training_checkpoint(tmp_path):
    options = LITE._replace(visual_modulator=False)
    trainer = Trainer(networks.build(options, seed=0))
    trainer.save(tmp_path, max_to_keep=1)
    network = networks.build(options, seed=1)
    assert checkpoints.load_model(network, tmp_path) == []
    check_values(network, checkpoints.model_values(trainer.network))

    checkpoints.write_variables(tmp_path / "model", checkpoints.model_values(network))
    with pytest.raises(InputError, match=r"model does not fit this network: lacks .*/Adam") as error:
        trainer.restore(tmp_path / "model")
    check_error(error)
