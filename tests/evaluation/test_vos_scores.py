"""Scores of videos in folders: what each dataset's rule counts, worked out by hand."""

import numpy as np
import pytest

from helpers.folder_videos import SIZE, box, write_frames, write_label_masks, write_own_masks
from osmn.data.folders import Folders
from osmn.errors import InputError
from osmn.evaluation import vos
from osmn.evaluation.rules import RULES
from osmn.evaluation.scoring import read_truth
from osmn.files.images import write_labels, write_mask

ONE, TWO = box(4, 4, 20, 12), box(30, 20, 20, 12)
HALF_ONE, HALF_TWO, QUARTER = box(4, 4, 10, 12), box(30, 20, 10, 12), box(4, 4, 5, 12)
NAMES = [str(number) for number in range(8, 14)]  # In the order of their numbers, not of their letters.
TRUTH = [{1: ONE}, {1: ONE}, *[{1: ONE, 2: TWO}] * 4]  # The second object comes in the third frame.
# J of object 1 is 1, 1/2, 1/2, 1, 1/4, 1/2, that of object 2 is 1, 1/2, 1, 1/2 from the third frame on.
RESULT = [
    {1: ONE},
    {1: HALF_ONE},
    {1: HALF_ONE, 2: TWO},
    {1: ONE, 2: HALF_TWO},
    {1: QUARTER, 2: TWO},
    {1: HALF_ONE, 2: HALF_TWO},
]


@pytest.fixture
def where(tmp_path):
    write_frames(tmp_path / "frames/clip", TRUTH, NAMES)
    write_label_masks(tmp_path / "masks/clip", TRUTH, NAMES)
    write_label_masks(tmp_path / "results/clip", RESULT, NAMES)
    return Folders(tmp_path / "frames", tmp_path / "masks")


def scores(where, tmp_path, rule):
    with vos.scored(None, tmp_path / "results", where, RULES[rule]) as found:
        return found


def j_of(found):
    return {(score.sequence, score.name): (score.frames, round(score.values[0], 6)) for score in found.objects}


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("davis", {"1": (4, (1 / 2 + 1 / 2 + 1 + 1 / 4) / 4)}),
        ("visor", {"1": (5, (1 / 2 + 1 / 2 + 1 + 1 / 4 + 1 / 2) / 5)}),
        ("lvos", {"1": (4, (1 / 2 + 1 / 2 + 1 + 1 / 4) / 4), "2": (2, (1 / 2 + 1) / 2)}),
        ("ytvos", {"1": (5, (1 / 2 + 1 / 2 + 1 + 1 / 4 + 1 / 2) / 5), "2": (3, (1 / 2 + 1 + 1 / 2) / 3)}),
        ("sav", {"1": (4, (1 / 2 + 1 / 2 + 1 + 1 / 4) / 4), "2": (3, (1 + 1 / 2 + 1) / 3)}),
        ("vost", {"1": (4, (1 / 2 + 1 / 2 + 1 + 1 / 4) / 4)}),
        ("mose2", {"1": (4, (121 / 241 + 121 / 241 + 1 + 61 / 241) / 4)}),  # Of 240 pixels, one more in both.
    ],
)
def test_each_rule_counts_its_objects_and_frames(where, tmp_path, rule, expected):
    assert j_of(scores(where, tmp_path, rule)) == {
        ("clip", name): (frames, round(value, 6)) for name, (frames, value) in expected.items()
    }


def test_vost_also_measures_the_last_quarter_of_the_inner_frames(where, tmp_path):
    found = scores(where, tmp_path, "vost")
    assert found.headline == [("J", pytest.approx(0.5625)), ("J_last", pytest.approx(0.25))]


def test_the_score_is_the_mean_over_objects(where, tmp_path):
    found = scores(where, tmp_path, "lvos")
    assert dict(found.headline)["J"] == pytest.approx((0.5625 + 0.75) / 2)
    assert dict(found.headline)["J&F"] == pytest.approx(sum(found.means[:2]) / 2)


def test_lvos_also_measures_how_much_an_objects_scores_vary(where, tmp_path):
    found = scores(where, tmp_path, "lvos")
    j, f, v = found.objects[1].values
    values = np.array([[1 / 2, 2 * f - 1], [1, 1]]).mean(axis=1)  # In one of its two frames the object is found whole.
    assert j == 0.75
    assert v == pytest.approx(np.sqrt(np.round(np.var(values), 4)), abs=1e-9)
    assert dict(found.headline)["V"] == pytest.approx((found.objects[0].values[2] + v) / 2)


def test_mose2_also_measures_where_objects_are_gone_and_back(tmp_path):
    truth = [{1: ONE}, {1: ONE}, {}, {}, {1: ONE}, {1: ONE}]
    result = [{1: ONE}, {1: ONE}, {1: ONE}, {}, {1: HALF_ONE}, {1: ONE}]
    write_frames(tmp_path / "frames/clip", truth, NAMES)
    write_label_masks(tmp_path / "masks/clip", truth, NAMES)
    write_label_masks(tmp_path / "results/clip", result, NAMES)
    found = dict(scores(Folders(tmp_path / "frames", tmp_path / "masks"), tmp_path, "mose2").headline)
    # Gone for two frames: J 1/241 and F 0 in the first, 1 and 1 in the second.
    assert found["J&F where objects are gone"] == pytest.approx(((1 / 241 + 1) / 2 + (0 + 1) / 2) / 2)
    assert 0.5 < found["J&F where objects are back"] < 1


def test_seen_and_unseen_videos_have_scores_of_their_own(where, tmp_path, caplog):
    alone = [{1: ONE}] * 6
    write_frames(tmp_path / "frames/other", alone, NAMES)
    for folder in ("masks", "results"):
        write_label_masks(tmp_path / folder / "other", alone, NAMES)
    (tmp_path / "unseen.txt").write_text("other\nnobody\n")
    with vos.scored(None, tmp_path / "results", where, RULES["lvos"], tmp_path / "unseen.txt") as found:
        headline = dict(found.headline)
    assert headline["J unseen"] == 1 and headline["J&F unseen"] == 1
    assert headline["J seen"] == pytest.approx((0.5625 + 0.75) / 2)
    assert headline["J"] == pytest.approx((headline["J seen"] + 1) / 2)  # Not the mean over the three objects.
    with vos.scored(None, tmp_path / "results", where, RULES["visor"], tmp_path / "unseen.txt") as found:
        assert dict(found.headline)["J"] == pytest.approx(np.mean([each.values[0] for each in found.objects]))
    assert "no video is named nobody" in caplog.text


def test_void_in_the_truth_counts_as_background(where, tmp_path):
    before = j_of(scores(where, tmp_path, "davis"))
    write_label_masks(tmp_path / "masks/clip", TRUTH, NAMES, void=box(0, 40, 64, 8))
    assert j_of(scores(where, tmp_path, "davis")) == before


def test_void_beside_an_object_with_a_folder_counts_as_background(tmp_path):
    write_frames(tmp_path / "frames/clip", TRUTH, NAMES)
    write_own_masks(tmp_path / "masks/clip", [{1: ONE}] * 6, NAMES, {1: "000"})
    for name in NAMES:
        labels = ONE.astype(np.uint8)
        labels[40:] = 255
        write_labels(tmp_path / f"masks/clip/000/{name}.png", labels)
        write_mask(tmp_path / f"results/clip/1/{name}.png", ONE)
    found = scores(Folders(tmp_path / "frames", tmp_path / "masks"), tmp_path, "sav")
    assert found.objects[0].values == (1, 1)


def test_an_object_that_neither_truth_nor_result_shows_is_right_but_for_sav_before_it_comes(where, tmp_path):
    found = scores(where, tmp_path, "sav")  # Object 2 has 4 inner frames, in the first of which nothing shows it.
    assert j_of(found)["clip", "2"][0] == 3


def test_sparse_truth_is_scored_where_it_is(where, tmp_path):
    for name in (NAMES[1], NAMES[3]):
        (tmp_path / f"masks/clip/{name}.png").unlink()
    assert j_of(scores(where, tmp_path, "davis")) == {("clip", "1"): (2, (1 / 2 + 1 / 4) / 2)}


def test_objects_with_folders_are_scored_alone_so_that_overlap_costs_nothing(tmp_path):
    whole = ONE | TWO
    truth = [{1: whole, 2: ONE}] * 4
    write_frames(tmp_path / "frames/clip", [{1: whole}] * 4, NAMES[:4])
    write_own_masks(tmp_path / "masks/clip", truth, NAMES[:4], {1: "000", 2: "001"})
    for number, name in enumerate(NAMES[:4]):
        write_mask(tmp_path / f"results/clip/1/{name}.png", whole)
        write_mask(tmp_path / f"results/clip/2/{name}.png", HALF_ONE if number == 1 else ONE)
    found = scores(Folders(tmp_path / "frames", tmp_path / "masks"), tmp_path, "sav")
    assert j_of(found) == {("clip", "000"): (2, 1.0), ("clip", "001"): (2, 0.75)}


def test_a_report_shows_the_truth_of_all_objects_with_folders(tmp_path):
    write_frames(tmp_path / "frames/clip", TRUTH, NAMES)
    write_own_masks(tmp_path / "masks/clip", [{1: ONE, 2: TWO}] * 6, NAMES, {1: "000", 2: "001"})
    for name in NAMES:
        for object_id in (1, 2):
            write_mask(tmp_path / f"results/clip/{object_id}/{name}.png", ONE)
    found = scores(Folders(tmp_path / "frames", tmp_path / "masks"), tmp_path, "davis")
    np.testing.assert_array_equal(read_truth(found.scored[0].sequence, 1, SIZE), ONE + 2 * TWO)


def test_an_object_with_a_folder_is_empty_before_it_is_given_and_right_where_it_is(tmp_path):
    empty = np.zeros_like(ONE)
    truth = [{1: ONE, 2: empty}, {1: ONE, 2: empty}, {1: ONE, 2: TWO}, {1: ONE, 2: TWO}, {1: ONE, 2: TWO}]
    write_frames(tmp_path / "frames/clip", [{1: ONE}] * 5, NAMES[:5])
    write_own_masks(tmp_path / "masks/clip", truth, NAMES[:5], {1: "a", 2: "b"})
    for number, name in enumerate(NAMES[:5]):
        write_mask(tmp_path / f"results/clip/1/{name}.png", ONE)
        if number >= 2:  # Black in the frame in which it is given, as results have it.
            write_mask(tmp_path / f"results/clip/2/{name}.png", empty if number == 2 else HALF_TWO)
    where = Folders(tmp_path / "frames", tmp_path / "masks")
    assert j_of(scores(where, tmp_path, "sav")) == {("clip", "a"): (3, 1.0), ("clip", "b"): (2, 0.75)}
    assert j_of(scores(where, tmp_path, "ytvos"))["clip", "b"] == (2, 0.5)


def test_a_video_that_is_too_short_is_left_out_with_a_line_and_the_others_are_scored(where, tmp_path, caplog):
    write_frames(tmp_path / "frames/short", TRUTH[:2], NAMES[:2])
    for folder in ("masks", "results"):
        write_label_masks(tmp_path / folder / "short", TRUTH[:2], NAMES[:2])
    assert {sequence for sequence, _ in j_of(scores(where, tmp_path, "davis"))} == {"clip"}
    assert "short has 2 annotated frames: none to score" in caplog.text


@pytest.mark.parametrize("own", [False, True])
def test_results_have_the_names_of_frames_where_masks_have_others(tmp_path, own):
    padded = [f"{int(name):05d}" for name in NAMES]
    write_frames(tmp_path / "frames/clip", [{1: ONE}] * 6, NAMES)
    if own:
        write_own_masks(tmp_path / "masks/clip", [{1: ONE}] * 6, padded, {1: "000"})
        for name in NAMES:
            write_mask(tmp_path / f"results/clip/1/{name}.png", HALF_ONE)
    else:
        write_label_masks(tmp_path / "masks/clip", [{1: ONE}] * 6, padded)
        write_label_masks(tmp_path / "results/clip", [{1: HALF_ONE}] * 6, NAMES)
    found = scores(Folders(tmp_path / "frames", tmp_path / "masks"), tmp_path, "davis")
    assert [(score.frames, score.values[0]) for score in found.objects] == [(4, 0.5)]


def test_a_missing_result_is_named(where, tmp_path):
    (tmp_path / f"results/clip/{NAMES[2]}.png").unlink()
    with pytest.raises(InputError, match=rf"results/clip/{NAMES[2]}\.png does not exist"):
        scores(where, tmp_path, "davis")


def test_tables_name_each_object_and_end_in_the_score(where, tmp_path):
    found = scores(where, tmp_path, "lvos")
    text = vos.tables(found, tmp_path / "results", RULES["lvos"])
    assert text.splitlines()[-4].startswith("J&F: ")
    rows = (tmp_path / "results/per_object.csv").read_text().splitlines()
    assert rows[0] == "sequence,object,frames,J,F,V" and rows[1].startswith("clip,1,4,0.562500,")


@pytest.mark.parametrize("name", ["=1+1", "+clip", "-clip", "@clip"])
def test_a_name_is_no_formula_where_the_table_is_opened(tmp_path, name):
    write_frames(tmp_path / "frames" / name, TRUTH, NAMES)
    write_label_masks(tmp_path / "masks" / name, TRUTH, NAMES)
    write_label_masks(tmp_path / "results" / name, RESULT, NAMES)
    where = Folders(tmp_path / "frames", tmp_path / "masks")
    with vos.scored(None, tmp_path / "results", where, RULES["davis"]) as found:
        vos.tables(found, tmp_path / "results", RULES["davis"])
    assert (tmp_path / "results/per_object.csv").read_text().splitlines()[1].startswith(f"'{name},1,4,0.5625")
