"""What carries its checksum, with a bit flipped or its end missing: it is refused by its name, or read as it was.

Checkpoints (of both formats), the configuration beside them, manifests, exported models, archives of weights, scores.
"""

import numpy as np
import pytest

import osmn_export
from helpers import zero_networks
from helpers.cases import case
from helpers.damage import damaged
from helpers.trees import tree
from osmn.config import ModelConfig, config_path, read_config
from osmn.errors import InputError
from osmn.files.scores import read_scores, write_scores
from osmn.models import checkpoints, exported
from osmn.models.engines import FRAME, GUIDE
from osmn.models.pretrained import imagenet
from osmn.results import identity, manifest
from osmn.results.manifest import RUN

CONFIG = ModelConfig("lite", mean_value=(127.5, 120.25, 110.0), scale_value=0.00787, im_size=(448, 256))
RNG = np.random.default_rng(0)
VALUES = {f"net/layer_{number}/weights": RNG.standard_normal((8, 8), np.float32) for number in range(6)}


def read_checkpoint(path):
    reader = checkpoints.CheckpointReader(path)
    return {name: reader.read(name).tolist() for name in reader.shapes}


def checkpoint(part):
    def make(root):
        checkpoints.write_variables(root / "model", VALUES, v1=not part)
        return root / f"model{part}", lambda path: read_checkpoint(root / "model")

    return make


def configuration(root):
    checkpoints.write_variables(root / "model", VALUES, CONFIG)
    return config_path(root / "model"), lambda path: read_config(root / "model")


def run_json(root):
    made_by = manifest.provenance("m.ckpt", "ab" * 32, CONFIG, {"data_version": 2016, "im_size": [448, 256]})
    with manifest.open_run(root, made_by, "--result_path"):
        pass

    def read(path):
        found = manifest.read_run(root)
        return {name: found.get(name) for name in identity.IDENTITY}

    return root / RUN, read


def exported_model(part):
    def make(root):
        for name in (FRAME, GUIDE):
            (root / f"{name}.xml").write_text(f"<net name='{name}'>" + 9 * "<layer/>" + "</net>")
            (root / f"{name}.bin").write_bytes(RNG.bytes(400))
        exported.describe(root, CONFIG, "float32", exported.OPENVINO, {"model": "m.ckpt"})
        return root / part, lambda path: exported.load(root)

    return make


def archive(root):
    network = zero_networks.build(ModelConfig(no_visual_modulator=True))
    names = ("conv1/conv1_1/biases", "conv1/conv1_2/biases")
    np.savez(
        root / "vgg16.npz", **{"/".join(name.split("/")[-2:]): RNG.standard_normal(64, np.float32) for name in names}
    )

    def read(path):
        zero_networks.forget(network)
        missing = imagenet.load(network, "osmn/seg", path)
        if any(f"osmn/seg/{name}" in missing for name in names):
            return "said"  # The names of what keeps its initial values are printed.
        return [np.asarray(network.tf1_variables()[f"osmn/seg/{name}"]).tolist() for name in names]

    return root / "vgg16.npz", read


def scores(root):
    write_scores(root / "00001.npy", np.linspace(0, 1, 24, dtype=np.float32).reshape(4, 6))
    return root / "00001.npy", lambda path: read_scores(path).tolist()


MAKE = {
    "checkpoint.index": checkpoint(".index"),
    "checkpoint.data": checkpoint(".data-00000-of-00001"),
    "checkpoint of one file": checkpoint(""),
    "configuration": configuration,
    "run.json": run_json,
    "exported model.json": exported_model(exported.DESCRIPTION),
    "exported graph": exported_model(f"{FRAME}.xml"),
    "exported weights": exported_model(f"{GUIDE}.bin"),
    "weights.npz": archive,
    "scores": scores,
}


@pytest.mark.parametrize("count", [20, pytest.param(200, marks=pytest.mark.slow)])
@pytest.mark.parametrize("kind", MAKE)
def test_what_has_a_checksum_is_refused_by_name_or_read_as_it_was(tmp_path, kind, count):
    path, read = MAKE[kind](tmp_path)
    expected, whole, refused = read(path), path.read_bytes(), 0
    for content in damaged(whole, min(count, 8 * len(whole))):
        path.write_bytes(content)
        with case("damaged models and results"):
            try:
                found = read(path)
            except InputError as error:
                refused += 1
                assert str(tmp_path) in str(error) and "\n" not in str(error)
                continue
            assert found in (expected, "said")
    assert refused >= count


def test_an_edited_configuration_says_how_to_keep_the_change(tmp_path):
    path, _ = configuration(tmp_path)
    text = path.read_text()
    path.write_text(text.replace("0.00787", "0.00788"))
    with pytest.raises(InputError, match='if you have edited it, remove the line "crc32"'):
        read_config(tmp_path / "model")
    lines = [line for line in text.replace("0.00787", "0.00788").splitlines() if "crc32" not in line]
    path.write_text("\n".join(lines).replace('"bias_shift": 0.0,', '"bias_shift": 0.0'))
    assert read_config(tmp_path / "model").scale_value == 0.00788


def test_a_script_names_a_damaged_model_in_one_line_and_writes_nothing(tmp_path, capsys):
    path, _ = configuration(tmp_path)
    path.write_text(path.read_text().replace("127.5", "127.6", 1))
    before = tree(tmp_path)
    with pytest.raises(SystemExit) as stopped:
        osmn_export.main(["--whole_model_path", str(tmp_path / "model"), "--output", str(tmp_path / "out")])
    assert stopped.value.code == 2
    assert capsys.readouterr().err.startswith(f"error: {path} is not the configuration of a model")
    assert tree(tmp_path) == before
