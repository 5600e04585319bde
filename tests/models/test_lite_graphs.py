"""`lite` built for OpenVINO: what it computes, and that own videos are segmented without TensorFlow."""

import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

import osmn_segment
from helpers import ROOT, zero_networks
from helpers.own_videos import SIZE, mask
from helpers.scripts import error, words
from osmn import Predictor
from osmn.config import ModelConfig
from osmn.errors import InputError
from osmn.files.images import read_labels
from osmn.inputs.guides import normalize
from osmn.inputs.guides_numpy import spatial_guide, visual_guide
from osmn.models import checkpoints, openvino_model, tensorflow_model
from osmn.models.engines import FRAME, lite
from osmn.results import manifest

pytest.importorskip("openvino", reason="pip install -r requirements-engines.txt")
LITE = {"mean_value": (127.5, 120.5, 110.5), "scale_value": 0.00787}
NO_TENSORFLOW = "import sys; sys.modules['tensorflow'] = sys.modules['keras'] = None; "
pytestmark = pytest.mark.usefixtures("devices_stay")


def save(folder, config, v1=False):
    """Write a `lite` with random weights."""
    network = zero_networks.build(config)
    zero_networks.randomize(network, {"beta": 0.3})
    path = folder / "model.ckpt-1"
    checkpoints.write_variables(path, checkpoints.model_values(network), config, v1)
    return path


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return save(tmp_path_factory.mktemp("whole"), ModelConfig("lite", **LITE))


@pytest.fixture(scope="module")
def network(whole):
    return tensorflow_model.load(whole, precision="float32").network


def scene(size, objects):
    """Return a frame of noise, uint8 (H, W, 3), and overlapping rectangles, bool (N, H, W)."""
    width, height = size
    masks = np.zeros((objects, height, width), bool)
    for number in range(objects):
        masks[number, height // 4 : height // 2, 5 * number : 5 * number + width // 3] = True
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8), masks


def by_openvino(path, frame, masks):
    """Return the objects' gammas, a list of lists, and their probabilities (N, H, W)."""
    engine = openvino_model.load(path, precision="float32").start_engine()
    each = [engine.gammas(frame, mask) for mask in masks]
    return each, engine.segment(frame, masks, [np.concatenate(layer) for layer in zip(*each, strict=True)])[0]


def by_network(network, frame, masks):
    """Return the same, by the network in TensorFlow."""
    config = network.config
    each = [network.gammas(visual_guide(frame, mask, config)[None]) for mask in masks]
    gammas = [tf.concat(layer, axis=0) for layer in zip(*each, strict=True)]
    image, guide = normalize(frame, config)[None], tf.constant(spatial_guide(masks, config))
    return each, tf.sigmoid(network.segment(image, guide, gammas)[..., 0]).numpy()


@pytest.mark.parametrize(("size", "objects"), [((96, 64), 1), ((75, 53), 3), ((131, 97), 1), ((64, 33), 2)])
def test_probabilities_and_gammas_are_tensorflows_at_any_size(whole, network, size, objects):
    gammas, found = by_openvino(whole, *scene(size, objects))
    true_gammas, wanted = by_network(network, *scene(size, objects))
    assert wanted.std() > 0.01
    np.testing.assert_allclose(found, wanted, atol=1e-4)
    for ours, theirs in zip(gammas, true_gammas, strict=True):
        for one, other in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(one, other, rtol=0, atol=1e-5 * np.abs(other).max())


@pytest.mark.parametrize(
    "switches",
    [
        {"no_visual_modulator": True},
        {"no_spatial_modulator": True},
        {"no_visual_modulator": True, "no_spatial_modulator": True},
        {"aligned_size": (128, 96)},
        {"aligned_size": (101, 77), "no_visual_modulator": True},
        {"use_original_mask": True, "bbox_sup": True},
    ],
)
def test_a_lite_of_any_configuration_gives_tensorflows_probabilities(switches, tmp_path):
    path = save(tmp_path, ModelConfig("lite", **LITE, **switches))
    _, wanted = by_network(tensorflow_model.load(path, precision="float32").network, *scene((75, 53), 2))
    _, found = by_openvino(path, *scene((75, 53), 2))
    assert found.shape == (2, 53, 75)
    np.testing.assert_allclose(found, wanted, atol=1e-4)


def test_graphs_of_the_sizes_that_were_used_last_are_kept_and_all_sizes_give_the_same_bits_again(whole, monkeypatch):
    from osmn.models.engines import openvino

    monkeypatch.setattr(openvino, "MOST_COMPILED", 2)
    model = openvino_model.load(whole, precision="float32")
    engine = openvino.OpenVinoEngine(model.graphs, model.config, "float32")
    compiled, compile_at = [], openvino.compiled_at

    def counted(core, model, shapes, options):
        compiled.append(tuple(shapes["image"][2:0:-1]))
        return compile_at(core, model, shapes, options)

    monkeypatch.setattr(openvino, "compiled_at", counted)
    found = {}
    for size in ((64, 32), (96, 32), (64, 32), (32, 64), (64, 32), (96, 32)):
        frame, masks = scene(size, 1)
        probabilities, _ = engine.segment(frame, masks, engine.gammas(frame, masks[0]))
        np.testing.assert_array_equal(probabilities, found.setdefault(size, probabilities))
    assert compiled == [(64, 32), (96, 32), (32, 64), (96, 32)]


def test_the_variables_of_a_lite_are_those_of_its_network():
    for switches in ({}, {"no_visual_modulator": True}, {"no_spatial_modulator": True}):
        config = ModelConfig("lite", **switches)
        variables = zero_networks.build(config).tf1_variables()
        assert lite.wanted(config) == {name: tuple(variable.shape) for name, variable in variables.items()}


def test_a_model_that_lacks_variables_or_is_of_another_network_is_named(whole, tmp_path):
    config = ModelConfig("lite", no_visual_modulator=True, **LITE)
    path = save(tmp_path, config)
    wrong = openvino_model.OpenVinoModel(path, ModelConfig("lite", **LITE), "float32")
    with pytest.raises(InputError, match=r"does not fit this network: lacks osmn/Conv2d_out_1/biases.*and \d+ more"):
        wrong.start_engine()
    with pytest.raises(InputError, match="base_model='osvos' contradicts"):
        openvino_model.load(path, {"base_model": "osvos"})


def test_variables_that_the_network_has_no_use_for_are_named(whole, caplog):
    model = openvino_model.load(whole)
    openvino_model.OpenVinoModel(whole, ModelConfig("lite", no_spatial_modulator=True, **LITE), "float32").graphs()
    assert "not used by this network: osmn/modulator_sp/conv11/BatchNorm/beta" in caplog.text
    caplog.clear()
    assert FRAME in model.graphs()
    assert not caplog.records


def test_own_videos_are_segmented_without_tensorflow_by_default(clip, tmp_path):
    first = mask(tmp_path / "first.png", {1: (8, 8, 30, 30)})
    line = words(clip, "--mask", first, "--result_path", tmp_path / "out")
    code = f"{NO_TENSORFLOW}import osmn_segment; osmn_segment.main({line!r})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0].startswith("segmenting by OpenVINO in ")
    assert len(list((tmp_path / "out/masks").iterdir())) == 6
    options = manifest.read_run(tmp_path / "out")["options"]
    assert options["engine"] == "openvino"
    assert options["precision"] in ("float32", "bfloat16", "int8")


def test_the_predictor_needs_no_tensorflow_by_default(whole):
    code = f"{NO_TENSORFLOW}from osmn import Predictor; import numpy as np\n"
    code += f"predictor = Predictor.from_checkpoint({str(whole)!r})\n"
    code += "frame = np.zeros((64, 96, 3), np.uint8); predictor.start(frame); mask = frame[..., 0] == 0\n"
    code += "predictor.add_object(1, mask); print(predictor.step(frame).labels().shape)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.strip() == "(64, 96)", done.stderr


@pytest.mark.parametrize("needs_it", [("--engine", "tensorflow"), ("--finetune", 2)])
def test_what_needs_tensorflow_says_so_in_one_line(clip, tmp_path, needs_it):
    first = mask(tmp_path / "first.png", {1: (8, 8, 30, 30)})
    line = words(clip, "--mask", first, "--result_path", tmp_path / "out", *needs_it)
    code = f"{NO_TENSORFLOW}import osmn_segment; osmn_segment.main({line!r})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 2
    (said,) = done.stderr.splitlines()
    assert said == "error: this needs tensorflow, which is not installed; pip install -r requirements.txt"
    assert ("segmenting by OpenVINO" in done.stdout) == (needs_it[0] == "--finetune")
    assert not (tmp_path / "out").exists()


def test_the_shipped_model_in_openvino_and_in_tensorflow_gives_the_same_masks(clip, tmp_path):
    first = mask(tmp_path / "first.png", {1: (8, 8, 30, 30)})
    for engine in ("openvino", "tensorflow"):
        line = words(clip, "--mask", first, "--result_path", tmp_path / engine, "--engine", engine)
        osmn_segment.main([*line, "--precision", "float32"])
    for path in (tmp_path / "openvino/masks").iterdir():
        ours, theirs = read_labels(path), read_labels(tmp_path / "tensorflow/masks" / path.name)
        assert (ours != theirs).mean() < 0.002


def test_a_predictor_says_which_engine_it_takes(whole, caplog):
    caplog.set_level("INFO", "osmn")
    Predictor.from_checkpoint(whole)
    assert "segmenting by OpenVINO" in caplog.text


def test_results_of_another_engine_are_not_taken_for_this_ones(whole, clip, tmp_path, capsys):
    first = mask(tmp_path / "first.png", {1: (8, 8, 30, 30)})
    line = words(
        clip, "--mask", first, "--result_path", tmp_path / "out", "--whole_model_path", whole, "--im_size", 64, 64
    )
    osmn_segment.main([*line, "--precision", "float32"])
    assert read_labels(tmp_path / "out/masks/00000.png").shape == SIZE[::-1]
    told = error(capsys, osmn_segment.main, *line, "--engine", "tensorflow", "--precision", "float32")
    assert 'engine was "openvino", is null' in told
