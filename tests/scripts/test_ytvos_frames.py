"""YouTube-VOS propagated through every frame or through the listed ones."""

import numpy as np
import pytest

import osmn_train_eval_ytvos
from helpers.scripts import error
from helpers.stand_ins import Follower, stand_in
from helpers.trees import tree
from helpers.ytvos_results import evaluate
from helpers.ytvos_videos import SIZE, paint, write_frame, write_video
from osmn.files.images import read_labels
from osmn.inference.predictor import Predictor
from osmn.models.engines.tensorflow import TensorFlowEngine


@pytest.fixture
def sparse(tmp_path):
    """Return a dataset of a video with JPEGs 0 to 6 of which 1 (object 1 starts), 3 (2 starts) and 6 are listed."""
    split = tmp_path / "data/valid"
    first, second = paint({1: (4, 2, 28, 22)}), paint({2: (1, 1, 25, 23)})
    write_video(split, "v", {1: first, 3: second, 6: second}, {1: (1, 3, 6), 2: (3, 6)})
    for number in (0, 2, 4, 5):
        write_frame(split / f"JPEGImages/v/{number:05d}.jpg", first)
    return tmp_path / "data"


def propagated(box, times):
    """Return where `Follower` sees, after so many frames, an object that was in `box`."""
    frame = np.zeros((*SIZE[::-1], 3), np.uint8)
    predictor = Predictor(TensorFlowEngine(Follower()))
    predictor.start(frame)
    predictor.add_object(1, paint({1: box}) == 1)
    *_, last = predictor.propagate([frame] * times)
    return last.masks[0]


def test_all_frames_propagates_through_every_jpeg_and_writes_the_listed_ones(sparse, tmp_path, monkeypatch, capsys):
    stand_in(monkeypatch, Follower)
    evaluate(sparse, tmp_path / "listed")
    assert "propagating through the frames that meta.json lists" in capsys.readouterr().out
    evaluate(sparse, tmp_path / "all", "--all_frames")
    assert "propagating through every frame" in capsys.readouterr().out
    one, two = (4, 2, 28, 22), (1, 1, 25, 23)
    # Frames from an object's first to the one in the name, (listed, all).
    times = {"1/00003": (one, 1, 2), "1/00006": (one, 2, 5), "2/00006": (two, 1, 3)}
    for name, (box, listed, every) in times.items():
        few, many = propagated(box, listed), propagated(box, every)
        assert few.sum() > many.sum() > 0
        np.testing.assert_array_equal(read_labels(tmp_path / f"listed/v/{name}.png") > 0, few)
        np.testing.assert_array_equal(read_labels(tmp_path / f"all/v/{name}.png") > 0, many)
    written = ["00001.png", "00003.png", "00006.png", "1/00001.png", "1/00003.png", "1/00006.png"]
    assert sorted(tree(tmp_path / "all/v")) == sorted(tree(tmp_path / "listed/v"))
    assert sorted(tree(tmp_path / "all/v")) == sorted([*written, "2/00003.png", "2/00006.png"])


@pytest.mark.parametrize("path", ["JPEGImages/v/00003.jpg", "Annotations/v/00003.png"])
def test_a_file_that_is_missing_is_named_before_any_result_is_written(sparse, tmp_path, monkeypatch, capsys, path):
    stand_in(monkeypatch, Follower)
    (sparse / "valid" / path).unlink()
    paths = ["--data_path", sparse, "--whole_model_path", "m", "--result_path", tmp_path / "results"]
    options = ["--only_testing", "--im_size", *SIZE, "--precision", "float32"]
    line = error(capsys, osmn_train_eval_ytvos.main, *paths, *options)
    assert f"{path} does not exist; complete the dataset" in line
    assert not (tmp_path / "results").exists()
