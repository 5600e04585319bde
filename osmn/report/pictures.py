"""Small frames with masks, as JPEGs that are part of the page. A single frame is in memory at a time."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from osmn.errors import InputError
from osmn.evaluation import scoring
from osmn.evaluation.scoring import read_result
from osmn.files.images import data_url, read_image, read_labels
from osmn.files.names import frame_files
from osmn.masks import overlay
from osmn.results.layout import MASKS

QUALITY = 75


class Pictures:
    """The pictures of a sequence.

    Args:
        images: the folder of the sequence's frames.
        sequences: the `Sequence`s of one or two results of the sequence.
    """

    def __init__(self, images: Path, sequences: Sequence[scoring.Sequence]) -> None:
        self._images, self._frames, self._sequences = images, frame_files(images), sequences

    def of(self, truth: Path, box: tuple[int, int]) -> list[str]:
        """Return the pictures of a frame as data URIs: the frame alone, with each result, and with the true masks.

        Args:
            truth: the path of the frame's annotation.
            box: (width, height) that a picture fits into; small frames are not enlarged.

        Raises:
            InputError: if a file of the frame is missing or damaged.
        """
        if truth.stem not in self._frames:
            raise InputError(f"{self._images} has no frame {truth.stem}, though {truth} exists; add it for the report")
        frame = read_image(self._frames[truth.stem])
        scale = min(1, box[0] / frame.shape[1], box[1] / frame.shape[0])
        height, width = (max(1, round(side * scale)) for side in frame.shape[:2])
        size = width, height
        frame = np.asarray(Image.fromarray(frame).resize(size, Image.Resampling.BILINEAR))
        masks = [read_result(sequence, truth.stem, size) for sequence in self._sequences]
        labels = read_labels(truth, size)
        masks.append((labels != 0).astype(np.uint8) if self._sequences[0].source == MASKS else labels)
        return [data_url(pixels, QUALITY) for pixels in (frame, *(overlay(frame, labels) for labels in masks))]
