"""A step of training: its gradients, float16, dropout, the state and what of it is not saved."""

import numpy as np
import pytest
import tensorflow as tf

from helpers.brightness import DECAY, Brightness, assert_equal_states, batch_of, run, state, weights
from osmn.errors import InputError
from osmn.inputs.guides import GUIDE_SIDE
from osmn.inputs.samples import Sample
from osmn.networks import INFERENCE
from osmn.training.losses import class_balanced_loss, jaccard_loss
from osmn.training.options import TrainerOptions
from osmn.training.trainer import FIRST_LOSS_SCALE, Trainer


class Noisy(Brightness):
    """A stand-in with something like dropout."""

    def __call__(self, guide, spatial, image, execution=INFERENCE):
        logits, seed = super().__call__(guide, spatial, image), execution.dropout_seed
        return logits if seed is None else logits * tf.random.stateless_uniform(tf.shape(logits), seed)


# -- A step -----------------------------------------------------------------------------------------------------------


def test_gradient_of_the_l2_term_is_its_weight_times_the_variable():
    trainer = Trainer(Brightness())
    batch = batch_of(0)
    losses, logits, gradients = trainer.gradients(batch)
    with tf.GradientTape() as tape:
        loss = class_balanced_loss(trainer.network(*batch[:3]), batch.label)
    expected = tape.gradient(loss, [trainer.network.bias.value, trainer.network.weight.value])
    expected[1] += DECAY * 0.25
    np.testing.assert_allclose(tf.concat(gradients, 0), tf.concat(expected, 0), rtol=1e-6)
    assert float(losses.segmentation) == pytest.approx(float(loss))
    assert float(losses.l2) == pytest.approx(DECAY * 0.25**2 / 2)
    assert logits.shape == (2, 3, 4, 1)


def test_a_step_takes_the_loss_asked_for():
    losses, _, _ = Trainer(Brightness(), TrainerOptions(loss="jaccard")).gradients(batch_of(0))
    batch = batch_of(0)
    assert float(losses.segmentation) == pytest.approx(float(jaccard_loss(Brightness()(*batch[:3]), batch.label)))


def test_batches_of_all_sizes_have_one_graph():
    trainer = Trainer(Brightness())
    traced, gradients = [], trainer.gradients
    trainer.gradients = lambda batch: traced.append(batch) or gradients(batch)
    for height, count in ((3, 2), (2, 2), (3, 1)):
        batch = Sample(*(x[:count] if x.shape[1] == GUIDE_SIDE else x[:count, :height] for x in batch_of(0)))
        trainer.train_step(batch, tf.constant(0.1))
    assert len(traced) == 1


def test_a_step_reports_the_losses_before_its_update():
    trainer = Trainer(Brightness())
    expected, _, _ = trainer.gradients(batch_of(0))
    losses, _ = trainer.train_step(batch_of(0), tf.constant(0.1))
    assert float(losses.segmentation) == pytest.approx(float(expected.segmentation))
    np.testing.assert_allclose(np.abs(weights(trainer) - [0.25, -0.5]), 0.1, rtol=1e-4)
    assert int(trainer.step) == 1


# -- float16 ----------------------------------------------------------------------------------------------------------


def test_float16_skips_a_step_that_overflows_and_halves_the_loss_scale():
    trainer = Trainer(Brightness("float16"))
    batch = batch_of(0)
    bright = batch._replace(image=batch.image * 1000)  # Times a gradient of some hundreds: above 65504.
    trainer.train_step(bright, tf.constant(0.1))
    np.testing.assert_array_equal(weights(trainer), np.float32([0.25, -0.5]))
    assert not any(np.any(trainer.state()[f"net/weights/{slot}"]) for slot in ("Adam", "Adam_1"))
    assert float(trainer.state()["loss_scale"]) == FIRST_LOSS_SCALE / 2
    assert int(trainer.step) == 1
    trainer.train_step(batch, tf.constant(0.1))
    assert (weights(trainer) != np.float32([0.25, -0.5])).all()
    assert float(trainer.state()["loss_scale"]) == FIRST_LOSS_SCALE / 2


def test_float16_gradients_are_those_of_float32_whatever_the_loss_scale():
    expected = tf.concat(Trainer(Brightness()).gradients(batch_of(0))[2], 0)
    trainer = Trainer(Brightness("float16"))
    for scale in (1.0, 1024.0):
        trainer.state()["loss_scale"].assign(scale)
        np.testing.assert_allclose(tf.concat(trainer.gradients(batch_of(0))[2], 0), expected, rtol=0.01)


def test_dropout_is_a_function_of_the_seed_and_the_step(tmp_path):
    whole = run(tmp_path / "a", trainer=Trainer(Noisy()), training_iters=4)
    run(tmp_path / "b", trainer=Trainer(Noisy()), training_iters=2)
    resumed = run(tmp_path / "b", trainer=Trainer(Noisy()), training_iters=4)
    assert_equal_states(state(resumed), state(whole))
    for seed in (None, 1):
        other = run(tmp_path / str(seed), trainer=Trainer(Noisy(), TrainerOptions(seed)), training_iters=4)
        assert (weights(other) != weights(whole)).any()


def test_no_dropout_seed_means_no_dropout(tmp_path):
    noisy = run(tmp_path / "a", trainer=Trainer(Noisy(), TrainerOptions(dropout_seed=None)), training_iters=3)
    assert_equal_states(state(noisy), state(run(tmp_path / "b", training_iters=3)))


def test_a_reset_trainer_trains_like_a_new_one(tmp_path):
    trainer = Trainer(Brightness())
    start = trainer.weights()
    first = state(run(tmp_path / "a", trainer=trainer, training_iters=3))
    trainer.reset(start)
    assert_equal_states(state(trainer), state(Trainer(Brightness())))
    assert_equal_states(state(run(tmp_path / "b", trainer=trainer, training_iters=3)), first)


def infinite_moment(trainer):
    trainer.state()["net/weights/Adam_1"].assign([np.inf])


def broken_weight(trainer):
    trainer.network.weight.assign([np.nan])


@pytest.mark.parametrize("spoil, name", [(infinite_moment, "net/weights/Adam_1"), (broken_weight, "net/weights")])
def test_a_value_that_is_not_finite_is_not_saved_though_the_loss_was(tmp_path, spoil, name):
    trainer = run(tmp_path, training_iters=2, save_iters=1)
    spoil(trainer)
    with pytest.raises(InputError, match=f"{name} is not finite after step 2; lower --learning_rate"):
        trainer.save(tmp_path / "new", 2)
    assert not (tmp_path / "new").exists()


def test_a_reset_trainer_averages_like_a_new_one(tmp_path):
    trainer = Trainer(Brightness(), TrainerOptions(ema=0.6))
    start = trainer.weights()
    first = weights(run(tmp_path / "a", trainer=trainer, training_iters=3))
    trainer.reset(start)
    np.testing.assert_array_equal(weights(run(tmp_path / "b", trainer=trainer, training_iters=3)), first)
