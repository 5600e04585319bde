"""What the published networks compute, from the golden files: logits, losses, gradients, three steps of training.

A gradient has jumps: where an activation lies at a corner of ReLU6, or two at a tie of max-pooling, rounding decides on
which side, and each processor rounds in its own way. So a gradient's error is compared with what rounding does to the
same network: how far its gradients move when the inputs are moved by about ten times as much as float32 rounds.
"""

import functools
import gc
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

from helpers import goldens, zero_networks
from helpers.reference_networks import relative_error
from osmn.inputs.samples import Sample
from osmn.networks import devices
from osmn.training.losses import class_balanced_loss
from osmn.training.options import TrainerOptions
from osmn.training.trainer import Trainer

CHOSEN = devices.choose_execution()  # The one for the devices here.
SLOW_TRAINING = ("osvos_early", "osvos_nosp", "deeplab", "masktrack")
EVERY_VARIANT = pytest.mark.parametrize("golden", goldens.VARIANTS, indirect=True)
EVERY_TRAINING = pytest.mark.parametrize(
    "golden",
    [pytest.param(v, marks=[pytest.mark.slow] * (v in SLOW_TRAINING)) for v in goldens.VARIANTS],
    indirect=True,
)
MODES = pytest.mark.parametrize("mode", ["eval", "train"])  # Batch norm by moving statistics, by the batch's.
MOVED_BY = 3e-6  # Of every input, relative: some ten times what float32 rounds activations by.
MOVES = {"lite": 16}  # How often; VGG's gradients take seconds each.
FEW_MOVES = 3
MARGIN = 3  # Ours and the published error are two more draws; they may be larger than the largest of the moves.
SUMMED = 5e-5  # A bias's gradient is a sum of 15360 values of both signs, in float32, in an order of the processor.


def batches(variant, dtype="float32"):
    """Return the golden batch, and then those whose guide, spatial guide and image are moved."""
    *inputs, label = goldens.inputs(variant)
    yield Sample(*(tf.constant(x, dtype) for x in (*inputs, label)))
    for seed in range(MOVES.get(variant, FEW_MOVES)):
        generator = np.random.default_rng(seed)
        moved = [x * (1 + MOVED_BY * generator.standard_normal(x.shape)) for x in inputs]
        yield Sample(*(tf.constant(x, dtype) for x in (*moved, label)))


class Gradients:
    """A network's gradients in the mode "eval" or "train", by its present weights; they are traced once."""

    def __init__(self, network, mode):
        evaluator = Trainer(network, TrainerOptions(dropout_seed=None, fix_bn=mode == "eval"))
        self._gradients = tf.function(evaluator.gradients)
        self._trained = [name for name, variable in network.tf1_variables().items() if variable.trainable]

    def norms(self, batch):
        """Return {trained variable: norm of its gradient}."""
        values = [float(tf.norm(gradient)) for gradient in self._gradients(batch)[2]]
        return dict(zip(self._trained, values, strict=True))


def gradient_norms(network, mode, variant):
    """Return {trained variable: norms of its gradient for each of the `batches`}, in the mode "eval" or "train"."""
    made = Gradients(network, mode)
    each = [made.norms(batch) for batch in batches(variant, network.compute_dtype)]
    return {name: [norms[name] for norms in each] for name in each[0]}


def deviations(values, right):
    """Return the relative deviations of values from the right ones."""
    return np.abs(np.asarray(values) / np.asarray(right) - 1)


class Rounding:
    """What rounding may do to a network's gradient norms.

    `norms` are {variable: norms for each of the `batches`}. A norm's deviation is compared with the largest one of its
    own variable, and the median over the variables with the largest median.
    """

    def __init__(self, norms, floor):
        self.names = list(norms)
        values = np.transpose(list(norms.values()))
        self.right, self.floor = values[0], floor
        self.moved = deviations(values[1:], self.right)

    def excess(self, norms):
        """Return by how much the norms {variable: norm} are farther off than allowed: at most 1 if none is."""
        errors = deviations([norms[name] for name in self.names], self.right)
        each = errors / (MARGIN * self.moved.max(axis=0) + self.floor)
        median = np.median(errors) / (MARGIN * np.median(self.moved, axis=1).max() + self.floor)
        return max(each.max(), median)


@pytest.fixture(scope="module")
def golden(request):
    """Return a variant's name, its published outputs, its network and, once per variant, what that computes."""
    variant = request.param
    made = SimpleNamespace(
        variant=variant,
        published=goldens.outputs(variant),
        network=zero_networks.build_golden(goldens.VARIANTS[variant]),
        batch=next(batches(variant)),
    )
    yield made
    made.__dict__.clear()  # pytest still holds it, and it may be 2 GB.
    gc.collect()


@pytest.fixture(scope="module")
def inference(golden):
    """Return the gammas as a list, and the logits, computed as on the devices here."""
    gammas = golden.network.gammas(golden.batch.guide, CHOSEN)
    segment = tf.function(functools.partial(golden.network.segment, execution=CHOSEN))
    logits = segment(golden.batch.image, golden.batch.spatial, gammas)
    return SimpleNamespace(gammas=gammas, logits=logits.numpy())


def three_steps(trainer, batch, rate):
    """Return the losses (3, 2) of three steps of Adam and the mean moving statistics after them, by name.

    The network has the golden weights before and after.
    """
    start, rate = trainer.weights(), tf.constant(rate, tf.float32)
    losses = [[float(loss) for loss in trainer.train_step(batch, rate)[0]] for _ in range(3)]
    statistics = {name: value.numpy().mean() for name, value in trainer.state().items() if "/moving_" in name}
    trainer.reset(start)
    return np.array(losses), statistics


@pytest.fixture(scope="module")
def gradients(golden, inference):
    """Return {mode: {variable: norms of its gradient for each of the `batches`}}; after what needs no gradients."""
    norms = {}
    for mode in ("eval", "train"):
        norms[mode] = gradient_norms(golden.network, mode, golden.variant)
        goldens.assign_weights(golden.network)  # The statistics of batch norm have moved.
    return norms


@pytest.fixture(scope="module")
def training(golden, gradients):
    """Return the losses and statistics of `three_steps`, and the trainer, which has the golden weights again."""
    trainer = Trainer(golden.network, TrainerOptions(dropout_seed=None))
    return *three_steps(trainer, golden.batch, golden.published["train_lr"]), trainer


@pytest.fixture(scope="module")
def judge():
    """Return a `Rounding` of `lite` for each mode, judged in float64: the same on every processor."""
    network, found = zero_networks.build_golden(goldens.VARIANTS["lite"], "float64"), {}
    for mode in ("eval", "train"):
        found[mode] = Rounding(gradient_norms(network, mode, "lite"), floor=1e-5)
        goldens.assign_weights(network)
    return found


def published_norms(published, mode):
    return dict(zip(published["grad_names"].tolist(), published[f"grad_norms_{mode}"], strict=True))


def test_golden_inputs_are_those_of_the_golden_files():
    for variant in goldens.VARIANTS:
        published = goldens.outputs(variant)
        for key, value in zip(("guide", "spatial", "image", "label"), goldens.inputs(variant), strict=True):
            assert value.sum(dtype=np.float64) == pytest.approx(published[f"sum_{key}"], rel=1e-9), (variant, key)


@EVERY_VARIANT
def test_variables_have_the_published_names_shapes_and_trainability(golden):
    ours = {name: (tuple(v.shape), v.trainable) for name, v in golden.network.tf1_variables().items()}
    ours |= {name: (value.shape, False) for name, value in golden.network.constants().items()}
    assert ours == goldens.variables(golden.variant)
    for name, value in golden.network.constants().items():
        np.testing.assert_array_equal(value, goldens.weight(name, value.shape))


# Why the bars are not tighter: "Golden files" in doc/results.md.


@EVERY_VARIANT
def test_gammas_are_the_published_ones(golden, inference):
    published = golden.published
    if golden.variant == "osvos_novis":
        assert inference.gammas == []
    elif golden.variant == "lite":
        for number, gamma in enumerate(inference.gammas):
            assert relative_error(gamma, published[f"visual_params_{number}"]) < 5e-6
    else:
        assert relative_error(tf.concat(inference.gammas, -1)[:, 0, 0], published["visual_params"]) < 5e-6


@EVERY_VARIANT
def test_logits_are_the_published_ones(golden, inference):
    assert relative_error(inference.logits, golden.published["logits"]) < 2e-5


@EVERY_VARIANT
def test_logits_from_the_published_gammas_are_the_published_ones(golden, inference):
    published, gammas = golden.published, []
    if golden.variant == "lite":
        gammas = [published[f"visual_params_{number}"] for number in range(4)]
    elif golden.variant != "osvos_novis":
        widths = [gamma.shape[-1] for gamma in inference.gammas]
        gammas = tf.split(published["visual_params"][:, None, None], widths, axis=-1)
    logits = golden.network.segment(golden.batch.image, golden.batch.spatial, gammas)
    assert relative_error(logits, published["logits"]) < 1e-5


@EVERY_VARIANT
def test_losses_are_the_published_ones(golden, inference):
    published = golden.published
    loss = class_balanced_loss(inference.logits, golden.batch.label)
    assert float(loss) == pytest.approx(published["loss_eval"], rel=1e-5)
    assert float(Trainer(golden.network).l2()) == pytest.approx(published["reg_loss"], rel=1e-5)


@EVERY_TRAINING
@MODES
def test_gradient_norms_are_the_published_ones(golden, gradients, mode):
    published = published_norms(golden.published, mode)
    assert set(gradients[mode]) == set(published)
    assert Rounding(gradients[mode], floor=SUMMED).excess(published) <= 1


@MODES
def test_gradient_norms_of_lite_in_float64_are_the_published_ones(judge, mode):
    assert judge[mode].excess(published_norms(goldens.outputs("lite"), mode)) <= 1


@MODES
@pytest.mark.parametrize("golden", ["lite"], indirect=True)
def test_gradient_norms_of_lite_are_those_of_float64(golden, gradients, judge, mode):
    assert judge[mode].excess({name: norms[0] for name, norms in gradients[mode].items()}) <= 1


@pytest.mark.slow  # And it takes 10 GB.
@pytest.mark.parametrize("golden", [v for v in goldens.VARIANTS if v != "lite"], indirect=True)
def test_gradient_norms_of_vgg_in_float64_are_the_published_ones(golden, gradients):
    network = zero_networks.build_golden(goldens.VARIANTS[golden.variant], "float64")
    evaluator = Trainer(network, TrainerOptions(dropout_seed=None, fix_bn=True))
    batch = next(batches(golden.variant, "float64"))
    right = [float(tf.norm(gradient)) for gradient in tf.function(evaluator.gradients)(batch)[2]]
    moved = gradients["eval"].items()
    norms = {
        name: [norm, *others] for norm, (name, others) in zip(right, moved, strict=True)
    }  # Our float32 among them.
    assert Rounding(norms, floor=SUMMED).excess(published_norms(golden.published, "eval")) <= 1


@EVERY_TRAINING
def test_three_steps_of_adam_give_the_published_losses(golden, training):
    # A step of VGG's changes the loss by 2 % at most, of which rounding moves a thousandth; the rest is the loss's sum.
    allowed = 5e-5
    if golden.variant == "lite":
        # Adam's first step moves every weight by the rate, whatever the size of its gradient, and whatever its sign.
        rate, moved = golden.published["train_lr"], list(batches("lite"))[1:4]
        allowed += MARGIN * max(deviations(three_steps(training[2], b, rate)[0], training[0]).max() for b in moved)
    assert deviations(training[0], golden.published["train_losses"]).max() <= allowed


@EVERY_TRAINING
def test_three_steps_give_the_published_moving_statistics(golden, training):
    names = golden.published.get("bn_names", np.zeros(0)).tolist()
    statistics = [training[1][name] for name in names]
    np.testing.assert_allclose(statistics, golden.published.get("bn_means", []), rtol=1e-4, atol=1e-4)


@pytest.fixture(scope="module")
def to_spoil():
    """Return `lite` and {mode: `Gradients`}."""
    network = zero_networks.build_golden(goldens.VARIANTS["lite"])
    return network, {mode: Gradients(network, mode) for mode in ("eval", "train")}


@MODES
@pytest.mark.parametrize("name", ["osmn/seg/Conv2d_0/weights", "osmn/score/weights", "osmn/Conv2d_out_1/biases"])
def test_one_number_among_lites_weights_that_is_off_by_a_hundredth_is_found(judge, to_spoil, monkeypatch, name, mode):
    def spoilt(variable, shape, weight=goldens.weight):
        value = weight(variable, shape).copy()
        value.ravel()[value.size // 2] *= 1.01 if variable == name else 1
        return value

    monkeypatch.setattr(goldens, "weight", spoilt)
    network, gradients = to_spoil
    goldens.assign_weights(network)
    assert judge[mode].excess(gradients[mode].norms(next(batches("lite")))) > 1
