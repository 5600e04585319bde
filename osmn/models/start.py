"""Options of the model that a training begins with. Nothing here imports TensorFlow."""

import dataclasses
from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from typing import Any

from osmn.inputs.options import SEED
from osmn.models.engines import ENGINE, PRECISION
from osmn.options import option

SOURCES = 'checkpoint, .npz, Keras .h5, or "imagenet" to download'
EMBEDDING_STARTS = ("published", "small")


@dataclasses.dataclass(frozen=True)
class ImageNetWeights:
    """Where ImageNet weights come from: a path, or "imagenet"; see `pretrained.imagenet.load`.

    Attributes:
        vis_mod_model_path: of the visual modulator.
        seg_model_path: of the segmentation net.
    """

    vis_mod_model_path: str = field(
        default="models/vgg_16.ckpt", metadata=option(f"of the visual modulator: {SOURCES}")
    )
    seg_model_path: str = field(default="models/vgg_16.ckpt", metadata=option(f"of the segmentation net: {SOURCES}"))


@dataclasses.dataclass(frozen=True)
class StartOptions:
    """The model that a training begins with; its weights come from `whole_model_path`, or are initial weights.

    Attributes:
        im_size: (width, height) of the training's images at scale 1.
        given: {`ModelConfig` field: value} of what the caller says of the model; see `config.resolve`.
        precision: "float32", "bfloat16" or "float16"; None for the default of the device.
        whole_model_path: a checkpoint to start from, or a folder, whose newest checkpoint is taken; "" for initial
            weights.
        folder: of the training's checkpoints. The newest checkpoint, from which the training goes on, gives the
            configuration. None for a training that has no checkpoints to go on from.
        seed: of the initial weights.
        embedding_start: one of `EMBEDDING_STARTS`; see `networks.Initialization`.
        pretrained: `ImageNetWeights`, used without `whole_model_path` and where `folder` has no checkpoint; None for
            random weights.
        backbone: a checkpoint of another network; of it the weights of equal name and shape are taken, where neither
            `whole_model_path` nor a checkpoint in `folder` gives them. "" for none.
        engine: "tensorflow" or "openvino": what the trained model segments with; None for TensorFlow.
    """

    im_size: tuple[int, int]
    given: Mapping[str, Any] = field(default_factory=dict)
    precision: str | None = field(default=None, metadata=PRECISION)
    whole_model_path: str | Path = field(
        default="", metadata=option("weights to start from: checkpoint, or folder (newest)")
    )
    folder: str | Path | None = None
    seed: int = field(default=0, metadata=SEED)
    embedding_start: str = field(
        default="published",
        metadata=option(
            "of the embedding in lite's visual modulator: the published constants, or small random weights",
            choices=EMBEDDING_STARTS,
        ),
    )
    pretrained: ImageNetWeights | None = None
    backbone: str | Path = field(
        default="", metadata=option("weights of the segmentation net to start from: a model of lite")
    )
    engine: str | None = field(default=None, metadata=ENGINE)
