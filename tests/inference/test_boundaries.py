"""Masks' boundaries moved to those of the image, by the boundary net; `--boundaries`."""

import cv2
import numpy as np
import pytest
import tensorflow as tf

from helpers.dataset_options import check_is_off_and_keeps_results_apart, check_ones_own_video_keeps_results_apart
from helpers.squares import colored, near, square
from helpers.stand_ins import Follower, StandIn, stand_in
from osmn.errors import InputError
from osmn.inference import boundaries, predictor
from osmn.inference.predictor import Predictor
from osmn.models import boundary_weights
from osmn.models.engines.boundaries import BoundaryNet
from osmn.networks.boundaries import build, inputs_of

pytest.importorskip("openvino")
SHAPE = (64, 96)


def random_weights(width=8, scale=0.2):
    random = np.random.default_rng(0)
    return {name: random.normal(0, scale, shape) for name, shape in boundary_weights.wanted(width).items()}


@pytest.fixture
def weights(tmp_path):
    """Return the path of a net with random weights."""
    path = tmp_path / "net.npz"
    boundary_weights.save(path, random_weights())
    return path


def refined_by_tensorflow(path, image, probabilities):
    network, found = build(8), boundary_weights.load(path)
    for layer in network.layers:
        for variable in layer.weights:
            variable.assign(found[f"{layer.name}/{variable.name}"])
    with np.errstate(divide="ignore"):
        logits = np.log(probabilities / (1 - probabilities))
    return tf.sigmoid(network(inputs_of(image[None], logits[None])))[0].numpy()


def test_openvino_computes_what_tensorflow_does(weights):
    random = np.random.default_rng(1)
    image = random.integers(0, 256, (38, 52, 3), np.uint8)
    probabilities = random.random((38, 52)).astype(np.float32)
    probabilities[:4], probabilities[4:8] = 0, 1
    wanted = refined_by_tensorflow(weights, image, probabilities)
    found = BoundaryNet(weights)(image, probabilities)
    np.testing.assert_allclose(found, wanted, atol=1e-3)
    assert np.abs(found - probabilities).max() > 0.1


@pytest.mark.parametrize("shape", [(37, 52), (38, 51), (1, 1)])
def test_an_odd_side_is_as_if_its_last_pixels_were_there_twice(weights, shape):
    random = np.random.default_rng(1)
    image, given = random.integers(0, 256, (*shape, 3), np.uint8), random.random(shape).astype(np.float32)
    more = [(0, side % 2) for side in shape]
    wanted = refined_by_tensorflow(weights, np.pad(image, [*more, (0, 0)], "edge"), np.pad(given, more, "edge"))
    np.testing.assert_allclose(BoundaryNet(weights)(image, given), wanted[: shape[0], : shape[1]], atol=1e-3)


def test_a_net_that_is_not_trained_changes_no_probability():
    network = build(8)
    random = np.random.default_rng(1)
    image, logits = random.integers(0, 256, (1, 12, 16, 3)), random.normal(0, 3, (1, 12, 16)).astype(np.float32)
    np.testing.assert_allclose(network(inputs_of(image, logits)), logits, atol=1e-5)


def test_a_window_around_the_object_alone_changes(monkeypatch, weights):
    monkeypatch.setattr(boundaries, "BoundaryNet", lambda: BoundaryNet(weights))
    image = np.random.default_rng(1).integers(0, 256, (200, 300, 3), np.uint8)
    given = np.where(square(120, 80, 30, (200, 300)), np.float32(0.9), np.float32(0.01))
    before = given.copy()
    found = boundaries.refiner()(image, given[None])[0]
    np.testing.assert_array_equal(given, before)
    rows, columns = np.nonzero(found != given)
    # A box of 30 pixels with its margins has 78, and the next multiple of 32 is 96.
    assert (rows.min(), rows.max() + 1) == (80 - boundaries.MARGIN, 80 - boundaries.MARGIN + 96)
    assert (columns.min(), columns.max() + 1) == (120 - boundaries.MARGIN, 120 - boundaries.MARGIN + 96)


@pytest.mark.parametrize(("left", "top", "side"), [(0, 0, 5), (295, 195, 5), (60, 20, 180), (130, 99, 1)])
def test_windows_have_few_sizes_and_hold_the_object_with_its_margin(monkeypatch, left, top, side):
    seen = []
    monkeypatch.setattr(boundaries, "BoundaryNet", lambda: lambda image, given: seen.append(image) or given)
    image = np.random.default_rng(1).integers(0, 256, (200, 300, 3), np.uint8)
    boundaries.refiner()(image, square(left, top, side, (200, 300))[None].astype(np.float32))
    assert all(size % 32 == 0 or size == whole for size, whole in zip(seen[0].shape, image.shape, strict=True))
    margin = boundaries.MARGIN
    needed = image[max(0, top - margin) : top + side + margin, max(0, left - margin) : left + side + margin]
    windows = np.lib.stride_tricks.sliding_window_view(seen[0], needed.shape)
    assert (windows == needed).all(axis=(-3, -2, -1)).any()


def test_where_nothing_is_seen_nothing_changes(monkeypatch, weights):
    monkeypatch.setattr(boundaries, "BoundaryNet", lambda: BoundaryNet(weights))
    image, given = np.zeros((*SHAPE, 3), np.uint8), np.full(SHAPE, 0.05, np.float32)
    np.testing.assert_array_equal(boundaries.refiner()(image, given[None])[0], given)


def test_an_object_gains_nothing_where_another_one_was_likelier(monkeypatch):
    monkeypatch.setattr(boundaries, "BoundaryNet", lambda: lambda image, given: np.full(given.shape, 0.9, np.float32))
    left, right = np.zeros((2, *SHAPE), np.float32)
    left[16:48, 16:48], right[16:48, 48:80] = 0.8, 0.7
    found = boundaries.refiner()(np.zeros((*SHAPE, 3), np.uint8), np.stack([left, right]))
    assert (found[0][16:48, 48:80] == 0).all() and (found[0][16:48, 16:48] > 0.85).all()
    assert (found[1][16:48, 16:48] == 0).all() and (found[1][16:48, 48:80] > 0.85).all()
    free = np.s_[:16, 16:80]  # Beside both objects, either may grow.
    assert (found[:, *free] > 0.85).any(axis=0).all()


class Near:
    """An engine that segments what is not gray where the last mask or a pixel beside it is."""

    follows_weights = False

    def gammas(self, frame, mask):
        return [np.ones((1, 1, 1, 1), np.float32)]

    def segment(self, frame, masks, gammas):
        return near(frame, masks)


def test_moved_boundaries_are_returned_and_guide_the_next_frame():
    def moved(frame, probabilities):
        return np.roll(probabilities, 1, 1)

    here = square(16, 16, 16, SHAPE)
    picture = colored({"red": np.ones(SHAPE, bool)}, SHAPE)
    predictor = Predictor(Near(), boundaries=moved)
    predictor.start(picture)
    predictor.add_object(1, here)
    for frame in (1, 2):
        found = predictor.step(picture)
        rows, columns = np.nonzero(found.masks[0])
        assert (rows.min(), columns.min(), columns.max()) == (16 + frame, 16 - frame, 31 + frame)
        np.testing.assert_array_equal(found.probabilities[0] > 0.5, found.masks[0])


def test_a_dataset_has_them_moved_where_it_is_asked_for_and_its_results_are_not_mixed(
    monkeypatch, davis, tmp_path, capsys
):
    stand_in(monkeypatch, Follower)
    check_is_off_and_keeps_results_apart("boundaries", davis, tmp_path / "out", capsys)


def test_ones_own_video_has_them_moved_where_it_is_asked_for(monkeypatch, clip, tmp_path, capsys):
    stand_in(monkeypatch, Follower)
    check_ones_own_video_keeps_results_apart("boundaries", False, clip, tmp_path, capsys)


def write_other_shapes(path):
    boundary_weights.save(path, random_weights() | {"score/bias": np.zeros(3)})


@pytest.mark.parametrize(
    ("write", "line"),
    [
        (lambda path: None, "does not exist; give the file that osmn_boundary_train.py has written"),
        (lambda path: path.write_bytes(b""), "is damaged or no boundary net"),
        (lambda path: path.write_bytes(b"\x89PNG"), "is damaged or no boundary net"),
        (write_other_shapes, "is no boundary net; give the file that osmn_boundary_train.py has written"),
        (lambda path: np.savez(path, other=np.ones(3)), "is no boundary net; give the file"),
    ],
)
def test_what_is_no_boundary_net_is_named(tmp_path, write, line):
    path = tmp_path / "net.npz"
    write(path)
    with pytest.raises(InputError) as error:
        BoundaryNet(path)
    assert str(error.value).startswith(f"{path} {line}")


def test_a_file_that_is_cut_off_is_named(weights):
    content = weights.read_bytes()
    for kept in (10, len(content) // 2, len(content) - 1):
        weights.write_bytes(content[:kept])
        with pytest.raises(InputError, match="damaged"):
            boundary_weights.load(weights)


@pytest.mark.parametrize("color", ["red", "blue", "dark_red"])
def test_the_shipped_net_moves_a_boundary_that_is_too_wide_and_soft_to_the_images(color):
    shape, random = (160, 200), np.random.default_rng(0)
    truth = np.zeros(shape, np.uint8)
    cv2.ellipse(truth, (100, 80), (45, 30), 20, 0, 360, 1, -1)
    picture = colored({color: truth > 0}, shape) - random.integers(0, 20, (*shape, 3), np.uint8)
    wide = cv2.GaussianBlur(cv2.dilate(truth, np.ones((7, 7), np.uint8)).astype(np.float32), (0, 0), 4)
    given = 1 / (1 + np.exp(-8 * (wide - 0.5)))

    def agreement(probabilities):
        mask = probabilities > 0.5
        return (mask & (truth > 0)).sum() / (mask | (truth > 0)).sum()

    assert agreement(boundaries.refiner()(picture, given[None])[0]) > agreement(given) + 0.02


def test_a_predictor_of_a_checkpoint_moves_them_where_it_is_told(monkeypatch):
    model = StandIn(Follower(), "float32")
    monkeypatch.setattr(predictor, "load_model", lambda *arguments: model)
    moved = []
    monkeypatch.setattr(predictor, "refiner", lambda: lambda frame, given: moved.append(1) or given)
    for asked in (False, True):
        following = Predictor.from_checkpoint("m", im_size=(64, 48), target_model=False, boundaries=asked)
        frame = np.zeros((48, 64, 3), np.uint8)
        following.start(frame)
        following.add_object(1, square(16, 16, 16, (48, 64)))
        following.step(frame)
        assert len(moved) == asked
