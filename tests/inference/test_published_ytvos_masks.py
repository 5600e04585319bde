"""The published program's masks of a real video of YouTube-VOS."""

import zipfile

import numpy as np
import pytest

import osmn_train_eval_ytvos
import ytvos_merge_result
from helpers.scripts import words
from helpers.trees import tree
from osmn.files.images import read_labels

PENGUINS = "003234408d"


@pytest.fixture(scope="module")
def penguins(shared, tmp_path_factory):
    """Return the results for the real video, by the model that was trained with the published program."""
    folder = tmp_path_factory.mktemp("penguins")
    paths = ["--data_path", shared / "data/ytvos_mini", "--whole_model_path", shared / "checkpoints/osmn_lite.ckpt"]
    lite = ["--base_model", "lite", "--mean_value", 127.5, 127.5, 127.5, "--scale_value", 0.00787]
    more = ["--only_testing", "--save_score", "--precision", "float32"]
    osmn_train_eval_ytvos.main(words(*paths, "--result_path", folder / "results", *lite, *more))
    return folder


def test_masks_of_a_real_video_equal_those_of_the_published_program(shared, penguins):
    for object_id in range(1, 6):
        published = sorted((shared / f"checkpoints/results/ytvos/{PENGUINS}/{object_id}").glob("*.png"))
        assert len(published) == 15
        ious = []
        for path in published[1:]:
            theirs = read_labels(path) > 0
            ours = read_labels(penguins / f"results/{PENGUINS}/{object_id}/{path.name}") > 0
            union = np.count_nonzero(ours | theirs)
            ious.append(np.count_nonzero(ours & theirs) / union if union else 1.0)
        assert np.mean(ious[:10]) >= 0.99, f"object {object_id}: {ious}"
        assert np.mean(ious) >= 0.97, f"object {object_id}: {ious}"


def test_merged_frames_of_a_real_video_equal_those_of_the_published_program(shared, penguins):
    published = sorted((shared / f"checkpoints/results/ytvos/merged/{PENGUINS}").glob("*.png"))
    assert len(published) == 15
    for path in published:
        ours = read_labels(penguins / f"results/{PENGUINS}/{path.name}")
        assert np.mean(ours == read_labels(path)) >= 0.995, path.name


def test_merging_a_real_video_in_two_steps_equals_its_merged_frames_and_passes_the_check(shared, penguins):
    data, out = shared / "data/ytvos_mini", penguins / "out"
    ytvos_merge_result.main(words(data, penguins / "results", out, "valid", "--zip", penguins / "a.zip"))
    merged = tree(out / "valid/Annotations")
    with zipfile.ZipFile(penguins / "a.zip") as file:
        assert {name.removeprefix("Annotations/"): file.read(name) for name in file.namelist()} == merged
    assert len(merged) == 15
    for name, content in merged.items():
        assert (penguins / "results" / name).read_bytes() == content
