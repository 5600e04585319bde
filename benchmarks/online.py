"""Seconds that online fine-tuning spends on each object beside its steps and frames.

Takes the options of `osmn_online_finetune.py`, runs that script, and prints a table at its end. "steps" are the time in
training steps, "frames" that in the network's propagation; "tracing" is what the first step and the first frame of the
run take beyond the median one. "other" is the rest: restoring weights, the input pipeline, checkpoints, result files.
"""

import functools
import sys
import time
from pathlib import Path
from unittest import mock

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np

import osmn_online_finetune
from osmn import inference, online, training


class Stopwatch:
    """Durations of steps and frames, by object; an object begins where the trainer is reset."""

    def __init__(self):
        self.starts, self.steps, self.frames, self.end = [], [], [], None

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
            self.steps.append([])
            self.frames.append([])
            return original(trainer, weights)

        return wrapped

    def step(self, original):
        """Wrap `Trainer.train_step`, until its losses are there."""

        def wrapped(trainer, batch, rate):
            start = time.perf_counter()
            losses, logits = original(trainer, batch, rate)
            losses.segmentation.numpy()
            self.steps[-1].append(time.perf_counter() - start)
            return losses, logits

        return wrapped

    def run(self, original):
        """Wrap `Propagator.run`."""

        @functools.wraps(original)
        def wrapped(propagator, frames, starts):
            results = original(propagator, frames, starts)
            while True:
                start = time.perf_counter()
                segmentation = next(results, None)
                if segmentation is None:
                    return
                if segmentation.object_ids:  # else nothing was computed: the object's first frame
                    self.frames[-1].append(time.perf_counter() - start)
                yield segmentation

        return wrapped


def tracing(durations):
    """Return the part of the run's first duration that is beyond the median: only there are functions traced."""
    return max(0.0, durations[0] - np.median(durations))


def main(argv=None):
    """Run the script with its functions timed; print the table."""
    watch = Stopwatch()
    with (
        mock.patch.object(online, "finetune_and_segment", watch.until_end(online.finetune_and_segment)),
        mock.patch.object(training.Trainer, "reset", watch.reset(training.Trainer.reset)),
        mock.patch.object(training.Trainer, "train_step", watch.step(training.Trainer.train_step)),
        mock.patch.object(inference.Propagator, "run", watch.run(inference.Propagator.run)),
    ):
        osmn_online_finetune.main(argv)
    print("object  total s  steps s  frames s  tracing s  other s  (tracing + other) / total")
    totals = np.zeros(5)
    ends = [*watch.starts[1:], watch.end]
    for number, (start, stop) in enumerate(zip(watch.starts, ends, strict=True)):
        steps, frames = watch.steps[number], watch.frames[number]
        traced = tracing(steps) + tracing(frames) if number == 0 else 0.0
        row = np.array([stop - start, sum(steps), sum(frames), traced, stop - start - sum(steps) - sum(frames)])
        totals += row
        print_row(number + 1, row)
    print_row("all", totals)


def print_row(name, row):
    """Print total, steps, frames, tracing and other, all in seconds; tracing is within steps and frames."""
    total, steps, frames, traced, other = row
    share = (traced + other) / total
    print(f"{name:>6}  {total:7.1f}  {steps:7.1f}  {frames:8.1f}  {traced:9.1f}  {other:7.1f}  {share:25.1%}")


if __name__ == "__main__":
    main()
