"""A step of training, and the loop with its checkpoints."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from event_files import summaries

from osmn.config import ModelConfig, read_config
from osmn.errors import InputError
from osmn.inputs.guides import GUIDE_SIDE
from osmn.inputs.samples import Sample
from osmn.models import checkpoint_files, checkpoints
from osmn.networks import INFERENCE
from osmn.training.loop import TrainingOptions, train
from osmn.training.losses import class_balanced_loss, jaccard_loss
from osmn.training.trainer import FIRST_LOSS_SCALE, Trainer

DECAY = 0.5  # L2 of the stand-in's weight.


class Brightness:
    """A stand-in for a network, with two variables: logits = image * weight + bias, computed in `compute_dtype`."""

    config = ModelConfig(im_size=(4, 3))

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
    guide = np.full((2, GUIDE_SIDE, GUIDE_SIDE, 3), step, np.float32)
    return Sample(*(tf.constant(x) for x in (guide, image[..., :1], image, label)))


def batches(first, last):
    return [batch_of(step) for step in range(first, last)]


def run(folder, make_batches=batches, trainer=None, final=False, **changes):
    """Train a stand-in in `folder`; return the Trainer."""
    trainer = trainer or Trainer(Brightness())
    options = TrainingOptions(**{"learning_rate": 0.1, "display_iters": 1} | changes)
    train(trainer, make_batches, options, folder, final)
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
    return [int(prefix.name.rpartition("-")[2]) for prefix in checkpoint_files.list_checkpoints(folder)]


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
    losses, _, _ = Trainer(Brightness(), loss="jaccard").gradients(batch_of(0))
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


def test_every_checkpoint_says_what_its_network_is(tmp_path):
    run(tmp_path, training_iters=2, save_iters=1)
    assert [read_config(prefix) for prefix in checkpoint_files.list_checkpoints(tmp_path)] == 2 * [Brightness.config]


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


class Overflowing(Brightness):
    """A stand-in whose gradient is not a number where its image is above 1, and whose logits always are."""

    def __call__(self, guide, spatial, image, execution=INFERENCE):
        # The square root's slope is infinite at 0, and 0 times that is not a number.
        hidden = tf.where(image[..., :1] > 1, tf.sqrt(0 * self.weight.value), 1.0)
        return super().__call__(guide, spatial, image) * hidden


def test_gradients_that_are_no_numbers_are_not_saved_over_good_checkpoints(tmp_path):
    def last_is_broken(first, last):
        dark = [batch._replace(image=tf.minimum(batch.image, 1)) for batch in batches(first, last)]
        return [*dark[:-1], batch_of(last)._replace(image=tf.fill((2, 3, 4, 3), 2.0))] if last == 3 else dark

    run(tmp_path, last_is_broken, Trainer(Overflowing()), training_iters=2, save_iters=1)
    with pytest.raises(InputError, match=r"net/\w+ is not finite after step 3; lower --learning_rate"):
        run(tmp_path, last_is_broken, Trainer(Overflowing()), training_iters=3, save_iters=1)
    assert steps_in(tmp_path) == [1, 2]


def test_the_rate_of_a_schedule_is_a_function_of_the_step_also_of_a_resumed_run(tmp_path):
    schedule = {"lr_schedule": "cosine", "warmup_iters": 2, "learning_rate": 0.25}
    whole = run(tmp_path / "a", training_iters=6, **schedule)
    written = {step: float(value) for step, (value,) in summaries(tmp_path / "a")["learning_rate"].items()}
    # Two steps up, then half a wave in four: 1, (2 + sqrt(2)) / 4, 1/2, (2 - sqrt(2)) / 4 of the rate.
    expected = {1: 0.125, 2: 0.25, 3: 0.25, 4: 0.2133883, 5: 0.125, 6: 0.03661165}
    assert written == pytest.approx(expected)
    with pytest.raises(InputError):
        run(tmp_path / "b", broken_at(4), training_iters=6, save_iters=1, **schedule)
    assert_equal_states(state(run(tmp_path / "b", training_iters=6, **schedule)), state(whole))


def broken_at(broken):
    """Return batches of which that of a step, from 0, is not a number."""

    def make_batches(first, last):
        for step, batch in enumerate(batches(first, last), first):
            yield batch._replace(image=batch.image * np.nan) if step == broken else batch

    return make_batches


@pytest.mark.parametrize("restart", [False, True])
def test_no_training_at_all_is_said_and_leaves_the_weights(tmp_path, capsys, restart):
    trainer = run(tmp_path, None, training_iters=0, restart_training=restart)
    assert capsys.readouterr().out == "--training_iters 0: no training, the weights stay as they are\n"
    np.testing.assert_array_equal(weights(trainer), np.float32([0.25, -0.5]))
    assert list(tmp_path.iterdir()) == []


# -- The average of the weights ---------------------------------------------------------------------------------------

AVERAGES = {"net/weights/ExponentialMovingAverage", "net/biases/ExponentialMovingAverage"}


def averaged(folder, iters, **changes):
    """Train a stand-in that keeps an average; return the Trainer."""
    return run(folder, trainer=Trainer(Brightness(), ema=0.6), training_iters=iters, **changes)


def followed(iters, decay=0.6):
    """Return (weights, average) after so many steps, worked out step by step."""
    trainer = Trainer(Brightness())
    average = weights(trainer)
    for step in range(iters):
        trainer.train_step(batch_of(step), tf.constant(0.1))
        share = 1 - min(decay, (2 + step) / (11 + step))
        average = average + share * (weights(trainer) - average)
    return weights(trainer), average


def saved(prefix, ending=""):
    """Return the weights in a checkpoint, or their averages."""
    reader = checkpoints.CheckpointReader(prefix)
    return np.concatenate([reader.read(f"net/{leaf}{ending}") for leaf in ("weights", "biases")])


def test_a_checkpoint_holds_the_weights_and_their_average(tmp_path):
    averaged(tmp_path, 5)
    raw, average = followed(5)
    assert checkpoints.CheckpointReader(tmp_path / "osmn.ckpt-5").shapes.keys() >= AVERAGES
    np.testing.assert_array_equal(saved(tmp_path / "osmn.ckpt-5"), raw)
    np.testing.assert_allclose(saved(tmp_path / "osmn.ckpt-5", "/ExponentialMovingAverage"), average, rtol=1e-5)


def test_after_training_the_network_has_the_average(tmp_path):
    np.testing.assert_allclose(weights(averaged(tmp_path, 5)), followed(5)[1], rtol=1e-5)
    # Also where there is nothing left to train.
    np.testing.assert_allclose(weights(averaged(tmp_path, 5)), followed(5)[1], rtol=1e-5)


def test_training_goes_on_from_the_weights_and_not_from_their_average(tmp_path):
    averaged(tmp_path / "a", 2)
    averaged(tmp_path / "a", 5)
    averaged(tmp_path / "b", 5)
    ours, theirs = (checkpoints.CheckpointReader(tmp_path / name / "osmn.ckpt-5") for name in "ab")
    assert ours.shapes == theirs.shapes
    for name in ours.shapes:
        np.testing.assert_array_equal(ours.read(name), theirs.read(name), err_msg=name)


def test_a_model_is_loaded_with_the_average(tmp_path):
    trained = averaged(tmp_path, 5)
    network = Brightness()
    assert checkpoints.load_weights(network, tmp_path) == []
    np.testing.assert_array_equal(np.concatenate([network.weight.numpy(), network.bias.numpy()]), weights(trained))


def test_a_finished_model_holds_the_average_under_plain_names(tmp_path):
    trained = averaged(tmp_path, 5, final=True)
    assert set(checkpoints.CheckpointReader(tmp_path / "osmn.ckpt-5").shapes) == {
        *("net/weights", "net/biases", "global_step")
    }
    np.testing.assert_allclose(saved(tmp_path / "osmn.ckpt-5"), followed(5)[1], rtol=1e-5)
    again = averaged(tmp_path, 5, final=True)
    np.testing.assert_array_equal(weights(again), weights(trained))


def test_a_finished_model_that_is_trained_anew_ends_with_the_average_too(tmp_path):
    averaged(tmp_path, 2, final=True)
    np.testing.assert_allclose(weights(averaged(tmp_path, 5, final=True)), followed(5)[1], rtol=1e-5)


def test_an_average_may_start_in_a_training_that_had_none(tmp_path):
    run(tmp_path, training_iters=2)
    averaged(tmp_path, 3)
    (before, _), (after, _) = followed(2), followed(3)
    share = 1 - 4 / 13
    np.testing.assert_array_equal(saved(tmp_path / "osmn.ckpt-3"), after)
    np.testing.assert_allclose(
        saved(tmp_path / "osmn.ckpt-3", "/ExponentialMovingAverage"), before + share * (after - before), rtol=1e-5
    )


def test_a_reset_trainer_averages_like_a_new_one(tmp_path):
    trainer = Trainer(Brightness(), ema=0.6)
    start = trainer.weights()
    first = weights(run(tmp_path / "a", trainer=trainer, training_iters=3))
    trainer.reset(start)
    np.testing.assert_array_equal(weights(run(tmp_path / "b", trainer=trainer, training_iters=3)), first)


# -- Summaries --------------------------------------------------------------------------------------------------------


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
