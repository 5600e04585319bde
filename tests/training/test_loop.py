"""The loop of training: its checkpoints, what ends it, the average of the weights."""

import numpy as np
import pytest
import tensorflow as tf

from helpers.brightness import Brightness, assert_equal_states, batch_of, batches, run, state, weights
from helpers.event_files import summaries
from osmn.config import read_config
from osmn.errors import InputError
from osmn.models import checkpoint_files, checkpoints
from osmn.networks import INFERENCE
from osmn.training.options import TrainerOptions
from osmn.training.trainer import Trainer


def steps_in(folder):
    return [int(prefix.name.rpartition("-")[2]) for prefix in checkpoint_files.list_checkpoints(folder)]


# -- The loop ---------------------------------------------------------------------------------------------------------


def test_training_again_continues_at_the_newest_checkpoint(tmp_path, messages, capsys):
    run(tmp_path / "a", training_iters=2)
    asked = []

    def make_batches(first, last):
        asked.append((first, last))
        return batches(first, last)

    resumed = run(tmp_path / "a", make_batches, training_iters=5)
    assert asked == [(2, 5)]
    assert f"resumed from {tmp_path}/a/osmn.ckpt-2" in capsys.readouterr().out
    assert_equal_states(state(resumed), state(run(tmp_path / "b", training_iters=5)))


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


def test_a_finished_training_says_so_and_does_nothing(tmp_path, messages, capsys):
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
def test_no_training_at_all_is_said_and_leaves_the_weights(tmp_path, messages, capsys, restart):
    trainer = run(tmp_path, None, training_iters=0, restart_training=restart)
    assert capsys.readouterr().out == "--training_iters 0: no training, the weights stay as they are\n"
    np.testing.assert_array_equal(weights(trainer), np.float32([0.25, -0.5]))
    assert list(tmp_path.iterdir()) == []


# -- The average of the weights ---------------------------------------------------------------------------------------

AVERAGES = {"net/weights/ExponentialMovingAverage", "net/biases/ExponentialMovingAverage"}


def averaged(folder, iters, **changes):
    """Train a stand-in that keeps an average; return the Trainer."""
    return run(folder, trainer=Trainer(Brightness(), TrainerOptions(ema=0.6)), training_iters=iters, **changes)


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
