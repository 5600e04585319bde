"""What a training writes for TensorBoard."""

import numpy as np
import pytest
import tensorflow as tf

from helpers.brightness import Brightness, batch_of, batches, run
from helpers.event_files import summaries
from osmn.training.trainer import Trainer


def test_losses_and_rate_are_summarised_at_display_steps_and_at_the_end(tmp_path):
    run(tmp_path, training_iters=5, display_iters=2, learning_rate=0.125)
    written = summaries(tmp_path)
    assert set(written) == {"loss/segmentation", "loss/l2", "learning_rate"}
    assert {step: float(value) for step, (value,) in written["learning_rate"].items()} == dict.fromkeys(
        (2, 4, 5), 0.125
    )
    trainer = Trainer(Brightness())
    losses = [trainer.train_step(batch, tf.constant(0.125))[0] for batch in batches(0, 5)]
    for tag, name in (("loss/segmentation", "segmentation"), ("loss/l2", "l2")):
        for step in (2, 4, 5):
            assert float(written[tag][step][0]) == pytest.approx(float(getattr(losses[step - 1], name)))


def test_pictures_are_summarised_on_demand(tmp_path):
    run(tmp_path, training_iters=1, use_image_summary=True)
    pictures = {
        tag: images[1][0] for tag, images in summaries(tmp_path).items() if "/" not in tag and "rate" not in tag
    }
    assert set(pictures) == {"guide", "image", "spatial_guide", "label", "prediction"}
    label = tf.io.decode_png(pictures["label"][2])  # After width and height.
    np.testing.assert_array_equal(label, tf.cast(255 * batch_of(0).label[0], tf.uint8))
