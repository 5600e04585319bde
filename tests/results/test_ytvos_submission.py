"""YouTube-VOS: merging, checking and zipping; scores are worked out by hand."""

import json
import zipfile

import numpy as np
import pytest

import ytvos_merge_result
from helpers.scripts import error
from osmn.errors import InputError
from osmn.files.images import read_labels, write_labels, write_mask
from osmn.files.scores import read_scores, write_scores
from osmn.masks import resized
from osmn.results.ytvos_submission import zip_submission


@pytest.fixture
def ytvos(tmp_path):
    """Return a video in which object 1 is there from frame 0, object 12 starts at 5 and 1 is no longer listed at 10."""
    objects = {"12": {"category": "ant", "frames": ["00005", "00010"]}, "1": {"frames": ["00000", "00005"]}}
    late = {"objects": {"3": {"frames": ["00000"]}}}
    meta = tmp_path / "data/valid/meta.json"
    meta.parent.mkdir(parents=True)
    meta.write_text(json.dumps({"videos": {"v": {"objects": objects}, "single": late}}))
    first, second = np.zeros((4, 8), np.uint8), np.zeros((4, 8), np.uint8)
    first[:2, :4], second[2:, 4:] = 1, 12
    write_labels(tmp_path / "data/valid/Annotations/v/00000.png", first)
    write_labels(tmp_path / "data/valid/Annotations/v/00005.png", second)
    write_labels(tmp_path / "data/valid/Annotations/single/00000.png", first * 3)
    (tmp_path / "pred/single").mkdir(parents=True)
    write_scores(tmp_path / "pred/v/1/00005.npy", [[0.6, 0.4, 0.4, 0.8], [0.6, 0.4, 0.4, 0.8]])
    write_scores(tmp_path / "pred/v/12/00010.npy", [[0.1, 0.5, 0.7, 0.9], [0.1, 0.1, 0.1, 0.1]])
    return tmp_path


EXPECTED_5 = np.repeat(np.repeat([[1, 0, 0, 1], [1, 0, 12, 12]], 2, 0), 2, 1)  # a start counts as certain: 1 > 0.8
EXPECTED_10 = np.repeat(np.repeat([[0, 0, 12, 12], [0, 0, 0, 0]], 2, 0), 2, 1)


def test_ytvos_merge_takes_the_truth_where_an_object_starts_and_scores_after(ytvos):
    ytvos_merge_result.main([str(ytvos / "data"), str(ytvos / "pred"), str(ytvos / "out"), "valid"])
    out = ytvos / "out/valid/Annotations"
    np.testing.assert_array_equal(
        read_labels(out / "v/00000.png"), read_labels(ytvos / "data/valid/Annotations/v/00000.png")
    )
    np.testing.assert_array_equal(read_labels(out / "v/00005.png"), EXPECTED_5)
    np.testing.assert_array_equal(read_labels(out / "v/00010.png"), EXPECTED_10)
    np.testing.assert_array_equal(
        read_labels(out / "single/00000.png"), read_labels(ytvos / "data/valid/Annotations/single/00000.png")
    )


def test_ytvos_merge_accepts_pngs_that_are_merged_already(ytvos):
    arguments = [str(ytvos / "data"), str(ytvos / "pred"), str(ytvos / "out"), "valid"]
    ytvos_merge_result.main(arguments)
    arguments[1:3] = str(ytvos / "out/valid/Annotations"), str(ytvos / "again")
    ytvos_merge_result.main(arguments)
    for path in (ytvos / "out").rglob("*.png"):
        assert path.read_bytes() == (ytvos / "again" / path.relative_to(ytvos / "out")).read_bytes()


def test_ytvos_zip_holds_every_listed_frame_and_is_reproducible(ytvos):
    arguments = [str(ytvos / "data"), str(ytvos / "pred"), str(ytvos / "out"), "valid", "--zip"]
    for name in ("a.zip", "b.zip"):
        ytvos_merge_result.main([*arguments, str(ytvos / name)])
    assert (ytvos / "a.zip").read_bytes() == (ytvos / "b.zip").read_bytes()
    with zipfile.ZipFile(ytvos / "a.zip") as archive:
        assert sorted(archive.namelist()) == [
            "Annotations/single/00000.png",
            "Annotations/v/00000.png",
            "Annotations/v/00005.png",
            "Annotations/v/00010.png",
        ]


def remove_png(path):
    path.unlink()


def truncate_png(path):
    path.write_bytes(path.read_bytes()[:-30])


def write_grey(path):
    write_mask(path, np.zeros((4, 8), bool))


def write_small(path):
    write_labels(path, np.zeros((2, 4)))


def write_unlisted_id(path):
    write_labels(path, np.full((4, 8), 7))


@pytest.mark.parametrize("spoil", [remove_png, truncate_png, write_grey, write_small, write_unlisted_id])
def test_ytvos_zip_is_not_written_from_a_spoilt_frame_and_names_it(ytvos, spoil):
    ytvos_merge_result.main([str(ytvos / "data"), str(ytvos / "pred"), str(ytvos / "out"), "valid"])
    folder = ytvos / "out/valid/Annotations"
    spoil(folder / "v/00005.png")
    with pytest.raises(InputError, match=r"v/00005\.png"):
        zip_submission(ytvos / "data", "valid", folder, ytvos / "a.zip")
    assert not (ytvos / "a.zip").exists()


def test_ytvos_merge_names_what_it_cannot_use_and_exits_2(ytvos, capsys):
    arguments = [ytvos_merge_result.main, ytvos / "data", ytvos / "pred", ytvos / "out", "valid"]
    assert "pred/v/1/00005.npy has 2 rows, not 256" in error(capsys, *arguments, 256)
    (ytvos / "pred/v/12/00010.npy").unlink()
    assert "pred/v/12/00010.npy does not exist" in error(capsys, *arguments)
    (ytvos / "data/valid/meta.json").write_text('{"videos": []}')
    assert "meta.json is not a YouTube-VOS meta.json" in error(capsys, *arguments)
    (ytvos / "data/valid/meta.json").unlink()
    assert "meta.json cannot be read" in error(capsys, *arguments)


def test_ytvos_merge_reproduces_the_published_programs_merged_frames(shared, tmp_path):
    results, data = shared / "checkpoints/results/ytvos", shared / "data/ytvos_mini/valid"
    video, frames = "003234408d", ["00000", "00005", "00025", "00050"]  # those whose scores are stored
    meta = json.loads((data / "meta.json").read_text())
    for entry in meta["videos"][video]["objects"].values():
        entry["frames"] = frames
    (tmp_path / "data/valid").mkdir(parents=True)
    (tmp_path / "data/valid/meta.json").write_text(json.dumps(meta))
    (tmp_path / "data/valid/Annotations").symlink_to(data / "Annotations")
    for object_id in range(1, 6):
        for frame in frames[1:]:
            with np.load(results / video / str(object_id) / f"{frame}.npz") as stored:
                write_scores(tmp_path / f"pred/{video}/{object_id}/{frame}.npy", stored["score"])
    ytvos_merge_result.main([str(tmp_path / "data"), str(tmp_path / "pred"), str(tmp_path / "out"), "valid", "256"])
    for frame in frames:
        ours = read_labels(tmp_path / f"out/valid/Annotations/{video}/{frame}.png")
        published = read_labels(results / f"merged/{video}/{frame}.png")
        differs = ours != published
        if frame != frames[0]:
            # The stored scores were rounded to 16 bits: only there can equal probabilities have hidden the larger one.
            scores = [read_scores(tmp_path / f"pred/{video}/{i}/{frame}.npy") for i in range(1, 6)]
            top = np.sort([*scores, np.full_like(scores[0], 0.5)], axis=0)
            tied = resized((top[-1] == top[-2]).astype(np.uint8), ours.shape[::-1]) > 0
            differs &= ~tied
        assert not differs.any()
