"""Weights in and out: TF1 name-based checkpoints, released or our own, and ImageNet weights in several formats.

Our training checkpoints have the published format: the variables under their TF1 names, Adam's slots as `<name>/Adam`
and `<name>/Adam_1`, `beta1_power`, `beta2_power` and `global_step`. One reader serves all, and the published program
can load what we write. `python -m osmn.checkpoints export` strips the optimizer's part.
"""

import argparse
import contextlib
import os
import pickle
import re
import shutil
import sys
import tempfile
import warnings
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from osmn import args as arguments
from osmn import networks
from osmn.errors import InputError, reports_input_errors

CHECKPOINT_NAME = "osmn.ckpt"
ADAM_SLOTS = ("Adam", "Adam_1")  # first and second moments
AVERAGE = "ExponentialMovingAverage"  # TF1's name for it
COUNTERS = ("beta1_power", "beta2_power", "global_step", "loss_scale", "loss_scale_steps")


def find_checkpoint(path):
    """Return the prefix or file that `path` means: itself, or the newest `osmn.ckpt-<step>` of a folder.

    Raises InputError if there is none.
    """
    path = Path(path)
    if path.is_dir():
        newest = newest_checkpoint(path)
        if newest is None:
            raise InputError(f"{path} holds no checkpoint named {CHECKPOINT_NAME}-<step>; name one by its prefix")
        return newest
    path = Path(re.sub(r"\.(index|data-\d+-of-\d+)$", "", str(path)))
    if not path.is_file() and not Path(f"{path}.index").is_file():
        raise InputError(f"{path} does not exist, neither as a file nor as a checkpoint prefix; see README, 'Weights'")
    return path


def list_checkpoints(folder):
    """Return the prefixes of the checkpoints in `folder`, oldest first."""
    names = (re.fullmatch(rf"({re.escape(CHECKPOINT_NAME)}-\d+)\.index", p.name) for p in Path(folder).glob("*"))
    return sorted((Path(folder) / match.group(1) for match in filter(None, names)), key=step_of)


def newest_checkpoint(folder):
    """Return the prefix of the newest checkpoint in `folder`, or None."""
    return (list_checkpoints(folder) or [None])[-1]


class CheckpointReader:
    """The variables of a TF1 checkpoint, a V1 file or a V2 bundle; InputError names the file if it is damaged."""

    def __init__(self, path):
        self.path = find_checkpoint(path)
        with self._clear_errors():
            self._reader = tf.train.load_checkpoint(str(self.path))
            self.shapes = self._reader.get_variable_to_shape_map()

    def read(self, name):
        """Return the value of the variable `name` as an array."""
        with self._clear_errors():
            return self._reader.get_tensor(name)

    @contextlib.contextmanager
    def _clear_errors(self):
        try:
            yield
        except (tf.errors.OpError, ValueError, LookupError, RuntimeError) as error:
            reason = " ".join(str(error).split())[:200]
            raise InputError(
                f"{self.path} is damaged or not a TensorFlow checkpoint ({reason}); download or copy it again"
            ) from None


def step_of(prefix):
    """Return the number of steps of `<folder>/osmn.ckpt-<step>`."""
    return int(Path(prefix).name.rpartition("-")[2])


def has_optimizer_state(path):
    """Tell whether a checkpoint holds what Adam needs to go on."""
    return any(name.rpartition("/")[2] in ADAM_SLOTS for name in CheckpointReader(path).shapes)


def has_average(path):
    """Tell whether a checkpoint is of a training that keeps an average of the weights."""
    return any(name.endswith(f"/{AVERAGE}") for name in CheckpointReader(path).shapes)


def load_model(network, path):
    """Load a whole model (`--whole_model_path`) into `network`; return the names in the file that it has no use for.

    Strict: every variable must be there with its shape, and the constant upsampling kernels must be the bilinear ones.
    Of a training that keeps an average of the weights, the average is taken. Optimizer slots and counters are ignored.
    Raises InputError listing what is missing or does not fit.
    """
    reader = CheckpointReader(path)
    variables, constants = network.tf1_variables(), network.constants()
    wanted = {name: tuple(v.shape) for name, v in (variables | constants).items()}
    _check_fit(reader, wanted)
    for name, value in constants.items():
        if not np.allclose(reader.read(name), value, atol=1e-6):
            raise InputError(f"{reader.path}: {name} is not the bilinear kernel that the network has built in")
    for name, variable in variables.items():
        averaged = average_name(name) in reader.shapes
        variable.assign(reader.read(average_name(name) if averaged else name))
    return sorted(n for n in set(reader.shapes) - set(wanted) if not is_optimizer_state(n))


def average_name(name):
    """Return the name of the average of the variable `name`."""
    return f"{name}/{AVERAGE}"


def is_optimizer_state(name):
    """Tell whether a TF1 variable name is an optimizer slot, an average or a counter."""
    return name.rpartition("/")[2] in (*COUNTERS, *ADAM_SLOTS, AVERAGE)


def _check_fit(reader, wanted):
    missing = [name for name in wanted if name not in reader.shapes]
    misfits = [
        f"{name} is {tuple(reader.shapes[name])}, not {shape}"
        for name, shape in wanted.items()
        if name in reader.shapes and tuple(reader.shapes[name]) != shape
    ]
    if missing or misfits:
        problems = [f"lacks {_listing(missing)}"] * bool(missing) + [_listing(misfits)] * bool(misfits)
        raise InputError(
            f"{reader.path} does not fit this network: {'; '.join(problems)} (check --base_model, --mod_early_conv, "
            "--no_visual_modulator, --no_spatial_modulator)"
        )


def _listing(items, limit=8):
    more = f" and {len(items) - limit} more" if len(items) > limit else ""
    return ", ".join(items[:limit]) + more


def open_network(args, dtype):
    """Return the network that a script's options describe, with the weights of `--whole_model_path` if it is given."""
    network = networks.build(
        arguments.network_options(args),
        dtype,
        getattr(args, "seed", 0),
        getattr(args, "embedding_start", "published") == "small",
    )
    if args.whole_model_path:
        unused = load_model(network, args.whole_model_path)
        if unused:
            print(f"{args.whole_model_path}: not used by this network: {_listing(unused)}", file=sys.stderr)
    return network


def start_from_imagenet(network, args):
    """Load `--vis_mod_model_path` and `--seg_model_path`, unless a checkpoint or `--whole_model_path` replaces them."""
    if args.whole_model_path or (newest_checkpoint(args.model_save_path) and not args.restart_training):
        return
    sources = {"osmn/modulator": args.vis_mod_model_path, "osmn/seg": args.seg_model_path}
    if args.no_visual_modulator:
        del sources["osmn/modulator"]
    for scope, source in sources.items():
        initial = load_imagenet(network, scope, source)
        print(f"{scope} from {source}; initial values: {_listing(initial) or 'none'}")


def load_imagenet(network, scope, source):
    """Initialise the variables of `scope` ("osmn/modulator" or "osmn/seg") with ImageNet weights.

    `source` is a TF1 checkpoint whose first scope component stands for `scope` (`vgg_16/...`, `MobilenetV1/...`), a
    `.npy` dictionary {layer: {"weights", "biases"}}, a Keras VGG16 file (`.h5`, `.weights.h5`) or the word "imagenet",
    which downloads through `keras.applications`. What has the same name and shape is taken. Returns the names of the
    variables that keep their initial values. Raises InputError if nothing fits.
    """
    targets = {n: v for n, v in network.tf1_variables().items() if n.startswith(f"{scope}/")}
    if str(source) == "imagenet" or str(source).endswith(".h5"):
        found = _keras_weights("lite" if network.options.base_model == "lite" else "vgg", str(source))
        values = {f"{scope}/{name}": value for name, value in found.items()}
    elif str(source).endswith(".npy"):
        layers = _read_npy_dictionary(source)
        last_names = {name: name.split("/")[-2:] for name in targets}
        values = {n: layers[layer][leaf] for n, (layer, leaf) in last_names.items() if leaf in layers.get(layer, {})}
    else:
        reader = CheckpointReader(source)
        names = {f"{scope}/{n.partition('/')[2]}": n for n in reader.shapes}
        fitting = {n for n, v in targets.items() if n in names and tuple(reader.shapes[names[n]]) == tuple(v.shape)}
        values = {n: reader.read(names[n]) for n in fitting}
    taken = {n for n, v in targets.items() if n in values and tuple(np.shape(values[n])) == tuple(v.shape)}
    if not taken:
        raise InputError(f"{source} holds no weights for {scope} of --base_model {network.options.base_model}")
    for name in taken:
        targets[name].assign(values[name])
    return sorted(set(targets) - taken)


def _keras_weights(family, source):
    """Return ImageNet weights of keras.applications under TF-slim names without their first component."""
    if source != "imagenet" and not Path(source).is_file():
        raise InputError(f"{source} does not exist; see README, 'Weights'")
    application = keras.applications.MobileNet if family == "lite" else keras.applications.VGG16
    model, failure = None, ""
    for include_top in (True, False):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of layers that the file lacks, before Keras refuses it
                model = application(
                    weights=source if source == "imagenet" else None,
                    include_top=include_top,
                    input_shape=(224, 224, 3),
                )
                if source != "imagenet":
                    model.load_weights(source)
            break
        except Exception as error:  # Keras and the download raise anything.
            model, failure = None, " ".join(str(error).split())[:200]
    if model is None:
        what = "the download of ImageNet weights failed" if source == "imagenet" else f"{source} is not a {family} file"
        raise InputError(f"{what} ({failure}); give a file instead, see README, 'Weights'")
    weights = {}
    for layer in model.layers:
        values = [np.asarray(w) for w in layer.weights]
        if family == "lite":
            weights |= _mobilenet_names(layer.name, values)
        else:
            weights |= _vgg_names(layer.name, values)
    return weights


def _vgg_names(layer, values):
    if match := re.fullmatch(r"block(\d)_conv(\d)", layer):
        name = "conv{0}/conv{0}_{1}".format(*match.groups())
    elif layer in ("fc1", "fc2"):
        name = {"fc1": "fc6", "fc2": "fc7"}[layer]
        values = [values[0].reshape((7, 7, 512, 4096) if layer == "fc1" else (1, 1, 4096, 4096)), values[1]]
    else:
        return {}
    return {f"{name}/weights": values[0], f"{name}/biases": values[1]}


def _mobilenet_names(layer, values):
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


class _ArrayUnpickler(pickle.Unpickler):
    """Reads pickled dictionaries of arrays and refuses everything else: a pickle can run any code."""

    ALLOWED = frozenset(
        (module, name)
        for module in ("numpy", "numpy.core.multiarray", "numpy._core.multiarray")
        for name in ("_reconstruct", "ndarray", "dtype", "scalar")
    ) | {("_codecs", "encode")}

    def find_class(self, module, name):
        if (module, name) not in self.ALLOWED:
            raise pickle.UnpicklingError(f"it wants to run {module}.{name}")
        return super().find_class(module, name)


def _read_npy_dictionary(path):
    try:
        with open(path, "rb") as file:
            version = np.lib.format.read_magic(file)
            read_header = (
                np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            )
            shape, _, dtype = read_header(file)
            if not dtype.hasobject or shape != ():
                raise ValueError(f"an array of shape {shape}, not a dictionary")
            layers = _ArrayUnpickler(file, encoding="latin1").load().item()
        return {name: {leaf: np.asarray(v, np.float32) for leaf, v in layer.items()} for name, layer in layers.items()}
    except FileNotFoundError:
        raise InputError(f"{path} does not exist; see README, 'Weights'") from None
    except (OSError, EOFError, ValueError, AttributeError, pickle.UnpicklingError) as error:
        raise InputError(f"{path} is not a dictionary {{layer: {{weights, biases}}}} of arrays ({error})") from None


def write_variables(prefix, values, v1=False):
    """Write {name: array} as a TF1 checkpoint: a V2 bundle, or a single V1 file. It appears whole or not at all."""
    prefix = Path(prefix)
    prefix.parent.mkdir(parents=True, exist_ok=True)
    names = sorted(values)
    with tempfile.TemporaryDirectory(prefix=".writing-", dir=prefix.parent) as folder:
        part = os.path.join(folder, prefix.name)
        tensors = [tf.convert_to_tensor(values[n]) for n in names]
        if v1:
            tf.raw_ops.Save(filename=part, tensor_names=names, data=tensors)
        else:
            tf.raw_ops.SaveV2(prefix=part, tensor_names=names, shape_and_slices=[""] * len(names), tensors=tensors)
        # The index last: a bundle is found by it.
        for name in sorted(os.listdir(folder), key=lambda n: n.endswith(".index")):
            os.replace(os.path.join(folder, name), prefix.parent / name)


def model_values(network):
    """Return a network's weights and constants as {TF1 name: array}."""
    return {n: np.asarray(v) for n, v in network.tf1_variables().items()} | network.constants()


def save_training_checkpoint(folder, step, values, max_to_keep):
    """Write `values` as `<folder>/osmn.ckpt-<step>` and delete all but the newest `max_to_keep` checkpoints."""
    folder = Path(folder)
    for leftover in folder.glob(".writing-*"):  # of a killed run
        shutil.rmtree(leftover, ignore_errors=True)
    for part in folder.glob(f"{CHECKPOINT_NAME}-*.data-*"):  # of one killed between a checkpoint's files
        if not part.with_suffix(".index").exists():
            part.unlink()
    write_variables(folder / f"{CHECKPOINT_NAME}-{step}", values)
    for old in list_checkpoints(folder)[:-max_to_keep]:
        delete_checkpoint(old)


def delete_checkpoints(folder):
    """Delete the checkpoints in `folder`."""
    for prefix in list_checkpoints(folder):
        delete_checkpoint(prefix)


def delete_checkpoint(prefix):
    """Delete a checkpoint's files, the index first: without it the rest is not found."""
    for part in sorted(prefix.parent.glob(f"{prefix.name}.*"), key=lambda p: not p.name.endswith(".index")):
        part.unlink()


def load_training_state(path, wanted):
    """Return {name: array} for `wanted`, {name: shape}, of a training checkpoint; InputError if any is missing."""
    reader = CheckpointReader(path)
    _check_fit(reader, wanted)
    return {name: reader.read(name) for name in wanted}


@reports_input_errors
def main(argv=None):
    """Export weights as a TF1 checkpoint without the optimizer's state."""
    parser = argparse.ArgumentParser(prog="python -m osmn.checkpoints", description=main.__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    export = commands.add_parser("export", help=main.__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    export.add_argument("source", help="whole model: a checkpoint's prefix or file, or a folder (its newest)")
    export.add_argument("destination", help="prefix (V2) or file (V1) to write")
    export.add_argument("--v1", action="store_true", help="write a single V1 file")
    arguments.add_network_options(export)
    options = parser.parse_args(argv)
    network = networks.build(arguments.network_options(options))
    load_model(network, options.source)
    values = model_values(network)
    write_variables(options.destination, values, v1=options.v1)
    print(f"{options.destination}: {len(values)} variables")


if __name__ == "__main__":
    sys.exit(main())
