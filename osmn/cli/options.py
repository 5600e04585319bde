"""The options that scripts share: each is defined once, and a script takes the groups that have an effect in it.

Nothing here imports TensorFlow, so that `-h` and mistakes in arguments answer at once.
"""

import argparse
import dataclasses

from osmn.cli.types import file_name, finite, folder, non_negative, positive, shard, share
from osmn.config import BASE_MODELS, LONGEST_SIDE
from osmn.errors import InputError
from osmn.models.engines import ENGINES, PRECISIONS


class _Help(argparse.ArgumentDefaultsHelpFormatter):
    def _get_help_string(self, action):
        """Leave out a default that is only the word for nothing given."""
        return action.help if action.default in (None, "", []) else super()._get_help_string(action)


def parser(description):
    """Return an argument parser that shows the defaults."""
    return argparse.ArgumentParser(description=description, formatter_class=_Help)


def add_model_options(to, testing=True):
    """Add what a model is: its network and the inputs that it is trained on.

    A model's own configuration, beside its weights, says all of it; options are for models that have none, such as
    those of the published program, and for models that are to be trained.
    """
    group = to.add_argument_group(
        "model", "for a model without a configuration beside it (.json); where there is one, leave these out"
    )

    def add(name, about, default=None, **how):
        # No attribute unless it is given: only then can it contradict a model's configuration.
        about = about if default is None else f"{about} (default: {default})"
        group.add_argument(f"--{name}", default=argparse.SUPPRESS, help=about, **how)

    add("base_model", "segmentation net", "osvos", choices=BASE_MODELS)
    add("mod_early_conv", "modulate stages 1 and 2 too", action="store_true")
    add("no_visual_modulator", "leave out the visual modulator", action="store_true")
    add("no_spatial_modulator", "leave out the spatial modulator", action="store_true")
    size = {"type": positive(int, LONGEST_SIDE), "nargs": 2, "metavar": ("W", "H")}
    add("aligned_size", "pad the network's input to this size", **size)
    bgr = {"type": finite, "nargs": 3, "metavar": ("B", "G", "R")}
    add("mean_value", "subtracted from the image; for lite give 127.5 127.5 127.5", "104 117 123", **bgr)
    add("scale_value", "multiplies what is left; for lite give 0.00787", "1", type=finite)
    add("bbox_sup", "boxes only: keep the guide's background", action="store_true")
    add("use_original_mask", "the spatial guide is the dilated mask, not a Gaussian", action="store_true")
    add("vg_keep_aspect_ratio", "fit the guide into its square and pad", action="store_true")


def add_own_model_options(to):
    """Add the choice of the model for a stranger's own video, of its image size and of the device."""
    to.add_argument("--whole_model_path", default="", help="model: checkpoint, or folder (default: models/osmn_lite)")
    to.add_argument(
        "--im_size",
        type=positive(int, LONGEST_SIDE),
        nargs=2,
        metavar=("W", "H"),
        help="network's image size (default: by the video's shape and the model's training)",
    )
    add_model_options(to)
    add_device_options(to)


def add_size_option(to, im_size):
    """Add the size of the network's images, by default `im_size`, [width, height]."""
    side = positive(int, LONGEST_SIDE)
    to.add_argument("--im_size", type=side, nargs=2, metavar=("W", "H"), default=im_size, help="image size")


def add_testing_options(to):
    """Add the options of propagation and of its result files."""
    group = to.add_argument_group("testing")
    group.add_argument("--result_path", default="", help="folder of the masks")
    group.add_argument("--overwrite", action="store_true", help="replace results of another model or other options")
    group.add_argument(
        "--vg_pad_ratio",
        type=share,
        default=0.03,
        help="the guide's crop grows by this part of its sides",
    )
    group.add_argument("--save_score", action="store_true", help="also write each object's probabilities (.npy)")
    add_refinement_options(group)
    add_shard_option(group)


def add_refinement_options(to):
    """Add what makes masks better and takes longer."""
    to.add_argument("--crf_postprocessing", action="store_true", help="refine each mask by a dense CRF")
    to.add_argument(
        "--flip_test",
        action="store_true",
        help="segment each frame's mirror image too, and average: often better, twice the time",
    )


def add_shard_option(to):
    """Add the choice of a share of the videos."""
    to.add_argument("--shard", type=shard, default="0/1", metavar="I/N", help="only share I of N of the videos")


def add_davis_options(to):
    """Add the options of the scripts for DAVIS."""
    to.add_argument("--data_path", default="data/DAVIS", help="DAVIS folder (README, 'Data')")
    to.add_argument("--data_version", type=int, choices=(2016, 2017), default=2017, help="one or several objects")
    to.add_argument("--test_split", type=file_name, default="val", help="split to segment: ImageSets/VERSION/SPLIT.txt")


def add_ytvos_options(to):
    """Add the options of the scripts for YouTube-VOS."""
    to.add_argument("--data_path", default="data/YouTube-VOS", help="YouTube-VOS folder (README, 'Data')")
    to.add_argument("--test_split", type=file_name, default="valid", help="split to segment: a folder of DATA_PATH")
    to.add_argument(
        "--all_frames", action="store_true", help="propagate through every JPEG; write the frames that meta.json lists"
    )


class _Against(argparse.Action):
    def __call__(self, parser, args, folder, option=None):
        args.against, args.report = folder, True


def add_report_option(to):
    """Add the report, where results are scored."""
    to.add_argument(
        "--report", action="store_true", help="also write the scores as a web page, RESULT_PATH/report.html"
    )
    about = "the same, compared with another result of these videos: what each sequence gains or loses"
    to.add_argument("--against", action=_Against, type=folder, metavar="OTHER_RESULT_PATH", help=about)


def add_device_options(to, several=False, engine=True):
    """Add the choice of device, or of `several`, of the number format, and of the `engine`."""
    group = to.add_argument_group("device")
    gpu = "GPU; the CPU where there is none"
    if several:
        group.add_argument(
            "--gpu_id", type=non_negative(int), nargs="+", default=[0], help=f"{gpu}; several to train on"
        )
    else:
        group.add_argument("--gpu_id", type=non_negative(int), default=0, help=gpu)
    group.add_argument(
        "--precision",
        choices=PRECISIONS,
        help="number format; by default bfloat16 where the hardware has units for it, float32 elsewhere and for lite",
    )
    if engine:
        group.add_argument(
            "--engine",
            choices=ENGINES,
            help="what segments; by default tensorflow, and openvino for a model that was exported for it",
        )


def model_options(args):
    """Return {`ModelConfig` field: value} of the options that were given."""
    from osmn.config import ModelConfig

    found = _fields(args, ModelConfig)
    found.pop("im_size", None)  # Not what the model was trained at.
    return found


def load_model(args):
    """Return the model to segment with, of parsed arguments; see `load.load_model`."""
    from osmn.inference import load

    return load.load_model(args.whole_model_path, model_options(args), args.precision, args.engine)


def own_model(args):
    """Return the keyword arguments of `model_choice.load`, of parsed arguments."""
    return {"path": args.whole_model_path, "given": model_options(args)} | values(args, "precision", "engine", "gpu_id")


def testing_options(args):
    """Return the `SegmentingOptions` of parsed arguments."""
    from osmn.inference.segmenting import SegmentingOptions

    return SegmentingOptions(**_fields(args, SegmentingOptions))


def beginning(args):
    """Return the keyword arguments of `tensorflow_model.new_for_training` for a training, of parsed arguments."""
    return {
        "given": model_options(args),
        "precision": args.precision,
        "start": args.whole_model_path,
        "folder": None if args.restart_training else args.model_save_path,
        "seed": args.seed,
        "small_embedding": getattr(args, "embedding_start", "published") == "small",
        "engine": getattr(args, "engine", None) or "tensorflow",
    }


def pretrained(args):
    """Return {scope: source} of the ImageNet weights that a training starts from."""
    return {"osmn/modulator": args.vis_mod_model_path, "osmn/seg": args.seg_model_path}


def training_run(args):
    """Return the `TrainingRun` of parsed arguments; options that a script does not take keep their defaults."""
    from osmn.inputs.pipeline import PipelineOptions
    from osmn.inputs.samples import Augmentation
    from osmn.training.loop import TrainingOptions
    from osmn.training.run import TrainingRun

    trainer = {"dropout_seed": args.seed} | values(args, "loss", "fix_bn", "fix_seg", "ema")
    augmentation = Augmentation(**_fields(args, Augmentation))
    pipeline = PipelineOptions(**_fields(args, PipelineOptions) | {"augmentation": augmentation})
    training = TrainingOptions(**_fields(args, TrainingOptions))
    return TrainingRun(trainer, training, pipeline, args.model_save_path, _validation(args))


def check_validation(args, data_path=None):
    """Raise InputError for options of validation that do nothing, or too few; it is in `data_path` by default."""
    args.validate_path = args.validate_path or data_path
    if args.validate_iters:
        required(args, "validate_path", "validate_split")
    elif args.validate_split or args.validate_path != data_path:
        raise InputError("--validate_path and --validate_split do nothing without --validate_iters; give it too")


def _validation(args):
    """Return what `TrainingRun` calls validation."""
    if not getattr(args, "validate_iters", 0):
        return None
    return (args.validate_path, *args.validate_split)


def values(args, *names):
    """Return {option: value} of some options."""
    return {name: getattr(args, name) for name in names}


def _fields(args, kind):
    """Return {field: value} of a dataclass's fields that are options of the script; lists as tuples."""
    found = {field.name: getattr(args, field.name) for field in dataclasses.fields(kind) if hasattr(args, field.name)}
    return {name: tuple(value) if isinstance(value, list) else value for name, value in found.items()}


def check_embedding_start(args):
    """Raise InputError for an `--embedding_start` that does nothing."""
    if args.embedding_start == "published":
        return
    if getattr(args, "base_model", "osvos") != "lite" or hasattr(args, "no_visual_modulator"):
        raise InputError(f"--embedding_start {args.embedding_start} is for the visual modulator of --base_model lite")
    if args.whole_model_path:
        raise InputError(
            f"--embedding_start {args.embedding_start} does nothing to the weights of --whole_model_path; leave one out"
        )


def required(args, *names):
    """Raise InputError for options among `names` that were left empty."""
    missing = [f"--{name}" for name in names if not getattr(args, name)]
    if missing:
        raise InputError(f"{' and '.join(missing)} must be given")
