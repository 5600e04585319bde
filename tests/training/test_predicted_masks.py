"""Spatial guides of the network's own masks in training."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import osmn_train_eval
from helpers.brightness import Brightness, batch_of, weights
from helpers.pictures import seeds
from helpers.scripts import words
from helpers.stand_ins import Pixelwise, stand_in
from osmn.config import ModelConfig
from osmn.inputs import guides
from osmn.inputs.clips import ClipSample
from osmn.inputs.options import Augmentation
from osmn.networks import INFERENCE
from osmn.training.losses import logit_offset
from osmn.training.predicted_masks import OwnMasks, damaged_mask
from osmn.training.trainer import Trainer

CONFIG = ModelConfig("lite")
STILL = Augmentation(sg_center_perturb_ratio=0.0, sg_std_perturb_ratio=0.0)
COUNT = 64


def square(left, top, side=4):
    mask = np.zeros((24, 32), bool)
    mask[top : top + side, left : left + side] = True
    return mask


def own(masks, share=1.0, step=0, first=0, seed=0, augmentation=STILL, config=CONFIG):
    """Return the guides of some masks; those that stay as they are are -1 everywhere."""
    masks = tf.constant(np.stack(masks))
    given = -tf.ones((*masks.shape, 1))
    return OwnMasks(share, seed, augmentation).spatial_guides(masks, given, config, step, first).numpy()


def test_a_guide_is_that_of_testing_for_the_same_mask_where_nothing_is_varied():
    masks = [square(3, 5), square(20, 10, 9)]
    np.testing.assert_allclose(own(masks), guides.spatial_guide(np.stack(masks), CONFIG), atol=1e-6)


def test_a_guide_is_varied_as_that_of_a_true_mask():
    masks = [square(10, 8, 9)] * COUNT
    moved = own(masks, augmentation=Augmentation(sg_center_perturb_ratio=1.0, sg_std_perturb_ratio=0.0))
    peaks = np.array([np.unravel_index(guide[..., 0].argmax(), (24, 32)) for guide in moved])
    assert len(np.unique(peaks, axis=0)) > COUNT / 4  # 14 by 14 places or fewer.
    assert (abs(peaks - (12, 14)) <= 5).all()  # A standard deviation is 5 pixels at least, here 5.


def test_an_empty_mask_leaves_the_guide_as_it_is():
    assert (own([np.zeros((24, 32), bool)]) == -1).all()


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_the_share_of_samples_asked_for_gets_such_guides(share):
    kept = own([square(3, 5)] * 400, share)[:, 0, 0, 0] == -1
    assert abs(1 - kept.mean() - share) < 0.08


def test_guides_are_a_function_of_seed_step_and_position():
    masks = [square(10, 8, 9)] * COUNT
    varied = {"share": 0.5, "augmentation": Augmentation()}
    whole = own(masks, step=7, **varied)
    np.testing.assert_array_equal(own(masks, step=7, **varied), whole)
    np.testing.assert_array_equal(own(masks[:9], step=7, first=20, **varied), whole[20:29])
    for other in ({"step": 8}, {"step": 7, "seed": 1}):
        kept = [guides[:, 0, 0, 0] == -1 for guides in (whole, own(masks, **varied | other))]
        assert (kept[0] != kept[1]).any()


def test_the_dilated_mask_is_the_guide_of_a_model_that_has_it_so():
    guide = own([square(10, 8, 9)], config=ModelConfig("lite", use_original_mask=True))
    assert set(np.unique(guide)) == {0, 255}


class Guided(Brightness):
    """A stand-in whose logits are the spatial guide, moved by its trained bias; it counts the graphs of its calls."""

    def __init__(self):
        super().__init__()
        self.calls = []

    def __call__(self, guide, spatial, image, execution=INFERENCE):
        self.calls.append(execution.training)
        return spatial + self.weight.value * 0 + self.bias.value


def losses_of(own_masks):
    trainer = Trainer(Guided(), own_masks=own_masks)
    batch = batch_of(0)._replace(spatial=tf.fill((2, 3, 4, 1), 9.0))
    losses, logits = trainer.train_step(batch, tf.constant(0.1))
    return trainer, float(losses.segmentation), logits


def test_a_step_learns_from_the_guides_of_its_own_masks_and_makes_the_masks_as_in_testing():
    trainer, loss, logits = losses_of(OwnMasks(1.0))
    plain, plain_loss, plain_logits = losses_of(None)
    assert (plain_logits.numpy() == 8.5).all()  # The guide of the batch, and the bias.
    assert logits.numpy().max() <= 0.5 + 1e-6  # A Gaussian of height 1.
    assert loss != plain_loss and (weights(trainer) != weights(plain)).any()
    assert trainer.network.calls == [False, True] and plain.network.calls == [True]


def test_the_best_logits_of_the_balanced_loss_lie_higher_by_the_odds_of_the_background():
    labels = tf.reshape(tf.constant([1.0, 0, 0, 0, 0]), (1, 5, 1, 1))
    assert float(logit_offset("balanced", labels)) == pytest.approx(np.log(4))
    assert float(logit_offset("jaccard", labels)) == 0


@pytest.mark.parametrize("label", [0.0, 1.0])
def test_a_batch_of_one_class_alone_moves_no_logits(label):
    assert float(logit_offset("balanced", tf.fill((1, 5, 1, 1), label))) == 0


@pytest.mark.parametrize("stored", [False, True])
def test_own_masks_of_a_network_without_spatial_modulator_are_refused(davis, tmp_path, monkeypatch, capsys, stored):
    """Whether the option says that it has none or the model's own configuration."""

    class Unguided(Pixelwise):
        config = ModelConfig(no_visual_modulator=True, no_spatial_modulator=stored)

    stand_in(monkeypatch, Unguided)
    command = ["--data_path", davis, "--model_save_path", tmp_path / "model", "--result_path", tmp_path / "results"]
    command += ["--own_masks", 0.5, "--im_size", 64, 48, *([] if stored else ["--no_spatial_modulator"])]
    with pytest.raises(SystemExit) as stopped:
        osmn_train_eval.main(words(*command))
    line = capsys.readouterr().err.splitlines()[-1]
    assert stopped.value.code == 2 and not list(tmp_path.iterdir())
    assert line.startswith("error: --own_masks does nothing for a network without spatial modulator")


# -- Samples of several frames ----------------------------------------------------------------------------------------


BEFORE, ELSEWHERE = square(12, 8, 8), square(26, 18, 5)


def damaged(other, count=200):
    """Return what becomes of a mask in so many draws, (count, H, W)."""
    mask, other = tf.constant(BEFORE), tf.constant(other)
    compiled = tf.function(lambda seed: damaged_mask(mask, other, seed))
    return np.array([compiled(seed).numpy() for seed in seeds(count)])


def test_a_wrong_mask_is_moved_cut_empty_or_on_the_other_object():
    found = damaged(ELSEWHERE)
    empty, other = ~found.any((1, 2)), (found == ELSEWHERE).all((1, 2))
    cut = ~empty & ~(found & ~BEFORE).any((1, 2))
    moved = ~(empty | other | cut)
    # What is moved out of the frame is empty too.
    assert [kind.mean() for kind in (cut, moved, other)] == pytest.approx([0.25] * 3, abs=0.1)
    assert 0.15 < empty.mean() < 0.45
    sizes = found[cut].sum((1, 2)) / BEFORE.sum()
    assert sizes.min() > 0.15 and sizes.max() < 0.75
    assert ((found[moved] & BEFORE).sum((1, 2)) <= 16).all()  # Half of each side is left at most.


def test_without_another_object_a_mask_is_moved_instead():
    found = damaged(np.zeros_like(BEFORE))
    assert np.mean((found & ~BEFORE).any((1, 2))) == pytest.approx(0.45, abs=0.12)


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_the_share_of_masks_asked_for_is_wrong_by_seed_step_and_position(share):
    masks = tf.constant(np.stack([BEFORE] * 400))
    own_masks = OwnMasks(1.0, damaged=share)
    found = own_masks.with_damage(masks, tf.zeros_like(masks), tf.constant(5, tf.int64), 0).numpy()
    assert np.mean((found != BEFORE).any((1, 2))) == pytest.approx(share, abs=0.08)
    part = own_masks.with_damage(masks[:9], tf.zeros_like(masks[:9]), tf.constant(5, tf.int64), 20).numpy()
    np.testing.assert_array_equal(part, found[20:29])


def test_the_guide_of_an_empty_mask_is_zero_in_the_next_frame_as_in_testing():
    masks = tf.constant(np.stack([np.zeros_like(BEFORE), BEFORE]))
    found = OwnMasks(1.0, augmentation=STILL).next_guides(masks, CONFIG, tf.constant(0, tf.int64), 0, 0).numpy()
    np.testing.assert_allclose(found, guides.spatial_guide(masks, CONFIG), atol=1e-6)
    assert not found[0].any()


class Following:
    """A stand-in that finds an object where the image is bright and the spatial guide is not quite zero.

    It notes the execution of each call.
    """

    config, compute_dtype = CONFIG, "float32"

    def __init__(self):
        self.bias, self.calls = keras.Variable(np.float32([0.0])), []

    def tf1_variables(self):
        return {"net/biases": self.bias}

    def constants(self):
        return {}

    def l2_weight(self, name):
        return 0.0

    def gammas(self, guide, execution):
        return [tf.reduce_mean(guide, axis=[1, 2], keepdims=True)]

    def segment(self, image, spatial, gammas, execution):
        self.calls.append(execution.training)
        near = tf.cast(spatial > 1e-3, tf.float32)
        return 20 * (tf.cast(image[..., :1] > 0.5, tf.float32) * near - 0.5) + self.bias.value

    def __call__(self, guide, spatial, image, execution):
        return self.segment(image, spatial, self.gammas(guide, execution), execution) + 0 * spatial


def step_on(masks, damaged=0.0, count=2):
    """Train one step on a batch of clips of a bright object; return the trainer and the logits of the last frame."""
    images = np.stack([np.stack([mask] * count) for mask in masks[1:]], axis=1)[..., None].repeat(3, -1).astype("f4")
    spatial = guides.spatial_guide(np.stack([masks[0]] * count), CONFIG)
    guide, label = tf.zeros((count, 224, 224, 3)), images[:, -1, ..., :1]
    batch = ClipSample(guide, spatial, images[:, -1], label, images[:, :-1], tf.zeros_like(label))
    batch = ClipSample(*map(tf.convert_to_tensor, batch))
    trainer = Trainer(Following(), own_masks=OwnMasks(1.0, augmentation=STILL, damaged=damaged))
    spec = ClipSample(*(tf.TensorSpec(part.shape, part.dtype) for part in batch))
    _, logits = trainer.train_step(batch, tf.constant(0.1), spec)
    return trainer, logits.numpy()[..., 0]


def test_the_network_follows_an_object_by_its_own_masks_and_learns_in_the_last_frame():
    # From one frame to the next the guide reaches the object; from the first mask it does not reach the last place.
    path = [square(left, 10) for left in (1, 12, 23)]
    trainer, logits = step_on(path)
    np.testing.assert_array_equal(logits > 0, np.stack([path[-1]] * 2))
    assert trainer.network.calls == [False, True]
    assert float(trainer.network.bias.numpy()[0]) != 0
    assert not (step_on([path[0], path[2]])[1] > 0).any()


def test_an_object_that_is_hidden_is_lost_to_a_network_that_needs_its_guide():
    hidden = [square(1, 10), np.zeros((24, 32), bool), square(3, 10)]
    assert not (step_on(hidden)[1] > 0).any()


def test_a_wrong_mask_before_the_last_frame_is_what_the_network_sees_there():
    still = [square(14, 10)] * 3
    whole, wrong = (step_on(still, damaged, count=8)[1] > 0 for damaged in (0.0, 1.0))
    assert whole.any((1, 2)).all()
    assert 0 < wrong.any((1, 2)).mean() < 1  # Of an emptied mask nothing is left; a part of one reaches the object.


def test_a_trainer_without_own_masks_refuses_clips():
    batch = ClipSample(*(tf.zeros((1, 1, 1, 1)) for _ in ClipSample._fields))
    with pytest.raises(ValueError, match="OwnMasks"):
        Trainer(Following())._after_own_masks(batch)
