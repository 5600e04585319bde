"""DAVIS 2016 as its authors ship it: all masks are gray but one, `bear/00077.png`, which is gray with alpha."""

import numpy as np
import pytest
from PIL import Image

import osmn_train_eval
from helpers.davis_sequences import rectangle
from helpers.scripts import words
from osmn.errors import InputError
from osmn.files.images import read_labels
from preprocessing import preprocess_davis


def write_shipped(root):
    """Write the sequence bear, frames and masks; one mask has alpha, 255 everywhere. Return the alpha mask's path."""
    for kind in ("JPEGImages", "Annotations"):
        (root / kind / "480p/bear").mkdir(parents=True)
    for number in range(75, 79):
        frame = np.full((20, 50, 3), 40, np.uint8)
        mask = rectangle(5 + number - 75, 5, 12, 10)
        frame[mask] = 200, 60, 50
        Image.fromarray(frame).save(root / f"JPEGImages/480p/bear/{number:05d}.jpg")
        picture = Image.fromarray(np.where(mask, 255, 0).astype(np.uint8))
        picture.convert("LA" if number == 77 else "L").save(root / f"Annotations/480p/bear/{number:05d}.png")
    (root / "ImageSets/2016").mkdir(parents=True)
    for split in ("train", "val"):
        (root / f"ImageSets/2016/{split}.txt").write_text("bear\n")
    return root / "Annotations/480p/bear/00077.png"


def test_davis_2016_as_shipped_is_preprocessed_trained_on_and_scored(tmp_path):
    davis = tmp_path / "DAVIS"
    odd = write_shipped(davis)
    assert Image.open(odd).mode == "LA"
    preprocess_davis.main([str(davis)])
    mask = rectangle(7, 5, 12, 10)
    np.testing.assert_array_equal(read_labels(davis / "Annotations/480p_all/bear/00077.png") > 0, mask)
    paths = ["--data_path", davis, "--model_save_path", tmp_path / "model", "--result_path", tmp_path / "out"]
    network = ["--base_model", "lite", "--mean_value", 127.5, 127.5, 127.5, "--scale_value", 0.00787]
    size = ["--im_size", 64, 48, "--precision", "float32", "--data_version", 2016]
    training = ["--training_iters", 1, "--batch_size", 1, "--data_aug_scales", 1]
    osmn_train_eval.main(words(*paths, *network, *size, *training))
    assert len(list((tmp_path / "out/bear").glob("*.png"))) == 4
    assert (tmp_path / "out/iou.txt").read_text().splitlines()[-1].startswith("all ")


def test_alpha_that_hides_something_is_no_label(tmp_path):
    Image.new("LA", (4, 3), (255, 100)).save(tmp_path / "mask.png")
    with pytest.raises(InputError, match="is a LA image"):
        read_labels(tmp_path / "mask.png")
