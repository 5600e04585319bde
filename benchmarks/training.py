"""Images per second of training, and how long a step waits for input: `python benchmarks/training.py`.

Trains on a synthetic DAVIS dataset of 854x480 frames, each precision in turn. "step" is a step on a batch that is
ready; "wait" is the time from asking for the next batch to having it, in a loop that trains on each.
"""

import argparse
import contextlib
import io
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import tensorflow as tf

from osmn import datasets, devices, networks, samples, synthetic, training
from osmn.args import BASE_MODELS, PRECISIONS
from preprocessing import preprocess_davis


def batches(data_path, options):
    """Return an iterator over batches of one size."""
    examples = datasets.davis_examples(data_path, 2017, "train")
    steps = (0, 1000000)
    loader, size = datasets.video_loader(examples), tuple(options.im_size)
    return iter(
        datasets.training_dataset(
            loader, len(examples), samples.SampleOptions(), size, (1.0,), options.batch_size, 0, steps
        )
    )


def measure(precision, data_path, options):
    """Return (seconds of a step, seconds of waiting for a batch), medians over `options.steps` steps."""
    network = networks.build(networks.NetworkOptions(options.base_model), devices.training_policy(precision))
    trainer = training.Trainer(network)
    iterator, rate = batches(data_path, options), tf.constant(1e-9)
    steps, waits = [], []
    for number in range(options.steps + 1):
        start = time.perf_counter()
        batch = next(iterator)
        ready = time.perf_counter()
        losses, _ = trainer.train_step(batch, rate)
        losses.segmentation.numpy()
        if number:  # the first traces
            waits.append(ready - start)
            steps.append(time.perf_counter() - ready)
    return np.median(steps), np.median(waits)


def samples_per_second(data_path, options):
    """Return the speed of the input pipeline alone."""
    iterator = batches(data_path, options)
    next(iterator)
    start = time.perf_counter()
    for _ in range(options.steps):
        next(iterator)
    return options.steps * options.batch_size / (time.perf_counter() - start)


def main():
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base_model", choices=BASE_MODELS, default="osvos")
    parser.add_argument("--im_size", type=int, nargs=2, default=[400, 400], metavar=("W", "H"))
    parser.add_argument("--batch_size", type=int, default=8)
    parser.add_argument("--precisions", choices=PRECISIONS, nargs="+", default=["float32", "bfloat16"])
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--gpu_id", type=int, default=0)
    options = parser.parse_args()
    devices.use_gpus([options.gpu_id])
    print(f"{options.base_model} {options.im_size[0]}x{options.im_size[1]}, batch {options.batch_size}")
    with tempfile.TemporaryDirectory() as folder:
        with contextlib.redirect_stdout(io.StringIO()):
            synthetic.make_dataset(Path(folder), 2, 1, 12, (854, 480), 0)
            preprocess_davis.main([folder])
        print(f"input alone: {samples_per_second(folder, options):.1f} samples/s")
        print("precision  step s  images/s  / first  wait ms  wait / step")
        first = None
        for precision in options.precisions:
            step, wait = measure(precision, folder, options)
            speed = options.batch_size / (step + wait)
            first = first or speed
            row = f"{precision:9}  {step:6.2f}  {speed:8.2f}  {speed / first:7.2f}"
            print(f"{row}  {1e3 * wait:7.1f}  {wait / step:11.2%}", flush=True)


if __name__ == "__main__":
    main()
