"""The choice of device, number format and way to compute; GPUs are stand-ins, for there may be none."""

import subprocess
import sys

import pytest
import tensorflow as tf

from helpers import ROOT
from osmn.networks import devices, execution

AMX = "processor : 0\nflags : fpu avx512f amx_bf16 amx_tile amx_int8\n"
ZEN_4 = "processor : 0\nflags : fpu avx512f avx512_bf16\n"
OLDER = "processor : 0\nflags : fpu avx512f avx512_bf16x avx2\n"


@pytest.fixture
def no_gpu(monkeypatch):
    monkeypatch.setattr(tf.config, "get_visible_devices", lambda kind: [])


def with_gpu(monkeypatch, capability=(8, 0)):
    """Have one GPU be visible, of this compute capability (None: it tells none)."""
    details = {} if capability is None else {"compute_capability": capability}
    monkeypatch.setattr(tf.config, "get_visible_devices", lambda kind: ["a GPU"])
    monkeypatch.setattr(tf.config.experimental, "get_device_details", lambda gpu: details)


@pytest.fixture
def two_gpus(monkeypatch):
    """Have two GPUs be there; return what is made visible and what gets memory growth."""
    visible, grown = [], []
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: ["GPU 0", "GPU 1"])
    monkeypatch.setattr(tf.config, "set_visible_devices", lambda gpus, kind: visible.append((gpus, kind)))
    monkeypatch.setattr(tf.config.experimental, "set_memory_growth", lambda gpu, on: grown.append((gpu, on)))
    return visible, grown


# Number format


@pytest.mark.parametrize(("cpuinfo", "expected"), [(AMX, True), (ZEN_4, True), (OLDER, False), ("", False)])
def test_a_cpu_has_bfloat16_units_if_its_flags_say_so(no_gpu, tmp_path, cpuinfo, expected):
    (tmp_path / "cpuinfo").write_text(cpuinfo)
    assert devices.has_bfloat16_units(tmp_path / "cpuinfo") is expected


def test_a_system_without_cpuinfo_is_taken_to_have_no_bfloat16_units(no_gpu, tmp_path):
    assert devices.has_bfloat16_units(tmp_path / "cpuinfo") is False


@pytest.mark.parametrize(("capability", "expected"), [((7, 5), False), ((8, 0), True), ((9, 0), True), (None, False)])
def test_a_visible_gpu_decides_not_the_cpu(monkeypatch, tmp_path, capability, expected):
    with_gpu(monkeypatch, capability)
    (tmp_path / "cpuinfo").write_text(AMX if not expected else OLDER)
    assert devices.has_bfloat16_units(tmp_path / "cpuinfo") is expected


@pytest.mark.parametrize(
    ("base_model", "units", "expected"),
    [("osvos", True, "bfloat16"), ("osvos", False, "float32"), ("lite", True, "float32"), ("lite", False, "float32")],
)
def test_default_precision_is_bfloat16_where_there_are_units_but_for_lite(monkeypatch, base_model, units, expected):
    monkeypatch.setattr(devices, "has_bfloat16_units", lambda: units)
    assert devices.default_precision(base_model) == expected


def test_training_keeps_float32_variables():
    precisions = ("float32", "bfloat16", "float16")
    assert [devices.training_policy(precision) for precision in precisions] == [
        "float32",
        "mixed_bfloat16",
        "mixed_float16",
    ]


# GPUs


def test_only_the_gpus_asked_for_are_visible_and_take_memory_as_they_need_it(two_gpus, capsys):
    devices.use_gpus([1])
    devices.use_gpus([0, 1])
    visible, grown = two_gpus
    assert visible == [(["GPU 1"], "GPU"), (["GPU 0", "GPU 1"], "GPU")]
    assert grown == [("GPU 1", True), ("GPU 0", True), ("GPU 1", True)]
    assert capsys.readouterr().err == ""


def test_a_missing_gpu_is_named_and_the_cpu_computes(two_gpus, messages, capsys):
    devices.use_gpus([0, 3])
    assert two_gpus == ([([], "GPU")], [])
    assert capsys.readouterr().err == "no GPU 3 here: running on the CPU\n"


DETERMINISM = """
import sys
from tensorflow.python.framework import config
from osmn.networks import devices
devices.configure([0], deterministic=sys.argv[1] == "True")
print(config.is_op_determinism_enabled())
"""


@pytest.mark.parametrize("deterministic", [True, False])
def test_determinism_is_switched_on_if_asked_for(deterministic):
    command = [sys.executable, "-c", DETERMINISM, str(deterministic)]
    shown = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert shown.stdout.split() == [str(deterministic)]


# How networks are computed


def test_on_a_cpu_modulation_is_fused_in_segmenting_and_plain_in_training(no_gpu):
    segmenting, training = devices.choose_execution(), devices.choose_execution(training=True)
    assert (segmenting.training, training.training) == (False, True)
    assert segmenting.modulate is devices.fused_modulate and training.modulate is execution.modulate
    assert segmenting.normalize is training.normalize is devices.fused_normalize


@pytest.mark.parametrize("training", [False, True])
def test_on_a_visible_gpu_all_is_plain(monkeypatch, training):
    with_gpu(monkeypatch)
    chosen = devices.choose_execution(training)
    assert chosen.modulate is execution.modulate and chosen.normalize is execution.normalize


def test_a_gpu_that_is_not_visible_does_not_count(no_gpu, two_gpus):
    assert devices.choose_execution().modulate is devices.fused_modulate
