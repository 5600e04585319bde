"""The click network built for OpenVINO: what it computes, and that it needs no TensorFlow."""

import subprocess
import sys

import numpy as np
import pytest

from helpers import ROOT, zero_networks
from osmn import networks
from osmn.config import ModelConfig
from osmn.errors import InputError
from osmn.inference.load import load_click_engine
from osmn.inputs.clicks import guide_maps
from osmn.models import checkpoints
from osmn.models.engines import choice, click_graph
from osmn.models.engines.clicks import ClickTensorFlowEngine

pytest.importorskip("openvino", reason="pip install -r requirements-engines.txt")
pytestmark = pytest.mark.usefixtures("devices_stay")
CONFIG = ModelConfig("clicks", no_visual_modulator=True, mean_value=(127.5, 120.5, 110.5), scale_value=0.00787)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """Return a network with random weights and the path of its checkpoint."""
    network = networks.build(CONFIG)
    zero_networks.randomize(network, {"beta": 0.2, "moving_mean": 0.2, "biases": 0.2})  # Else ReLU6 leaves nothing.
    path = tmp_path_factory.mktemp("clicks") / "model.ckpt-1"
    checkpoints.write_variables(path, checkpoints.model_values(network), CONFIG)
    return network, path


def test_the_variables_that_are_wanted_are_the_networks(saved):
    network, _ = saved
    assert click_graph.wanted(CONFIG) == {name: tuple(v.shape) for name, v in network.tf1_variables().items()}


@pytest.mark.parametrize("side", [32, 96, 160])
def test_probabilities_are_tensorflows(saved, side, monkeypatch):
    network, path = saved
    monkeypatch.setattr(choice, "usable_gpu", lambda: None)
    image = np.random.default_rng(1).integers(0, 256, (side, side, 3), np.uint8)
    maps = guide_maps(side, [(9, 12)], [(20, 25)], (3, 4, 28, 30), np.eye(side, dtype=bool))
    by_openvino = load_click_engine(path).probabilities(image, maps)
    by_tensorflow = ClickTensorFlowEngine(network).probabilities(image, maps)
    assert by_openvino.shape == (side, side) and by_tensorflow.std() > 1e-3
    np.testing.assert_allclose(by_openvino, by_tensorflow, atol=2e-5)


def test_no_tensorflow_is_needed(saved):
    code = "import sys; sys.modules['tensorflow'] = sys.modules['keras'] = None\n"
    code += "import numpy as np; from osmn.inference.load import load_click_engine\n"
    code += f"engine = load_click_engine({str(saved[1])!r})\n"
    code += "print(engine.probabilities(np.zeros((64, 64, 3), np.uint8), np.zeros((64, 64, 4), np.uint8)).shape)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout == "(64, 64)\n", done.stderr


def test_a_network_that_follows_objects_is_no_click_network():
    with pytest.raises(InputError, match="follows objects, and finds none by clicks; give a model of osmn_click_train"):
        load_click_engine("models/osmn_lite")
