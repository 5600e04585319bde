"""Frames and their mirror images segmented together: `--flip_test`."""

import json

import numpy as np
import pytest
import tensorflow as tf

import osmn_train_eval
from helpers.own_videos import mask, segment
from helpers.scripts import words
from helpers.stand_ins import Follower, stand_in
from osmn.files.images import read_labels
from osmn.models.engines.mirrored import MirroredEngine


class LeftHanded(Follower):
    """Segments where the object was, and less readily in the right half of the frame."""

    def segment(self, image, spatial, gammas, execution):
        width = tf.shape(spatial)[2]
        right = tf.cast(tf.range(width) >= width // 2, tf.float32)[None, None, :, None]
        return 8 * (spatial - 0.5) - 6 * right


class Brightness:
    """An engine in NumPy: an object is likelier where it was, where the frame is bright, and in the first column."""

    follows_weights = True

    def gammas(self, frame, mask):
        return ["gamma"]

    def segment(self, frame, masks, gammas):
        assert gammas == ["gamma"]
        probabilities = 0.5 * masks + frame[None, :, :, 0] / np.float32(1000)
        probabilities[:, :, 0] += 0.25
        return probabilities, probabilities > 0.5


def test_a_frame_and_its_mirror_image_count_half_each():
    engine = MirroredEngine(Brightness())
    frame = np.zeros((1, 4, 3), np.uint8)
    frame[0, 2] = 100
    mask = np.array([[[True, False, False, True]]])
    gammas = engine.gammas(frame, mask[0])
    probabilities, masks = engine.segment(frame, mask, gammas)
    # The frame gives 0.75, 0, 0.1, 0.5, its mirror image 0.5, 0, 0.1, 0.75.
    np.testing.assert_allclose(probabilities, [[[0.625, 0, 0.1, 0.625]]], atol=1e-6)
    np.testing.assert_array_equal(masks, mask)
    assert engine.follows_weights


def columns(path):
    """Return the first and the last column of the object in a mask's file."""
    found = np.flatnonzero((read_labels(path) > 0).any(axis=0))
    return found[0], found[-1]


@pytest.fixture(autouse=True)
def network(monkeypatch):
    stand_in(monkeypatch, LeftHanded)


def test_what_a_network_makes_of_one_side_alone_is_evened_out(clip, tmp_path):
    first = mask(tmp_path / "first.png", {1: (20, 12, 44, 36)})  # In the middle of 64 columns.
    segment(clip, tmp_path / "plain", "--mask", first)
    segment(clip, tmp_path / "flipped", "--mask", first, "--flip_test")
    name = sorted(path.name for path in (tmp_path / "plain/masks").iterdir())[1]
    assert columns(tmp_path / "plain/masks" / name)[1] == 31  # The right half is lost.
    left, right = columns(tmp_path / "flipped/masks" / name)
    assert left + right == 63


def test_results_with_and_without_it_are_not_mixed(clip, tmp_path, davis, capsys):
    first = mask(tmp_path / "first.png", {1: (20, 12, 44, 36)})
    testing = words("--data_path", davis, "--only_testing", "--whole_model_path", "stand-in", "--im_size", 64, 48)

    def of_a_video(folder, *more):
        segment(clip, folder, "--mask", first, *more)

    def of_a_dataset(folder, *more):
        osmn_train_eval.main([*testing, *words("--result_path", folder, *more)])

    for number, run in enumerate((of_a_video, of_a_dataset)):
        folder = tmp_path / str(number)
        run(folder)
        assert "flip_test" not in json.loads((folder / "run.json").read_text())["options"]
        before = {path: path.read_bytes() for path in folder.rglob("*.png")}
        with pytest.raises(SystemExit) as stopped:
            run(folder, "--flip_test")
        assert stopped.value.code == 2
        assert "flip_test was null, is true" in capsys.readouterr().err
        assert {path: path.read_bytes() for path in folder.rglob("*.png")} == before
        run(folder, "--flip_test", "--overwrite")
        assert json.loads((folder / "run.json").read_text())["options"]["flip_test"] is True
        assert {path: path.read_bytes() for path in folder.rglob("*.png")} != before
