"""`osmn_export.py`: a trained model as one to ship."""

import dataclasses
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

import osmn_export
from helpers import ROOT, zero_networks
from helpers.checkpoint_files import OPTIMIZER_STATE, check_values, random_values, without
from osmn.config import ModelConfig, config_path, read_config
from osmn.models import checkpoints, stored_weights, tensorflow_model

CONFIG = ModelConfig("lite", no_visual_modulator=True, mean_value=(127.5, 127.5, 127.5), scale_value=0.00787)
OPTIONS = ["--base_model", "lite", "--no_visual_modulator", "--mean_value", *["127.5"] * 3, "--scale_value", "0.00787"]
pytestmark = pytest.mark.usefixtures("devices_stay")


@pytest.fixture(scope="module")
def values():
    return random_values(zero_networks.build(CONFIG))


@pytest.fixture
def trained(values, tmp_path):
    """Return the folder of a training's checkpoint, with the optimizer's state and without a configuration."""
    checkpoints.write_variables(tmp_path / "trained" / "osmn.ckpt-3", values | OPTIMIZER_STATE)
    return tmp_path / "trained"


def export(model, output, *options):
    osmn_export.main(["--whole_model_path", str(model), "--output", str(output), *options])


@pytest.mark.parametrize("v1", [False, True])
@pytest.mark.parametrize("base_model", ["osvos", "lite"])
def test_export_and_import_give_identical_variables(tmp_path, capsys, base_model, v1):
    config = ModelConfig(base_model, no_visual_modulator=True)
    network = zero_networks.build(config)
    values = random_values(network)
    checkpoints.write_variables(tmp_path / "trained" / "osmn.ckpt-3", values | OPTIMIZER_STATE)
    exported = tmp_path / "new" / "model.ckpt"
    export(tmp_path / "trained", exported, "--base_model", base_model, "--no_visual_modulator", *["--v1"] * v1)
    assert capsys.readouterr().out == f"{exported}: {len(values)} variables\n"
    assert exported.is_file() == v1

    reader = tf.train.load_checkpoint(str(exported))
    assert set(reader.get_variable_to_shape_map()) == set(values)  # No optimizer's state, and the constants.
    for name, value in values.items():
        np.testing.assert_array_equal(reader.get_tensor(name), value, err_msg=name)
    assert checkpoints.load_weights(network, exported) == []
    check_values(network, values)


def test_half_precision_halves_the_file_and_rounds_the_weights(trained, values, tmp_path):
    whole, half = tmp_path / "whole", tmp_path / "half"
    export(trained, whole, *OPTIONS)
    export(trained, half, *OPTIONS, "--half")
    sizes = [sum(part.stat().st_size for part in tmp_path.glob(f"{path.name}.*")) for path in (whole, half)]
    assert sizes[1] < 0.55 * sizes[0]
    assert checkpoints.CheckpointReader(half).read("osmn/score/weights").dtype == np.float32
    network = tensorflow_model.load(half, precision="float32").network
    check_values(network, {name: value.astype(np.float16) for name, value in values.items()})


def test_a_single_file_in_half_precision_is_refused(trained, tmp_path, capsys):
    with pytest.raises(SystemExit) as stopped:
        export(trained, tmp_path / "model", *OPTIONS, "--half", "--v1")
    assert stopped.value.code == 2
    assert re.fullmatch(r"error: --v1 and --half: .*; leave one out\n", capsys.readouterr().err)
    assert not list(tmp_path.glob("model*"))


def test_of_a_training_with_an_average_of_the_weights_the_average_is_exported(trained, values, tmp_path):
    network = zero_networks.build(CONFIG)
    average = random_values(network, seed=1)
    averages = {stored_weights.average_name(name): average[name] for name in network.tf1_variables()}
    checkpoints.write_variables(trained / "osmn.ckpt-4", values | averages | OPTIMIZER_STATE)
    export(trained, tmp_path / "model", *OPTIONS)
    reader = checkpoints.CheckpointReader(tmp_path / "model")
    assert set(reader.shapes) == set(average)  # Plain names alone.
    for name, value in average.items():
        np.testing.assert_array_equal(reader.read(name), value, err_msg=name)


@pytest.mark.parametrize("options", [[], ["--v1"], ["--half"]], ids=str)
def test_an_exported_model_says_what_it_is_and_needs_no_options(trained, values, tmp_path, options):
    export(trained, tmp_path / "once" / "model", *OPTIONS, *options)
    assert read_config(tmp_path / "once" / "model") == CONFIG
    model = tensorflow_model.load(tmp_path / "once" / "model", precision="float32")
    assert model.network.config == CONFIG
    export(tmp_path / "once" / "model", tmp_path / "twice" / "model", *options)
    assert read_config(tmp_path / "twice" / "model") == CONFIG
    reader = checkpoints.CheckpointReader(tmp_path / "twice" / "model")
    check_values(model.network, {name: reader.read(name) for name in values})


def test_the_configuration_beside_a_model_goes_with_it_and_may_not_be_contradicted(values, tmp_path, capsys):
    checkpoints.write_variables(tmp_path / "model", values, CONFIG)
    export(tmp_path / "model", tmp_path / "exported")
    assert read_config(tmp_path / "exported") == CONFIG
    with pytest.raises(SystemExit) as stopped:
        export(tmp_path / "model", tmp_path / "other", "--scale_value", "1")
    assert stopped.value.code == 2
    assert "--scale_value 1.0 contradicts" in capsys.readouterr().err
    assert not list(tmp_path.glob("other*"))


def lacks_variables(path, values):
    checkpoints.write_variables(path, without(values, "osmn/score/biases"))
    return "lacks osmn/score/biases"


def is_damaged(path, values):
    path.write_bytes(np.random.default_rng(0).bytes(1000))
    return "not a TensorFlow checkpoint"


def has_a_damaged_configuration(path, values):
    checkpoints.write_variables(path, values)
    config_path(path).write_text("{")
    return "is not the configuration of a model"


def is_missing(path, values):
    return "does not exist"


@pytest.mark.parametrize("make", [lacks_variables, is_damaged, has_a_damaged_configuration, is_missing])
def test_a_model_that_cannot_be_used_gives_one_line_and_no_file(make, values, tmp_path, capsys):
    problem = make(tmp_path / "model", values)
    with pytest.raises(SystemExit) as stopped:
        export(tmp_path / "model", tmp_path / "exported", *OPTIONS)
    assert stopped.value.code == 2
    message = capsys.readouterr().err
    assert re.fullmatch(r"error: .*\n", message) and problem in message and str(tmp_path / "model") in message
    assert not list(tmp_path.glob("exported*"))


def test_the_script_runs_from_any_folder(tmp_path):
    result = subprocess.run(
        [sys.executable, ROOT / "osmn_export.py", "--whole_model_path", "none", "--output", "exported"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )
    assert result.returncode == 2
    assert "Traceback" not in result.stderr
    assert [line for line in result.stderr.splitlines() if line.startswith("error: ")] == [
        "error: none does not exist, neither as a file nor as a checkpoint prefix; see README, 'Weights'"
    ]


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def refused(capsys, model, output, *options):
    """Return the line by which an export is refused that must leave all files as they are."""
    folder = Path(model).parent
    before = contents(folder)
    with pytest.raises(SystemExit) as stopped:
        export(model, output, *options)
    assert stopped.value.code == 2
    assert contents(folder) == before
    return capsys.readouterr().err


@pytest.mark.parametrize("options", [[], ["--v1"], ["--half"]], ids=str)
@pytest.mark.parametrize("v1", [False, True])
def test_a_model_is_not_written_over_the_one_that_is_read(values, tmp_path, monkeypatch, capsys, v1, options):
    checkpoints.write_variables(tmp_path / "model", values, CONFIG, v1)
    for part in list(tmp_path.iterdir()):
        (tmp_path / f"link{part.name.removeprefix('model')}").symlink_to(part.name)
        (tmp_path / f"hard{part.name.removeprefix('model')}").hardlink_to(part)
    (tmp_path / "folder").mkdir()
    monkeypatch.chdir(tmp_path)
    spellings = ("model", "./model", "folder/../model", tmp_path / "model", "link", "hard")
    for output in spellings:
        assert "is read; give another place" in refused(capsys, tmp_path / "model", output, *options)
    checkpoints.write_variables(tmp_path / "other", values, CONFIG)
    read = ["--average_with", str(tmp_path / "model")]
    assert "is read; give another place" in refused(capsys, tmp_path / "other", "model", *options, *read)


@pytest.mark.parametrize("options", [[], ["--v1"]], ids=str)
@pytest.mark.parametrize("v1", [False, True])
def test_a_model_over_an_older_one_leaves_nothing_of_it(values, tmp_path, v1, options):
    """Of either format, even of one of several parts."""
    checkpoints.write_variables(tmp_path / "model", values, CONFIG)
    (tmp_path / "out").mkdir()
    checkpoints.write_variables(tmp_path / "out" / "new", {"x": np.float32(1)}, ModelConfig(), v1)
    (tmp_path / "out" / "new.data-00001-of-00002").write_bytes(b"")
    (tmp_path / "out" / "new.meta").write_bytes(b"")
    (tmp_path / "out" / "new.txt").write_text("notes")
    export(tmp_path / "model", tmp_path / "out" / "new", *options)
    parts = {"new", "new.json"} if options else {"new.index", "new.data-00000-of-00001", "new.json"}
    assert set(contents(tmp_path / "out")) == parts | {"new.txt"}
    model = tensorflow_model.load(tmp_path / "out" / "new", precision="float32")
    check_values(model.network, values)
    assert len(model.fingerprint) == 64


@pytest.mark.parametrize(
    "output",
    [".", "..", "folder", "folder/..", ".hidden", "model.index", "x.data-00000-of-00001", "x.json", "user", "my"],
)
@pytest.mark.parametrize("options", [[], ["--v1"]], ids=str)
def test_an_output_that_is_no_prefix_of_a_model_is_refused(values, tmp_path, monkeypatch, capsys, output, options):
    checkpoints.write_variables(tmp_path / "model", values, CONFIG)
    (tmp_path / "folder").mkdir()
    (tmp_path / "user").write_text("somebody's")
    (tmp_path / "my.json").write_text("{}")
    monkeypatch.chdir(tmp_path)
    assert re.fullmatch(r"error: .* give .*\n", refused(capsys, tmp_path / "model", output, *options))


@pytest.mark.parametrize("options", [[], ["--v1"]], ids=str)
@pytest.mark.parametrize("name", ["[b]m", "a*", "what?", "back\\slash", "not \udcff utf-8", "[/m", "new\nline"])
def test_a_models_name_may_have_any_character(values, tmp_path, name, options):
    """Such as those of a pattern, and those that TensorFlow takes for one."""
    checkpoints.write_variables(tmp_path / "model", values, CONFIG)
    (tmp_path / "ax").write_text("what the pattern would find")
    export(tmp_path / "model", tmp_path / name, *options)
    export(tmp_path / name, tmp_path / "back", *options)
    model = tensorflow_model.load(tmp_path / name, precision="float32")
    check_values(model.network, values)
    assert tensorflow_model.load(tmp_path / "back", precision="float32").fingerprint == model.fingerprint


def test_a_folder_that_is_not_in_utf_8_is_refused(values, tmp_path, capsys):
    checkpoints.write_variables(tmp_path / "model", values, CONFIG)
    for options in ([], ["--format", "saved_model"]):
        line = refused(capsys, tmp_path / "model", tmp_path / "a \udcff" / "model", *options)
        assert "cannot be written (its path is not in UTF-8, as TensorFlow wants it)" in line


@pytest.mark.parametrize("others", ["b", "bc"])
def test_models_are_averaged_and_networks_that_differ_are_refused(values, tmp_path, capsys, others):
    for number, name in enumerate("abc"):
        config = dataclasses.replace(CONFIG, bias_shift=-1.0 * number)
        content = {variable: value + number for variable, value in values.items()}
        checkpoints.write_variables(tmp_path / name, content, config)
    read = [str(tmp_path / name) for name in others]
    export(tmp_path / "a", tmp_path / "mean", "--average_with", *read)
    reader, mean = tf.train.load_checkpoint(str(tmp_path / "mean")), len(others) / 2
    for name, value in values.items():
        np.testing.assert_allclose(reader.get_tensor(name), value + mean, rtol=1e-6, err_msg=name)
    assert read_config(tmp_path / "mean").bias_shift == -mean

    other = {name: value + 1 for name, value in values.items()}
    checkpoints.write_variables(tmp_path / "b", other, dataclasses.replace(CONFIG, scale_value=1.0))
    with pytest.raises(SystemExit):
        export(tmp_path / "a", tmp_path / "none", "--average_with", *read)
    assert "of different networks or inputs" in capsys.readouterr().err
    assert not (tmp_path / "none.index").exists()
