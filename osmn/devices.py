"""Which device computes, and in which number format."""

import re
import sys
from pathlib import Path

import tensorflow as tf


def configure(args):
    """Choose the devices of `--gpu_id`; return the precision: `--precision`, or the device's own."""
    use_gpus(args.gpu_id if isinstance(args.gpu_id, list) else [args.gpu_id])
    if getattr(args, "deterministic", False):
        tf.config.experimental.enable_op_determinism()
    return args.precision or default_precision(args.base_model)


def training_policy(precision):
    """Return the Keras dtype policy of training in `precision`: the variables stay float32."""
    return "float32" if precision == "float32" else f"mixed_{precision}"


def use_gpus(gpu_ids):
    """Make the GPUs with these numbers the only visible ones; where one is missing, say so and use the CPU."""
    gpus = tf.config.list_physical_devices("GPU")
    missing = [number for number in gpu_ids if number >= len(gpus)]
    if missing:
        tf.config.set_visible_devices([], "GPU")
        print(f"no GPU {missing[0]} here: running on the CPU", file=sys.stderr)
        return
    tf.config.set_visible_devices([gpus[number] for number in gpu_ids], "GPU")
    for number in gpu_ids:
        tf.config.experimental.set_memory_growth(gpus[number], True)


def has_bfloat16_units():
    """Tell whether the device that computes has arithmetic units for bfloat16."""
    gpus = tf.config.get_visible_devices("GPU")
    if gpus:
        capability = tf.config.experimental.get_device_details(gpus[0]).get("compute_capability", (0, 0))
        return capability >= (8, 0)
    try:
        return bool(re.search(r"\b(amx_bf16|avx512_bf16)\b", Path("/proc/cpuinfo").read_text()))
    except OSError:
        return False


def default_precision(base_model):
    """Return the precision to use where none is asked for: bfloat16 where the hardware has units for it.

    Not for `lite`: there it gains little, and the masks drift from those of float32 (doc/results.md).
    """
    return "bfloat16" if base_model != "lite" and has_bfloat16_units() else "float32"
