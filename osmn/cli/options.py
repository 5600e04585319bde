"""The options of models, data, testing and devices that scripts share, in groups, and what is read of them.

A script takes the groups that have an effect in it. Nothing here imports TensorFlow, so that `-h` and mistakes in
arguments answer at once.
"""

import dataclasses
from dataclasses import field

from osmn.cli import parser
from osmn.config import IM_SIZE, SIZE, ModelConfig
from osmn.errors import InputError
from osmn.inference.options import SegmentingOptions
from osmn.models.engines import ENGINE, PRECISION
from osmn.options import file_name, folder, non_negative, option

GPU = "GPU; the CPU where there is none"


@dataclasses.dataclass(frozen=True)
class Device:
    """What computes, and in which number format."""

    gpu_id: int = field(default=0, metadata=option(GPU, non_negative(int)))
    precision: str | None = field(default=None, metadata=PRECISION)
    engine: str | None = field(default=None, metadata=ENGINE)


@dataclasses.dataclass(frozen=True)
class Devices(Device):
    """What computes where several devices can train."""

    gpu_id: tuple[int, ...] = field(
        default=(0,), metadata=option(f"{GPU}; several to train on", non_negative(int), nargs="+")
    )


@dataclasses.dataclass(frozen=True)
class Determinism:
    """Whether every run computes the same bits."""

    deterministic: bool = field(default=False, metadata=option("run to run the same bits, slower on a GPU"))


@dataclasses.dataclass(frozen=True)
class DavisData:
    """A split of DAVIS."""

    data_path: str = field(default="data/DAVIS", metadata=option("DAVIS folder (README, 'Data')"))
    data_version: int = field(default=2017, metadata=option("one or several objects", int, choices=(2016, 2017)))
    test_split: str = field(default="val", metadata=option("split to segment: ImageSets/VERSION/SPLIT.txt", file_name))


@dataclasses.dataclass(frozen=True)
class YtvosData:
    """A split of YouTube-VOS."""

    data_path: str = field(default="data/YouTube-VOS", metadata=option("YouTube-VOS folder (README, 'Data')"))
    test_split: str = field(default="valid", metadata=option("split to segment: a folder of DATA_PATH", file_name))
    all_frames: bool = field(
        default=False, metadata=option("propagate through every JPEG; write the frames that meta.json lists")
    )


@dataclasses.dataclass(frozen=True)
class Report:
    """The page that shows the scores."""

    report: bool = field(default=False, metadata=option("also write the scores as a web page, RESULT_PATH/report.html"))
    against: str | None = field(
        default=None,
        metadata=option(
            "the same, compared with another result of these videos: what each sequence gains or loses",
            folder,
            metavar="OTHER_RESULT_PATH",
        ),
    )

    @property
    def wanted(self):
        """Whether a page is asked for, by either option."""
        return self.report or self.against is not None


@dataclasses.dataclass(frozen=True)
class UserModel:
    """The model for a user's own video."""

    whole_model_path: str = field(
        default="", metadata=option("model: checkpoint, or folder (default: models/osmn_lite)")
    )
    im_size: tuple[int, int] | None = field(
        default=None,
        metadata=option("network's image size (default: by the video's shape and the model's training)", **SIZE),
    )


@dataclasses.dataclass(frozen=True)
class FrameSize:
    """The size of the frames that a model is applied to."""

    im_size: tuple[int, int] = field(metadata=IM_SIZE)


def add_model_options(to):
    """Add what a model is: its network and the inputs that it is trained on.

    A model's own configuration, beside its weights, says all of it; options are for models that have none, such as
    those of the published program, and for models that are to be trained. They have an attribute only where they are
    given: only then can they contradict a model's configuration.
    """
    group = to.group(
        "model", "for a model without a configuration beside it (.json); where there is one, leave these out"
    )
    names = (
        "base_model",
        "mod_early_conv",
        "no_visual_modulator",
        "no_spatial_modulator",
        "aligned_size",
        "mean_value",
    )
    names += ("scale_value", "bbox_sup", "use_original_mask", "vg_keep_aspect_ratio")
    group.add(ModelConfig, *names, only_given=True)


def add_user_model_options(to):
    """Add the choice of the model for a user's own video, of its image size and of the device."""
    to.add(UserModel)
    add_model_options(to)
    add_device_options(to)


def add_size_option(to, im_size):
    """Add the size of the network's images, by default `im_size`, (width, height)."""
    to.add(FrameSize, im_size=im_size)


def add_testing_options(to):
    """Add the options of propagation and of its result files."""
    group = to.group("testing")
    group.add(SegmentingOptions, "result_path", "overwrite", "vg_pad_ratio")
    group.add_rest(SegmentingOptions, without=["im_size"])  # `add_size_option` adds im_size.


REFINEMENT = ("crf_postprocessing", "flip_test")  # Makes masks better and takes longer.


def add_device_options(to, several=False, engine=True):
    """Add the choice of device, or of `several`, of the number format, and of the `engine`."""
    group = to.group("device")
    group.add(Devices if several else Device, "gpu_id", "precision", *(["engine"] if engine else []))


def model_options(args):
    """Return {`ModelConfig` field: value} of the options that were given."""
    return parser.given(args, ModelConfig)


def load_model(args):
    """Return the model to segment with, of parsed arguments; see `load.load_model`."""
    from osmn.inference import load

    return load.load_model(args.whole_model_path, model_options(args), args.precision, args.engine)


def load_user_model(args):
    """Return the model for a user's own video and an engine of it, of parsed arguments; see `model_choice.load`."""
    from osmn.user_video import model_choice

    return model_choice.load(args.whole_model_path, model_options(args), args.precision, args.engine, args.gpu_id)


def check_user_model(args):
    """Raise InputError, before seconds are spent, if `load_user_model` would; see `model_choice.check`."""
    from osmn.user_video import model_choice

    model_choice.check(args.whole_model_path, model_options(args), args.precision, args.engine)


def required(args, *names):
    """Raise InputError for options among `names` that were left empty."""
    missing = [f"--{name}" for name in names if not getattr(args, name)]
    if missing:
        raise InputError(f"{' and '.join(missing)} must be given")


def values(args, *names):
    """Return {option: value} of some options."""
    return {name: getattr(args, name) for name in names}
