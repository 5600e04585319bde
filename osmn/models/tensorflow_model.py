"""A model to train or to test: its configuration, its network, and the origin of its weights."""

from __future__ import annotations

import dataclasses
import functools
import logging
import pkgutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from osmn import networks
from osmn.config import PAD_RATIO, ModelConfig
from osmn.errors import InputError, argument
from osmn.models import checkpoint_files, checkpoints, stored_weights
from osmn.models.engines import AUTO, ENGINE_KINDS, Engine, choice
from osmn.models.pretrained import imagenet
from osmn.models.start import ImageNetWeights, StartOptions
from osmn.networks import devices
from osmn.networks.backend import keras
from osmn.results import manifest

logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Model:
    """A network with weights.

    Attributes:
        network: an `Osmn`; its configuration is `network.config`.
        precision: of the arithmetic: "float32", "bfloat16" or "float16".
        path: the checkpoint that the weights come from; None for initial weights.
        engine: what segments with the model, a name of `ENGINES`.
    """

    network: networks.Osmn
    precision: str
    path: Path | None = None
    engine: str = "tensorflow"
    only_size: tuple[int, int] | None = None  # See `SegmentationModel`: of any size.

    @property
    def config(self) -> ModelConfig:
        """The `ModelConfig` of the network."""
        return self.network.config

    @property
    def has_appearance(self) -> bool:
        """See `SegmentationModel.has_appearance`."""
        return self.config.has_appearance and ENGINE_KINDS[self.engine].appearance

    @property
    def files(self) -> list[Path]:
        """The paths of the checkpoint's files."""
        return checkpoint_files.model_files(self.path) if self.path else []

    def summary(self, im_size: tuple[int, int] | None) -> str:
        """Return a line that says what computes: model, size (width, height), precision, device.

        `im_size` None stands for frames that keep their shape.
        """
        origin = f" of {self.path}" if self.path else ""
        size = "x".join(map(str, im_size)) if im_size else "frames in their own shape"
        device = ENGINE_KINDS[self.engine].device or devices.name()
        return f"{self.network.config.base_model}{origin}, {size}, {self.precision}, {device}"

    @functools.cached_property
    def fingerprint(self) -> str:
        """The SHA-256 of the weights' file, in hex, computed once; empty for initial weights."""
        return "" if self.path is None else stored_weights.fingerprint(self.path)

    def provenance(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Return what makes results, for a manifest: this model and the options that change results, {name: value}."""
        engine = {} if self.engine == "tensorflow" else {"engine": self.engine}
        all_options = {"precision": self.precision, **engine, **options}
        return manifest.provenance(self.path, self.fingerprint, self.network.config, all_options)

    def for_inference(self) -> Model:
        """Return the model with its network stored and computed in the format of its engine and precision."""
        return dataclasses.replace(self, network=for_inference(self.network, _policy(self.engine, self.precision)))

    def start_engine(self, vg_pad_ratio: float = PAD_RATIO) -> Engine:
        """Return the engine that segments with the network.

        `vg_pad_ratio`: each side of the visual guide's crop moves outward by this part of the crop's side; 0.03, as
        published.
        """
        return pkgutil.resolve_name(ENGINE_KINDS[self.engine].start)(self, vg_pad_ratio)


def load(
    path: Path | str, given: Mapping[str, Any] | None = None, precision: str | None = None, engine: str = "tensorflow"
) -> Model:
    """Return the `Model` of a checkpoint, to be tested.

    Args:
        path: a checkpoint's prefix or file, or a folder, whose newest checkpoint is taken.
        given: {`ModelConfig` field: value} of what the caller says of the model. It may not contradict the
            configuration beside the checkpoint; without that configuration the other fields have their published
            defaults.
        precision: None for the default of the device.
        engine: a name of `ENGINES`.

    Raises:
        InputError: if there is no such checkpoint, or if the checkpoint does not fit.
    """
    path, config = checkpoint_files.find_model(path, given)
    precision = _precision(precision, config, engine)
    network = networks.build(config, _policy(engine, precision))
    load_weights(network, path)
    return Model(network, precision, path, engine)


def _precision(asked_for: str | None, config: ModelConfig, engine: str) -> str:
    """Return the precision that is asked for, or for None the default of the device."""
    precisions = ENGINE_KINDS[engine].precisions
    if asked_for and asked_for not in precisions:
        computing = f"{argument('engine', engine)} computes in {' or '.join(precisions)}, not in {asked_for}"
        raise InputError(f"{computing}; give another {argument('precision')}")
    if asked_for == "int8" and not config.kind.int8:
        raise InputError(
            f"{argument('precision', asked_for)} is not for {config.base_model}; give another {argument('precision')}"
        )
    return asked_for or devices.default_precision(config.base_model)


def _policy(engine: str, precision: str) -> str:
    """Return the dtype policy of the network that an engine segments with in a precision."""
    return "float32" if ENGINE_KINDS[engine].float32_network else precision


def new_for_training(options: StartOptions) -> Model:
    """Return the `Model` that a training begins with, as its `StartOptions` say.

    Raises InputError as `load` does.
    """
    newest, start, config = checkpoint_files.find_start(options.whole_model_path, options.folder, options.given)
    config = dataclasses.replace(config, im_size=options.im_size)
    engine = options.engine or "tensorflow"
    if engine == AUTO:
        engine = choice.choose(options.precision).engine
    precision = _precision(options.precision, config, engine)
    policy = devices.training_policy(precision)
    network = networks.build(config, policy, options.seed, small_embedding=options.embedding_start == "small")
    if start:
        load_weights(network, start)
    elif options.pretrained and not newest:
        load_imagenet(network, options.pretrained)
    elif options.backbone and not newest:
        load_backbone(network, checkpoint_files.find_checkpoint(options.backbone))
    return Model(network, precision, newest or start, engine)


def load_imagenet(network: networks.Osmn, weights: ImageNetWeights) -> None:
    """Load `ImageNetWeights`, and log which variables keep their initial values."""
    sources = {"osmn/modulator": weights.vis_mod_model_path, "osmn/seg": weights.seg_model_path}
    for scope, source in sources.items():
        if scope == "osmn/modulator" and network.config.no_visual_modulator:
            continue
        initial = imagenet.load(network, scope, source)
        logger.info(f"{scope} from {source}; initial values: {stored_weights.listing(initial) or 'none'}")


def load_backbone(network: networks.Osmn, path: Path) -> None:
    """Load the weights of a checkpoint that have a network's names and shapes; log which others stay as they are.

    Raises InputError if there is none.
    """
    reader = checkpoints.CheckpointReader(path)
    variables = network.tf1_variables()
    fitting = {n: v for n, v in variables.items() if tuple(reader.shapes.get(n, ())) == tuple(v.shape)}
    if not fitting:
        raise InputError(f"{path} has no weights of {network.config.base_model}; give a model of lite")
    for name, variable in fitting.items():
        variable.assign(reader.read(name))
    initial = [name for name in variables if name not in fitting]
    logger.info(f"{len(fitting)} variables from {path}; initial values: {checkpoints.listing(initial) or 'none'}")


def load_weights(network: networks.Osmn, path: Path | str) -> None:
    """Load a checkpoint into a network; log a warning that lists the variables which the network does not use."""
    unused = checkpoints.load_weights(network, path)
    if unused:
        logger.warning(f"{path}: not used by this network: {stored_weights.listing(unused)}")


def trained(model: Model, folder: Path | str) -> Model:
    """Return a `Model` that has been trained as a model to test, in its precision, of `folder`'s newest checkpoint."""
    path = checkpoint_files.newest_checkpoint(folder) or model.path  # A training without steps has no checkpoint.
    return dataclasses.replace(model.for_inference(), path=path)


def for_inference(network: networks.Osmn, precision: str) -> networks.Osmn:
    """Return a network with `network`'s weights, stored and computed in `precision`."""
    if network.dtype_policy.name == precision:
        return network
    copy = networks.build(network.config, precision)
    copy_weights(network, copy)
    return copy


def averaged(model: Model, others: Sequence[Model]) -> Model:
    """Return `model` with the mean of its weights and of the weights of `others`, trained from the same start.

    Such means are often better than each (Wortsman et al., "Model soups", ICML 2022). Raises InputError if networks or
    inputs differ.
    """
    models = [model, *others]
    shift = sum(each.config.bias_shift for each in models) / len(models)
    ours, *theirs = (dataclasses.replace(each.config, im_size=None, bias_shift=shift) for each in models)
    for other, config in zip(others, theirs, strict=True):
        if config != ours:
            raise InputError(f"{model.path} and {other.path} are of different networks or inputs; they have no mean")
    all_variables = [each.network.tf1_variables() for each in models]
    for name, variable in all_variables[0].items():
        total = sum(np.asarray(variables[name], np.float32) for variables in all_variables)
        variable.assign(total / len(models))
    model.network.config = dataclasses.replace(ours, im_size=model.config.im_size)
    return model


def copy_weights(network: networks.Osmn, copy: networks.Osmn) -> None:
    """Give `copy`, a result of `for_inference`, the present weights of `network`."""
    if copy is not network:
        set_weights(copy, network.tf1_variables())


def set_weights(network: networks.Osmn, values: Mapping[str, keras.Variable | tf.Variable | np.ndarray]) -> None:
    """Give a network the weights {TF1 name: variable or array}."""
    for name, variable in network.tf1_variables().items():
        variable.assign(np.asarray(values[name], np.float32))
