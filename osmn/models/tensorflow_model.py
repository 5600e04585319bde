"""A model to train or to test: its configuration, its network, and where the weights come from."""

import dataclasses
import functools
import logging
import pkgutil
from pathlib import Path

import numpy as np

from osmn import networks
from osmn.errors import InputError, argument
from osmn.inputs.published import PAD_RATIO
from osmn.models import checkpoint_files, checkpoints
from osmn.models.engines import ENGINE_KINDS
from osmn.models.pretrained import imagenet
from osmn.networks import devices
from osmn.results import manifest

logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Model:
    """A network with weights.

    Attributes:
        network: an `Osmn`; its configuration is `network.config`.
        precision: "float32", "bfloat16" or "float16": of its arithmetic.
        path: the checkpoint that the weights come from; None for initial weights.
        engine: a name of `ENGINES`: what segments with it.
    """

    network: networks.Osmn
    precision: str
    path: Path | None = None
    engine: str = "tensorflow"

    @property
    def config(self):
        """The `ModelConfig` of the network."""
        return self.network.config

    @property
    def files(self):
        """The paths of the checkpoint's files."""
        return checkpoint_files.model_files(self.path) if self.path else []

    def summary(self, im_size):
        """Return one line that says what computes: model, size (width, height), precision, device."""
        origin = f" of {self.path}" if self.path else ""
        size = "x".join(map(str, im_size))
        device = ENGINE_KINDS[self.engine].device or devices.name()
        return f"{self.network.config.base_model}{origin}, {size}, {self.precision}, {device}"

    @functools.cached_property
    def fingerprint(self):
        """The SHA-256 of the weights' file, in hex, taken once; empty for initial weights."""
        return "" if self.path is None else checkpoints.fingerprint(self.path)

    def provenance(self, options):
        """Return what makes results, for a manifest: this model and {name: value} of the options that change them."""
        engine = {} if self.engine == "tensorflow" else {"engine": self.engine}
        options = {"precision": self.precision} | engine | options
        return manifest.provenance(self.path, self.fingerprint, self.network.config, options)

    def for_inference(self):
        """Return the model with its network stored and computed as its engine and precision have it."""
        return dataclasses.replace(self, network=for_inference(self.network, _policy(self.engine, self.precision)))

    def start_engine(self, vg_pad_ratio=PAD_RATIO):
        """Return the engine that segments with the network, an `Engine`.

        `vg_pad_ratio`: the visual guide's crop grows by this part of its sides, on each; 0.03, as published.
        """
        return pkgutil.resolve_name(ENGINE_KINDS[self.engine].start)(self, vg_pad_ratio)


def load(path, given=None, precision=None, engine="tensorflow"):
    """Return the `Model` of a checkpoint, to be tested.

    Args:
        path: a checkpoint's prefix or file, or a folder, of which the newest is taken.
        given: {`ModelConfig` field: value} of what the caller says of the model. It may not contradict the
            configuration beside the checkpoint; where there is none, the rest has its published defaults.
        precision: None for the device's own.
        engine: a name of `ENGINES`.

    Raises:
        InputError: if there is no such checkpoint, or if it does not fit.
    """
    path, config = checkpoint_files.find_model(path, given)
    precision = _precision(precision, config, engine)
    network = networks.build(config, _policy(engine, precision))
    load_weights(network, path)
    return Model(network, precision, path, engine)


def _precision(asked_for, config, engine):
    """Return the precision that is asked for, or the device's own for None."""
    precisions = ENGINE_KINDS[engine].precisions
    if asked_for and asked_for not in precisions:
        computing = f"{argument('engine', engine)} computes in {' or '.join(precisions)}, not in {asked_for}"
        raise InputError(f"{computing}; give another {argument('precision')}")
    return asked_for or devices.default_precision(config.base_model)


def _policy(engine, precision):
    """Return the dtype policy of the network that an engine segments with in a precision."""
    return "float32" if ENGINE_KINDS[engine].float32_network else precision


def new_for_training(options):
    """Return the `Model` that a training begins with, as its `StartOptions` say.

    Raises InputError as `load` does.
    """
    newest, start, config = checkpoint_files.find_start(options.whole_model_path, options.folder, options.given)
    config = dataclasses.replace(config, im_size=options.im_size)
    engine = options.engine or "tensorflow"
    precision = _precision(options.precision, config, engine)
    policy = devices.training_policy(precision)
    network = networks.build(config, policy, options.seed, small_embedding=options.embedding_start == "small")
    if start:
        load_weights(network, start)
    elif options.pretrained and not newest:
        load_imagenet(network, options.pretrained)
    return Model(network, precision, newest or start, engine)


def load_imagenet(network, weights):
    """Load `ImageNetWeights`, and log which variables keep their initial values."""
    sources = {"osmn/modulator": weights.vis_mod_model_path, "osmn/seg": weights.seg_model_path}
    for scope, source in sources.items():
        if scope == "osmn/modulator" and network.config.no_visual_modulator:
            continue
        initial = imagenet.load(network, scope, source)
        logger.info(f"{scope} from {source}; initial values: {checkpoints.listing(initial) or 'none'}")


def load_weights(network, path):
    """Load a checkpoint into a network; warn of what it holds that the network has no use for."""
    unused = checkpoints.load_weights(network, path)
    if unused:
        logger.warning(f"{path}: not used by this network: {checkpoints.listing(unused)}")


def trained(model, folder):
    """Return a `Model` that has been trained as the one to test: in its precision, of `folder`'s newest checkpoint."""
    path = checkpoint_files.newest_checkpoint(folder) or model.path  # Without any step there is none.
    return dataclasses.replace(model.for_inference(), path=path)


def for_inference(network, precision):
    """Return a network with `network`'s weights, stored and computed in `precision`."""
    if network.dtype_policy.name == precision:
        return network
    copy = networks.build(network.config, precision)
    copy_weights(network, copy)
    return copy


def averaged(model, other):
    """Return `model` with the mean of its weights and those of `other`, of the same training at another time.

    Raises InputError for another network, or one that sees other inputs.
    """
    shift = (model.config.bias_shift + other.config.bias_shift) / 2
    ours, theirs = (dataclasses.replace(each.config, im_size=None, bias_shift=shift) for each in (model, other))
    if ours != theirs:
        raise InputError(f"{model.path} and {other.path} are of different networks or inputs; they have no mean")
    variables = other.network.tf1_variables()
    for name, variable in model.network.tf1_variables().items():
        variable.assign((np.asarray(variable, np.float32) + np.asarray(variables[name], np.float32)) / 2)
    model.network.config = dataclasses.replace(ours, im_size=model.config.im_size)
    return model


def copy_weights(network, copy):
    """Give `copy`, from `for_inference`, the weights that `network` has now."""
    if copy is not network:
        set_weights(copy, network.tf1_variables())


def set_weights(network, values):
    """Give a network the weights {TF1 name: variable or array}."""
    for name, variable in network.tf1_variables().items():
        variable.assign(np.asarray(values[name], np.float32))
