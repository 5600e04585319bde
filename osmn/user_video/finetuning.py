"""One-shot fine-tuning for a user's video: a network is trained on all masks that are given in it."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from osmn.data.types import Example, Guide
from osmn.files.images import write_image, write_labels
from osmn.inputs.options import PipelineOptions
from osmn.inputs.sources import video_source
from osmn.masks import labelled
from osmn.models.tensorflow_model import Model
from osmn.training import run
from osmn.training.options import TrainerOptions, TrainingOptions, TrainingRun
from osmn.user_video.media.reader import Frame
from osmn.user_video.prompts import Prompt, objects_of, reference_frames

SCALES = (0.5, 0.8, 1.0)  # Of online fine-tuning, as published, as is the batch size of 1.


def finetune(
    model: Model,
    given: Sequence[Prompt],
    frames: Iterable[Frame],
    folder: Path | str,
    im_size: tuple[int, int],
    steps: int,
    learning_rate: float,
    seed: int = 0,
) -> Model:
    """Train a model on the objects that are given in a video; return it as the model to test.

    A single network is trained on all objects together. An interrupted training goes on where it was stopped. The image
    and the mask of each place are written into `folder` too.

    Args:
        model: `tensorflow_model.Model`, from `tensorflow_model.new_for_training`.
        given: the `Prompt`s, from `prompts.read`.
        frames: `reader.Frames`, which are read up to the last place that is given.
        folder: of the checkpoints.
        im_size: (width, height) of the network's images at scale 1.
        steps: number of steps.
        learning_rate: of Adam; the loss is a sum of pixels.
        seed: of everything random.

    Raises:
        InputError: if a place is after the last frame.
    """
    examples = write_examples(given, reference_frames(frames, given), folder)
    pipeline = PipelineOptions(im_size, SCALES, batch_size=1, seed=seed)
    training, trainer = TrainingOptions(steps, learning_rate), TrainerOptions(dropout_seed=seed)
    options = TrainingRun(training, pipeline, str(folder), trainer)
    return run.train(options, model, [video_source(examples)], final=True)


def example_files(given: Sequence[Prompt]) -> list[str]:
    """Return the names of the files that `write_examples` writes."""
    return [f"{number}.{kind}.png" for number in range(len(given)) for kind in ("frame", "mask")]


def write_examples(given: Sequence[Prompt], images: Sequence[np.ndarray], folder: Path | str) -> list[Example]:
    """Write the frames and masks of `given`, `<number>.frame.png` and `.mask.png`; return their `Example`s.

    `images` are the frames at the places of `given`, uint8 (H, W, 3).
    """
    examples: list[Example] = []
    for number, (each, image) in enumerate(zip(given, images, strict=True)):
        frame, mask = (Path(folder) / f"{number}.{kind}.png" for kind in ("frame", "mask"))
        write_labels(mask, labelled(objects_of(each), image.shape[:2]))
        write_image(frame, image)
        # As published: the reference frame and mask are guide, previous mask and target.
        guides = (Guide(str(frame), str(mask)),)
        shown = [object_id for object_id, where in objects_of(each).items() if where.any()]  # The others end here.
        examples += [Example(guides, str(mask), str(frame), str(mask), object_id) for object_id in shown]
    return examples
