"""Options of segmenting a user's video. Nothing here imports TensorFlow."""

import dataclasses
from collections.abc import Mapping
from dataclasses import field
from fractions import Fraction
from typing import Any, NamedTuple

from osmn.errors import InputError, argument
from osmn.options import WrongValue, non_negative, option, positive
from osmn.training.options import TrainingOptions
from osmn.user_video.given import READINGS

# Values of --output_format.
EXPORTS = ("coco", "coco_images", "cvat", "labelme", "boxes", "mot", "matte", "prores")
BOX_BY = ("network", "grabcut")


def place(text: str) -> int | Fraction:
    """Parse a place in a video: a frame's number, or a time such as 4.5s or 1:02.5, in seconds."""
    from osmn.user_video.media.reader import position

    try:
        return position(text)
    except ValueError as error:
        raise WrongValue(str(error)) from None


class Placed(NamedTuple):
    """The first number of a click or of a box, and the place in the video that stands before it."""

    place: int | Fraction
    number: int


def placed(text: str) -> int | Placed:
    """Parse a whole number from zero up, or one after a place: 310, 120:310, 4.5s:310."""
    before, colon, after = text.rpartition(":")
    if colon and not after.isdecimal():
        raise WrongValue(f"{text} is no number after a place, as 120:310, with nothing between them")
    number = non_negative(int)(after)
    return Placed(place(before), number) if colon else number


@dataclasses.dataclass(frozen=True)
class VideoOptions:
    """Which videos are segmented, which objects in them, and what is written.

    Attributes:
        input: paths of the videos.
        result_path: folder of the results.
        mask: texts as `prompts.parse_prompt` takes them.
        mask_reading: how the values and colors of masks are read; see `given.masks.read_mask`. None: as a person sees.
        box: boxes, each (x, y, width, height) or (x, y, width, height, object); the k-th without object is object k.
            They are in the first frame, or, where x is a `Placed`, at its place.
        click: clicks on objects, each (x, y) of object 1, or (x, y, object), likewise.
        no_click: clicks beside objects, likewise: on what is not to be part of them.
        box_by: what finds objects in boxes, of `BOX_BY`; None: the click network, where there is one.
        click_model: path of a click network, which finds objects in boxes and at clicks; "" for the shipped one.
        start: the first frame that is used; see `reader.open_frames`.
        end: the first frame that is not used any more.
        stride: every `stride`-th frame is used.
        both_ways: objects that are given in a later frame are followed backward too.
        cutout: also write each object's cutout.
        output_format: further files to write, of `EXPORTS`.
    """

    input: tuple[str, ...] = field(
        metadata=option("video file, or folder of frames", nargs="+", metavar="INPUT", positional=True)
    )
    result_path: str = field(
        default="",
        metadata=option("folder of the results; with several INPUTs, of a folder for each, of its name"),
    )
    mask: tuple[str, ...] = field(
        default=(),
        metadata=option(
            "mask of the first frame, or at a frame (120) or time (4.5s, 1:02.5): any picture of the objects, at best a"
            " PNG of object ids; several times for a file per object, for objects that come later, and to correct"
            " objects; a folder stands for <INPUT's name>.png in it, or for a file per object",
            metavar="[PLACE:]FILE",
            repeated=True,
        ),
    )
    mask_reading: str | None = field(
        default=None,
        metadata=option(
            "how masks are read where that is unclear: gray values and indices as ids; every color an object; shades as"
            " soft borders; gray values by rank; colors as ids R + 256 G + 65536 B",
            choices=READINGS,
        ),
    )
    box: tuple[list[int | Placed], ...] = field(
        default=(),
        metadata=option(
            "instead, or too: a box around an object in the first frame, in pixels, or, as 120:X Y W H, at a frame or a"
            " time; several times for several objects: 1, 2, ..., or as a fifth number says",
            placed,
            nargs="+",
            metavar=("[PLACE:]X Y W H", "OBJECT"),
            repeated=True,
        ),
    )
    click: tuple[list[int | Placed], ...] = field(
        default=(),
        metadata=option(
            "instead, or too: a pixel on an object in the first frame, or, as 120:X Y, at a frame or a time, where it"
            " corrects what is followed; and the object's number if it is not 1; several times for what is still"
            " missing, and for several objects",
            placed,
            nargs="+",
            metavar=("[PLACE:]X Y", "OBJECT"),
            repeated=True,
        ),
    )
    no_click: tuple[list[int | Placed], ...] = field(
        default=(),
        metadata=option(
            "likewise: a pixel that is not the object's",
            placed,
            nargs="+",
            metavar=("[PLACE:]X Y", "OBJECT"),
            repeated=True,
        ),
    )
    box_by: str | None = field(
        default=None,
        metadata=option(
            "what finds the object in a box: the network of --click_model, or GrabCut, as older versions did",
            choices=BOX_BY,
        ),
    )
    click_model: str = field(default="", metadata=option("network for boxes and clicks (default: models/osmn_clicks)"))
    start: int | Fraction | None = field(
        default=None, metadata=option("first frame used: number, or time", place, metavar="PLACE")
    )
    end: int | Fraction | None = field(
        default=None, metadata=option("first frame not used any more: number, or time", place, metavar="PLACE")
    )
    stride: int = field(default=1, metadata=option("use every so many frames", positive(int)))
    both_ways: bool = field(
        default=False,
        metadata=option("follow objects that are given in a later frame backward too, to the first frame"),
    )
    cutout: bool = field(
        default=False, metadata=option("also write cutout_<object>.webm, transparent around the object")
    )
    output_format: tuple[str, ...] = field(
        default=(),
        metadata=option(
            "also write the masks as coco.json (YouTube-VIS form, run lengths), coco_images.json (COCO instances),"
            " cvat.xml (CVAT 1.1), labelme/ (frames and JSON), boxes.csv, mot.txt, or as black and white videos:"
            " matte_<object>.mkv (FFV1), matte_<object>.mov (ProRes 4444)",
            choices=EXPORTS,
            nargs="+",
        ),
    )

    @property
    def pointed(self) -> bool:
        """Whether objects are given by boxes and clicks."""
        return bool(self.box or self.click or self.no_click)


@dataclasses.dataclass(frozen=True)
class FinetuningOptions:
    """How the model is first trained on the given masks.

    Attributes:
        finetune: number of steps; 0 for no training.
        learning_rate: of Adam.
    """

    finetune: int = field(
        default=0,
        metadata=option(
            "first train the model on the given masks for N steps (published: 100); OUT/finetuned keeps it",
            non_negative(int),
            metavar="N",
        ),
    )
    learning_rate: float = field(
        default=TrainingOptions.learning_rate,
        metadata=option("of --finetune; the loss is a sum of pixels", positive(float)),
    )

    def __post_init__(self) -> None:
        if not self.finetune and self.learning_rate != TrainingOptions.learning_rate:
            raise InputError(
                f"{argument('learning_rate')} does nothing without {argument('finetune')}; give it too, or leave it out"
            )


@dataclasses.dataclass(frozen=True)
class UserVideoOptions:
    """All options of segmenting a user's videos.

    Attributes:
        video: `VideoOptions`.
        finetuning: `FinetuningOptions`.
        im_size: (width, height) of the network's images; None for a size that suits the video and the model.
        given: {`ModelConfig` field: value} of what the user says of the model.
        precision: see `load.load_model`.
        save_score: also write each object's probabilities.
        crf_postprocessing: refine each mask by a dense CRF.
        boundaries: the boundary net moves masks' boundaries to the image's.
        flip_test: average each frame's probabilities with those of its mirror image.
        search: look for an object in the whole frame where its mask has died.
        window: the network sees windows around the objects, not the whole frame.
        target_model: each object has a target model; see `inference.target`.
        overwrite: results of another run may be replaced.
    """

    video: VideoOptions
    finetuning: FinetuningOptions = FinetuningOptions()
    im_size: tuple[int, int] | None = None
    given: Mapping[str, Any] = field(default_factory=dict)
    precision: str | None = None
    save_score: bool = False
    crf_postprocessing: bool = False
    boundaries: bool = False
    flip_test: bool = False
    search: bool = False
    window: bool = True
    target_model: bool = True
    overwrite: bool = False

    @property
    def identity_options(self) -> dict[str, Any]:
        """{option: value} of the options that change masks; to write scores too changes no mask."""
        video, finetuning = self.video, self.finetuning
        found: dict[str, Any] = {"stride": video.stride, "crf_postprocessing": self.crf_postprocessing}
        for name, where in (("start", video.start), ("end", video.end)):
            found[name] = None if where is None else str(where)
        if video.both_ways:
            found["both_ways"] = True
        # Results from before these options have no entry for them, and stay valid.
        later = ("boundaries", "flip_test", "search", "window", "target_model")
        found |= {name: True for name in later if getattr(self, name)}
        if video.mask_reading:
            found["mask_reading"] = video.mask_reading
        if finetuning.finetune:
            found |= {"finetune": finetuning.finetune, "learning_rate": finetuning.learning_rate}
        return found
