"""The options of models, data, testing and devices that scripts share, in groups, and reading them.

A script takes the groups that have an effect in it. Nothing here imports TensorFlow, so that `-h` and errors in
arguments are shown at once.
"""

import argparse
import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import TYPE_CHECKING, Any

from osmn.cli import parser
from osmn.config import IM_SIZE, SIZE, ModelConfig
from osmn.errors import InputError
from osmn.inference.options import SegmentingOptions
from osmn.models.engines import AUTO, ENGINE, PRECISION, Engine
from osmn.models.interface import SegmentationModel
from osmn.models.start import StartOptions
from osmn.options import file_name, folder, non_negative, option

if TYPE_CHECKING:  # It takes NumPy.
    from osmn.data.types import Video

GPU = "GPU; the CPU where there is none"


@dataclasses.dataclass(frozen=True)
class Computation:
    """The engine that computes, and its number format."""

    precision: str | None = field(default=None, metadata=PRECISION)
    engine: str | None = field(default=None, metadata=ENGINE)


@dataclasses.dataclass(frozen=True)
class Device(Computation):
    """The device and the engine that compute, and their number format."""

    gpu_id: int = field(default=0, metadata=option(GPU, non_negative(int)))


@dataclasses.dataclass(frozen=True)
class Devices(Computation):
    """The devices, engine and number format of scripts that can train on several devices."""

    gpu_id: tuple[int, ...] = field(
        default=(0,), metadata=option(f"{GPU}; several to train on", non_negative(int), nargs="+")
    )


@dataclasses.dataclass(frozen=True)
class Determinism:
    """Whether all runs compute the same bits."""

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
    def wanted(self) -> bool:
        """Whether either option asks for a page."""
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


def add_model_options(to: parser.Parser) -> None:
    """Add the options of a model's configuration: its network and the inputs that it is trained on.

    A model's own configuration, beside its weights, has all these values. The options are for models without a
    configuration, such as those of the published program, and for models that are to be trained. Parsed arguments have
    an attribute only for the options that are given, because only these can contradict a model's configuration.
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
        "scale_value",
        "bbox_sup",
        "use_original_mask",
        "vg_keep_aspect_ratio",
    )
    group.add(ModelConfig, *names, only_given=True)


def add_model_path_option(to: parser.Group, help: str | None = None) -> None:
    """Add the path of the model that a script starts from; `help` is what `-h` says of it in this script."""
    to.add(StartOptions, "whole_model_path", help=help)


def add_user_model_options(to: parser.Parser, window: bool = True) -> None:
    """Add the options of the model for a user's own video, of its image size and of the device.

    `window` is the default of --window: live, each new size of windows would be a pause.
    """
    to.add(UserModel)
    to.add(SegmentingOptions, *FOLLOWING, window=window, target_model=True)
    add_model_options(to)
    group = to.group("device")
    group.add(Device, "gpu_id", "precision")
    group.add(Device, "engine", engine=AUTO, help="what segments; auto: what is fastest here, said in the first line")


def add_size_option(to: parser.Group, im_size: tuple[int, int]) -> None:
    """Add the size of the network's images, by default `im_size`, (width, height)."""
    to.add(FrameSize, im_size=im_size)


def add_testing_options(to: parser.Parser, window: bool = False, target_model: bool = False) -> None:
    """Add the options of propagation and of its result files; `window` and `target_model` are defaults of options."""
    group = to.group("testing")
    group.add(SegmentingOptions, "result_path", "overwrite", "vg_pad_ratio")
    # `add_size_option` adds im_size.
    group.add_rest(SegmentingOptions, without=["im_size", "window", "target_model"])
    group.add(SegmentingOptions, "window", "target_model", window=window, target_model=target_model)


# How objects are followed; `Predictor.from_checkpoint` has arguments of these names.
FOLLOWING = ("search", "window", "target_model", "boundaries")
REFINEMENT = ("crf_postprocessing", "flip_test")  # They make masks better and take longer.


def add_device_options(to: parser.Parser, several: bool = False, engine: bool = True) -> None:
    """Add the options of the device, or of `several` devices, of the number format and, if asked, of the `engine`."""
    group = to.group("device")
    group.add(Devices if several else Device, "gpu_id", "precision", *(["engine"] if engine else []))


def model_options(args: argparse.Namespace) -> dict[str, Any]:
    """Return {`ModelConfig` field: value} of the options that were given."""
    return parser.given(args, ModelConfig)


def use_devices(args: argparse.Namespace) -> None:
    """Have TensorFlow compute on the devices that parsed arguments name, and on the CPU for a script without any."""
    from osmn.networks import devices  # TensorFlow takes seconds to import

    gpu_ids = getattr(args, "gpu_id", ())
    devices.configure([gpu_ids] if isinstance(gpu_ids, int) else gpu_ids, parser.read(args, Determinism).deterministic)


def load_model(args: argparse.Namespace) -> SegmentationModel:
    """Return the model that parsed arguments name, or the shipped one, to segment with it on their devices."""
    from osmn.inference import load
    from osmn.user_video import model_choice

    asked_for = model_options(args), args.precision, args.engine
    path = model_choice.check(args.whole_model_path, *asked_for)
    engine, precision = load.chosen_engine(path, asked_for[0], args.precision, args.engine)
    if engine == "tensorflow":
        use_devices(args)
    model: SegmentationModel = load.load_model(path, model_options(args), precision, engine)
    return model


def segmenting_options(args: argparse.Namespace) -> SegmentingOptions:
    """Return the `SegmentingOptions` that parsed arguments give."""
    return parser.read(args, SegmentingOptions)


def summary(args: argparse.Namespace, model: SegmentationModel) -> str:
    """Return the line that says what computes; with --short_side, frames keep their shape."""
    return model.summary(None if args.short_side is not None else args.im_size)


def segment_videos(
    args: argparse.Namespace,
    model: SegmentationModel,
    videos: "Sequence[Video]",
    origin: Mapping[str, Any],
    replace: bool = False,
) -> None:
    """Segment videos as parsed arguments say; see `segmenting.segment_videos`."""
    from osmn.inference import segmenting

    segmenting.segment_videos(model, videos, segmenting_options(args), origin, replace)


def load_user_model(args: argparse.Namespace) -> tuple[SegmentationModel, Engine]:
    """Return the model that parsed arguments name for a user's own video, and its engine; see `model_choice.load`."""
    from osmn.inference import load
    from osmn.user_video import model_choice

    given = model_options(args)
    path = model_choice.check(args.whole_model_path, given, args.precision, args.engine)
    engine, precision = load.chosen_engine(path, given, args.precision, args.engine)
    if engine == "tensorflow" or getattr(
        args, "finetune", None
    ):  # Fine-tuning is by TensorFlow, whatever segments then.
        use_devices(args)
    loaded: tuple[SegmentationModel, Engine] = model_choice.load(path, given, precision, engine)
    return loaded


def check_user_model(args: argparse.Namespace) -> None:
    """Raise the InputError of `load_user_model` without loading the model for seconds; see `model_choice.check`."""
    from osmn.user_video import model_choice

    model_choice.check(args.whole_model_path, model_options(args), args.precision, args.engine)


def required(args: argparse.Namespace, *names: str) -> None:
    """Raise InputError for options among `names` that were left empty."""
    missing = [f"--{name}" for name in names if not getattr(args, name)]
    if missing:
        raise InputError(f"{' and '.join(missing)} must be given")


def values(args: argparse.Namespace, *names: str) -> dict[str, Any]:
    """Return {option: value} of the options `names`."""
    return {name: getattr(args, name) for name in names}
