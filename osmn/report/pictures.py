"""Small frames with masks, as JPEGs that are part of the page. A single frame is in memory at a time."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from osmn.errors import InputError
from osmn.evaluation import scoring
from osmn.evaluation.scoring import read_result, read_truth
from osmn.files.images import data_url, read_image
from osmn.files.names import frame_files
from osmn.masks import overlay

QUALITY = 75


class Pictures:
    """The pictures of a sequence.

    Args:
        images: the folder of the sequence's frames.
        sequences: the `Sequence`s of one or two results of the sequence.
    """

    def __init__(self, images: Path, sequences: Sequence[scoring.Sequence]) -> None:
        truths = sequences[0].truths  # PNGs that may lie among JPEGs.
        self._images, self._frames, self._sequences = images, frame_files(images, leave_out=truths), sequences

    def of(self, number: int, box: tuple[int, int]) -> list[str]:
        """Return the pictures of a frame as data URIs: the frame alone, with each result, and with the true masks.

        Args:
            number: that of the frame, of those that are scored.
            box: (width, height) that a picture fits into; small frames are not enlarged.

        Raises:
            InputError: if a file of the frame is missing or damaged.
        """
        truth, name = self._sequences[0].truths[number], self._sequences[0].names[number]
        if name not in self._frames:
            raise InputError(f"{self._images} has no frame {name}, though {truth} exists; add it for the report")
        frame = read_image(self._frames[name])
        scale = min(1, box[0] / frame.shape[1], box[1] / frame.shape[0])
        height, width = (max(1, round(side * scale)) for side in frame.shape[:2])
        size = width, height
        frame = np.asarray(Image.fromarray(frame).resize(size, Image.Resampling.BILINEAR))
        masks = [read_result(sequence, name, size) for sequence in self._sequences]
        masks.append(read_truth(self._sequences[0], number, size))
        return [data_url(pixels, QUALITY) for pixels in (frame, *(overlay(frame, labels) for labels in masks))]
