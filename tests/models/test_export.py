"""`osmn_export.py` to other formats, and segmenting by OpenVINO: what comes out is what the network computes."""

import contextlib
import io
import json
import multiprocessing
import os
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest

import osmn_export
import osmn_segment
import osmn_train_eval
from helpers import ROOT, zero_networks
from helpers.goldens import weight
from helpers.own_videos import mask
from helpers.scripts import error, words
from osmn import Predictor, networks
from osmn.config import ModelConfig
from osmn.errors import InputError
from osmn.files import sealed_json
from osmn.models import checkpoints, exported, openvino_model, tensorflow_model
from osmn.models import export as export_module
from osmn.models.engines.tensorflow import TensorFlowEngine

openvino = pytest.importorskip("openvino", reason="pip install -r requirements-engines.txt")
operations = pytest.importorskip("openvino.opset13")
LITE = {"mean_value": (127.5, 120.5, 110.5), "scale_value": 0.00787}
SHIPPED = ROOT / "models/osmn_lite"
pytestmark = pytest.mark.usefixtures("devices_stay")


def save(folder, config):
    """Write a model with weights that keep the size of activations, and so give probabilities of all sizes."""
    network = zero_networks.build(config)
    rng = np.random.default_rng(0)
    for name, variable in network.tf1_variables().items():
        shape = tuple(variable.shape)
        if name.endswith("weights"):
            variable.assign(rng.standard_normal(shape, np.float32) * np.sqrt(2 / max(1, np.prod(shape[:-1]))))
        elif name.endswith(("moving_variance", "/gamma")):
            variable.assign(np.ones(shape))
    path = folder / "model" / "osmn.ckpt-1"
    checkpoints.write_variables(path, checkpoints.model_values(network), config)
    return path


@pytest.fixture(scope="module")
def lite(tmp_path_factory):
    """Return the path of a model without visual modulator, which is small and needs seconds less."""
    return save(tmp_path_factory.mktemp("lite"), ModelConfig("lite", no_visual_modulator=True, **LITE))


@pytest.fixture(scope="module")
def whole_lite(tmp_path_factory):
    return save(tmp_path_factory.mktemp("whole"), ModelConfig("lite", **LITE))


def export(model, output, file_format, *options):
    osmn_export.main(words("--whole_model_path", model, "--output", output, "--format", file_format, *options))
    return output


def predictors(model, folder, **options):
    """Return the same model's predictors by TensorFlow and by OpenVINO."""
    return (
        Predictor(TensorFlowEngine(tensorflow_model.load(model).network), **options),
        Predictor(exported.load(folder).start_engine(), **options),
    )


def follow(predictor, size, objects, frames=3):
    """Return the probabilities of moving rectangles in frames of noise."""
    width, height = size
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (frames, height, width, 3), np.uint8)
    predictor.start(images[0])
    for number in range(objects):
        mask = np.zeros((height, width), bool)
        mask[height // 4 : height // 2, 5 * number : 5 * number + width // 3] = True
        predictor.add_object(number + 1, mask)
    return np.stack([predictor.step(image).probabilities for image in images[1:]])


@pytest.fixture(scope="module")
def exported_lite(whole_lite, tmp_path_factory):
    return export(whole_lite, tmp_path_factory.mktemp("exported") / "lite", "openvino")


@pytest.fixture(scope="module")
def exported_small(lite, tmp_path_factory):
    """Return the folder of an export of `lite`, and what was printed of it; not to be written to."""
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        folder = export(lite, tmp_path_factory.mktemp("small") / "out", "openvino")
    return folder, printed.getvalue()


def test_an_export_says_what_it_is_and_how_far_it_is_from_the_network(lite, exported_small):
    folder, said = exported_small
    assert said.startswith(f"{folder}: openvino, float32; largest differences from the network: ")
    assert float(said.rpartition(": ")[2].split()[0]) < 1e-4
    content = json.loads((folder / "model.json").read_text())
    assert content["format"] == "openvino"
    assert content["config"]["base_model"] == "lite"
    assert content["model_sha256"] == tensorflow_model.load(lite).fingerprint


@pytest.mark.parametrize("objects", [1, 2])
def test_openvino_gives_the_probabilities_of_tensorflow_at_several_sizes(whole_lite, exported_lite, objects):
    ours, theirs = predictors(whole_lite, exported_lite)
    for size in ((96, 64), (75, 53)):
        wanted = follow(ours, size, objects)
        assert wanted.std() > 0.01
        np.testing.assert_allclose(follow(theirs, size, objects), wanted, atol=1e-4)


@pytest.mark.parametrize("size", [(96, 64), (75, 53), (64, 33)])
def test_openvino_gives_the_features_of_tensorflow(whole_lite, exported_lite, size):
    frame = np.random.default_rng(0).integers(0, 256, (*size[::-1], 3), np.uint8)
    places = [(-(-size[1] // stride), -(-size[0] // stride)) for stride in (8, 16)]
    built = openvino_model.load(SHIPPED, precision="float32")
    for model, checkpoint in ((exported.load(exported_lite), whole_lite), (built, SHIPPED)):
        wanted = TensorFlowEngine(tensorflow_model.load(checkpoint, precision="float32").network).appearance(frame)
        assert [maps.shape for maps in wanted] == [(256, *places[0]), (512, *places[1])]
        for ours, theirs in zip(model.start_engine().appearance(frame), wanted, strict=True):
            assert theirs.std() > 0.1 * np.abs(theirs).max() > 0
            np.testing.assert_allclose(ours, theirs, atol=1e-4 * np.abs(theirs).max())


def test_target_models_by_openvino_are_nearly_those_by_tensorflow():
    models = (tensorflow_model.load(SHIPPED, precision="float32"), openvino_model.load(SHIPPED, precision="float32"))
    ours, theirs = (Predictor(model.start_engine(), target_model=True) for model in models)
    found, wanted = (follow(predictor, (96, 64), 2, 12) for predictor in (theirs, ours))
    assert wanted.std() > 1e-3
    np.testing.assert_allclose(found, wanted, atol=1e-3)
    assert all(ours.state().targets.values()) and ours.state().targets[1].age == 11


def test_a_checkpoint_runs_in_openvino_without_an_export(lite):
    ours = Predictor.from_checkpoint(lite, engine="tensorflow")
    theirs = Predictor.from_checkpoint(lite, precision="float32", engine="openvino")
    np.testing.assert_allclose(follow(theirs, (96, 64), 1), follow(ours, (96, 64), 1), atol=1e-4)


def test_an_exported_model_segments_a_video_without_tensorflow(exported_lite, clip, tmp_path):
    first = mask(tmp_path / "first.png", {1: (8, 8, 30, 30)})
    line = words(clip, "--mask", first, "--result_path", tmp_path / "out", "--whole_model_path", exported_lite)
    code = f"import sys, osmn_segment; osmn_segment.main({line!r}); assert 'tensorflow' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "CPU by OpenVINO" in done.stdout
    assert len(list((tmp_path / "out/masks").iterdir())) == 6


def test_an_export_of_an_earlier_version_segments_without_target_models(exported_lite, clip, davis, tmp_path, capsys):
    folder = tmp_path / "export"
    shutil.copytree(exported_lite, folder)
    content = sealed_json.from_json((folder / "model.json").read_text())
    for name in ("appearance.xml", "appearance.bin"):
        (folder / name).unlink()
        del content["files"][name]
    (folder / "model.json").write_text(sealed_json.to_json(content))
    for model, name in ((exported_lite, "with"), (folder, "without")):
        first = mask(tmp_path / "first.png", {1: (8, 8, 30, 30)})
        line = (clip, "--mask", first, "--result_path", tmp_path / name, "--whole_model_path", model)
        osmn_segment.main(words(*line))
        options = json.loads((tmp_path / name / "run.json").read_text())["options"]
        assert options.get("target_model", False) is (name == "with")
    testing = ("--data_path", davis, "--only_testing", "--whole_model_path", folder, "--im_size", 64, 48)
    given = (*testing, "--result_path", tmp_path / "d", "--target_model")
    assert "an export of an earlier version" in error(capsys, osmn_train_eval.main, *given)


def test_an_exported_model_is_not_fine_tuned(exported_lite, clip, tmp_path, capsys):
    first = mask(tmp_path / "first.png", {1: (8, 8, 30, 30)})
    line = words(clip, "--mask", first, "--result_path", tmp_path / "out", "--whole_model_path", exported_lite)
    assert "--finetune needs a checkpoint" in error(capsys, osmn_segment.main, *line, "--finetune", 2)
    assert not (tmp_path / "out").exists()


LOADING = {  # As a stranger does: `frame` from named arrays to probabilities.
    "saved_model": (
        "import tensorflow as tf\n"
        "signature = tf.saved_model.load(folder).signatures['frame']\n"
        "frame = lambda inputs: signature(**{k: tf.constant(v) for k, v in inputs.items()})['probabilities']\n"
    ),
    "onnx": (
        "import onnxruntime\n"
        "session = onnxruntime.InferenceSession(folder + '/frame.onnx')\n"
        "frame = lambda inputs: session.run(['probabilities'], inputs)[0]\n"
    ),
}


@pytest.mark.parametrize("file_format", sorted(LOADING))
def test_an_export_runs_without_this_project(file_format, lite, tmp_path):
    pytest.importorskip("tf2onnx")
    folder = export(lite, tmp_path / "out", file_format)
    code = (
        f"import sys, numpy as np\nfolder = {str(folder)!r}\n{LOADING[file_format]}"
        "image, guide = np.ones((1, 40, 56, 3), 'f'), np.ones((3, 40, 56, 1), 'f')\n"
        "found = frame({'image': image, 'spatial_guide': guide})\n"
        "assert not any(name.split('.')[0] == 'osmn' for name in sys.modules)\n"
        "print(found.shape)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path)
    assert done.stdout.strip() == "(3, 40, 56)", done.stderr


def test_opencv_computes_the_probabilities_of_an_onnx_export_at_even_and_odd_sizes(lite, tmp_path, capsys):
    pytest.importorskip("tf2onnx")
    cv2 = pytest.importorskip("cv2", "5")
    folder = export(lite, tmp_path / "out", "onnx")
    said = re.search(r"largest difference of probabilities in OpenCV: (\S+)", capsys.readouterr().out)
    assert float(said.group(1)) < 1e-4
    onnxruntime = pytest.importorskip("onnxruntime").InferenceSession(folder / "frame.onnx")
    rng = np.random.default_rng(0)
    for width, height in ((96, 64), (62, 46), (75, 53)):
        inputs = {"image": rng.standard_normal((1, height, width, 3), np.float32)}
        inputs["spatial_guide"] = rng.uniform(0, 1, (1, height, width, 1)).astype(np.float32)
        network = cv2.dnn.readNetFromONNX(str(folder / "frame.onnx"))
        for name, values in inputs.items():
            network.setInput(values, name)
        (wanted,) = onnxruntime.run(["probabilities"], inputs)
        assert wanted.std() > 0.01
        np.testing.assert_allclose(network.forward().reshape(wanted.shape), wanted, atol=1e-4)


def test_frames_of_a_fixed_size_are_all_that_such_an_export_takes(lite, tmp_path):
    folder = export(lite, tmp_path / "out", "saved_model", "--im_size", 56, 40)
    run = export_module.runners("saved_model", folder)("frame")
    guide = np.ones((1, 40, 56, 1), np.float32)
    assert run({"image": np.ones((1, 40, 56, 3), np.float32), "spatial_guide": guide})["probabilities"].shape == (
        1,
        40,
        56,
    )
    with pytest.raises(Exception, match="shape"):
        run({"image": np.ones((1, 48, 56, 3), np.float32), "spatial_guide": guide})


def test_an_export_of_one_size_segments_at_that_size_without_windows_and_at_no_other(
    lite, clip, davis, tmp_path, capsys
):
    folder = export(lite, tmp_path / "sized", "openvino", "--im_size", 56, 40)
    first = mask(tmp_path / "first.png", {1: (8, 8, 30, 30)})
    line = words(clip, "--mask", first, "--result_path", tmp_path / "out", "--whole_model_path", folder)
    osmn_segment.main(line)
    options = json.loads((tmp_path / "out/run.json").read_text())["options"]
    assert options["im_size"] == [56, 40] and "window" not in options
    assert Predictor.from_checkpoint(folder).im_size == (56, 40)
    with pytest.raises(InputError, match="for frames of 56x40 alone; give im_size="):
        Predictor.from_checkpoint(folder, im_size=(64, 48))
    assert "for frames of 56x40 alone; give --im_size 56 40" in error(
        capsys, osmn_segment.main, *line, "--im_size", 64, 48, "--overwrite"
    )
    testing = words(
        "--data_path", davis, "--only_testing", "--whole_model_path", folder, "--result_path", tmp_path / "d"
    )
    assert "alone; give --im_size 56 40" in error(capsys, osmn_train_eval.main, *testing)
    given = ("--im_size", 56, 40, "--window")
    assert "this model has a single size of images, 56x40" in error(capsys, osmn_train_eval.main, *testing, *given)
    assert not (tmp_path / "d").exists()


@pytest.mark.slow
@pytest.mark.parametrize("base_model", ["osvos", "masktrack", "deeplab", "lite"])
@pytest.mark.parametrize("file_format", ["saved_model", "onnx", "openvino"])
def test_every_network_in_every_format_gives_its_probabilities(base_model, file_format, tmp_path):
    pytest.importorskip("tf2onnx")
    pytest.importorskip("onnxruntime")
    # In a process of its own, since TensorFlow keeps gigabytes of each VGG network.
    process = multiprocessing.get_context("spawn").Process(
        target=check_an_export, args=(base_model, file_format, tmp_path)
    )
    process.start()
    process.join()
    assert process.exitcode == 0


def check_an_export(base_model, file_format, folder):
    """Export a network of random weights, and compare what is written with it at several sizes."""
    scale = LITE["scale_value"] if base_model == "lite" else 0.01
    model = save(folder, ModelConfig(base_model, mean_value=LITE["mean_value"], scale_value=scale))
    written = export(model, folder / "out", file_format)
    graphs = export_module.Graphs(tensorflow_model.load(model, precision="float32").network)
    for size in ((96, 64), (160, 96), (131, 75)):
        apart = export_module.largest_differences(graphs, file_format, written, size)
        assert apart["probabilities"] < 1e-4 and apart["appearance"] < 1e-4


SUMS = r"(exact|saturating) int8 sums, of .*: masks of 6 frames, IoU with the network's ([\d.]+), the lowest ([\d.]+)"


def int8_agreement(model, davis, folder, capsys):
    """Export a model in int8; return {arithmetic: (mean, lowest)} of the IoU of its masks with the network's."""
    pytest.importorskip("nncf")
    calibration = ("--calibration_path", davis, "--calibration_frames", 6, "--calibration_size", 128, 96)
    export(model, folder / "int8", "openvino", "--precision", "int8", *calibration)
    said = capsys.readouterr().out
    assert re.search(r"^time per frame on this processor, in parts of float32's: int8 [\d.]+", said, re.MULTILINE)
    return {arithmetic: (float(mean), float(lowest)) for arithmetic, mean, lowest in re.findall(SUMS, said)}


def test_masks_of_the_shipped_model_in_int8_are_nearly_the_networks_on_any_processor(davis, tmp_path, capsys):
    found = int8_agreement(ROOT / "models/osmn_lite", davis, tmp_path, capsys)
    assert set(found) == {"exact", "saturating"}
    assert all(mean > 0.9 and lowest > 0.8 for mean, lowest in found.values())
    # The weights take half of their range. Otherwise sums saturate on processors without VNNI, and masks differ.
    assert np.subtract(found["exact"], found["saturating"]) == pytest.approx(0, abs=0.003)
    graph = openvino.Core().read_model(tmp_path / "int8/frame.xml").get_ops()
    channels = {True: [], False: []}
    for operation in (each for each in graph if each.get_type_name() == "Convolution"):
        quantized = operation.input_value(0).get_node().get_type_name() == "FakeQuantize"
        channels[quantized].append(operation.get_output_partial_shape(0)[1].get_length())
    assert channels[False].count(9) == 4  # The side outputs: nine taps of a 3x3 kernel each.
    assert channels[False].count(512) == 4  # Blocks 6 to 9.
    assert sorted(channels[True]) == [64, 128, 128, 256, 256, 512, 512, 1024, 1024]


@pytest.mark.slow
def test_masks_of_osvos_in_int8_are_nearly_the_networks(davis, tmp_path, capsys):
    network = networks.build(ModelConfig("osvos", scale_value=0.01))
    for name, variable in network.tf1_variables().items():
        variable.assign(weight(name, variable.shape))
    checkpoints.write_variables(tmp_path / "osmn.ckpt-1", checkpoints.model_values(network), network.config)
    found = int8_agreement(tmp_path / "osmn.ckpt-1", davis, tmp_path, capsys)
    assert all(mean > 0.95 and lowest > 0.9 for mean, lowest in found.values())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--format", "onnx", "--precision", "bfloat16"), "--format onnx is written in float32"),
        (("--format", "openvino", "--precision", "int8"), "--calibration_path must be given"),
        (("--format", "openvino", "--half"), "are for --format checkpoint"),
        (("--im_size", "64", "64"), "--im_size is not for --format checkpoint"),
    ],
)
def test_options_that_do_not_fit_a_format_are_refused(options, message, lite, tmp_path, capsys):
    line = words("--whole_model_path", lite, "--output", tmp_path / "out", *options)
    assert message in error(capsys, osmn_export.main, *line)
    assert not (tmp_path / "out").exists()


def test_a_folder_that_is_there_is_not_written_into(lite, tmp_path, capsys):
    (tmp_path / "out").mkdir()
    line = words("--whole_model_path", lite, "--output", tmp_path / "out", "--format", "openvino")
    assert "is there already" in error(capsys, osmn_export.main, *line)


def test_the_same_export_again_is_left_alone_and_one_that_is_damaged_or_another_is_not(
    lite, exported_small, tmp_path, capsys
):
    out = tmp_path / "out"
    shutil.copytree(exported_small[0], out)
    before = {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in out.iterdir()}
    export(lite, out, "openvino")
    assert capsys.readouterr().out.splitlines()[-1] == f"{out}: exported already"
    assert {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in out.iterdir()} == before
    line = words("--whole_model_path", lite, "--output", out, "--format", "openvino")
    assert "is there already" in error(capsys, osmn_export.main, *line, "--im_size", "64", "48")
    content = bytearray((out / "frame.bin").read_bytes())
    content[len(content) // 2] ^= 1
    (out / "frame.bin").write_bytes(content)
    assert "is there already" in error(capsys, osmn_export.main, *line)


@pytest.mark.parametrize("package", ["openvino", "nncf"])
def test_the_engines_report_nothing_and_keep_no_identity_of_the_user(lite, tmp_path, package):
    pytest.importorskip(package)
    home, script = tmp_path / "home", "import osmn_export, sys; from osmn.models.engines import engine_import;"
    home.mkdir()
    script += (
        f"engine_import('{package}'); osmn_export.main(sys.argv[1:]); assert not sys.modules['openvino_telemetry']"
    )
    line = words("--whole_model_path", lite, "--output", tmp_path / "out", "--format", "openvino")
    subprocess.run([sys.executable, "-c", script, *line], env=os.environ | {"HOME": str(home)}, check=True)
    assert not (home / "intel").exists()


def test_a_damaged_export_is_named(exported_lite, tmp_path):
    for name, content, message in (
        ("model.json", b"{", "model.json is damaged"),
        ("frame.xml", b"<net", "frame.xml is missing, or not as it was written"),
        ("frame.bin", None, "frame.bin"),
    ):
        folder = tmp_path / name
        folder.mkdir()
        for path in exported_lite.iterdir():
            (folder / path.name).symlink_to(path)
        (folder / name).unlink()
        if content is not None:
            (folder / name).write_bytes(content)
        with pytest.raises(InputError, match=message):
            exported.load(folder).start_engine()
            _ = exported.load(folder).fingerprint


def test_an_export_contradicts_options_as_a_checkpoint_does(exported_lite):
    with pytest.raises(InputError, match=r"scale_value=1.0 contradicts .*model\.json, which says"):
        exported.load(exported_lite, {"scale_value": 1.0})
    with pytest.raises(InputError, match="exported in float32"):
        exported.load(exported_lite, precision="float16")
    with pytest.raises(InputError, match="leave engine='tensorflow' out"):
        Predictor.from_checkpoint(exported_lite, engine="tensorflow")


def test_float16_is_not_for_openvino(lite):
    with pytest.raises(InputError, match="not in float16"):
        Predictor.from_checkpoint(lite, precision="float16", engine="openvino")


@pytest.mark.parametrize(
    ("size", "message"),
    [
        ((16384, 16384), "an image of 16384x16384 pixels with 2 objects needs over 24 GiB of memory, of 16 GiB here"),
        ((16385, 64), "argument --im_size: 16385 is not at most 16384"),
        ((2**31 - 1, 2**31 - 1), "argument --im_size: 2147483647 is not at most 16384"),
    ],
)
def test_frames_too_large_to_compare_the_graphs_on_are_refused(lite, tmp_path, monkeypatch, capsys, size, message):
    monkeypatch.setattr(os, "sysconf", {"SC_PHYS_PAGES": 2**22, "SC_PAGE_SIZE": 4096}.get)  # 16 GiB
    with pytest.raises(SystemExit) as stopped:
        export(lite, tmp_path / "out", "saved_model", "--im_size", *size)
    assert stopped.value.code == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_model_with_a_small_aligned_size_is_exported(tmp_path, capsys):
    config = ModelConfig("lite", no_visual_modulator=True, aligned_size=(96, 64), **LITE)
    export(save(tmp_path, config), tmp_path / "out", "saved_model")
    assert "largest differences" in capsys.readouterr().out
