"""One-shot fine-tuning for a video of one's own: a network is trained on all masks that are given in it."""

from pathlib import Path

import numpy as np
from PIL import Image

from osmn import models, training
from osmn.data.types import Example, Guide
from osmn.files import replacing, write_labels
from osmn.own_video import reference_frames
from osmn.pipeline import Pipeline, PipelineOptions
from osmn.sources import video_source
from osmn.training import Trainer, TrainingOptions

SCALES = (0.5, 0.8, 1.0)  # of online fine-tuning, as published; with a batch of 1, too
FOLDER = "finetuned"


def finetune(model, given, frames, folder, im_size, steps, learning_rate, seed=0):
    """Train a model on what is given in a video; return it as the one to test.

    One network is trained, on all objects together; it goes on where it was stopped. What it is trained on is written
    into `folder` too, an image and a mask of each place.

    Args:
        model: `models.Model`, from `models.begin`.
        given: list of `own_video.Given`, from `own_video.read`.
        frames: `video.Frames`; only those are read that are needed to reach what is given.
        folder: of the checkpoints.
        im_size: (width, height) of the network's images at scale 1.
        steps: how many.
        learning_rate: of Adam; the loss is a sum of pixels.
        seed: of everything random.

    Raises:
        InputError: if something is given after the last frame.
    """
    examples = write_examples(given, reference_frames(frames, given), folder)
    options = PipelineOptions(im_size, SCALES, batch_size=1, seed=seed)
    batches = Pipeline([video_source(examples)], model.network.config, options).batches
    trainer = Trainer(model.network, dropout_seed=seed)
    training.train(trainer, batches, TrainingOptions(steps, learning_rate), folder, final=True)
    return models.trained(model, folder)


def write_examples(given, images, folder):
    """Write the frames and masks of `given`, `<number>.frame.png` and `.mask.png`; return their `Example`s."""
    examples = []
    for number, (each, image) in enumerate(zip(given, images, strict=True)):
        frame, mask = (Path(folder) / f"{number}.{kind}.png" for kind in ("frame", "mask"))
        labels = np.zeros(image.shape[:2], np.uint8)
        for object_id, where in each.objects.items():
            labels[where] = object_id
        write_labels(mask, labels)
        with replacing(frame) as temporary:
            Image.fromarray(image).save(temporary)
        # As published: the reference frame and mask are guide, previous mask and target.
        guides = (Guide(str(frame), str(mask)),)
        examples += [Example(guides, str(mask), str(frame), str(mask), object_id) for object_id in each.objects]
    return examples
