"""The golden files: what the published network computes, from weights and inputs that any machine can make again.

`weight` and `inputs` are those numbers; each has its own generator, so that one can be made without the others.
"""

import functools
import json
import zlib
from pathlib import Path

import numpy as np

from osmn.config import ModelConfig

FOLDER = Path(__file__).resolve().parents[1] / "goldens"
HEIGHT, WIDTH = 96, 160
VARIANTS = {
    "osvos": ModelConfig(),
    "osvos_early": ModelConfig(mod_early_conv=True),
    "osvos_novis": ModelConfig(no_visual_modulator=True),
    "osvos_nosp": ModelConfig(no_spatial_modulator=True),
    "deeplab": ModelConfig(base_model="deeplab"),
    "masktrack": ModelConfig(base_model="masktrack"),
    "lite": ModelConfig(base_model="lite"),
}


def outputs(variant):
    """Return the published network's outputs, {key: array}."""
    with np.load(FOLDER / f"{variant}_{HEIGHT}x{WIDTH}_b1.npz") as file:
        return dict(file)


def variables(variant):
    """Return the published graph's variables: TF1 name -> (shape, trainable)."""
    described = json.loads((FOLDER / f"{variant}.variables.json").read_text())
    return {name: (tuple(v["shape"]), v["trainable"]) for name, v in described.items()}


def assign_weights(network):
    """Give an `Osmn` network the weights behind the golden files."""
    for name, variable in network.tf1_variables().items():
        variable.assign(weight(name, tuple(variable.shape)))


@functools.cache  # The seven variants share most of their weights; all together are 0.8 GB.
def weight(name, shape):
    """Return a variable's value, float32, from a generator seeded with the CRC-32 of its TF1 name."""
    if "-up/" in name:
        return _bilinear(shape)
    generator = np.random.Generator(np.random.PCG64(zlib.crc32(name.encode())))
    value = generator.standard_normal(shape, np.float32)
    value *= np.float32(_deviation(name, shape))
    leaf = name.rpartition("/")[2]
    if leaf == "gamma" or (leaf == "biases" and _makes_gammas(name)):
        value += 1
    return np.exp(value) if leaf == "moving_variance" else value


def _deviation(name, shape):
    """Return the standard deviation: He's for kernels, with small last layers, 0.1 for everything else."""
    leaf = name.rpartition("/")[2]
    if leaf not in ("weights", "depthwise_weights"):
        return 0.1
    gain = 1.0
    if "Conv2d_out_" in name or "fc8" in name:
        gain = 0.005
    elif "upscore-fuse" in name:
        gain = 0.02
    inputs_per_output = np.prod(shape[: 3 if leaf == "weights" else 2])
    return gain * np.sqrt(2 / inputs_per_output)


def _makes_gammas(name):
    return "Conv2d_out_" in name or ("modulator" in name and "fc8/" in name)


def _bilinear(shape):
    size, _, channels, _ = shape
    triangle = 1 - abs(np.arange(size) * 2 + 1 - size) / size
    return np.einsum("i,j,cd->ijcd", triangle, triangle, np.eye(channels)).astype(np.float32)


def inputs(variant="osvos", seed=None, batch=1, height=HEIGHT, width=WIDTH):
    """Return guide (B, 224, 224, 3), spatial (B, H, W, 1), image (B, H, W, 3) and label (B, H, W, 1), float32.

    `seed` None: that of the golden files. Images are noise; label and spatial guide are an ellipse per image.
    """
    generator = np.random.default_rng(int(outputs(variant)["seed"]) if seed is None else seed)
    scale = 0.02 if variant == "lite" else 1.0
    guide = (generator.normal(0, 50, (batch, 224, 224, 3)) * scale).astype(np.float32)
    image = (generator.normal(0, 50, (batch, height, width, 3)) * scale).astype(np.float32)
    uniform = generator.random((batch, 4, 1, 1))  # per image: centre y, x, radius y, x
    size = np.reshape([height, width], (2, 1, 1))
    centre, radius = size * (0.35 + 0.3 * uniform[:, :2]), size * (0.1 + 0.1 * uniform[:, 2:])
    distance = (((np.indices((height, width)) - centre) / radius) ** 2).sum(axis=1)[..., None]
    return guide, np.exp(-distance / 2).astype(np.float32), image, (distance < 2).astype(np.float32)
