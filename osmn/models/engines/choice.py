"""Which engine segments, and in which number format, where the user leaves that to the program: `--engine auto`."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from osmn.models.engines import processor
from osmn.models.engines.processor import Processor

GPU_NODES = ("dev/nvidia[0-9]*", "dev/kfd")  # Linux's, of NVIDIA's and of AMD's GPUs.


INT8_AGREES = "and masks agree in 99 of 100 pixels"  # IoU with float32's 0.991 to 0.993 (doc/results.md).


class Choice(NamedTuple):
    """An engine, the precision to ask it for (None: its default), and why, for people."""

    engine: str
    precision: str | None
    reason: str

    def line(self) -> str:
        """Return a line that says what segments and why."""
        name = {"openvino": "OpenVINO", "tensorflow": "TensorFlow"}[self.engine]
        return f"segmenting by {name}{f' in {self.precision}' if self.precision else ''}: {self.reason}"


def default_precision(chip: Processor) -> tuple[str, str]:
    """Return the precision that OpenVINO computes in where the user asks for none, and why."""
    if chip.fast_bfloat16:
        return "bfloat16", "it is fastest on this processor"
    if not chip.flags:
        return "float32", "nothing is known of this processor"
    return "float32", "this processor has no AMX, and no AVX512-BF16 that is AMD's"


def fastest_precision(chip: Processor, int8: bool) -> tuple[str, str]:
    """Return the precision that is fastest in OpenVINO and agrees with the network, and why.

    `int8` says whether the network has a graph in int8, see `config.NetworkKind`.
    """
    if int8 and chip.fast_int8:
        return "int8", f"it is fastest on this processor, {INT8_AGREES}"
    return default_precision(chip)


def choose(
    precision: str | None,
    chip: Processor | None = None,
    has_openvino: bool | None = None,
    find_gpu: Callable[[], str | None] | None = None,
    int8: bool = False,
) -> Choice:
    """Return the `Choice` of an engine for a checkpoint.

    Args:
        precision: what the user asks for; None for what is fastest.
        chip: the processor; None for this one.
        has_openvino: whether OpenVINO is installed; None to look.
        find_gpu: returns the name of a GPU that TensorFlow computes on, or None; None for `usable_gpu`.
        int8: whether the network has a graph in int8.
    """
    if precision == "float16":
        return Choice("tensorflow", precision, "OpenVINO does not compute in float16")
    if gpu := (find_gpu or usable_gpu)():
        return Choice("tensorflow", precision, f"{gpu} is there")
    if not (is_installed("openvino") if has_openvino is None else has_openvino):
        return Choice("tensorflow", precision, "the faster OpenVINO is not installed; pip install openvino")
    if precision:
        return Choice("openvino", precision, "it is faster on a CPU, and the precision is asked for")
    return Choice("openvino", *fastest_precision(chip or processor.here(), int8))


def is_installed(package: str) -> bool:
    """Tell whether a package is there to be imported, without importing it."""
    try:
        return importlib.util.find_spec(package) is not None
    except ValueError:  # Python's answer for a module without a specification, such as a stand-in.
        return True


def usable_gpu(root: Path = Path("/")) -> str | None:
    """Return the name of a GPU that TensorFlow computes on, or None; TensorFlow is imported where the system has one.

    `root` is of Linux's device files. Elsewhere TensorFlow has no GPU.
    """
    if not any(path for nodes in GPU_NODES for path in root.glob(nodes)) or not is_installed("tensorflow"):
        return None
    from osmn.networks import devices

    name = devices.name()
    return None if name == "CPU" else name
