"""Validation during training: its figures, the best checkpoint, its options."""

import json
import shutil

import numpy as np
import pytest
import tensorflow as tf

import osmn_coco_pretrain
import osmn_train_eval
from helpers.event_files import summaries
from helpers.scripts import words
from osmn import networks
from osmn.config import ModelConfig
from osmn.data import davis as davis_data
from osmn.errors import InputError
from osmn.evaluation import in_memory
from osmn.inference.predictor import Predictor
from osmn.models import checkpoint_files, checkpoints, tensorflow_model
from osmn.models.engines.tensorflow import TensorFlowEngine
from osmn.training.options import TrainerOptions
from osmn.training.trainer import Trainer
from osmn.training.validator import Validator

CONFIG = ModelConfig("lite", mean_value=(127.5,) * 3, scale_value=0.00787, im_size=(64, 48))
TRAINED = ["--base_model", "lite", "--mean_value", *["127.5"] * 3, "--scale_value", "0.00787", "--im_size", "64", "48"]
TRAINED += ["--batch_size", "1", "--data_aug_scales", "1", "--ema", "0.5", "--learning_rate", "0.001"]


@pytest.fixture(scope="module")
def validator(davis):
    return Validator(CONFIG, davis, 2017, "val")


@pytest.fixture(scope="module")
def trainer():
    return Trainer(networks.build(CONFIG), TrainerOptions(ema=0.5))


@pytest.fixture(scope="module")
def trained(davis, tmp_path_factory):
    """Return the folder of a training of 5 steps that was validated at every second."""
    root = tmp_path_factory.mktemp("trained")
    places = ["--data_path", davis, "--model_save_path", root / "model", "--result_path", root / "results"]
    validated = ["--validate_iters", "2", "--validate_split", "2017/val", "--training_iters", "5"]
    osmn_train_eval.main(words(*TRAINED, *places, *validated))
    return root / "model"


def test_every_validation_is_in_tensorboard_and_the_best_one_beside_its_checkpoint(trained):
    written = {tag: values for tag, values in summaries(trained).items() if tag.startswith("validation/")}
    assert written.keys() == {"validation/J", "validation/area", "validation/gain"}
    assert all(values.keys() == {2, 4, 5} for values in written.values())
    j = {step: float(value) for step, (value,) in written["validation/J"].items()}
    best = max(j, key=lambda step: (j[step], -step))  # Of equal ones the first.
    kept = json.loads((trained / "best/figures.json").read_text())
    assert kept.pop("step") == best
    assert kept == {
        name: pytest.approx(float(written[f"validation/{name}"][best][0])) for name in ("J", "area", "gain")
    }
    assert checkpoint_files.list_checkpoints(trained / "best") == [trained / f"best/osmn.ckpt-{best}"]


def test_the_best_checkpoint_is_a_finished_model_and_has_the_j_that_is_said(trained, davis):
    model = tensorflow_model.load(trained / "best", precision="float32")
    assert not checkpoints.has_optimizer_state(model.path) and not checkpoints.has_average(model.path)
    videos = davis_data.videos(davis, 2017, "val")
    predictor = Predictor(TensorFlowEngine(model.network), (64, 48))
    found = in_memory.figures(predictor, videos, davis_data.complete_annotations(davis, videos), 2)
    kept = json.loads((trained / "best/figures.json").read_text())
    assert (found.j, found.area) == pytest.approx((kept["J"], kept["area"]), abs=1e-6)


def set_everything_to(trainer, mask_everywhere):
    """Give the average of the weights an output that is an object everywhere, or nowhere."""
    averages = trainer.finished_weights()
    for variable in averages.values():
        variable.assign(tf.zeros_like(variable))
    network = trainer.network
    name = next(n for n, v in network.tf1_variables().items() if v is network.output_bias)
    averages[name].assign(np.full(averages[name].shape, 9.0 if mask_everywhere else -9.0, np.float32))


def test_the_average_is_validated_and_a_worse_one_does_not_replace_the_best(validator, trainer, tmp_path):
    set_everything_to(trainer, True)
    trainer.step.assign(3)
    everywhere = validator.validate(trainer, tmp_path)
    assert everywhere["J"] > 0.01 and everywhere["area"] > 1 and everywhere["gain"] == 0
    kept = {path.name: path.read_bytes() for path in (tmp_path / "best").iterdir()}
    assert set(kept) == {f"osmn.ckpt-3.{end}" for end in ("index", "json", "data-00000-of-00001")} | {"figures.json"}
    set_everything_to(trainer, False)
    trainer.step.assign(4)
    assert validator.validate(trainer, tmp_path) == {"J": 0, "area": 0, "gain": 0}
    assert {path.name: path.read_bytes() for path in (tmp_path / "best").iterdir()} == kept
    (tmp_path / "best/osmn.ckpt-3.index").unlink()  # As a kill between the two files leaves it.
    validator.validate(trainer, tmp_path)
    assert json.loads((tmp_path / "best/figures.json").read_text())["step"] == 4


def test_damaged_figures_are_named(validator, trainer, tmp_path):
    (tmp_path / "best").mkdir()
    for content in ("[]", "{", '{"step": 3}', '{"step": 3, "J": "high"}', '{"step": 3, "J": NaN}'):
        (tmp_path / "best/figures.json").write_text(content)
        with pytest.raises(InputError, match=r"figures\.json is damaged; delete"):
            validator.validate(trainer, tmp_path)


def test_a_training_from_the_start_forgets_the_best_checkpoint(trained, davis, tmp_path):
    shutil.copytree(trained, tmp_path / "model")
    places = ["--data_path", davis, "--model_save_path", tmp_path / "model", "--result_path", tmp_path / "results"]
    command = [*TRAINED, *places, "--training_iters", "1", "--restart_training"]
    osmn_train_eval.main(words(*command))
    assert list((tmp_path / "model/best").iterdir()) == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--validate_iters", "5"], "--validate_split must be given"),
        (["--validate_split", "2016/val"], "do nothing without --validate_iters"),
        (["--validate_path", "x"], "do nothing without --validate_iters"),
        (["--validate_iters", "5", "--validate_split", "val"], "val is not VERSION/SPLIT, such as 2016/val"),
        (["--validate_iters", "5", "--validate_split", "2016/../x"], "2016/../x is not VERSION/SPLIT"),
        (["--validate_iters", "5", "--validate_split", "2017/missing"], "missing.txt"),
    ],
)
def test_options_of_validation_that_cannot_be_followed_are_one_line(davis, tmp_path, capsys, options, said):
    places = ["--data_path", davis, "--model_save_path", tmp_path / "model", "--result_path", tmp_path / "results"]
    with pytest.raises(SystemExit) as stopped:
        osmn_train_eval.main(words(*TRAINED, *places, *options))
    assert stopped.value.code == 2
    assert said in capsys.readouterr().err.splitlines()[-1]
    assert not (tmp_path / "model").exists()


def test_pretraining_needs_the_folder_of_the_videos(tmp_path, capsys):
    command = ["--model_save_path", str(tmp_path), "--validate_iters", "5", "--validate_split", "2016/val"]
    with pytest.raises(SystemExit):
        osmn_coco_pretrain.main(command)
    assert "--validate_path must be given" in capsys.readouterr().err


def test_videos_too_short_to_validate_on_are_named_before_training(davis, tmp_path):
    shutil.copytree(davis, tmp_path / "davis")
    video = davis_data.videos(tmp_path / "davis", 2017, "val")[0]
    for frame in video.frames[4:]:
        frame.unlink()
    line = f"480p/{video.name} is too short: of 4 frames, one in 2 makes 2, and .*; leave the video out of the split"
    with pytest.raises(InputError, match=line):
        Validator(CONFIG, tmp_path / "davis", 2017, "val")
