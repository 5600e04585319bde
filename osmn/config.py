"""What a model is: the switches of its network and the inputs that it was trained on, in a file beside its weights."""

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from typing import Any, NamedTuple, TypeGuard

from osmn.errors import InputError, argument, argument_kind, in_short
from osmn.files import sealed_json
from osmn.options import finite, option, positive


class NetworkKind(NamedTuple):
    """What the program knows of a base model before it builds the network.

    Attributes:
        network: "module:class" of its `Osmn`, which is imported when the network is built.
        backbone: a name of `pretrained.imagenet.BACKBONES`: the network whose ImageNet weights fit; None if no network
            of them fits.
        bytes_a_pixel: how many bytes its first features take per pixel of the image, at least.
        drifts_in_bfloat16: its masks in bfloat16 differ so much from those in float32 that bfloat16 is used only on
            request.
        float32_blocks: numbers, from 0, of the convolutions that an export to int8 leaves in float32, together with
            the side outputs.
        int8: OpenVINO's graph of it is built in int8, without calibration; see `engines.lite`.
        small_embedding: whether its visual modulator can start from a small random embedding.
        clicks: it finds an object that is pointed at, in one frame, and follows none.
        appearance: its visual modulator has features of whole images; see `networks.Osmn.appearance`.
    """

    network: str
    backbone: str | None
    bytes_a_pixel: int
    drifts_in_bfloat16: bool = False
    float32_blocks: tuple[int, ...] = ()
    int8: bool = False
    small_embedding: bool = False
    clicks: bool = False
    appearance: bool = False


_VGG = NetworkKind("osmn.networks.vgg:VggOsmn", "vgg", bytes_a_pixel=128, appearance=True)  # 64 channels of 16 bits.
NETWORKS = {
    "osvos": _VGG,
    "masktrack": _VGG,
    "deeplab": _VGG,
    "lite": NetworkKind(
        "osmn.networks.mobilenet:LiteOsmn",
        "lite",
        bytes_a_pixel=48,  # 32 channels at half the sides, and the image, in 32 bits.
        drifts_in_bfloat16=True,
        float32_blocks=(6, 7, 8, 9),  # doc/lessons.md says what they cost in time and gain in masks.
        int8=True,
        small_embedding=True,
        appearance=True,
    ),
    "clicks": NetworkKind(
        "osmn.networks.clicks:ClickOsmn", "lite", bytes_a_pixel=48, drifts_in_bfloat16=True, clicks=True
    ),
}
BASE_MODELS = tuple(name for name, kind in NETWORKS.items() if not kind.clicks)
# The layers of `lite`, which is built for TensorFlow (networks/mobilenet) and for OpenVINO (models/engines/lite).
STEM_CHANNELS = 32
# One depthwise separable block per entry: (stride, channels).
MOBILENET_BLOCKS = (
    *((1, 64), (2, 128), (1, 128), (2, 256), (1, 256), (2, 512)),
    *(((1, 512),) * 5),
    *((2, 1024), (1, 1024)),
)
MODULATED_BLOCKS = (3, 5, 11, 13)
# Of the visual modulator: features of an eighth and of a 16th of the image's sides. Blocks after these tell no more.
APPEARANCE_BLOCKS = (5, 7)
EMBEDDING_CHANNELS = 2048
SIDE_CHANNELS = 16
# As published: in testing, each side of the crop that is a visual guide moves outward by this part of its side.
PAD_RATIO = 0.03
LONGEST_SIDE = 16384  # Of images, in pixels.
SIZE: dict[str, Any] = {"type": positive(int, LONGEST_SIDE), "nargs": 2, "metavar": ("W", "H")}
IM_SIZE = option("image size", **SIZE)


# The click network: MobileNet with a decoder, see `networks.clicks`.
CLICK_MAPS = 4  # Of a guide: clicks on the object, clicks beside it, the box, the mask so far.
CLICK_MAP_CHANNELS = 16
CLICK_WIDTH = 64  # Channels of the decoder,
CLICK_FINE_WIDTH = 32  # and of its last stage, at half the sides.
CLICK_FINE_BLOCK = 1  # The last block of MobileNet at half the sides.
# The boundary net, see `networks.boundaries`.
BOUNDARY_WIDTH = 32  # Channels.
BOUNDARY_DILATIONS = (1, 2, 4, 1)  # Of its blocks.
MOST_LOGIT = 10.0  # That it sees; probabilities of 0 and 1 have none.
LEAST_PROBABILITY = 1 / (1 + math.exp(MOST_LOGIT))  # That has such a logit.
LOGIT_SCALE = 4.0  # It sees logits divided by this.


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """A model's configuration; names and defaults are those of the command line, as published.

    Attributes:
        base_model: the segmentation net, a name of `NETWORKS`.
        mod_early_conv: stages 1 and 2 are modulated too.
        no_visual_modulator: the network has no visual modulator.
        no_spatial_modulator: the network has no spatial modulator.
        aligned_size: (width, height) that the network's input is padded to; None for no padding.
        mean_value: blue, green and red subtracted from an image of values 0 to 255.
        scale_value: the factor of the image after `mean_value` is subtracted.
        use_original_mask: the spatial guide is the dilated mask instead of a Gaussian.
        bbox_sup: the visual guide keeps its background.
        vg_keep_aspect_ratio: the visual guide is fitted into its square and padded, not stretched.
        im_size: (width, height) of the frames that the model was trained on; None if it is unknown.
        bias_shift: what calibration has added to the last layer's bias; the weights already contain it.
    """

    base_model: str = field(default="osvos", metadata=option("segmentation net", choices=BASE_MODELS))
    mod_early_conv: bool = field(default=False, metadata=option("modulate stages 1 and 2 too"))
    no_visual_modulator: bool = field(default=False, metadata=option("leave out the visual modulator"))
    no_spatial_modulator: bool = field(default=False, metadata=option("leave out the spatial modulator"))
    aligned_size: tuple[int, int] | None = field(
        default=None, metadata=option("pad the network's input to this size", **SIZE)
    )
    mean_value: tuple[float, float, float] = field(
        default=(104.0, 117.0, 123.0),
        metadata=option(
            "subtracted from the image; for lite give 127.5 127.5 127.5", finite, nargs=3, metavar=("B", "G", "R")
        ),
    )
    scale_value: float = field(default=1.0, metadata=option("multiplies what is left; for lite give 0.00787", finite))
    use_original_mask: bool = field(
        default=False, metadata=option("the spatial guide is the dilated mask, not a Gaussian")
    )
    bbox_sup: bool = field(default=False, metadata=option("boxes only: keep the guide's background"))
    vg_keep_aspect_ratio: bool = field(default=False, metadata=option("fit the guide into its square and pad"))
    im_size: tuple[int, int] | None = None
    bias_shift: float = 0.0

    @property
    def kind(self) -> NetworkKind:
        """The `NetworkKind` of the base model."""
        return NETWORKS[self.base_model]

    @property
    def has_appearance(self) -> bool:
        """Whether the network has a visual modulator with features of whole images."""
        return self.kind.appearance and not self.no_visual_modulator

    def __post_init__(self) -> None:
        """Raise ValueError for a value that no model can have."""
        if self.base_model not in NETWORKS:
            raise ValueError(f"base_model is {self.base_model!r}, not one of {', '.join(BASE_MODELS)}")
        for each in dataclasses.fields(self):
            value = getattr(self, each.name)
            if not _fits(value, each.default, optional=each.default is None):
                raise ValueError(f"{each.name} is {value!r}")


def _fits(value: object, default: object, optional: bool) -> bool:
    """Tell whether a value has the type and length of `default` and is finite; an optional value is a size or None."""
    if optional:
        return value is None or (_all_of(value, int, 2) and min(value) > 0 and max(value) <= LONGEST_SIDE)
    if isinstance(default, tuple):
        return _all_of(value, (int, float), len(default)) and all(map(math.isfinite, value))
    if isinstance(default, float):
        numbers: object = (value,)
        return _all_of(numbers, (int, float), 1) and all(map(math.isfinite, numbers))
    return isinstance(value, type(default))


def _all_of(values: object, kind: type | tuple[type, ...], count: int) -> TypeGuard[tuple[Any, ...]]:
    return (
        isinstance(values, tuple)
        and len(values) == count
        and all(isinstance(v, kind) and not isinstance(v, bool) for v in values)
    )


def config_path(model_path: Path | str) -> Path:
    """Return the path of the configuration of a checkpoint, given by its prefix or file."""
    return Path(f"{model_path}.json")


def to_json(config: ModelConfig) -> str:
    """Return a ModelConfig as readable JSON."""
    return sealed_json.to_json(dataclasses.asdict(config))


def from_values(values: Mapping[str, Any]) -> ModelConfig:
    """Return the ModelConfig of {field: value} as JSON has it, such as `dataclasses.asdict` wrote.

    Raises ValueError, TypeError or AttributeError for values that no ModelConfig can have.
    """
    fields: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in values.items()
    }
    return ModelConfig(**fields)


def read_config(model_path: Path | str) -> ModelConfig | None:
    """Return the ModelConfig beside a checkpoint; None if there is no file, as beside the published program's models.

    Raises InputError, naming the file, if the file is damaged or holds fields that this version does not know.
    """
    path = config_path(model_path)
    try:
        return from_values(sealed_json.from_json(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise InputError(f"{path} is not the configuration of a model ({in_short(error)}); copy it again") from None


def resolve(given: Mapping[str, Any], stored: ModelConfig | None, source: Path | str | None) -> ModelConfig:
    """Return the ModelConfig of a model, from its stored configuration, if it has one, and from the caller's values.

    Args:
        given: {field: value} that the caller gives, as options or as arguments.
        stored: the model's own ModelConfig; if it is None, fields that are not given have their published defaults.
        source: the model's path, for the message of the error; None if no configuration is stored.

    Raises:
        InputError: for a value that contradicts the model's own configuration.
    """
    if stored is None:
        return ModelConfig(**given)
    for name, value in given.items():
        if value != getattr(stored, name):
            path = "" if source is None else config_path(source)
            contradiction = f"{argument(name, value, _words)} contradicts {path}"
            says = _says(getattr(stored, name))
            raise InputError(f"{contradiction}, which {says}; leave the {argument_kind()} out")
    return stored


def _says(value: object) -> str:
    return "has none" if value is None or value is False else f"says {_words(value)}"


def _words(value: object) -> str:
    return " ".join(f"{v:g}" for v in value) if isinstance(value, tuple) else str(value)
