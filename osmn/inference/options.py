"""Options of segmenting videos. Nothing here imports TensorFlow."""

import dataclasses
from dataclasses import field
from typing import Any

from osmn.config import IM_SIZE, LONGEST_SIDE, PAD_RATIO
from osmn.options import Shard, identity, option, positive, shard, share


@dataclasses.dataclass(frozen=True)
class SegmentingOptions:
    """How videos are segmented, with the names and defaults of the command line.

    Attributes:
        result_path: folder of the results.
        im_size: (width, height) of the network's input and of the objects' masks; None: frames keep their shape.
        short_side: of frames that keep their shape, the short side, about; None: that of the model's training.
        save_score: also write each object's probabilities.
        crf_postprocessing: refine each mask by a dense CRF before it is written and propagated.
        vg_pad_ratio: the visual guide's crop grows by this part of its sides.
        flip_test: average each frame's probabilities with those of its mirror image.
        search: look for an object in the whole frame where its mask has died.
        window: the network sees windows around the objects, not the whole frame.
        target_model: each object has a target model; see `inference.target`.
        boundaries: the boundary net moves masks' boundaries to the image's; see `inference.boundaries`.
        shard: (i, n): only share i, from 0, of n shares of the videos.
        overwrite: results of another model or of other options may be replaced.
    """

    result_path: str = field(metadata=option("folder of the masks", changes_results=False))
    im_size: tuple[int, int] | None = field(metadata=IM_SIZE)
    save_score: bool = field(
        default=False, metadata=option("also write each object's probabilities (.npy)", changes_results=False)
    )
    crf_postprocessing: bool = field(default=False, metadata=option("refine each mask by a dense CRF"))
    vg_pad_ratio: float = field(
        default=PAD_RATIO, metadata=option("the guide's crop grows by this part of its sides", share)
    )
    flip_test: bool = field(
        default=False,
        metadata=option(
            "segment each frame's mirror image too, and average: often better, twice the time", came_later=True
        ),
    )
    short_side: int | None = field(
        default=None,
        metadata=option(
            "in place of IM_SIZE: frames keep their shape, and this is their short side",
            positive(int, LONGEST_SIDE),
            came_later=True,
        ),
    )
    search: bool = field(
        default=False,
        metadata=option(
            "where an object's mask has died, look in the whole frame for what agrees with its reference",
            came_later=True,
        ),
    )
    window: bool = field(
        default=False,
        metadata=option(
            "the network sees windows around the objects, which is faster, and the whole frame where one is lost",
            came_later=True,
        ),
    )
    target_model: bool = field(
        default=False,
        metadata=option(
            "fit a linear model of each object's features to its masks: better masks, and lost objects are found again",
            came_later=True,
        ),
    )
    boundaries: bool = field(
        default=False,
        metadata=option("move each mask's boundary to the image's, by a small network", came_later=True),
    )
    shard: tuple[int, int] = field(
        default=Shard(0, 1),
        metadata=option("only share I of N of the videos", shard, metavar="I/N", changes_results=False),
    )
    overwrite: bool = field(
        default=False, metadata=option("replace results of another model or other options", changes_results=False)
    )

    @property
    def identity_options(self) -> dict[str, Any]:
        """{option: value} of the options that change the content of result files."""
        return identity(self)
