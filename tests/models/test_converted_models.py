"""Models that are converted for OpenVINO once: named by their content, whole or not there, bounded, never needed."""

import logging
import os
import shutil
import subprocess
import sys
import time

import numpy as np
import pytest

from helpers import ROOT, zero_networks
from osmn.config import ModelConfig
from osmn.errors import InputError
from osmn.models import checkpoints, compiled_models, converted_models, export, openvino_model, stored_weights

openvino = pytest.importorskip("openvino", reason="pip install -r requirements-engines.txt")
LITE = ModelConfig("lite", no_visual_modulator=True, mean_value=(127.5, 120.5, 110.5), scale_value=0.00787)
pytestmark = pytest.mark.usefixtures("devices_stay")


def save(folder, value=0.1, v1=True):
    """Write a small model in TensorFlow's first format, which is converted as the VGG networks are."""
    network = zero_networks.build(LITE)
    for name, variable in network.tf1_variables().items():
        variable.assign(np.full(variable.shape, value if name.endswith("weights") else 1, np.float32))
    path = folder / "model.ckpt-1"
    checkpoints.write_variables(path, checkpoints.model_values(network), LITE, v1)
    return path


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return save(tmp_path_factory.mktemp("model"))


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("OSMN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(compiled_models, "LARGEST", 0)  # Nothing compiled is kept beside what is converted.
    return tmp_path / "cache"


@pytest.fixture(scope="module")
def convert():
    """Return the function that converts a model, which converts the same content once: it takes ten seconds."""
    real, made = converted_models._convert, {}

    def once(path, config):
        key = *(part.read_bytes() for part in sorted(path.parent.glob(f"{path.name}*"))), config
        if key not in made:
            made[key] = real(path, config)
        return made[key]

    return once


@pytest.fixture
def conversions(monkeypatch, convert):
    """Return a list that gets the path of each model that is converted."""
    found = []
    monkeypatch.setattr(converted_models, "_convert", lambda path, config: found.append(path) or convert(path, config))
    return found


def probabilities(path):
    engine = openvino_model.load(path, precision="float32").start_engine()
    frame, masks = np.zeros((32, 32, 3), np.uint8), np.ones((1, 32, 32), bool)
    return engine.segment(frame, masks, [])[0]


def content(cache):
    return {path: path.stat().st_mtime_ns for path in cache.rglob("*") if path.is_file()}


def test_a_model_is_converted_once_and_never_written_again(model, cache, conversions):
    first = probabilities(model)
    files = content(cache)
    assert sorted({path.name for path in files}) == ["frame.bin", "frame.xml", "model.json"]
    np.testing.assert_array_equal(probabilities(model), first)
    assert conversions == [model]
    assert content(cache) == files


def test_new_weights_in_the_same_place_are_another_model(tmp_path, cache, conversions):
    path = save(tmp_path, 0.1)
    old = probabilities(path)
    save(tmp_path, 0.02)
    assert not np.allclose(probabilities(path), old)
    assert len(conversions) == 2
    assert len(list(cache.iterdir())) == 2


def test_the_same_weights_elsewhere_are_the_same_model(model, tmp_path, cache, conversions):
    probabilities(model)
    (tmp_path / "copy").mkdir()
    for part in model.parent.iterdir():
        shutil.copy(part, tmp_path / "copy")
    probabilities(tmp_path / "copy" / model.name)
    assert len(conversions) == 1


def test_a_damaged_entry_is_made_again(model, cache, conversions, caplog):
    wanted = probabilities(model)
    (path,) = cache.glob("*/model/frame.bin")
    damaged = bytearray(path.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    path.write_bytes(damaged)
    np.testing.assert_array_equal(probabilities(model), wanted)
    assert len(conversions) == 2
    assert "is damaged; making it again" in caplog.text
    probabilities(model)
    assert len(conversions) == 2


def test_two_processes_at_once_keep_one_whole_entry(model, cache):
    code = "from osmn.models import openvino_model; import sys\n"
    code += "openvino_model.load(sys.argv[1]).start_engine(); print('tensorflow' in sys.modules)"
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", code, str(model)]
    running = [subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = sorted(process.communicate()[0].strip() for process in running)
    assert [process.returncode for process in running] == [0, 0]
    assert said[-1] == "True"  # The other may have waited, and then found what the first has made.
    assert sorted(path.name for path in content(cache)) == ["frame.bin", "frame.xml", "model.json"]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_on_a_full_disk_a_line_says_so_and_the_model_runs(model, cache, conversions, caplog, monkeypatch):
    import openvino

    def full(model, path, **options):
        path.write_bytes(b"part")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(openvino, "save_model", full)
    assert probabilities(model).shape == (1, 32, 32)
    (warning,) = (record.getMessage() for record in caplog.records if record.levelno == logging.WARNING)
    assert warning.startswith("the converted model is not kept: ") and "No space left on device" in warning
    assert not content(cache)


def test_a_write_that_fails_without_a_word_leaves_no_entry(model, conversions, cache, caplog, monkeypatch):
    import openvino

    save_model = openvino.save_model

    def cut_short(model, path, **options):
        save_model(model, path, **options)
        os.truncate(path.with_suffix(".bin"), 1000)

    monkeypatch.setattr(openvino, "save_model", cut_short)
    assert probabilities(model).shape == (1, 32, 32)
    assert "the converted model is not kept" in caplog.text
    assert not content(cache)


def test_where_the_cache_cannot_be_a_line_says_so_and_the_model_runs(model, conversions, tmp_path, monkeypatch, caplog):
    (tmp_path / "file").touch()
    monkeypatch.setenv("OSMN_CACHE", str(tmp_path / "file"))
    assert probabilities(model).shape == (1, 32, 32)
    assert "the converted model is not kept" in caplog.text


def test_models_used_longest_ago_go_where_all_take_too_much(model, cache, conversions):
    now = time.time()
    for number, name in enumerate(("oldest", "older", "newer")):
        (cache / name / "model").mkdir(parents=True)
        (cache / name / "model/frame.bin").write_bytes(bytes(1000))
        os.utime(cache / name, (now - 100 + number,) * 2)
    fingerprint = openvino_model.load(model).fingerprint
    converted_models.graphs(model, LITE, fingerprint)
    (own,) = {path.name for path in cache.iterdir()} - {"oldest", "older", "newer"}
    size = sum(path.stat().st_size for path in (cache / own / "model").iterdir())
    shutil.rmtree(cache / own)
    converted_models.graphs(model, LITE, fingerprint, limit=size + 1500)
    assert {path.name for path in cache.iterdir()} == {own, "newer"}
    shutil.rmtree(cache / own)
    converted_models.graphs(model, LITE, fingerprint, limit=1)  # The model that is in use stays.
    assert {path.name for path in cache.iterdir()} == {own}


def test_a_model_that_is_used_counts_as_new(model, cache, conversions):
    probabilities(model)
    (entry,) = cache.iterdir()
    os.utime(entry, (0, 0))
    probabilities(model)
    assert entry.stat().st_mtime > time.time() - 600


def test_a_model_that_is_damaged_is_named_and_nothing_is_kept(model, tmp_path, cache):
    path = tmp_path / model.name
    shutil.copy(f"{model}.json", f"{path}.json")
    path.write_bytes(model.read_bytes()[:-2000])
    with pytest.raises(InputError, match="is damaged or not a TensorFlow checkpoint"):
        openvino_model.load(path).start_engine()
    assert not content(cache)


def test_without_tensorflow_a_model_to_convert_is_one_line(model, cache):
    code = "import sys; sys.modules['tensorflow'] = None\n"
    code += "from osmn import Predictor; from osmn.errors import InputError\n"
    code += f"try: Predictor.from_checkpoint({str(model)!r})\nexcept InputError as error: print(error)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    wanted = "once, and this needs tensorflow, which is not installed; pip install -r requirements.txt"
    assert done.stdout.strip() == f"{model} is converted for OpenVINO {wanted}"


@pytest.mark.parametrize(
    ("platform", "environment", "folder"),
    [
        ("linux", {}, "home/.cache/osmn/openvino"),
        ("linux", {"XDG_CACHE_HOME": "/cache"}, "/cache/osmn/openvino"),
        ("darwin", {}, "home/Library/Caches/osmn/openvino"),
        ("win32", {"LOCALAPPDATA": "/local"}, "/local/osmn/openvino"),
        ("linux", {"OSMN_CACHE": "/mine"}, "/mine"),
    ],
)
def test_the_cache_is_in_the_users_cache_folder(platform, environment, folder, tmp_path, monkeypatch):
    for name in ("OSMN_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in ({"HOME": str(tmp_path / "home")} | environment).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "platform", platform)
    assert converted_models.folder() == tmp_path / folder


def test_a_fingerprint_is_that_of_the_checkpoint(model):
    assert openvino_model.load(model).fingerprint == stored_weights.fingerprint(model)


def test_large_weights_are_constants_of_the_graph_in_the_order_that_openvino_convolves_in():
    network = zero_networks.build(ModelConfig("osvos", no_visual_modulator=True))
    zero_networks.randomize(network, {"biases": 0.1, "beta": 0.3})
    graphs = export.Graphs(network)
    assert len(graphs.large_weights("frame")) == 6
    model = export.openvino_model(graphs, "frame")
    assert {each.any_name for each in model.inputs} == {"image", "spatial_guide"}
    convolutions = [each for each in model.get_ops() if each.get_type_name() == "Convolution"]
    assert len(convolutions) >= 13
    assert {each.input_value(1).get_node().get_type_name() for each in convolutions} == {"Constant"}
    rng = np.random.default_rng(0)
    image, guide = rng.standard_normal((1, 48, 64, 3), np.float32), rng.random((1, 48, 64, 1), np.float32)
    compiled = openvino.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    found = compiled({"image": image, "spatial_guide": guide})[0]
    wanted = graphs.functions["frame"](image, guide)["probabilities"].numpy()
    assert wanted.std() > 0.01
    np.testing.assert_allclose(found, wanted, atol=1e-4)
