"""The TensorFlow engine under a predictor: guides from masks, objects together, sizes and precisions."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from osmn import networks
from osmn.config import ModelConfig
from osmn.inference.predictor import Predictor
from osmn.inputs import guides
from osmn.models import tensorflow_model
from osmn.models.engines.tensorflow import TensorFlowEngine

PLAIN = ModelConfig(mean_value=(0.0, 0.0, 0.0))
LITE = ModelConfig("lite", mean_value=(127.5, 127.5, 127.5), scale_value=0.00787)


class Follower:
    """A stand-in for a network: an object is where the spatial guide is high, unless the frame is bright.

    An object has one gamma, its guide's mean, which gammas the logits.
    """

    config = PLAIN
    gamma_channels = (1,)

    def gammas(self, guide, execution):
        return [tf.reduce_mean(guide, axis=[1, 2, 3], keepdims=True)]

    def segment(self, image, spatial, gammas, execution):
        logits = 8 * (spatial - 0.5) - tf.reduce_max(image)
        return logits * gammas[0] if gammas else logits


class BlindFollower(Follower):
    config = ModelConfig(mean_value=(0.0, 0.0, 0.0), no_visual_modulator=True)
    gamma_channels = ()


def dark(count, shape=(24, 32)):
    return [np.zeros((*shape, 3), np.uint8) for _ in range(count)]


def box(left, top, right, bottom, shape=(24, 32)):
    mask = np.zeros(shape, bool)
    mask[top:bottom, left:right] = True
    return mask


def propagate(network, frames, starts):
    """Return the Segmentations of the frames after the first; `starts` are {frame number: {object id: mask}}.

    Reference frames are grey.
    """
    predictor = Predictor(TensorFlowEngine(network))
    results = []
    for number, frame in enumerate(frames):
        if number:
            results.append(predictor.step(frame))
        else:
            predictor.start(frame)
        for object_id, mask in starts.get(number, {}).items():
            predictor.follow(object_id, mask, np.full((*mask.shape, 3), 200, np.uint8))
    return results


def followed(mask):
    """Return what `BlindFollower` makes of a dark frame after one with this mask."""
    return tf.sigmoid(8 * (guides.spatial_guide(mask[None], PLAIN)[0, ..., 0] - 0.5)).numpy()


def test_frame_1_is_guided_by_the_given_mask_and_later_frames_by_the_predicted_one():
    given = box(8, 6, 22, 18)
    first, second = propagate(BlindFollower(), dark(3), {0: {1: given}})
    np.testing.assert_allclose(first.probabilities[0], followed(given), atol=1e-6)
    np.testing.assert_array_equal(first.masks, first.probabilities > 0.5)
    assert not np.array_equal(first.masks[0], given)
    np.testing.assert_allclose(second.probabilities[0], followed(first.masks[0]), atol=1e-6)


def test_results_are_numpy_arrays_in_the_order_of_the_objects():
    masks = {7: box(0, 0, 10, 10), 2: box(12, 8, 26, 20)}
    (first,) = propagate(BlindFollower(), dark(2), {0: masks})
    assert first.object_ids == (7, 2)
    assert isinstance(first.probabilities, np.ndarray) and first.probabilities.dtype == np.float32
    assert isinstance(first.masks, np.ndarray) and first.masks.dtype == bool
    for object_id, probability in zip(first.object_ids, first.probabilities, strict=True):
        np.testing.assert_allclose(probability, followed(masks[object_id]), atol=1e-6)


def test_an_object_that_starts_late_is_guided_by_its_given_mask_and_changes_nothing_for_the_others():
    early, late = box(2, 2, 12, 12), box(14, 8, 30, 20)
    results = propagate(BlindFollower(), dark(5), {0: {1: early}, 2: {5: late}})
    assert [result.object_ids for result in results] == [(1,), (1,), (1, 5), (1, 5)]
    np.testing.assert_allclose(results[2].probabilities[1], followed(late), atol=1e-6)
    for result, expected in zip(results, propagate(BlindFollower(), dark(5), {0: {1: early}}), strict=True):
        np.testing.assert_allclose(result.probabilities[0], expected.probabilities[0], atol=1e-6)


def test_an_object_that_is_absent_where_it_is_given_stays_blank_guided():
    present = box(8, 6, 22, 18)
    results = propagate(BlindFollower(), dark(3), {0: {1: box(0, 0, 0, 0), 2: present}})
    for result in results:
        np.testing.assert_allclose(result.probabilities[0], 1 / (1 + np.exp(4)), atol=1e-6)
        assert not result.masks[0].any()
    np.testing.assert_allclose(results[0].probabilities[1], followed(present), atol=1e-6)


def test_after_an_empty_prediction_the_spatial_guide_is_all_zero():
    frames = dark(4)
    frames[1] += 255
    blinded, after, last = propagate(BlindFollower(), frames, {0: {1: box(8, 6, 22, 18)}})
    assert not blinded.masks.any()
    for result in (after, last):
        np.testing.assert_allclose(result.probabilities, 1 / (1 + np.exp(4)), atol=1e-6)


def test_gammas_are_those_of_the_objects_own_visual_guide():
    engine = TensorFlowEngine(Follower())
    frame, mask = np.full((24, 32, 3), 3, np.uint8), box(4, 4, 20, 20)
    (gamma,) = engine.gammas(frame, mask)
    assert gamma.shape == (1, 1, 1, 1)
    np.testing.assert_allclose(gamma, tf.reduce_mean(guides.visual_guide(frame, mask, PLAIN)), rtol=1e-6)
    probabilities, _ = engine.segment(frame * 0, mask[None], [gamma])
    expected = 8 * (guides.spatial_guide(mask[None], PLAIN)[..., 0] - 0.5) * gamma[0, 0, 0, 0]
    np.testing.assert_allclose(probabilities, tf.sigmoid(expected), atol=1e-5)


def test_masks_may_be_given_in_another_size_than_the_frames():
    given = box(16, 12, 44, 36, (48, 64))
    (first,) = propagate(BlindFollower(), dark(2), {0: {1: given}})
    np.testing.assert_allclose(first.probabilities[0], followed(given[::2, ::2]), atol=1e-6)


@pytest.fixture(scope="module")
def lite():
    """Return `lite` with random weights under which masks are neither empty nor full, and differ."""
    network = networks.build(LITE)
    rng = np.random.default_rng(0)
    for name, variable in network.tf1_variables().items():
        if name.endswith("weights"):
            fan_in = np.prod(variable.shape[: 2 if "depthwise" in name else 3])
            variable.assign(rng.normal(0, np.sqrt(2 / fan_in), variable.shape))
    return network


def one_at_a_time(network, frames, mask):
    """Return an object's probabilities (T - 1, H, W) by whole calls of the network, nothing shared, nothing kept."""
    guide = guides.visual_guide(np.full((*mask.shape, 3), 200, np.uint8), mask, LITE)[None]
    probabilities = []
    for frame in frames[1:]:
        logits = network(guide, guides.spatial_guide(mask[None], LITE), guides.normalize(frame, LITE)[None])
        probabilities.append(tf.sigmoid(logits)[0, ..., 0].numpy())
        mask = probabilities[-1] > 0.5
    return np.stack(probabilities)


def test_objects_together_equal_one_at_a_time(lite):
    rng = np.random.default_rng(1)
    frames = list(rng.integers(0, 256, (4, 64, 96, 3), np.uint8))
    masks = [box(10, 10, 40, 30, (64, 96)), box(50, 5, 90, 60, (64, 96)), box(30, 40, 60, 62, (64, 96))]
    together = propagate(lite, frames, {0: dict(enumerate(masks, 1))})
    apart = np.stack([one_at_a_time(lite, frames, mask) for mask in masks], axis=1)
    assert 0.02 < (apart > 0.5).mean() < 0.98
    assert np.abs(apart[:, 0] - apart[:, 1]).max() > 0.1
    np.testing.assert_allclose([result.probabilities for result in together], apart, atol=1e-4)


def test_network_for_inference_has_the_same_weights_in_the_precision_asked_for(lite):
    assert tensorflow_model.for_inference(lite, "float32") is lite
    copy = tensorflow_model.for_inference(lite, "bfloat16")
    assert copy.compute_dtype == "bfloat16"
    for name, variable in copy.tf1_variables().items():
        np.testing.assert_allclose(
            tf.cast(variable.value, tf.float32), lite.tf1_variables()[name].value, rtol=2**-8, err_msg=name
        )


def test_an_aligned_size_equals_padding_by_hand(lite):
    aligned = networks.build(dataclasses.replace(LITE, aligned_size=(128, 96)))
    tensorflow_model.copy_weights(lite, aligned)
    rng = np.random.default_rng(2)
    frame, mask = rng.integers(0, 256, (64, 96, 3), np.uint8), box(30, 20, 60, 50, (64, 96))
    gammas = TensorFlowEngine(lite).gammas(frame, mask)
    ours, _ = TensorFlowEngine(aligned).segment(frame, mask[None], gammas)
    image = tf.pad(guides.normalize(frame, LITE)[None], [[0, 0], [16, 16], [16, 16], [0, 0]])
    guide = tf.pad(guides.spatial_guide(mask[None], LITE), [[0, 0], [16, 16], [16, 16], [0, 0]])
    padded = tf.sigmoid(lite.segment(image, guide, gammas))[..., 0]
    np.testing.assert_allclose(ours, padded[:, 16:80, 16:112], atol=1e-5)


def test_one_graph_serves_all_sizes_and_numbers_of_objects(lite):
    traces = []

    class Counting(BlindFollower):
        def segment(self, image, spatial, gammas, execution):
            traces.append(image.shape)
            return super().segment(image, spatial, gammas, execution)

    engine = TensorFlowEngine(Counting())
    for count, shape in ((1, (24, 32)), (3, (24, 32)), (2, (40, 64))):
        engine.segment(np.zeros((*shape, 3), np.uint8), np.zeros((count, *shape), bool), [])
    assert len(traces) == 1
