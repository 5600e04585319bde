"""The loss, the optimizer, and the loop with its checkpoints."""

import argparse
import math

import keras
import numpy as np
import pytest
import tensorflow as tf
from event_files import summaries

from osmn import args as arguments
from osmn import checkpoints
from osmn.errors import InputError
from osmn.networks import INFERENCE
from osmn.samples import Sample
from osmn.training import FIRST_LOSS_SCALE, Adam, Trainer, class_balanced_loss, train

DECAY = 0.5  # L2 of the stand-in's weight.


class Brightness:
    """A stand-in for a network, with two variables: logits = image * weight + bias, computed in `compute_dtype`."""

    def __init__(self, compute_dtype="float32"):
        self.compute_dtype = compute_dtype
        self.weight, self.bias = keras.Variable(np.float32([0.25])), keras.Variable(np.float32([-0.5]))

    def tf1_variables(self):
        return {"net/biases": self.bias, "net/weights": self.weight}

    def constants(self):
        return {}

    def l2_weight(self, name):
        return DECAY if name == "net/weights" else 0.0

    def __call__(self, guide, spatial, image, execution=INFERENCE):
        image, weight, bias = (tf.cast(x, self.compute_dtype) for x in (image, self.weight.value, self.bias.value))
        return tf.cast(image[..., :1] * weight + bias, tf.float32)


class Noisy(Brightness):
    """A stand-in with something like dropout."""

    def __call__(self, guide, spatial, image, execution=INFERENCE):
        logits, seed = super().__call__(guide, spatial, image), execution.dropout_seed
        return logits if seed is None else logits * tf.random.stateless_uniform(tf.shape(logits), seed)


def batch_of(step):
    """Return a step's batch of 2 images of 3x4."""
    image = np.random.default_rng(step).normal(size=(2, 3, 4, 3)).astype(np.float32)
    label = (image[..., :1] + image[..., 1:2] > 0).astype(np.float32)
    return Sample(*(tf.constant(x) for x in (image, image[..., :1], image, label)))


def batches(first, last):
    return [batch_of(step) for step in range(first, last)]


def options(folder, **changes):
    parser = argparse.ArgumentParser()
    arguments.add_training_options(parser, [1.0])
    arguments.add_guide_options(parser, (4, 3))
    values = vars(parser.parse_args([])) | {"model_save_path": str(folder), "learning_rate": 0.1, "display_iters": 1}
    return argparse.Namespace(**values | changes)


def run(folder, make_batches=batches, trainer=None, **changes):
    """Train a stand-in in `folder`; return the Trainer."""
    trainer = trainer or Trainer(Brightness())
    train(trainer, make_batches, options(folder, **changes))
    return trainer


def weights(trainer):
    return np.concatenate([trainer.network.weight.numpy(), trainer.network.bias.numpy()])


def state(trainer):
    return {name: np.asarray(variable) for name, variable in trainer.state().items()}


def assert_equal_states(ours, theirs):
    assert ours.keys() == theirs.keys()
    for name, value in theirs.items():
        np.testing.assert_array_equal(ours[name], value, err_msg=name)


def steps_in(folder):
    return [int(prefix.name.rpartition("-")[2]) for prefix in checkpoints.list_checkpoints(folder)]


# -- Loss -------------------------------------------------------------------------------------------------------------


def as_maps(*rows):
    return tf.constant(np.reshape(rows, (1, 2, 2, 1)), tf.float32)


def test_loss_weights_positives_by_the_share_of_negatives_and_sums():
    logits, labels = as_maps(0, 0, 0, math.log(3)), as_maps(1, 0, 0, 0)
    # Cross-entropies: log 2 three times, and log(1 + 3) = 2 log 2 for the last. One positive among four.
    expected = (3 / 4 * 1 + 1 / 4 * (1 + 1 + 2)) * math.log(2)
    assert float(class_balanced_loss(logits, labels)) == pytest.approx(expected)


def test_loss_is_a_sum_over_the_batch():
    logits, labels = as_maps(0.3, -1, 2, 0.5), as_maps(1, 0, 1, 0)
    twice = [tf.concat([maps, maps], axis=0) for maps in (logits, labels)]
    assert float(class_balanced_loss(*twice)) == pytest.approx(2 * float(class_balanced_loss(logits, labels)))


def test_shares_are_those_of_the_whole_batch():
    logits = tf.zeros((2, 2, 2, 1))
    labels = tf.concat([as_maps(1, 1, 1, 1), as_maps(0, 0, 0, 1)], axis=0)  # 5 of 8 positive.
    assert float(class_balanced_loss(logits, labels)) == pytest.approx(2 * 5 * 3 / 8 * math.log(2))


def test_labels_are_positive_above_a_half():
    logits = as_maps(1, 2, 3, 4)
    soft, hard = as_maps(0.4, 0.5, 0.51, 1), as_maps(0, 0, 1, 1)
    assert float(class_balanced_loss(logits, soft)) == float(class_balanced_loss(logits, hard))


@pytest.mark.parametrize("label", [0.0, 1.0])
def test_a_batch_of_one_class_has_loss_and_gradient_zero(label):
    logits = as_maps(-50, 0, 1, 50)
    with tf.GradientTape() as tape:
        tape.watch(logits)
        loss = class_balanced_loss(logits, tf.fill((1, 2, 2, 1), label))
    assert float(loss) == 0
    np.testing.assert_array_equal(tape.gradient(loss, logits), np.zeros((1, 2, 2, 1)))


# -- Optimizer --------------------------------------------------------------------------------------------------------


def test_first_step_of_adam_moves_every_weight_by_the_rate_against_its_gradient():
    variable = tf.Variable([1.0, -2.0, 3.0])
    Adam({"w": variable}).apply([tf.constant([0.3, -40.0, 0.0])], tf.constant(0.01))
    np.testing.assert_allclose(variable, [0.99, -1.99, 3.0], rtol=1e-6)


def test_three_steps_of_adam_equal_tf1s_formula():
    rng = np.random.default_rng(0)
    # Small gradients too: there it matters that epsilon is added after the correction, as in TF1.
    gradients = (rng.normal(size=(3, 5)) * [1e-9, 1e-7, 1e-3, 1, 100]).astype(np.float32)
    variable = tf.Variable(np.linspace(-1, 1, 5).astype(np.float32))
    adam = Adam({"w": variable})
    w, m, v = variable.numpy().astype(np.float64), np.zeros(5), np.zeros(5)
    for t, gradient in enumerate(gradients.astype(np.float64), 1):
        adam.apply([tf.constant(gradient, tf.float32)], tf.constant(0.01))
        m, v = 0.9 * m + 0.1 * gradient, 0.999 * v + 0.001 * gradient**2
        w -= 0.01 * math.sqrt(1 - 0.999**t) / (1 - 0.9**t) * m / (np.sqrt(v) + 1e-8)
    np.testing.assert_allclose(variable, w, rtol=1e-4)  # 1 - 0.999 in float32 is off by 5e-5.
    np.testing.assert_allclose(adam.state()["w/Adam"], m, rtol=1e-4)
    np.testing.assert_allclose(adam.state()["w/Adam_1"], v, rtol=1e-4)


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


# -- The loop ---------------------------------------------------------------------------------------------------------


def test_training_again_continues_at_the_newest_checkpoint(tmp_path, capsys):
    run(tmp_path / "a", training_iters=2)
    asked = []

    def make_batches(first, last):
        asked.append((first, last))
        return batches(first, last)

    resumed = run(tmp_path / "a", make_batches, training_iters=5)
    assert asked == [(2, 5)]
    assert f"resumed from {tmp_path}/a/osmn.ckpt-2" in capsys.readouterr().out
    assert_equal_states(state(resumed), state(run(tmp_path / "b", training_iters=5)))


def test_dropout_is_a_function_of_the_seed_and_the_step(tmp_path):
    whole = run(tmp_path / "a", trainer=Trainer(Noisy()), training_iters=4)
    run(tmp_path / "b", trainer=Trainer(Noisy()), training_iters=2)
    resumed = run(tmp_path / "b", trainer=Trainer(Noisy()), training_iters=4)
    assert_equal_states(state(resumed), state(whole))
    for seed in (None, 1):
        other = run(tmp_path / str(seed), trainer=Trainer(Noisy(), seed), training_iters=4)
        assert (weights(other) != weights(whole)).any()


def test_no_dropout_seed_means_no_dropout(tmp_path):
    noisy = run(tmp_path / "a", trainer=Trainer(Noisy(), dropout_seed=None), training_iters=3)
    assert_equal_states(state(noisy), state(run(tmp_path / "b", training_iters=3)))


def test_a_reset_trainer_trains_like_a_new_one(tmp_path):
    trainer = Trainer(Brightness())
    start = trainer.weights()
    first = state(run(tmp_path / "a", trainer=trainer, training_iters=3))
    trainer.reset(start)
    assert_equal_states(state(trainer), state(Trainer(Brightness())))
    assert_equal_states(state(run(tmp_path / "b", trainer=trainer, training_iters=3)), first)


def test_a_checkpoint_holds_the_whole_state_under_published_names(tmp_path):
    trainer = run(tmp_path, training_iters=3)
    reader = tf.train.load_checkpoint(str(tmp_path / "osmn.ckpt-3"))
    names = {"net/weights", "net/biases", "beta1_power", "beta2_power", "global_step"}
    names |= {f"net/{leaf}/{slot}" for leaf in ("weights", "biases") for slot in ("Adam", "Adam_1")}
    assert set(reader.get_variable_to_shape_map()) == names
    assert_equal_states({name: reader.get_tensor(name) for name in names}, state(trainer))
    assert reader.get_tensor("global_step") == 3
    assert reader.get_tensor("beta1_power") == pytest.approx(0.9**4)  # As TF1: that of the next step.


def test_checkpoints_come_every_save_iters_and_at_the_end_and_the_newest_are_kept(tmp_path):
    run(tmp_path, training_iters=7, save_iters=2, max_to_keep=3)
    assert steps_in(tmp_path) == [4, 6, 7]
    assert not [path for path in tmp_path.glob("osmn.ckpt-*") if path.name.startswith("osmn.ckpt-2")]


def test_a_resumed_run_trains_at_the_rate_asked_for_now(tmp_path):
    run(tmp_path, training_iters=2, learning_rate=0.1)
    resumed = run(tmp_path, training_iters=4, learning_rate=0.01)
    expected = Trainer(Brightness())
    for step, rate in enumerate((0.1, 0.1, 0.01, 0.01)):
        expected.train_step(batch_of(step), tf.constant(rate))
    assert_equal_states(state(resumed), state(expected))


def test_restart_training_starts_from_nothing_and_deletes_the_checkpoints(tmp_path):
    run(tmp_path / "a", training_iters=3, save_iters=1)
    restarted = run(tmp_path / "a", training_iters=2, save_iters=2, restart_training=True)
    assert_equal_states(state(restarted), state(run(tmp_path / "b", training_iters=2)))
    assert steps_in(tmp_path / "a") == [2]


def test_a_finished_training_says_so_and_does_nothing(tmp_path, capsys):
    run(tmp_path, training_iters=2)
    before = {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    capsys.readouterr()

    def make_batches(first, last):
        raise AssertionError("no batch is needed")

    trainer = run(tmp_path, make_batches, training_iters=2)
    assert f"{tmp_path}/osmn.ckpt-2 has 2 steps already" in capsys.readouterr().out
    assert {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == before
    assert int(trainer.step) == 2  # The weights to be tested are those of the checkpoint.


def broken_batches(first, last):
    return [batch._replace(image=batch.image * np.nan) for batch in batches(first, last)]


def test_a_loss_that_is_not_a_number_ends_training(tmp_path):
    with pytest.raises(InputError, match="the loss is nan at step 1; lower --learning_rate"):
        run(tmp_path, broken_batches, training_iters=3)


def test_a_loss_that_is_not_a_number_is_not_saved_over_good_checkpoints(tmp_path):
    run(tmp_path, training_iters=2, save_iters=1)
    with pytest.raises(InputError, match="the loss is nan at step 3"):
        run(tmp_path, broken_batches, training_iters=9, save_iters=1, display_iters=5)
    assert steps_in(tmp_path) == [1, 2]


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
