"""The four networks of OSMN and how to build one; the boundary net."""

import importlib
from collections.abc import Callable

from osmn.config import ModelConfig
from osmn.networks.base import Osmn
from osmn.networks.execution import INFERENCE, Execution, Part
from osmn.networks.layers import Initialization

__all__ = ["INFERENCE", "Execution", "Initialization", "Osmn", "Part", "build", "network_class"]


def build(config: ModelConfig, dtype: str = "float32", seed: int = 0, small_embedding: bool = False) -> Osmn:
    """Return the `Osmn` network that a `ModelConfig` describes.

    `dtype` is a Keras dtype policy: "float32", "mixed_bfloat16" or "mixed_float16" (float32 variables), "bfloat16" or
    "float16" (for inference), "float64" (to judge the others' rounding). `seed` and `small_embedding` decide the
    initial weights: see `Initialization`.
    """
    return network_class(config)(config, dtype, Initialization(seed, small_embedding=small_embedding))


def network_class(config: ModelConfig) -> Callable[[ModelConfig, str, Initialization], Osmn]:
    """Return the subclass of `Osmn` that `config.NETWORKS` names for a `ModelConfig`."""
    module, _, name = config.kind.network.partition(":")
    return getattr(importlib.import_module(module), name)
