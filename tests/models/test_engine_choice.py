"""`--engine auto`: what segments on simulated processors, with and without OpenVINO or a GPU, and what is said."""

import sys

import pytest

from osmn.inference import load
from osmn.models.engines import choice
from osmn.models.engines.processor import Processor

ZEN_3 = Processor("AuthenticAMD", frozenset({"avx2"}))
ZEN_4 = Processor("AuthenticAMD", frozenset({"avx2", "avx512_vnni", "avx512_bf16"}))
SANDY_BRIDGE = Processor("GenuineIntel", frozenset({"avx"}))
COOPER_LAKE = Processor("GenuineIntel", frozenset({"avx2", "avx512_vnni", "avx512_bf16"}))
SAPPHIRE_RAPIDS = Processor("GenuineIntel", COOPER_LAKE.flags | {"amx_bf16", "amx_int8"})


def no_gpu():
    return None


@pytest.mark.parametrize(
    ("chip", "precision", "reason"),
    [
        (ZEN_3, "float32", "this processor has no AMX, and no AVX512-BF16 that is AMD's"),
        (ZEN_4, "bfloat16", "it is fastest on this processor"),
        (COOPER_LAKE, "float32", "this processor has no AMX, and no AVX512-BF16 that is AMD's"),
        (SAPPHIRE_RAPIDS, "bfloat16", "it is fastest on this processor"),
        (Processor(), "float32", "nothing is known of this processor"),
    ],
)
def test_openvino_computes_in_what_is_fastest_on_the_processor(chip, precision, reason):
    chosen = choice.choose(None, chip, True, no_gpu)
    assert chosen == ("openvino", precision, reason)
    assert chosen.line() == f"segmenting by OpenVINO in {precision}: {reason}"


@pytest.mark.parametrize(
    ("chip", "precision"),
    [
        (ZEN_3, "int8"),
        (ZEN_4, "int8"),
        (COOPER_LAKE, "int8"),
        (SAPPHIRE_RAPIDS, "bfloat16"),
        (SANDY_BRIDGE, "float32"),
        (Processor(), "float32"),
    ],
)
def test_a_network_that_has_int8_is_in_int8_where_that_is_fastest(chip, precision):
    chosen = choice.choose(None, chip, True, no_gpu, int8=True)
    assert chosen[:2] == ("openvino", precision)
    assert choice.choose("float32", chip, True, no_gpu, int8=True)[:2] == ("openvino", "float32")
    assert choice.choose(None, chip, False, no_gpu, int8=True)[:2] == ("tensorflow", None)
    if precision == "int8":
        assert chosen.line() == (
            "segmenting by OpenVINO in int8: it is fastest on this processor, and masks agree in 99 of 100 pixels"
        )


@pytest.mark.parametrize("chip", [ZEN_3, ZEN_4, SAPPHIRE_RAPIDS])
def test_tensorflow_segments_where_openvino_is_missing_or_a_gpu_is_there(chip):
    missing = choice.choose(None, chip, False, no_gpu)
    assert missing.line() == "segmenting by TensorFlow: the faster OpenVINO is not installed; pip install openvino"
    for has_openvino in (True, False):
        with_gpu = choice.choose(None, chip, has_openvino, lambda: "NVIDIA H200")
        assert with_gpu.line() == "segmenting by TensorFlow: NVIDIA H200 is there"


def test_a_precision_that_is_asked_for_is_taken_and_float16_is_tensorflows():
    assert choice.choose("float32", ZEN_4, True, no_gpu)[:2] == ("openvino", "float32")
    assert choice.choose("bfloat16", ZEN_3, True, no_gpu)[:2] == ("openvino", "bfloat16")
    assert choice.choose("float16", ZEN_4, True, no_gpu)[:2] == ("tensorflow", "float16")
    assert choice.choose("bfloat16", ZEN_4, True, lambda: "a GPU")[:2] == ("tensorflow", "bfloat16")


def test_a_gpu_is_looked_for_in_tensorflow_only_where_the_system_has_one(tmp_path, monkeypatch):
    from osmn.networks import devices

    monkeypatch.setattr(devices, "name", lambda: "NVIDIA H200")
    assert choice.usable_gpu(tmp_path) is None
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev/nvidiactl").touch()  # Of the driver, not of a GPU.
    assert choice.usable_gpu(tmp_path) is None
    (tmp_path / "dev/nvidia0").touch()
    assert choice.usable_gpu(tmp_path) == "NVIDIA H200"
    monkeypatch.setattr(devices, "name", lambda: "CPU")  # TensorFlow lacks CUDA's libraries.
    assert choice.usable_gpu(tmp_path) is None


def test_without_tensorflow_no_gpu_is_usable(tmp_path, monkeypatch):
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev/nvidia0").touch()
    monkeypatch.setattr(choice, "is_installed", lambda package: package != "tensorflow")
    assert choice.usable_gpu(tmp_path) is None


def test_a_package_that_is_hidden_is_not_installed(monkeypatch):
    assert choice.is_installed("numpy") and not choice.is_installed("no_such_package")
    monkeypatch.setitem(sys.modules, "numpy", None)
    assert not choice.is_installed("numpy")


def test_only_auto_chooses_and_by_the_network(tmp_path, monkeypatch):
    chosen = {True: "int8", False: "bfloat16"}
    monkeypatch.setattr(choice, "choose", lambda precision, int8: choice.Choice("openvino", chosen[int8], "so"))
    (tmp_path / "m.index").touch()
    vgg, lite = ({"base_model": name} for name in ("osvos", "lite"))
    assert load.chosen_engine(tmp_path / "m", vgg, None, "auto") == ("openvino", "bfloat16")
    assert load.chosen_engine(tmp_path / "m", lite, None, "auto") == ("openvino", "int8")
    assert load.chosen_engine(tmp_path, vgg, None, None) == ("tensorflow", None)
    assert load.chosen_engine(tmp_path, vgg, "float32", "openvino") == ("openvino", "float32")
