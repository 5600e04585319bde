"""Draw the losses of training runs: `python doc/loss_curves.py OUT.png "stage 1=MODEL_SAVE_PATH" ["stage 2=..." ...]`.

Each run gets one plot: the class-balanced cross-entropy of the batches that were reported, and its running mean. It is
a sum over a batch's pixels, whose number changes with `--data_aug_scales`: compare within a run only.
"""

import argparse

import numpy as np
import tensorflow as tf
from matplotlib.figure import Figure
from scipy.ndimage import uniform_filter1d
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

RUNNING_MEAN = 9  # reports


def read_losses(folder):
    """Return steps and losses of all TensorBoard event files in a folder; of a step that was made twice the last."""
    events = EventAccumulator(folder, {"tensors": 0}).Reload().Tensors("loss/segmentation")  # 0: all of them
    return np.array([event.step for event in events]), np.array([tf.make_ndarray(e.tensor_proto) for e in events])


def main():
    """Draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out")
    parser.add_argument("runs", nargs="+", metavar="TITLE=FOLDER")
    args = parser.parse_args()
    figure = Figure(figsize=(4.2 * len(args.runs), 3), layout="constrained")
    for axes, run in zip(np.atleast_1d(figure.subplots(1, len(args.runs))), args.runs, strict=True):
        title, folder = run.split("=", 1)
        steps, losses = read_losses(folder)
        axes.plot(steps, losses / 1000, color="#2a7fb8", alpha=0.35, linewidth=0.8)
        axes.plot(steps, uniform_filter1d(losses, RUNNING_MEAN, mode="nearest") / 1000, color="#2a7fb8")
        axes.set(title=title, xlabel="step", ylabel="loss / 1000", ylim=(0, None))
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(args.out, dpi=110)


if __name__ == "__main__":
    main()
