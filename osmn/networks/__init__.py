"""The four networks of OSMN and how to build one."""

from osmn.networks.base import NetworkOptions, Osmn
from osmn.networks.execution import INFERENCE, Execution, Part
from osmn.networks.layers import Initialization
from osmn.networks.mobilenet import LiteOsmn
from osmn.networks.vgg import VggOsmn

__all__ = ["BASE_MODELS", "INFERENCE", "Execution", "Initialization", "NetworkOptions", "Osmn", "Part", "build"]

BASE_MODELS = {"osvos": VggOsmn, "masktrack": VggOsmn, "deeplab": VggOsmn, "lite": LiteOsmn}


def build(options, dtype="float32", seed=0):
    """Return the `Osmn` network that `options` (a NetworkOptions) describe.

    `dtype` is a Keras dtype policy: "float32", "mixed_bfloat16" or "mixed_float16" (float32 variables), "bfloat16" or
    "float16" (for inference). `seed` decides the initial weights.
    """
    return BASE_MODELS[options.base_model](options, dtype, Initialization(seed=seed))
