import dataclasses
import functools
import gc

import goldens
import numpy as np
import pytest
import tensorflow as tf
import zero_networks
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from osmn import networks
from osmn.config import BASE_MODELS, ModelConfig
from osmn.inputs.samples import Sample
from osmn.networks import INFERENCE, Execution, Part, devices, execution, layers, vgg
from osmn.training.options import TrainerOptions
from osmn.training.trainer import Trainer

CHOSEN = devices.choose_execution()  # The one for the devices here.
WAYS = {"plain": INFERENCE, "fused": Execution(modulate=devices.fused_modulate, normalize=devices.fused_normalize)}
EITHER_WAY = pytest.mark.parametrize("way", WAYS)
HEIGHT, WIDTH = 101, 163  # Odd, and no multiple of any stride.


def build(config, dtype="float32"):
    """Return a network with the weights behind the golden files."""
    network = zero_networks.build(config, dtype)
    goldens.assign_weights(network)
    return network


def relative_error(actual, expected):
    """Return the largest difference over the largest value."""
    return np.max(np.abs(np.asarray(actual) - expected)) / np.max(np.abs(expected))


def sigmoid(x):
    return 1 / (1 + np.exp(-np.asarray(x, np.float64)))


# A plain computation, unshared and unfolded, of any size


@pytest.fixture(scope="module")
def build_once():
    """Return `build`, with every network made once, without its visual modulator: the tests pass gammas."""
    built = {}

    def build_small(base_model, **switches):
        config = ModelConfig(base_model, **switches)
        if config not in built:
            with pytest.MonkeyPatch.context() as patch:
                if base_model != "lite":
                    patch.setattr(vgg, "VisualModulator", lambda *_: None)
                built[config] = build(config)
        goldens.assign_weights(built[config])  # Moving statistics may have moved.
        return built[config]

    yield build_small
    built.clear()
    goldens.weight.cache_clear()
    gc.collect()


def weights_of(network):
    return {n: np.array(v) for n, v in network.tf1_variables().items()} | network.constants()


def random_gammas(widths, batch=2, seed=0):
    generator = np.random.default_rng(seed)
    return [generator.normal(1, 0.3, (batch, 1, 1, c)).astype(np.float32) for c in widths]


def naive_convolution(weights, name, x, stride=1, dilation=1):
    y = tf.nn.conv2d(x, weights[f"{name}/weights"], stride, "SAME", dilations=dilation)
    return y + weights.get(f"{name}/biases", 0)


def naive_normalization(weights, scope, x, training, moments):
    """Batch norm over all pixels; the batch's (mean, variance, count) are added to `moments`."""
    names = ("moving_mean", "moving_variance", "beta", "gamma")
    mean, variance, beta, gamma = (weights[f"{scope}/BatchNorm/{name}"] for name in names)
    if training:
        mean, variance = tf.nn.moments(x, [0, 1, 2])
        moments[f"{scope}/BatchNorm"] = mean, variance, np.prod(x.shape[:3])
    return tf.nn.batch_normalization(x, mean, variance, beta, gamma, 0.001)


def naive_vgg(weights, base_model, image, spatial, gammas, training=False, first_modulated=3):
    """Return a VGG16 network's logits and its batch norms' moments, as the published program computes them."""
    size, moments, sides = image.shape[1:3], {}, []
    gammas = iter(gammas)
    dilated, masktrack = base_model != "osvos", base_model == "masktrack"
    x = tf.concat([spatial, image], -1) if masktrack else tf.constant(image)
    for stage, count in enumerate((2, 2, 3, 3, 3), 1):
        dilation = 2 if dilated and stage == 5 else 1
        if stage > 1:
            stride = 1 if dilation == 2 else 2
            x = tf.nn.max_pool2d(x, 3 if masktrack else 2, stride, "SAME")
            spatial = tf.nn.avg_pool2d(spatial, stride, stride, "SAME")
        betas = iter([0.0] * count)
        if stage >= first_modulated and not masktrack:
            scope = f"osmn/modulator_sp/conv{stage}"
            maps = naive_normalization(weights, scope, naive_convolution(weights, scope, spatial), training, moments)
            betas = iter(tf.split(tf.nn.relu(maps), count, axis=-1))
        for layer in range(1, count + 1):
            x = tf.nn.relu(naive_convolution(weights, f"osmn/seg/conv{stage}/conv{stage}_{layer}", x, 1, dilation))
            if stage >= first_modulated:
                x = x * next(gammas) + next(betas)
        if stage > 1 and not dilated:
            side = naive_convolution(weights, f"osmn/seg/conv{stage}_{count}_16", x)
            sides.append(naive_upsampling(side, weights[f"osmn/seg/score-multi{stage}-up/weights"], size))
    if not dilated:
        return naive_convolution(weights, "osmn/seg/upscore-fuse", tf.concat(sides, -1)), moments
    scores = []
    for number, rate in enumerate((6, 12, 18, 24), 1):
        hidden = tf.nn.max_pool2d(x, 3, 1, "SAME")
        hidden = tf.nn.relu(naive_convolution(weights, f"osmn/seg/fc6_{number}", hidden, 1, rate))
        hidden = tf.nn.relu(naive_convolution(weights, f"osmn/seg/fc7_{number}", hidden))
        head = "fc8" if masktrack else "fc8_voc12"
        scores.append(naive_convolution(weights, f"osmn/seg/{head}_{number}", hidden))
    return naive_upsampling(tf.add_n(scores), weights["osmn/seg/score-up/weights"], size), moments


def naive_upsampling(x, kernel, size):
    """Transposed convolution with stride half the kernel, VALID, then the centre of `size`."""
    batch, height, width, channels = x.shape
    stride = kernel.shape[0] // 2
    shape = (batch, (height + 1) * stride, (width + 1) * stride, channels)
    up = tf.nn.conv2d_transpose(x, kernel, shape, stride, "VALID")
    top, left = (shape[1] - size[0]) // 2, (shape[2] - size[1]) // 2
    return up[:, top : top + size[0], left : left + size[1]]


def naive_lite(weights, image, spatial, gammas, training=False):
    """Return `lite`'s logits and its batch norms' moments."""
    strides = {2: 2, 4: 2, 6: 2, 12: 2}
    half, moments, sides = [(side + 1) // 2 for side in image.shape[1:3]], {}, []

    def normalized(scope, x):
        return tf.nn.relu6(naive_normalization(weights, scope, x, training, moments))

    x = normalized("osmn/seg/Conv2d_0", naive_convolution(weights, "osmn/seg/Conv2d_0", tf.constant(image), 2))
    for block in range(1, 14):
        scope, stride = f"osmn/seg/Conv2d_{block}_depthwise", strides.get(block, 1)
        kernel = weights[f"{scope}/depthwise_weights"]
        x = normalized(scope, tf.nn.depthwise_conv2d(x, kernel, [1, stride, stride, 1], "SAME"))
        scope = f"osmn/seg/Conv2d_{block}_pointwise"
        x = normalized(scope, naive_convolution(weights, scope, x))
        if block in (3, 5, 11, 13):
            factor = 4 if block == 3 else 2
            spatial = tf.nn.avg_pool2d(spatial, factor, factor, "SAME")
            scope = f"osmn/modulator_sp/conv{block}"
            maps = naive_convolution(weights, scope, spatial)
            x = x * gammas[len(sides)] + tf.nn.relu(naive_normalization(weights, scope, maps, training, moments))
            side = naive_convolution(weights, f"osmn/conv{block}_16", x)
            sides.append(tf.compat.v1.image.resize_bilinear(side, half))
    score = naive_convolution(weights, "osmn/score", tf.concat(sides, -1))
    return tf.compat.v1.image.resize_bilinear(score, image.shape[1:3]), moments


def check_moving_statistics(network, weights, moments, decay):
    """Check that the network's statistics have moved from `weights` towards the batch's `moments`."""
    assert moments
    after = weights_of(network)
    for scope, (mean, variance, count) in moments.items():
        rate = 1 - (0.99 if "modulator_sp" in scope else decay)
        for leaf, value in (("moving_mean", mean), ("moving_variance", variance * count / (count - 1))):
            before = weights[f"{scope}/{leaf}"]
            expected = before + rate * (value - before)
            np.testing.assert_allclose(after[f"{scope}/{leaf}"], expected, rtol=1e-4, atol=1e-4)


VGG_WIDTHS = (*(256,) * 3, *(512,) * 6)


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


def test_visual_modulator_of_early_modulation_starts_with_conv1_1():
    modulator = vgg.VisualModulator((64, 64, 128, 128, *VGG_WIDTHS), "float32", zero_networks.Zeros())
    vector = np.arange(4224, dtype=np.float32)
    modulator.output_layer.bias.assign(vector)
    gammas = modulator(np.zeros((1, 224, 224, 3), np.float32), execution=INFERENCE)
    assert [gamma.shape for gamma in gammas[:5]] == [(1, 1, 1, c) for c in (64, 64, 128, 128, 256)]
    np.testing.assert_array_equal(np.concatenate([np.ravel(gamma) for gamma in gammas]), vector)


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
    widths = (128, 256, 512, 1024) if base_model == "lite" else VGG_WIDTHS
    right, none = random_gammas(widths, batch=1), []
    wrong = (right[:1], right[:-1], [*right, right[-1]], right[::-1], [gamma[..., :1] for gamma in right])
    accepted, refused = (none, right) if no_visual_modulator else (right, none)
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
    network = build(ModelConfig("lite", no_visual_modulator=True))
    before = weights_of(network)
    batch = Sample(*map(tf.constant, goldens.inputs("lite", seed=6, height=32, width=32)))
    Trainer(network, TrainerOptions(dropout_seed=None, fix_bn=True, fix_seg=True)).train_step(batch, tf.constant(1e-3))
    changed = {name for name, value in weights_of(network).items() if np.any(value != before[name])}
    assert changed == {name for name, variable in network.tf1_variables().items() if variable.trainable}
    assert {name.split("/")[1] for name in changed} == {"modulator_sp", "score"}


# Initial weights, dropout, precision


def test_lite_visual_modulator_starts_as_identity():
    network = networks.build(ModelConfig("lite"))
    guide, *_ = goldens.inputs("lite", seed=7, batch=2)
    gammas = network.gammas(guide)
    assert [gamma.shape for gamma in gammas] == [(2, 1, 1, c) for c in (128, 256, 512, 1024)]
    assert all(np.all(gamma == 1) for gamma in gammas)


def test_the_published_embedding_of_lite_is_one_unit_and_a_small_one_has_units_that_differ():
    units = {}
    for small in (False, True):
        network = networks.build(ModelConfig("lite"), small_embedding=small)
        guide, *_ = goldens.inputs("lite", seed=7)
        name = "osmn/modulator/Logits/Conv2d_1c_1x1"
        weights, biases = (np.asarray(network.tf1_variables()[f"{name}/{leaf}"]) for leaf in ("weights", "biases"))
        units[small] = len({unit.tobytes() for unit in np.r_[weights[0, 0], biases[None]].T})
        assert all(np.all(gamma == 1) for gamma in network.gammas(guide))
    assert units == {False: 1, True: 2048}
    assert not biases.any()
    assert np.std(weights) == pytest.approx(0.002, rel=0.01)


def test_gradients_of_lites_visual_modulator_are_summed_in_an_order_that_does_not_vary():
    network = networks.build(ModelConfig("lite"))
    variables = [v.value for n, v in network.tf1_variables().items() if n.startswith("osmn/modulator/") and v.trainable]

    @tf.function
    def gradients(guide):
        with tf.GradientTape() as tape:
            loss = functools.reduce(tf.add, map(tf.reduce_sum, network.gammas(guide, Execution(training=True))))
        return tape.gradient(loss, variables)

    graph = gradients.get_concrete_function(tf.TensorSpec((2, 224, 224, 3))).graph
    assert not [op.name for op in graph.get_operations() if op.type == "AddN" and len(op.inputs) > 2]


def test_vgg_visual_modulator_starts_as_identity():
    modulator = vgg.VisualModulator(VGG_WIDTHS, "float32", zero_networks.Zeros())
    modulator.hidden[-1].bias.assign(np.ones(4096))  # So that the last layer's input is not zero, as with real weights.
    gammas = modulator(np.zeros((2, 224, 224, 3), np.float32), execution=INFERENCE)
    assert [gamma.shape for gamma in gammas] == [(2, 1, 1, c) for c in VGG_WIDTHS]
    assert all(np.all(gamma == 1) for gamma in gammas)


def test_initial_weights_are_a_function_of_the_seed():
    config = ModelConfig("lite", no_visual_modulator=True)
    first, again, other = (weights_of(networks.build(config, seed=seed)) for seed in (0, 0, 1))
    kernels = [name for name in first if name.endswith("weights")]
    assert all(np.array_equal(first[name], again[name]) for name in first)
    assert not any(np.array_equal(first[name], other[name]) for name in kernels)
    same_shape = [first[f"osmn/seg/Conv2d_{block}_pointwise/weights"] for block in (7, 8)]
    assert not np.array_equal(*same_shape)


def test_initial_convolutions_have_the_published_deviation_and_zero_biases():
    weights = weights_of(networks.build(ModelConfig(no_visual_modulator=True)))
    assert weights["osmn/seg/conv4/conv4_2/weights"].std() == pytest.approx(0.001, rel=0.01)
    assert abs(weights["osmn/seg/conv4/conv4_2/weights"].mean()) < 1e-5
    assert not any(value.any() for name, value in weights.items() if name.endswith(("biases", "beta", "moving_mean")))
    assert all(np.all(value == 1) for name, value in weights.items() if name.endswith(("gamma", "moving_variance")))


def test_dropout_drops_half_and_doubles_the_rest_by_seed_and_layer():
    ones, seed = tf.ones((100, 100)), tf.constant([3, 5])
    execution, other_seed = Execution(dropout_seed=seed), Execution(dropout_seed=seed + 1)
    dropped = vgg.dropout(ones, execution, 0).numpy()
    assert set(np.unique(dropped)) == {0, 2} and dropped.mean() == pytest.approx(1, abs=0.05)
    np.testing.assert_array_equal(vgg.dropout(ones, execution, 0), dropped)
    for other in (vgg.dropout(ones, execution, 1), vgg.dropout(ones, other_seed, 0)):
        assert np.mean(other == dropped) == pytest.approx(0.5, abs=0.05)
    assert vgg.dropout(ones, Execution(training=True), 0) is ones


def test_dropout_of_a_batch_in_parts_is_that_of_the_whole():
    whole = Execution(dropout_seed=tf.constant([3, 5]))
    parts = [dataclasses.replace(whole, part=Part(number, 2)) for number in (0, 1)]
    dropped = [vgg.dropout(tf.ones((3, 20)), execution, 0) for execution in parts]
    np.testing.assert_array_equal(np.concatenate(dropped), vgg.dropout(tf.ones((6, 20)), whole, 0))


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
def test_bfloat16_gives_nearly_the_published_probabilities(variant):
    network = build(goldens.VARIANTS[variant], dtype="bfloat16")
    guide, spatial, image, _ = goldens.inputs(variant)
    logits = network(guide, spatial, image)
    assert logits.dtype == tf.float32
    assert abs(sigmoid(logits) - sigmoid(goldens.outputs(variant)["logits"])).mean() <= 0.05


# Layers


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("size", [1, 3])
def test_fully_connected_layers_equal_a_valid_convolution_and_its_gradients(size, batch):
    generator = np.random.default_rng(0)
    x = tf.constant(generator.normal(size=(batch, size, size, 4)).astype(np.float32))
    kernel = tf.constant(generator.normal(size=(size, size, 4, 5)).astype(np.float32))
    weights = generator.normal(size=(batch, 1, 1, 5)).astype(np.float32)
    results = []
    for function in (vgg.covering_convolution, lambda x, kernel: tf.nn.conv2d(x, kernel, 1, "VALID")):
        with tf.GradientTape() as tape:
            tape.watch([x, kernel])
            y = function(x, kernel)
            loss = tf.reduce_sum(y * weights)
        results.append([y, *tape.gradient(loss, [x, kernel])])
    for ours, expected in zip(*results, strict=True):
        np.testing.assert_allclose(ours, expected, rtol=1e-5, atol=1e-5)


def test_moving_variance_follows_the_unbiased_variance():
    layer = layers.BatchNormalization("tiny", 1, decay=0.9)
    y = layer(np.float32([1, 3]).reshape(1, 1, 2, 1), execution=Execution(training=True))
    # Mean 2; variance 1 to normalise with, 2 with N / (N - 1).
    np.testing.assert_allclose(np.ravel(y), np.float32([-1, 1]) / np.sqrt(1.001), rtol=1e-5)
    assert layer.moving_mean.numpy() == pytest.approx(0.9 * 0 + 0.1 * 2)
    assert layer.moving_variance.numpy() == pytest.approx(0.9 * 1 + 0.1 * 2)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("training", [False, True])
def test_normalisation_by_moving_statistics_is_the_same_on_a_gpu(training, dtype):
    layer, generator = layers.BatchNormalization("tiny", 5, decay=0.9), np.random.default_rng(0)
    for variable in layer.variables:
        variable.assign(generator.uniform(0.5, 2, variable.shape))
    x = tf.cast(generator.normal(size=(2, 3, 4, 5)), dtype)
    fixed = Execution(training, fixed_statistics=True)
    plain, fused = (
        layer(x, execution=dataclasses.replace(fixed, normalize=function))
        for function in (execution.normalize, devices.fused_normalize)
    )
    assert plain.dtype == fused.dtype == dtype
    tolerance = {"float32": 1e-5, "bfloat16": 1e-2}[dtype]
    np.testing.assert_allclose(tf.cast(plain, "float32"), tf.cast(fused, "float32"), tolerance, tolerance)


@pytest.mark.parametrize("parts", [1, 2])
def test_normalisation_of_a_batch_in_parts_is_that_of_the_whole(parts):
    generator = np.random.default_rng(0)
    x = tf.constant(generator.normal(3, 2, size=(2, 3, 4, 5)).astype(np.float32))
    offset, scale = (tf.constant(generator.uniform(0.5, 2, 5).astype(np.float32)) for _ in range(2))
    # Parts that are all alike: what the others sum is known here.
    part = Part(0, parts, lambda sums: parts * sums)
    expected = layers.normalize_batch(tf.concat([x] * parts, axis=0), offset, scale, 0.001)
    for ours, whole in zip(layers.normalize_part(x, offset, scale, 0.001, part), expected, strict=True):
        np.testing.assert_allclose(ours, whole[: len(ours)], rtol=1e-5, atol=1e-5)


def test_spatial_modulation_moves_its_statistics_as_batch_norm_of_the_map_would():
    stage = layers.SpatialModulation("tiny", [1, 1], "ones")
    stage.convolution.kernel.assign(np.float32([2, -1]).reshape(1, 1, 1, 2))
    maps = stage(np.float32([1, 3]).reshape(1, 1, 2, 1), execution=Execution(training=True))
    # The convolution gives (2, 6) and (-1, -3): means 4 and -2, biased variances 4 and 1, unbiased 8 and 2.
    np.testing.assert_allclose(stage.normalization.moving_mean, [0.01 * 4, 0.01 * -2], rtol=1e-5)
    np.testing.assert_allclose(stage.normalization.moving_variance, [0.99 + 0.01 * 8, 0.99 + 0.01 * 2], rtol=1e-5)
    np.testing.assert_allclose([np.ravel(map_) for map_ in maps], [[0, 1], [1, 0]], atol=1e-3)


def test_factored_betas_are_the_maps_of_the_moving_statistics():
    stage = layers.SpatialModulation("tiny", [2, 1], "ones")
    generator = np.random.default_rng(0)
    for variable in stage.variables:
        variable.assign(generator.uniform(0.5, 2, variable.shape))
    stage.normalization.beta.assign([-1.0, 0.0, 1.0])
    guide = generator.random((2, 3, 4, 1)).astype(np.float32)
    expected = stage(guide, execution=Execution(training=True, fixed_statistics=True))
    assert [map_.shape for map_ in expected] == [(2, 3, 4, 2), (2, 3, 4, 1)]
    for map_, beta in zip(expected, stage(guide, execution=INFERENCE), strict=True):
        ours = execution.modulate(tf.zeros(map_.shape), None, beta)
        np.testing.assert_allclose(ours, map_, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("modulate", [execution.modulate, devices.fused_modulate])
def test_modulation_scales_then_shifts(modulate):
    beta = execution.FactoredBeta(
        tf.constant([1.0, 2.0], shape=(1, 1, 2, 1)), tf.constant([3.0, 1.0]), tf.constant([-4.0, 0.0])
    )
    features = tf.constant([[10.0, 20.0], [30.0, 40.0]], shape=(1, 1, 2, 2))
    gamma = tf.constant([0.5, 2.0], shape=(1, 1, 1, 2))
    # relu(3 g - 4) at g = 1, 2 is 0, 2; relu(g) is 1, 2.
    for arguments, expected in (
        ((gamma, beta), [[5 + 0, 40 + 1], [15 + 2, 80 + 2]]),
        ((gamma, None), [[5, 40], [15, 80]]),
        ((None, beta), [[10 + 0, 20 + 1], [30 + 2, 40 + 2]]),
        ((None, None), features[0, 0]),
    ):
        np.testing.assert_allclose(modulate(features, *arguments)[0, 0], expected)


@pytest.mark.parametrize("stride", [2, 4, 8, 16])
@pytest.mark.parametrize(("height", "width"), [(5, 7), (1, 3), (4, 2)])
def test_upsampling_matrices_equal_the_cropped_transposed_convolution(height, width, stride):
    x = np.random.default_rng(0).normal(size=(2, height, width, 1)).astype(np.float32)
    kernel = layers.bilinear_kernel(2 * stride, 1)
    for cut in (0, 1, stride - 1):  # What SAME pooling rounds up: a side of `size * stride - cut` pools to `size`.
        size = (height * stride - cut, width * stride - cut // 2)
        rows, columns = (
            layers.transposed_bilinear_matrix(*sides) for sides in ((height, stride, size[0]), (width, stride, size[1]))
        )
        expected = naive_upsampling(tf.constant(x), kernel, size)
        np.testing.assert_allclose(layers.resample(x, rows, columns), expected, atol=1e-5)


@pytest.mark.parametrize(
    ("old", "new"), [((5, 7), (51, 82)), ((51, 82), (101, 163)), ((1, 2), (1, 5)), ((8, 6), (3, 6))]
)
def test_resizing_matrices_equal_the_legacy_bilinear_resize(old, new):
    x = np.random.default_rng(0).normal(size=(2, *old, 1)).astype(np.float32)
    matrices = [layers.legacy_bilinear_matrix(*sides) for sides in zip(old, new, strict=True)]
    expected = tf.compat.v1.image.resize_bilinear(x, new)
    np.testing.assert_allclose(layers.resample(x, *matrices), expected, atol=1e-5)


@pytest.mark.parametrize("shape", [(2, 7, 9, 5), (1, 1, 1, 3), (1, 2, 1, 1)])
def test_single_channel_convolution_equals_conv2d(shape):
    generator = np.random.default_rng(0)
    x = generator.normal(size=shape).astype(np.float32)
    kernel = generator.normal(size=(3, 3, shape[-1])).astype(np.float32)
    expected = tf.nn.conv2d(x, kernel[..., None], 1, "SAME")
    np.testing.assert_allclose(layers.single_channel_convolution(x, kernel), expected, atol=1e-5)
