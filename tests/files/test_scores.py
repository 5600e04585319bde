"""Score files: what is read of them, and what is refused."""

import pickle

import numpy as np
import pytest

from osmn.errors import InputError
from osmn.files.scores import read_scores


def saved(path, array):
    np.save(path, array)
    return path.read_bytes()


GRID = np.full((4, 6), 0.5, np.float32)


@pytest.mark.parametrize(
    "array",
    [
        np.where(GRID > 0, np.float32(np.nan), GRID),
        np.where(GRID > 0, np.float32(np.inf), GRID),
        GRID - 0.6,
        GRID + 0.6,
        GRID * 1j,
        (GRID * 510).astype(np.uint8),
        GRID > 0,
        GRID.astype("datetime64[s]"),
        GRID.astype("U3"),
        np.zeros((4, 6), [("a", "f4")]),
        np.zeros((4, 0), np.float32),
        np.zeros((4, 6, 1), np.float32),
        np.float32(0.5),
        np.array([[None]]),
    ],
)
def test_what_is_no_map_of_probabilities_is_refused_and_named(tmp_path, array):
    np.save(tmp_path / "00001.npy", array)
    with pytest.raises(InputError, match=r"^\S+00001\.npy .*; run the evaluation again$"):
        read_scores(tmp_path / "00001.npy")


def test_an_archive_and_other_files_under_the_name_of_scores_are_refused_and_named(tmp_path):
    path = tmp_path / "00001.npy"
    np.savez(tmp_path / "a.npz", GRID)
    for content in ((tmp_path / "a.npz").read_bytes(), b"", b"text", pickle.dumps([1]), b"\x93NUMPY"):
        path.write_bytes(content)
        with pytest.raises(InputError, match=r"^\S+00001\.npy is not a score file"):
            read_scores(path)


def test_a_score_file_with_any_bit_flipped_is_read_or_named(tmp_path):
    path = tmp_path / "00001.npy"
    whole = bytearray(saved(path, GRID))
    for bit in np.random.default_rng(0).choice(8 * len(whole), 200, replace=False):
        flipped = whole.copy()
        flipped[bit // 8] ^= 1 << bit % 8
        path.write_bytes(flipped)
        try:
            scores = read_scores(path)
        except InputError as error:
            assert str(path) in str(error)
        else:
            assert scores.dtype == np.float32 and scores.min() >= 0 and scores.max() <= 1


def test_scores_of_another_float_type_are_read_as_float32(tmp_path):
    for kind in (np.float16, np.float64):
        np.save(tmp_path / "00001.npy", GRID.astype(kind))
        np.testing.assert_array_equal(read_scores(tmp_path / "00001.npy"), GRID)
