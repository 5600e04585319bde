"""What an engine may expect of a processor, for simulated ones: vendor and flags as /proc/cpuinfo has them."""

import logging

import numpy as np
import pytest

from osmn.models import quantize
from osmn.models.engines import arithmetics, processor
from osmn.models.engines.processor import Processor

ZEN_3 = Processor("AuthenticAMD", frozenset({"avx", "avx2", "fma"}))
ZEN_5 = Processor("AuthenticAMD", frozenset({"avx2", "avx512f", "avx512_vnni", "avx512_bf16", "avx_vnni"}))
CASCADE_LAKE = Processor("GenuineIntel", frozenset({"avx2", "avx512f", "avx512_vnni"}))
COOPER_LAKE = Processor("GenuineIntel", frozenset({"avx2", "avx512f", "avx512_vnni", "avx512_bf16"}))
SAPPHIRE_RAPIDS = Processor("GenuineIntel", COOPER_LAKE.flags | {"amx_bf16", "amx_int8", "amx_tile"})
OLD = Processor("GenuineIntel", frozenset({"sse4_1", "avx"}))


def written(folder, chip):
    path = folder / "cpuinfo"
    path.write_text(f"processor\t: 0\nvendor_id\t: {chip.vendor}\nflags\t\t: {' '.join(sorted(chip.flags))}\n")
    return path


@pytest.mark.parametrize(
    ("chip", "bfloat16", "exact", "int8"),
    [
        (ZEN_3, False, False, True),
        (ZEN_5, True, True, False),
        (CASCADE_LAKE, False, True, True),
        (COOPER_LAKE, False, True, True),
        (SAPPHIRE_RAPIDS, True, True, True),
        (OLD, False, False, False),
        (Processor(), False, False, True),
    ],
)
def test_a_processor_tells_what_it_computes_fast(chip, bfloat16, exact, int8, tmp_path):
    read = processor.here(written(tmp_path, chip), {})
    assert read == chip
    assert (read.fast_bfloat16, read.exact_int8, not read.why_no_int8) == (bfloat16, exact, int8)


def test_instructions_that_onednn_is_kept_from_do_not_count(tmp_path):
    path = written(tmp_path, SAPPHIRE_RAPIDS)
    kept = {isa: processor.here(path, {"ONEDNN_MAX_CPU_ISA": isa}) for isa in ("avx2", "AVX512_CORE_VNNI", "DEFAULT")}
    assert not kept["avx2"].fast_bfloat16 and not kept["avx2"].exact_int8 and "avx2" in kept["avx2"].flags
    assert not kept["AVX512_CORE_VNNI"].fast_bfloat16 and kept["AVX512_CORE_VNNI"].exact_int8
    assert kept["DEFAULT"] == SAPPHIRE_RAPIDS


def test_without_linuxs_description_nothing_is_known_of_the_processor(tmp_path):
    assert processor.here(tmp_path / "none", {}) == Processor()


def test_int8_that_gains_nothing_or_is_far_from_the_network_is_warned_of(caplog):
    caplog.set_level(logging.INFO)
    quantize.report_gain({"float32": 0.010, "int8": 0.006})
    quantize.report_agreement({"exact": (0.99, 0.98), "saturating": (0.98, 0.96)}, 20)
    assert [record.levelname for record in caplog.records] == ["INFO"] * 3
    caplog.clear()
    quantize.report_gain({"float32": 0.010, "int8": 0.006, "bfloat16": 0.005})
    quantize.report_agreement({"exact": (0.99, 0.98), "saturating": (0.93, 0.84)}, 20)
    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert warnings == [
        "int8 gains nothing on this processor: bfloat16 is as fast, and closer to the network",
        "saturating int8 sums, of other x86 processors: masks are not close to the network's; float32 or bfloat16 is"
        " better here",
    ]


def test_both_arithmetics_of_int8_are_computed_whichever_the_processor_has(tmp_path):
    openvino = pytest.importorskip("openvino", reason="pip install -r requirements-engines.txt")
    operations = pytest.importorskip("openvino.opset13")
    # As in findings/openvino_int8_saturates.sh: every input is 255, every weight 127, each a level of its own.
    x = operations.parameter([1, 64, 8, 8], np.float32, name="image")
    quantized = operations.fake_quantize(x, *np.float32([0, 255, 0, 255]), 256)
    kernel = operations.constant(np.full((64, 64, 1, 1), 127, np.float32))
    kernel = operations.fake_quantize(kernel, *np.float32([-127, 127, -127, 127]), 255)
    y = operations.convolution(quantized, kernel, [1, 1], [0, 0], [0, 0], [1, 1])
    x.output(0).set_names({"image"})
    y.output(0).set_names({"probabilities"})
    openvino.save_model(openvino.Model([operations.result(y)], [x]), tmp_path / "graph.xml", compress_to_fp16=False)
    samples = [{"image": np.full((1, 64, 8, 8), 255, np.float32)}] * 2
    for arithmetic, total in ((arithmetics.EXACT, 64 * 255 * 127), (arithmetics.SATURATING, 32 * 32767)):
        found = arithmetics.probabilities(tmp_path / "graph.xml", samples, arithmetic)
        assert len(found) == 2
        assert np.all(found[0] == total)
