"""The benchmark of first masks by boxes and clicks, on a drawn dataset, with networks by hand."""

import numpy as np
import pytest

from benchmarks import first_mask
from helpers.scripts import error
from helpers.stand_ins import Follower
from osmn.inference.predictor import Predictor
from osmn.inputs import clicks
from osmn.models.engines.tensorflow import TensorFlowEngine


class Growing:
    """A click network by hand: the box, or the mask so far with disks around clicks on the object."""

    def probabilities(self, image, maps):
        inside = maps[..., clicks.MASK] if maps[..., clicks.MASK].any() else maps[..., clicks.BOX]
        return np.maximum(inside, maps[..., clicks.POSITIVE]).astype(np.float32)


def test_a_box_is_a_tenth_larger_than_the_object_and_ends_with_the_frame():
    mask = np.zeros((60, 100), bool)
    mask[20:40, 90:100] = True
    assert first_mask.larger_box(mask) == (90, 19, 10, 22)
    mask[20:40, 50:90] = True
    assert first_mask.larger_box(mask) == (48, 19, 52, 22)


def test_clicks_are_counted_to_an_iou_and_at_most_twenty():
    assert first_mask.clicks_to([0.2, 0.86, 0.91], 0.85) == 2
    assert first_mask.clicks_to([0.2, 0.86, 0.91], 0.90) == 3
    assert first_mask.clicks_to([0.2] * 20, 0.85) == 20


def test_the_table_has_each_sequence_the_means_and_j_from_true_and_from_pointed_masks(davis, monkeypatch, capsys):
    monkeypatch.setattr(first_mask, "load_click_engine", lambda path: Growing())
    predictor = Predictor(TensorFlowEngine(Follower()))
    monkeypatch.setattr(first_mask.Predictor, "from_checkpoint", lambda path: predictor)
    first_mask.main(["--data_path", str(davis), "--no_grabcut", "--follow", "model"])
    lines = capsys.readouterr().out.splitlines()
    names = [line.split()[0] for line in lines[1:3]]
    assert [line.split()[0] for line in lines[3:5]] == ["mean", "lowest"]
    boxed = [float(line.split()[2]) for line in lines[1:4]]
    assert boxed[2] == pytest.approx(np.mean(boxed[:2]), abs=1e-3) and 0 < boxed[2] <= 1
    assert any(line.startswith("NoC@85, NoC@90: ") for line in lines)
    table = [line.split() for line in lines[-3:]]
    assert [row[0] for row in table] == [*names, "mean"]
    true, pointed = (np.mean([float(row[column]) for row in table[:2]]) for column in (1, 2))
    assert float(table[2][3]) == pytest.approx(pointed - true, abs=2e-3)


def test_frames_without_an_object_are_named(davis, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(first_mask, "load_click_engine", lambda path: Growing())
    monkeypatch.setattr(first_mask.davis, "videos", lambda *_: [])
    assert "shows no object in these frames" in error(capsys, first_mask.main, "--data_path", davis)
