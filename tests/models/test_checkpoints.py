"""Checkpoints: those of the published program and our own, damaged ones, and those of a training run."""

import dataclasses
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

from helpers import goldens, zero_networks
from helpers.checkpoint_files import (
    OPTIMIZER_STATE,
    check_error,
    check_values,
    random_values,
    save_in_tf1,
    truncate,
    without,
)
from osmn import networks
from osmn.config import ModelConfig, read_config
from osmn.errors import InputError
from osmn.inputs.samples import Sample
from osmn.models import checkpoint_files, checkpoints, stored_weights
from osmn.training.trainer import Trainer

LITE = ModelConfig("lite", mean_value=(127.5, 127.5, 127.5), scale_value=0.00787)
SMALL_LITE = dataclasses.replace(LITE, no_visual_modulator=True)
pytestmark = pytest.mark.usefixtures("forget")


@pytest.fixture(scope="module")
def lite():
    return zero_networks.build(LITE)


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


def copy_bundle(prefix, folder):
    """Copy a bundle's two files; return the new prefix."""
    for part in prefix.parent.glob(f"{prefix.name}.*"):
        (folder / part.name).write_bytes(part.read_bytes())
    return folder / prefix.name


# Whole models of the published program


@pytest.mark.parametrize("version", [tf.compat.v1.train.SaverDef.V1, tf.compat.v1.train.SaverDef.V2], ids=["v1", "v2"])
def test_a_model_saved_by_tf1_loads_whatever_its_optimizer_left_in_it(lite, lite_values, tmp_path, version):
    save_in_tf1(tmp_path / "osmn.ckpt-200000", lite_values | OPTIMIZER_STATE, version)
    assert (tmp_path / "osmn.ckpt-200000").is_file() == (version == tf.compat.v1.train.SaverDef.V1)
    assert checkpoints.load_weights(lite, tmp_path / "osmn.ckpt-200000") == []
    check_values(lite, lite_values)


def test_variables_that_the_network_has_no_use_for_are_named(lite, lite_values, tmp_path):
    more = {"osmn/modulator/fc9/weights": np.zeros(2, np.float32), "an/Adam_like/name": np.zeros(1, np.float32)}
    checkpoints.write_variables(tmp_path / "model", lite_values | OPTIMIZER_STATE | more)
    assert checkpoints.load_weights(lite, tmp_path / "model") == sorted(more)


def test_any_file_of_a_bundle_names_it(model):
    for suffix in ("", ".index", ".data-00000-of-00001"):
        assert checkpoint_files.find_checkpoint(f"{model.bundle}{suffix}") == model.bundle


def test_a_folder_means_its_newest_checkpoint_by_number(tmp_path):
    values = {"x": np.float32(1)}
    for name in ("osmn.ckpt-9", "osmn.ckpt-10", "osmn.ckpt-best", "another.ckpt-11"):
        checkpoints.write_variables(tmp_path / name, values)
    (tmp_path / "osmn.ckpt-12.data-00000-of-00001").write_bytes(b"")  # A killed run's: it has no index.
    assert checkpoint_files.find_checkpoint(tmp_path) == tmp_path / "osmn.ckpt-10"
    assert checkpoint_files.list_checkpoints(tmp_path) == [tmp_path / "osmn.ckpt-9", tmp_path / "osmn.ckpt-10"]


# Files that do not fit or are damaged


def missing_variable(folder, model):
    values = model.values
    checkpoints.write_variables(folder / "model", without(values, "osmn/score/biases", "osmn/conv5_16/weights"))
    return folder / "model", ("lacks osmn/conv5_16/weights, osmn/score/biases", "base_model")


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
def test_a_file_that_cannot_be_used_gives_one_line_that_names_it(make, lite, model, tmp_path):
    path, words = make(tmp_path, model)
    with pytest.raises(InputError) as error:
        checkpoints.load_weights(lite, path)
    check_error(error, path, *words)


def test_many_missing_variables_are_counted(lite, tmp_path):
    checkpoints.write_variables(tmp_path / "model", {"x": np.float32(1)})
    with pytest.raises(InputError, match=r"lacks .* and 302 more \(check base_model") as error:
        checkpoints.load_weights(lite, tmp_path / "model")
    check_error(error)
    assert len(str(error.value)) < 1000


def test_upsampling_kernels_other_than_the_bilinear_ones_are_refused(osvos, tmp_path):
    values = random_values(osvos)
    name = "osmn/seg/score-multi3-up/weights"
    checkpoints.write_variables(tmp_path / "model", values | {name: values[name] * 1.01})
    with pytest.raises(InputError) as error:
        checkpoints.load_weights(osvos, tmp_path / "model")
    check_error(error, tmp_path / "model", name, "bilinear")

    checkpoints.write_variables(tmp_path / "model", without(values, name))
    with pytest.raises(InputError, match=f"lacks {name}"):
        checkpoints.load_weights(osvos, tmp_path / "model")


# Writing models


@pytest.mark.parametrize("v1", [False, True])
def test_a_written_model_has_its_configuration_beside_it(tmp_path, v1):
    checkpoints.write_variables(tmp_path / "model", {"x": np.float32(1)}, LITE, v1)
    assert read_config(tmp_path / "model") == LITE
    assert checkpoints.CheckpointReader(tmp_path / "model").read("x") == 1


def test_a_model_without_a_configuration_does_not_keep_that_of_the_one_it_replaces(tmp_path):
    checkpoints.write_variables(tmp_path / "model", {"x": np.float32(1)}, LITE)
    checkpoints.write_variables(tmp_path / "model", {"x": np.float32(2)})
    assert read_config(tmp_path / "model") is None
    assert checkpoints.CheckpointReader(tmp_path / "model").read("x") == 2


def test_half_precision_is_read_as_float32(tmp_path):
    values = {"x": np.float32([1 / 3, 1000.3, 0]), "y": np.float32(-2)}
    checkpoints.write_variables(tmp_path / "model", checkpoints.in_half_precision(values))
    reader = checkpoints.CheckpointReader(tmp_path / "model")
    for name, value in values.items():
        assert reader.read(name).dtype == np.float32
        np.testing.assert_array_equal(reader.read(name), value.astype(np.float16))


def test_values_beyond_half_precision_are_refused():
    values = {"small": np.float32([1, 65504]), "large": np.float32([1, 70000])}
    with pytest.raises(InputError) as error:
        checkpoints.in_half_precision(values)
    check_error(error, "large: beyond the range of half precision; leave out --half")


@pytest.mark.parametrize("v1", [False, True])
def test_a_fingerprint_is_of_the_weights_alone_wherever_they_are(tmp_path, v1):
    def fingerprint(name, value, config):
        checkpoints.write_variables(tmp_path / name, {"x": np.float32(value)}, config, v1)
        return stored_weights.fingerprint(tmp_path / name)

    first = fingerprint("a", 1, LITE)
    assert len(first) == 64
    assert fingerprint("somewhere/else", 1, None) == first
    assert fingerprint("b", 2, LITE) != first


def test_tf1_restores_what_is_written(lite, lite_values, tmp_path):
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


# Checkpoints of a training run


def save(folder, step, max_to_keep=2):
    checkpoints.save_training_checkpoint(folder, step, {"global_step": np.int64(step)}, LITE, max_to_keep)


def files_of(*steps):
    return {f"osmn.ckpt-{step}{end}" for step in steps for end in (".data-00000-of-00001", ".index", ".json")}


def names_in(folder):
    return {path.name for path in folder.iterdir()}


def test_the_newest_checkpoints_are_kept_and_nothing_else_is_left(tmp_path):
    (tmp_path / ".osmn-writing-0123456789abcdef.folder").mkdir()
    (tmp_path / ".osmn-writing-0123456789abcdef.folder" / "osmn.ckpt-8.data-00000-of-00001").write_bytes(b"half")
    (tmp_path / "osmn.ckpt-7.data-00000-of-00001").write_bytes(b"of a checkpoint half deleted")
    (tmp_path / "osmn.ckpt-6.json").write_text("of another")
    (tmp_path / "events.out").write_bytes(b"TensorBoard's")
    for step in (8, 9, 10, 11):
        save(tmp_path, step)
    assert names_in(tmp_path) == files_of(10, 11) | {"events.out"}
    assert checkpoints.CheckpointReader(tmp_path).read("global_step") == 11
    assert read_config(checkpoint_files.find_checkpoint(tmp_path)) == LITE
    checkpoints.delete_checkpoints(tmp_path)
    assert names_in(tmp_path) == {"events.out"}


def test_a_single_file_and_its_configuration_are_no_leftovers(tmp_path):
    checkpoints.write_variables(tmp_path / "osmn.ckpt-200000", {"x": np.float32(1)}, LITE, v1=True)
    save(tmp_path, 1)
    assert names_in(tmp_path) == files_of(1) | {"osmn.ckpt-200000", "osmn.ckpt-200000.json"}


@pytest.mark.parametrize("files_before", [0, 1, 2])
def test_a_run_killed_while_writing_leaves_no_checkpoint(tmp_path, monkeypatch, files_before):
    save(tmp_path, 1)
    replace, replaced = os.replace, []

    def killed(source, destination):
        if len(replaced) == files_before:
            raise KeyboardInterrupt
        replaced.append(destination)
        replace(source, destination)

    monkeypatch.setattr(os, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        save(tmp_path, 2)
    assert checkpoint_files.newest_checkpoint(tmp_path) == tmp_path / "osmn.ckpt-1"
    monkeypatch.undo()
    save(tmp_path, 3)
    assert names_in(tmp_path) == files_of(1, 3)
    assert checkpoints.CheckpointReader(tmp_path).read("global_step") == 3


def test_a_restored_trainer_has_the_saved_state_and_takes_the_same_next_step(tmp_path):
    batch = Sample(*map(tf.constant, goldens.inputs("lite", seed=1, height=32, width=32)))
    rate = tf.constant(1e-4)
    trainer = Trainer(networks.build(SMALL_LITE, seed=0))
    trainer.train_step(batch, rate)
    trainer.save(tmp_path, max_to_keep=2)
    saved = {name: variable.numpy() for name, variable in trainer.state().items()}

    other = Trainer(networks.build(SMALL_LITE, seed=1))
    other.restore(checkpoint_files.find_checkpoint(tmp_path))
    assert checkpoint_files.find_checkpoint(tmp_path).name == "osmn.ckpt-1" and int(other.step) == 1
    assert set(other.state()) == set(saved)
    for name, variable in other.state().items():
        np.testing.assert_array_equal(variable, saved[name], err_msg=name)
    for one in (trainer, other):
        one.train_step(batch, rate)
    for name, variable in other.state().items():
        np.testing.assert_allclose(variable, trainer.state()[name], rtol=1e-5, atol=1e-6, err_msg=name)
    assert any(np.any(variable.numpy() != saved[name]) for name, variable in other.state().items())


def test_a_training_checkpoint_is_a_whole_model_and_a_model_is_no_training_checkpoint(tmp_path):
    trainer = Trainer(networks.build(SMALL_LITE, seed=0))
    trainer.save(tmp_path, max_to_keep=1)
    network = networks.build(SMALL_LITE, seed=1)
    assert checkpoints.load_weights(network, tmp_path) == []
    check_values(network, checkpoints.model_values(trainer.network))

    checkpoints.write_variables(tmp_path / "model", checkpoints.model_values(network))
    with pytest.raises(InputError, match=r"model does not fit this network: lacks .*/Adam") as error:
        trainer.restore(tmp_path / "model")
    check_error(error)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_weights_that_are_not_finite_are_refused_and_named(lite, lite_values, tmp_path, value):
    name = "osmn/seg/Conv2d_0/weights"
    broken = lite_values[name].copy()
    broken.flat[7] = value
    checkpoints.write_variables(tmp_path / "model", lite_values | {name: broken})
    with pytest.raises(InputError) as error:
        checkpoints.load_weights(lite, tmp_path / "model")
    check_error(error, tmp_path / "model", f"{name} holds numbers that are not finite")


def test_a_variable_of_text_is_refused_and_named(tmp_path):
    checkpoints.write_variables(tmp_path / "model", {"x": np.array(b"text")})
    with pytest.raises(InputError, match="x holds no numbers"):
        checkpoints.CheckpointReader(tmp_path / "model").read("x")


@pytest.mark.parametrize("v1", [False, True])
def test_a_checkpoint_for_which_there_is_no_room_is_one_line_and_the_older_one_stays(tmp_path, v1):
    checkpoints.write_variables(tmp_path / "model", {"x": np.float32(1)}, v1=v1)
    code = "import resource, sys, numpy as np; from pathlib import Path; from osmn.models import checkpoints\n"
    code += "from osmn.errors import InputError\n"
    code += "resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000))  # as if the disk were full\n"
    code += "try: checkpoints.write_variables(Path(sys.argv[1]), {'x': np.zeros(100000)}, v1=sys.argv[2] == 'True')\n"
    code += "except InputError as error: print(error)\n"
    done = subprocess.run([sys.executable, "-c", code, tmp_path / "model", str(v1)], capture_output=True, text=True)
    (line,) = done.stdout.splitlines()
    assert line.startswith(f"{tmp_path / 'model'} cannot be written (")
    assert checkpoints.CheckpointReader(tmp_path / "model").read("x") == 1
    assert not list(tmp_path.glob(".*"))
