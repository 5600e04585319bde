"""Figures of short propagations, and the calibration of a model's last bias by them."""

import re
import shutil

import numpy as np
import pytest

import osmn_calibrate
from helpers.stand_ins import Pixelwise, stand_in
from osmn.config import ModelConfig, read_config
from osmn.data import davis as davis_data
from osmn.errors import InputError
from osmn.evaluation import in_memory
from osmn.inference.predictor import Predictor
from osmn.models import checkpoints, tensorflow_model


class Fixed:
    """An engine whose masks never change, but lose their left half if asked to."""

    def __init__(self, halve=False):
        self.halve = halve

    def gammas(self, frame, mask):
        return []

    def segment(self, frame, masks, gammas):
        if self.halve:
            masks = masks & (np.arange(masks.shape[2]) >= masks.shape[2] // 2)
        return masks.astype(np.float32), masks


def test_comparison_gives_j_and_the_area_relative_to_the_truths():
    truth = np.zeros((8, 8), bool)
    truth[2:6, 2:6] = True
    ours = np.zeros((8, 8), bool)
    ours[2:6, 2:4] = True
    assert in_memory.compare([ours, truth], [truth, truth]) == [(0.5, 0.5), (1.0, 1.0)]


def test_masks_of_the_networks_size_are_compared_at_the_truths():
    truth = np.zeros((8, 8), bool)
    truth[2:6, 2:6] = True
    assert in_memory.compare([truth[::2, ::2]], [truth]) == [(1.0, 1.0)]


def test_a_propagation_has_a_row_for_each_frame_but_the_first_and_the_last(davis, video):
    masks = davis_data.annotations(davis, video.name)
    for stride, frames in ((1, 3), (2, 1)):
        rows = in_memory.propagate(Predictor(Fixed()), video, masks, stride)
        assert rows.shape == (frames, 2, 2)
        assert ((rows[..., 0] >= 0) & (rows[..., 0] <= 1)).all()


def test_a_video_of_too_few_frames_is_named(davis, video):
    masks = davis_data.annotations(davis, video.name)
    with pytest.raises(InputError, match=f"{video.name} is too short: of 5 frames, one in 3 makes 2,"):
        in_memory.propagate(Predictor(Fixed()), video, masks, 3)


def test_figures_are_means_over_objects(davis, video):
    masks = {video.name: davis_data.annotations(davis, video.name)}
    rows = in_memory.propagate(Predictor(Fixed()), video, masks[video.name])
    found = in_memory.figures(Predictor(Fixed()), [video], masks)
    assert found.j == pytest.approx(rows[..., 0].mean())
    assert found.area == pytest.approx(np.median(np.median(rows[..., 1], axis=0)))


class Guided(Fixed):
    """An engine whose gamma is an object's share of its frame, and which follows an object only with its own."""

    def gammas(self, frame, mask):
        return [np.full((1, 1, 1, 1), mask.mean(), np.float32)]

    def segment(self, frame, masks, gammas):
        (shares,) = gammas
        own = [np.isclose(share, self.shares, atol=1e-6).any() for share in shares.ravel()]
        masks = masks & np.array(own)[:, None, None]
        return masks.astype(np.float32), masks


def test_the_gain_is_j_with_the_objects_own_gammas_less_that_with_the_mean_of_the_others(davis):
    videos = davis_data.videos(davis, 2017, "val")
    masks = davis_data.complete_annotations(davis, videos)
    engine = Guided()
    engine.shares = [gammas[0].item() for video in videos for gammas in in_memory.own_gammas(engine, video)]
    assert len(set(engine.shares)) == 3
    own = [in_memory.own_gammas(engine, video) for video in videos]
    rows = [
        in_memory.single_steps(engine, video, masks[video.name], [gammas], (64, 48), 2)[..., 0].mean(axis=0)[0]
        for video, gammas in zip(videos, own, strict=True)
    ]
    # With the others' mean nothing is found: J is 0 where there is an object, as in all of these frames.
    assert in_memory.gain(engine, videos, masks, (64, 48), 2) == pytest.approx(np.concatenate(rows).mean())
    # Of two objects, the mean of the others is the other.
    first = videos[1:]
    assert in_memory.gain(engine, first, masks, (64, 48), 2) == pytest.approx(0, abs=1e-6)


def test_there_is_no_gain_for_one_object_or_without_gammas(davis):
    videos = davis_data.videos(davis, 2017, "val")
    masks = davis_data.complete_annotations(davis, videos)
    assert in_memory.gain(Fixed(), videos, masks, (64, 48), 2) is None
    assert in_memory.gain(Guided(), videos[:1], masks, (64, 48), 2) is None


def test_a_frame_without_annotation_is_named_before_anything_is_computed(davis, tmp_path):
    shutil.copytree(davis, tmp_path / "davis")
    videos = davis_data.videos(tmp_path / "davis", 2017, "val")
    missing = tmp_path / "davis/Annotations/480p" / videos[0].name / "00003.png"
    missing.unlink()
    with pytest.raises(SystemExit) as stopped:
        osmn_calibrate.main(["--data_path", str(tmp_path / "davis"), "--whole_model_path", "m"])
    assert stopped.value.code == 2
    with pytest.raises(InputError, match=re.escape(f"{missing} does not exist; every frame of {videos[0].name}")):
        davis_data.complete_annotations(tmp_path / "davis", videos)


def test_calibration_finds_the_shift_that_was_taken_away_and_saves_it(davis, tmp_path, monkeypatch, capsys):
    class Shifted(Pixelwise):
        """Follows the spatial guide; its bias is 2 too high, so that its masks are too large."""

        def __init__(self):
            super().__init__()
            self.kernel.assign([0, 0, 0, 8])
            self.bias.assign([-4 + 2])

        @property
        def output_bias(self):
            return self.bias

    stand_in(monkeypatch, Shifted)
    command = ["--data_path", str(davis), "--whole_model_path", "m", "--im_size", "64", "48", "--scale_value", "0.01"]
    shifts = ["--shifts", "-2", "0", "2", "--stride", "1"]
    osmn_calibrate.main([*command, *shifts, "--output", str(tmp_path / "calibrated")])
    out = capsys.readouterr().out
    rows = [line.split() for line in out.splitlines() if line.startswith(("  0", "  2", " -2"))]
    assert [row[0] for row in rows] == ["-2.00", "0.00", "2.00"]
    areas = [float(row[2]) for row in rows]
    assert areas == sorted(areas)
    best = max(rows, key=lambda row: float(row[1]))
    assert f"best: {float(best[0]):g}, J {best[1]}, masks of {best[2]} times the true area" in out
    bias = checkpoints.CheckpointReader(tmp_path / "calibrated").read("net/biases")
    assert bias == pytest.approx([-2 + float(best[0])])
    config = read_config(tmp_path / "calibrated")
    assert (config.bias_shift, config.scale_value) == (float(best[0]), 0.01)


def test_a_calibration_without_output_only_prints(davis, tmp_path, monkeypatch, capsys):
    class Plain(Pixelwise):
        output_bias = property(lambda self: self.bias)

    stand_in(monkeypatch, Plain)
    command = ["--data_path", str(davis), "--whole_model_path", "m", "--im_size", "64", "48", "--shifts", "0"]
    osmn_calibrate.main(command)
    assert "written" not in capsys.readouterr().out


@pytest.mark.parametrize("base_model", ["osvos", "deeplab", "lite"])
def test_a_shift_of_the_output_bias_is_added_to_every_logit(base_model):
    from osmn import networks

    network = networks.build(ModelConfig(base_model, no_visual_modulator=True))
    rng = np.random.default_rng(0)
    image = rng.normal(size=(1, 64, 64, 3)).astype(np.float32)
    guide = rng.uniform(size=(1, 64, 64, 1)).astype(np.float32)
    before = network.segment(image, guide, []).numpy()
    network.output_bias.assign(network.output_bias.numpy() + 1.5)
    inner = network.segment(image, guide, []).numpy()[0, 20:44, 20:44]
    np.testing.assert_allclose(inner, before[0, 20:44, 20:44] + 1.5, atol=1e-5)
    assert tensorflow_model.for_inference(network, "float32") is network
