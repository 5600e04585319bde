"""What the processor computes fast and exactly: its vendor and instructions decide the number format of an engine."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

# What each value of oneDNN's variable leaves out of the processor's instructions; OpenVINO computes by oneDNN.
_BFLOAT16 = frozenset({"avx512_bf16", "amx_bf16", "amx_tile", "amx_int8", "avx512_fp16"})
_VNNI = frozenset({"avx512_vnni"})
_LEFT_OUT = {
    "SSE41": _BFLOAT16 | _VNNI | {"avx_vnni", "avx2"},
    "AVX": _BFLOAT16 | _VNNI | {"avx_vnni", "avx2"},
    "AVX2": _BFLOAT16 | _VNNI | {"avx_vnni"},
    "AVX2_VNNI": _BFLOAT16 | _VNNI,
    "AVX512_CORE": _BFLOAT16 | _VNNI | {"avx_vnni"},
    "AVX512_CORE_VNNI": _BFLOAT16,
    "AVX512_CORE_BF16": _BFLOAT16 - {"avx512_bf16"},
    "AVX512_CORE_FP16": _BFLOAT16 - {"avx512_bf16", "avx512_fp16"},
}


class Processor(NamedTuple):
    """A processor: `vendor` and `flags` as Linux's /proc/cpuinfo has them, "AuthenticAMD" and {"avx2", ...}."""

    vendor: str = ""
    flags: frozenset[str] = frozenset()

    @property
    def fast_bfloat16(self) -> bool:
        """Whether OpenVINO is faster in bfloat16 than in float32.

        It is with AMX, and on AMD with AVX512-BF16 (3.5 instead of 6.8 ms per frame of `lite` on Zen 5). Intel's
        processors that have AVX512-BF16 without AMX take 1.5 times as long in bfloat16 (doc/results.md).
        """
        return "amx_bf16" in self.flags or (self.vendor == "AuthenticAMD" and "avx512_bf16" in self.flags)

    @property
    def fast_int8(self) -> bool:
        """Whether OpenVINO is faster in int8 than in any other precision.

        It is where there is AVX2: `lite` at 640x352 takes 29 instead of 44 ms in float32 on Zen 5 kept to AVX2, 9.6
        instead of 15.7 kept to AVX512 with VNNI; on Zen 4 11.7 instead of 15.5 in bfloat16, in which the rest is then.
        With AMX nobody has measured it.
        """
        return "avx2" in self.flags and "amx_bf16" not in self.flags

    @property
    def exact_int8(self) -> bool:
        """Whether int8 products are summed in 32 bits; without VNNI pairs of them saturate in 16 bits.

        See findings/openvino_int8_saturates.sh.
        """
        return bool({"avx512_vnni", "avx_vnni", "amx_int8"} & self.flags)

    @property
    def why_no_int8(self) -> str:
        """Why an export in int8 gains nothing on this processor, for people; empty where it does, or is not measured.

        A frame of an export of `lite` takes 0.57 of float32's time in bfloat16 on Zen 4, 0.56 in int8, which leaves
        more layers out than `--precision int8` of a checkpoint does.
        """
        if self.fast_bfloat16 and "amx_bf16" not in self.flags:
            return "bfloat16 is as fast here, and closer to the network"
        if self.flags and "avx2" not in self.flags:
            return "this processor has no AVX2, and float32 is as fast"
        return ""


def here(cpuinfo: Path = Path("/proc/cpuinfo"), environ: Mapping[str, str] = os.environ) -> Processor:
    """Return the processor that this program runs on; without Linux's description of it, one without any flags.

    Args:
        cpuinfo: Linux's description.
        environ: its ONEDNN_MAX_CPU_ISA keeps OpenVINO from instructions that the processor has.
    """
    try:
        text = cpuinfo.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return Processor()
    vendor = re.search(r"^vendor_id[ \t]*:[ \t]*(\S+)", text, re.MULTILINE)
    flags = re.search(r"^flags[ \t]*:[ \t]*(.*)", text, re.MULTILINE)
    known = frozenset(flags.group(1).split() if flags else ())
    left_out = _LEFT_OUT.get(environ.get("ONEDNN_MAX_CPU_ISA", "").upper(), frozenset())
    return Processor(vendor.group(1) if vendor else "", known - left_out)
