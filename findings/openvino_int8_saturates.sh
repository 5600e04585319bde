#!/usr/bin/env bash
# OpenVINO's int8 convolution is silently wrong on a processor without VNNI.
#
# Version: openvino 2026.4.1 from PyPI, its CPU plugin, on x86-64.
# Input: a valid model, as NNCF writes one: a convolution 1x1 of 64 channels, whose input is quantized to 256 levels
#   from 0 to 255 and whose kernel to 255 levels from -127 to 127. Every input is 255, every weight 127: all of them are
#   levels, so that quantizing changes nothing.
# To expect: 64 * 255 * 127 = 2072640 at every position, on every processor: int8 products summed in 32 bits.
# What happens: with VNNI 2072640. Without VNNI 1048544, about half of it, and nothing is said. Pairs of products are
#   added in 16 bits (the instruction vpmaddubsw), where 2 * 255 * 127 = 64770 saturates at 32767: 32 * 32767 = 1048544.
# Who meets it: Intel before Cascade Lake (2019) and its desktop processors before 2021, AMD before Zen 4 (2022), with
#   any int8 model whose activations and weights are large at once.
# Source: known, and open: https://github.com/openvinotoolkit/openvino/issues/25342. OpenVINO documented it as the
#   "saturation issue" (docs.openvino.ai/latest/pot_saturation_issue.html, of the tool before NNCF), oneDNN does in
#   "Nuances of int8 Computations" of its developer guide. At run time nothing tells of it. NNCF guards the first layer
#   alone, unless it is asked for more.
# What to do instead: quantize with NNCF's overflow fix for all layers,
#   AdvancedQuantizationParameters(overflow_fix=OverflowFix.ENABLE), which uses half the range of the weights; or run
#   float32 there. And compare the results in both arithmetics, under ONEDNN_MAX_CPU_ISA=AVX2 and without it, on a
#   processor that has VNNI, before a model is given to others.
# The precision of what is not quantized is set to float32. On a processor with bfloat16 it is bfloat16 otherwise, which
#   rounds the sum to 2072576; and under ONEDNN_MAX_CPU_ISA=AVX2 bfloat16 gives what lies in memory, NaN among it.
# Output seen, on an AMD EPYC (Zen 5, with VNNI):
#   ONEDNN_MAX_CPU_ISA=AVX2: 1048544
#   ONEDNN_MAX_CPU_ISA=AVX512_CORE: 1048544
#   ONEDNN_MAX_CPU_ISA=DEFAULT: 2072640
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet openvino==2026.4.1 numpy==2.4.6

cat > "$folder/probe.py" <<'PYTHON'
import numpy as np
import openvino
from openvino import opset13 as operations

x = operations.parameter([1, 64, 8, 8], np.float32)
image = operations.fake_quantize(x, *np.float32([0, 255, 0, 255]), 256)
kernel = operations.constant(np.full((64, 64, 1, 1), 127, np.float32))
kernel = operations.fake_quantize(kernel, *np.float32([-127, 127, -127, 127]), 255)
y = operations.convolution(image, kernel, [1, 1], [0, 0], [0, 0], [1, 1])
model = openvino.Model([operations.result(y)], [x])
compiled = openvino.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
found = compiled(np.full((1, 64, 8, 8), 255, np.float32))[0]
print(*sorted({int(value) for value in found.ravel()}))
PYTHON

changed=0
expect() {  # ISA, sum
    sum=$(ONEDNN_MAX_CPU_ISA=$1 "$folder/venv/bin/python" "$folder/probe.py")
    echo "ONEDNN_MAX_CPU_ISA=$1: $sum"
    if [ "$sum" != "$2" ]; then
        echo "changed: $2 was seen before"
        changed=1
    fi
}
has() { grep -qw "$1" /proc/cpuinfo; }

if ! has avx2; then
    echo "not run: this processor has no AVX2"
    exit 1
fi
expect AVX2 1048544
if has avx512bw; then expect AVX512_CORE 1048544; fi
if has avx512_vnni || has avx_vnni; then expect DEFAULT 2072640; else expect DEFAULT 1048544; fi
exit $changed
