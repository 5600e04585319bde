"""Rescale ImageNet's VGG16 so that every layer's features have size 1: for short trainings.

    python preprocessing/rescale_vgg.py VGG_16 IMAGES OUT

VGG_16 is what `--seg_model_path` takes, IMAGES a folder of photographs (the first 24 are looked at), OUT the new
checkpoint's prefix. Train and test with it at the same `--scale_value` (default here: 0.01):

    python osmn_coco_pretrain.py --seg_model_path OUT --vis_mod_model_path OUT --scale_value 0.01 ...

Why, and how: `osmn/models/pretrained/rescaling.py`.
"""

import argparse
import dataclasses
from dataclasses import field
from pathlib import Path

import numpy as np

from osmn.cli.entry import reports_input_errors
from osmn.cli.parser import Parser
from osmn.errors import InputError
from osmn.options import option, positive

IMAGES_USED = 24
IMAGE_SIZE = (224, 224)  # ImageNet's
SCOPE = "osmn/modulator"  # of the two VGG16s in the network, the one with fully connected layers


@dataclasses.dataclass(frozen=True)
class Rescaling:
    """What is rescaled, by which images, and where it is written."""

    source: str = field(
        metadata=option("ImageNet weights: checkpoint, .npz, Keras .h5, or imagenet", metavar="VGG_16", positional=True)
    )
    images: Path = field(metadata=option("a folder of photographs (.jpg)", Path, metavar="IMAGES", positional=True))
    out: Path = field(metadata=option("the prefix of the checkpoint to write", Path, metavar="OUT", positional=True))
    scale_value: float = field(default=0.01, metadata=option("of the inputs (default: 0.01)", positive(float)))


def parser():
    """Return the script's options."""
    to = Parser(__doc__, argparse.RawDescriptionHelpFormatter)
    to.add(Rescaling)
    return to


@reports_input_errors
def main(argv=None):
    """Run the command line `argv` (default: that of the process)."""
    args = parser().parse(argv)
    # Before TensorFlow, which takes seconds to import: paths and lists that are wrong are named at once.
    from osmn.files.names import frame_files
    from osmn.models import checkpoint_files
    from osmn.models.pretrained import source_files

    checkpoint_files.check_output(args.out, [args.source])
    paths = list(frame_files(args.images, required=False).values())[:IMAGES_USED]
    if not paths:
        raise InputError(f"{args.images} holds no photographs (.jpg)")
    source_files.check_source(args.source)
    from osmn import networks
    from osmn.config import ModelConfig
    from osmn.files.images import read_image
    from osmn.inputs import guides
    from osmn.models import checkpoints
    from osmn.models.pretrained import imagenet, rescaling

    config = ModelConfig()
    images = np.stack([guides.normalize(read_image(path, IMAGE_SIZE), config) for path in paths])
    network = networks.build(config)
    missing = set(imagenet.load(network, SCOPE, args.source))
    fc6 = None if f"{SCOPE}/fc6/weights" in missing else network.visual.hidden[0]
    try:
        rescaling.rescale(network.visual.stages, fc6, images, args.scale_value)
    except InputError as error:
        raise InputError(f"{args.source}: {error}; give the weights of a trained VGG16") from error
    found = {n: v for n, v in network.tf1_variables().items() if n.startswith(f"{SCOPE}/") and n not in missing}
    checkpoints.write_variables(args.out, {n.replace(SCOPE, "vgg_16"): np.asarray(v) for n, v in found.items()})
    print(f"written: {args.out} ({len(found)} variables), for --scale_value {args.scale_value:g}")


if __name__ == "__main__":
    main()
