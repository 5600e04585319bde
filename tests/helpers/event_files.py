"""What training wrote for TensorBoard."""

from collections import defaultdict

import tensorflow as tf
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader


def summaries(folder):
    """Return {tag: {step: values written for it}} of all event files in `folder`."""
    found = defaultdict(lambda: defaultdict(list))
    for path in sorted(folder.glob("events.out.tfevents.*")):
        for event in EventFileLoader(str(path)).Load():
            for value in event.summary.value:
                found[value.tag][event.step].append(tf.make_ndarray(value.tensor))
    return found
