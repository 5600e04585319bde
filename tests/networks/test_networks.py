"""Whole networks against a plain computation: sizes, several objects, switches, precision."""

import dataclasses
import functools
import gc

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from helpers import goldens, zero_networks
from helpers.reference_networks import (
    VGG_WIDTHS,
    check_moving_statistics,
    naive_lite,
    naive_vgg,
    relative_error,
    weights_of,
)
from osmn.config import BASE_MODELS, ModelConfig
from osmn.inputs.samples import Sample
from osmn.networks import INFERENCE, Execution, devices, vgg
from osmn.training.options import TrainerOptions
from osmn.training.trainer import Trainer

WAYS = {"plain": INFERENCE, "fused": Execution(modulate=devices.fused_modulate, normalize=devices.fused_normalize)}
EITHER_WAY = pytest.mark.parametrize("way", WAYS)
HEIGHT, WIDTH = 101, 163  # Odd, and no multiple of any stride.


def sigmoid(x):
    return 1 / (1 + np.exp(-np.asarray(x, np.float64)))


# A plain computation, unshared and unfolded, of any size


@pytest.fixture(scope="module")
def build_once():
    """Return a function like `zero_networks.build_golden` that makes every network once, without visual modulator."""
    built = {}

    def build_small(base_model, **switches):
        config = ModelConfig(base_model, **switches)
        if config not in built:
            with pytest.MonkeyPatch.context() as patch:
                if base_model != "lite":
                    patch.setattr(vgg, "VisualModulator", lambda *_: None)
                built[config] = zero_networks.build_golden(config)
        goldens.assign_weights(built[config])  # Moving statistics may have moved.
        return built[config]

    yield build_small
    built.clear()
    goldens.weight.cache_clear()
    gc.collect()


def random_gammas(widths, batch=2, seed=0):
    generator = np.random.default_rng(seed)
    return [generator.normal(1, 0.3, (batch, 1, 1, c)).astype(np.float32) for c in widths]


@pytest.mark.parametrize(
    ("base_model", "training"),
    [("osvos", False), ("osvos", True), ("deeplab", False), ("deeplab", True), ("masktrack", False)],
)
@EITHER_WAY
def test_vgg_networks_of_odd_size_equal_the_plain_computation(build_once, base_model, training, way):
    network = build_once(base_model)
    _, spatial, image, _ = goldens.inputs(seed=1, batch=2, height=HEIGHT, width=WIDTH)
    gammas, weights = random_gammas(VGG_WIDTHS), weights_of(network)
    logits = network.segment(image, spatial, gammas, dataclasses.replace(WAYS[way], training=training))
    expected, moments = naive_vgg(weights, base_model, image, spatial, gammas, training)
    assert logits.shape == (2, HEIGHT, WIDTH, 1) and logits.dtype == tf.float32
    assert relative_error(logits, expected) < 1e-5
    if training:
        check_moving_statistics(network, weights, moments, decay=0.99)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize(("height", "width"), [(HEIGHT, WIDTH), (33, 70)])
@EITHER_WAY
def test_lite_of_any_size_equals_the_plain_computation(build_once, height, width, training, way):
    network = build_once("lite")
    _, spatial, image, _ = goldens.inputs("lite", seed=1, batch=2, height=height, width=width)
    gammas, weights = random_gammas((128, 256, 512, 1024)), weights_of(network)
    logits = network.segment(image, spatial, gammas, dataclasses.replace(WAYS[way], training=training))
    expected, moments = naive_lite(weights, image, spatial, gammas, training)
    assert logits.shape == (2, height, width, 1)
    assert relative_error(logits, expected) < (1e-4 if training else 1e-5)
    if training:
        check_moving_statistics(network, weights, moments, decay=0.997)


def test_early_modulation_takes_conv1_1_first(build_once):
    network = build_once("osvos", mod_early_conv=True)
    _, spatial, image, _ = goldens.inputs(seed=1, batch=2, height=33, width=47)
    gammas = random_gammas((64, 64, 128, 128, *VGG_WIDTHS))
    expected, _ = naive_vgg(weights_of(network), "osvos", image, spatial, gammas, first_modulated=1)
    assert relative_error(network.segment(image, spatial, gammas), expected) < 1e-5


# Several objects of one frame


@pytest.mark.parametrize("base_model", ["osvos", "deeplab", "masktrack", "lite"])
def test_objects_of_one_image_get_what_each_alone_gets(build_once, base_model):
    network = build_once(base_model)
    _, _, image, _ = goldens.inputs(base_model, seed=2, height=29, width=43)
    _, spatial, _, _ = goldens.inputs(seed=3, batch=3, height=29, width=43)
    widths = (128, 256, 512, 1024) if base_model == "lite" else VGG_WIDTHS
    gammas = random_gammas(widths, batch=3)
    together = network.segment(image, spatial, gammas)
    alone = [network.segment(image, spatial[i : i + 1], [s[i : i + 1] for s in gammas]) for i in range(3)]
    assert together.shape == (3, 29, 43, 1)
    assert relative_error(together, np.concatenate(alone)) < 1e-5


def test_a_network_without_modulators_still_gives_one_map_per_object(build_once):
    network = build_once("osvos", no_visual_modulator=True, no_spatial_modulator=True)
    _, spatial, image, _ = goldens.inputs(seed=2, height=33, width=47)
    logits = network.segment(image, np.repeat(spatial, 2, axis=0), [])
    assert logits.shape == (2, 33, 47, 1)
    np.testing.assert_array_equal(logits[0], logits[1])


@pytest.mark.parametrize("no_visual_modulator", [False, True])
@pytest.mark.parametrize("base_model", BASE_MODELS)
def test_gammas_must_be_as_many_as_the_network_has_modulated_channels(build_once, base_model, no_visual_modulator):
    network = build_once(base_model, no_visual_modulator=no_visual_modulator)
    _, spatial, image, _ = goldens.inputs(base_model, seed=2, height=16, width=16)
    right, none = random_gammas(network.modulated_channels, batch=1), []
    others = (right[:1], right[:-1], [*right, right[-1]], right[::-1], [gamma[..., :1] for gamma in right])
    accepted, refused = (none, right) if no_visual_modulator else (right, none)
    shapes = [gamma.shape for gamma in accepted]  # Of a network of one layer, some of the others are those too.
    wrong = [gammas for gammas in others if [gamma.shape for gamma in gammas] != shapes]
    assert network.segment(image, spatial, accepted).shape == (1, 16, 16, 1)
    for gammas in (refused, *wrong):
        with pytest.raises(ValueError, match="channels are wanted"):
            network.segment(image, spatial, gammas)


# Engines that are not TensorFlow read a frozen graph; none reads what XLA must compile


def functions_for_xla(network, way):
    """Return the names of the functions in the frozen graph of `segment`, for any size, that XLA must compile."""
    frame, map_ = tf.TensorSpec([1, None, None, 3]), tf.TensorSpec([None, None, None, 1])
    gammas = [tf.TensorSpec([None, 1, 1, channels]) for channels in network.modulated_channels]
    segment = tf.function(functools.partial(network.segment, execution=WAYS[way]))
    frozen = convert_variables_to_constants_v2(segment.get_concrete_function(frame, map_, gammas))
    functions = frozen.graph.as_graph_def().library.function
    return [function.signature.name for function in functions if function.attr["_XlaMustCompile"].b]


@pytest.mark.parametrize("base_model", BASE_MODELS)
def test_the_frozen_graph_of_plain_operations_has_nothing_for_xla(build_once, base_model):
    network = build_once(base_model)
    assert functions_for_xla(network, "plain") == []
    assert base_model != "lite" or functions_for_xla(network, "fused")  # What this test finds where it is there.


# Switches


def test_aligned_size_pads_centred_with_zeros_and_crops(build_once):
    plain, padded = (build_once("lite", no_visual_modulator=True, aligned_size=size) for size in (None, (64, 48)))
    _, spatial, image, _ = goldens.inputs("lite", seed=4, batch=2, height=33, width=50)
    margins = ((0, 0), (7, 8), (7, 7), (0, 0))  # 48 - 33 = 7 + 8, 64 - 50 = 7 + 7
    expected = plain.segment(np.pad(image, margins), np.pad(spatial, margins), [])[:, 7:40, 7:57]
    np.testing.assert_allclose(padded.segment(image, spatial, []), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("base_model", ["osvos", "lite"])
@EITHER_WAY
def test_fix_bn_uses_the_moving_statistics_and_leaves_them_alone(build_once, base_model, way):
    network = build_once(base_model, no_visual_modulator=base_model != "lite")
    guide, spatial, image, _ = goldens.inputs(base_model, seed=5, height=33, width=47)
    before = weights_of(network)
    trained, evaluated = (
        network(
            guide, spatial, image, execution=dataclasses.replace(WAYS[way], training=training, fixed_statistics=True)
        )
        for training in (True, False)
    )
    assert relative_error(trained, evaluated) < 1e-5
    for name, value in weights_of(network).items():
        np.testing.assert_array_equal(value, before[name], err_msg=name)


@pytest.mark.parametrize("base_model", ["osvos", "deeplab", "lite"])
def test_fix_seg_freezes_the_segmentation_net_but_its_fusion(base_model):
    variant = {"osvos": "osvos_novis"}.get(base_model, base_model)
    network = zero_networks.build(dataclasses.replace(goldens.VARIANTS[variant], no_visual_modulator=True))
    network.freeze_segmentation()
    sides = ("osmn/seg/", "osmn/conv")  # The latter: lite's side outputs.
    for name, variable in network.tf1_variables().items():
        published = goldens.variables(variant)[name][1]
        frozen = name.startswith(sides) and "upscore-fuse" not in name
        assert variable.trainable == (published and not frozen), name


def test_fix_seg_trains_only_the_rest():
    network = zero_networks.build_golden(ModelConfig("lite", no_visual_modulator=True))
    before = weights_of(network)
    batch = Sample(*map(tf.constant, goldens.inputs("lite", seed=6, height=32, width=32)))
    options = TrainerOptions(dropout_seed=None, fix_bn=True, fix_seg=True)
    Trainer(network, options).train_step(batch, tf.constant(1e-3))
    changed = {name for name, value in weights_of(network).items() if np.any(value != before[name])}
    assert changed == {name for name, variable in network.tf1_variables().items() if variable.trainable}
    assert {name.split("/")[1] for name in changed} == {"modulator_sp", "score"}


def test_logits_in_training_are_a_function_of_the_dropout_seed(build_once):
    network = build_once("masktrack")
    _, spatial, image, _ = goldens.inputs(seed=8, height=17, width=25)
    gammas = random_gammas(VGG_WIDTHS, batch=1)

    def logits(training, seed):
        return network.segment(image, spatial, gammas, Execution(training, dropout_seed=seed)).numpy()

    still, drawn = logits(False, None), logits(True, tf.constant([1, 2]))
    np.testing.assert_array_equal(logits(True, tf.constant([1, 2])), drawn)
    assert relative_error(logits(True, tf.constant([1, 3])), drawn) > 0.01
    assert relative_error(drawn, still) > 0.01
    assert relative_error(logits(True, None), still) < 1e-5  # No batch norm here: nothing else depends on the mode.


@pytest.mark.parametrize("variant", ["osvos_novis", "lite"])
def test_bfloat16_gives_nearly_the_published_probabilities(computes_bfloat16, variant):
    network = zero_networks.build_golden(goldens.VARIANTS[variant], dtype="bfloat16")
    guide, spatial, image, _ = goldens.inputs(variant)
    logits = network(guide, spatial, image)
    assert logits.dtype == tf.float32
    assert abs(sigmoid(logits) - sigmoid(goldens.outputs(variant)["logits"])).mean() <= 0.05
