"""Which device computes, how a network is computed there, and in which number format."""

import logging
import re
from pathlib import Path

import tensorflow as tf

from osmn.config import NETWORKS
from osmn.networks import execution

logger = logging.getLogger(__name__)


def configure(gpu_ids, deterministic=False):
    """Have this process compute on the GPUs with these numbers, and with `deterministic` the same bits in every run."""
    use_gpus(gpu_ids)
    if deterministic:
        tf.config.experimental.enable_op_determinism()


# XLA makes one pass of four.
fused_modulate = tf.function(execution.modulate, jit_compile=True)


def fused_normalize(x, mean, variance, offset, scale, epsilon):
    """Return what `osmn.networks.execution.normalize` does, by one fused kernel where it has the number format."""
    if x.dtype == tf.float64:
        return execution.normalize(x, mean, variance, offset, scale, epsilon)
    statistics = {"mean": mean, "variance": variance}
    y, _, _ = tf.compat.v1.nn.fused_batch_norm(x, scale, offset, epsilon=epsilon, is_training=False, **statistics)
    return y


def choose_execution(training=False, fixed_statistics=False):
    """Return the `Execution` that is fast on the visible devices, to segment or to train; see there."""
    gpu = bool(tf.config.get_visible_devices("GPU"))
    return execution.Execution(
        training=training,
        fixed_statistics=fixed_statistics,
        # Not in training, where the gradient of XLA's takes minutes on a CPU, nor on a GPU, where XLA needs CUDA tools
        # that a pip installation may lack.
        modulate=execution.modulate if training or gpu else fused_modulate,
        # On a GPU the fused kernel's gradient is not deterministic, and `--deterministic` fails.
        normalize=execution.normalize if gpu else fused_normalize,
    )


def name():
    """Return what computes, as one reads it: the visible GPUs' names, or the CPU."""
    gpus = tf.config.get_visible_devices("GPU")
    names = [tf.config.experimental.get_device_details(gpu).get("device_name", "a GPU") for gpu in gpus]
    return ", ".join(names) or "CPU"


def training_policy(precision):
    """Return the Keras dtype policy of training in `precision`: the variables stay float32."""
    return "float32" if precision == "float32" else f"mixed_{precision}"


def use_gpus(gpu_ids):
    """Make the GPUs with these numbers the only visible ones; where one is missing, say so and use the CPU."""
    gpus = tf.config.list_physical_devices("GPU")
    missing = [number for number in gpu_ids if number >= len(gpus)]
    if missing:
        tf.config.set_visible_devices([], "GPU")
        logger.warning(f"no GPU {missing[0]} here: running on the CPU")
        return
    tf.config.set_visible_devices([gpus[number] for number in gpu_ids], "GPU")
    for number in gpu_ids:
        tf.config.experimental.set_memory_growth(gpus[number], True)


def has_bfloat16_units(cpuinfo=Path("/proc/cpuinfo")):
    """Tell whether the device that computes has arithmetic units for bfloat16; of a CPU, Linux's `cpuinfo` tells."""
    gpus = tf.config.get_visible_devices("GPU")
    if gpus:
        capability = tf.config.experimental.get_device_details(gpus[0]).get("compute_capability", (0, 0))
        return capability >= (8, 0)
    try:
        return bool(re.search(r"\b(amx_bf16|avx512_bf16)\b", cpuinfo.read_text()))
    except OSError:
        return False


def default_precision(base_model):
    """Return the precision to use where none is asked for: bfloat16 where the hardware has units for it.

    Not for `lite`: there it gains little, and the masks drift from those of float32 (doc/results.md).
    """
    return "bfloat16" if not NETWORKS[base_model].drifts_in_bfloat16 and has_bfloat16_units() else "float32"
