"""Public scorers on the masks that ours scores: where rules are the same, so are the numbers. Skipped without them."""

import json

import numpy as np
import pytest

import osmn_import
from helpers.folder_videos import SIZE, box, write_frames, write_label_masks
from helpers.scripts import words
from osmn.data.folders import Folders
from osmn.data.tracks import encoded
from osmn.evaluation import vos
from osmn.evaluation.rules import RULES
from osmn.files.images import write_mask

pytestmark = pytest.mark.slow

ONE, TWO = box(4, 4, 20, 12), box(30, 20, 20, 12)
HALF_ONE, HALF_TWO, QUARTER = box(4, 4, 10, 12), box(30, 20, 10, 12), box(4, 4, 5, 12)
NAMES = [f"{number:05d}" for number in range(8, 14)]  # They sort names by their letters.
TRUTH = [{1: ONE, 2: TWO}, {1: ONE}, *[{1: ONE, 2: TWO}] * 4]
LATE = [{1: ONE}, *TRUTH[1:]]  # The second object comes in the third frame.
RESULT = [
    {1: ONE, 2: TWO},
    {1: HALF_ONE, 2: HALF_TWO},
    {1: HALF_ONE, 2: TWO},
    {1: ONE, 2: HALF_TWO},
    {1: QUARTER, 2: TWO},
    {1: HALF_ONE, 2: HALF_TWO},
]
LATE_RESULT = [{1: ONE}, {1: HALF_ONE}, *RESULT[2:]]
# A tracker's options without a word on the terminal, and with what it finds in our folders alone.
QUIET = {"PRINT_CONFIG": False, "TRACKER_SUB_FOLDER": "", "TRACKERS_TO_EVAL": ["ours"]}


def write(folder, truth, result):
    write_frames(folder / "frames/clip", truth, NAMES)
    write_label_masks(folder / "masks/clip", truth, NAMES)
    write_label_masks(folder / "ours/clip", result, NAMES)
    return Folders(folder / "frames", folder / "masks")


def values(where, result_path, rule):
    """Return {object's name: (J, F)} by a rule."""
    with vos.scored(None, result_path, where, RULES[rule]) as found:
        return {score.name: score.values for score in found.objects}


@pytest.mark.parametrize(("truth", "result"), [(TRUTH, RESULT), (LATE, LATE_RESULT)])
def test_the_rule_of_sav_is_what_vos_benchmark_counts(tmp_path, truth, result):
    reason = "pip install vos-benchmark==0.1.0"
    benchmark = pytest.importorskip("vos_benchmark.benchmark", reason=reason).benchmark
    where = write(tmp_path, truth, result)
    arguments = {"strict": False, "num_processes": 1, "verbose": False, "skip_first_and_last": True}
    *_, objects = benchmark([str(where.masks)], [str(tmp_path / "ours")], **arguments)
    j, f = objects[0]["clip"]
    ours = values(where, tmp_path / "ours", "sav")
    assert ours.keys() == {str(object_id) for object_id in j}
    for name, both in ours.items():
        np.testing.assert_allclose(both, (j[int(name)] / 100, f[int(name)] / 100), atol=1e-9)


@pytest.fixture
def trackeval():
    """TrackEval; its J and F also need scikit-image, which it does not ask for."""
    pytest.importorskip("skimage", reason="pip install scikit-image")
    return pytest.importorskip("trackeval", reason="pip install trackeval==1.3.0 scikit-image")


def test_j_and_f_of_trackeval_are_ours_with_the_first_frame_counted(tmp_path, trackeval):
    where = write(tmp_path, TRUTH, RESULT)
    folders = {"GT_FOLDER": str(where.masks), "TRACKERS_FOLDER": str(tmp_path), "OUTPUT_FOLDER": str(tmp_path)}
    dataset = trackeval.datasets.DAVIS(QUIET | folders)
    metric = trackeval.metrics.JAndF()
    raw = dataset.get_raw_seq_data("ours", "clip")
    theirs = metric.eval_sequence(dataset.get_preprocessed_seq_data(raw, "general"))
    ours = np.mean(list(values(where, tmp_path / "ours", "ytvos").values()), axis=0)
    later = len(NAMES) - 1
    np.testing.assert_allclose((theirs["J-Mean"], theirs["F-Mean"]), (1 + later * ours) / len(NAMES), atol=1e-9)


def burst(truth):
    """Return the content of a file of BURST; each object is alone of its category."""
    paths = [f"{name}.jpg" for name in NAMES]
    shown = [{str(i): {"rle": encoded(mask).decode(), "is_gt": True} for i, mask in of.items()} for of in truth]
    sequence = {"id": 3, "dataset": "LaSOT", "seq_name": "bear-2", "width": SIZE[0], "height": SIZE[1]}
    sequence |= {"all_image_paths": paths, "annotated_image_paths": paths, "segmentations": shown}
    sequence |= {"neg_category_ids": [], "not_exhaustive_category_ids": [], "track_category_ids": {"1": 805, "2": 7}}
    return {"sequences": [sequence], "categories": [], "split": "val"}  # TrackEval has the categories' names itself.


def test_trackeval_takes_the_results_for_burst_and_its_hota_follows_from_our_j(tmp_path, trackeval):
    (tmp_path / "truth").mkdir()
    (tmp_path / "truth/all_classes.json").write_text(json.dumps(burst(LATE)))
    osmn_import.main(words("burst", tmp_path / "truth/all_classes.json", tmp_path / "masks"))
    for name, objects in zip(NAMES, LATE_RESULT, strict=True):
        for object_id in (1, 2):
            mask = objects.get(object_id, np.zeros_like(ONE))
            write_mask(tmp_path / f"results/LaSOT/bear-2/{object_id}/{name}.png", mask)
    places = ("--masks", tmp_path / "masks", "--result_path", tmp_path / "results")
    osmn_import.main(words("burst", tmp_path / "truth/all_classes.json", tmp_path / "ours/results.json", *places))
    folders = {"GT_FOLDER": str(tmp_path / "truth"), "TRACKERS_FOLDER": str(tmp_path), "OUTPUT_FOLDER": str(tmp_path)}
    dataset = trackeval.datasets.BURST(QUIET | folders)
    metric = trackeval.metrics.HOTA()
    raw = dataset.get_raw_seq_data("ours", "val-LaSOT-bear-2")
    category_of = {number: name for name, number in dataset.class_name_to_class_id.items()}
    # TrackEval compares boxes (findings/trackeval_compares_boxes_of_bursts_masks.sh): J of masks that are rectangles.
    for number, of_frames in ((805, [1, 1 / 2, 1 / 2, 1, 1 / 4, 1 / 2]), (7, [1, 1 / 2, 1, 1 / 2])):
        category = category_of[number]
        theirs = metric.eval_sequence(dataset.get_preprocessed_seq_data(raw, category))["HOTA"]
        # Of one object: a frame counts as found where J is at least alpha, and else is missed and wrong at once.
        found = [sum(value >= alpha - 1e-9 for value in of_frames) for alpha in metric.array_labels]
        np.testing.assert_allclose(theirs, [count / (2 * len(of_frames) - count) for count in found], atol=1e-9)
