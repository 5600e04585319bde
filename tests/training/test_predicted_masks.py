"""Spatial guides of the network's own masks in training."""

import numpy as np
import pytest
import tensorflow as tf

import osmn_train_eval
from helpers.brightness import Brightness, batch_of, weights
from helpers.scripts import words
from helpers.stand_ins import Pixelwise, stand_in
from osmn.config import ModelConfig
from osmn.inputs import guides
from osmn.inputs.options import Augmentation
from osmn.networks import INFERENCE
from osmn.training.losses import logit_offset
from osmn.training.predicted_masks import OwnMasks
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
