"""Seconds that online fine-tuning spends on each object beside its steps and frames.

Takes the options of `osmn_online_finetune.py`, runs that script, and prints a table at its end. "steps" are the time in
training steps, "frames" that in propagation, frame by frame, the visual guide too; "tracing" is what the first step and
the first frame of the run take beyond the median one, a part of these two. The rest: "input", waiting for samples;
"save", writing checkpoints; "other", restoring weights, result files.
"""

import contextlib
import functools
import itertools
import sys
import time
from unittest import mock

import numpy as np

import osmn_online_finetune
from osmn.inference import segmenting
from osmn.inputs import pipeline
from osmn.training import online
from osmn.training.trainer import Trainer


class Stopwatch:
    """Durations of steps and frames, by object; an object begins where the trainer is reset."""

    def __init__(self):
        self.starts, self.steps, self.frames, self.inputs, self.saves, self.end = [], [], [], [], [], None

    def until_end(self, original):
        """Wrap `finetune_and_segment`: scoring comes after it."""

        @functools.wraps(original)
        def wrapped(*arguments):
            original(*arguments)
            self.end = time.perf_counter()

        return wrapped

    def reset(self, original):
        """Wrap `Trainer.reset`."""

        @functools.wraps(original)
        def wrapped(trainer, weights):
            self.starts.append(time.perf_counter())
            for durations in (self.steps, self.frames, self.inputs, self.saves):
                durations.append([])
            return original(trainer, weights)

        return wrapped

    def step(self, original):
        """Wrap `Trainer.train_step`, until its losses are there."""

        def wrapped(trainer, *arguments):
            start = time.perf_counter()
            losses, logits = original(trainer, *arguments)
            losses.segmentation.numpy()
            self.steps[-1].append(time.perf_counter() - start)
            return losses, logits

        return wrapped

    def follow(self, original):
        """Wrap `segmenting.follow`."""

        @functools.wraps(original)
        def wrapped(*arguments):
            return timed(original(*arguments), self.frames[-1])

        return wrapped

    def batches(self, original):
        """Wrap the iteration over `pipeline.Batches`."""

        @functools.wraps(original)
        def wrapped(batches):
            return timed(original(batches), self.inputs[-1])

        return wrapped

    def save(self, original):
        """Wrap `Trainer.save`."""

        @functools.wraps(original)
        def wrapped(*arguments, **options):
            start = time.perf_counter()
            original(*arguments, **options)
            self.saves[-1].append(time.perf_counter() - start)

        return wrapped


def timed(items, durations):
    """Yield the items of a generator, noting how long it takes to make each, and to end."""
    while True:
        start = time.perf_counter()
        item = next(items, None)
        durations.append(time.perf_counter() - start)
        if item is None:
            return
        yield item


def tracing(durations):
    """Return the part of the run's first duration that is beyond the median: only there are functions traced."""
    if not durations:  # a model that was there already
        return 0.0
    return max(0.0, max(durations[:2]) - np.median(durations))  # the first of a video's frames is given, not computed


def main(argv=None):
    """Run the script with its functions timed; print the table."""
    watch = Stopwatch()
    with contextlib.ExitStack() as stack:
        for owner, name, wrap in (
            (online, "finetune_and_segment", watch.until_end),
            (Trainer, "reset", watch.reset),
            (Trainer, "train_step", watch.step),
            (Trainer, "save", watch.save),
            (pipeline.Batches, "__iter__", watch.batches),
            (segmenting, "follow", watch.follow),
        ):
            stack.enter_context(mock.patch.object(owner, name, wrap(getattr(owner, name))))
        osmn_online_finetune.main(argv)
    if not watch.starts:
        sys.exit("every object is finished already; give another --result_path to measure")
    print("object  total s  steps s  frames s  tracing s  input s  save s  other s  beyond steps and frames")
    rows = []
    for number, (start, stop) in enumerate(itertools.pairwise([*watch.starts, watch.end])):
        parts = [sum(durations[number]) for durations in (watch.steps, watch.frames, watch.inputs, watch.saves)]
        traced = tracing(watch.steps[0]) + tracing(watch.frames[0]) if number == 0 else 0.0
        rows.append([stop - start, *parts[:2], traced, *parts[2:], stop - start - sum(parts)])
        print_row(number + 1, rows[-1])
    print_row("all", np.sum(rows, axis=0))


def print_row(name, row):
    """Print an object's times, in seconds."""
    total, steps, frames, traced, waiting, saving, other = row
    share = (traced + waiting + saving + other) / total
    print(
        f"{name:>6}  {total:7.1f}  {steps:7.1f}  {frames:8.1f}  {traced:9.1f}  {waiting:7.1f}  {saving:6.1f}"
        f"  {other:7.1f}  {share:23.1%}"
    )


if __name__ == "__main__":
    main()
