"""One-shot fine-tuning for a video of one's own: a network is trained on all masks that are given in it."""

from pathlib import Path

from osmn.data.types import Example, Guide
from osmn.files.images import write_image, write_labels
from osmn.inputs.options import PipelineOptions
from osmn.inputs.sources import video_source
from osmn.masks import labelled
from osmn.training import run
from osmn.training.options import TrainerOptions, TrainingOptions, TrainingRun
from osmn.user_video.prompts import reference_frames

SCALES = (0.5, 0.8, 1.0)  # of online fine-tuning, as published; with a batch of 1, too


def finetune(model, given, frames, folder, im_size, steps, learning_rate, seed=0):
    """Train a model on what is given in a video; return it as the one to test.

    One network is trained, on all objects together; it goes on where it was stopped. What it is trained on is written
    into `folder` too, an image and a mask of each place.

    Args:
        model: `tensorflow_model.Model`, from `tensorflow_model.new_for_training`.
        given: list of `Prompt`, from `prompts.read`.
        frames: `reader.Frames`; only those are read that are needed to reach what is given.
        folder: of the checkpoints.
        im_size: (width, height) of the network's images at scale 1.
        steps: how many.
        learning_rate: of Adam; the loss is a sum of pixels.
        seed: of everything random.

    Raises:
        InputError: if something is given after the last frame.
    """
    examples = write_examples(given, reference_frames(frames, given), folder)
    pipeline = PipelineOptions(im_size, SCALES, batch_size=1, seed=seed)
    options = TrainingRun(TrainingOptions(steps, learning_rate), pipeline, folder, TrainerOptions(dropout_seed=seed))
    return run.train(options, model, [video_source(examples)], final=True)


def example_files(given):
    """Return the names of the files that `write_examples` writes."""
    return [f"{number}.{kind}.png" for number in range(len(given)) for kind in ("frame", "mask")]


def write_examples(given, images, folder):
    """Write the frames and masks of `given`, `<number>.frame.png` and `.mask.png`; return their `Example`s."""
    examples = []
    for number, (each, image) in enumerate(zip(given, images, strict=True)):
        frame, mask = (Path(folder) / f"{number}.{kind}.png" for kind in ("frame", "mask"))
        write_labels(mask, labelled(each.objects, image.shape[:2]))
        write_image(frame, image)
        # As published: the reference frame and mask are guide, previous mask and target.
        guides = (Guide(str(frame), str(mask)),)
        examples += [Example(guides, str(mask), str(frame), str(mask), object_id) for object_id in each.objects]
    return examples
