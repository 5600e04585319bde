"""Which device computes, how a network is computed there, and in which number format."""

import logging
import re
from collections.abc import Sequence
from pathlib import Path

import tensorflow as tf

from osmn.config import NETWORKS
from osmn.networks import execution

logger = logging.getLogger(__name__)


def configure(gpu_ids: Sequence[int], deterministic: bool = False) -> None:
    """Have this process compute on the GPUs with these numbers; with `deterministic` every run gives the same bits."""
    use_gpus(gpu_ids)
    if deterministic:
        tf.config.experimental.enable_op_determinism()


# XLA makes one pass of four.
fused_modulate = tf.function(execution.modulate, jit_compile=True)


def fused_normalize(
    x: tf.Tensor, mean: tf.Tensor, variance: tf.Tensor, offset: tf.Tensor, scale: tf.Tensor, epsilon: float
) -> tf.Tensor:
    """Return what `osmn.networks.execution.normalize` does, by one fused kernel where that has the number format.

    `x` is (B, H, W, C), the other tensors (C,).
    """
    if x.dtype == tf.float64:
        return execution.normalize(x, mean, variance, offset, scale, epsilon)
    statistics = {"mean": mean, "variance": variance}
    y, _, _ = tf.compat.v1.nn.fused_batch_norm(x, scale, offset, epsilon=epsilon, is_training=False, **statistics)
    return y


def choose_execution(training: bool = False, fixed_statistics: bool = False) -> execution.Execution:
    """Return the `Execution` that is fast on the visible devices, to segment or to train; for the arguments see it."""
    gpu = bool(tf.config.get_visible_devices("GPU"))
    return execution.Execution(
        training=training,
        fixed_statistics=fixed_statistics,
        # No XLA in training, where its gradient takes minutes on a CPU, and none on a GPU, where XLA needs CUDA tools
        # that a pip installation may lack.
        modulate=execution.modulate if training or gpu else fused_modulate,
        # On a GPU the fused kernel's gradient is not deterministic, and `--deterministic` fails.
        normalize=execution.normalize if gpu else fused_normalize,
    )


def name() -> str:
    """Return the name of what computes, for a reader: the visible GPUs' names, or "CPU"."""
    gpus = tf.config.get_visible_devices("GPU")
    names = [tf.config.experimental.get_device_details(gpu).get("device_name", "a GPU") for gpu in gpus]
    return ", ".join(names) or "CPU"


def training_policy(precision: str) -> str:
    """Return the Keras dtype policy of training in `precision`: the variables stay float32.

    What segments in int8 is trained in float32.
    """
    return "float32" if precision in ("float32", "int8") else f"mixed_{precision}"


def use_gpus(gpu_ids: Sequence[int]) -> None:
    """Make the GPUs with these numbers the only visible GPUs; where a GPU is missing, log a warning and use the CPU."""
    gpus = tf.config.list_physical_devices("GPU")
    missing = [number for number in gpu_ids if number >= len(gpus)]
    if missing:
        tf.config.set_visible_devices([], "GPU")
        logger.warning(f"no GPU {missing[0]} here: running on the CPU")
        return
    tf.config.set_visible_devices([gpus[number] for number in gpu_ids], "GPU")
    for number in gpu_ids:
        tf.config.experimental.set_memory_growth(gpus[number], True)


def has_bfloat16_units(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """Tell whether the device that computes has arithmetic units for bfloat16.

    `cpuinfo` is Linux's description of the CPU; without that file the answer is no.
    """
    gpus = tf.config.get_visible_devices("GPU")
    if gpus:
        capability = tf.config.experimental.get_device_details(gpus[0]).get("compute_capability", (0, 0))
        return capability >= (8, 0)
    try:
        return bool(re.search(r"\b(amx_bf16|avx512_bf16)\b", cpuinfo.read_text(encoding="utf-8", errors="replace")))
    except OSError:
        return False


def default_precision(base_model: str) -> str:
    """Return the precision to use where the user asks for none: bfloat16 where the hardware has units for bfloat16.

    `lite` always gets float32: there bfloat16 gains little, and the masks drift from those of float32 (doc/results.md).
    """
    return "bfloat16" if not NETWORKS[base_model].drifts_in_bfloat16 and has_bfloat16_units() else "float32"
