"""ImageNet weights in: TF-slim checkpoints, `.npz` archives, Keras files, or by way of `keras.applications`."""

import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from osmn.errors import InputError, in_short
from osmn.models.checkpoints import CheckpointReader
from osmn.models.pretrained.source_files import DOWNLOAD, check_source, is_archive, is_keras
from osmn.networks import Osmn
from osmn.networks.backend import keras, standard_settings


def load(network: Osmn, scope: str, source: Path | str) -> list[str]:
    """Initialize the variables of `scope` ("osmn/modulator" or "osmn/seg") with ImageNet weights.

    `source` is a TF1 checkpoint whose first scope component stands for `scope` (`vgg_16/...`, `MobilenetV1/...`), a
    `.npz` archive of arrays "<layer>/weights" and "<layer>/biases", a Keras VGG16 file (`.h5`, `.weights.h5`) or the
    word "imagenet", which downloads through `keras.applications`. Values of the same name and shape are taken. Returns
    the names of the variables that keep their initial values. Raises InputError if no value fits, or if a fitting value
    is not finite.
    """
    targets = {n: v for n, v in network.tf1_variables().items() if n.startswith(f"{scope}/")}
    check_source(source)
    if is_keras(source):
        backbone = network.config.kind.backbone
        found = _keras_weights(backbone, str(source)) if backbone else {}
        values = {f"{scope}/{name}": value for name, value in found.items()}
    elif is_archive(source):
        values = _read_archive(source, {name: "/".join(name.split("/")[-2:]) for name in targets})
    else:
        reader = CheckpointReader(source)
        names = {f"{scope}/{n.partition('/')[2]}": n for n in reader.shapes}
        fitting = {n for n, v in targets.items() if n in names and tuple(reader.shapes[names[n]]) == tuple(v.shape)}
        values = {n: reader.read(names[n]) for n in fitting}
    taken = {n for n, v in targets.items() if n in values and tuple(np.shape(values[n])) == tuple(v.shape)}
    if not taken:
        raise InputError(f"{source} holds no weights for {scope} of --base_model {network.config.base_model}")
    broken = [name for name in taken if not np.isfinite(values[name]).all()]
    if broken:
        raise InputError(f"{source} has numbers for {min(broken)} that are not finite; download or copy it again")
    for name in taken:
        targets[name].assign(values[name])
    return sorted(set(targets) - taken)


def _keras_weights(backbone: str, source: str) -> dict[str, np.ndarray]:
    """Return ImageNet weights of keras.applications under TF-slim names without their first component."""
    application, named = BACKBONES[backbone]
    model, failure = None, ""
    for include_top in (True, False):
        try:
            with warnings.catch_warnings(), standard_settings():
                warnings.simplefilter("ignore")  # of layers that the file lacks, before Keras refuses it
                model = getattr(keras.applications, application)(
                    weights=source if source == DOWNLOAD else None,
                    include_top=include_top,
                    input_shape=(224, 224, 3),
                )
                if source != DOWNLOAD:
                    model.load_weights(source)
            break
        except Exception as error:  # Keras and the download raise anything.
            model, failure = None, in_short(error)
    if model is None:
        what = "the download of ImageNet weights failed" if source == DOWNLOAD else f"{source} is not a {backbone} file"
        raise InputError(f"{what} ({failure}); give a file instead, see README, 'Weights'")
    weights: dict[str, np.ndarray] = {}
    for layer in model.layers:
        values = [np.asarray(w) for w in layer.weights]
        weights |= named(layer.name, values)
    return weights


def _vgg_names(layer: str, values: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
    if match := re.fullmatch(r"block(\d)_conv(\d)", layer):
        name = "conv{0}/conv{0}_{1}".format(*match.groups())
    elif layer in ("fc1", "fc2"):
        name = {"fc1": "fc6", "fc2": "fc7"}[layer]
        values = [values[0].reshape((7, 7, 512, 4096) if layer == "fc1" else (1, 1, 4096, 4096)), values[1]]
    else:
        return {}
    return {f"{name}/weights": values[0], f"{name}/biases": values[1]}


def _mobilenet_names(layer: str, values: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
    match = re.fullmatch(r"conv(?:_(dw|pw)_(\d+)|1)(_bn)?", layer)
    if not match:
        return {}
    kind, number, norm = match.groups()
    name = f"Conv2d_{number}_{'depthwise' if kind == 'dw' else 'pointwise'}" if kind else "Conv2d_0"
    if norm:
        leaves = ("gamma", "beta", "moving_mean", "moving_variance")
        return {f"{name}/BatchNorm/{leaf}": value for leaf, value in zip(leaves, values, strict=True)}
    if not kind:
        return {f"{name}/weights": values[0][:, :, ::-1]}  # Keras trained it on RGB; the network's input is BGR.
    return {f"{name}/{'depthwise_weights' if kind == 'dw' else 'weights'}": values[0]}


# {backbone: (its name in keras.applications, the function from its layers' names and values to TF-slim's)}
BACKBONES: dict[str, tuple[str, Callable[[str, Sequence[np.ndarray]], dict[str, np.ndarray]]]] = {
    "vgg": ("VGG16", _vgg_names),
    "lite": ("MobileNet", _mobilenet_names),
}


def _read_archive(path: Path | str, names: Mapping[str, str]) -> dict[str, np.ndarray]:
    """Return {key: float32 array} of those `names`, {key: name of an array}, that a `.npz` file has."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            found = {key: archive[name] for key, name in names.items() if name in archive.files}
        kinds = {value.dtype.kind for value in found.values()}
        if not kinds <= set("fiu"):
            raise ValueError("it does not hold numbers")
    except Exception as error:  # A damaged archive raises whatever its readers meet.
        reason = in_short(error)
        raise InputError(f"{path} is not an archive of layers ({reason}); see models/README.md") from None
    with np.errstate(over="ignore"):  # What becomes infinite is refused, by name.
        return {key: value.astype(np.float32, copy=False) for key, value in found.items()}
