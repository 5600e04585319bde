"""The memory that an image takes to be computed, and whether the machine has so much."""

import math
import os

from osmn.config import ModelConfig
from osmn.errors import InputError, argument


def check_images(config: ModelConfig, im_size: tuple[int, int], batch_size: int = 1, objects: int = 1) -> None:
    """Raise InputError for images that cannot be computed: their first features alone need more than the memory.

    Args:
        config: `ModelConfig` of the network. Where it has an `aligned_size`, images of that size are computed, and
            `im_size` may not be larger.
        im_size: (width, height) of the images.
        batch_size: number of images that are computed at a time.
        objects: number of objects of an image that are computed at a time.
    """
    size = tuple(config.aligned_size or im_size)
    if any(side > most for side, most in zip(im_size, size, strict=True)):
        sizes = ["x".join(map(str, each)) for each in (im_size, size)]
        raise InputError(
            f"images of {sizes[0]} do not fit into the model's aligned size, {sizes[1]}; give smaller ones"
        )
    if not {"SC_PHYS_PAGES", "SC_PAGE_SIZE"} <= getattr(os, "sysconf_names", {}).keys():
        return  # Windows does not tell.
    pixels, memory = math.prod((*size, batch_size, objects)), os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    needed = pixels * config.kind.bytes_a_pixel
    if needed > memory:
        what, verb = ("an image of", "needs") if batch_size == 1 else (f"{batch_size} images of", "need")
        what += f" {size[0]}x{size[1]} pixels"
        smaller = argument("aligned_size" if config.aligned_size else "im_size")
        if objects > 1:
            what += f" with {objects} objects"
        if batch_size > 1:
            smaller += f" or {argument('batch_size')}"
        raise InputError(
            f"{what} {verb} over {needed / 2**30:.0f} GiB of memory, of {memory / 2**30:.0f} GiB here; give a smaller"
            f" {smaller}"
        )
