"""Options of the network's inputs: which samples, and how they are varied. Nothing here imports TensorFlow."""

import dataclasses
from dataclasses import field

from osmn.config import IM_SIZE, LONGEST_SIDE
from osmn.errors import InputError, argument
from osmn.options import non_negative, option, positive, seed, share

SEED = option("of initial weights, order, augmentation and dropout", seed)


# Of COCO's folders, in every script that reads them.
SKIP_BAD = option("leave out COCO's damaged annotations, and those of missing images, with a line", came_later=True)


@dataclasses.dataclass(frozen=True)
class Augmentation:
    """How samples are varied at random in training, with the names and published defaults of the command line.

    Attributes:
        vg_random_crop_ratio: a side of the object's crop moves by up to this part of the crop's side.
        vg_color_aug: vary brightness and contrast of the visual guide.
        vg_random_rotate_angle: largest rotation of the visual guide, degrees.
        sg_center_perturb_ratio: largest shift of the spatial guide's center, in its standard deviations.
        sg_std_perturb_ratio: s, where the standard deviations are multiplied by a number from 1/(1+s) to 1+s.
        random_crop_ratio: a side of a COCO image moves by up to this part of the image's side.
    """

    vg_random_crop_ratio: float = field(default=0.1, metadata=option("guide: sides move by +-r", share))
    vg_color_aug: bool = field(default=False, metadata=option("guide: random brightness and contrast"))
    vg_random_rotate_angle: float = field(default=10.0, metadata=option("guide: +-degrees", non_negative(float)))
    sg_center_perturb_ratio: float = field(
        default=0.2, metadata=option("spatial guide: centre", non_negative(float, 100))
    )
    sg_std_perturb_ratio: float = field(default=0.4, metadata=option("spatial guide: scale", non_negative(float, 100)))
    random_crop_ratio: float = field(default=0.0, metadata=option("a COCO image's sides move by up to this", share))


AS_PUBLISHED = Augmentation()
MOST_UNROLLED = 16  # Frames of a sample; each costs a step's time and memory of a batch.


@dataclasses.dataclass(frozen=True)
class PipelineOptions:
    """How batches are made of samples, with the names and defaults of the command line.

    Attributes:
        im_size: (width, height) at scale 1.
        data_aug_scales: a batch's scale is one of these.
        batch_size: samples in a batch, over all replicas.
        seed: of everything random.
        num_loader: samples made at a time; 0: as many as there are processors.
        distractors: share of the samples, 0 to 1, that get the object of another sample pasted into their frame.
        own_masks: share of the samples, 0 to 1, whose spatial guide the trainer makes of the network's own mask.
        unroll: frames of a sample that the network goes through by its own masks; it learns from the last. 1: a frame.
        occluders: share of the samples of several frames, 0 to 1, in which something passes before the object.
        damaged_masks: share of the samples of several frames, 0 to 1, whose last spatial guide is of a wrong mask.
        look_alikes: share of the samples of several frames, 0 to 1, that get their own object in other colors too.
        negative_pairs: share of the samples, 0 to 1, whose visual guide shows another object: nothing is to be found.
        augmentation: `Augmentation`.
    """

    im_size: tuple[int, int] = field(metadata=IM_SIZE)
    data_aug_scales: tuple[float, ...] = field(
        default=(1.0,), metadata=option("of a batch", positive(float, 16), nargs="+")
    )
    batch_size: int = field(default=8, metadata=option("images in a step, over all devices", positive(int)))
    seed: int = field(default=0, metadata=SEED)
    num_loader: int = field(
        default=0,
        metadata=option("samples made in parallel; 0: one a processor", non_negative(int, 1024), changes_results=False),
    )
    distractors: float = field(
        default=0.0,
        metadata=option(
            "of samples whose frame gets a second object; half of these ask for it", share, metavar="SHARE"
        ),
    )
    own_masks: float = field(
        default=0.0,
        metadata=option(
            "of samples whose spatial guide comes from the network's own mask, as in testing", share, metavar="SHARE"
        ),
    )
    unroll: int = field(
        default=1,
        metadata=option(
            "frames that the network follows a sample's object through by its own masks, to learn from the last; stills"
            " become short videos; 1: as published (try 3)",
            positive(int, MOST_UNROLLED),
            metavar="FRAMES",
            came_later=True,
        ),
    )
    occluders: float = field(
        default=0.0,
        metadata=option(
            "of samples of --unroll, in which something passes before the object",
            share,
            metavar="SHARE",
            came_later=True,
        ),
    )
    damaged_masks: float = field(
        default=0.0,
        metadata=option(
            "of samples of --unroll, whose own mask before the last frame is moved, cut, emptied or on another object",
            share,
            metavar="SHARE",
            came_later=True,
        ),
    )
    look_alikes: float = field(
        default=0.0,
        metadata=option(
            "of samples of --unroll, in which the object is elsewhere too, in other colors; half of them ask for it",
            share,
            metavar="SHARE",
            came_later=True,
        ),
    )
    negative_pairs: float = field(
        default=0.0,
        metadata=option(
            "of samples whose visual guide shows an object of another sample, so that nothing is to be found",
            share,
            metavar="SHARE",
            came_later=True,
        ),
    )
    augmentation: Augmentation = AS_PUBLISHED

    def __post_init__(self) -> None:
        for name in ("occluders", "damaged_masks", "look_alikes"):
            if getattr(self, name) and self.unroll == 1:
                raise InputError(f"{argument(name)} does nothing without {argument('unroll')} 2 or more; give it too")
        if self.own_masks and self.unroll > 1:
            raise InputError(
                f"{argument('own_masks')} does nothing with {argument('unroll')}, which follows own masks in every"
                " sample; leave one of them out"
            )
        if self.augmentation.random_crop_ratio and self.unroll > 1:
            raise InputError(
                f"{argument('random_crop_ratio')} does nothing with {argument('unroll')}, where stills move and grow as"
                " a whole; leave one of them out"
            )
        for scale in self.data_aug_scales:
            width, height = (int(side * scale) for side in self.im_size)
            if min(width, height) < 1 or max(width, height) > LONGEST_SIDE:
                raise InputError(
                    f"--data_aug_scales {scale:g} makes images of {width}x{height} pixels; give another scale"
                )


@dataclasses.dataclass(frozen=True)
class VideoSamples:
    """Which frames of training videos make samples, and which still images are mixed in.

    Attributes:
        randomize_guide: the visual guide comes from any frame that shows enough of the object, not from the first.
        label_valid_ratio: share of the image that the object covers at least, in such a frame.
        bbox_valid_ratio: share of its box that the object covers at least, in such a frame.
        flip_target: mirror frame, label and previous mask at random.
        longest_gap: frames from one frame of a sample to the next, at most, where samples have several frames.
        more_videos: (folder of frames, folder of masks) of further datasets, as `data.folders` reads them.
        video_shares: of the samples from videos, the shares of the script's own dataset and of each of `more_videos`,
            in any unit; None: by their numbers of examples.
        coco_path: folders of still images; empty for videos alone.
        coco_share: share of the samples that come from still images, where there are still images.
        skip_bad_annotations: leave out damaged annotations of still images, and those without their image.
    """

    randomize_guide: bool = field(default=False, metadata=option("a random valid frame, not the first, is the guide"))
    label_valid_ratio: float = field(default=0.003, metadata=option("valid: the object's share of the image", share))
    bbox_valid_ratio: float = field(default=0.2, metadata=option("valid: the object's share of its box", share))
    flip_target: bool = field(default=False, metadata=option("mirror frame, label and previous mask at random"))
    longest_gap: int = field(
        default=10,
        metadata=option(
            "frames from one to the next of a sample of --unroll, at most; without it this idles",
            positive(int, 1000),
            came_later=True,
        ),
    )
    more_videos: tuple[list[str], ...] = field(
        default=(),
        metadata=option(
            "folders of frames and of masks of more videos (doc/datasets.md); several times for several datasets",
            nargs=2,
            metavar=("FRAMES", "MASKS"),
            repeated=True,
        ),
    )
    video_shares: tuple[float, ...] | None = field(
        default=None,
        metadata=option(
            "of the samples from videos: the share of DATA_PATH, then of each --more_videos, in any unit; by their"
            " numbers of examples where not given",
            positive(float),
            nargs="+",
            metavar="SHARE",
        ),
    )
    coco_path: tuple[str, ...] = field(
        default=(), metadata=option("COCO folders to draw samples from too; without it the next three idle", nargs="+")
    )
    coco_share: float = field(default=0.5, metadata=option("of samples from --coco_path", share, metavar="SHARE"))
    skip_bad_annotations: bool = field(default=False, metadata=SKIP_BAD)

    def __post_init__(self) -> None:
        if self.video_shares and len(self.video_shares) != 1 + len(self.more_videos):
            raise InputError(
                f"{argument('video_shares')} has {len(self.video_shares)} numbers; give one for DATA_PATH and one for"
                f" each {argument('more_videos')}: {1 + len(self.more_videos)}"
            )

    @property
    def validity(self) -> tuple[float, float] | None:
        """(label_valid_ratio, bbox_valid_ratio) of the frames that may be guides; None where the first frame is it."""
        return (self.label_valid_ratio, self.bbox_valid_ratio) if self.randomize_guide else None


@dataclasses.dataclass(frozen=True)
class CocoData:
    """Folders of COCO's layout, and how many of the samples come from each."""

    data_path: tuple[str, ...] = field(
        default=("data/COCO",), metadata=option("COCO folder (README, 'Data'), or several", nargs="+")
    )
    data_shares: tuple[float, ...] | None = field(
        default=None,
        metadata=option(
            "of the samples from each --data_path, in any unit; by their numbers of instances where not given",
            positive(float),
            nargs="+",
            metavar="SHARE",
        ),
    )

    skip_bad_annotations: bool = field(default=False, metadata=SKIP_BAD)

    def __post_init__(self) -> None:
        if self.data_shares and len(self.data_shares) != len(self.data_path):
            raise InputError(
                f"{argument('data_shares')} has {len(self.data_shares)} numbers; give one for each"
                f" {argument('data_path')}: {len(self.data_path)}"
            )
