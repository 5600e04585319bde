"""What an int8 graph computes on other processors than this one: `python -m osmn.models.engines.arithmetics`.

A process of its own computes it, because oneDNN, OpenVINO's library, decides once per process which instructions it
takes. The process needs no TensorFlow.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from osmn.errors import InputError, in_short
from osmn.models.engines import engine_import, processor
from osmn.models.engines.openvino import compiled_at, read_graph

EXACT, SATURATING = "exact", "saturating"  # The two arithmetics of int8: with VNNI, and without it.
_AS_AVX2 = {"ONEDNN_MAX_CPU_ISA": "AVX2"}
# OpenVINO's own switch: the quantized values are computed in float32, so that no sum saturates on any processor.
_IN_FLOAT32 = {"LP_TRANSFORMS_MODE": "NO"}


def probabilities(graph: Path | str, samples: Sequence[Mapping[str, np.ndarray]], arithmetic: str) -> list[np.ndarray]:
    """Return the probabilities, float32 (N, H, W), that an int8 graph gives for each of `samples` in an arithmetic.

    Args:
        graph: the frame's graph (.xml).
        samples: inputs of one size, {name: array}.
        arithmetic: `EXACT`, as processors with VNNI sum, or `SATURATING`, as other x86 processors do.

    Raises:
        InputError: if the process that computes it fails.
    """
    has_vnni = processor.here(environ={}).exact_int8
    options = _IN_FLOAT32 if arithmetic == EXACT and not has_vnni else {}
    environment = {name: value for name, value in os.environ.items() if name not in _AS_AVX2}
    environment |= _AS_AVX2 if arithmetic == SATURATING else {}
    root = str(Path(__file__).resolve().parents[3])
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
    with tempfile.TemporaryDirectory() as folder:
        inputs, outputs = Path(folder, "inputs.npz"), Path(folder, "outputs.npy")
        stacked: dict[str, Any] = {name: np.stack([each[name] for each in samples]) for name in samples[0]}
        np.savez(inputs, **stacked)
        command = [sys.executable, "-m", __name__, str(graph), str(inputs), str(outputs)]
        command += [f"{name}={value}" for name, value in options.items()]
        done = subprocess.run(
            command, env=environment, capture_output=True, encoding="utf-8", errors="replace", check=False
        )
        if done.returncode:
            raise InputError(f"{graph} cannot be computed in {arithmetic} int8: {in_short(done.stderr[-200:])}")
        return list(np.load(outputs))


def main(graph: str, inputs: str, outputs: str, *options: str) -> None:
    """Compute a graph for the samples in the file `inputs`, with OpenVINO's `options` (NAME=VALUE); see the module."""
    with np.load(inputs) as file:
        stacked = dict(file)
    core = engine_import("openvino").Core()
    chosen = {"INFERENCE_PRECISION_HINT": "f32"} | dict(option.split("=", 1) for option in options)
    compiled = compiled_at(core, read_graph(graph), {name: value.shape[1:] for name, value in stacked.items()}, chosen)
    count = len(next(iter(stacked.values())))
    found = [compiled({name: value[i] for name, value in stacked.items()})["probabilities"] for i in range(count)]
    np.save(outputs, np.stack(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
