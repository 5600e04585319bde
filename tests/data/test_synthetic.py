"""The synthetic dataset and the baseline."""

import shutil

import numpy as np
import pytest
from PIL import Image

from helpers.davis_sequences import names_of_split
from helpers.trees import all_files
from osmn.data.synthetic import make_dataset, repeat_first_mask
from osmn.errors import InputError
from osmn.files.images import read_image, read_labels
from preprocessing import preprocess_davis

SIZE = (48, 32)


def test_the_same_seed_gives_the_same_files(synthetic, tmp_path):
    for folder, seed in (("same", 3), ("other", 4)):
        make_dataset(tmp_path / folder, train_sequences=2, val_sequences=2, frames=4, size=SIZE, seed=seed)
    assert all_files(tmp_path / "same") == all_files(synthetic)
    assert all_files(tmp_path / "other") != all_files(synthetic)


def test_layout_is_that_of_davis(synthetic):
    for name in names_of_split(synthetic, "train") + names_of_split(synthetic, "val"):
        frames = [f"{number:05d}" for number in range(4)]
        assert sorted(path.name for path in (synthetic / "JPEGImages/480p" / name).iterdir()) == [
            f"{f}.jpg" for f in frames
        ]
        assert read_image(synthetic / "JPEGImages/480p" / name / "00000.jpg").shape == (32, 48, 3)
        with Image.open(synthetic / "Annotations/480p" / name / "00003.png") as annotation:
            assert annotation.mode == "P"
            assert annotation.size == SIZE
    assert (synthetic / "ImageSets/2016/val.txt").read_text() == (synthetic / "ImageSets/2017/val.txt").read_text()


def test_objects_start_visible_and_move(synthetic):
    objects = []
    for name in names_of_split(synthetic, "train") + names_of_split(synthetic, "val"):
        first, last = (
            read_labels(synthetic / "Annotations/480p" / name / f"{frame}.png") for frame in ("00000", "00003")
        )
        objects.append(int(first.max()))
        for number in range(1, objects[-1] + 1):
            assert np.count_nonzero(first == number) > 0.02 * first.size
        assert np.count_nonzero(first != last) > 0
    assert objects == [1, 2, 1, 2]


def test_shapes_that_hardly_fit_are_made_smaller(tmp_path):
    make_dataset(tmp_path, train_sequences=2, val_sequences=0, frames=1, size=(24, 24), seed=0)
    first = read_labels(tmp_path / "Annotations/480p" / names_of_split(tmp_path, "train")[1] / "00000.png")
    assert first.max() == 2


def test_baseline_repeats_the_first_mask(synthetic, tmp_path):
    repeat_first_mask(synthetic, "val", tmp_path)
    name = names_of_split(synthetic, "val")[1]
    first = read_labels(synthetic / "Annotations/480p" / name / "00000.png")
    for frame in ("00000", "00003"):
        np.testing.assert_array_equal(read_labels(tmp_path / name / f"{frame}.png"), first)
    np.testing.assert_array_equal(read_labels(tmp_path / name / "2/00003.png"), 255 * (first == 2))
    assert not read_labels(tmp_path / name / "2/00000.png").any()


def test_preprocessing_accepts_the_dataset(synthetic, tmp_path):
    data = shutil.copytree(synthetic, tmp_path / "data")
    preprocess_davis.main([str(data)])
    name = names_of_split(synthetic, "val")[1]
    assert sorted(path.name for path in (data / "Annotations/480p_split" / name).iterdir()) == ["1", "2"]


def test_baseline_names_a_missing_split(synthetic, tmp_path):
    with pytest.raises(InputError, match=r"test-dev\.txt"):
        repeat_first_mask(synthetic, "test-dev", tmp_path)
